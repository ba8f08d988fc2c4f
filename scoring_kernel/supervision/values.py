"""Exact arithmetic of indicators: whole millionths, medians, robust z, roots and entropy.

Rules:
- A quotient is rounded half up to whole millionths (a half goes towards plus infinity) before
  anything is done with it, as the kernel's derivations do; no float stands on the way.
- Medians are those of the ordinary definition: of an even number of values the mean of the two
  middle ones. They are carried doubled, so that they stay whole.
- What is shown is rounded half up from the millionths to the places its indicator states.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal
from math import isqrt
from typing import TYPE_CHECKING, Final

from scoring_kernel.parameters import MICRO

if TYPE_CHECKING:
    from collections.abc import Sequence

CONSISTENCY_E4: Final = 14_826
"""1.4826: makes the MAD of a normal distribution its standard deviation, ten-thousandths."""
PLACES: Final = 6
"""Places that millionths have."""

_LOGARITHMS: Final = Context(prec=40)
"""Digits that logarithms are computed with: 30 more than a result keeps."""


def half_up(top: int, bottom: int) -> int:
    """Divide, rounded half up.

    Args:
        top: Any whole number.
        bottom: A positive whole number.

    >>> half_up(5, 2), half_up(-5, 2), half_up(-3, 4)
    (3, -2, -1)
    """
    return (2 * top + bottom) // (2 * bottom)


def quotient(top: int, bottom: int) -> int:
    """Millionths of a quotient, rounded half up; ``bottom`` is positive.

    >>> quotient(2, 3)
    666667
    """
    return half_up(top * MICRO, bottom)


def root(top: int, bottom: int) -> int:
    """Millionths of the square root of a quotient, rounded half up.

    Args:
        top: Not negative.
        bottom: Positive.

    >>> root(2, 1), root(1, 4)
    (1414214, 500000)
    """
    # floor(2 * 10**6 * sqrt(q)) + 1, halved, is the root rounded half up.
    return (isqrt(4 * MICRO * MICRO * top // bottom) + 1) // 2


def median_twice(values: Sequence[int]) -> int:
    """Twice the median of some values; there is at least one.

    >>> median_twice([3, 1, 2]), median_twice([4, 1, 2, 3])
    (4, 5)
    """
    ranked = sorted(values)
    middle = len(ranked) // 2
    return ranked[middle] + ranked[middle if len(ranked) % 2 else middle - 1]


def robust_z(values: Sequence[int]) -> list[int] | None:
    """Robust z (稳健偏离) of every value of a group.

    Args:
        values: Whole numbers of one unit, at least one.

    Returns:
        ``(x - median) / (1.4826 * MAD)`` of each, millionths, rounded half up; None where
        more than half of the values agree: then the MAD is 0 and nothing can be divided by it.

    Source:
        Iglewicz and Hoaglin, How to Detect and Handle Outliers (1993).

    >>> robust_z([1, 2, 3, 4, 100])[2:]
    [0, 674491, 65425604]
    >>> robust_z([7, 7, 7]) is None
    True
    """
    centre = median_twice(values)
    away = [2 * value - centre for value in values]
    spread = median_twice([abs(one) for one in away])
    if spread == 0:
        return None
    return [half_up(20_000 * MICRO * one, CONSISTENCY_E4 * spread) for one in away]


def logarithm(value: int) -> int:
    """Natural logarithm of a positive whole number, millionths, rounded half up.

    >>> logarithm(10), logarithm(1)
    (2302585, 0)
    """
    return _whole(_LOGARITHMS.ln(Decimal(value)) * MICRO)


def evenness(counts: Sequence[int]) -> int:
    """Shannon entropy of a histogram over that of an even one, millionths, 0 to 1.

    Args:
        counts: Not negative, two bins at least, one of them not empty.

    >>> evenness([5, 5]), evenness([9, 0, 0]), evenness([1, 1, 0, 0])
    (1000000, 0, 500000)
    """
    total = sum(counts)
    held = [Decimal(count) for count in counts if count]
    sums = Decimal(0)
    for count in held:
        sums = _LOGARITHMS.add(sums, _LOGARITHMS.multiply(count, _LOGARITHMS.ln(count)))
    entropy = _LOGARITHMS.subtract(
        _LOGARITHMS.ln(Decimal(total)), _LOGARITHMS.divide(sums, Decimal(total))
    )
    most = _LOGARITHMS.ln(Decimal(len(counts)))
    return _whole(_LOGARITHMS.multiply(_LOGARITHMS.divide(entropy, most), Decimal(MICRO)))


def instability(expected: int, actual: int, expected_all: int, actual_all: int) -> int:
    """Contribution of one class to the population stability index (PSI), millionths.

    Args:
        expected: Members of the class before; a class without any counts as half a member.
        actual: Members of the class now, likewise.
        expected_all: Members of all classes before, positive.
        actual_all: Members of all classes now, positive.

    >>> instability(50, 50, 100, 100), instability(50, 25, 100, 100)
    (0, 173287)
    """
    before = _LOGARITHMS.divide(Decimal(2 * expected or 1), Decimal(2 * expected_all))
    now = _LOGARITHMS.divide(Decimal(2 * actual or 1), Decimal(2 * actual_all))
    ratio = _LOGARITHMS.ln(_LOGARITHMS.divide(now, before))
    change = _LOGARITHMS.subtract(now, before)
    return _whole(_LOGARITHMS.multiply(_LOGARITHMS.multiply(change, ratio), Decimal(MICRO)))


def decimal_text(value: int, scale: int, places: int) -> str:
    """Write ``value / scale`` with so many places, rounded half up.

    Args:
        value: A whole number.
        scale: What it is divided by, positive.
        places: Decimal places, 0 to 6.

    >>> decimal_text(666667, 1_000_000, 4), decimal_text(-5, 100, 2), decimal_text(12, 1, 0)
    ('0.6667', '-0.05', '12')
    """
    shown = half_up(value * 10**places, scale)
    whole, rest = divmod(abs(shown), 10**places)
    sign = "-" if shown < 0 else ""
    return f"{sign}{whole}.{rest:0{places}d}" if places else f"{sign}{whole}"


def _whole(value: Decimal) -> int:
    return int(value.to_integral_value(rounding=ROUND_HALF_UP))
