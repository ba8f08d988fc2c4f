"""Rows of a sheet that hold merged cells.

Rules: merged cells stand behind the rows in a sheet's file, so they are looked for
before the rows are read, without keeping any of them. A stretch of the file without
any tag is bounded.

Source: ECMA-376 part 1, 18.3.1.55 (mergeCell).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import IO, Final

from scoring_kernel.tables.errors import TableError, TableRule

_PIECE: Final = 1024 * 1024
_OVERLAP: Final = 512
_MERGE: Final = re.compile(
    rb'mergeCell\s[^<>]{0,200}?ref="\$?[A-Z]{1,3}\$?(\d{1,7}):\$?[A-Z]{1,3}\$?(\d{1,7})"'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedRows:
    """Stretches of rows with merged cells.

    Attributes:
        firsts: First row of each stretch, ascending.
        lasts: Last row of each stretch, ascending; stretches do not overlap.
    """

    firsts: tuple[int, ...]
    lasts: tuple[int, ...]

    def holds(self, row: int) -> bool:
        """Whether a row has merged cells.

        >>> MergedRows(firsts=(3,), lasts=(4,)).holds(4)
        True
        """
        place = bisect_right(self.firsts, row) - 1
        return place >= 0 and row <= self.lasts[place]


def find_merged_rows(sheet: IO[bytes]) -> MergedRows:
    """Read a sheet's part once and find its merged cells.

    Args:
        sheet: The part, from its start.

    Raises:
        TableError: A stretch without any tag is longer than any cell can be.
    """
    found: set[tuple[int, int]] = set()
    carry = b""
    while piece := sheet.read(_PIECE):
        if len(piece) == _PIECE and b"<" not in piece:
            raise TableError(
                TableRule.BOMB,
                f"{_PIECE} bytes of a sheet without any cell",
                "cells",
                "send the sheet as CSV",
            )
        text = carry + piece
        found.update((int(first), int(last)) for first, last in _MERGE.findall(text))
        carry = text[-_OVERLAP:]
    return _joined(sorted((min(pair), max(pair)) for pair in found))


def _joined(pairs: list[tuple[int, int]]) -> MergedRows:
    firsts: list[int] = []
    lasts: list[int] = []
    for first, last in pairs:
        if lasts and first <= lasts[-1]:
            lasts[-1] = max(lasts[-1], last)
        else:
            firsts.append(first)
            lasts.append(last)
    return MergedRows(firsts=tuple(firsts), lasts=tuple(lasts))
