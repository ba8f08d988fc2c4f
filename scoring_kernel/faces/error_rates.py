"""Error rates (误识率与拒识率) of a comparison, counted exactly from its scores.

Rules:
- A score is a whole number of ten-thousandths in [-10000, 10000], rounded down; a pair is accepted
  where its score is at least the threshold, which is a whole number too. So what is counted here is
  what a node decides.
- False-accept rate (误识率, FAR): accepted share of pairs of two persons. True-accept rate (TAR):
  accepted share of pairs of one person. False-reject rate (拒识率, FRR): 1 - TAR.
- Shares are compared as whole numbers; intervals are rounded outwards.

Source: ISO/IEC 19795-1 (terms); E. B. Wilson, "Probable inference, the law of succession, and
statistical inference", JASA 22 (1927) 209-212 (interval of a share).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from scoring_kernel.errors import KernelInputError
from scoring_kernel.faces.matching import ONE_E4

if TYPE_CHECKING:
    from scoring_kernel.faces.pairs import IntVector, Scores

__all__ = ["MICRO", "ErrorRates", "Rate", "accepted_from", "wilson"]

FloatVector: TypeAlias = npt.NDArray[np.float64]

MICRO: Final = 1_000_000
"""Shares are told in millionths."""
_BINS: Final = 2 * ONE_E4 + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A share with its interval.

    Attributes:
        count: Pairs that count.
        of: Pairs in all, at least 1.
        low_e6: Lower end of the interval, millionths.
        high_e6: Upper end, millionths.
    """

    count: int
    of: int
    low_e6: int
    high_e6: int

    @property
    def e6(self) -> int:
        """The share in millionths, rounded to the nearest.

        >>> Rate(count=1, of=3, low_e6=0, high_e6=1_000_000).e6
        333333
        """
        return (2 * self.count * MICRO + self.of) // (2 * self.of)

    @property
    def share(self) -> float:
        """The share in [0, 1]."""
        return self.count / self.of

    def widened(self, low: float, high: float) -> Rate:
        """The same share with an interval that covers another one as well.

        Args:
            low: Lower end of the other, in [0, 1].
            high: Upper end.
        """
        return Rate(
            count=self.count,
            of=self.of,
            low_e6=min(self.low_e6, math.floor(low * MICRO)),
            high_e6=max(self.high_e6, math.ceil(high * MICRO)),
        )

    def complement(self) -> Rate:
        """The share of the others: of a TAR, the FRR."""
        return Rate(
            count=self.of - self.count,
            of=self.of,
            low_e6=MICRO - self.high_e6,
            high_e6=MICRO - self.low_e6,
        )


def wilson(count: int, of: int, confidence_e4: int = 9_500) -> Rate:
    """Wilson's interval of a share of independent pairs.

    Args:
        count: Pairs that count, in [0, of].
        of: Pairs in all, at least 1.
        confidence_e4: Confidence in ten-thousandths, in [1, 9999].

    Raises:
        KernelInputError: Out of these bounds.

    >>> wilson(0, 100)
    Rate(count=0, of=100, low_e6=0, high_e6=36994)
    """
    if not 0 <= count <= of or of < 1 or not 1 <= confidence_e4 <= 9_999:
        raise KernelInputError(f"a share of {count} in {of} at confidence {confidence_e4}/10000")
    z = NormalDist().inv_cdf(0.5 + confidence_e4 / 20_000)
    share = count / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    low = 0 if count == 0 else max(0, math.floor((middle - half) * MICRO))
    high = MICRO if count == of else min(MICRO, math.ceil((middle + half) * MICRO))
    return Rate(count=count, of=of, low_e6=low, high_e6=high)


def accepted_from(scores: IntVector, weights: FloatVector | None = None) -> FloatVector:
    """How much is accepted at every threshold.

    Args:
        scores: Scores in ten-thousandths, shape (n,).
        weights: Weight of each, shape (n,), not negative; None for 1.

    Returns:
        Weight of the scores of at least t, at place t + 10000, for t from -10000 to 10001, shape
        (20002,): never growing, the last one 0. Whole numbers are exact.

    Raises:
        KernelInputError: A score is out of bounds.
    """
    places = scores + ONE_E4
    if len(places) and not 0 <= int(places.min()) <= int(places.max()) < _BINS:
        raise KernelInputError("a score is outside -10000..10000 ten-thousandths")
    counted = np.bincount(places, weights=weights, minlength=_BINS).astype(np.float64)
    return np.append(np.cumsum(counted[::-1])[::-1], 0.0)


