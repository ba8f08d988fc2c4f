"""Where texts stand among others: millions of rows matched to a million subjects.

Rules:
- A text is matched by comparing all of it; a hash only says where to look.
- Few texts are looked up by sorting; many by tables of hashes, whose clashes go to the next
  table. Where a clash stays in all of them, sorting does it. Every way gives the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scoring_kernel.measures import BoolVector, TextVector

FEW: Final = 4_096
"""Up to so many wanted or found texts sorting is as fast."""
TABLES: Final = 12
"""Most tables of hashes: each leaves about one clash in ten for the next, and texts of the same
hash, which hardly exist, for sorting."""

_BLOCK: Final = 16_384
_BYTE: Final = 255
_MULTIPLIER: Final = 0x9E37_79B9_7F4A_7C15
"""Odd number with bits spread out, for hashing by multiplication.

Source:
    Knuth, The Art of Computer Programming, volume 3, section 6.4.
"""


def positions(wanted: TextVector, found: TextVector) -> tuple[npt.NDArray[np.intp], BoolVector]:
    """Position of each found text in ``wanted``, and whether it is there at all.

    Args:
        wanted: Unique texts, at least one.
        found: Texts to look up.

    Returns:
        Positions, shape of ``found``, any where the text is not there; and whether it is.

    >>> places, known = positions(np.array(["b", "a"]), np.array(["a", "c", "b"]))
    >>> places[known].tolist(), known.tolist()
    ([1, 0], [True, False, True])
    """
    if min(len(wanted), len(found)) <= FEW or not (_is_latin(wanted) and _is_latin(found)):
        return _by_sorting(wanted, found)
    width = max(wanted.dtype.itemsize, found.dtype.itemsize) // 4
    packed = _packed(wanted, width)
    tables = _tables(packed)
    if tables is None:
        return _by_sorting(wanted, found)
    places = np.zeros(len(found), np.intp)
    known = np.zeros(len(found), np.bool_)
    # Block by block, so that what was read stays in the processor's cache.
    for start in range(0, len(found), _BLOCK):
        rows = slice(start, start + _BLOCK)
        _look_up(packed, tables, _packed(found[rows], width), places[rows], known[rows])
    return places, known


def _is_latin(values: TextVector) -> bool:
    """Whether they are texts with no character beyond one byte, as every subject id is."""
    if not values.flags.c_contiguous:
        return False
    points = values.view(np.uint32)
    return all(
        int(points[start : start + _BLOCK].max()) <= _BYTE
        for start in range(0, len(points), _BLOCK)
    )


def _packed(texts: TextVector, width: int) -> npt.NDArray[np.uint64]:
    """Texts as whole words of eight characters, shape (words, n); equal where the texts are."""
    points = texts.view(np.uint32).reshape(len(texts), texts.dtype.itemsize // 4)
    bytes_ = np.zeros((len(texts), -(-width // 8) * 8), np.uint8)
    bytes_[:, : points.shape[1]] = points
    return np.ascontiguousarray(bytes_.view(np.uint64).T)


def _by_sorting(wanted: TextVector, found: TextVector) -> tuple[npt.NDArray[np.intp], BoolVector]:
    order = np.argsort(wanted, kind="stable")
    ranked = wanted[order]
    slot = np.minimum(np.searchsorted(ranked, found), len(wanted) - 1)
    return order[slot], np.asarray(ranked[slot] == found)


def _tables(wanted: npt.NDArray[np.uint64]) -> list[npt.NDArray[np.int32]] | None:
    """Tables of positions by hash; None where some clash in all of them."""
    count = wanted.shape[1]
    bits = int(count - 1).bit_length() + 2
    hashes = _hashes(wanted)
    left = np.arange(count, dtype=np.int32)
    tables: list[npt.NDArray[np.int32]] = []
    while len(left):
        if len(tables) == TABLES:
            return None
        table = np.full(1 << bits, -1, np.int32)
        slot = _slots(hashes[left], table)
        table[slot] = left
        tables.append(table)
        left = left[table[slot] != left]
        hashes = _mixed(hashes)
    return tables


def _look_up(
    wanted: npt.NDArray[np.uint64],
    tables: Sequence[npt.NDArray[np.int32]],
    found: npt.NDArray[np.uint64],
    places: npt.NDArray[np.intp],
    known: BoolVector,
) -> None:
    """Fill in the places of one block and where they are known."""
    hashes = _hashes(found)
    rest: npt.NDArray[np.intp] | slice = slice(None)
    for table in tables:
        candidate = table[_slots(hashes, table)].astype(np.intp)
        same = candidate >= 0
        for ours, theirs in zip(wanted, found, strict=True):
            same &= ours.take(candidate, mode="wrap") == theirs[rest]
        # Until it is found, a text may have any place.
        places[rest] = candidate
        known[rest] = same
        left = np.flatnonzero(~same)
        if not len(left):
            break
        rest = left if isinstance(rest, slice) else rest[left]
        hashes = _mixed(hashes[left])


def _slots(hashes: npt.NDArray[np.uint64], table: npt.NDArray[np.int32]) -> npt.NDArray[np.intp]:
    """Places of hashes in a table, by their upper bits."""
    return (hashes >> np.uint64(65 - len(table).bit_length())).astype(np.intp)


def _hashes(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Hash of each text."""
    hashes = np.zeros(words.shape[1], np.uint64)
    for word in words:
        hashes = _mixed(hashes ^ word)
    return hashes


def _mixed(hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The same hashes anew: texts that clashed in one table hardly do in the next."""
    mixed = hashes ^ (hashes >> np.uint64(31))
    mixed *= np.uint64(_MULTIPLIER)
    mixed ^= mixed >> np.uint64(27)
    return mixed
