"""Input tables from files: one row per subject, one whole number per input column.

Rules:
- Columns ``subject``, ``level``, ``type``, then input columns such as
  ``item.20.filled_fields@current``; an empty cell or a null is a missing value, an absent column
  is missing for everybody.
- Whole numbers only. NaN, infinity, fractions and text are refused with their place, and so is a
  negative count. Nothing is guessed, cut or rounded.
- A column that no indicator of the model reads is an error unless it is known to the catalogue:
  a misspelt name must not become a missing value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from deploy.errors import InputFileError
from deploy.model.cells import labels, subject_ids, whole_numbers
from deploy.model.table_files import column_names, read_columns
from scoring_kernel.inputs import InputTable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from scoring_kernel.catalog_object import Catalog
    from scoring_kernel.model import RatingModel

KEYS: Final = ("subject", "level", "type")


def read_inputs(path: Path, model: RatingModel, catalog: Catalog) -> InputTable:
    """Read the inputs of many subjects.

    Args:
        path: A file ending in ``.csv``, ``.parquet`` or ``.arrow``.
        model: Model whose columns are wanted.
        catalog: Tells which other columns are known, and which values are counts.

    Returns:
        The table, in the order of the file, of at least one subject.

    Raises:
        InputFileError: The file is of another kind, too large, malformed or empty, names an
            unknown column, level or type, holds a value that is not a whole number within
            bounds, or a subject twice.
    """
    names = column_names(path)
    _refuse_columns(path, names, model, catalog)
    wanted = [column for column in model.input_columns if column in names]
    file = read_columns(path, (*KEYS, *wanted))
    if not file.table.num_rows:
        raise InputFileError(f"{path.name}: no subject in it: expected a row for each")
    subjects = subject_ids(file, "subject")
    levels = labels(file, "level", model.levels)
    types = labels(file, "type", model.types)
    counted = catalog.never_negative
    parts = {name: whole_numbers(file, name, is_count=name in counted) for name in wanted}
    return InputTable.assemble(model, subjects, levels, types, parts)


def _refuse_columns(path: Path, names: Sequence[str], model: RatingModel, catalog: Catalog) -> None:
    missing = [name for name in KEYS if name not in names]
    if missing:
        raise InputFileError(
            f"{path.name}: lacks the columns {', '.join(missing)}; its first line must name "
            f"{','.join(KEYS)} and then input columns"
        )
    known = {*KEYS, *catalog.input_columns}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InputFileError(
            f"{path.name}: column {unknown[0][:80]!r} is stated by no measure or information "
            f"item: correct its name (`yixin model list {model.alias or model.id}` names them)"
        )
    if not any(name in model.input_columns for name in names):
        raise InputFileError(
            f"{path.name}: no column that model {model.id} reads, for example "
            f"{model.input_columns[0]}"
        )
