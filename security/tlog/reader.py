"""Reading a log from its tiles: proofs and leaves, nothing of which is believed unproved.

Rules, in order:

1. The tiles at the right edge of the tree make the checkpoint's root, or nothing is read.
2. Every full tile makes the hash that stands for it one level above.
3. Every entry makes the hash at its place of level 0.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Final

from security.errors import LogCorruptError
from security.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_path_over,
    frontier_over,
    inclusion_path_over,
    leaf_hash,
    node_hash,
    root,
)
from security.tlog.tiles import (
    LEVEL_BITS,
    MAX_LEVEL,
    WIDTH,
    bundle_name,
    split_entries,
    split_hashes,
    tile_name,
    width_at,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from security.tlog.store import TileStore
    from security.transparency import Checkpoint

_KEPT: Final = 1024
"""Verified tiles kept in memory, 8 KiB each."""


class TileReader:
    """The log of one checkpoint, as its tiles show it."""

    __slots__ = ("_checkpoint", "_kept", "_store")

    def __init__(self, store: TileStore, checkpoint: Checkpoint) -> None:
        """Verify the right edge (step 1).

        Args:
            store: Holds the tiles.
            checkpoint: State of the log; its signature was verified by the caller.

        Raises:
            LogCorruptError: The tiles do not make the checkpoint's root.
        """
        self._store = store
        self._checkpoint = checkpoint
        self._kept: dict[tuple[int, int], tuple[bytes, ...]] = {}
        found = self._edge_root()
        if not hmac.compare_digest(found, checkpoint.root):
            raise LogCorruptError(
                f"the tiles do not make the root of the checkpoint of {checkpoint.size} leaves"
            )

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint that is read."""
        return self._checkpoint

    def subtree(self, low: int, high: int) -> bytes:
        """Root over the leaves from one place up to another, as RFC 6962 cuts a tree.

        Raises:
            LogCorruptError: A tile is missing or does not fit.
            ValueError: There are no such leaves.
        """
        if not 0 <= low < high <= self._checkpoint.size:
            raise ValueError(f"leaves {low} to {high} of {self._checkpoint.size}")
        span = high - low
        height = (span - 1).bit_length()
        if span == 1 << height and low % span == 0:
            level, inside = divmod(height, LEVEL_BITS)
            start = low >> LEVEL_BITS * level
            index, at = divmod(start, WIDTH)
            return root(self._tile(level, index)[at : at + (1 << inside)])
        split = low + (1 << height - 1)
        return node_hash(self.subtree(low, split), self.subtree(split, high))

    def inclusion(self, index: int) -> tuple[bytes, ...]:
        """Path from a leaf to the checkpoint's root.

        Raises:
            LogCorruptError: A tile is missing or does not fit.
            ValueError: There is no such leaf.
        """
        return inclusion_path_over(self.subtree, index, self._checkpoint.size)

    def consistency(self, old_size: int) -> tuple[bytes, ...]:
        """Proof that the checkpoint continues the log of the first ``old_size`` leaves.

        Raises:
            LogCorruptError: A tile is missing or does not fit.
            ValueError: The old log is larger.
        """
        return consistency_path_over(self.subtree, old_size, self._checkpoint.size)

    def frontier(self, size: int) -> Frontier:
        """Compact range of the first ``size`` leaves.

        Raises:
            LogCorruptError: A tile is missing or does not fit.
            ValueError: The log is smaller.
        """
        if not 0 <= size <= self._checkpoint.size:
            raise ValueError(f"{size} leaves of {self._checkpoint.size}")
        return frontier_over(self.subtree, size)

    def entries(self, start: int, end: int) -> Iterator[bytes]:
        """Leaves of a range, in order, each verified.

        Raises:
            LogCorruptError: A bundle or tile is missing or does not fit.
            ValueError: There are no such leaves.
        """
        if not 0 <= start <= end <= self._checkpoint.size:
            raise ValueError(f"leaves {start} to {end} of {self._checkpoint.size}")
        for index in range(start // WIDTH, -(-end // WIDTH)):
            width = width_at(0, index, self._checkpoint.size)
            name = bundle_name(index, width)
            entries = split_entries(self._read(name), width, name)
            hashes = self._tile(0, index)
            for at, (entry, expected) in enumerate(zip(entries, hashes, strict=True)):
                if leaf_hash(entry) != expected:
                    raise LogCorruptError(f"entry {index * WIDTH + at} is not the leaf of the log")
            first = index * WIDTH
            yield from entries[max(0, start - first) : end - first]

    def verify_all(self) -> None:
        """Read and verify every tile and every entry.

        Raises:
            LogCorruptError: One is missing or does not fit.
        """
        for _ in self.entries(0, self._checkpoint.size):
            pass

    def _edge_root(self) -> bytes:
        """Root that the partial tiles make; they are kept as verified when it fits (step 1)."""
        size = self._checkpoint.size
        peaks: list[bytes] = []
        for level in range(MAX_LEVEL, -1, -1):
            index, width = divmod(size >> LEVEL_BITS * level, WIDTH)
            if width:
                tile = self._load(level, index, width)
                self._kept[(level, index)] = tile
                peaks += _peaks(tile)
        if not peaks:
            return EMPTY_ROOT
        found = peaks.pop()
        while peaks:
            found = node_hash(peaks.pop(), found)
        return found

    def _tile(self, level: int, index: int) -> tuple[bytes, ...]:
        """A verified tile (step 2)."""
        kept = self._kept.get((level, index))
        if kept is not None:
            return kept
        above, at = divmod(index, WIDTH)
        expected = self._tile(level + 1, above)[at]
        tile = self._load(level, index, WIDTH)
        if root(tile) != expected:
            raise LogCorruptError(f"tile {tile_name(level, index)} is not the one of the log")
        if len(self._kept) >= _KEPT:
            # The edge comes first and stays: everything else is proved from it.
            del self._kept[next(key for key in self._kept if not self._is_edge(*key))]
        self._kept[(level, index)] = tile
        return tile

    def _is_edge(self, level: int, index: int) -> bool:
        return width_at(level, index, self._checkpoint.size) < WIDTH

    def _load(self, level: int, index: int, width: int) -> tuple[bytes, ...]:
        name = tile_name(level, index, width)
        return split_hashes(self._read(name), width, name)

    def _read(self, name: str) -> bytes:
        try:
            return self._store.read(name)
        except FileNotFoundError as error:
            raise LogCorruptError(f"the log lacks {name}") from error


def _peaks(tile: tuple[bytes, ...]) -> list[bytes]:
    """Roots of the perfect subtrees of a partial tile, the largest first."""
    peaks = []
    at = 0
    for bit in range(LEVEL_BITS - 1, -1, -1):
        span = 1 << bit
        if len(tile) & span:
            peaks.append(root(tile[at : at + span]))
            at += span
    return peaks
