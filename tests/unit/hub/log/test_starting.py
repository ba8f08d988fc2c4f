from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from hub.errors import LogReadOnlyError
from hub.log.sequencer import publish, rebuild
from hub.log.starting import check_state
from hub.store import log as leaf_log
from hub.store import log_peers
from hub.store.engine import writing
from security.errors import LogCorruptError, LogRollbackError
from security.tlog.tiles import CHECKPOINT, tile_name
from security.transparency import Checkpoint
from tests.support.hub_city import open_city
from tests.support.hub_logs import append

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.hub_city import City

DAMAGES = (
    "UPDATE log_leaf SET leaf = CAST(leaf || x'00' AS BLOB) WHERE log_index = 5",
    "UPDATE log_leaf SET hash = zeroblob(32) WHERE log_index = 5",
    "DELETE FROM log_leaf WHERE log_index = 5",
    "DELETE FROM log_leaf WHERE log_index = (SELECT max(log_index) FROM log_leaf)",
    "UPDATE log_state SET frontier = zeroblob(length(frontier))",
    "UPDATE log_state SET frontier = substr(frontier, 1, 20)",
    "UPDATE log_frontier SET frontier = zeroblob(40)",
    "DELETE FROM log_state",
)


def damage(city: City, statement: str) -> None:
    with city.parts.engine.begin() as connection:
        connection.exec_driver_sql(statement)


def test_a_sound_log_passes(city: City) -> None:
    check_state(city.parts.log)
    append(city.parts.log, 300)
    check_state(city.parts.log)
    publish(city.parts.log)
    append(city.parts.log, 1)
    check_state(city.parts.log)


@pytest.mark.parametrize("statement", DAMAGES)
def test_a_damaged_row_is_found(
    city: City, statement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leaf_log, "FRONTIER_EVERY", 8)
    append(city.parts.log, 20)
    publish(city.parts.log)
    damage(city, statement)
    with pytest.raises(LogCorruptError):
        check_state(city.parts.log)


def test_a_leaf_changed_with_all_that_follows_from_it_contradicts_what_was_published(
    city: City,
) -> None:
    log = city.parts.log
    total = append(log, 4)
    publish(log)
    for table in ("log_leaf", "log_state", "log_frontier"):
        damage(city, f"DELETE FROM {table}")  # noqa: S608 - names from above
    append(log, total, word="other")
    with pytest.raises(LogCorruptError, match="a leaf was changed"):
        check_state(log)


def test_a_database_behind_its_tiles_names_both_sizes(city: City) -> None:
    log = city.parts.log
    total = append(log, 3)
    append(log, 4)
    publish(log)
    damage(city, f"DELETE FROM log_leaf WHERE log_index >= {total}")  # noqa: S608 - a number
    with log.engine.begin() as connection:
        frontier = leaf_log.extend_frontier(connection, bytes(8), 0, total)
        leaf_log.save_state(connection, {"size": total, "frontier": frontier.to_bytes()})

    with pytest.raises(LogRollbackError, match=f"holds {total} leaves.*but {total + 4}"):
        check_state(log)
    with pytest.raises(LogRollbackError, match="recover"):
        publish(log)
    with pytest.raises(LogRollbackError, match="recover"):
        rebuild(log)


def test_a_hub_behind_its_tiles_opens_read_only(city: City, tmp_path: Path) -> None:
    log = city.parts.log
    append(log, 3)
    publish(log)
    old = tmp_path / "old"
    shutil.copytree(city.parts.directory, old, ignore=shutil.ignore_patterns("*.sock", "*.lock"))
    append(log, 4)
    publish(log)
    shutil.rmtree(old / "log")
    shutil.copytree(city.parts.directory / "log", old / "log")
    with open_city(old) as reopened:
        with pytest.raises(LogReadOnlyError, match="restored from an old copy"):
            append(reopened.parts.log, 1)
        with pytest.raises(LogRollbackError):
            check_state(reopened.parts.log)


@pytest.mark.parametrize("at", [0, 40, -2])
def test_a_damaged_checkpoint_is_found(city: City, at: int) -> None:
    log = city.parts.log
    append(log, 3)
    publish(log)
    path = city.parts.directory / "log" / "log1" / CHECKPOINT
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
    with pytest.raises(LogCorruptError, match="checkpoint is damaged"):
        check_state(log)


def test_a_damaged_tile_is_found_and_mended_from_the_database(city: City) -> None:
    log = city.parts.log
    total = append(log, 3)
    publish(log)
    path = city.parts.directory / "log" / "log1" / tile_name(0, 0, total)
    path.write_bytes(bytes(len(path.read_bytes())))
    with pytest.raises(LogCorruptError, match="tiles are damaged"):
        check_state(log)
    rebuild(log)
    check_state(log)


def test_a_cosigned_size_that_is_not_held_is_a_rollback(city: City) -> None:
    log = city.parts.log
    total = append(log, 3)
    later = Checkpoint(origin=log.origin(1), size=total + 2, root=bytes(32))
    _cosigned(city, later)
    with pytest.raises(LogRollbackError, match=f"holds {total} leaves.*but {total + 2}"):
        check_state(log)


def test_another_cosigned_root_is_a_rollback(city: City) -> None:
    log = city.parts.log
    total = append(log, 3)
    _cosigned(city, Checkpoint(origin=log.origin(1), size=total - 1, root=bytes(32)))
    with pytest.raises(LogRollbackError, match="cosigned another root"):
        check_state(log)


def _cosigned(city: City, checkpoint: Checkpoint) -> None:
    with writing(city.parts.engine) as connection:
        log_peers.add_cosignature(
            connection,
            log_peers.StoredCosignature(
                checkpoint=checkpoint, witness="province/witness", lines="", at_ms=1
            ),
        )


def test_every_leaf_is_counted_for_those_who_wait(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leaf_log, "FRONTIER_EVERY", 8)
    total = append(city.parts.log, 40)
    seen: list[int] = []

    def progress(stage: str, done: int, total: int = 0, unit: str = "") -> None:
        assert (stage, unit) == ("verifying", "leaves")
        seen.append(done * bool(total))

    check_state(city.parts.log, tail=total, progress=progress)
    assert seen == list(range(8, total + 1, 8))
