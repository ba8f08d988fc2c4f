"""Exact arithmetic of the numeric plan: integers carried in float64, over any ``Ops``.

Rules:
- Every number is a whole one and every intermediate stays below 2**53 in size, so each
  operation is exact in float64; the bounds of each function say why.
- A quotient is rounded half up to whole millionths before anything is done with it.
- What leaves its bounds is out of range and treated as missing by whoever asked; it is
  never kept at the bound.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from scoring_kernel.parameters import MICRO

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scoring_kernel.ops import Ops

N = TypeVar("N")
F = TypeVar("F")

MAX_WHOLE: Final = 9_000_000_000 - 1
"""Largest whole part of a value, in size; a larger quotient is out of range."""
VALUE_LIMIT: Final = (MAX_WHOLE + 1) * MICRO
"""No value is larger in size, millionths."""
MAX_TERM: Final = 5_000_000 * MICRO
"""Largest ratio inside a growth, in size, millionths; a larger one is out of range."""

PerGroup: TypeAlias = "int | tuple[int, ...]"
"""One number for every peer group, or a number for each."""

MAX_TOP: Final = 20_000_000_000_000
"""Largest dividend in size: the difference of two inputs."""

_DIGITS: Final = 2
"""Steps of the long division: two digits of base 1000 make millionths."""
_SHORT: Final = 4_500_000_000
"""Largest divisor of which a million remainders are exact, and half of it."""


def quotient_micro(ops: Ops[N, F], top: N, bottom: N) -> tuple[N, F]:
    """Divide to millionths, rounded half up (a half goes towards plus infinity).

    Args:
        ops: Backend.
        top: At most ``MAX_TOP`` in size.
        bottom: 1 to 1e13.

    Returns:
        Millionths; and whether the quotient is within ``MAX_WHOLE``. Where it is not,
        the number means nothing.
    """
    value = _millionths(ops, top, bottom)
    # Close to the limit the divisor is small, and a quotient below it is so after rounding.
    most, least = ops.number(VALUE_LIMIT - 1), ops.number(-MAX_WHOLE * MICRO)
    return value, ops.both(ops.at_least(most, value), ops.at_least(value, least))


def quotient_by(ops: Ops[N, F], top: N, bottom: int) -> tuple[N, F]:
    """As ``quotient_micro``, by a number that is known beforehand.

    Args:
        ops: Backend.
        top: At most ``MAX_TOP`` in size.
        bottom: 1 to 1e13.
    """
    if MICRO % bottom == 0:
        value = ops.mul(top, ops.number(MICRO // bottom))
    elif bottom <= _SHORT:
        whole = ops.floor_div(top, ops.number(bottom))
        rest = ops.sub_mul(top, whole, ops.number(bottom))
        last = ops.line(rest, ops.number(MICRO), ops.number(bottom // 2), ops.number(bottom))
        value = ops.mul_add(whole, ops.number(MICRO), last)
    else:
        value = _millionths(ops, top, ops.number(bottom))
    most, least = MAX_WHOLE * bottom + bottom - 1, -MAX_WHOLE * bottom
    if most >= MAX_TOP:
        return value, ops.negate(never(ops))
    return value, ops.both(
        ops.at_least(ops.number(most), top), ops.at_least(top, ops.number(least))
    )


def share_micro(ops: Ops[N, F], part: N, whole: N) -> N:
    """Share of a whole in millionths, rounded half up and kept within 0 and 1.

    Args:
        ops: Backend.
        part: At most 1e13 in size.
        whole: 1 to 1e13.
    """
    return _millionths(ops, ops.clamp(part, ops.number(0), whole), whole)


def _millionths(ops: Ops[N, F], top: N, bottom: N) -> N:
    """Millionths of a quotient, rounded half up, by long division in base 1000.

    Each digit is the nearest one, so a remainder is at most half its divisor (5e12), and a
    thousand of them are exact. Halves go up in every digit, so in the last one as well.
    """
    thousand, half = ops.number(1000), ops.floor_div(bottom, ops.number(2))
    found = digit = ops.floor_div(ops.add(top, half), bottom)
    rest = top
    for _ in range(_DIGITS):
        rest = ops.mul(ops.sub_mul(rest, digit, bottom), thousand)
        digit = ops.floor_div(ops.add(rest, half), bottom)
        found = ops.mul_add(found, thousand, digit)
    return found


def half_up(ops: Ops[N, F], top: N, bottom: int) -> N:
    """``top / bottom`` rounded half up; ``top + bottom`` is below 2**53 in size.

    Of whole numbers the floor of ``top / bottom + 1/2`` is that of ``(top + bottom // 2) /
    bottom``.
    """
    return ops.floor_div(ops.add(top, ops.number(bottom // 2)), ops.number(bottom))


def half_up_int(top: int, bottom: int) -> int:
    """``top / bottom`` rounded half up, of whole numbers of any size.

    >>> half_up_int(5, 2), half_up_int(-5, 2)
    (3, -2)
    """
    return (2 * top + bottom) // (2 * bottom)


def within(ops: Ops[N, F], value: N, most: int) -> F:
    """Whether a value is at most ``most`` in size."""
    return ops.both(ops.at_least(ops.number(most), value), ops.at_least(value, ops.number(-most)))


def positive(ops: Ops[N, F], value: N) -> F:
    """Whether a value is above 0."""
    return ops.above(value, ops.number(0))


def total_of(ops: Ops[N, F], numbers: Sequence[N]) -> N:
    """Sum of at least one number."""
    return reduce(ops.add, numbers)


def all_of(ops: Ops[N, F], flags: Sequence[F]) -> F:
    """Whether all of at least one flag hold."""
    return reduce(ops.both, flags)


def any_of(ops: Ops[N, F], flags: Sequence[F]) -> F:
    """Whether one of at least one flag holds."""
    return reduce(ops.either, flags)


def never(ops: Ops[N, F]) -> F:
    """A flag that holds for no row."""
    return ops.above(ops.number(0), ops.number(1))


def per_group(numbers: Sequence[int]) -> PerGroup:
    """A number per peer group, or one number where all groups agree.

    >>> per_group([3, 3]), per_group([3, 4])
    (3, (3, 4))
    """
    return numbers[0] if len(set(numbers)) == 1 else tuple(numbers)


def by_group(ops: Ops[N, F], group: N, numbers: PerGroup) -> N:
    """The number of each row's peer group."""
    if isinstance(numbers, int):
        return ops.number(numbers)
    return ops.gather(ops.table(numbers), group)


def flag_by_group(ops: Ops[N, F], group: N, flags: Sequence[bool]) -> F:
    """The flag of each row's peer group; flags that differ between groups."""
    return ops.gather_flags(ops.flags(flags), group)
