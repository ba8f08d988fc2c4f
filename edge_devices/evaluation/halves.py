"""Halves of a data set: the pairs within some subjects, and how much chance decides.

A pair of two halves is of none. Over random halves, a threshold is fitted on one and its rates
are counted on the other: what comes out wide was measured on too few subjects.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from edge_devices.evaluation.pictures import Pictures
from scoring_kernel.errors import FaceModelError
from scoring_kernel.faces.error_rates import ErrorRates
from scoring_kernel.faces.pairs import ImagePairs, IntVector, PairLabels, Scores

if TYPE_CHECKING:
    from numpy.random import Generator  # noqa: TID251  # a type; the command draws the seed

    from security.progress import ProgressReporter

__all__ = ["Half", "Spread", "pairs_within", "random_halves", "take_half"]

HALVES: Final = 200
"""Random halves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Half:
    """Pairs of some subjects.

    Attributes:
        subjects: Numbers of the subjects.
        scores: All their pairs.
        equal_error: Share at which both errors are equal, and its threshold in ten-thousandths.
        area: Area under the curve of TAR over FAR.
    """

    subjects: tuple[int, ...]
    scores: Scores
    equal_error: tuple[float, int]
    area: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Shares in [0, 1] over random halves: median, and from where to where 90 % of them lie."""

    median: float
    low: float
    high: float


def pairs_within(looked: Pictures, owners: IntVector, subjects: Sequence[int]) -> Scores:
    """Compare all pictures of some subjects with each other.

    Args:
        looked: What the pictures said.
        owners: Subject of each, shape (n,).
        subjects: Which subjects.

    Returns:
        Scores of the pairs both of whose pictures are fit.
    """
    own = np.flatnonzero(np.isin(owners, subjects))
    left, right = (own[side] for side in np.triu_indices(len(own), 1))
    pairs = ImagePairs(
        images=(),
        left=left,
        right=right,
        lines=(),
        labels=PairLabels(
            same=owners[left] == owners[right],
            left=owners[left],
            right=owners[right],
            subjects=len(subjects),
        ),
    )
    return pairs.compare(looked.vectors, looked.fit)


def take_half(looked: Pictures, owners: IntVector, subjects: tuple[int, ...]) -> Half:
    """Measure the pairs within some subjects.

    Args:
        looked: What the pictures said.
        owners: Subject of each, shape (n,).
        subjects: Which subjects.

    Raises:
        FaceModelError: Too few faces were found to compare any.
    """
    scores = pairs_within(looked, owners, subjects)
    if not len(scores.genuine) or not len(scores.impostor):
        raise FaceModelError(
            f"of {int(np.isin(owners, subjects).sum())} pictures too few have a face that is fit "
            "to be compared: enlarge them with --upscale, or put parts of --gate off"
        )
    rates = ErrorRates(scores)
    return Half(
        subjects=subjects, scores=scores, equal_error=rates.equal_errors(), area=rates.area()
    )


def random_halves(
    scores: Scores,
    targets_e6: Sequence[int],
    *,
    rng: "Generator",
    progress: "ProgressReporter",
) -> list[tuple[Spread | None, Spread | None]]:
    """Fit on random halves of the subjects, and count on the others.

    Args:
        scores: All pairs of all subjects.
        targets_e6: False-accept rates to fit for, millionths.
        rng: Draws the halves.
        progress: Told of them.

    Returns:
        Spread of FAR and of TAR on the other half, by target; None where no half reaches it.

    Raises:
        TypeError: The subjects of the pairs are not named.
    """
    labels = scores.labels
    if labels.left is None or labels.right is None:
        raise TypeError("pairs without subjects")
    found: list[list[tuple[float, float]]] = [[] for _ in targets_e6]
    for number in range(1, HALVES + 1):
        first = np.zeros(labels.subjects, dtype=np.bool_)
        first[rng.permutation(labels.subjects)[: labels.subjects // 2]] = True
        left, right = first[labels.left], first[labels.right]
        own, other = scores.take(left & right), scores.take(~left & ~right)
        if all(len(kind) for half in (own, other) for kind in (half.genuine, half.impostor)):
            fitted, tried = ErrorRates(own), ErrorRates(other)
            for kept, target in zip(found, targets_e6, strict=True):
                threshold = fitted.find_threshold(target)
                if threshold is not None:
                    kept.append((tried.far(threshold).share, tried.tar(threshold).share))
        progress("random halves", number, HALVES, "halves")
    return [
        (_spread([far for far, _ in kept]), _spread([tar for _, tar in kept])) for kept in found
    ]


def _spread(shares: Sequence[float]) -> Spread | None:
    if not shares:
        return None
    low, median, high = np.quantile(shares, (0.05, 0.5, 0.95)).tolist()
    return Spread(median=median, low=low, high=high)
