"""Why a table, or one row of it, cannot be read.

Rules: a fault tells sizes, places and names of columns, never the value of a cell;
the names of the rules are stable, because operators filter and count by them.
"""

from __future__ import annotations

from enum import StrEnum

from scoring_kernel.errors import KernelError


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
