"""Enrolling a person (人脸登记): pictures in, a few vectors under the node's transform out.

Rules:
- Only with a consent that is named, and somebody who stands by.
- Before a camera every picture must show a living face. Of a folder or a video, who enrols from it
  answers that they are of this person; a picture of a print or a screen is not taken there either.
- Pictures that do not agree with the others are left out, which is told; where most do not agree,
  nobody is enrolled.
- Vectors leave the machine under the node's transform, over the node's line; nothing is kept here.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NoReturn

import numpy as np

from edge_devices.face_terminals.standing import Standing, read_standing
from protos.yixin.v1 import edge_pb2
from scoring_kernel.errors import FaceImageError
from scoring_kernel.faces.examined import ImageFault, LivenessAnswer
from scoring_kernel.faces.matching import ONE_E4, pack_vector
from scoring_kernel.faces.transform import protect, transform_matrix

if TYPE_CHECKING:
    from edge_devices.face_terminals.events import Purpose
    from edge_devices.face_terminals.node_link import NodeCalls, Running
    from edge_devices.face_terminals.queue import EventQueue
    from edge_devices.face_terminals.sources.port import FrameSource
    from edge_devices.face_terminals.verifying import Examiner
    from scoring_kernel.faces.arrays import FloatVector
    from scoring_kernel.faces.examined import Examined

__all__ = ["MAX_PICTURES", "Enrolling", "enrolment_request", "greeted", "take_vectors"]

MAX_PICTURES: Final = 5
"""Pictures of one person."""
_SPOOF: Final = "spoof"
_SEVERAL: Final = "several_persons"
_LOOKED_AT: Final = 12
"""Fit pictures that are looked at, to choose from."""
_APART_S: Final = 0.3
"""Between two pictures before a camera: neighbours are alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolling:
    """Who is enrolled, and on what ground."""

    person: str = field(repr=False)
    """psn_no, or code of a staff member."""
    subject: str
    """insured, staff or proxy."""
    purposes: tuple[Purpose, ...]
    """What the consent covers."""
    consent: str = field(repr=False)
    """Reference of the signed consent."""
    consent_at_ms: int
    """When it was given, milliseconds since the epoch, UTC."""
    operator: str = field(repr=False)
    """Who stands by."""
    proxy_for: str = field(default="", repr=False)
    """psn_no that a proxy may act for."""


async def greeted(calls: NodeCalls, queue: EventQueue, running: Running) -> Standing:
    """Ask the node what to work with.

    Args:
        calls: Of the node.
        queue: The terminal's queue, whose state goes with every greeting.
        running: What runs here.

    Raises:
        NodeUnreachableError: The node does not answer: an enrolment needs it.
        NodeRefusedError: It refused the terminal.
    """
    span = queue.span
    hello = edge_pb2.HelloRequest(
        queue=queue.id,
        oldest=span.oldest,
        newest=span.newest,
        model=running.model,
        pipeline=running.pipeline,
        version=running.version,
    )
    return read_standing(await calls.hello(hello), model=running.model, pipeline=running.pipeline)


async def take_vectors(
    source: FrameSource, examiner: Examiner, *, threshold_e4: int | None, timeout_s: float
) -> tuple[tuple[FloatVector, ...], int]:
    """Take pictures until there are enough that are fit, and choose those that agree.

    Args:
        source: Gives pictures.
        examiner: Says what is in them.
        threshold_e4: From which likeness on two pictures are of one person; None: nobody knows,
            and one picture is taken.
        timeout_s: Longest time, seconds.

    Returns:
        One to ``MAX_PICTURES`` unit vectors, and how many fit pictures were left out.

    Raises:
        FaceImageError: No picture was fit, and why the last one was not; or they do not agree.
        SourceError: The source is unavailable.
    """
    fit: list[FloatVector] = []
    last: Examined | None = None
    most = 1 if threshold_e4 is None else _LOOKED_AT
    await source.rewind()
    try:
        async with asyncio.timeout(timeout_s):
            while len(fit) < most and (frame := await source.take()) is not None:
                last = await asyncio.to_thread(examiner.examine, frame)
                if last.vector is not None and _is_person(last, is_live=source.is_live):
                    fit.append(last.vector)
                    if source.is_live:
                        await asyncio.sleep(_APART_S)
    except TimeoutError:
        pass
    if not fit:
        _refuse(last)
    chosen = fit if threshold_e4 is None else _agreeing(fit, threshold_e4)
    if 2 * len(chosen) <= len(fit):
        raise FaceImageError(
            _SEVERAL,
            f"found {len(fit)} fit pictures, of which at most {len(chosen)} agree with each other, "
            "expected more than half: take pictures of one person, in good light",
        )
    return tuple(chosen[:MAX_PICTURES]), len(fit) - len(chosen)


def _agreeing(fit: list[FloatVector], threshold_e4: int) -> list[FloatVector]:
    """The most pictures found that agree with each other, in their order."""
    rows = np.stack(fit).astype(np.float64)
    agree = np.floor(rows @ rows.T * ONE_E4) >= threshold_e4
    best: list[int] = []
    for first in range(len(fit)):
        # Those first that agree with most.
        order = sorted(np.flatnonzero(agree[first]), key=lambda one: -int(agree[one].sum()))
        chosen = [first]
        for one in map(int, order):
            if one != first and all(agree[one][other] for other in chosen):
                chosen.append(one)
        if len(chosen) > len(best):
            best = chosen
    return [fit[one] for one in sorted(best)]


def _refuse(last: Examined | None) -> NoReturn:
    if last is None:
        raise FaceImageError(ImageFault.NO_FACE, "no picture came in time; look at the source")
    last.verify_face()
    raise FaceImageError(
        _SPOOF,
        "found a print, a screen, or before the camera a face that was not checked: let the person "
        "stand before the camera",
    )


def enrolment_request(
    who: Enrolling, vectors: tuple[FloatVector, ...], standing: Standing, model: bytes
) -> edge_pb2.EnrolRequest:
    """Put vectors under the node's transform, with the ground they are enrolled on.

    Args:
        who: Who, and on what ground.
        vectors: Unit vectors.
        standing: What the node said of this terminal.
        model: SHA-256 of the embedding model.
    """
    matrix = transform_matrix(standing.transform, vectors[0].size)
    protected = protect(np.stack(vectors), matrix)
    return edge_pb2.EnrolRequest(
        person=who.person,
        subject=who.subject,
        purposes=who.purposes,
        consent=who.consent,
        consent_at_ms=who.consent_at_ms,
        model=model,
        epoch=standing.epoch,
        vectors=[pack_vector(one) for one in protected],
        operator=who.operator,
        proxy_for=who.proxy_for,
    )


def _is_person(examined: Examined, *, is_live: bool) -> bool:
    """Whether a picture shows a person; a file of pictures may be of a kind that is not checked."""
    answer = examined.liveness.answer
    return answer is LivenessAnswer.LIVE or (answer is LivenessAnswer.NOT_CHECKED and not is_live)
