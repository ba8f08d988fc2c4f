"""Names and bytes of tiles and entry bundles.

Rules: a tile holds up to 256 hashes of one level of the tree, a bundle up to 256 leaves, each
behind its length; a hash at level L stands for 256^L leaves; a tile of fewer hashes is partial and
has its width in its name. Source: C2SP tlog-tiles, "Merkle Tree" and "Log entries".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from security.errors import LogCorruptError
from security.merkle import HASH_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH: Final = 256
"""Hashes of a full tile."""
LEVEL_BITS: Final = 8
MAX_LEVEL: Final = 7
"""Highest level: 256^8 leaves are more than a log may hold."""
MAX_ENTRY_BYTES: Final = 65_535
MAX_BUNDLE_BYTES: Final = WIDTH * (MAX_ENTRY_BYTES + 2)
CHECKPOINT: Final = "checkpoint"
"""Name of the newest published checkpoint."""
_LENGTH_BYTES: Final = 2
_GROUP: Final = 1000


def tile_name(level: int, index: int, width: int = WIDTH) -> str:
    """Path of a tile.

    >>> tile_name(0, 1234067)
    'tile/0/x001/x234/067'
    >>> tile_name(1, 3, 5)
    'tile/1/003.p/5'
    """
    return f"tile/{level}/{_index_path(index)}{_suffix(width)}"


def bundle_name(index: int, width: int = WIDTH) -> str:
    """Path of an entry bundle.

    >>> bundle_name(0, 7)
    'tile/entries/000.p/7'
    """
    return f"tile/entries/{_index_path(index)}{_suffix(width)}"


def _index_path(index: int) -> str:
    parts = [f"{index % _GROUP:03d}"]
    while index := index // _GROUP:
        parts.append(f"x{index % _GROUP:03d}")
    return "/".join(reversed(parts))


def _suffix(width: int) -> str:
    return "" if width == WIDTH else f".p/{width}"


def width_at(level: int, index: int, size: int) -> int:
    """Hashes that a tile has in a tree of a size; 0 when the tree has no such tile.

    >>> width_at(0, 1, 300), width_at(1, 0, 300), width_at(0, 2, 300)
    (44, 1, 0)
    """
    return max(0, min(WIDTH, (size >> LEVEL_BITS * level) - index * WIDTH))


def split_hashes(content: bytes, width: int, name: str) -> tuple[bytes, ...]:
    """The hashes of a tile.

    Raises:
        LogCorruptError: The tile has another length.
    """
    if len(content) != width * HASH_BYTES:
        raise LogCorruptError(
            f"tile {name} has {len(content)} bytes, expected {width * HASH_BYTES}"
        )
    return tuple(content[at : at + HASH_BYTES] for at in range(0, len(content), HASH_BYTES))


def join_entries(entries: Sequence[bytes]) -> bytes:
    """The bytes of an entry bundle.

    Raises:
        LogCorruptError: An entry is longer than its length field can say.
    """
    if any(len(entry) > MAX_ENTRY_BYTES for entry in entries):
        raise LogCorruptError(f"an entry of the log is longer than {MAX_ENTRY_BYTES} bytes")
    return b"".join(len(entry).to_bytes(_LENGTH_BYTES) + entry for entry in entries)


def split_entries(content: bytes, width: int, name: str) -> tuple[bytes, ...]:
    """The entries of a bundle.

    Raises:
        LogCorruptError: The bundle is not exactly ``width`` entries.
    """
    entries: list[bytes] = []
    at = 0
    while at < len(content) and len(entries) < width:
        start = at + _LENGTH_BYTES
        end = start + int.from_bytes(content[at:start])
        if start > len(content) or end > len(content):
            raise LogCorruptError(f"entry bundle {name} ends within entry {len(entries)}")
        entries.append(content[start:end])
        at = end
    if at != len(content) or len(entries) != width:
        raise LogCorruptError(f"entry bundle {name} does not hold exactly {width} entries")
    return tuple(entries)
