"""Tables in files: CSV, Parquet and Arrow (IPC file or stream), told apart by the name's ending.

Rules:
- Bounds come before reading: bytes, columns, rows, and cells of the columns that are wanted.
- Only wanted columns are read, and what was read is validated before anybody looks at it: a
  crafted file is an error, never a crash.
- A CSV file is UTF-8, separated by commas; its cells are text. Messages name its lines as an
  editor counts them, the header being line 1.
"""

from __future__ import annotations

import csv
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from deploy.errors import InputFileError
from security.operator.output import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

ENDINGS: Final = (".csv", ".parquet", ".arrow")
MAX_BYTES: Final = 8 * 1024**3
MAX_ROWS: Final = 5_000_000
MAX_COLUMNS: Final = 2_000
MAX_CELLS: Final = 400_000_000
"""Most cells of the columns that are read."""

_MAX_HEADER: Final = 1_000_000
_CHUNK: Final = 16 * 1024**2
_SEPARATORS: Final = (";", "\t", "|")
_UTF8_HINT: Final = (
    "not UTF-8 (spreadsheets often save GB18030 or UTF-16): save it as 'CSV UTF-8' and try again"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTable:
    """Some columns of a file.

    Attributes:
        path: The file, for messages.
        table: The columns, validated.
    """

    path: Path
    table: pa.Table

    def column(self, name: str) -> pa.ChunkedArray:
        """A column, dictionaries and views decoded."""
        column = self.table.column(name)
        kind = column.type
        if pa.types.is_dictionary(kind):
            column, kind = column.cast(kind.value_type), kind.value_type
        return column.cast(pa.string()) if pa.types.is_string_view(kind) else column

    def place(self, row: int) -> str:
        """Where a row stands, for messages: a line of a CSV file, else a row counted from 1.

        >>> from pathlib import Path
        >>> FileTable(path=Path("a.parquet"), table=pa.table({})).place(0)
        'row 1'
        """
        if self.path.suffix.lower() != ".csv":
            return f"row {row + 1}"
        with self.path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            reader = csv.reader(file)
            filled = (reader.line_num for cells in reader if cells)
            return f"line {next(islice(filled, row + 1, None), row + 2)}"


def ending_of(path: Path) -> str:
    """Ending of a table's name.

    Raises:
        InputFileError: It is none of ``ENDINGS``.
    """
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise InputFileError(
            f"{path.name}: expected a name ending in {', '.join(ENDINGS)}, found {ending or 'none'}"
        )
    return ending


def column_names(path: Path) -> tuple[str, ...]:
    """Names of a file's columns, each once; nothing else of it is read.

    Raises:
        InputFileError: The file is absent, of another kind, too large or malformed, or a
            column stands twice.
    """
    ending = ending_of(path)
    if not path.is_file():
        raise InputFileError(f"{path}: there is no such file: check the path")
    if path.stat().st_size > MAX_BYTES:
        raise InputFileError(f"{path.name}: larger than {MAX_BYTES // 1024**3} GiB: divide it")
    with _reading(path):
        names = _NAMES[ending](path)
    if len(names) > MAX_COLUMNS:
        raise InputFileError(
            f"{path.name}: {len(names)} columns, expected at most {MAX_COLUMNS}: divide it"
        )
    twice = next((name for at, name in enumerate(names) if name in names[:at]), None)
    if twice is not None:
        raise InputFileError(f"{path.name}: column {twice[:80]!r} appears twice: remove one")
    return names


def read_columns(path: Path, names: Sequence[str]) -> FileTable:
    """Read some columns of a file.

    Args:
        path: The file.
        names: Columns to read, among those of ``column_names``; at least one.

    Raises:
        InputFileError: The file is too large or malformed.
    """
    known = column_names(path)
    with _reading(path):
        table = _READERS[ending_of(path)](path, known, names)
    return FileTable(path=path, table=table)


def read_table(path: Path) -> pa.Table:
    """Read a whole table, its cells as they are; CSV cells as text.

    Raises:
        InputFileError: The file is of another kind, too large or malformed.
    """
    return read_columns(path, column_names(path)).table


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Say what a reader found wrong as an error of ours; paths that fail keep their own."""
    try:
        yield
    except (UnicodeError, pa.ArrowException, OSError, MemoryError, csv.Error) as error:
        if isinstance(error, OSError) and error.filename is not None:
            raise
        if isinstance(error, MemoryError):
            raise InputFileError(f"{path.name}: too large for the memory: divide it") from error
        if isinstance(error, UnicodeError) or "invalid UTF8" in str(error):
            raise InputFileError(f"{path.name}: {_UTF8_HINT}") from error
        detail = printable((str(error).splitlines() or [type(error).__name__])[0])[:200]
        ending = path.suffix.lower()
        raise InputFileError(
            f"{path.name}: not a readable {ending} file ({detail}): export it again"
        ) from error


def _refuse_bounds(path: Path, rows: int, columns: int) -> None:
    if rows > MAX_ROWS or rows * columns > MAX_CELLS:
        raise InputFileError(
            f"{path.name}: {rows} rows of {columns} columns to read, expected at most {MAX_ROWS} "
            f"rows and {MAX_CELLS} cells: divide it"
        )


def _csv_names(path: Path) -> tuple[str, ...]:
    with path.open("rb") as file:
        head = file.read(_MAX_HEADER + 1).replace(b"\r", b"\n").partition(b"\n")[0]
    if len(head) > _MAX_HEADER:
        raise InputFileError(
            f"{path.name}: the first line is longer than {_MAX_HEADER} bytes: it must name columns"
        )
    names = next(csv.reader([head.decode("utf-8-sig")], strict=True), [])
    for separator in _SEPARATORS:
        if len(names) == 1 and separator in names[0]:
            raise InputFileError(
                f"{path.name}: the columns are separated by {separator!r}, expected commas: export "
                "it again with commas"
            )
    return tuple(name.strip() for name in names)


def _read_csv(path: Path, known: Sequence[str], names: Sequence[str]) -> pa.Table:
    _refuse_bounds(path, _count_lines(path) - 1, len(names))
    uneven: list[int] = []

    def refuse(row: pa.csv.InvalidRow) -> str:
        uneven.append(row.actual_columns)
        return "error"

    try:
        return pa.csv.read_csv(
            path,
            read_options=pa.csv.ReadOptions(column_names=known, skip_rows=1),
            parse_options=pa.csv.ParseOptions(invalid_row_handler=refuse),
            convert_options=pa.csv.ConvertOptions(
                column_types=dict.fromkeys(known, pa.string()),
                include_columns=list(names),
                strings_can_be_null=True,
                null_values=[""],
                quoted_strings_can_be_null=True,
            ),
        )
    except pa.ArrowInvalid as error:
        if not uneven:
            raise
        place = _uneven_line(path, len(known))
        raise InputFileError(
            f"{path.name}: line {place} has {uneven[0]} cells, expected {len(known)} as in the "
            "first line: correct its commas and quotes"
        ) from error


def _count_lines(path: Path) -> int:
    """Upper bound of a file's lines."""
    feeds = returns = 0
    last = b""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            feeds += chunk.count(b"\n")
            returns += chunk.count(b"\r")
            last = chunk[-1:]
    return max(feeds, returns) + (last not in {b"", b"\n", b"\r"})


def _uneven_line(path: Path, expected: int) -> int:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        reader = csv.reader(file)
        wrong = (reader.line_num for cells in reader if cells and len(cells) != expected)
        return next(wrong, reader.line_num)


def _parquet_file(path: Path) -> pa.parquet.ParquetFile:
    return pa.parquet.ParquetFile(path, page_checksum_verification=True)


def _parquet_names(path: Path) -> tuple[str, ...]:
    with _parquet_file(path) as file:
        return tuple(file.schema_arrow.names)


def _read_parquet(path: Path, _known: Sequence[str], names: Sequence[str]) -> pa.Table:
    with _parquet_file(path) as file:
        _refuse_bounds(path, file.metadata.num_rows, len(names))
        table = file.read(columns=list(names))
    table.validate(full=True)
    _refuse_bounds(path, table.num_rows, len(names))
    return table.select(list(names))


def _arrow_names(path: Path) -> tuple[str, ...]:
    with pa.OSFile(str(path)) as source:
        return tuple(_arrow_schema(source).names)


def _arrow_schema(source: pa.NativeFile) -> pa.Schema:
    try:
        return pa.ipc.open_file(source).schema
    except pa.ArrowInvalid:
        source.seek(0)
        return pa.ipc.open_stream(source).schema


def _read_arrow(path: Path, known: Sequence[str], names: Sequence[str]) -> pa.Table:
    options = pa.ipc.IpcReadOptions(included_fields=sorted(known.index(name) for name in names))
    batches: list[pa.RecordBatch] = []
    rows = 0
    with pa.OSFile(str(path)) as source:
        for batch in _arrow_batches(source, options):
            rows += batch.num_rows
            _refuse_bounds(path, rows, len(names))
            batch.validate(full=True)
            batches.append(batch)
        source.seek(0)
        schema = _arrow_schema(source)
    chosen = pa.schema([schema.field(at) for at in options.included_fields])
    return pa.Table.from_batches(batches, chosen).select(list(names))


def _arrow_batches(
    source: pa.NativeFile, options: pa.ipc.IpcReadOptions
) -> Iterator[pa.RecordBatch]:
    try:
        file = pa.ipc.open_file(source, options=options)
    except pa.ArrowInvalid:
        source.seek(0)
        yield from pa.ipc.open_stream(source, options=options)
        return
    for at in range(file.num_record_batches):
        yield file.get_batch(at)


_NAMES: Final[Mapping[str, Callable[[Path], tuple[str, ...]]]] = {
    ".csv": _csv_names,
    ".parquet": _parquet_names,
    ".arrow": _arrow_names,
}
_READERS: Final[Mapping[str, Callable[[Path, Sequence[str], Sequence[str]], pa.Table]]] = {
    ".csv": _read_csv,
    ".parquet": _read_parquet,
    ".arrow": _read_arrow,
}
