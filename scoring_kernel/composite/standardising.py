"""Standard scores of one column, in float64, the same on every machine.

Rules:
- Sums over subjects are exactly rounded (``math.fsum``): neither their order nor a
  processor's vector width can change a bit of a mean, a deviation or a centre.
- Two passes: first the mean, then squared distances from it.
- A column whose values are all equal, or whose deviation is within ``LEAST_SPREAD`` of
  their scale, has no spread: what is left is rounding, and would be blown up to scores.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from fractions import Fraction

FloatVector: TypeAlias = npt.NDArray[np.float64]
FloatMatrix: TypeAlias = npt.NDArray[np.float64]

LEAST_SPREAD: Final = 1e-12
"""Least standard deviation, as a share of the scale of the values."""


def mean(values: FloatVector) -> float:
    """Mean of at least one finite value, shape (n,): exactly rounded sum, one division.

    >>> mean(np.array([0.1, 0.2, 0.3, 1e12, -1e12])) == 0.6 / 5
    True
    """
    return math.fsum(values.tolist()) / len(values)


def standardise(
    column: FloatVector, *, sample: bool, scale: float | None = None
) -> FloatVector | None:
    """Standard scores: distance from the mean in standard deviations.

    Args:
        column: Values, shape (n,); NaN not reported.
        sample: Whether the variance divides by the count minus 1, else by the count.
        scale: Size of the numbers the values were computed from, where they are sums
            that may cancel; None for the largest value itself.

    Returns:
        Scores, shape (n,), NaN where there was NaN; None where the values have no
        spread (all equal, or only one, or none).

    >>> standardise(np.array([1.0, np.nan, 3.0]), sample=False).tolist()
    [-1.0, nan, 1.0]
    """
    known = column[~np.isnan(column)]
    if len(known) == 0 or known.min() == known.max():
        return None
    centre = mean(known)
    distances = known - centre
    squares = math.fsum((distances * distances).tolist())
    deviation = math.sqrt(squares / (len(known) - 1 if sample else len(known)))
    least = LEAST_SPREAD * (float(np.abs(known).max()) if scale is None else scale)
    return (column - centre) / deviation if deviation > least else None


def nearest_rank(ordered: FloatVector, share: Fraction) -> float:
    """Nearest-rank quantile: the least value with at least that share at or below it.

    Args:
        ordered: Values, ascending, shape (n,), at least one.
        share: In (0, 1]; the rank is computed in whole numbers.

    Returns:
        One of the values.

    >>> from fractions import Fraction
    >>> nearest_rank(np.array([1.0, 2.0, 3.0, 4.0]), Fraction(1, 2))
    2.0
    """
    rank = -(-share.numerator * len(ordered) // share.denominator)
    return float(ordered[rank - 1])


def winsorise(column: FloatVector, low: Fraction, high: Fraction) -> FloatVector:
    """Set values beyond two nearest-rank quantiles to them (缩尾).

    Args:
        column: Values, shape (n,); NaN not reported, at least one reported.
        low: Share of the lower quantile.
        high: Share of the upper quantile, above ``low``.

    Returns:
        The column within both quantiles, shape (n,).
    """
    ordered = np.sort(column[~np.isnan(column)])
    return np.clip(column, nearest_rank(ordered, low), nearest_rank(ordered, high))
