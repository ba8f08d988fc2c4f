"""The cheapest way to a number of points: fewest changes first, then least effort.

Rules:
- Every change has a gain in hundredths of a point and a declared effort; it is made wholly or
  not at all.
- Among all sets whose gains add up to what is needed, the fewest changes win, then the least
  effort, then the set whose first differing change comes earlier.
- Exact: a table over (changes, effort) is filled, nothing is guessed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from scoring_kernel.errors import KernelInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

MAX_NEED: Final = 100_000
"""Most points that can be asked for, hundredths."""
MAX_EFFORT: Final = 20
"""Largest effort of one change; the table grows with the sum of efforts."""

_NEVER: Final = -(10**12)


def cheapest_set(
    gains_centi: Sequence[int], efforts: Sequence[int], need_centi: int
) -> tuple[int, ...] | None:
    """Choose changes that together gain at least so many points.

    Args:
        gains_centi: Gain of each change, hundredths of a point, not negative.
        efforts: Effort of each change, whole units, not negative.
        need_centi: Points needed, hundredths, 0 to ``MAX_NEED``.

    Returns:
        Positions of the chosen changes, ascending; None where all together are too few.

    Raises:
        KernelInputError: Lengths differ, or a number is out of bounds.

    >>> cheapest_set([300, 500, 250], [1, 9, 1], 500)
    (1,)
    >>> cheapest_set([300, 500, 250], [1, 9, 1], 520)
    (0, 2)
    """
    _refuse_unfit(gains_centi, efforts, need_centi)
    if need_centi == 0:
        return ()
    useful = [at for at, gain in enumerate(gains_centi) if gain > 0]
    count = _fewest(sorted((gains_centi[at] for at in useful), reverse=True), need_centi)
    if count is None:
        return None
    # tables[j][c, e]: most that c of the changes useful[j:] gain with an effort of at most e.
    tables = [_start(count, sum(efforts[at] for at in useful))]
    for at in reversed(useful):
        tables.append(_with(tables[-1], gains_centi[at], efforts[at]))
    tables.reverse()
    chosen: list[int] = []
    left, missing = count, need_centi
    effort = int(np.argmax(tables[0][count] >= need_centi))
    for place, at in enumerate(useful):
        if left == 0:
            break
        rest = effort - efforts[at]
        # Taken as early as the rest can still do without: so the order of ties is fixed.
        if rest >= 0 and tables[place + 1][left - 1, rest] + gains_centi[at] >= missing:
            chosen.append(at)
            left, missing, effort = left - 1, missing - gains_centi[at], rest
    return tuple(chosen)


def _refuse_unfit(gains: Sequence[int], efforts: Sequence[int], need: int) -> None:
    if len(gains) != len(efforts):
        raise KernelInputError(
            f"changes: {len(gains)} gains and {len(efforts)} efforts, expected as many of each"
        )
    if not 0 <= need <= MAX_NEED:
        raise KernelInputError(f"points needed: found {need}, expected 0 to {MAX_NEED} hundredths")
    for gain, effort in zip(gains, efforts, strict=True):
        if not 0 <= gain <= MAX_NEED or not 0 <= effort <= MAX_EFFORT:
            raise KernelInputError(
                f"change: gain {gain} and effort {effort}, expected 0 to {MAX_NEED} hundredths "
                f"and 0 to {MAX_EFFORT}"
            )


def _fewest(descending: Sequence[int], need: int) -> int | None:
    total = 0
    for count, gain in enumerate(descending, 1):
        total += gain
        if total >= need:
            return count
    return None


def _start(count: int, effort: int) -> npt.NDArray[np.int64]:
    table = np.full((count + 1, effort + 1), _NEVER, np.int64)
    table[0] = 0
    return table


def _with(before: npt.NDArray[np.int64], gain: int, effort: int) -> npt.NDArray[np.int64]:
    """Allow one more change: every entry either does without it or takes it."""
    after = before.copy()
    width = before.shape[1] - effort
    np.maximum(after[1:, effort:], before[:-1, :width] + gain, out=after[1:, effort:])
    return after
