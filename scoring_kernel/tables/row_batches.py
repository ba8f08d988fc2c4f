"""Rows that are read one by one, collected into batches of columns.

Rules: a row is as wide as the header; a cell that cannot be a text makes its row a
fault. What quarantine keeps of a row is a JSON object of its cells by column, without
those that are null.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from scoring_kernel.tables.cell_texts import CONTROL_SIGNS
from scoring_kernel.tables.errors import TableRule
from scoring_kernel.tables.line_cutter import blank_to_null
from scoring_kernel.tables.table import RowFault, TableBatch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class RowFaultError(Exception):
    """A row cannot be read; never leaves the readers.

    Attributes:
        rule: The rule that was broken.
        found: What was found, without any value.
        expected: What was expected.
    """

    def __init__(self, rule: TableRule, found: str, expected: str) -> None:
        super().__init__(rule)
        self.rule = rule
        self.found = found
        self.expected = expected


def raw_of(row: Mapping[str, str | None]) -> bytes:
    """Write a row as quarantine keeps it.

    >>> raw_of({"a": "1", "b": None})
    b'{"a":"1"}'
    """
    held = {name: cell for name, cell in row.items() if name and cell is not None}
    text = json.dumps(held, ensure_ascii=False, separators=(",", ":"))
    return text.encode(errors="backslashreplace")


@dataclass(slots=True, kw_only=True)
class RowCollector:
    """Collects rows and faults until a batch is full.

    Attributes:
        columns: Columns to give.
        nulls: Texts that mean that there is nothing, beside blanks.
    """

    columns: Sequence[str]
    nulls: frozenset[str] = frozenset()
    _numbers: list[int] = field(default_factory=list)
    _rows: list[Mapping[str, str | None]] = field(default_factory=list)
    _faults: list[RowFault] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self._numbers) + len(self._faults)

    def add(self, number: int, row: Mapping[str, str | None]) -> None:
        """Add a row, unless all its cells are empty, or refuse it.

        Args:
            number: Number of the row in its file.
            row: Cells by column; a missing one is null.
        """
        if not any(cell and not cell.isspace() for cell in row.values()):
            return
        for name, cell in row.items():
            if cell is None or cell.isprintable():
                continue
            found = _unprintable(cell)
            if found:
                self.refuse(
                    number,
                    RowFaultError(
                        TableRule.CONTROL_CHARACTER, f"{found} in {name[:40]!r}", "signs that print"
                    ),
                    raw_of(row),
                )
                return
        self._numbers.append(number)
        self._rows.append(row)

    def refuse(self, number: int, error: RowFaultError, raw: bytes) -> None:
        """Add the fault of a row."""
        self._faults.append(
            RowFault(
                number=number, rule=error.rule, found=error.found, expected=error.expected, raw=raw
            )
        )

    def take(self) -> TableBatch:
        """Give what was collected as a batch, and begin anew."""
        rows, numbers, faults = self._rows, self._numbers, self._faults
        self._rows, self._numbers, self._faults = [], [], []
        return TableBatch(
            numbers=np.array(numbers, np.int64),
            columns={name: self._column(name, rows) for name in self.columns},
            faults=tuple(faults),
            read_raw=lambda row: raw_of(rows[row]),
        )

    def _column(self, name: str, rows: Sequence[Mapping[str, str | None]]) -> pa.Array:
        cells = [row.get(name) for row in rows]
        if self.nulls:
            cells = [None if cell in self.nulls else cell for cell in cells]
        return blank_to_null(pa.array(cells, pa.string()))


def _unprintable(cell: str) -> str:
    if CONTROL_SIGNS.search(cell):
        return "a control character"
    try:
        cell.encode()
    except UnicodeEncodeError:
        return "half a sign"
    return ""
