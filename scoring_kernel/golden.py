"""Golden vectors (黄金向量): inputs and exact results that a pack carries and every node runs.

Rules:
- Scores are run by numpy and by the compiled model of the pack, once without peers and, by
  numpy, once with a peer reference built from the vector itself. All are integers or names,
  and must be equal, not close.
- Measures are run by the engine of whoever asks, over tiny relations that the vector holds.
- Every model that may grade and every measure set has its vector: one that lacks it fails.
- The SQL of rules and of supervision is checked anew: after that, a start may trust it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from scoring_kernel.catalog_loader import CHANGES, is_rule_file, read_packaged_changes
from scoring_kernel.change_list import names_catalog
from scoring_kernel.errors import KernelError, PackFileError
from scoring_kernel.indicators import Status
from scoring_kernel.inputs import InputTable
from scoring_kernel.reference import build_reference
from scoring_kernel.rules import parse_rules
from scoring_kernel.scoring import score

if TYPE_CHECKING:
    from scoring_kernel.catalog_object import Catalog
    from scoring_kernel.model import RatingModel
    from scoring_kernel.onnx_scorer import OnnxScores
    from scoring_kernel.packs import Pack
    from scoring_kernel.scoring import ScoreResult

Row = Sequence[str | int | bool | None]
Rows = Sequence[Row]
SCORES: Final = "scores"
MEASURES: Final = "measures"
MAX_VECTOR_BYTES: Final = 4 * 1024 * 1024
MAX_SUBJECTS: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TinyRelation:
    """A relation of a vector.

    Attributes:
        schema: Type word by column, as of ``record_kinds``, in order.
        rows: Rows in the order of the schema; moments are ISO texts.
    """

    schema: tuple[tuple[str, str], ...]
    rows: Rows = field(repr=False)


MeasureEngine = Callable[[str, Mapping[str, TinyRelation]], Rows]
"""Runs SQL over relations by name; gives rows in the order of their first three columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenReport:
    """What came of running a pack's golden vectors.

    Attributes:
        vectors: How many were run.
        failures: Names of those that came out otherwise, or did not run.
    """

    vectors: int
    failures: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether every vector came out as the pack says."""
        return self.vectors > 0 and not self.failures


def run_golden(pack: Pack, measure: MeasureEngine) -> GoldenReport:
    """Run every golden vector of a pack.

    Args:
        pack: The pack; nothing of it needs to be installed.
        measure: Engine of the measures' SQL.

    Returns:
        The report; a vector that cannot be run counts as failed.
    """
    checks = {**_score_checks(pack), **_measure_checks(pack, measure), **_sql_checks(pack)}
    failures = [name for name, is_equal in checks.items() if not _runs(is_equal)]
    strange = pack.golden.keys() - {f"{name.partition(' ')[0]}.json" for name in checks}
    return GoldenReport(vectors=len(checks), failures=(*failures, *sorted(strange)))


def write_vector(document: Mapping[str, Any]) -> bytes:
    """Spell a vector: the same document always gives the same bytes."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def score_vector(model: RatingModel, inputs: InputTable, day: date) -> bytes:
    """Make the vector of a model from inputs.

    Args:
        model: The model.
        inputs: Subjects with their inputs, in the model's columns.
        day: Day whose parameters apply.
    """
    reference = build_reference(model, inputs, day)
    return write_vector(
        {
            "kind": SCORES,
            "model": model.id,
            "day": day.isoformat(),
            "levels": list(inputs.levels),
            "types": list(inputs.types),
            "columns": {
                name: [
                    int(value) if known else None
                    for value, known in zip(
                        inputs.values[:, at].tolist(), inputs.present[:, at].tolist(), strict=True
                    )
                ]
                for at, name in enumerate(inputs.columns)
            },
            "alone": _scored(score(model, inputs, None, day)),
            "peers": _scored(score(model, inputs, reference, day)),
        }
    )


def measure_vector(
    name: str, sql: str, relations: Mapping[str, TinyRelation], measure: MeasureEngine
) -> bytes:
    """Make the vector of a measure set from tiny relations.

    Args:
        name: Id of the set.
        sql: Its SQL.
        relations: Rows by relation.
        measure: Engine of the SQL.
    """
    return write_vector(
        {
            "kind": MEASURES,
            "set": name,
            "relations": {
                relation: [list(row) for row in one.rows] for relation, one in relations.items()
            },
            "expect": [list(row) for row in measure(sql, relations)],
        }
    )


def _runs(is_equal: Callable[[], bool]) -> bool:
    try:
        return is_equal()
    except (KernelError, ValueError, TypeError, KeyError, IndexError, OverflowError):
        return False


