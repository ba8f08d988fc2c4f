"""Scoring a file of subjects with a composite model and a measure table.

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
import pyarrow.compute as pc

from deploy.errors import InputFileError
from deploy.model.input_files import MAX_ROWS, read_table, write_table
from scoring_kernel.composite import CompositeTable, parse_measure_table, score_composite

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from scoring_kernel.composite import CompositeModel, CompositeResult, MeasureTable

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
    table = read_measures(measures)
    result = score_composite(model, _read(inputs, table, subject_column), table)
    write_table(scores_table(result), out)
    bands: dict[str, int] = {}
    for band in result.bands:
        bands[band] = bands.get(band, 0) + 1
    return {
        "model": model.id,
        "model_digest": model.digest.hex(),
        "basis": model.status.value,
        "measures_digest": table.digest().hex(),
        "subjects": len(result.subjects),
        "bands": dict(sorted(bands.items())),
        "dropped_measures": [one.id for one in result.dropped],
        "out": str(out),
    }


def read_measures(path: Path) -> MeasureTable:
    """Read a measure table from a CSV file.

    Raises:
        InputFileError: The file is absent, too large or no text.
        KernelInputError: A row is malformed.
    """
    if not path.is_file() or path.stat().st_size > MAX_TABLE_BYTES:
        raise InputFileError(f"{path}: expected the CSV file of a measure table, at most 4 MiB")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return parse_measure_table(csv.DictReader(file, strict=True))
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
    table = read_table(path)
    wanted = [one.id for one in measures.measures]
    for name in (subject_column, *wanted):
        if table.column_names.count(name) != 1:
            raise InputFileError(
                f"{path.name}: expected the column {name} once, found it "
                f"{table.column_names.count(name)} times: the measure table and the figures must "
                "belong together (the column of subject ids is named with --subject-column)"
            )
    if not 1 <= table.num_rows <= MAX_ROWS:
        raise InputFileError(f"{path.name}: {table.num_rows} rows, expected 1 to {MAX_ROWS}")
    values = np.column_stack([_numbers(path, table.column(name), name) for name in wanted])
    subjects = table.column(subject_column).cast(pa.string()).to_pylist()
    if None in subjects:
        raise InputFileError(f"{path.name}: row {subjects.index(None) + 1} has no {subject_column}")
    return CompositeTable(subjects=tuple(subjects), measures=tuple(wanted), values=values)


def _numbers(path: Path, column: pa.ChunkedArray, name: str) -> npt.NDArray[np.float64]:
    if pa.types.is_string(column.type):
        column = pc.utf8_trim_whitespace(column)
        fits = pc.match_substring_regex(
            column, r"^[-+]?[0-9]{1,15}(\.[0-9]{0,25})?([eE][-+]?[0-9]{1,2})?$"
        )
        at = pc.index(pc.invert(fits), value=True).as_py()
        if at >= 0:
            raise InputFileError(
                f"{path.name}: row {at + 1}, column {name}: {str(column[at].as_py())[:40]!r} is "
                "not a number: correct it, or leave the cell empty where it was not reported"
            )
    numbers = pc.cast(column, pa.float64()).fill_null(np.nan)
    return np.asarray(numbers.to_numpy(), np.float64)
