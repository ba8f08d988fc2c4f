from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hub.errors import ConfigurationError
from hub.exchange.parent import join_parent
from hub.log.listing import log_status
from hub.log.sequencer import publish
from hub.log.service import keep_log
from security.errors import LogCorruptError
from security.tlog.tiles import tile_name
from tests.support.hub_city import CITY, serving
from tests.support.hub_logs import append, with_quorum
from tests.support.witnesses import befriend

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


async def _joined(city: City, province: City) -> None:
    address = province.parts.address(province.parts.addresses().enrolment_port)
    token = replace(province.token(CITY), enrolment_address=address).encode()
    await join_parent(
        city.parts.parent_directory, token, own=city.parts.identity.hub, now=city.clock()
    )


async def test_the_daemon_asks_the_parent_where_it_is_a_witness(city: City, province: City) -> None:
    log = with_quorum(city.parts.log, 1)
    said: list[str] = []
    async with serving(province.parts):
        await _joined(city, province)
        async with keep_log(log, city.parts.parent_directory, 60_000, said.append):
            assert not log.mode.is_writable
        befriend(log, province.parts.log)
        async with keep_log(log, city.parts.parent_directory, 60_000, said.append):
            while not log.mode.is_writable:  # noqa: ASYNC110 - the round ends in a thread
                await asyncio.sleep(0.01)
    assert said == []


async def test_a_parent_that_does_not_answer_is_said_and_noted(city: City, province: City) -> None:
    log = with_quorum(city.parts.log, 1)
    befriend(log, province.parts.log)
    said: list[str] = []
    async with serving(province.parts):
        await _joined(city, province)
    noted: list[str] = []

    def say(text: str) -> None:
        # Who reads the line finds the same in the status already.
        noted.extend(row["trouble"] for row in log_status(log)["witnesses"])
        said.append(text)

    async with keep_log(log, city.parts.parent_directory, 60_000, say):
        while not said:  # noqa: ASYNC110 - said by the service, which tells nobody else
            await asyncio.sleep(0.01)
    assert "could not be asked" in said[0]
    (trouble,) = noted
    assert "line to" in trouble
    assert "0 of 1 witnesses" in log_status(log)["reason"]


def test_a_quorum_that_cannot_be_met_is_told(city: City) -> None:
    status = log_status(with_quorum(city.parts.log, 2))
    assert any("will never open" in warning for warning in status["warnings"])
