"""CSV: a block of lines is cut into columns at once, and a bad line harms only itself.

Rules:

- The first line that is not empty is the header. Names are stripped; a name that
  stands twice refuses the file; a column without a name is not given.
- The delimiter is the one of comma, tab, semicolon and bar that cuts the header
  into most names; a name ending in ``.tsv`` says tab.
- Refused are lines that are too long, of another encoding, with control characters,
  with quotes that do not close or text behind a closing quote, with another number
  of cells than the header, and a last line without a line end, which may be cut off
  (in an archive its checksum says that nothing is).
- Lines without any cell are passed over.

Source: RFC 4180, with one line per record.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from scoring_kernel.tables.errors import TableError, TableRule
from scoring_kernel.tables.line_blocks import (
    LineBlock,
    block_of,
    choose_encoding,
    find_misfits,
    named_encoding,
    read_blocks,
)
from scoring_kernel.tables.table import BATCH_ROWS, RowFault, Table, TableBatch

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    import numpy.typing as npt

    from scoring_kernel.tables.sources import FileSource, SourceStream

MAX_LINE_BYTES: Final = 64 * 1024
MAX_COLUMNS: Final = 2_000
DELIMITERS: Final = (",", "\t", ";", "|")
_HEADER_BYTES: Final = 1024 * 1024
_BLANKS: Final = (b" ", b"\t", "\u3000".encode(), "\u00a0".encode())
_NO_CELL: Final = b' \t,;|"'


class CsvTable(Table):
    """A CSV file; see the module's rules."""

    def __init__(
        self,
        source: FileSource,
        *,
        delimiter: str | None = None,
        encoding: str | None = None,
        nulls: Sequence[str] = (),
    ) -> None:
        """Read the header.

        Args:
            source: The file.
            delimiter: Sign between the cells; chosen by the header when None.
            encoding: Encoding of the text; chosen by the whole file when None.
            nulls: Texts that mean that there is nothing, beside the empty one.

        Raises:
            TableError: There is no header, or it cannot be read.
        """
        self.name = source.path.name
        self.kind = "csv"
        self.size_bytes = source.size_bytes
        self.unreadable = {}
        self._source = source
        self._nulls = ("", *nulls)
        self._stream: SourceStream | None = None
        self._is_chosen = encoding is not None
        self.encoding = "utf-8" if encoding is None else named_encoding(encoding)
        line, self._header_line = self._read_header()
        if not self._is_chosen and not line.isascii():
            self._choose_encoding()
        try:
            text = line.decode(self.encoding)
        except UnicodeDecodeError as error:
            raise _no_header(f"bytes that are not {self.encoding.upper()}") from error
        self.delimiter = delimiter or _delimiter(text, source.text_name)
        self.header = _names(text, self.delimiter)

    @property
    def consumed(self) -> int:
        """Bytes of the file that the newest reading has passed."""
        return 0 if self._stream is None else self._stream.consumed

    def close(self) -> None:
        """Nothing stays open between readings."""

    def batches(
        self, rows: int = BATCH_ROWS, columns: Collection[str] | None = None
    ) -> Iterator[TableBatch]:
        """Read the lines after the header; see ``Table``."""
        cutter = self._cutter(self.wanted(columns))
        with self._source.open() as stream:
            self._stream = stream
            for block in read_blocks(stream, MAX_LINE_BYTES):
                if not self._is_chosen and not block.data.isascii():
                    self._choose_encoding()
                yield from _pieces(cutter.cut(block, self.encoding, self._header_line), rows)
        self._source.verify_unchanged()

    def _cutter(self, columns: Sequence[str]) -> LineCutter:
        return LineCutter(
            header=self.header,
            delimiter=self.delimiter,
            nulls=self._nulls,
            columns=tuple(columns),
            is_whole=self._source.is_packed,
        )

    def _choose_encoding(self) -> None:
        self.encoding = choose_encoding(self._source, MAX_LINE_BYTES)
        self._is_chosen = True

    def _read_header(self) -> tuple[bytes, int]:
        """Read the first line that is not empty, and its number."""
        with self._source.open() as stream:
            for block in read_blocks(stream, _HEADER_BYTES):
                filled = np.flatnonzero(block.ends > block.starts)
                if not len(filled):
                    continue
                row = int(filled[0])
                line = block.line(row)
                if len(line) > _HEADER_BYTES:
                    raise _no_header(f"a first line of more than {_HEADER_BYTES} bytes")
                if not self._source.is_packed and not block.is_ended and len(filled) == 1:
                    raise _no_header("a header without a line end, which may be cut off")
                return line, block.first + row
        raise _no_header("a file of empty lines")


