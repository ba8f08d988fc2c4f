from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from security.errors import LogCorruptError
from security.tlog.reader import TileReader
from security.tlog.store import DirectoryTiles, FsspecTiles, TileStore, open_tiles
from security.tlog.writer import extend_tiles
from tests.support.tile_logs import MemoryTiles, checkpoint_of, leaves

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(params=["directory", "memory-url", "file-url", "test-double"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> TileStore:
    if request.param == "test-double":
        return MemoryTiles()
    place: dict[str, str | Path] = {
        "directory": tmp_path / "log",
        "memory-url": f"memory://{tmp_path.name}",
        "file-url": f"file://{tmp_path / 'log'}",
    }
    return open_tiles(place[request.param])


def test_what_was_written_is_read(store: TileStore) -> None:
    store.write("tile/0/000.p/1", b"one")
    store.write("tile/0/000.p/1", b"other")
    assert store.read("tile/0/000.p/1") == b"other"


def test_what_is_not_there_is_not_found(store: TileStore) -> None:
    with pytest.raises(FileNotFoundError):
        store.read("tile/0/000")
    store.remove("tile/0/000")
    store.write("checkpoint", b"x")
    store.remove("checkpoint")
    with pytest.raises(FileNotFoundError):
        store.read("checkpoint")


def test_a_log_grows_in_every_store(store: TileStore) -> None:
    assert extend_tiles(store, 0, leaves(0, 300)) == 300
    assert extend_tiles(store, 300, leaves(300, 301)) == 301
    TileReader(store, checkpoint_of(leaves(0, 301))).verify_all()


def test_names_lead_nowhere_else(tmp_path: Path) -> None:
    store = DirectoryTiles(tmp_path / "log")
    for name in ("../hub.db", "tile//0", "/etc/passwd", "", "tile/./0"):
        with pytest.raises(ValueError, match="no name of a tile"):
            store.write(name, b"x")


def test_directories_are_for_their_owner_alone(tmp_path: Path) -> None:
    DirectoryTiles(tmp_path / "log").write("tile/0/000.p/1", b"x")
    assert (tmp_path / "log").stat().st_mode & 0o077 == 0
    assert (tmp_path / "log" / "tile" / "0" / "000.p" / "1").stat().st_mode & 0o077 == 0


def test_an_unknown_file_system_is_told() -> None:
    with pytest.raises(LogCorruptError, match=r"correct log\.tiles|Correct log\.tiles"):
        FsspecTiles("nowhere-at-all://bucket/log")
