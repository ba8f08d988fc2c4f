"""Draw subjects again, to learn how much a threshold or a rate hangs on who was there.

Rules:
- Subjects are drawn with replacement, as many as there are. A pair of one subject counts as often
  as it was drawn, a pair of two as the product of both.
- Pairs are not drawn: pairs of one subject depend on each other, and intervals from drawing pairs
  are too narrow.
- A drawing without a pair of the kind asked for says nothing and is left out; where most are,
  there is no interval.

Source: R. M. Bolle, N. K. Ratha, S. Pankanti, "Error analysis of pattern recognition systems - the
subsets bootstrap", Computer Vision and Image Understanding 93 (2004).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from scoring_kernel.errors import CalibrationError
from scoring_kernel.faces.error_rates import accepted_from, smallest_within
from scoring_kernel.faces.matching import ONE_E4

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.random import Generator  # noqa: TID251  # a type; the caller draws the seed

    from scoring_kernel.faces.error_rates import FloatVector
    from scoring_kernel.faces.pairs import FlagVector, IntVector, Scores

__all__ = ["SubjectDraws"]


class SubjectDraws:
    """Draws the subjects of pairs again and again; every pass draws anew.

    Args:
        scores: Pairs with their scores; their subjects are named.
        rng: Draws.
        rounds: How often, in every pass.
        tell: Called with the rounds done so far, of all passes.
    """

    def __init__(
        self, scores: Scores, rng: Generator, rounds: int, tell: Callable[[int], None]
    ) -> None:
        same = scores.labels.same
        left, right = scores.labels.left, scores.labels.right
        if left is None or right is None:
            raise TypeError("pairs without subjects")
        self._subjects: Final = scores.labels.subjects
        self._genuine: Final = scores.e4[same]
        self._owner: Final = left[same]
        self._impostor: Final = scores.e4[~same]
        self._left: Final = left[~same]
        self._right: Final = right[~same]
        self._rng = rng
        self._rounds: Final = rounds
        self._tell = tell
        self._done = 0

    def _draws(self) -> Iterator[IntVector]:
        """How often each subject is drawn, round by round, shape (subjects,)."""
        for _ in range(self._rounds):
            drawn = self._rng.integers(0, self._subjects, self._subjects)
            yield np.bincount(drawn, minlength=self._subjects)
            self._done += 1
            self._tell(self._done)

    def thresholds(self, far_e6: int, confidence_e4: int) -> tuple[int, int]:
        """Interval of the threshold of a target.

        Args:
            far_e6: The target, millionths.
            confidence_e4: Confidence, ten-thousandths.

        Returns:
            Both ends, ten-thousandths.

        Raises:
            CalibrationError: Most drawings hold no pair of two persons.
        """
        found = []
        for times in self._draws():
            accepted = accepted_from(
                self._impostor, (times[self._left] * times[self._right]).astype(np.float64)
            )
            if accepted[0]:
                reached = smallest_within(accepted, far_e6)
                found.append(ONE_E4 if reached is None else reached)
        self._verify(len(found))
        low, high = _ends(np.array(found, dtype=np.float64), confidence_e4)
        return int(np.floor(low)), int(np.ceil(high))

    def rates(
        self, thresholds: tuple[int, ...], confidence_e4: int
    ) -> list[tuple[tuple[float, float], tuple[float, float]]]:
        """Intervals of TAR and of FAR at each threshold.

        Args:
            thresholds: Ten-thousandths.
            confidence_e4: Confidence, ten-thousandths.

        Returns:
            Both ends of either share in [0, 1], by threshold.

        Raises:
            CalibrationError: Most drawings lack one kind of pairs.
        """
        genuine = [self._genuine >= one for one in thresholds]
        impostor = [self._impostor >= one for one in thresholds]
        tar: list[FloatVector] = []
        far: list[FloatVector] = []
        for times in self._draws():
            own, pairs = times[self._owner], times[self._left] * times[self._right]
            if own.any() and pairs.any():
                tar.append(_shares(own, genuine))
                far.append(_shares(pairs, impostor))
        self._verify(len(tar))
        return [
            (_ends(own, confidence_e4), _ends(pairs, confidence_e4))
            for own, pairs in zip(np.array(tar).T, np.array(far).T, strict=True)
        ]

    def _verify(self, rounds: int) -> None:
        if 2 * rounds < self._rounds:
            raise CalibrationError(
                "the pairs hang on too few of the subjects to draw subjects again: pair more of "
                "them with each other"
            )


def _shares(weights: IntVector, accepted: list[FlagVector]) -> FloatVector:
    whole = weights.sum()
    return np.array([weights[one].sum() / whole for one in accepted], dtype=np.float64)


def _ends(values: FloatVector, confidence_e4: int) -> tuple[float, float]:
    """The middle share of the values, rounded outwards."""
    outside = (1 - confidence_e4 / 10_000) / 2
    return (
        float(np.quantile(values, outside, method="lower")),
        float(np.quantile(values, 1 - outside, method="higher")),
    )
