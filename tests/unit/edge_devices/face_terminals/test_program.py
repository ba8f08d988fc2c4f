"""A terminal that runs: asks in, answers out, with stand-in models and a folder of pictures."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Any

import pytest

from edge_devices.errors import SourceError
from edge_devices.face_terminals.asking import AskLines
from edge_devices.face_terminals.health import Health
from edge_devices.face_terminals.program import Terminal, TerminalParts
from edge_devices.face_terminals.sources.driver import SourceDriver
from edge_devices.face_terminals.sources.port import parse_source
from edge_devices.face_terminals.verifying import Verifier
from edge_devices.face_terminals.watchdog import RestartPolicy
from protos.yixin.v1 import edge_pb2
from security.moments import to_ms
from tests.support.face_templates import calibration
from tests.support.faces import picture, pipeline, png
from tests.support.terminals import NOW, PERSON, Bench, bench, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

ASK = {"person": PERSON, "id": "w3-1"}


def steady() -> datetime:
    return datetime.fromtimestamp(monotonic(), UTC)


@dataclass(slots=True)
class Running:
    """A terminal at work."""

    directory: Path
    parts: Bench
    terminal: Terminal
    stop: asyncio.Event
    answers: list[dict[str, Any]] = field(default_factory=list)

    def ask(self, *asks: dict[str, str] | str) -> None:
        lines = [one if isinstance(one, str) else json.dumps(one) for one in asks]
        with (self.directory / "asks").open("a") as file:
            file.write("".join(f"{line}\n" for line in lines))

    async def answered(self, count: int) -> list[dict[str, Any]]:
        await until(lambda: len(self.answers) >= count)
        return self.answers

    @property
    def health(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads((self.directory / "health.json").read_text())
        return told


def built(
    directory: Path,
    *asks: dict[str, str] | str,
    source: str = "",
    once: bool = False,
    **hello: object,
) -> Running:
    """A terminal over a folder with a picture of PERSON; asks in a file, or later over a FIFO."""
    (directory / "faces").mkdir()
    (directory / "faces" / "1.png").write_bytes(png(picture(1)))
    if once:
        (directory / "asks").touch()
    else:
        os.mkfifo(directory / "asks", 0o600)
    examiner = pipeline()
    made = bench(directory, model=bytes.fromhex(examiner.model))
    made.node.hello_values = {
        "calibration": calibration(6000, model=made.node.model).to_json(),
        **hello,
    }
    vector = examiner.examine(picture(1, 99)).vector
    assert vector is not None
    made.node.enrol(PERSON, vector)
    driver = SourceDriver(
        parse_source(source or f"folder:{directory / 'faces'}"),
        steady=steady,
        say=made.said.append,
        policy=RestartPolicy(restarts=1),
    )
    answers: list[dict[str, Any]] = []
    parts = TerminalParts(
        source=driver,
        link=made.link,
        verifier=Verifier(examiner, driver, made.link, now=made.clock, steady=steady),
        queue=made.queue,
        cache=made.cache,
        key=made.key,
        asks=AskLines(directory / "asks"),
        health=Health(directory / "health.json"),
    )
    terminal = Terminal(
        parts,
        about={"device": "yixin-device://H33030200001/window/w3"},
        now=made.clock,
        say=made.said.append,
        answer=answers.append,
        is_once=once,
    )
    running = Running(directory, made, terminal, asyncio.Event(), answers)
    running.ask(*asks) if once else None
    return running


@asynccontextmanager
async def at_work(running: Running) -> AsyncIterator[Running]:
    """Run until the body ends, then stop as SIGTERM does."""
    task = asyncio.ensure_future(running.terminal.run(running.stop))
    try:
        async with asyncio.timeout(60):
            yield running
            running.stop.set()
            await task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def once(running: Running) -> list[dict[str, Any]]:
    async with asyncio.timeout(60):
        await running.terminal.run(running.stop)
    return running.answers


async def test_once_answers_delivers_and_ends(tmp_path: Path) -> None:
    running = built(tmp_path, ASK, "nonsense", {"person": "unknown", "id": "w3-2"}, once=True)
    refused, first, second = await once(running)
    assert (refused["error"], running.terminal.malformed) == ("refused", 1)
    assert (first["id"], first["verdict"], first["seq"], first["delivered"]) == (
        "w3-1",
        "match",
        1,
        True,
    )
    assert (second["verdict"], second["cause"], second["seq"]) == ("unjudged", "no_template", 2)
    assert [one.seq for one in running.parts.node.events] == [1, 2]
    assert running.health["verdicts"] == {"match": 1, "unjudged": 1}
    assert any(line.startswith("Memory: terminal ") for line in running.parts.said)


async def test_once_with_a_source_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    running = built(tmp_path, ASK, source=f"folder:{tmp_path / 'gone'}", once=True)
    with pytest.raises(SourceError, match="no such folder"):
        await once(running)
    assert running.answers == []


async def test_asks_come_over_a_fifo_while_it_runs(tmp_path: Path) -> None:
    async with at_work(built(tmp_path)) as running:
        for number in range(3):
            running.ask({"person": PERSON, "id": str(number)})
            await running.answered(number + 1)
    assert [(one["id"], one["verdict"]) for one in running.answers] == [
        ("0", "match"),
        ("1", "match"),
        ("2", "match"),
    ]
    assert running.parts.queue.span.waiting == 0


async def test_what_was_answered_offline_is_delivered_later(tmp_path: Path) -> None:
    async with at_work(built(tmp_path)) as running:
        running.ask(ASK)
        await running.answered(1)
        running.parts.node.is_cut = True
        running.ask(ASK, {"person": "unknown"})
        _, match, offline = await running.answered(3)
        assert (match["verdict"], match["delivered"]) == ("match", False)
        assert offline["cause"] == "offline"
        await until(lambda: running.parts.queue.span.waiting == 2)
        running.parts.node.is_cut = False
    assert [one.seq for one in running.parts.node.events] == [1, 2, 3]


async def test_a_full_queue_answers_unjudged_and_keeps_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = built(tmp_path)
    monkeypatch.setattr(running.parts.queue, "_max_bytes", 100)
    async with at_work(running):
        running.ask(ASK, ASK)
        for answer in await running.answered(2):
            assert (answer["verdict"], answer["cause"]) == ("unjudged", "queue_full")
            assert (answer["seq"], answer["delivered"]) == (None, False)
            assert "full" in answer["problem"]
    assert running.parts.queue.span.newest == 0
    assert "full" in running.health["faults"]["queue"]
    assert len([line for line in running.parts.said if "is full" in line]) == 1


async def test_a_stop_ends_the_running_ask_without_an_event(tmp_path: Path) -> None:
    running = built(tmp_path, timeout_s=300)
    for path in (tmp_path / "faces").iterdir():
        path.unlink()
    (tmp_path / "faces" / "1.png").write_bytes(png(picture(1)[:96, :96]))
    spec = parse_source(f"folder:{tmp_path / 'faces'}", pace=20)
    running.terminal._parts.source._spec = spec  # type: ignore[misc] # noqa: SLF001 - a camera
    async with at_work(running):
        running.ask(ASK)
        await until(lambda: running.parts.node.fetched == 1)
        await asyncio.sleep(0.2)
        assert running.answers == []
    assert [(one["verdict"], one["cause"]) for one in running.answers] == [("unjudged", "stopped")]
    assert running.parts.queue.span.newest == 0


async def test_the_node_asks_a_bed_once_for_each_ask(tmp_path: Path) -> None:
    running = built(tmp_path, place="bed")
    for number, until_ms in ((1, to_ms(NOW) + 60_000), (2, to_ms(NOW) - 1)):
        running.parts.node.wanted.append(
            edge_pb2.Ask(
                id=f"round-{number}",
                purpose=edge_pb2.PRESENCE_PURPOSE_BED_CHECK,
                person=PERSON,
                until_ms=until_ms,
            )
        )
    async with at_work(running):
        await until(lambda: len(running.parts.node.events) == 1)
    (event,) = running.parts.node.events
    assert (event.round, event.purpose) == ("round-1", edge_pb2.PRESENCE_PURPOSE_BED_CHECK)
    assert running.answers == [], "the counter did not ask"


async def test_nothing_of_a_person_is_said_or_stands_in_the_health(tmp_path: Path) -> None:
    async with at_work(built(tmp_path)) as running:
        running.ask({**ASK, "visit": "V-77"}, {"person": PERSON, "x": "张三"}, "V-77 nonsense")
        await running.answered(3)
    told = "".join(running.parts.said) + json.dumps(running.health) + json.dumps(running.answers)
    for secret in (PERSON, "V-77", "张三"):
        assert secret not in told


async def test_a_broken_part_ends_the_terminal_with_its_error(tmp_path: Path) -> None:
    running = built(tmp_path)
    running.parts.node.hello_values = {"place": 5}
    async with asyncio.timeout(30):
        with pytest.raises(TypeError):
            await running.terminal.run(running.stop)
