"""The line to the node, driven: greetings, events, templates, asks (``uplink`` says what when).

Rules:
- One call carries events at a time; what the node answered for is noted on disk at once.
- While the line is up, a template comes from the node, so that a revoked one ends at once; else
  from the cache. The node's "no template" takes the cached one away.
- Down, refused and up again are said once each, not at every try.
- A node that refuses the device itself takes all cached templates away.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from edge_devices.errors import EdgeError, NodeRefusedError, NodeUnreachableError, QueueError
from edge_devices.face_terminals.events import CAUSES_BY_NUMBER, PURPOSES, sign_again
from edge_devices.face_terminals.standing import Standing, read_standing
from edge_devices.face_terminals.uplink import MAX_BATCH, MAX_BATCH_BYTES, LinkState
from protos.yixin.v1 import edge_pb2
from scoring_kernel.faces.verdict import Cause
from security.moments import to_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from edge_devices.face_terminals.events import Subject
    from edge_devices.face_terminals.queue import EventQueue
    from edge_devices.face_terminals.template_cache import TemplateCache
    from edge_devices.face_terminals.uplink import Uplink
    from security.keys import SigningKey

__all__ = ["NodeCalls", "NodeLink", "Running"]

FETCH_TIMEOUT_S: Final = 3.0
"""Longest wait for a template, before the cached one is taken."""
QUEUE_PAUSE_S: Final = 10.0
"""Until a queue that could not be read is read again."""
DEVICE_REFUSED: Final = "permission_denied"
MAX_SKEW_MS: Final = 60_000
"""Clocks further apart are told in the health."""
_IDLE_S: Final = 60.0


class NodeCalls(Protocol):
    """Calls of ``EdgeIntake``; each raises ``NodeUnreachableError`` or ``NodeRefusedError``."""

    async def renew_if_due(self) -> bool:
        """Renew the certificate when half of its time is over."""

    async def hello(self, request: edge_pb2.HelloRequest) -> edge_pb2.HelloResponse:
        """Say what runs here."""

    async def deliver(self, events: Sequence[edge_pb2.SignedEvent]) -> edge_pb2.DeliverResponse:
        """Hand over events."""

    async def fetch_template(self, request: edge_pb2.FetchRequest) -> edge_pb2.FetchResponse:
        """Ask for a template."""

    async def asks(self, most: int = 16) -> edge_pb2.AsksResponse:
        """Ask what is to be verified."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What runs on this terminal, as the node is told."""

    model: bytes
    """SHA-256 of the embedding model."""
    pipeline: bytes
    """Digest of all models and the gate."""
    version: str
    """Release of the program."""


