"""Why a table, or one row of it, cannot be read.

Rules: a fault tells sizes, places and names of columns, never the value of a cell;
the names of the rules are stable, because operators filter and count by them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from scoring_kernel.errors import KernelError

if TYPE_CHECKING:
    from collections.abc import Mapping


class TableRule(StrEnum):
    """Rules that a file or a row of it can break before any meaning is looked at."""

    UNREADABLE = "unreadable"
    EMPTY_FILE = "empty_file"
    FILE_TOO_LARGE = "file_too_large"
    FILE_CHANGED = "file_changed"
    FORMAT_UNKNOWN = "format_unknown"
    ARCHIVE = "archive"
    BOMB = "bomb"
    ENCODING = "encoding"
    HEADER = "header"
    SHEET = "sheet"
    TABLE_BROKEN = "table_broken"

    TRUNCATED = "truncated"
    LINE_TOO_LONG = "line_too_long"
    UNDECODABLE = "undecodable"
    CONTROL_CHARACTER = "control_character"
    BROKEN_CSV = "broken_csv"
    FIELD_COUNT = "field_count"
    BROKEN_JSON = "broken_json"
    CELL = "cell"
    FORMULA = "formula"
    MERGED_CELLS = "merged_cells"
    PRECISION = "precision"


class TableError(KernelError):
    """A file cannot be read as a table, or not to its end.

    Attributes:
        rule: The rule that was broken.
        found: What was found, without any value of a cell.
        expected: What was expected.
        mend: What the sender has to do.
    """

    def __init__(self, rule: TableRule, found: str, expected: str, mend: str) -> None:
        super().__init__(f"{rule}: found {found}, expected {expected}; {mend}")
        self.rule = rule
        self.found = found
        self.expected = expected
        self.mend = mend

    def __reduce__(self) -> tuple[type[TableError], tuple[TableRule, str, str, str]]:
        """Let the error cross a process border with its four parts."""
        return type(self), (self.rule, self.found, self.expected, self.mend)


ROW_MENDS: Final[Mapping[TableRule, str]] = {
    TableRule.TRUNCATED: "Send the file whole, with a line end after its last row.",
    TableRule.LINE_TOO_LONG: "Look for a missing line end or an open quote; one row is one line.",
    TableRule.UNDECODABLE: "Save the whole file in one encoding, UTF-8 or GB18030.",
    TableRule.CONTROL_CHARACTER: "Remove characters that do not print.",
    TableRule.BROKEN_CSV: 'Put a field with a comma or a quote into "…" and double inner quotes.',
    TableRule.FIELD_COUNT: "Give every row the columns of the header, no more and no fewer.",
    TableRule.BROKEN_JSON: "Write one whole JSON object of plain values per row.",
    TableRule.CELL: "Put a plain number, text or day into the cell.",
    TableRule.FORMULA: "Copy the formula's cells and paste them as values.",
    TableRule.MERGED_CELLS: "Split merged cells and give every row its own values.",
    TableRule.PRECISION: "Format the column as text and enter the codes again.",
}
"""How to mend a row, for its sender."""
