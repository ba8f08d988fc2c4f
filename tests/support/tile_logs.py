"""Logs in memory, with their tiles, for tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from security.merkle import leaf_hash, root
from security.tlog.writer import extend_tiles
from security.transparency import Checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterable

ORIGIN = "yixin/330300/hub/city/log1"


@dataclass(slots=True)
class MemoryTiles:
    """A store of tiles in memory."""

    files: dict[str, bytes] = field(default_factory=dict)

    def read(self, name: str) -> bytes:
        try:
            return self.files[name]
        except KeyError:
            raise FileNotFoundError(name) from None

    def write(self, name: str, content: bytes) -> None:
        self.files[name] = content

    def remove(self, name: str) -> None:
        self.files.pop(name, None)


def leaves(start: int, end: int) -> list[bytes]:
    """Leaves by their index."""
    return [b"leaf %d" % index for index in range(start, end)]


def checkpoint_of(entries: Iterable[bytes], origin: str = ORIGIN) -> Checkpoint:
    """Checkpoint over leaves."""
    hashes = [leaf_hash(entry) for entry in entries]
    return Checkpoint(origin=origin, size=len(hashes), root=root(hashes))


def written(*sizes: int) -> MemoryTiles:
    """Tiles of a log that grew through these sizes."""
    store = MemoryTiles()
    size = 0
    for wanted in sizes:
        size = extend_tiles(store, size, leaves(size, wanted))
    return store
