"""Growing the tiles of a log.

Rules: leaves come in order and without a gap; entries are written before the hashes over them,
lower levels before higher ones; nothing that a published checkpoint needs is changed, so a crash
at any step leaves the published log as it was and the same call completes the new one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from security.errors import LogCorruptError
from security.merkle import leaf_hash, root
from security.tlog.tiles import (
    LEVEL_BITS,
    MAX_LEVEL,
    WIDTH,
    bundle_name,
    join_entries,
    split_entries,
    split_hashes,
    tile_name,
    width_at,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from security.tlog.store import TileStore


def extend_tiles(store: TileStore, size: int, leaves: Iterable[bytes]) -> int:
    """Append leaves to the tiles of a log.

    Args:
        store: Holds the tiles of the first ``size`` leaves.
        size: Leaves that the tiles hold.
        leaves: Leaves from index ``size`` on.

    Returns:
        Number of leaves that the tiles hold now.

    Raises:
        LogCorruptError: A tile that must be there is missing or malformed.
        OSError: The store refuses.
    """
    index, width = divmod(size, WIDTH)
    entries = list(_read_entries(store, index, width)) if width else []
    grown = size
    fresh: list[bytes] = []
    for chunk in _chunks(leaves, WIDTH - width):
        entries += chunk
        store.write(bundle_name(grown // WIDTH, len(entries)), join_entries(entries))
        fresh += [leaf_hash(leaf) for leaf in chunk]
        grown += len(chunk)
        if len(fresh) >= WIDTH * WIDTH:
            _write_levels(store, grown - len(fresh), fresh)
            fresh = []
        entries = []
    if fresh:
        _write_levels(store, grown - len(fresh), fresh)
    return grown


def prune_tiles(store: TileStore, old_size: int, size: int) -> None:
    """Remove the partial tiles of a published size that a larger published one completed.

    Args:
        store: Holds the tiles of both sizes.
        old_size: Size published before.
        size: Size published now.

    Raises:
        OSError: The store refuses.
    """
    for level in range(MAX_LEVEL + 1):
        index, width = divmod(old_size >> LEVEL_BITS * level, WIDTH)
        if not width or width_at(level, index, size) == width:
            continue
        store.remove(tile_name(level, index, width))
        if level == 0:
            store.remove(bundle_name(index, width))


def _write_levels(store: TileStore, first: int, hashes: list[bytes]) -> None:
    """Write the tiles over new leaf hashes, level by level."""
    level, start, fresh = 0, first, hashes
    while fresh and level <= MAX_LEVEL:
        index, width = divmod(start, WIDTH)
        row = [*(_read_hashes(store, level, index, width) if width else ()), *fresh]
        full: list[bytes] = []
        for at in range(0, len(row), WIDTH):
            tile = row[at : at + WIDTH]
            store.write(tile_name(level, index + at // WIDTH, len(tile)), b"".join(tile))
            if len(tile) == WIDTH:
                full.append(root(tile))
        level, start, fresh = level + 1, index, full


def _read_entries(store: TileStore, index: int, width: int) -> tuple[bytes, ...]:
    name = bundle_name(index, width)
    return split_entries(_read(store, name), width, name)


def _read_hashes(store: TileStore, level: int, index: int, width: int) -> tuple[bytes, ...]:
    name = tile_name(level, index, width)
    return split_hashes(_read(store, name), width, name)


def _read(store: TileStore, name: str) -> bytes:
    try:
        return store.read(name)
    except FileNotFoundError as error:
        raise LogCorruptError(f"the log lacks {name}") from error


def _chunks(leaves: Iterable[bytes], first: int) -> Iterator[list[bytes]]:
    """Cut leaves where bundles end."""
    chunk: list[bytes] = []
    room = first
    for leaf in leaves:
        chunk.append(leaf)
        if len(chunk) == room:
            yield chunk
            chunk, room = [], WIDTH
    if chunk:
        yield chunk
