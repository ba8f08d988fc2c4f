"""Pairs of faces that are known to be of one person or of two, and their scores.

A score is a whole number of ten-thousandths, rounded down, as a node compares it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from scoring_kernel.faces.matching import ONE_E4

if TYPE_CHECKING:
    from scoring_kernel.faces.arrays import FloatMatrix

__all__ = ["FlagVector", "ImagePairs", "IntVector", "PairLabels", "Scores"]

IntVector: TypeAlias = npt.NDArray[np.int64]
FlagVector: TypeAlias = npt.NDArray[np.bool_]

_BLOCK_ROWS: Final = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class PairLabels:
    """What is known of n pairs.

    Attributes:
        same: Whether both sides are one person, shape (n,).
        left: Number of the left side's subject, from 0, shape (n,); None where none are named.
        right: Likewise of the right side.
        subjects: Subjects that occur; 0 where none are named.
        group: Number of the pair's group in ``groups``, -1 for none, shape (n,); None for none.
        groups: Names of the groups.
    """

    same: FlagVector
    left: IntVector | None = None
    right: IntVector | None = None
    subjects: int = 0
    group: IntVector | None = None
    groups: tuple[str, ...] = ()

    def take(self, kept: FlagVector) -> PairLabels:
        """Labels of some of the pairs; subjects are numbered anew.

        Args:
            kept: Which, shape (n,).
        """
        group = None if self.group is None else self.group[kept]
        if self.left is None or self.right is None:
            return PairLabels(same=self.same[kept], group=group, groups=self.groups)
        sides = np.concatenate((self.left[kept], self.right[kept]))
        found, numbers = np.unique(sides, return_inverse=True)
        half = len(sides) // 2
        return PairLabels(
            same=self.same[kept],
            left=numbers[:half].astype(np.int64),
            right=numbers[half:].astype(np.int64),
            subjects=len(found),
            group=group,
            groups=self.groups,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Pairs with their scores.

    Attributes:
        e4: Similarity in ten-thousandths, rounded down, in [-10000, 10000], shape (n,).
        labels: What is known of the pairs.
    """

    e4: IntVector
    labels: PairLabels

    def take(self, kept: FlagVector) -> Scores:
        """Some of the pairs, shape of ``kept`` (n,)."""
        return Scores(e4=self.e4[kept], labels=self.labels.take(kept))

    @property
    def genuine(self) -> IntVector:
        """Scores of pairs of one person."""
        return self.e4[self.labels.same]

    @property
    def impostor(self) -> IntVector:
        """Scores of pairs of two persons."""
        return self.e4[~self.labels.same]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePairs:
    """Pairs of images.

    Attributes:
        images: Names of the images, each once, relative to the table.
        left: Number of the left image, shape (n,).
        right: Number of the right image, shape (n,).
        lines: Line of the table, from 1, on which an image is named first, shape of ``images``.
        labels: What is known of the pairs.
    """

    images: tuple[str, ...]
    left: IntVector
    right: IntVector
    lines: tuple[int, ...]
    labels: PairLabels

    def compare(self, vectors: FloatMatrix, fit: FlagVector) -> Scores:
        """Compare the pairs both of whose images are fit.

        Args:
            vectors: Unit vectors of the images, float32, shape (images, d).
            fit: Which of the images have one, shape (images,).

        Returns:
            The scores that ``matching.score_e4`` gives, pair by pair.
        """
        kept = fit[self.left] & fit[self.right]
        left, right = self.left[kept], self.right[kept]
        scores = np.empty(len(left), dtype=np.int64)
        for begin in range(0, len(left), _BLOCK_ROWS):
            rows = slice(begin, begin + _BLOCK_ROWS)
            products = vectors[left[rows]].astype(np.float64) * vectors[right[rows]]
            scores[rows] = np.floor(products.sum(axis=1) * ONE_E4)
        return Scores(e4=np.clip(scores, -ONE_E4, ONE_E4), labels=self.labels.take(kept))
