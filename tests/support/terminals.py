"""A terminal for tests: a node behind its port that counts what it gets, and frames from a list."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Final

import numpy as np

from edge_devices.errors import NodeRefusedError, NodeUnreachableError, SourceError
from edge_devices.face_terminals.events import Event, Subject, sign_event
from edge_devices.face_terminals.node_link import NodeLink, Running
from edge_devices.face_terminals.queue import EventQueue
from edge_devices.face_terminals.template_cache import TemplateCache
from edge_devices.face_terminals.uplink import Uplink
from protos.yixin.v1 import edge_pb2
from scoring_kernel.faces.matching import pack_vector
from scoring_kernel.faces.transform import protect, transform_matrix
from scoring_kernel.faces.verdict import Finding, Found
from security.at_rest import Vault
from security.devices.signed_events import verify_event
from security.keys import SigningKey
from security.moments import to_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from scoring_kernel.faces.arrays import FloatVector, Frame

NOW: Final = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
PERSON: Final = "33030200000000000017"
MODEL: Final = bytes(range(32))
PIPELINE: Final = bytes(32)
TRANSFORM: Final = b"\x07" * 32


@dataclass(slots=True)
class Clock:
    """A clock that tests move."""

    at: datetime = NOW

    def __call__(self) -> datetime:
        return self.at

    def move(self, **by: float) -> None:
        self.at += timedelta(**by)


@dataclass(slots=True)
class CountingNode:
    """A node that takes each event once and in order, and can be cut off (``NodeCalls``)."""

    key: SigningKey
    model: bytes = MODEL
    queues: dict[bytes, list[bytes]] = field(default_factory=dict)
    """What it holds, by queue."""
    templates: dict[str, edge_pb2.ProtectedTemplate] = field(default_factory=dict)
    hello_values: dict[str, object] = field(default_factory=dict)
    wanted: list[edge_pb2.Ask] = field(default_factory=list)
    is_cut: bool = False
    is_refusing: bool = False
    is_renewing: bool = False
    takes_nothing: bool = False
    """Whether it greets, and takes no delivery."""
    refuses_events: bool = False
    """Whether it refuses every event for good."""
    loses_answers: int = 0
    """So many answers of deliveries get lost on their way."""
    fetched: int = 0
    greeted: list[edge_pb2.HelloRequest] = field(default_factory=list)
    now: datetime = NOW
    epoch: int = 1
    transform: bytes = TRANSFORM

    @property
    def events(self) -> list[edge_pb2.PresenceEvent]:
        """All events that it holds, queue by queue."""
        return [
            edge_pb2.PresenceEvent.FromString(body)
            for bodies in self.queues.values()
            for body in bodies
        ]

    def enrol(self, person: str, vector: FloatVector) -> None:
        """Hold a person's template."""
        matrix = transform_matrix(self.transform, vector.size)
        self.templates[person] = edge_pb2.ProtectedTemplate(
            person=person,
            id=bytes(16),
            model=self.model,
            epoch=self.epoch,
            vector=pack_vector(protect(vector[None], matrix)[0]),
        )

    async def renew_if_due(self) -> bool:
        self._answer()
        return self.is_renewing

    async def hello(self, request: edge_pb2.HelloRequest) -> edge_pb2.HelloResponse:
        self._answer()
        self.greeted.append(request)
        values: dict[str, object] = {
            "node_ms": to_ms(self.now),
            "institution": "H33030200001",
            "place": "window",
            "transform": self.transform,
            "transform_epoch": self.epoch,
            "cache_hours": 24,
            "cache_templates": 100,
            "retries": 2,
            "timeout_s": 20,
            "liveness_required": True,
            **self.hello_values,
        }
        held = len(self.queues.setdefault(request.queue, []))
        return edge_pb2.HelloResponse(through=held, **values)  # type: ignore[arg-type]

    async def deliver(self, events: Sequence[edge_pb2.SignedEvent]) -> edge_pb2.DeliverResponse:
        self._answer()
        if self.takes_nothing:
            raise NodeRefusedError("the signature does not fit", "failed_precondition")
        for signed in events:
            verify_event(self.key.verifying.public_key, signed.body, signed.signature)
            event = edge_pb2.PresenceEvent.FromString(signed.body)
            held = self.queues[event.queue]
            assert event.seq <= len(held) + 1, "a gap"
            if event.seq == len(held) + 1:
                held.append(signed.body)
            else:
                assert held[event.seq - 1] == signed.body, "another event under an old number"
        if self.loses_answers:
            self.loses_answers -= 1
            raise NodeUnreachableError("the answer was lost")
        last = edge_pb2.PresenceEvent.FromString(events[0].body).queue
        refused = [edge_pb2.RefusedEvent(seq=len(self.queues[last]), code="clock", detail="ahead")]
        return edge_pb2.DeliverResponse(
            through=len(self.queues[last]),
            refused=refused if self.refuses_events else [],
            node_ms=to_ms(self.now),
        )

    async def fetch_template(self, request: edge_pb2.FetchRequest) -> edge_pb2.FetchResponse:
        self._answer()
        self.fetched += 1
        found = self.templates.get(request.proxy or request.person)
        if found is None:
            return edge_pb2.FetchResponse(cause=edge_pb2.UNJUDGED_CAUSE_NO_TEMPLATE)
        return edge_pb2.FetchResponse(template=found)

    async def asks(self, most: int = 16) -> edge_pb2.AsksResponse:
        self._answer()
        return edge_pb2.AsksResponse(asks=self.wanted[:most])

    def _answer(self) -> None:
        if self.is_cut:
            raise NodeUnreachableError("the line is cut")
        if self.is_refusing:
            raise NodeRefusedError("the device is revoked", "permission_denied")