class ErrorRates:
    """Errors at every threshold.

    Args:
        scores: Pairs with their scores; both kinds occur.

    Raises:
        KernelInputError: One kind does not occur, or a score is out of bounds.
    """

    def __init__(self, scores: Scores) -> None:
        self.genuine: Final = int(scores.labels.same.sum())
        """Pairs of one person."""
        self.impostor: Final = len(scores.e4) - self.genuine
        """Pairs of two persons."""
        if not self.genuine or not self.impostor:
            raise KernelInputError(
                f"{self.genuine} pairs of one person and {self.impostor} of two: expected both"
            )
        self._genuine: Final = accepted_from(scores.genuine)
        self._impostor: Final = accepted_from(scores.impostor)

    def tar(self, threshold_e4: int, confidence_e4: int = 9_500) -> Rate:
        """True-accept rate at a threshold in [-10000, 10001], with Wilson's interval."""
        return wilson(int(self._genuine[threshold_e4 + ONE_E4]), self.genuine, confidence_e4)

    def far(self, threshold_e4: int, confidence_e4: int = 9_500) -> Rate:
        """False-accept rate at a threshold in [-10000, 10001], with Wilson's interval."""
        return wilson(int(self._impostor[threshold_e4 + ONE_E4]), self.impostor, confidence_e4)

    def find_threshold(self, far_e6: int) -> int | None:
        """The smallest threshold whose false-accept rate is at most the target.

        Args:
            far_e6: The target, millionths.

        Returns:
            Ten-thousandths; None where even a score of 1 is reached by too many.
        """
        return smallest_within(self._impostor, far_e6)

    def balanced_accuracy(self, threshold_e4: int) -> float:
        """Mean of the shares judged right of either kind."""
        return (self.tar(threshold_e4).share + 1 - self.far(threshold_e4).share) / 2

    def best_threshold(self) -> int:
        """The smallest threshold of the greatest balanced accuracy, ten-thousandths."""
        gain = self._genuine / self.genuine - self._impostor / self.impostor
        return int(np.argmax(gain)) - ONE_E4

    def equal_errors(self) -> tuple[float, int]:
        """The equal error rate (等错误率) and its threshold in ten-thousandths.

        The rate is the mean of FAR and FRR where they differ least.
        """
        far, frr = self._impostor / self.impostor, 1 - self._genuine / self.genuine
        place = int(np.argmin(np.abs(far - frr)))
        return float(far[place] + frr[place]) / 2, place - ONE_E4

    def area(self) -> float:
        """Area under the curve of TAR over FAR: a pair of one person beats one of two."""
        genuine = self._genuine[:-1] - self._genuine[1:]
        impostor = self._impostor[:-1] - self._impostor[1:]
        below = self.impostor - self._impostor[:-1]
        return float(genuine @ (below + impostor / 2)) / (self.genuine * self.impostor)

    def curve(self) -> tuple[FloatVector, FloatVector]:
        """The detection error trade-off (DET): FAR and FRR wherever one of them changes.

        Returns:
            FAR, never growing, and FRR, never falling, both shape (m,).
        """
        moves = np.flatnonzero(
            (np.diff(self._impostor, prepend=np.inf) != 0)
            | (np.diff(self._genuine, prepend=np.inf) != 0)
        )
        return (
            self._impostor[moves] / self.impostor,
            1 - self._genuine[moves] / self.genuine,
        )


def smallest_within(accepted: FloatVector, far_e6: int) -> int | None:
    """The smallest threshold at which at most a share of the whole is accepted.

    Args:
        accepted: What ``accepted_from`` returned, shape (20002,), whole numbers.
        far_e6: The share, millionths.

    Returns:
        Ten-thousandths in [-10000, 10000], or None.
    """
    within = accepted[:-1] * MICRO <= accepted[0] * far_e6
    place = int(np.argmax(within))
    return place - ONE_E4 if within[place] else None
