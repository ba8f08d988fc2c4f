"""The line to the node: every event once and in order, templates that end, refusals."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from edge_devices.face_terminals import node_link
from edge_devices.face_terminals.events import Subject
from scoring_kernel.faces.verdict import Cause
from security.at_rest import Vault
from tests.support.terminals import PERSON, Bench, bench, unit, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SUBJECT = Subject(person=PERSON)
VECTOR = unit(1, 2, 3, 4)


@asynccontextmanager
async def running(made: Bench) -> AsyncIterator[Bench]:
    task = asyncio.ensure_future(made.link.run())
    try:
        async with asyncio.timeout(30):
            yield made
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def come_back(made: Bench) -> None:
    """Let pauses pass until the line is up."""
    while not made.link.uplink.is_up:
        made.clock.move(seconds=61)
        made.link.nudge()
        await asyncio.sleep(0)


def numbers(made: Bench) -> list[tuple[str, int]]:
    return [(one.person, one.seq) for one in made.node.events]


async def test_events_go_at_once_and_in_order(tmp_path: Path) -> None:
    async with running(bench(tmp_path)) as made:
        for number in range(1, 6):
            seq = made.put(f"p{number}")
            made.link.nudge()
            assert await made.link.wait_for(seq, 10)
    assert numbers(made) == [(f"p{n}", n) for n in range(1, 6)]
    assert made.queue.span.waiting == 0


async def test_after_an_hour_cut_off_every_event_comes_once_and_in_order(tmp_path: Path) -> None:
    async with running(bench(tmp_path)) as made:
        await made.link.tried.wait()
        made.node.is_cut = True
        for number in range(1, 601):
            made.put(f"p{number}")
            made.clock.move(seconds=6)
            made.link.nudge()
            await asyncio.sleep(0)
        assert made.node.events == []
        made.node.is_cut = False
        await come_back(made)
        assert await made.link.wait_for(600, 20)
    assert numbers(made) == [(f"p{n}", n) for n in range(1, 601)]
    assert [one for one in made.said if one.startswith("Offline")] == made.said[:1]
    assert made.said[1:] == ["The node is reached again."]


async def test_lost_answers_make_no_event_twice(tmp_path: Path) -> None:
    made = bench(tmp_path)
    made.node.loses_answers = 3
    async with running(made):
        for number in range(1, 4):
            made.put(f"p{number}")
        made.link.nudge()
        while made.link.uplink.through < 3:
            await come_back(made)
            await asyncio.sleep(0)
    assert numbers(made) == [("p1", 1), ("p2", 2), ("p3", 3)]


async def test_a_terminal_that_begins_again_goes_on_where_it_was(tmp_path: Path) -> None:
    first = bench(tmp_path)
    async with running(first):
        first.put("p1")
        first.link.nudge()
        assert await first.link.wait_for(1, 10)
        first.node.is_cut = True
        first.put("p2")
    first.queue.close()
    first.node.is_cut = False
    async with running(bench(tmp_path, node=first.node)) as second:
        assert await second.link.wait_for(2, 10)
    assert numbers(second) == [("p1", 1), ("p2", 2)]


async def test_a_restored_node_gets_what_it_forgot(tmp_path: Path) -> None:
    async with running(bench(tmp_path)) as made:
        for number in range(1, 4):
            made.put(f"p{number}")
        made.link.nudge()
        assert await made.link.wait_for(3, 10)
        del made.node.queues[made.queue.id][1:]
        made.clock.move(minutes=6)
        made.link.nudge()
        await until(lambda: len(made.node.events) == 3)
    assert numbers(made) == [("p1", 1), ("p2", 2), ("p3", 3)]


async def test_a_restored_terminal_begins_another_queue(tmp_path: Path) -> None:
    here, copy = tmp_path / "here", tmp_path / "copy"
    here.mkdir()
    first = bench(here)
    first.put("p1")
    first.queue.close()
    shutil.copytree(here, copy)
    first = bench(here, node=first.node)
    first.put("p2")
    async with running(first):
        assert await first.link.wait_for(2, 10)
    restored = bench(copy, node=first.node)
    async with running(restored):
        await restored.link.tried.wait()
        await until(lambda: restored.queue.id != first.queue.id)
        await until(lambda: restored.link.uplink.through == 1)
        restored.put("p3")
        restored.link.nudge()
        assert await restored.link.wait_for(2, 10)
    by_queue = {queue: len(held) for queue, held in first.node.queues.items()}
    assert by_queue == {first.queue.id: 2, restored.queue.id: 2}
    assert "older copy" in restored.said[0]


async def test_a_template_comes_from_the_node_and_offline_from_the_cache(tmp_path: Path) -> None:
    made = bench(tmp_path)
    made.node.enrol(PERSON, VECTOR)
    async with running(made):
        await made.link.tried.wait()
        found = await made.link.fetch(SUBJECT)
        assert not isinstance(found, Cause)
        made.node.is_cut = True
        cached = await made.link.fetch(SUBJECT)
        assert cached == found
        assert await made.link.fetch(Subject(person="other")) is Cause.OFFLINE
        made.clock.move(hours=25)
        assert await made.link.fetch(SUBJECT) is Cause.OFFLINE
    assert not any(PERSON in line for line in made.said)


async def test_a_revoked_template_ends_at_once(tmp_path: Path) -> None:
    made = bench(tmp_path)
    made.node.enrol(PERSON, VECTOR)
    async with running(made):
        await made.link.tried.wait()
        await made.link.fetch(SUBJECT)
        made.node.templates.clear()
        assert await made.link.fetch(SUBJECT) is Cause.NO_TEMPLATE
        made.node.is_cut = True
        assert await made.link.fetch(SUBJECT) is Cause.OFFLINE


async def test_another_transform_is_learned_at_once(tmp_path: Path) -> None:
    made = bench(tmp_path)
    made.node.enrol(PERSON, VECTOR)
    async with running(made):
        await made.link.tried.wait()
        await made.link.fetch(SUBJECT)
        made.node.epoch, made.node.transform = 2, b"\x09" * 32
        made.node.enrol(PERSON, VECTOR)
        found = await made.link.fetch(SUBJECT)
        assert not isinstance(found, Cause)
        assert found.epoch == 2
        assert made.link.standing is not None
        assert made.link.standing.transform == b"\x09" * 32


async def test_a_refused_device_forgets_its_templates(tmp_path: Path) -> None:
    made = bench(tmp_path)
    made.node.enrol(PERSON, VECTOR)
    async with running(made):
        await made.link.tried.wait()
        await made.link.fetch(SUBJECT)
        assert made.cache.count == 1
        made.node.is_refusing = True
        made.clock.move(minutes=6)
        made.link.nudge()
        await until(lambda: made.link.is_refused)
        assert made.cache.count == 0
        assert await made.link.fetch(SUBJECT) is Cause.OFFLINE


async def test_a_terminal_that_begins_offline_works_with_what_it_knew(tmp_path: Path) -> None:
    first = bench(tmp_path)
    first.node.enrol(PERSON, VECTOR)
    async with running(first):
        await first.link.tried.wait()
        await first.link.fetch(SUBJECT)
    first.queue.close()
    first.cache.close()
    first.node.is_cut = True
    async with running(bench(tmp_path, node=first.node)) as second:
        await second.link.tried.wait()
        assert not isinstance(await second.link.fetch(SUBJECT), Cause)
    assert repr(second.link.standing).count("transform") == 0


async def test_a_terminal_that_never_greeted_knows_nothing(tmp_path: Path) -> None:
    made = bench(tmp_path)
    made.node.is_cut = True
    async with running(made):
        await made.link.tried.wait()
        assert await made.link.fetch(SUBJECT) is Cause.OFFLINE
        assert await made.link.asks() == ()


@pytest.mark.parametrize(
    "values",
    [
        {"timeout_s": 0},
        {"timeout_s": 301},
        {"retries": 10},
        {"cache_hours": 169},
        {"transform": b"short"},
    ],
)
async def test_a_greeting_out_of_bounds_is_not_taken(
    tmp_path: Path, values: dict[str, object]
) -> None:
    made = bench(tmp_path)
    made.node.hello_values = values
    async with running(made):
        await made.link.tried.wait()
    assert made.link.standing is None
    assert "another release" in made.link.problem


async def test_a_calibration_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    made = bench(tmp_path)
    made.node.hello_values = {"calibration": b"{}", "node_ms": 0}
    async with running(made):
        await made.link.tried.wait()
    assert made.link.standing is not None
    assert made.link.standing.threshold_e4 is None
    assert "ahead of the node's" in made.link.clock_problem


async def test_what_the_node_refuses_for_good_is_told_and_the_queue_goes_on(tmp_path: Path) -> None:
    made = bench(tmp_path)
    made.node.refuses_events, made.node.is_renewing = True, True
    async with running(made):
        made.put()
        made.link.nudge()
        assert not await made.link.wait_for(1, 10)
    assert made.said == [
        "Certificate renewed.",
        "The node refused event 1 for good (clock).",
    ]
    assert (made.link.refused_events, made.queue.span.waiting) == (1, 0)


async def test_a_refused_question_for_a_template_is_no_template(tmp_path: Path) -> None:
    made = bench(tmp_path)
    made.node.enrol(PERSON, VECTOR)
    async with running(made):
        await made.link.tried.wait()
        await made.link.fetch(SUBJECT)
        made.node.is_refusing = True
        assert await made.link.fetch(SUBJECT) is Cause.NO_TEMPLATE
        assert made.cache.count == 0
        assert await made.link.asks() == ()


async def test_a_template_whose_consent_ended_is_none(tmp_path: Path) -> None:
    made = bench(tmp_path)
    made.node.enrol(PERSON, VECTOR)
    made.node.templates[PERSON].expires_at_ms = 1
    async with running(made):
        await made.link.tried.wait()
        assert await made.link.fetch(SUBJECT) is Cause.NO_TEMPLATE


async def test_a_damaged_queue_stops_sending_and_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = bench(tmp_path)
    made.put()
    whole = made.queue._vault  # noqa: SLF001 - as another device.key would have it
    monkeypatch.setattr(made.queue, "_vault", Vault(bytes(32)))
    monkeypatch.setattr(node_link, "QUEUE_PAUSE_S", 0.001)
    async with running(made):
        await until(lambda: "device.key" in made.link.queue_problem)
        await asyncio.sleep(0.1)
        assert made.link.uplink.is_up
        assert made.node.events == []
        monkeypatch.setattr(made.queue, "_vault", whole)
        assert await made.link.wait_for(1, 10)
    assert made.link.queue_problem == ""
    assert len(made.said) == 1


async def test_a_node_that_greets_and_takes_nothing_is_told_once(tmp_path: Path) -> None:
    made = bench(tmp_path)
    made.node.takes_nothing = True
    async with running(made):
        made.put()
        for _ in range(20):
            await come_back(made)
            await until(lambda: not made.link.uplink.is_up)
        made.node.takes_nothing = False
        await come_back(made)
        assert await made.link.wait_for(1, 10)
    assert [line.split(":")[0] for line in made.said] == ["Offline", "The node is reached again."]
