"""A terminal whose camera shows drawn faces: everything behind the camera is the real program.

Queue, cache, line, signatures, transform and verdict are those of ``face_terminals``; only frames
and vectors are given, so that no model is needed.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from edge_devices.client import NodeClient
from edge_devices.config import DEVICE_KEY
from edge_devices.errors import DeviceConfigurationError, NodeUnreachableError
from edge_devices.face_terminals import queue as queues
from edge_devices.face_terminals import template_cache as caches
from edge_devices.face_terminals.asks import Ask
from edge_devices.face_terminals.events import Purpose, Subject, sign_event
from edge_devices.face_terminals.node_link import NodeLink, Running
from edge_devices.face_terminals.person_enrolling import Enrolling, enrolment_request
from edge_devices.face_terminals.uplink import Uplink
from edge_devices.face_terminals.verifying import Verifier
from scoring_kernel.faces.examined import Examined, LivenessAnswer, LivenessCheck
from scoring_kernel.faces.matching import pack_vector
from scoring_kernel.faces.transform import protect, transform_matrix
from scoring_kernel.faces.verdict import Cause
from security.at_rest import Vault
from security.moments import to_ms

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncIterator, Callable
    from datetime import datetime

    from edge_devices.enrolling import DeviceIdentity
    from edge_devices.simulators.world import DrawnFaces
    from scoring_kernel.faces.arrays import Frame

__all__ = ["MODEL", "PIPELINE", "DrawnCamera", "DrawnExaminer", "DrawnTerminal", "person_number"]

MODEL: Final = hashlib.sha256(b"yixin/drawn-faces/model").digest()
"""Stands for the SHA-256 of an embedding model."""
PIPELINE: Final = hashlib.sha256(b"yixin/drawn-faces/pipeline").digest()
"""Stands for the digest of all models and a gate."""
_LIVE_E4: Final = 9_900
_FIRST_GREETING_S: Final = 10.0
_NUMBERS: Final = np.dtype("<u4")


def person_number(person: int) -> str:
    """Number (psn_no) of a drawn person, counted from 0.

    >>> person_number(6)
    '33030070000000000000000006'
    """
    return f"33030070{person:018d}"


class DrawnCamera:
    """Shows frames that say in numbers whose picture they are; a ``FrameSource``."""

    def __init__(self) -> None:
        self.person = 0
        self._shot = 0

    @property
    def is_live(self) -> bool:
        """It gives each picture once, when it is asked."""
        return False

    async def rewind(self) -> None:
        """Nothing begins anew: every picture is another one."""

    async def take(self) -> Frame:
        """Give the next picture of whoever stands there."""
        self._shot += 1
        numbers = np.array((self.person, self._shot), _NUMBERS)
        return np.frombuffer(numbers.tobytes() + bytes(1), np.uint8).reshape(1, 3, 3)


class DrawnExaminer:
    """Says whose vector belongs to a picture of ``DrawnCamera``; an ``Examiner``."""

    model: Final = MODEL.hex()
    digest: Final = PIPELINE

    def __init__(self, faces: DrawnFaces) -> None:
        self._faces: Final = faces

    def examine(self, frame: Frame) -> Examined:
        """Examine a picture."""
        person, shot = np.frombuffer(frame.tobytes(), _NUMBERS, 2).tolist()
        return Examined(
            faces=1,
            vector=self._faces.picture(person, shot),
            liveness=LivenessCheck(answer=LivenessAnswer.LIVE, live_e4=_LIVE_E4),
        )


@dataclass(slots=True, kw_only=True)
class DrawnTerminal:
    """A terminal that is up; ``opened`` makes one."""

    camera: DrawnCamera
    link: NodeLink
    queue: queues.EventQueue
    _client: NodeClient
    _verifier: Verifier
    _faces: DrawnFaces
    _identity: DeviceIdentity
    verdicts: Counter[str] = field(default_factory=Counter)
    """What it told at the counter."""

    @classmethod
    @asynccontextmanager
    async def opened(
        cls,
        identity: DeviceIdentity,
        faces: DrawnFaces,
        *,
        now: Callable[[], datetime],
        steady: Callable[[], datetime],
        rng: random.Random,
        say: Callable[[str], None],
    ) -> AsyncIterator[DrawnTerminal]:
        """Open queue, cache and line in the identity's directory, and drive the line.

        Args:
            identity: Who it is, towards its node.
            faces: Whom its camera may show.
            now: The clock, UTC-aware.
            steady: A clock that nobody sets, UTC-aware.
            rng: Shortens pauses.
            say: Takes a line for the operator.

        Raises:
            QueueError: Queue or cache cannot be opened.
            KeyFileError: The device's key is damaged or open to others.
        """
        directory = identity.directory
        key = directory / DEVICE_KEY
        vault = Vault.load(key) if key.exists() else Vault.create(key)
        queue = queues.EventQueue(directory / queues.FILE_NAME, vault)
        cache = caches.TemplateCache(directory / caches.FILE_NAME, vault)
        camera, examiner = DrawnCamera(), DrawnExaminer(faces)
        try:
            async with NodeClient(identity, now) as client:
                link = NodeLink(
                    client,
                    queue,
                    cache,
                    Uplink(steady(), rng),
                    key=identity.keys.signing,
                    running=Running(model=MODEL, pipeline=PIPELINE, version="simulated"),
                    now=now,
                    steady=steady,
                    say=say,
                )
                driven = asyncio.ensure_future(link.run())
                try:
                    yield cls(
                        camera=camera,
                        link=link,
                        queue=queue,
                        _client=client,
                        _verifier=Verifier(examiner, camera, link, now=now, steady=steady),
                        _faces=faces,
                        _identity=identity,
                    )
                finally:
                    driven.cancel()
                    with suppress(asyncio.CancelledError):
                        await driven
        finally:
            cache.close()
            queue.close()

    async def enrol(self, person: int, now: datetime) -> None:
        """Enrol a drawn person who is not yet, with a consent that says what it is.

        Args:
            person: Who, from 0.
            now: The moment.

        Raises:
            DeviceConfigurationError: The person is enrolled with another face.
            NodeUnreachableError: The node has not answered yet.
            NodeRefusedError: The node refuses, for example at this place.
        """
        with suppress(TimeoutError):
            await asyncio.wait_for(self.link.tried.wait(), _FIRST_GREETING_S)
        standing = self.link.standing
        if standing is None:
            raise NodeUnreachableError(
                f"{self._identity.device}: the node did not answer a greeting"
                f" ({self.link.problem or 'no answer'}); start the node and run it again"
            )
        vectors = (self._faces.enrolled[person],)
        held = await self.link.fetch(Subject(person=person_number(person)))
        if not isinstance(held, Cause):
            matrix = transform_matrix(standing.transform, vectors[0].size)
            own = pack_vector(protect(vectors[0][None], matrix)[0])
            if held.vector != own:
                raise DeviceConfigurationError(
                    f"drawn person {person} is enrolled with another face: take the seed of the"
                    " run before, or a new node"
                )
            return
        who = Enrolling(
            person=person_number(person),
            subject="insured",
            purposes=(Purpose.VISIT, Purpose.BED_CHECK),
            consent="simulated",
            consent_at_ms=to_ms(now),
            operator="simulator",
        )
        await self._client.enrol(enrolment_request(who, vectors, standing, MODEL))

    async def verify(self, asked: int, shown: int, purpose: Purpose = Purpose.VISIT) -> str:
        """Verify one drawn person; the event is durable when this returns.

        Args:
            asked: Who should stand there.
            shown: Who does.
            purpose: What for.

        Returns:
            The verdict, as it is told at the counter.

        Raises:
            QueueError: The event could not be kept.
        """
        self.camera.person = shown
        ask = Ask(subject=Subject(person=person_number(asked), purpose=purpose))
        verified = await self._verifier.verify(ask)
        key = self._identity.keys.signing
        await asyncio.to_thread(
            self.queue.put, lambda queue, seq: sign_event(verified.event, queue, seq, key)
        )
        self.link.nudge()
        self.verdicts[verified.answer.verdict] += 1
        return str(verified.answer.verdict)
