"""Input tables from files: one row per subject, one whole number per input column.

Rules:
- CSV, Parquet and Arrow (IPC file or stream), told apart by the name's ending. Columns
  ``subject``, ``level``, ``type``, then input columns such as ``item.20.filled_fields@current``;
  an empty cell or a null is a missing value, an absent column is missing for everybody.
- Whole numbers only. NaN, infinity, fractions and text are refused with row and column, and so
  is a negative count. Nothing is guessed, cut or rounded.
- A column that no indicator of the model reads is an error unless it is known to the catalogue:
  a misspelt name must not become a missing value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from deploy.errors import InputFileError
from scoring_kernel.inputs import InputTable

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from scoring_kernel.catalog_object import Catalog
    from scoring_kernel.model import RatingModel

KEYS: Final = ("subject", "level", "type")
ENDINGS: Final = (".csv", ".parquet", ".arrow")
MAX_ROWS: Final = 5_000_000
MAX_BYTES: Final = 8 * 1024**3
MAX_COLUMNS: Final = 2_000

_LARGEST: Final = 2**53


def read_inputs(path: Path, model: RatingModel, catalog: Catalog) -> InputTable:
    """Read the inputs of many subjects.

    Args:
        path: A file ending in one of ``ENDINGS``.
        model: Model whose columns are wanted.
        catalog: Tells which other columns are known, and which values are counts.

    Returns:
        The table, in the order of the file.

    Raises:
        InputFileError: The file is of another kind, too large, malformed, names an unknown
            column, or holds a value that is not a whole number.
        KernelInputError: A subject stands twice, has an unknown level or type, or a value is
            out of bounds.
    """
    table = _read(path)
    _refuse_columns(path, table, model, catalog)
    keys = [_texts(path, table, name) for name in KEYS]
    counted = catalog.never_negative
    parts = {
        column: _numbers(path, table, column, is_count=column in counted)
        for column in model.input_columns
        if column in table.column_names
    }
    subjects, levels, types = keys
    return InputTable.assemble(model, subjects, levels, types, parts)


def read_table(path: Path) -> pa.Table:
    """Read any table, its cells as they are; CSV cells as text.

    Raises:
        InputFileError: The file is of another kind, too large or malformed.
    """
    return _read(path)


def write_table(table: pa.Table, path: Path) -> None:
    """Write a table as CSV, Parquet or Arrow, by the name's ending.

    Raises:
        InputFileError: The ending is another.
    """
    match _ending(path):
        case ".csv":
            pa.csv.write_csv(table, path)
        case ".parquet":
            pa.parquet.write_table(table, path, compression="zstd")
        case _:
            with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
                writer.write_table(table)


def refuse_ending(path: Path) -> None:
    """Refuse a file name before long work begins.

    Raises:
        InputFileError: Its ending is none of ``ENDINGS``.
    """
    _ending(path)


def _ending(path: Path) -> str:
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise InputFileError(
            f"{path.name}: expected a name ending in {', '.join(ENDINGS)}, found {ending or 'none'}"
        )
    return ending


def _read(path: Path) -> pa.Table:
    ending = _ending(path)
    if not path.is_file():
        raise InputFileError(f"{path}: there is no such file: check the path")
    if path.stat().st_size > MAX_BYTES:
        raise InputFileError(f"{path.name}: larger than {MAX_BYTES // 1024**3} GiB: divide it")
    try:
        table = {".csv": _read_csv, ".parquet": _read_parquet, ".arrow": _read_arrow}[ending](path)
    except (pa.ArrowException, UnicodeError) as error:
        detail = str(error).splitlines()[0][:200]
        raise InputFileError(
            f"{path.name}: not a readable {ending} file ({detail}): export it again"
        ) from error
    if table.num_rows > MAX_ROWS or table.num_columns > MAX_COLUMNS:
        raise InputFileError(
            f"{path.name}: {table.num_rows} rows and {table.num_columns} columns, expected at "
            f"most {MAX_ROWS} and {MAX_COLUMNS}: divide it"
        )
    return table


def _read_csv(path: Path) -> pa.Table:
    with path.open("rb") as file:
        header = file.readline(1_000_000).decode("utf-8-sig").strip()
    names = [name.strip().strip('"') for name in header.split(",")]
    return pa.csv.read_csv(
        path,
        read_options=pa.csv.ReadOptions(column_names=names, skip_rows=1),
        convert_options=pa.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            strings_can_be_null=True,
            null_values=[""],
            quoted_strings_can_be_null=True,
        ),
    )


def _read_parquet(path: Path) -> pa.Table:
    return pa.parquet.ParquetFile(path).read()


def _read_arrow(path: Path) -> pa.Table:
    with pa.memory_map(str(path)) as source:
        try:
            return pa.ipc.open_file(source).read_all()
        except pa.ArrowInvalid:
            source.seek(0)
            return pa.ipc.open_stream(source).read_all()


def _refuse_columns(path: Path, table: pa.Table, model: RatingModel, catalog: Catalog) -> None:
    names = table.column_names
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputFileError(f"{path.name}: column {twice[0]} appears twice: remove one")
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
            f"item: correct its name (`yixin model list` names them)"
        )
    if not any(name in model.input_columns for name in names):
        raise InputFileError(
            f"{path.name}: no column that model {model.id} reads, for example "
            f"{model.input_columns[0]}"
        )


def _texts(path: Path, table: pa.Table, name: str) -> list[str]:
    column = table.column(name)
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        raise InputFileError(f"{path.name}: column {name} holds {column.type}, expected text")
    if column.null_count:
        row = column.is_null().index(pa.scalar(value=True)).as_py()
        raise InputFileError(f"{path.name}: row {row + 1} has no {name}: fill it in")
    return list(column.to_pylist())


def _numbers(
    path: Path, table: pa.Table, name: str, *, is_count: bool
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    column = table.column(name)
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        whole = _parsed(path, column, name)
    elif pa.types.is_integer(kind):
        whole = _cast(path, column, name)
    elif pa.types.is_floating(kind):
        _refuse_where(path, name, column, pc.invert(pc.is_finite(column)), "is not a finite number")
        odd = pc.not_equal(pc.floor(column), column)
        _refuse_where(path, name, column, odd, "is not a whole number")
        _refuse_where(
            path, name, column, pc.greater(pc.abs(column), float(_LARGEST)), "is out of bounds"
        )
        whole = _cast(path, column, name)
    elif pa.types.is_null(kind):
        whole = _cast(path, column, name)
    else:
        raise InputFileError(f"{path.name}: column {name} holds {kind}, expected whole numbers")
    if is_count:
        _refuse_where(path, name, whole, pc.less(whole, 0), "is negative, but a count never is")
    values = whole.fill_null(0).to_numpy()
    present = whole.is_valid().to_numpy()
    return values.astype(np.int64, copy=False), present.astype(np.bool_, copy=False)


def _parsed(path: Path, column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    trimmed = pc.utf8_trim_whitespace(column)
    fits = pc.match_substring_regex(trimmed, r"^-?[0-9]{1,18}$")
    _refuse_where(path, name, column, pc.invert(fits), "is not a whole number")
    return pc.cast(trimmed, pa.int64())


def _cast(path: Path, column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    try:
        return pc.cast(column, pa.int64())
    except pa.ArrowInvalid as error:
        raise InputFileError(f"{path.name}: column {name} holds a number out of bounds") from error


def _refuse_where(
    path: Path, name: str, column: pa.ChunkedArray, bad: pa.ChunkedArray, problem: str
) -> None:
    found = pc.index(bad, value=True).as_py()
    if found < 0:
        return
    value = str(column[found].as_py())[:40]
    raise InputFileError(
        f"{path.name}: row {found + 1}, column {name}: {value!r} {problem}: correct it, or leave "
        "the cell empty where the value is not known"
    )
