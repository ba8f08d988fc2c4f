"""Scoring a file of subjects with a model, and writing what came out.

Rules:
- Points and totals are whole hundredths in the output too; every row names the grade, the
  grade its points earned, its coverage, the basis of the model, the overrides that apply and
  those that cannot be judged.
- Without a reference of a hub the peers are the subjects of the file themselves, and the
  summary says so. A reference is of the same model and day, or it is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from deploy.errors import InputFileError, ModelChoiceError
from deploy.model.input_files import read_inputs
from scoring_kernel.errors import KernelInputError
from scoring_kernel.explanation import explain
from scoring_kernel.reference import MAX_BYTES, Reference, build_reference
from scoring_kernel.scoring import score
from scoring_kernel.what_if import distribution

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from deploy.model.choosing import Choice
    from scoring_kernel.explanation import IndicatorExplanation
    from scoring_kernel.inputs import InputTable
    from scoring_kernel.model import RatingModel
    from scoring_kernel.scoring import ScoreResult
    from security.progress import ProgressReporter

MAX_EXPLAINED: Final = 20_000
"""Most subjects explained in one file: an explanation is text, some kilobytes a subject."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """Scores and what they were compared with.

    Attributes:
        result: The scores.
        reference: Peer reference that was used.
        own_peers: Whether the reference was built from the file itself.
    """

    result: ScoreResult
    reference: Reference
    own_peers: bool

    def summary(self) -> dict[str, object]:
        """Counts and digests, as ``--json`` prints them."""
        model = self.result.model
        return {
            "model": model.id,
            "model_digest": model.digest.hex(),
            "basis": self.result.basis,
            "day": self.result.day.isoformat(),
            "reference_digest": self.reference.digest.hex(),
            "reference_day": self.reference.day.isoformat(),
            "peer_statistics": len(self.reference.entries),
            "peers": "these subjects" if self.own_peers else "the given reference",
            "subjects": len(self.result.subjects),
            "grades": distribution(self.result)["all"] if self.result.subjects else {},
            "overridden": int(self.result.overridden.any(axis=1).sum()),
            "undetermined": int(self.result.undetermined.any(axis=1).sum()),
            "missing_values": int(self.result.missing.sum()),
            "provisional_values": int(self.result.provisional.sum()),
            "out_of_range_values": int(self.result.out_of_range.sum()),
        }

    @property
    def warning(self) -> str | None:
        """What a reader must know before trusting the scores; None for nothing."""
        if self.reference.entries:
            return None
        return (
            "Warning: the peer reference is empty: fewer than "
            f"{self.result.model.min_peer} subjects have values, and whatever is compared with "
            "peers is provisional."
        )


def score_file(
    choice: Choice,
    *,
    inputs: Path,
    reference: Path | None,
    day: date | None,
    today: date,
    explained: bool,
    progress: ProgressReporter,
) -> Scored:
    """Score the subjects of a file.

    Args:
        choice: The model.
        inputs: File of inputs.
        reference: File of a hub's peer reference; None for the subjects of the file.
        day: Day for which parameters are read; None for the reference's, else today.
        today: Day of the command.
        explained: Whether the scores are to be explained too, so that many are refused at once.
        progress: Told while it works.

    Raises:
        DeployError: A file is refused.
        KernelError: The model cannot score these inputs on that day.
    """
    peers = None if reference is None else read_reference(reference, choice.model, day)
    progress("read inputs", 0, 3, "")
    table = read_inputs(inputs, choice.model, choice.catalog)
    if explained:
        refuse_many(len(table.subjects))
    progress("score", 1, 3, "subjects")
    return score_table(choice.model, table, day or (peers.day if peers else today), peers)


def score_table(
    model: RatingModel, inputs: InputTable, day: date, reference: Reference | None
) -> Scored:
    """Score subjects, with a given reference or with each other as peers.

    Raises:
        KernelError: The model cannot score these inputs on that day.
    """
    used = reference if reference is not None else build_reference(model, inputs, day)
    return Scored(
        result=score(model, inputs, used, day), reference=used, own_peers=reference is None
    )


def read_reference(path: Path, model: RatingModel, day: date | None) -> Reference:
    """Read a frozen peer reference of a model.

    Args:
        path: The file.
        model: The model that is to use it.
        day: Day for which parameters are read; None for the reference's own.

    Raises:
        InputFileError: There is no such file, it is too large or no reference, or it is
            another model's.
        ModelChoiceError: It is of another day.
    """
    if not path.is_file() or path.stat().st_size > MAX_BYTES:
        raise InputFileError(f"{path}: expected the file of a peer reference, at most 1 MiB")
    try:
        found = Reference.from_json(path.read_bytes())
    except KernelInputError as error:
        raise InputFileError(f"{path.name}: {error}") from error
    if found.model_digest != model.digest:
        raise InputFileError(
            f"{path.name}: the reference of the model with digest {found.model_digest.hex()}, "
            f"expected {model.digest.hex()} of {model.id}: export it for this model"
        )
    known = {one.id for one in model.indicators}
    strange = sorted({key[0] for key in found.entries} - known)
    if strange:
        raise InputFileError(
            f"{path.name}: names the indicator {strange[0][:80]!r}, which {model.id} does not "
            "have: export the reference again"
        )
    if day is not None and found.day != day:
        raise ModelChoiceError(
            f"{path.name}: the reference of {found.day.isoformat()}, asked for "
            f"{day.isoformat()}: give --day {found.day.isoformat()}, or the reference of that day"
        )
    return found


def scores_table(result: ScoreResult) -> pa.Table:
    """Lay out scores: one row per subject, one column per indicator's points."""
    count = len(result.subjects)
    columns: dict[str, object] = {
        "subject": pa.array(result.subjects, pa.string()),
        "level": pa.array(result.levels, pa.string()),
        "type": pa.array(result.types, pa.string()),
        "grade": pa.array(result.grades, pa.string()),
        "earned_grade": pa.array(result.earned_grades, pa.string()),
        **{
            f"grade.{name}": pa.array(result.grades_in(name), pa.string())
            for name in list(result.model.band_sets)[1:]
        },
        "total_centi": pa.array(result.total_centi),
        "coverage_centi": pa.array(result.coverage_centi),
        "basis": pa.array([result.basis] * count, pa.string()),
        "overrides": _ids(result.model, result.overridden),
        "undetermined": _ids(result.model, result.undetermined),
    }
    for index, indicator in enumerate(result.model.indicators):
        columns[f"points_centi.{indicator.id}"] = pa.array(result.points_centi[:, index])
        columns[f"weight_centi.{indicator.id}"] = pa.array(result.weights_centi[:, index])
        for name, flags in (
            ("missing", result.missing),
            ("provisional", result.provisional),
            ("out_of_range", result.out_of_range),
        ):
            columns[f"{name}.{indicator.id}"] = pa.array(flags[:, index])
    return pa.table(columns)


