"""kill -9 of node or hub at several points of a synchronisation: nothing lost, nothing doubled."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson
import pytest

from deploy.demo.members import DemoNode, hubs_in, node_in
from deploy.demo.processes import Crew, number
from deploy.simulation.simulate import Order, simulate
from tests.e2e.conftest import processes_naming
from tests.support.town import Town, audited, held_at_hub, measured_at_node

pytestmark = pytest.mark.e2e

LONGEST_WAIT_S: Final = 60.0
OUTBOX: Final = "SELECT count(*) FROM x_outbox WHERE state >= "


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """When to kill whom: as soon as a count in a database has grown."""

    name: str
    victim: str
    database: str
    query: str


POINTS: Final = (
    Point(name="sealed", victim="node", database="exchange.db", query=f"{OUTBOX}1"),
    Point(name="logged", victim="node", database="hub.db", query="SELECT count(*) FROM log_leaf"),
    Point(name="receipted", victim="node", database="exchange.db", query=f"{OUTBOX}2"),
    Point(name="logged", victim="hub", database="hub.db", query="SELECT count(*) FROM log_leaf"),
)


class WatchedTown(Town):
    """A town whose synchronisations are killed."""

    def count(self, point: Point) -> int:
        own = point.database == "exchange.db"
        path = (self.node if own else self.hub).directory / point.database
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as connection:
            return int(connection.execute(point.query).fetchone()[0])

    async def interrupted(self, point: Point) -> bool:
        """Synchronise and kill at a point; True when it did not come to its end."""
        before = self.count(point)
        sync = await self.crew.daemon(
            "sync",
            *("node", "sync", "--dir", str(self.node.directory)),
            ready=self.node.directory,
        )
        await self._until(lambda: self.count(point) > before or sync not in self.crew.pids)
        was_running = sync in self.crew.pids
        if point.victim == "hub":
            await self.crew.kill(self.hub_pid)
            await self._until(lambda: sync not in self.crew.pids)
            await self.serve_hub()
        elif was_running:
            await self.crew.kill(sync)
        return was_running

    @staticmethod
    async def _until(holds: Callable[[], bool]) -> None:
        begun = time.monotonic()
        while not holds():
            assert time.monotonic() - begun < LONGEST_WAIT_S, "the synchronisation does not move"
            await asyncio.sleep(0)


def quiet(_what: str, _done: int, _total: int) -> None:
    """Report no progress."""


def settled_in(node: DemoNode) -> int:
    """Settlements less reversals that the platform accepted, from the messages themselves."""
    signs = {"2207": 1, "2304": 1, "2102": 1, "2208": -1, "2103": -1}
    exchanges = [
        orjson.loads(line)
        for path in node.messages.iterdir()
        for line in path.read_bytes().splitlines()
    ]
    return sum(
        signs.get(one["infno"], 0)
        for one in exchanges
        if one.get("response", {}).get("infcode") == 0
    )


def chunks_of(node: DemoNode, parts: int, out: Path) -> list[Path]:
    """Cut a node's messages so that every synchronisation has something new to say."""
    lines = [
        line for path in sorted(node.messages.iterdir()) for line in path.open("rb").readlines()
    ]
    paths = []
    for part in range(parts):
        paths.append(out / f"part-{part}.jsonl")
        paths[-1].write_bytes(b"".join(lines[part::parts]))
    return paths


async def test_nothing_is_lost_or_doubled_where_a_synchronisation_is_killed(tmp_path: Path) -> None:
    await _kill_at(tmp_path, [point for point in POINTS if point.name == "logged"])


@pytest.mark.faults
async def test_nothing_is_lost_or_doubled_wherever_a_synchronisation_is_killed(
    tmp_path: Path,
) -> None:
    await _kill_at(tmp_path, POINTS)


async def _kill_at(tmp_path: Path, points: Sequence[Point]) -> None:
    city = tmp_path / "city"
    simulate(Order(institutions=8, claims=160 * (len(points) + 1), seed=11), city, quiet)
    hub, _ = hubs_in(tmp_path)
    node = node_in(tmp_path, city, custodian="county", division="330324")
    chunks = chunks_of(node, len(points) + 1, tmp_path)
    own = ("--dir", str(node.directory))
    interrupted = []
    async with Crew(tmp_path / "logs") as crew:
        town = WatchedTown(crew=crew, hub=hub, node=node)
        await town.join()
        await crew.ask("node", "ingest", str(chunks[-1]), *own, accepted=(0, 1))
        await crew.ask("node", "sync", *own)
        for point, chunk in zip(points, chunks, strict=False):
            await crew.ask("node", "ingest", str(chunk), *own, accepted=(0, 1))
            interrupted.append(await town.interrupted(point))
            await crew.ask("node", "sync", *own)
            state = await crew.ask("node", "status", *own)
            held = await crew.ask("hub", "status", "--dir", str(hub.directory))
            assert number(state, "outbox") == 0, point
            assert number(state, "receipts") == number(state, "envelopes_sent"), point
            assert number(held, "envelopes") == number(state, "receipts"), point
            assert number(held, "quarantined") == 0, point
    assert sum(interrupted) >= len(points) // 2, "most synchronisations ended before the kill"
    assert processes_naming(str(tmp_path)) == []
    measured, held_rows = measured_at_node(node.directory), held_at_hub(hub.directory)
    assert held_rows == measured
    settlements = sum(values[-1] for values in measured["settlement"].values())
    assert settlements == settled_in(node) > 100
    assert audited(tmp_path, hub) == "valid"
