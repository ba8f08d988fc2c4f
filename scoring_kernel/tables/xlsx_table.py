"""Excel workbooks: one sheet as a table; what a sheet only seems to say is refused.

Rules:

- The first row that is not empty is the header. A title above it, merged header
  cells and a repeated name refuse the sheet.
- Without a name there must be exactly one visible sheet that is not empty.
- A formula has no value of its own, only the one its last program left: its row is
  refused, with the cell's name. So are rows with merged cells, with an error such as
  ``#N/A``, with a duration, and with a number of more than 15 digits, which a
  spreadsheet has rounded already.
- Hidden rows and columns are read like all others: the file holds them.
- Days count from 1900 or 1904, as the workbook says. A cell is a moment where its
  format shows hours, else a day.
- Sizes, ratios and names are bounded before a part is unpacked (see ``workbook_parts``);
  external entities and document types are refused.

Source: ECMA-376 part 1, 18.2 to 18.8 (SpreadsheetML).
"""

from __future__ import annotations

import re
import warnings
import zipfile
import zlib
from contextlib import contextmanager
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Final, cast
from xml.etree.ElementTree import ParseError

from scoring_kernel.tables.cell_texts import day_text, float_text, moment_text
from scoring_kernel.tables.errors import TableError, TableRule
from scoring_kernel.tables.header import MAX_COLUMNS, no_header, verify_names
from scoring_kernel.tables.row_batches import RowCollector, RowFaultError, raw_of
from scoring_kernel.tables.sheet_merges import find_merged_rows
from scoring_kernel.tables.table import BATCH_ROWS, Table, TableBatch
from scoring_kernel.tables.workbook_parts import verify_parts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from openpyxl.cell.read_only import ReadOnlyCell
    from openpyxl.workbook.workbook import Workbook
    from openpyxl.worksheet._read_only import ReadOnlyWorksheet
    from openpyxl.worksheet.worksheet import Worksheet

    from scoring_kernel.tables.sources import FileSource

MAX_SHEETS: Final = 100
MAX_SHEET_ROWS: Final = 1_048_576
_MAX_DIGITS: Final = 15
_SHOWS_HOURS: Final = re.compile(r"[hs]", re.IGNORECASE)
_QUOTED: Final = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]')
_BREAKS: Final = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    ParseError,
    RecursionError,
    TypeError,
    ValueError,
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
)


class XlsxTable(Table):
    """One sheet of a workbook; see the module's rules."""

    def __init__(
        self, source: FileSource, *, sheet: str | None = None, nulls: Sequence[str] = ()
    ) -> None:
        """Choose the sheet and read its header.

        Raises:
            TableError: The workbook is broken or a bomb, or no sheet can be chosen.
        """
        self.kind = "xlsx"
        self.encoding = "utf-8"
        self.delimiter = ""
        self.unreadable = {}
        self.size_bytes = source.size_bytes
        self._source = source
        self._nulls = frozenset(nulls)
        self._consumed = 0
        verify_parts(source.path)
        self._file = source.path.open("rb")
        try:
            with _translated():
                from openpyxl import load_workbook  # noqa: PLC0415 - slow; few tables are workbooks

                self._book = load_workbook(self._file, read_only=True, keep_links=False)
                self._sheet = _chosen(self._book, sheet)
                self.name = f"{source.path.name}#{self._sheet.title}"
                with self._sheet._get_source() as part:  # type: ignore[attr-defined]  # noqa: SLF001
                    self._merged = find_merged_rows(part)
                self._header_row, self.header = self._read_header()
        except TableError:
            self._file.close()
            raise

    @property
    def consumed(self) -> int:
        """Bytes of the file that the newest reading has passed."""
        return self._consumed

    def close(self) -> None:
        """Close the file."""
        self._book.close()
        self._file.close()

    def batches(
        self, rows: int = BATCH_ROWS, columns: Collection[str] | None = None
    ) -> Iterator[TableBatch]:
        """Read the rows below the header; see ``Table``."""
        collector = RowCollector(columns=self.wanted(columns), nulls=self._nulls)
        with _translated():
            for number, cells in _rows(self._sheet):
                if number <= self._header_row:
                    continue
                self._take(collector, number, cells)
                if len(collector) >= rows:
                    self._consumed = min(self._file.tell(), self.size_bytes)
                    yield collector.take()
        if len(collector):
            yield collector.take()
        self._consumed = self.size_bytes
        self._source.verify_unchanged()

    def _take(self, collector: RowCollector, number: int, cells: Sequence[ReadOnlyCell]) -> None:
        texts: list[str | None] = []
        fault: RowFaultError | None = None
        for cell in cells:
            try:
                texts.append(_text(cell))
            except RowFaultError as error:
                fault = fault or error
                texts.append(None)
        if fault is None and self._merged.holds(number):
            fault = RowFaultError(
                TableRule.MERGED_CELLS, "merged cells", "a value in every cell of its own"
            )
        if fault is None and any(text is not None for text in texts[len(self.header) :]):
            found = f"a value behind the last of {len(self.header)} columns"
            fault = RowFaultError(TableRule.FIELD_COUNT, found, "values below the header only")
        row = dict(zip(self.header, texts, strict=False))
        row.pop("", None)
        if fault is None:
            collector.add(number, row)
        else:
            collector.refuse(number, fault, raw_of(row))

    def _read_header(self) -> tuple[int, tuple[str, ...]]:
        for number, cells in _rows(self._sheet):
            filled = [cell.value is not None for cell in cells]
            if not any(filled):
                continue
            if self._merged.holds(number):
                raise TableError(
                    TableRule.HEADER,
                    f"merged cells in row {number}, the first one",
                    "the names of the columns",
                    "delete titles above the header and split merged cells",
                )
            try:
                names = [(_text(cell) or "").strip() for cell in cells]
            except RowFaultError as error:
                raise no_header(f"{error.found} in row {number}") from error
            while names and not names[-1]:
                names.pop()
            verify_names(names)
            return number, tuple(names)
        raise no_header("an empty sheet")