@dataclass(slots=True)
class ListedFrames:
    """A recording of given frames (``FrameSource``)."""

    frames: list[Frame]
    is_live: bool = False
    fault: str = ""
    hangs: bool = False
    """Whether it gives nothing at all, like a stalled stream."""
    _next: int = 0

    async def rewind(self) -> None:
        self._next = 0

    async def take(self) -> Frame | None:
        if self.fault:
            raise SourceError(self.fault)
        if self.hangs:
            await asyncio.Event().wait()
        self._next += 1
        return self.frames[self._next - 1] if self._next <= len(self.frames) else None


@dataclass(slots=True)
class Bench:
    """Queue, cache and line of one terminal."""

    queue: EventQueue
    cache: TemplateCache
    node: CountingNode
    link: NodeLink
    clock: Clock
    key: SigningKey
    said: list[str]

    def put(self, person: str = PERSON) -> int:
        """Keep an event."""
        return self.queue.put(lambda queue, seq: sign_event(event(person), queue, seq, self.key))


def bench(directory: Path, *, node: CountingNode | None = None, model: bytes = MODEL) -> Bench:
    """Make the parts of a terminal in a directory, or open them again; inside a running loop."""
    path = directory / "device.key"
    vault = Vault.load(path) if path.exists() else Vault.create(path)
    key = node.key if node is not None else SigningKey.generate(post_quantum=False)
    there = node or CountingNode(key, model=model)
    clock = Clock()
    said: list[str] = []
    queue = EventQueue(directory / "queue.db", vault)
    cache = TemplateCache(directory / "cache.db", vault)
    link = NodeLink(
        there,
        queue,
        cache,
        Uplink(clock(), Random(1)),  # noqa: S311 - a test
        key=key,
        running=Running(model=there.model, pipeline=PIPELINE, version="0.1.0"),
        now=clock,
        steady=clock,
        say=said.append,
    )
    return Bench(queue=queue, cache=cache, node=there, link=link, clock=clock, key=key, said=said)


async def until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so; the test's own time limit ends it."""
    while not is_so():  # noqa: ASYNC110 - what is waited for is told by no event
        await asyncio.sleep(0.005)


def event(person: str = PERSON, *, score_e4: int = 7000) -> Event:
    """An event of a comparison."""
    return Event(
        subject=Subject(person=person),
        at_ms=to_ms(NOW),
        found=Found(finding=Finding.COMPARED, score_e4=score_e4),
        threshold_e4=6000,
        calibration=b"",
        model=MODEL,
        pipeline=PIPELINE,
        live_e4=None,
        attempts=1,
    )


def unit(*values: float) -> FloatVector:
    """A unit vector."""
    vector = np.array(values, np.float32)
    return vector / np.float32(np.linalg.norm(vector))
