"""Files of the tree: its leaves' hashes, and the roots of its full subtrees, in their order.

Rules:
- ``leaves`` holds 32 bytes per leaf, ``level8`` and ``level16`` one hash per full subtree of
  256 and 65,536 leaves: any root or path is a few thousand hashes away;
- files only grow; how much of them counts is in the database, which learns of it after they are
  durable; bytes beyond that are leftovers of a crash and are cut before the next ones.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from node.errors import StoreError
from security.at_rest import FileLayer
from security.merkle import HASH_BYTES, fold

__all__ = ["KEPT", "LeafFiles", "recorded_files"]

_STEP: Final = 8
KEPT: Final = (2 * _STEP, _STEP)
"""Heights of the subtrees whose roots are kept beside the leaves, highest first."""
_NAMES: Final = {0: "leaves", 8: "level8", 16: "level16"}
_READ_NODES: Final = 1 << 20
"""So many hashes are held at once: 32 MiB."""


def recorded_files(size: int) -> dict[str, int]:
    """Say which files hold a tree of so many leaves, and how many bytes of each count.

    >>> recorded_files(257)
    {'leaves': 8224, 'level8': 32}
    """
    counted = {_NAMES[level]: (size >> level) * HASH_BYTES for level in _NAMES}
    return {name: count for name, count in counted.items() if count}


class LeafFiles:
    """The files of one directory; one writer, any number of readers of what is recorded."""

    def __init__(self, directory: Path, layer: FileLayer) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._directory = directory
        self._layer = layer

    def extend(self, size: int, leaves: Iterable[bytes]) -> int:
        """Append leaves and the subtrees that they fill; durable when this returns.

        Args:
            size: Number of leaves that the database has recorded.
            leaves: Runs of leaf hashes, in order.

        Returns:
            Number of leaves now, for the database to record.

        Raises:
            StoreError: A file is shorter than what was recorded.
            OSError: The disk is full or fails.
        """
        added = self._append(0, size, leaves)
        below = 0
        for level in reversed(KEPT):
            done, full = size >> level, added >> level
            self._append(level, done, self._folded(below, done, full))
            below = level
        self._layer.fsync_directory(self._directory)
        self._layer.fsync_directory(self._directory.parent)
        return added

    def read(self, level: int, first: int, stop: int) -> bytes:
        """Read the hashes of a level from one place up to another.

        Raises:
            StoreError: The file is missing or shorter than that.
        """
        path = self._directory / _NAMES[level]
        wanted = (stop - first) * HASH_BYTES
        try:
            with path.open("rb") as file:
                found = os.pread(file.fileno(), wanted, first * HASH_BYTES)
        except FileNotFoundError:
            found = b""
        if len(found) != wanted:
            raise StoreError(
                f"{path} ends before hash {stop} of its level, which the database has recorded;"
                " restore the node's directory as a whole from one backup"
            )
        return found

    def _append(self, level: int, count: int, parts: Iterable[bytes]) -> int:
        path = self._directory / _NAMES[level]
        if not path.exists():
            self._layer.create(path)
        if path.stat().st_size < count * HASH_BYTES:
            raise StoreError(
                f"{path} holds less than the {count} hashes that the database has recorded;"
                " restore the node's directory as a whole from one backup"
            )
        size = count * HASH_BYTES
        self._layer.truncate(path, size)
        for part in parts:
            self._layer.write(path, size, part)
            size += len(part)
        self._layer.fsync(path)
        return size // HASH_BYTES

    def _folded(self, below: int, done: int, full: int) -> Iterable[bytes]:
        """Make the hashes of a level from ``done`` to ``full`` out of the level below."""
        piece = _READ_NODES >> _STEP
        for first in range(done, full, piece):
            stop = min(first + piece, full)
            found = self.read(below, first << _STEP, stop << _STEP)
            for _ in range(_STEP):
                found = fold(found)
            yield found
