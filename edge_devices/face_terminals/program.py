"""A terminal that runs: asks in, answers out, events on their way, health told.

Rules:
- An answer is given when its event is durable, and within a second also when the node holds it:
  the till that asks next finds it there.
- Where an event cannot be kept, the answer is unjudged and says why; nothing is accepted.
- One ask at a time; those of the node wait behind the one at the counter.
- SIGTERM ends the running ask unjudged, without an event, and gives what waits a moment to go.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from edge_devices.errors import EdgeError, QueueError
from edge_devices.face_terminals.asks import Answer, Ask, ask_of_node, is_over, parse_ask
from edge_devices.face_terminals.events import sign_event
from edge_devices.face_terminals.health import Health, memory_of, notify_service
from edge_devices.face_terminals.uplink import LinkState
from scoring_kernel.faces.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from edge_devices.face_terminals.asking import AskLines
    from edge_devices.face_terminals.node_link import NodeLink
    from edge_devices.face_terminals.queue import EventQueue
    from edge_devices.face_terminals.sources.driver import SourceDriver
    from edge_devices.face_terminals.template_cache import TemplateCache
    from edge_devices.face_terminals.verifying import Verifier
    from security.keys import SigningKey

__all__ = ["Terminal", "TerminalParts"]

ANSWER_WAIT_S: Final = 1.0
"""How long an answer waits for the node to hold its event."""
FLUSH_S: Final = 10.0
"""How long ``--once`` waits in the end for the node to hold everything."""
STOP_FLUSH_S: Final = 2.0
"""Likewise, on SIGTERM."""
FIRST_GREETING_S: Final = 5.0
"""How long the first ask waits for the node."""
HEALTH_EVERY_S: Final = 10.0
ASKS_EVERY_S: Final = 5.0
MEMORY_EVERY_S: Final = 3600.0
_ASKED_PLACES: Final = frozenset(("bed", "pharmacy"))
"""Where the node asks for somebody by itself."""
_REMEMBERED: Final = 4096
_MAX_WAITING: Final = 64
_REFUSED: Final = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalParts:
    """What a terminal is made of."""

    source: SourceDriver
    """Gives pictures."""
    link: NodeLink
    """The line to the node."""
    verifier: Verifier
    """Verifies one ask."""
    queue: EventQueue
    """Keeps events."""
    cache: TemplateCache
    """Keeps templates for when the line is down."""
    key: SigningKey
    """Signs events."""
    asks: AskLines
    """Asks of the counter."""
    health: Health
    """What the terminal knows of itself."""


class Terminal:
    """Runs until it is stopped, or once through its asks."""

    def __init__(
        self,
        parts: TerminalParts,
        *,
        about: dict[str, Any],
        now: Callable[[], datetime],
        say: Callable[[str], None],
        answer: Callable[[dict[str, Any]], None],
        is_once: bool,
    ) -> None:
        """Take the parts.

        Args:
            parts: What it is made of.
            about: What does not change, for the health: device, models, release.
            now: The clock, UTC-aware.
            say: Takes a line for the operator.
            answer: Takes an answer for whoever asked.
            is_once: Whether to end with the asks.
        """
        self._parts: Final = parts
        self._about: Final = about
        self._now: Final = now
        self._say: Final = say
        self._answer: Final = answer
        self._is_once: Final = is_once
        self._asks: Final[asyncio.Queue[Ask | None]] = asyncio.Queue(_MAX_WAITING)
        self._known: Final[deque[str]] = deque(maxlen=_REMEMBERED)
        self.malformed = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Run.

        Args:
            stop: Ends it.

        Raises:
            SourceError: With ``is_once``, the source is not available.
        """
        parts = self._parts
        tasks = [
            asyncio.ensure_future(work)
            for work in (parts.source.run(), parts.link.run(), self._tell_health())
        ]
        try:
            if self._is_once:
                await parts.source.opened()
            parts.asks.start()
            tasks += [
                asyncio.ensure_future(work)
                for work in (self._hear_counter(), self._hear_node(), self._tell_memory())
            ]
            notify_service("READY=1")
            working = asyncio.ensure_future(self._work())
            tasks.append(working)
            await _until({working, asyncio.ensure_future(stop.wait())}, tasks)
            notify_service("STOPPING=1")
            await _ended(working)
            parts.link.hurry()
            newest = (await asyncio.to_thread(lambda: parts.queue.span)).newest
            await parts.link.wait_for(newest, STOP_FLUSH_S if stop.is_set() else FLUSH_S)
            self._say_memory()
            await self._write_health()
        finally:
            for task in tasks:
                await _ended(task)

    async def _work(self) -> None:
        """Answer asks, one after the other."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._parts.link.tried.wait(), FIRST_GREETING_S)
        while (ask := await self._asks.get()) is not None:
            if not is_over(ask, self._now()):
                self._tell(ask, await self._handle(ask))

    async def _handle(self, ask: Ask) -> Answer:
        self._parts.link.hurry()
        try:
            verified = await self._parts.verifier.verify(ask)
        except asyncio.CancelledError:
            self._tell(ask, Answer(id=ask.id, verdict=Verdict.UNJUDGED, cause="stopped"))
            raise
        event, key = verified.event, self._parts.key
        try:
            seq = await asyncio.to_thread(
                self._parts.queue.put, lambda queue, seq: sign_event(event, queue, seq, key)
            )
        except QueueError as error:
            self._fault("queue", str(error))
            return replace(
                verified.answer,
                verdict=Verdict.UNJUDGED,
                cause="queue_full",
                problem=str(error),
            )
        self._fault("queue", "")
        self._parts.link.nudge()
        is_delivered = False
        if self._parts.link.uplink.state is not LinkState.OFFLINE:
            is_delivered = await self._parts.link.wait_for(seq, ANSWER_WAIT_S)
        return replace(verified.answer, seq=seq, delivered=is_delivered)

    def _tell(self, ask: Ask, answer: Answer) -> None:
        self._parts.health.verdicts[str(answer.verdict)] += 1
        if not ask.subject.round:
            self._answer(answer.to_json())

    def _fault(self, name: str, words: str) -> None:
        if words and not any(one.startswith(f"{name}:") for one in self._parts.health.faults):
            self._say(words)
        self._parts.health.fault(name, words)

    async def _hear_counter(self) -> None:
        while (line := await self._parts.asks.next()) is not None:
            try:
                ask = parse_ask(line)
            except EdgeError as error:
                self.malformed += 1
                self._answer({"error": _REFUSED, "message": str(error)})
            else:
                await self._asks.put(ask)
        if self._is_once:
            await self._asks.put(None)

    async def _hear_node(self) -> None:
        while True:
            standing = self._parts.link.standing
            if standing is not None and standing.place in _ASKED_PLACES and not self._is_once:
                for wanted in await self._parts.link.asks():
                    ask = ask_of_node(wanted)
                    if ask is not None and wanted.id not in self._known:
                        self._known.append(wanted.id)
                        await self._asks.put(ask)
            await asyncio.sleep(ASKS_EVERY_S)

    async def _tell_health(self) -> None:
        while True:
            await self._write_health()
            notify_service("WATCHDOG=1")
            await asyncio.sleep(HEALTH_EVERY_S)

    async def _tell_memory(self) -> None:
        while True:
            self._say_memory()
            await asyncio.sleep(MEMORY_EVERY_S)

    def _say_memory(self) -> None:
        own = memory_of("self")
        source = memory_of(self._parts.source.process_id)
        told = [
            f"{name} {found['now']} MiB (peak {found['peak']})"
            for name, found in (("terminal", own), ("source", source))
            if found is not None
        ]
        self._say(f"Memory: {', '.join(told)}")

    async def _write_health(self) -> None:
        parts, watchdog = self._parts, self._parts.source.watchdog
        parts.health.fault("source", watchdog.fault if watchdog.is_unavailable else "")
        parts.health.fault("node", parts.link.problem)
        parts.health.fault("events", parts.link.queue_problem)
        parts.health.fault("clock", parts.link.clock_problem)
        try:
            span = await asyncio.to_thread(lambda: parts.queue.span)
            waiting = {"waiting": span.waiting, "newest": span.newest}
        except QueueError as error:
            waiting = {}
            parts.health.fault("queue", str(error))
        standing = parts.link.standing
        values = {
            **self._about,
            "at": self._now().isoformat(timespec="seconds"),
            "place": None if standing is None else standing.place,
            "node": parts.link.uplink.state,
            "source": watchdog.state,
            "is_source_available": not watchdog.is_unavailable,
            "is_calibrated": standing is not None and standing.threshold_e4 is not None,
            "is_calibrated_for_this_pipeline": standing is not None and standing.is_of_pipeline,
            "queue": waiting,
            "refused_events": parts.link.refused_events,
            "cached_templates": parts.cache.count,
            "memory_mib": {
                "terminal": memory_of("self"),
                "source": memory_of(parts.source.process_id),
            },
        }
        await asyncio.to_thread(parts.health.write, values)


async def _until(ends: set[asyncio.Future[Any]], tasks: Sequence[asyncio.Future[None]]) -> None:
    """Wait until one of some things ends; a task that fails meanwhile ends all."""
    running = ends | set(tasks)
    try:
        while not any(one.done() for one in ends):
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                one.result()
    finally:
        for one in ends - set(tasks):
            one.cancel()


async def _ended(task: asyncio.Future[None]) -> None:
    """End a task; what it failed with was raised before."""
    task.cancel()
    await asyncio.wait({task})
