"""A terminal under kill -9 and on a cut line: every event arrives exactly once, in order.

The node is a real one behind its real port; queue, line, verdicts and signatures of the terminal
are the real ones, behind a camera that shows drawn faces.
"""

from __future__ import annotations

import asyncio
import random
import signal
import sys
import time
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edge_devices.app import utc_now
from edge_devices.simulators.terminals import person_number
from tests.support.edge_node import edge_node
from tests.support.killed_terminal import opened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_devices.enrolling import DeviceIdentity
    from edge_devices.simulators.terminals import DrawnTerminal
    from node.store.presence import HeldEvent
    from tests.support.edge_node import EdgeNode, TurnedClock

ROOT = Path(__file__).resolve().parents[2]
CHILD = "tests.support.killed_terminal"
CUT_S = 25.0


@dataclass(slots=True)
class Answered:
    """What a terminal answered for before it was killed: persons by number of the event."""

    persons: dict[int, int] = field(default_factory=dict)


async def live_and_die(identity: DeviceIdentity, first: int, lines: int, told: Answered) -> None:
    """Let a terminal work until it answered so often, and kill it in the midst."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", CHILD, str(identity.directory), str(first)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdout is not None
    for _ in range(lines):
        seq, person = map(int, (await child.stdout.readline()).split())
        assert told.persons.get(seq, person) == person, "a number was given twice"
        told.persons[seq] = person
    child.send_signal(signal.SIGKILL)
    rest, _ = await child.communicate()
    for line in rest.splitlines(keepends=True):
        if line.endswith(b"\n"):
            seq, person = map(int, line.split())
            told.persons[seq] = person


async def deliver_all(identity: DeviceIdentity) -> int:
    """Let the terminal bring what waits; how many events it ever made."""
    said: list[str] = []
    async with opened(identity, said.append) as terminal:
        newest = terminal.queue.span.newest
        assert await terminal.link.wait_for(newest, 30.0), said
        assert terminal.queue.span.waiting == 0
        assert terminal.link.refused_events == 0, said
    return newest


def held_in_order(node: EdgeNode, identity: DeviceIdentity) -> Sequence[HeldEvent]:
    """The events of a device, oldest first: each once, without a gap, each after the one before."""
    found = node.store.edge.presence.events(0, 2**60, limit=100_000)
    held = sorted((one for one in found if one.device == identity.device), key=lambda one: one.seq)
    assert [one.seq for one in held] == list(range(1, len(held) + 1))
    assert len({one.queue for one in held}) == 1
    assert [one.received_at for one in held] == sorted(one.received_at for one in held)
    assert [one.at_ms for one in held] == sorted(one.at_ms for one in held)
    (queue,) = node.store.edge.devices.queues(identity.device)
    assert (queue.through, queue.lost) == (len(held), 0)
    return held


def persons_of(node: EdgeNode, held: Sequence[HeldEvent]) -> list[str]:
    """Whose records the events made, in their order; each event its own."""
    with node.store.relations(["identity_event"]) as engine:
        rows = engine.execute("select record_id, person from identity_event").fetchall()
    persons = dict(rows)
    assert len(rows) == len(persons) == len({one.record_id for one in held})
    return [persons[one.record_id] for one in held]


@pytest.mark.parametrize(
    "kills", [3, pytest.param(25, marks=pytest.mark.faults)], ids=["short", "long"]
)
async def test_a_killed_terminal_delivers_every_event_once_and_in_order(
    tmp_path: Path, kills: int
) -> None:
    draw = random.Random(kills)  # noqa: S311 - moments, no secrets
    told = Answered()
    with edge_node(tmp_path / "node") as node:
        node.clock.at = utc_now()
        async with node.serving():
            identity = await node.joined(tmp_path / "terminal")
        for kill in range(kills):
            node.clock.at = utc_now()
            lines = draw.randrange(1, 20)
            if kill % 3 == 2:  # Nobody answers; what is made meanwhile waits.
                await live_and_die(identity, 20 * kill, lines, told)
                continue
            async with node.serving():
                await live_and_die(identity, 20 * kill, lines, told)
        async with node.serving():
            newest = await deliver_all(identity)
        held = held_in_order(node, identity)
        assert len(held) == newest >= len(told.persons) >= kills
        persons = persons_of(node, held)
    for seq, person in told.persons.items():
        assert persons[seq - 1] == person_number(person)


async def test_a_terminal_cut_off_for_an_hour_delivers_every_event_once_and_in_order(
    tmp_path: Path,
) -> None:
    """An hour of the terminal's clock: what waits between its tries is only told to pass."""
    said: list[str] = []
    with edge_node(tmp_path / "node") as node:
        clock = node.clock
        async with node.serving():
            identity = await node.joined(tmp_path / "terminal")
        async with opened(identity, said.append, now=clock, steady=clock) as terminal:
            async with node.serving():
                await come_back(terminal, clock)
                for person in range(3):
                    await terminal.verify(person, person)
                assert await terminal.link.wait_for(3, 10.0)
            begun, tries = clock.at, 0
            for person in range(3, 63):
                clock.advance(seconds=60)
                terminal.link.nudge()
                await terminal.verify(person, person)
                tries += await next_try_is_due_later(terminal, clock)
            assert clock.at - begun == timedelta(hours=1)
            assert tries == 60, "a pause is never longer than a minute"
            assert terminal.queue.span.waiting == 60
            async with node.serving():
                await come_back(terminal, clock)
                assert await terminal.link.wait_for(63, 10.0)
            assert terminal.queue.span.waiting == 0
            assert terminal.link.refused_events == 0
        held = held_in_order(node, identity)
        assert persons_of(node, held) == [person_number(person) for person in range(63)]
    assert [line.partition(":")[0] for line in said[-2:]] == [
        "Offline",
        "The node is reached again.",
    ]
    assert sum(line.startswith("Offline") for line in said) <= 2, "a cut is told once"


@pytest.mark.faults
async def test_a_real_cut_of_seconds_is_over_when_the_node_is_back(tmp_path: Path) -> None:
    said: list[str] = []
    with edge_node(tmp_path / "node") as node:
        node.clock.at = utc_now()
        async with node.serving():
            identity = await node.joined(tmp_path / "terminal")
        async with opened(identity, said.append) as terminal:
            begun, person = time.monotonic(), 0
            while time.monotonic() - begun < CUT_S:
                await terminal.verify(person, person)
                person += 1
                await asyncio.sleep(0.25)
            node.clock.at = utc_now()
            async with node.serving():
                assert await terminal.link.wait_for(person, 90.0), said
        held = held_in_order(node, identity)
        assert persons_of(node, held) == [person_number(one) for one in range(person)]


async def come_back(terminal: DrawnTerminal, clock: TurnedClock) -> None:
    """Let the clock go on until the line is up; the wire itself needs some real seconds."""
    begun = time.monotonic()
    while not terminal.link.uplink.is_up:
        assert time.monotonic() - begun < 30.0, terminal.link.problem
        clock.advance(seconds=5)
        terminal.link.nudge()
        await asyncio.sleep(0.05)


async def next_try_is_due_later(terminal: DrawnTerminal, clock: TurnedClock) -> bool:
    """Wait until the terminal has tried and failed."""
    begun = time.monotonic()
    while terminal.link.uplink.greet_at <= clock.at or terminal.link.uplink.is_up:
        assert time.monotonic() - begun < 30.0
        await asyncio.sleep(0.01)
    return terminal.link.uplink.greet_at <= clock.at + timedelta(seconds=60)
