"""A fleet meets a real node: everything arrives once and in order, impostors are told apart."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from edge_devices.errors import DeviceConfigurationError
from edge_devices.simulators.fleet import FleetOrder, join_fleet, run_fleet
from security.devices import Place
from tests.support.edge_node import START, edge_node

if TYPE_CHECKING:
    from pathlib import Path

BEGUN = [0.0]


@pytest.fixture(autouse=True)
def begun() -> None:
    """The node's clock stands still: ours begins with it, in every test anew."""
    BEGUN[0] = time.monotonic()


def now() -> datetime:
    """Real seconds, from the moment of the node under test."""
    return START + timedelta(seconds=time.monotonic() - BEGUN[0])


def steady() -> datetime:
    return datetime.fromtimestamp(time.monotonic(), tz=UTC)


async def test_every_event_of_a_fleet_is_held_and_a_second_run_goes_on(tmp_path: Path) -> None:
    said: list[str] = []
    with edge_node(tmp_path / "node") as node:
        async with node.serving():
            tokens = [
                node.token(name, place)
                for name, place in (("b1", Place.BED), ("w1", Place.WINDOW), ("w2", Place.WINDOW))
            ]
            order = FleetOrder(events=15, persons=4, impostors=0.3, seed=4)
            runs = []
            for _ in range(2):
                fleet = await join_fleet(tokens, tmp_path / "fleet", now)
                runs.append(await run_fleet(fleet, order, now=now, steady=steady, say=said.append))
        devices = node.store.edge.devices
        held = [
            (queue.through, queue.lost)
            for row in devices.rows()
            for queue in devices.queues(row.id)
        ]
    assert [(one.events, one.refused) for one in runs] == [(15, 0), (15, 0)]
    assert runs[0].terminals == 3
    assert 0 < runs[0].impostors < 10
    assert runs[0].verdicts == {"unjudged": 15}, "no threshold for drawn faces"
    assert held == [(10, 0)] * 3
    assert not any("Offline" in line for line in said)


async def test_people_of_another_seed_are_other_people(tmp_path: Path) -> None:
    with edge_node(tmp_path / "node") as node:
        async with node.serving():
            fleet = await join_fleet([node.token()], tmp_path / "fleet", now)
            first = FleetOrder(events=1, persons=1, impostors=0.0, seed=1)
            await run_fleet(fleet, first, now=now, steady=steady, say=print)
            other = FleetOrder(events=1, persons=1, impostors=0.0, seed=2)
            with pytest.raises(DeviceConfigurationError, match="take the seed of the run before"):
                await run_fleet(fleet, other, now=now, steady=steady, say=print)


async def test_a_fleet_needs_a_counter_where_people_are_enrolled(tmp_path: Path) -> None:
    with edge_node(tmp_path / "node") as node:
        async with node.serving():
            fleet = await join_fleet([node.token("b1", Place.BED)], tmp_path / "fleet", now)
            order = FleetOrder(events=1, persons=1, impostors=0.0, seed=1)
            with pytest.raises(DeviceConfigurationError, match="where people are enrolled"):
                await run_fleet(fleet, order, now=now, steady=steady, say=print)


async def test_a_token_is_for_one_terminal(tmp_path: Path) -> None:
    with edge_node(tmp_path / "node") as node:
        async with node.serving():
            token = node.token()
            with pytest.raises(DeviceConfigurationError, match="2 tokens for 1 devices"):
                await join_fleet([token, token], tmp_path, now)
    with pytest.raises(DeviceConfigurationError, match="0 tokens"):
        await join_fleet([], tmp_path, now)
