"""Suppression of small cells (小单元抑制) in tables of counts, so that totals do not reveal them.

A table has one count for every combination of its dimensions, and a total (``*``) for every
combination of fewer. Numbered as applied:

1. Primary: every count from 1 to ``below`` - 1 is suppressed, totals included.
2. Complementary: each total is the sum of its parts along each dimension. While the published
   counts and these sums determine a suppressed count, or tell that the suppressed parts of one
   total come to less than ``below``, the smallest published count of such a sum is suppressed too.
   Determined is judged exactly, over all sums together, not sum by sum.

A suppressed cell does not say for which reason it is. Not covered: what two products of different
days tell when one is subtracted from the other, and what a recipient knows from elsewhere.

Source: Willenborg, de Waal, "Elements of Statistical Disclosure Control" (2001), chapter 6:
primary and secondary cell suppression in tables with marginal totals.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final, TypeAlias

from security.errors import AgreementError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Cell: TypeAlias = "tuple[str, ...]"
"""Values of the dimensions; ``*`` stands for all."""

ALL: Final = "*"
MAX_CELLS: Final = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressedTable:
    """A table that may be shared."""

    counts: Mapping[Cell, int | None]
    """Count of every cell, totals included, in order of the cells; None where suppressed."""

    @property
    def suppressed(self) -> int:
        """How many cells are suppressed."""
        return sum(count is None for count in self.counts.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sum:
    """One total and the parts it is the sum of."""

    total: Cell
    parts: tuple[Cell, ...]

    @property
    def cells(self) -> tuple[Cell, ...]:
        return (self.total, *self.parts)


def suppress(leaves: Mapping[Cell, int], below: int) -> SuppressedTable:
    """Add totals to a table and suppress what is small or would reveal something small.

    Args:
        leaves: Counts by the values of the dimensions; all cells have equally many values, no
            value is ``*``, absent combinations count 0.
        below: Counts from 1 to below this are small.

    Raises:
        AgreementError: The table with its totals has more than ``MAX_CELLS`` cells.
        ValueError: A count is negative, or cells differ in their number of values.

    >>> table = suppress({("a", "x"): 3, ("a", "y"): 9, ("b", "x"): 7, ("b", "y"): 8}, 5).counts
    >>> table["a", "x"], table["b", "y"], table["*", "*"]
    (None, None, 27)
    """
    if not leaves:
        return SuppressedTable(counts={})
    axes = _axes(leaves)
    counts = _with_totals(leaves, axes)
    sums = _sums(axes)
    # 1. Primary.
    hidden = {cell for cell, count in counts.items() if 0 < count < below}
    # 2. Complementary.
    while (cell := _complement(counts, hidden, sums, below)) is not None:
        hidden.add(cell)
    return SuppressedTable(
        counts={cell: None if cell in hidden else counts[cell] for cell in sorted(counts)}
    )


def determined(hidden: Iterable[Cell], sums: Iterable[Sequence[Cell]]) -> frozenset[Cell]:
    """Hidden cells that the sums determine: there is only one solution for each.

    Args:
        hidden: Cells whose counts are unknown.
        sums: For each sum its cells, the total first; every other cell is known.

    Returns:
        The cells whose unit vector lies in the row space of the sums.
    """
    unknown = frozenset(hidden)
    rows: dict[Cell, dict[Cell, Fraction]] = {}
    for cells in sums:
        row = {cell: Fraction(-1 if at == 0 else 1) for at, cell in enumerate(cells)}
        row = {cell: value for cell, value in row.items() if cell in unknown}
        for cell in [one for one in row if one in rows]:
            _subtract(row, rows[cell], row[cell])
        if not row:
            continue
        pivot = min(row)
        scale = row[pivot]
        row = {cell: value / scale for cell, value in row.items()}
        for other in rows.values():
            if pivot in other:
                _subtract(other, row, other[pivot])
        rows[pivot] = row
    return frozenset(pivot for pivot, row in rows.items() if len(row) == 1)


def _subtract(row: dict[Cell, Fraction], other: Mapping[Cell, Fraction], times: Fraction) -> None:
    for cell, value in other.items():
        left = row.get(cell, Fraction(0)) - times * value
        if left:
            row[cell] = left
        else:
            row.pop(cell, None)


def _complement(
    counts: Mapping[Cell, int], hidden: set[Cell], sums: Sequence[_Sum], below: int
) -> Cell | None:
    """The next cell to suppress; None when nothing small can be derived any more."""
    if not hidden:
        return None
    touched = [one for one in sums if not hidden.isdisjoint(one.cells)]
    told = determined(hidden, (one.cells for one in touched))
    weak = [one for one in touched if _tells(one, counts, hidden, told, below)]
    candidates = [cell for one in weak for cell in one.cells if cell not in hidden]
    # A count of 0 hides least; then what is smallest is missed least.
    return min(
        candidates,
        key=lambda cell: (counts[cell] == 0, counts[cell], cell.count(ALL), cell),
        default=None,
    )


def _tells(
    one: _Sum,
    counts: Mapping[Cell, int],
    hidden: set[Cell],
    told: frozenset[Cell],
    below: int,
) -> bool:
    """Whether a sum determines a hidden cell, or a small group of hidden parts."""
    if not told.isdisjoint(one.cells):
        return True
    if one.total in hidden:
        return False
    together = sum(counts[cell] for cell in one.parts if cell in hidden)
    return 0 < together < below


def _axes(leaves: Mapping[Cell, int]) -> tuple[tuple[str, ...], ...]:
    widths = {len(cell) for cell in leaves}
    if len(widths) > 1 or any(count < 0 for count in leaves.values()):
        raise ValueError("cells have equally many values and counts are never negative")
    if any(ALL in cell for cell in leaves):
        raise ValueError(f"{ALL!r} is the name of totals and no value of a dimension")
    axes = tuple(tuple(sorted(set(values))) for values in zip(*leaves, strict=True))
    cells = 1
    for axis in axes:
        cells *= len(axis) + 1
    if cells > MAX_CELLS:
        raise AgreementError(
            f"The table has {cells} cells with its totals, at most {MAX_CELLS} are shared; take "
            "fewer dimensions."
        )
    return axes


def _with_totals(leaves: Mapping[Cell, int], axes: Sequence[Sequence[str]]) -> dict[Cell, int]:
    counts = dict.fromkeys(itertools.product(*((*axis, ALL) for axis in axes)), 0)
    for cell, count in leaves.items():
        for place in itertools.product(*((value, ALL) for value in cell)):
            counts[place] += count
    return counts


def _sums(axes: Sequence[Sequence[str]]) -> list[_Sum]:
    found: list[_Sum] = []
    for at, axis in enumerate(axes):
        others = [(*other, ALL) for place, other in enumerate(axes) if place != at]
        for rest in itertools.product(*others):
            parts = tuple((*rest[:at], value, *rest[at:]) for value in axis)
            found.append(_Sum(total=(*rest[:at], ALL, *rest[at:]), parts=parts))
    return found