@dataclass(frozen=True, slots=True, kw_only=True)
class LineCutter:
    """Cuts blocks of lines into columns.

    Attributes:
        header: Names of all columns of a line, in order.
        delimiter: Sign between the cells.
        nulls: Texts that mean that there is nothing.
        columns: Names of the columns to give.
        is_whole: Whether a last line without a line end is known to be whole.
    """

    header: tuple[str, ...]
    delimiter: str
    nulls: tuple[str, ...]
    columns: tuple[str, ...]
    is_whole: bool

    def cut(self, block: LineBlock, encoding: str, header_line: int) -> TableBatch:
        """Cut the lines of one block.

        Args:
            block: The lines.
            encoding: Encoding of the file.
            header_line: Number of the header's line; it and lines above are left out.
        """
        is_behind = np.arange(block.first, block.first + len(block.starts)) > header_line
        # A tail that lies within the header's line number is nothing to read.
        data, refused = self._refused(block, encoding, is_behind)
        keep = is_behind & (block.ends > block.starts)
        keep[list(refused)] = False
        kept = np.flatnonzero(keep)
        text = block if data is block.data else block_of(block.first, data)
        table, kept, broken = self._parse(text, kept)
        refused |= broken
        is_blank = _blank_rows(table, block, kept)
        if is_blank is not None:
            table, kept = table.filter(pa.array(~is_blank)), kept[~is_blank]
        return TableBatch(
            numbers=kept + block.first,
            columns={name: _column(table, name, data) for name in self.columns},
            faults=tuple(
                RowFault(
                    number=block.first + row,
                    rule=rule,
                    found=found,
                    expected=expected,
                    raw=block.line(row)[:MAX_LINE_BYTES],
                )
                for row, (rule, found, expected) in sorted(refused.items())
            ),
            read_raw=lambda row: block.line(int(kept[row])),
        )

    def _refused(
        self, block: LineBlock, encoding: str, is_behind: npt.NDArray[np.bool_]
    ) -> tuple[bytes, dict[int, tuple[TableRule, str, str]]]:
        """Find lines that are no text of the file, before anything is cut.

        Returns:
            The block in UTF-8, and what is wrong with each refused line, by its row.
        """
        data, misfits = find_misfits(block, encoding)
        refused = {
            row: (TableRule.UNDECODABLE, found, f"one encoding, {encoding.upper()}")
            for row, found in misfits.items()
        }
        refused |= {row: _CONTROL for row in _with_control_signs(block)}
        if b'"' in data:
            text = block if data is block.data else block_of(block.first, data)
            refused |= {row: _QUOTES for row in _with_broken_quotes(text, self.delimiter)}
        if not (block.is_ended or self.is_whole) and block.line(len(block.starts) - 1).strip():
            refused[len(block.starts) - 1] = _TRUNCATED
        too_long = np.flatnonzero(block.ends - block.starts > MAX_LINE_BYTES)
        refused |= {int(row): _TOO_LONG for row in too_long}
        return data, {row: why for row, why in refused.items() if is_behind[row]}

    def _parse(
        self, block: LineBlock, kept: npt.NDArray[np.int64]
    ) -> tuple[pa.Table, npt.NDArray[np.int64], dict[int, tuple[TableRule, str, str]]]:
        """Cut the kept lines of a block in UTF-8; lines with other numbers of cells are refused."""
        if not len(kept):
            empty = {name: pa.array([], pa.string()) for name in self.columns}
            return pa.table(empty), kept, {}
        broken: dict[int, tuple[TableRule, str, str]] = {}
        skipped: list[int] = []

        def refuse(row: arrow_csv.InvalidRow) -> str:
            place = row.number - 1
            skipped.append(place)
            if row.text.strip():
                found = f"{row.actual_columns} cells"
                expected = f"{row.expected_columns} as in the header"
                broken[int(kept[place])] = (TableRule.FIELD_COUNT, found, expected)
            return "skip"

        body = _joined(block, kept)
        names = [name or f"\x00{place}" for place, name in enumerate(self.header)]
        table = arrow_csv.read_csv(
            pa.BufferReader(body),
            read_options=arrow_csv.ReadOptions(
                column_names=names, use_threads=False, block_size=len(body) + 1
            ),
            parse_options=arrow_csv.ParseOptions(
                delimiter=self.delimiter, invalid_row_handler=refuse
            ),
            convert_options=arrow_csv.ConvertOptions(
                check_utf8=False,
                column_types=dict.fromkeys(self.columns, pa.string()),
                include_columns=list(self.columns),
                null_values=list(self.nulls),
                strings_can_be_null=True,
            ),
        )
        return table, np.delete(kept, skipped) if skipped else kept, broken


