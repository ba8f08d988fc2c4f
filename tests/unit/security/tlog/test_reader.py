from __future__ import annotations

import random

import pytest

from security.errors import LogCorruptError
from security.merkle import Frontier, Tree, consistency_path, leaf_hash, verify_consistency
from security.tlog.reader import TileReader
from security.tlog.tiles import bundle_name, tile_name
from security.tlog.writer import extend_tiles, prune_tiles
from security.transparency import Checkpoint
from tests.support.tile_logs import ORIGIN, MemoryTiles, checkpoint_of, leaves, written

LARGE = 70_000


@pytest.fixture(scope="module")
def large() -> tuple[MemoryTiles, Tree, list[bytes]]:
    hashes = [leaf_hash(leaf) for leaf in leaves(0, LARGE)]
    return written(LARGE), Tree(hashes), hashes


def test_proofs_from_tiles_equal_proofs_from_the_tree(
    large: tuple[MemoryTiles, Tree, list[bytes]],
) -> None:
    store, tree, hashes = large
    reader = TileReader(store, Checkpoint(origin=ORIGIN, size=LARGE, root=tree.root))
    draw = random.Random(7)  # noqa: S311 - a draw of cases
    for index in [0, 255, 256, 65_535, 65_536, LARGE - 1, *draw.sample(range(LARGE), 40)]:
        assert reader.inclusion(index) == tree.inclusion_path(index)
    for old_size in (1, 256, 65_536, 65_537, LARGE - 1, LARGE):
        path = reader.consistency(old_size)
        assert path == consistency_path(hashes, old_size)
        old_root = reader.frontier(old_size).root()
        verify_consistency(old_size, LARGE, path, old_root, tree.root)


def test_the_frontier_is_that_of_the_leaves(
    large: tuple[MemoryTiles, Tree, list[bytes]],
) -> None:
    store, tree, hashes = large
    reader = TileReader(store, Checkpoint(origin=ORIGIN, size=LARGE, root=tree.root))
    for size in (0, 1, 300, 65_536, 66_000):
        grown = Frontier()
        for found in hashes[:size]:
            grown.append(found)
        assert reader.frontier(size).to_bytes() == grown.to_bytes()


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 511, 512, 1000, 65_536])
def test_every_entry_is_read_and_verified(size: int) -> None:
    reader = TileReader(written(size), checkpoint_of(leaves(0, size)))
    assert list(reader.entries(0, size)) == leaves(0, size)
    assert reader.checkpoint.size == size
    assert list(reader.entries(size // 3, size // 2)) == leaves(size // 3, size // 2)
    reader.verify_all()


@pytest.mark.parametrize("sizes", [(1, 2, 3), (255, 256, 257), (1, 300, 600, 66_000), (0, 513)])
def test_tiles_do_not_depend_on_how_the_log_grew(sizes: tuple[int, ...]) -> None:
    grown, once = written(*sizes), written(sizes[-1])
    assert {name: grown.files[name] for name in once.files} == once.files


def test_a_published_log_stays_readable_while_it_grows() -> None:
    store = written(300)
    old = checkpoint_of(leaves(0, 300))
    extend_tiles(store, 300, leaves(300, 700))
    TileReader(store, old).verify_all()


def test_completed_partial_tiles_go_and_nothing_else() -> None:
    store = written(300, 700)
    prune_tiles(store, 300, 700)
    assert tile_name(0, 1, 44) not in store.files
    assert bundle_name(1, 44) not in store.files
    TileReader(store, checkpoint_of(leaves(0, 700))).verify_all()
    before = dict(store.files)
    prune_tiles(store, 700, 700)
    assert store.files == before


def test_every_changed_byte_of_every_file_is_found() -> None:
    size = 520
    store, checkpoint = written(size), checkpoint_of(leaves(0, size))
    draw = random.Random(3)  # noqa: S311 - a draw of cases
    for name, content in list(store.files.items()):
        for at in {0, len(content) - 1, *draw.choices(range(len(content)), k=6)}:
            store.files[name] = (
                content[:at] + bytes([content[at] ^ 1 << draw.randrange(8)]) + content[at + 1 :]
            )
            with pytest.raises(LogCorruptError):
                TileReader(store, checkpoint).verify_all()
        store.files[name] = content
    TileReader(store, checkpoint).verify_all()


def test_every_missing_or_cut_file_is_found() -> None:
    store, checkpoint = written(520), checkpoint_of(leaves(0, 520))
    for name, content in list(store.files.items()):
        for changed in (None, content[:-1], b""):
            del store.files[name]
            if changed is not None:
                store.files[name] = changed
            with pytest.raises(LogCorruptError):
                TileReader(store, checkpoint).verify_all()
            store.files[name] = content


def test_tiles_of_another_log_are_refused() -> None:
    with pytest.raises(LogCorruptError, match="do not make the root"):
        TileReader(written(300), checkpoint_of(leaves(1, 301)))


def test_places_outside_the_log_are_refused() -> None:
    reader = TileReader(written(10), checkpoint_of(leaves(0, 10)))
    for call in (
        lambda: reader.subtree(3, 11),
        lambda: reader.inclusion(10),
        lambda: reader.consistency(11),
        lambda: reader.frontier(11),
        lambda: list(reader.entries(0, 11)),
    ):
        with pytest.raises(ValueError, match="of"):
            call()


def test_a_log_cannot_grow_on_missing_tiles() -> None:
    store = written(300)
    store.remove(tile_name(0, 1, 44))
    with pytest.raises(LogCorruptError, match=r"lacks tile/0/001\.p/44"):
        extend_tiles(store, 300, leaves(300, 301))


def test_few_tiles_are_kept_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("security.tlog.reader._KEPT", 3)
    reader = TileReader(written(2_000), checkpoint_of(leaves(0, 2_000)))
    tree = Tree(leaf_hash(leaf) for leaf in leaves(0, 2_000))
    for index in range(0, 2_000, 97):
        assert reader.inclusion(index) == tree.inclusion_path(index)
