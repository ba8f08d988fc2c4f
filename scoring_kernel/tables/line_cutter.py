"""Cut a block of CSV lines into columns at once; a bad line harms only itself.

Rules: lines that are no text of the file are taken out before anything is cut, so
that what is left can be cut as a whole. Refused are lines that are too long, of
another encoding, with control characters, with quotes that do not close or text
behind a closing quote, with another number of cells than the header, and a last
line without a line end, which may be cut off. Lines without any cell are passed over.

Source: RFC 4180, with one line per record.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from scoring_kernel.tables.errors import TableRule
from scoring_kernel.tables.line_blocks import LineBlock, block_of, find_misfits
from scoring_kernel.tables.table import RowFault, TableBatch

if TYPE_CHECKING:
    import numpy.typing as npt

MAX_LINE_BYTES: Final = 64 * 1024
_BLANK_STARTS: Final = np.isin(np.arange(256), [0x20, 0x09, 0xC2, 0xE2, 0xE3])
"""First bytes of blanks in UTF-8, those of Chinese text included."""
_NO_CELL: Final = b' \t,;|"'


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
            columns={name: table.column(name).combine_chunks() for name in self.columns},
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
        refused |= dict.fromkeys(_with_control_signs(block), _CONTROL)
        if b'"' in data:
            text = block if data is block.data else block_of(block.first, data)
            refused |= dict.fromkeys(_with_broken_quotes(text, self.delimiter), _QUOTES)
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
        cells = {name: blank_to_null(table.column(name).combine_chunks()) for name in self.columns}
        table = pa.table(cells)
        return table, np.delete(kept, skipped) if skipped else kept, broken


_CONTROL: Final = (TableRule.CONTROL_CHARACTER, "a control character", "signs that print")
_QUOTES: Final = (TableRule.BROKEN_CSV, "quotes that do not close", 'fields such as "a ""b"""')
_TRUNCATED: Final = (
    TableRule.TRUNCATED,
    "a last line without a line end",
    "a line end, since the line may be cut off",
)
_TOO_LONG: Final = (TableRule.LINE_TOO_LONG, "a longer line", f"at most {MAX_LINE_BYTES} bytes")


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
    low = np.count_nonzero(signs < 0x20) - len(block.starts) + (not block.is_ended)
    # Counted one by one, and only while something is left to explain.
    if not low or low == (returns := data.count(b"\r\n")):
        return []
    if low == returns + data.count(b"\t"):
        return []
    odd = np.flatnonzero((signs < 0x20) & (signs != 0x0A) & (signs != 0x09))
    rows = np.searchsorted(block.starts, odd, side="right") - 1
    # Carriage returns of line ends lie behind the end of their line.
    return [int(row) for row in np.unique(rows[odd < block.ends[rows]])]


def _with_broken_quotes(block: LineBlock, delimiter: str) -> list[int]:
    sign = re.escape(delimiter)
    cell = rf'(?:"(?:[^"]|"")*"|[^"{sign}][^{sign}]*)?'
    # A line stands here with its line end.
    whole = rf"^{cell}(?:{sign}{cell})*\r?\n?$"
    offsets = np.append(block.starts, len(block.data)).astype(np.int32)
    lines = pa.Array.from_buffers(
        pa.string(), len(block.starts), [None, pa.py_buffer(offsets), pa.py_buffer(block.data)]
    )
    rows = np.arange(len(block.starts))
    if block.data.count(b'"') < len(rows):
        quotes = np.flatnonzero(np.frombuffer(block.data, np.uint8) == 0x22)
        rows = np.unique(np.searchsorted(block.starts, quotes, side="right") - 1)
        lines = lines.take(pa.array(rows))
    is_whole = pc.match_substring_regex(lines, whole).to_numpy(zero_copy_only=False)
    return [int(row) for row in rows[~is_whole]]


def blank_to_null(cells: pa.Array) -> pa.Array:
    """Take empty cells, and cells of blanks only, for null.

    Args:
        cells: Texts, shape (n,).
    """
    offsets = np.frombuffer(cells.buffers()[1], np.int32)[cells.offset :][: len(cells) + 1]
    data = np.frombuffer(cells.buffers()[2] or b"", np.uint8)
    filled = offsets[:-1][offsets[1:] > offsets[:-1]]
    # A null cell has no bytes either.
    has_empty = len(cells) - len(filled) > cells.null_count
    if not has_empty and not _BLANK_STARTS[data[filled]].any():
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