@contextmanager
def _translated() -> Iterator[None]:
    """Translate what the reader of workbooks may raise over a broken one."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except _BREAKS as error:
        raise TableError(
            TableRule.TABLE_BROKEN,
            f"a workbook that cannot be read ({type(error.__cause__ or error).__name__})",
            "a workbook as Excel writes it",
            "open it, save it again as .xlsx, or save the sheet as CSV",
        ) from error


def _chosen(book: Workbook, sheet: str | None) -> ReadOnlyWorksheet:
    sheets = {one.title: one for one in book.worksheets}
    if len(sheets) > MAX_SHEETS:
        raise TableError(
            TableRule.SHEET, f"{len(sheets)} sheets", f"at most {MAX_SHEETS}", "send them apart"
        )
    if sheet is None:
        filled = [
            name for name, one in sheets.items() if one.sheet_state == "visible" and _is_filled(one)
        ]
    else:
        filled = [name for name in sheets if name == sheet]
    if len(filled) != 1:
        raise TableError(
            TableRule.SHEET,
            f"{len(filled)} visible sheets with rows" if sheet is None else "no such sheet",
            "one sheet",
            f"name one of: {', '.join(name[:40] for name in list(sheets)[:10])}",
        )
    return sheets[filled[0]]


def _is_filled(sheet: ReadOnlyWorksheet) -> bool:
    return any(cell.value is not None for _, cells in _rows(sheet) for cell in cells)


def _rows(
    sheet: ReadOnlyWorksheet,
) -> Iterator[tuple[int, Sequence[ReadOnlyCell]]]:
    """Read the rows of a sheet with their numbers; what it says of its size is not believed."""
    sheet.reset_dimensions()
    found = cast("Iterator[Sequence[ReadOnlyCell]]", cast("Worksheet", sheet).iter_rows())
    for number, cells in enumerate(found, start=1):
        if number > MAX_SHEET_ROWS or len(cells) > MAX_COLUMNS:
            raise TableError(
                TableRule.BOMB,
                f"a sheet of more than {MAX_SHEET_ROWS} rows or {MAX_COLUMNS} columns",
                "a table",
                "clear the formats of empty cells, or save the sheet as CSV",
            )
        if cells:
            yield number, cells


def _text(cell: ReadOnlyCell) -> str | None:
    """Write a cell as text.

    Raises:
        RowFaultError: The cell holds no value of its own, or none that has a text.
    """
    value: object = cell.value
    if value is None:
        return None
    place = cell.coordinate
    if cell.data_type == "f":
        raise RowFaultError(TableRule.FORMULA, f"a formula in cell {place}", "a value")
    if cell.data_type == "e":
        raise RowFaultError(TableRule.CELL, f"an error in cell {place}", "a value")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _number(value, place)
    if isinstance(value, datetime):
        has_hours = _SHOWS_HOURS.search(_QUOTED.sub("", cell.number_format))
        return moment_text(value) if has_hours or value.time() != time() else day_text(value.date())
    if isinstance(value, date | time):
        return day_text(value)
    if isinstance(value, str):
        return value
    raise RowFaultError(TableRule.CELL, f"a duration in cell {place}", "a number, text or day")


def _number(value: float, place: str) -> str:
    text = float_text(value)
    if text is None or abs(value) >= 10**_MAX_DIGITS:
        raise RowFaultError(
            TableRule.PRECISION,
            f"a number of more than {_MAX_DIGITS} digits in cell {place}, rounded by the program",
            "long codes as text",
        )
    return text
