from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub.errors import ConfigurationError
from hub.log.sequencer import publish
from hub.log.service import keep_log
from security.errors import LogCorruptError
from security.tlog.tiles import tile_name
from tests.support.hub_city import CITY, serving
from tests.support.hub_logs import append

if TYPE_CHECKING:
    from tests.support.hub_city import City


async def test_what_was_appended_is_published_when_the_hub_stops(city: City) -> None:
    log = city.parts.log
    said: list[str] = []
    async with keep_log(log, city.parts.parent_directory, 60_000, said.append):
        total = append(log, 3)
    published = log.find_published(1)
    assert published is not None
    assert published.checkpoint.size == total
    assert said == []


async def test_a_damaged_log_keeps_the_daemon_from_serving(city: City) -> None:
    log = city.parts.log
    total = append(log, 3)
    publish(log)
    log.tiles(1).write(tile_name(0, 0, total), bytes(32 * total))
    with pytest.raises(LogCorruptError, match="tiles are damaged"):
        async with serving(city.parts):
            pytest.fail("the hub serves over a damaged log")


async def test_tiles_that_cannot_be_read_are_told(city: City) -> None:
    log = city.parts.log
    append(log, 1)
    publish(log)
    checkpoint = city.parts.directory / "log" / "log1" / "checkpoint"
    checkpoint.unlink()
    checkpoint.mkdir()
    with pytest.raises(ConfigurationError, match="cannot be used"):
        async with keep_log(log, city.parts.parent_directory, 1_000, lambda _text: None):
            pytest.fail("the log cannot be read")


async def test_a_log_that_turns_bad_is_said_once_and_closed(city: City) -> None:
    log = city.parts.log
    total = append(log, 3)
    publish(log)
    said: list[str] = []
    async with keep_log(log, city.parts.parent_directory, 60_000, said.append):
        log.tiles(1).remove(tile_name(0, 0, total))
        append(log, 1)
    assert len(said) == 1
    assert "lacks tile/0/000.p" in said[0]
    assert not log.mode.is_writable


def test_the_witness_name_follows_from_the_hub(city: City) -> None:
    assert city.parts.log.witness_name == f"yixin/{CITY.removeprefix('yixin://')}/witness"
    assert city.parts.log.witness() == city.parts.log.witness()