def _ids(model: RatingModel, flags: npt.NDArray[np.bool_]) -> pa.Array:
    """Ids of the flagged overrides of each subject; flags of shape (n, o)."""
    return pa.array(
        [
            ";".join(one.id for one, hit in zip(model.overrides, hits, strict=True) if hit)
            for hits in flags.tolist()
        ],
        pa.string(),
    )


def refuse_many(subjects: int) -> None:
    """Refuse to explain too many subjects, before work begins.

    Raises:
        InputFileError: There are more than ``MAX_EXPLAINED``.
    """
    if subjects > MAX_EXPLAINED:
        raise InputFileError(
            f"--explain: {subjects} subjects, expected at most {MAX_EXPLAINED}: score "
            "all, and explain a smaller file or one subject (`yixin model explain`)"
        )


def explained_table(result: ScoreResult) -> pa.Table:
    """Lay out explanations: one row per subject and indicator, the greatest loss first.

    Raises:
        InputFileError: There are more than ``MAX_EXPLAINED`` subjects.
    """
    refuse_many(len(result.subjects))
    rows: list[dict[str, object]] = []
    for row, subject in enumerate(result.subjects):
        ordered = sorted(explain(result, row), key=lambda one: (-one.lost_centi, one.number))
        rows += [{"subject": subject, **_explained(one)} for one in ordered]
    schema = pa.schema(
        [
            *((name, pa.string()) for name in ("subject", "indicator", "name_zh", "name_en")),
            ("value_micro", pa.int64()),
            ("peer_median_micro", pa.int64()),
            *((name, pa.int32()) for name in ("points_centi", "weight_centi", "lost_centi")),
            *((name, pa.string()) for name in ("reason_zh", "reason_en", "legal_basis")),
        ]
    )
    return pa.Table.from_pylist(rows, schema=schema)


def _explained(one: IndicatorExplanation) -> dict[str, object]:
    return {
        "indicator": one.indicator,
        "name_zh": one.name_zh,
        "name_en": one.name_en,
        "value_micro": None if one.missing else one.value_micro,
        "peer_median_micro": one.peer_median_micro,
        "points_centi": one.points_centi,
        "weight_centi": one.weight_centi,
        "lost_centi": one.lost_centi,
        "reason_zh": one.reason_zh,
        "reason_en": one.reason_en,
        "legal_basis": ";".join(one.sources),
    }
