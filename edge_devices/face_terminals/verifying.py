"""One ask, from the template to the answer (人证核验): who is asked for, and who stands there.

Rules:
- Identity fails closed: no template, no source, no threshold and no liveness are each unjudged
  with their cause; nothing is accepted for want of a check.
- Probe and template are compared under the node's transform; the probe itself is never kept.
- Where a reason other than a proxy is named, nobody is looked at: the event says that and who
  answers for it.
- Two events of one person and purpose are at least a second apart: their record is told by it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from edge_devices.errors import SourceError
from edge_devices.face_terminals.asks import Answer
from edge_devices.face_terminals.events import LOOKED_AT, Event, Reason
from edge_devices.face_terminals.machine import Look, Looking, Machine, Settled
from scoring_kernel.errors import FaceImageError, FaceModelError, TemplateMismatchError
from scoring_kernel.faces.examined import NOT_CHECKED, Examined, ImageFault
from scoring_kernel.faces.matching import parse_vector, score_e4
from scoring_kernel.faces.transform import protect, transform_matrix
from scoring_kernel.faces.verdict import Cause, Finding, Found, Verdict, judge
from security.moments import to_ms

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from edge_devices.face_terminals.asks import Ask
    from edge_devices.face_terminals.events import Subject
    from edge_devices.face_terminals.node_link import NodeLink
    from edge_devices.face_terminals.sources.port import FrameSource
    from edge_devices.face_terminals.standing import Standing
    from scoring_kernel.faces.arrays import DoubleMatrix, FloatVector, Frame

__all__ = ["Examiner", "Verified", "Verifier", "is_scene"]

_RETRY_PAUSE: Final = timedelta(seconds=1)
"""Between two attempts before a camera."""
_LEAST_SPREAD: Final = 8.0
"""Least standard deviation of grey of a picture that shows a scene."""
_STEP: Final = 8
_REMEMBERED: Final = 256
_SECOND_MS: Final = 1000


class Examiner(Protocol):
    """Says what is in a picture; ``FacePipeline`` is one."""

    @property
    def digest(self) -> bytes:
        """Digest of all models and the gate."""

    @property
    def model(self) -> str:
        """SHA-256 of the embedding model, hexadecimal."""

    def examine(self, frame: Frame) -> Examined:
        """Examine a picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What came of an ask."""

    event: Event
    """To be kept and sent."""
    answer: Answer
    """To be told, once the event is kept."""


@dataclass(slots=True)
class _Seen:
    """What the frames of one verification left behind."""

    problem: str = ""
    crop: bytes = field(default=b"", repr=False)


class Verifier:
    """Verifies one ask after the other."""

    def __init__(
        self,
        examiner: Examiner,
        source: FrameSource,
        link: NodeLink,
        *,
        now: Callable[[], datetime],
        steady: Callable[[], datetime],
        attempts: int = 0,
    ) -> None:
        """Join the parts.

        Args:
            examiner: Says what is in a picture.
            source: Gives pictures.
            link: Gives templates, and what the node says of this terminal.
            now: The clock, UTC-aware.
            steady: A clock that nobody sets, UTC-aware.
            attempts: Frames that are compared at most; 0: as the node says.
        """
        self._examiner: Final = examiner
        self._source: Final = source
        self._link: Final = link
        self._now: Final = now
        self._steady: Final = steady
        self._attempts: Final = attempts
        self._matrix: tuple[bytes, DoubleMatrix] | None = None
        self._last: Final[OrderedDict[tuple[str, str], int]] = OrderedDict()

    async def verify(self, ask: Ask) -> Verified:
        """Verify whoever stands there.

        Args:
            ask: Who should.
        """
        subject, seen = ask.subject, _Seen()
        if subject.reason not in {None, Reason.PROXY}:
            settled = _unseen(Found(finding=Finding.ABSENT))
        else:
            template = await self._link.fetch(subject)
            if isinstance(template, Cause):
                settled = _unseen(Found(finding=Finding.UNJUDGED, cause=template))
            else:
                settled = await self._look_for(template.vector, seen)
        return self._verified(ask, settled, seen)

    async def _look_for(self, packed: bytes, seen: _Seen) -> Settled:
        standing = self._link.standing
        if standing is None or len(packed) % 4:
            return _unseen(Found(finding=Finding.UNJUDGED, cause=Cause.OTHER_MODEL))
        try:
            template = parse_vector(packed, len(packed) // 4)
        except TemplateMismatchError:
            return _unseen(Found(finding=Finding.UNJUDGED, cause=Cause.OTHER_MODEL))
        matrix = self._transform(standing.transform, template.size)
        machine = Machine()
        machine.ask(self._policy(standing), self._steady())
        try:
            await self._source.rewind()
            while (wakeup := machine.next_wakeup()) is not None:
                await self._step(machine, wakeup, template, matrix, seen)
        except SourceError as error:
            seen.problem = str(error)
            machine.end(is_broken=True)
        except TemplateMismatchError:
            return _unseen(Found(finding=Finding.UNJUDGED, cause=Cause.OTHER_MODEL))
        return machine.take()

    async def _step(
        self,
        machine: Machine,
        wakeup: datetime,
        template: FloatVector,
        matrix: DoubleMatrix,
        seen: _Seen,
    ) -> None:
        """Wait for a frame or the time, whichever comes first, and hand it to the machine."""
        wait_s = (wakeup - self._steady()).total_seconds()
        if machine.is_pausing:
            await asyncio.sleep(max(0.0, wait_s))
            machine.tick(self._steady())
            return
        try:
            frame = await asyncio.wait_for(self._source.take(), max(0.0, wait_s))
        except TimeoutError:
            machine.tick(self._steady())
            return
        if frame is None:
            machine.end()
            return
        examined = await asyncio.to_thread(self._examine, frame)
        if examined.problem:
            seen.problem = examined.problem
        is_best = machine.frame(_look(examined, template, matrix, frame), self._steady())
        if is_best and self._wants_crops and examined.face is not None:
            from edge_devices.face_terminals.crops import crop_face  # noqa: PLC0415  # OpenCV

            seen.crop = crop_face(frame, examined.face.box)

    def _examine(self, frame: Frame) -> Examined:
        try:
            return self._examiner.examine(frame)
        except (FaceImageError, FaceModelError) as error:
            # A picture that no model can say anything of says nothing of the person either.
            return Examined(faces=0, fault=ImageFault.NO_FACE, problem=str(error))

    def _verified(self, ask: Ask, settled: Settled, seen: _Seen) -> Verified:
        standing, found = self._link.standing, settled.found
        threshold = None if standing is None else standing.threshold_e4
        is_required = standing is None or standing.is_liveness_required
        verdict, cause = judge(found, threshold, liveness_required=is_required)
        is_wrong = verdict in {Verdict.MISMATCH, Verdict.SPOOF}
        event = Event(
            subject=ask.subject,
            at_ms=self._moment(ask.subject),
            found=found,
            threshold_e4=threshold,
            calibration=b"" if standing is None else standing.calibration,
            model=bytes.fromhex(self._examiner.model),
            pipeline=self._examiner.digest,
            live_e4=settled.live_e4,
            attempts=settled.attempts,
            crop=seen.crop if is_wrong and self._wants_crops else b"",
        )
        answer = Answer(
            id=ask.id,
            verdict=verdict,
            cause=cause,
            problem=_words(cause, seen.problem, settled),
            reason=ask.subject.reason,
            score_e4=found.score_e4,
            threshold_e4=threshold,
            liveness=found.liveness if found.finding in LOOKED_AT else None,
            attempts=settled.attempts,
        )
        return Verified(event=event, answer=answer)

    @property
    def _wants_crops(self) -> bool:
        return self._link.standing is not None and self._link.standing.wants_crops

    def _policy(self, standing: Standing) -> Looking:
        return Looking(
            timeout=timedelta(seconds=standing.timeout_s),
            attempts=self._attempts or standing.attempts,
            threshold_e4=standing.threshold_e4,
            is_liveness_required=standing.is_liveness_required,
            pause=_RETRY_PAUSE if self._source.is_live else timedelta(),
        )

    def _transform(self, key: bytes, dimension: int) -> DoubleMatrix:
        if self._matrix is None or self._matrix[0] != key or len(self._matrix[1]) != dimension:
            self._matrix = (key, transform_matrix(key, dimension))
        return self._matrix[1]

    def _moment(self, subject: Subject) -> int:
        key = (subject.person, subject.purpose)
        at_ms, before = to_ms(self._now()), self._last.pop(key, None)
        if before is not None and before // _SECOND_MS >= at_ms // _SECOND_MS:
            at_ms = (before // _SECOND_MS + 1) * _SECOND_MS
        self._last[key] = at_ms
        while len(self._last) > _REMEMBERED:
            self._last.popitem(last=False)
        return at_ms


def is_scene(frame: Frame) -> bool:
    """Whether a picture shows anything: not black, white, or a covered lens.

    Args:
        frame: Blue, green, red, shape (height, width, 3).

    >>> is_scene(np.zeros((96, 96, 3), np.uint8))
    False
    """
    return float(np.std(frame[::_STEP, ::_STEP])) >= _LEAST_SPREAD


def _look(examined: Examined, template: FloatVector, matrix: DoubleMatrix, frame: Frame) -> Look:
    score = None
    if examined.vector is not None:
        score = score_e4(protect(examined.vector[None], matrix)[0], template)
    return Look(
        fault=examined.fault,
        score_e4=score,
        liveness=examined.liveness,
        is_seen=examined.faces > 0 or is_scene(frame),
    )


def _unseen(found: Found) -> Settled:
    return Settled(found=found, live_e4=NOT_CHECKED.live_e4, attempts=0, was_seen=False)


_CAUSES: Final = {
    Cause.NO_TEMPLATE: "the person is not enrolled for this, or it was revoked: enrol, or let the "
    "visit pass with a reason",
    Cause.OTHER_MODEL: "the template is of another model or transform: enrol the person anew",
    Cause.OFFLINE: "the node cannot be asked, and the template is not kept here",
    Cause.NOT_CALIBRATED: "the node holds no threshold for this model at this site: calibrate",
    Cause.LIVENESS_NOT_CHECKED: "no liveness model is installed, or the face was too small or too "
    "near the edge for it: step back to the middle",
    Cause.NO_SOURCE: "the source gives no pictures",
}


def _words(cause: Cause | None, problem: str, settled: Settled) -> str | None:
    if cause is None:
        return None
    if cause is Cause.NO_FACE and not settled.was_seen:
        return "the pictures are black or of one colour: uncover the lens, mend the light"
    if cause is Cause.NO_SOURCE and problem:
        return problem
    return _CAUSES.get(cause) or problem or None