def _score_checks(pack: Pack) -> dict[str, Callable[[], bool]]:
    return {
        f"{SCORES}-{model.id} {how}": partial(check, pack, model)
        for model in graded_models(pack.catalog)
        for how, check in (("numpy", _alone), ("peers", _with_peers), ("onnx", _compiled))
    }


def _alone(pack: Pack, model: RatingModel) -> bool:
    read, inputs, day = _given(pack, model)
    return bool(_scored(score(model, inputs, None, day)) == read["alone"])


def _with_peers(pack: Pack, model: RatingModel) -> bool:
    read, inputs, day = _given(pack, model)
    reference = build_reference(model, inputs, day)
    return bool(_scored(score(model, inputs, reference, day)) == read["peers"])


def _compiled(pack: Pack, model: RatingModel) -> bool:
    from scoring_kernel.onnx_scorer import OnnxScorer  # noqa: PLC0415 - large

    read, inputs, day = _given(pack, model)
    scorer = OnnxScorer.load(pack.models.get(model.id, b""))
    is_its_own = scorer.card.model_digest == model.digest.hex()
    return is_its_own and _scored(scorer.score(inputs, day)) == read["alone"]


def _measure_checks(pack: Pack, measure: MeasureEngine) -> dict[str, Callable[[], bool]]:
    return {
        f"{MEASURES}-{name}": partial(_counted, pack, name, measure)
        for name in pack.catalog.measure_sets
    }


def _counted(pack: Pack, name: str, measure: MeasureEngine) -> bool:
    read = _read(pack, f"{MEASURES}-{name}")
    relations = {
        relation: TinyRelation(schema=pack.catalog.records[relation].schema, rows=rows)
        for relation, rows in read["relations"].items()
    }
    found = measure(pack.catalog.measure_sets[name].sql, relations)
    return bool([list(row) for row in found] == read["expect"])


def _sql_checks(pack: Pack) -> dict[str, Callable[[], bool]]:
    return {"rules": partial(_rules, pack), "supervision": partial(_supervision, pack)}


def _rules(pack: Pack) -> bool:
    own = {name: content for name, content in pack.contents.items() if is_rule_file(name)}
    return bool(parse_rules(own, pack.catalog, is_checked=_ships(pack)).rules)


def _supervision(pack: Pack) -> bool:
    from scoring_kernel.supervision.loading import parse_files  # noqa: PLC0415 - large

    files = {name: content for name, content in pack.contents.items() if name != CHANGES}
    return bool(parse_files(files, pack.catalog, is_checked=_ships(pack)).sets)


def _ships(pack: Pack) -> bool:
    """Whether the catalogue is the very one of this program, whose SQL was checked when built."""
    return names_catalog(read_packaged_changes(), pack.catalog.digest)


def graded_models(catalog: Catalog) -> tuple[RatingModel, ...]:
    """Models that may grade: every one but drafts."""
    return tuple(one for one in catalog.models.values() if one.status is not Status.DRAFT)


def _read(pack: Pack, name: str) -> dict[str, Any]:
    content = pack.golden.get(f"{name}.json", b"")
    if not 0 < len(content) <= MAX_VECTOR_BYTES:
        raise PackFileError(f"golden vector {name}: {len(content)} bytes")
    found = json.loads(content)
    if not isinstance(found, dict) or write_vector(found) != content:
        raise PackFileError(f"golden vector {name}: another spelling than vectors have")
    return found


def _given(pack: Pack, model: RatingModel) -> tuple[dict[str, Any], InputTable, date]:
    read = _read(pack, f"{SCORES}-{model.id}")
    levels, types, columns = read["levels"], read["types"], read["columns"]
    if not 0 < len(levels) <= MAX_SUBJECTS:
        raise PackFileError(f"golden vector of {model.id}: {len(levels)} subjects")
    parts = {
        name: (
            np.array([0 if value is None else value for value in values], np.int64),
            np.array([value is not None for value in values], np.bool_),
        )
        for name, values in columns.items()
    }
    subjects = [f"S{number:04}" for number in range(len(levels))]
    table = InputTable.assemble(model, subjects, levels, types, parts)
    return read, table, date.fromisoformat(read["day"])


def _scored(result: ScoreResult | OnnxScores) -> dict[str, Any]:
    flags = ("missing", "provisional", "out_of_range", "shrunk", "overridden", "undetermined")
    numbers = ("points_centi", "weights_centi", "total_centi", "coverage_centi")
    found: dict[str, Any] = {name: getattr(result, name).tolist() for name in numbers}
    for name in flags:
        marked = getattr(result, name)
        found[name] = list(map(int, chain.from_iterable(np.argwhere(marked).tolist())))
    return found | {"grades": list(result.grades), "earned_grades": list(result.earned_grades)}