_CONTROL: Final = (TableRule.CONTROL_CHARACTER, "a control character", "signs that print")
_QUOTES: Final = (TableRule.BROKEN_CSV, "quotes that do not close", 'fields such as "a ""b"""')
_TRUNCATED: Final = (
    TableRule.TRUNCATED,
    "a last line without a line end",
    "a line end, since the line may be cut off",
)
_TOO_LONG: Final = (TableRule.LINE_TOO_LONG, "a longer line", f"at most {MAX_LINE_BYTES} bytes")


def read_lines_again(
    data: bytes, header: Sequence[str], *, delimiter: str, encoding: str, nulls: Sequence[str] = ()
) -> TableBatch:
    """Cut lines that quarantine kept, by the header they came with.

    Args:
        data: Lines of the file, with or without a last line end.
        header: The header of the file.
        delimiter: Sign between the cells.
        encoding: Encoding of the file.
        nulls: Texts that mean that there is nothing, beside the empty one.
    """
    columns = tuple(name for name in header if name)
    cutter = LineCutter(
        header=tuple(header),
        delimiter=delimiter,
        nulls=("", *nulls),
        columns=columns,
        is_whole=True,
    )
    return cutter.cut(block_of(1, data), encoding, 0)


def _delimiter(header: str, name: str) -> str:
    if name.endswith(".tsv"):
        return "\t"
    return max(DELIMITERS, key=lambda sign: len(_cells(header, sign)))


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        rows = list(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error:
        return []
    return rows[0] if rows else []


def _names(header: str, delimiter: str) -> tuple[str, ...]:
    if any(ord(sign) < 0x20 and sign != "\t" for sign in header):
        raise _no_header("a control character")
    names = tuple(name.strip() for name in _cells(header, delimiter))
    if not any(names):
        raise _no_header("quotes that do not close" if header.strip() else "no names")
    verify_names(names)
    return names


def verify_names(names: Sequence[str]) -> None:
    """Refuse a header that names a column twice, or too many.

    Raises:
        TableError: The header is of no use.
    """
    if len(names) > MAX_COLUMNS:
        raise _no_header(f"{len(names)} columns, at most {MAX_COLUMNS} are read")
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise TableError(
            TableRule.HEADER,
            f"the column {twice[0][:40]!r} {names.count(twice[0])} times",
            "each name once",
            "give every column a name of its own",
        )


def _no_header(found: str) -> TableError:
    return TableError(
        TableRule.HEADER, found, "a header line", "let the first line name the columns"
    )


def _pieces(batch: TableBatch, rows: int) -> Iterator[TableBatch]:
    """Cut a batch into batches of at most so many rows; faults stay at their place."""
    if batch.rows <= rows:
        if batch.rows or batch.faults:
            yield batch
        return
    above = 0
    for start in range(0, batch.rows, rows):
        stop = min(start + rows, batch.rows)
        last = batch.numbers[stop - 1] if stop < batch.rows else np.iinfo(np.int64).max
        yield TableBatch(
            numbers=batch.numbers[start:stop],
            columns={name: cells[start:stop] for name, cells in batch.columns.items()},
            faults=tuple(fault for fault in batch.faults if above < fault.number <= last),
            read_raw=lambda row, start=start: batch.raw(start + row),  # type: ignore[misc]
        )
        above = int(last)


def _joined(block: LineBlock, kept: npt.NDArray[np.int64]) -> bytes:
    """Give the bytes of the kept lines; one slice where they stand together."""
    if kept[-1] - kept[0] + 1 == len(kept):
        stop = block.starts[kept[-1] + 1] if kept[-1] + 1 < len(block.starts) else len(block.data)
        return block.data[block.starts[kept[0]] : stop]
    return b"\n".join(block.line(row) for row in kept.tolist())


def _with_control_signs(block: LineBlock) -> list[int]:
    """Find lines with signs that do not print, a tab excepted."""
    data = block.data
    signs = np.frombuffer(data, np.uint8)
    returns = data.count(b"\r\n")
    usual = data.count(b"\n") + data.count(b"\t") + returns
    if np.count_nonzero(signs < 0x20) == usual and data.count(b"\r") == returns:
        return []
    odd = np.flatnonzero((signs < 0x20) & (signs != 0x0A) & (signs != 0x09))
    rows = np.searchsorted(block.starts, odd, side="right") - 1
    # Carriage returns of line ends lie behind the end of their line.
    return [int(row) for row in np.unique(rows[odd < block.ends[rows]])]


def _with_broken_quotes(block: LineBlock, delimiter: str) -> list[int]:
    sign = re.escape(delimiter)
    cell = rf'(?:"(?:[^"]|"")*"|[^"{sign}][^{sign}]*)?'
    whole = rf"^{cell}(?:{sign}{cell})*$"
    offsets = np.append(block.starts, len(block.data)).astype(np.int32)
    lines = pa.Array.from_buffers(
        pa.string(), len(block.starts), [None, pa.py_buffer(offsets), pa.py_buffer(block.data)]
    )
    lines = pc.utf8_rtrim(lines, characters="\r\n")
    is_broken = pc.invert(pc.match_substring_regex(lines, whole))
    return [int(row) for row in np.flatnonzero(is_broken.to_numpy(zero_copy_only=False))]


def _column(table: pa.Table, name: str, data: bytes) -> pa.Array:
    cells = table.column(name).combine_chunks()
    if not any(blank in data for blank in _BLANKS):
        return cells
    return blank_to_null(cells)


def blank_to_null(cells: pa.Array) -> pa.Array:
    """Take cells of blanks only for empty ones.

    Args:
        cells: Texts, shape (n,).
    """
    first = pc.utf8_slice_codeunits(cells, 0, 1)
    may_be = pc.fill_null(pc.utf8_is_space(first), fill_value=False)
    if not pc.any(may_be).as_py():
        return cells
    blank = pc.equal(pc.utf8_trim_whitespace(cells), "")
    return pc.if_else(pc.fill_null(blank, fill_value=False), pa.scalar(None, pa.string()), cells)


def _blank_rows(
    table: pa.Table, block: LineBlock, kept: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_] | None:
    """Find lines without any cell, such as ``,,,`` of an empty row of a spreadsheet."""
    if not table.num_rows or not table.num_columns:
        return None
    nulls = [np.asarray(column.is_null()) for column in table.columns]
    candidates = np.flatnonzero(np.logical_and.reduce(nulls))
    blank = [row for row in candidates.tolist() if not block.line(int(kept[row])).strip(_NO_CELL)]
    if not blank:
        return None
    is_blank = np.zeros(table.num_rows, bool)
    is_blank[blank] = True
    return is_blank
