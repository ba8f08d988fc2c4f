from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub.log.sequencer import publish, rebuild
from hub.store import log as leaf_log
from hub.store.engine import reading
from security.errors import LogCorruptError
from security.merkle import leaf_hash, verify_inclusion
from security.tlog.reader import TileReader
from security.tlog.tiles import tile_name
from security.transparency import verify_checkpoint
from tests.support.hub_logs import append, size

if TYPE_CHECKING:
    from tests.support.hub_city import City


def test_what_is_published_is_the_log(city: City) -> None:
    log = city.parts.log
    made = publish(log)
    total = made.checkpoint.size
    for count in (1, 2, 300, 300):
        total = append(log, count)
        made = publish(log)
        assert verify_checkpoint(made.note, city.parts.identity.anchor) == made.checkpoint
        assert made.checkpoint.size == total
    reader = TileReader(log.tiles(1), made.checkpoint)
    with reading(log.engine) as connection:
        stored = list(leaf_log.leaves(connection, 0, total))
        root = leaf_log.frontier_before(connection, total).root()
    assert list(reader.entries(0, total)) == [leaf.leaf for leaf in stored]
    verify_inclusion(leaf_hash(stored[77].leaf), 77, total, reader.inclusion(77), root)


def test_publishing_again_changes_nothing(city: City) -> None:
    log = city.parts.log
    append(log, 3)
    assert publish(log) == publish(log)


def test_an_empty_log_has_a_checkpoint_as_well(city: City) -> None:
    if size(city.parts.log) == 0:
        assert publish(city.parts.log).checkpoint.size == 0


def test_missing_tiles_are_not_papered_over(city: City) -> None:
    log = city.parts.log
    total = append(log, 3)
    publish(log)
    log.tiles(1).remove(tile_name(0, 0, total))
    append(log, 1)
    with pytest.raises(LogCorruptError, match="lacks"):
        publish(log)
    assert rebuild(log).checkpoint.size == total + 1


def test_a_changed_leaf_is_never_published_as_the_same_history(city: City) -> None:
    log = city.parts.log
    append(log, 3)
    publish(log)
    with log.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE log_leaf SET leaf = x'00' WHERE log_index = 1")
    with pytest.raises(LogCorruptError):
        rebuild(log)
