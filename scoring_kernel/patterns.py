"""Patterns of missing indicators: what many subjects share is worked out once.

Rules:
- A pattern is the bits of one word, the first indicator lowest. The first pattern of all
  has no gap, and a row without a gap has it.
- Weights and coverage depend on the pattern alone; numpy and ONNX Runtime redistribute
  them once a pattern and give every row its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from scoring_kernel.measures import IntVector

BLOCK_ROWS: Final = 262_144
"""Rows with a gap that are looked at together: their patterns stay in the cache (measured)."""

_SLOT_BITS: Final = 18
_SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)
"""Odd, and its bits look random: products differ in their upper bits (Knuth, 6.4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patterns:
    """Distinct patterns of n rows and k indicators.

    Attributes:
        gone: Where an indicator is missing, shape (k, p); false for the first pattern.
        place: Pattern of each row, int32, shape (n,).
        some: Rows with a gap, in their order.
    """

    gone: npt.NDArray[np.bool_]
    place: npt.NDArray[np.int32]
    some: npt.NDArray[np.intp]


class GapBits:
    """Bits of the missing indicators of some rows, gathered byte by byte."""

    def __init__(self, rows: int) -> None:
        """Start with nothing missing.

        Args:
            rows: Number of rows.
        """
        self._bytes: Final = np.zeros((8, rows), np.uint8)

    def add(self, place: int, missing: npt.NDArray[np.bool_]) -> None:
        """Say where an indicator is missing."""
        ones = np.negative(missing.view(np.int8)).view(np.uint8)
        found = self._bytes[place >> 3]
        np.bitwise_and(ones, np.uint8(1 << (place & 7)), out=ones)
        np.bitwise_or(found, ones, out=found)

    def words(self) -> npt.NDArray[np.uint64]:
        """Bits of each row, the first indicator lowest."""
        found: npt.NDArray[np.uint64] = self._bytes[0].astype(np.uint64)
        for place in range(1, 8):
            if self._bytes[place].any():
                found |= self._bytes[place].astype(np.uint64) << np.uint64(8 * place)
        return found


def find_patterns(gaps: npt.NDArray[np.uint64], indicators: int) -> Patterns:
    """Find the distinct patterns of some rows.

    Args:
        gaps: Bits of the missing indicators of each row, shape (n,).
        indicators: Number of indicators.
    """
    some = np.flatnonzero(gaps)
    place = np.zeros(len(gaps), np.int32)
    words = np.zeros(1, np.uint64)
    if len(some):
        distinct, places = ranked(gaps[some])
        place[some] = places + 1
        words = np.concatenate([words, distinct])
    bits = np.arange(indicators, dtype=np.uint64)[:, None]
    return Patterns(gone=(words >> bits & np.uint64(1)).astype(np.bool_), place=place, some=some)


def moved_rows(
    patterns: Patterns, moves: npt.NDArray[np.bool_]
) -> Iterator[tuple[int, npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
    """Rows whose points of an indicator are others than without a gap.

    Args:
        patterns: Patterns of the rows.
        moves: Where the points of an indicator move, shape (k, p).

    Yields:
        Indicator, some of its rows, and their patterns; no row twice for an indicator.
    """
    for start in range(0, len(patterns.some), BLOCK_ROWS):
        rows = patterns.some[start : start + BLOCK_ROWS]
        pattern = patterns.place[rows].astype(np.intp)
        for place, own in enumerate(moves):
            found = np.flatnonzero(own.take(pattern))
            if len(found):
                yield place, rows.take(found), pattern.take(found)


def weights_of_rows(
    weights: npt.NDArray[np.int32], place: npt.NDArray[np.int32]
) -> npt.NDArray[np.int32]:
    """Weights of every row, from those of its pattern.

    Args:
        weights: Weights of each pattern, hundredths, shape (k, p).
        place: Pattern of each row, shape (n,).

    Returns:
        Weights in hundredths, shape (k, n), made anew.
    """
    found = np.empty((len(weights), len(place)), np.int32)
    index = place.astype(np.intp)
    for row, own in zip(found, weights, strict=True):
        own.take(index, out=row, mode="clip")
    return found


def ranked(words: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.uint64], IntVector]:
    """Find the distinct words, and the place of each word among them.

    Args:
        words: Words other than 0, shape (n,).

    Returns:
        Distinct words, the most frequent first, shape (p,), and places, shape (n,).

    >>> distinct, places = ranked(np.array([9, 7, 7], np.uint64))
    >>> distinct.tolist(), places.tolist()
    ([7, 9], [1, 0, 0])
    """
    # Each word has a slot; of those that share one, one stays and the others are sorted.
    # That is several times faster than sorting them all, because words repeat.
    slot = (words * _SPREAD) >> np.uint64(64 - _SLOT_BITS)
    held = np.zeros(1 << _SLOT_BITS, np.uint64)
    held[slot] = words
    lost = np.flatnonzero(held[slot] != words)
    kept = np.flatnonzero(held)
    others = np.unique(words[lost])
    place_of = np.zeros(len(held), np.int64)
    place_of[kept] = np.arange(len(kept))
    places = place_of[slot]
    places[lost] = len(kept) + np.searchsorted(others, words[lost])
    distinct = np.concatenate([held[kept], others])
    # What belongs to frequent words lies close together and stays in the cache.
    order = np.argsort(-np.bincount(places, minlength=len(distinct)), kind="stable")
    rank = np.empty(len(distinct), np.int64)
    rank[order] = np.arange(len(distinct))
    return distinct[order], rank[places]
