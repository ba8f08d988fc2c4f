"""Scoring and explaining a file of subjects with a composite model and a measure table.

Rules:
- The measure table is an input like the figures: the same model serves a later release with
  another table.
- An empty cell is not reported; anything that is no finite number is refused with its place.
- The output names the band, the summary score and what each group contributes; the
  contributions of a subject add up to its summary score.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from deploy.errors import InputFileError
from deploy.model.cells import real_numbers, subject_ids
from deploy.model.table_files import column_names, read_columns
from deploy.model.targets import write_table
from scoring_kernel.composite import (
    CompositeTable,
    explain_composite,
    parse_measure_table,
    score_composite,
)
from scoring_kernel.errors import KernelInputError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from scoring_kernel.composite import (
        CompositeExplanation,
        CompositeModel,
        CompositeResult,
        MeasureTable,
    )
    from security.operator.output import CommandOutput

MAX_TABLE_BYTES: Final = 4 * 1024 * 1024


def score_file(
    model: CompositeModel, *, inputs: Path, measures: Path, subject_column: str, out: Path
) -> dict[str, object]:
    """Score a file and write the result.

    Args:
        model: The composite model.
        inputs: One row per subject, one column per measure of the table.
        measures: The measure table, a CSV file.
        subject_column: Column with the subject ids.
        out: Where the scores go.

    Returns:
        Counts and digests, as ``--json`` prints them.

    Raises:
        InputFileError: A file is refused.
        KernelError: The model cannot score the inputs.
    """
    result = score_subjects(model, inputs, measures, subject_column)
    write_table(scores_table(result), out)
    bands: dict[str, int] = {}
    for band in result.bands:
        bands[band] = bands.get(band, 0) + 1
    return {
        "model": model.id,
        "model_digest": model.digest.hex(),
        "basis": model.status.value,
        "measures_digest": result.measures.digest().hex(),
        "subjects": len(result.subjects),
        "bands": dict(sorted(bands.items())),
        "dropped_measures": [one.id for one in result.dropped],
        "out": str(out),
    }


def score_subjects(
    model: CompositeModel, inputs: Path, measures: Path, subject_column: str
) -> CompositeResult:
    """Score the subjects of a file; arguments and errors as for ``score_file``."""
    table = read_measures(measures)
    return score_composite(model, _read(inputs, table, subject_column), table)


def explain_subject(result: CompositeResult, subject: str) -> CompositeExplanation:
    """Explain one subject's score and band.

    Raises:
        InputFileError: The subject is not among those scored.
    """
    if subject not in result.subjects:
        raise InputFileError(
            f"{subject[:40]!r}: not among the {len(result.subjects)} subjects, for example "
            f"{', '.join(result.subjects[:3])}: check the id"
        )
    return explain_composite(result, result.subjects.index(subject))


def show(found: CompositeExplanation, result: CompositeResult, out: CommandOutput) -> None:
    """Show an explanation: band and reason, what each group contributed, their sum."""
    score = "none" if found.summary is None else f"{found.summary:.6f}"
    out.say(
        f"{found.subject}, model {result.model.id}, basis: {found.basis}; band {found.band}, "
        f"summary score {score}, {len(result.subjects)} subjects"
    )
    out.say(found.reason_zh)
    out.say(found.reason_en)
    out.rows(
        "What each group contributes; together the summary score",
        [
            {
                "group": one.name_zh
                if one.name_zh == one.name_en
                else f"{one.name_zh} {one.name_en}",
                "score": "—" if one.score is None else f"{one.score:.4f}",
                "weight": f"{one.weight:.4f}",
                "contributes": f"{one.contribution:.6f}",
                "measures": len(one.measures),
            }
            for one in found.groups
        ],
    )


def read_measures(path: Path) -> MeasureTable:
    """Read a measure table from a CSV file.

    Raises:
        InputFileError: The file is absent, too large, no text, or a row is malformed.
    """
    if not path.is_file() or path.stat().st_size > MAX_TABLE_BYTES:
        raise InputFileError(f"{path}: expected the CSV file of a measure table, at most 4 MiB")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return parse_measure_table(csv.DictReader(file, strict=True))
    except KernelInputError as error:
        raise InputFileError(f"{path.name}: {error}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputFileError(
            f"{path.name}: not a CSV file in UTF-8 ({error}): export it again"
        ) from error


def scores_table(result: CompositeResult) -> pa.Table:
    """Lay out composite scores: one row per subject."""
    rated = [None if np.isnan(one) else float(one) for one in result.summary]
    columns: dict[str, object] = {
        "subject": pa.array(result.subjects, pa.string()),
        "band": pa.array(result.bands, pa.string()),
        "summary_score": pa.array(rated, pa.float64()),
    }
    for at, group in enumerate(result.model.groups):
        columns[f"score.{group.id}"] = pa.array(_or_none(result.scores[:, at]), pa.float64())
        columns[f"weight.{group.id}"] = pa.array(_or_none(result.weights[:, at]), pa.float64())
        columns[f"measures.{group.id}"] = pa.array(result.counts[:, at].tolist(), pa.int64())
    return pa.table(columns)


def _or_none(values: npt.NDArray[np.float64]) -> list[float | None]:
    return [None if np.isnan(one) else float(one) for one in values.tolist()]


def _read(path: Path, measures: MeasureTable, subject_column: str) -> CompositeTable:
    known = column_names(path)
    wanted = [one.id for one in measures.measures]
    for name in (subject_column, *wanted):
        if name not in known:
            raise InputFileError(
                f"{path.name}: lacks the column {name[:80]!r}: the measure table and the figures "
                "must belong together (the column of subject ids is named with --subject-column)"
            )
    if subject_column in wanted:
        raise InputFileError(f"--subject-column {subject_column[:80]!r} is a measure: name another")
    file = read_columns(path, (subject_column, *wanted))
    if not file.table.num_rows:
        raise InputFileError(f"{path.name}: no subject in it: expected a row for each")
    values = np.column_stack([real_numbers(file, name) for name in wanted])
    subjects = subject_ids(file, subject_column)
    return CompositeTable(subjects=tuple(subjects), measures=tuple(wanted), values=values)
