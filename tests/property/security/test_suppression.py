"""Differencing a suppressed table against its own totals reveals nothing small.

The oracle is another one than the program's: it solves the sums in floating point with numpy and
asks for the null space, where the program eliminates exactly.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from security.errors import AgreementError
from security.sharing import SuppressedTable, suppress

if TYPE_CHECKING:
    from collections.abc import Mapping

BELOW = 5
Counts = dict[tuple[str, ...], int]
counts = st.one_of(st.integers(0, 6), st.integers(0, 60))


@st.composite
def tables(draw: st.DrawFn) -> Counts:
    """Tables of one to three dimensions, mostly of small cells."""
    widths = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    cells = itertools.product(*([f"v{at}" for at in range(width)] for width in widths))
    return {cell: draw(counts) for cell in cells}


def truth(leaves: Counts, cell: tuple[str, ...]) -> int:
    """The count of a cell or a total, straight from the leaves."""
    return sum(
        count
        for leaf, count in leaves.items()
        if all(wanted in {"*", value} for wanted, value in zip(cell, leaf, strict=True))
    )


def sums(leaves: Counts) -> list[tuple[tuple[str, ...], list[tuple[str, ...]]]]:
    """Every total of one dimension, and its parts."""
    axes = [sorted(set(values)) for values in zip(*leaves, strict=True)]
    found = []
    for at, axis in enumerate(axes):
        others = [[*other, "*"] if place != at else ["*"] for place, other in enumerate(axes)]
        for total in itertools.product(*others):
            parts = [(*total[:at], value, *total[at + 1 :]) for value in axis]
            found.append((total, parts))
    return found


def revealed(leaves: Counts, table: SuppressedTable) -> list[tuple[str, ...]]:
    """Suppressed cells of which the published counts leave one solution only."""
    unknown = [cell for cell, count in table.counts.items() if count is None]
    place = {cell: at for at, cell in enumerate(unknown)}
    rows = []
    for total, parts in sums(leaves):
        row = np.zeros(len(unknown))
        for cell, factor in ((total, -1.0), *((part, 1.0) for part in parts)):
            if cell in place:
                row[place[cell]] += factor
        rows.append(row)
    if not unknown:
        return []
    _, values, vectors = np.linalg.svd(np.array(rows))
    rank = int((values > 1e-9).sum())
    null_space = vectors[rank:]
    return [cell for cell in unknown if not (np.abs(null_space[:, place[cell]]) > 1e-9).any()]


@settings(max_examples=150, deadline=None)
@given(leaves=tables())
def test_cells_below_five_and_what_would_reveal_them_are_suppressed(leaves: Counts) -> None:
    table = suppress(leaves, BELOW)

    for cell, count in table.counts.items():
        assert count is None or count == truth(leaves, cell)
        assert count is None or not 0 < count < BELOW
    assert revealed(leaves, table) == []
    for total, parts in sums(leaves):
        if table.counts[total] is not None:
            hidden = [part for part in parts if table.counts[part] is None]
            assert sum(truth(leaves, part) for part in hidden) not in range(1, BELOW)


@settings(max_examples=50, deadline=None)
@given(leaves=tables())
def test_the_same_table_is_suppressed_alike_in_any_order(leaves: Counts) -> None:
    backwards: Mapping[tuple[str, ...], int] = dict(reversed(leaves.items()))
    assert suppress(leaves, BELOW) == suppress(backwards, BELOW)


def test_nothing_is_suppressed_where_nothing_is_small() -> None:
    table = suppress({("a",): 5, ("b",): 0, ("c",): 70}, BELOW)
    assert table.suppressed == 0
    assert table.counts == {("*",): 75, ("a",): 5, ("b",): 0, ("c",): 70}


def test_one_small_cell_takes_the_next_smallest_with_it() -> None:
    table = suppress({("a",): 3, ("b",): 20, ("c",): 9}, BELOW)
    assert table.counts == {("*",): 32, ("a",): None, ("b",): 20, ("c",): None}


def test_a_table_of_nobody_is_no_table() -> None:
    assert suppress({}, BELOW).counts == {}


def test_a_table_too_large_to_be_judged_is_refused() -> None:
    with pytest.raises(AgreementError, match="4096"):
        suppress({(str(at), str(at)): 9 for at in range(70)}, BELOW)


@pytest.mark.parametrize("leaves", [{("a",): -1}, {("a",): 1, ("a", "b"): 2}, {("*",): 7}])
def test_what_is_no_table_is_refused(leaves: Counts) -> None:
    with pytest.raises(ValueError, match=r"\*|never negative"):
        suppress(leaves, BELOW)