class NodeLink:
    """One terminal's line to its node."""

    def __init__(
        self,
        calls: NodeCalls,
        queue: EventQueue,
        cache: TemplateCache,
        uplink: Uplink,
        *,
        key: SigningKey,
        running: Running,
        now: Callable[[], datetime],
        steady: Callable[[], datetime],
        say: Callable[[str], None],
        faults: Callable[[], tuple[str, ...]] = tuple,
        memory_mib: Callable[[], int] = int,
    ) -> None:
        """Prepare; ``run`` begins.

        Args:
            calls: Of the node.
            queue: Events that wait.
            cache: Templates for when the line is down.
            uplink: Says what when.
            key: Signs events anew, should another queue begin.
            running: What runs here.
            now: The clock, UTC-aware.
            steady: A clock that nobody sets, UTC-aware.
            say: Takes a line for the operator.
            faults: Words of the health.
            memory_mib: Peak of resident memory.
        """
        self._calls: Final = calls
        self._queue: Final = queue
        self._cache: Final = cache
        self._key: Final = key
        self._running: Final = running
        self._now: Final = now
        self._steady: Final = steady
        self._say: Final = say
        self._faults: Final = faults
        self._memory_mib: Final = memory_mib
        self._news: Final = asyncio.Event()
        self._moved: Final = asyncio.Condition()
        self.uplink: Final = uplink
        self.standing: Standing | None = None
        self.problem = ""
        self.queue_problem = ""
        self.is_refused = False
        self.skew_ms = 0
        self.refused_events = 0
        self._refused: Final[deque[int]] = deque(maxlen=MAX_BATCH)
        self.tried: Final = asyncio.Event()
        self._greetings = 0
        kept = cache.find_standing()
        if kept is not None:
            with suppress(NodeRefusedError, ValueError):
                self.standing = self._read(edge_pb2.HelloResponse.FromString(kept))

    @property
    def clock_problem(self) -> str:
        """What is wrong with the clock here; empty: nothing that is known."""
        if abs(self.skew_ms) <= MAX_SKEW_MS:
            return ""
        side = "ahead of" if self.skew_ms > 0 else "behind"
        return f"{abs(self.skew_ms) // 1000} s {side} the node's"

    async def run(self) -> None:
        """Greet and deliver until cancelled."""
        while True:
            self._news.clear()
            try:
                if self.uplink.is_greeting_due(self._steady()):
                    await self._greet()
                elif self.uplink.can_send(self._queue.span.newest):
                    await self._deliver()
                else:
                    await self._rest()
            except QueueError as error:
                await self._stumble(error)
            except EdgeError as error:
                await self._lose(error)

    def nudge(self) -> None:
        """There is something new to send."""
        self._news.set()

    def hurry(self) -> None:
        """Somebody stands here: try the node now, where the line is down."""
        if not self.uplink.is_up:
            self.uplink.greet_now(self._steady())
            self._news.set()

    async def wait_for(self, seq: int, timeout_s: float) -> bool:
        """Wait until the node answered for an event; whether it holds it, in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s), self._moved:
                await self._moved.wait_for(lambda: self.uplink.through >= seq)
        return self.uplink.through >= seq and seq not in self._refused

    async def fetch(self, subject: Subject) -> edge_pb2.ProtectedTemplate | Cause:
        """Give the template to compare with, or say why there is none.

        Args:
            subject: Of whom, and for what.
        """
        if self.uplink.is_up:
            answer = await self._ask_template(subject)
            if answer is Cause.OTHER_MODEL and await self._learn_anew():
                answer = await self._ask_template(subject)
            if answer is not None:
                return answer
        standing = self.standing
        if standing is None or self.is_refused:
            return Cause.OFFLINE
        found = self._cache.find(
            subject, model=self._running.model, epoch=standing.epoch, now=self._now()
        )
        return Cause.OFFLINE if found is None else found

    async def asks(self) -> tuple[edge_pb2.Ask, ...]:
        """What the node wants verified here; nothing while the line is down."""
        if not self.uplink.is_up:
            return ()
        try:
            return tuple((await self._calls.asks()).asks)
        except (NodeUnreachableError, NodeRefusedError):
            return ()

    async def _greet(self) -> None:
        self.uplink.greet()
        with suppress(NodeUnreachableError):
            if await self._calls.renew_if_due():
                self._say("Certificate renewed.")
        span = self._queue.span
        response = await self._calls.hello(
            edge_pb2.HelloRequest(
                queue=self._queue.id,
                oldest=span.oldest,
                newest=span.newest,
                model=self._running.model,
                pipeline=self._running.pipeline,
                version=self._running.version,
                memory_mib=self._memory_mib(),
                faults=self._faults(),
            )
        )
        self._learn(response)
        if self.uplink.greeted(response.through, span.newest, self._steady()):
            await asyncio.to_thread(self._begin_anew)
            self.uplink.began_anew(self._steady())
        else:
            await asyncio.to_thread(self._queue.settle, response.through, self._now())
        self.is_refused = False
        if not self.uplink.can_send(span.newest):
            self._recover()
        self._greetings += 1
        await self._tell_moved()

    def _learn(self, response: edge_pb2.HelloResponse) -> None:
        standing = self._read(response)
        before = self.standing
        if before is None or before.epoch != standing.epoch or not standing.cache.hours:
            self._cache.clear()
        self._cache.keep_standing(response.SerializeToString())
        self._cache.sweep(self._now())
        self.skew_ms = to_ms(self._now()) - response.node_ms
        self.standing = standing

    def _read(self, response: edge_pb2.HelloResponse) -> Standing:
        return read_standing(response, model=self._running.model, pipeline=self._running.pipeline)

    def _begin_anew(self) -> None:
        self._queue.begin_anew(lambda signed, queue, seq: sign_again(signed, queue, seq, self._key))
        self._refused.clear()
        self._say(
            "This directory is an older copy of itself: the node holds events that are not in its "
            "queue. Another queue was begun with the events that wait."
        )

    async def _deliver(self) -> None:
        batch = await asyncio.to_thread(
            self._queue.after,
            self.uplink.through,
            max_events=MAX_BATCH,
            max_bytes=MAX_BATCH_BYTES,
        )
        if not batch:
            raise QueueError("the queue names events that it does not hold")
        self.uplink.send(batch[-1].seq)
        response = await self._calls.deliver(
            [edge_pb2.SignedEvent.FromString(one.signed) for one in batch]
        )
        for refused in response.refused:
            self.refused_events += 1
            self._refused.append(refused.seq)
            self._say(f"The node refused event {refused.seq} for good ({refused.code[:40]}).")
        self.uplink.taken(response.through)
        await asyncio.to_thread(self._queue.settle, response.through, self._now())
        self.queue_problem = ""
        self._recover()
        await self._tell_moved()

    async def _rest(self) -> None:
        due_s = (self.uplink.greet_at - self._steady()).total_seconds()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), max(0.0, min(due_s, _IDLE_S)))

    async def _lose(self, error: EdgeError) -> None:
        self.uplink.lost(self._steady())
        is_refused = isinstance(error, NodeRefusedError) and error.code == DEVICE_REFUSED
        if is_refused:
            self._cache.clear()
        if not self.problem or is_refused != self.is_refused:
            self._say(f"Offline: {error}")
        self.problem, self.is_refused = str(error), is_refused
        await self._tell_moved()

    def _recover(self) -> None:
        """The node answers, and takes what there is."""
        if self.problem:
            self._say("The node is reached again.")
        self.problem = ""

    async def _stumble(self, error: QueueError) -> None:
        """The queue cannot be read: the line stays as it is, and it is tried again."""
        if self.uplink.state is not LinkState.READY:
            self.uplink.lost(self._steady())
        if not self.queue_problem:
            self._say(f"Events do not go: {error}")
        self.queue_problem = str(error)
        await self._tell_moved()
        await asyncio.sleep(QUEUE_PAUSE_S)

    async def _tell_moved(self) -> None:
        self.tried.set()
        async with self._moved:
            self._moved.notify_all()

    async def _ask_template(self, subject: Subject) -> edge_pb2.ProtectedTemplate | Cause | None:
        """The node's answer; None where it gave none in time."""
        request = edge_pb2.FetchRequest(
            person=subject.person, proxy=subject.proxy, purpose=PURPOSES[subject.purpose]
        )
        try:
            async with asyncio.timeout(FETCH_TIMEOUT_S):
                response = await self._calls.fetch_template(request)
        except (NodeUnreachableError, TimeoutError):
            return None
        except NodeRefusedError as error:
            if error.code == DEVICE_REFUSED:
                self._cache.clear()
            return Cause.NO_TEMPLATE
        standing = self.standing
        template = response.template
        if response.WhichOneof("answer") != "template" or standing is None:
            self._cache.drop(subject)
            return CAUSES_BY_NUMBER.get(response.cause, Cause.NO_TEMPLATE)
        if (template.model, template.epoch) != (self._running.model, standing.epoch):
            self._cache.drop(subject)
            return Cause.OTHER_MODEL
        if 0 < template.expires_at_ms <= to_ms(self._now()):
            return Cause.NO_TEMPLATE
        self._cache.put(subject, template, standing.cache, self._now())
        return template

    async def _learn_anew(self) -> bool:
        """Greet at once, where the node may have another transform now; whether it has."""
        standing, greetings = self.standing, self._greetings
        self.uplink.greet_now(self._steady())
        self._news.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(FETCH_TIMEOUT_S), self._moved:
                await self._moved.wait_for(lambda: self._greetings > greetings)
        return (
            standing is not None
            and self.standing is not None
            and standing.epoch != self.standing.epoch
        )
