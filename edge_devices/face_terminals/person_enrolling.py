"""Enrolling a person (人脸登记): pictures in, a few vectors under the node's transform out.

Rules:
- Only with a consent that is named, and somebody who stands by.
- Before a camera every picture must show a living face; a folder or a video is a file of pictures,
  and who enrols from it answers for them.
- Vectors leave the machine under the node's transform, over the node's line; nothing is kept here.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from edge_devices.face_terminals.standing import Standing, read_standing
from protos.yixin.v1 import edge_pb2
from scoring_kernel.errors import FaceImageError
from scoring_kernel.faces.examined import ImageFault, LivenessAnswer
from scoring_kernel.faces.matching import pack_vector
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
_APART: Final = 3
"""Before a camera, every so manieth fit frame is taken: neighbours are alike."""


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
    source: FrameSource, examiner: Examiner, *, timeout_s: float
) -> tuple[FloatVector, ...]:
    """Take pictures until there are enough that are fit.

    Args:
        source: Gives pictures.
        examiner: Says what is in them.
        timeout_s: Longest time, seconds.

    Returns:
        One to ``MAX_PICTURES`` unit vectors.

    Raises:
        FaceImageError: No picture was fit; says why the last one was not.
        SourceError: The source is unavailable.
    """
    found: list[FloatVector] = []
    last: Examined | None = None
    fit = 0
    await source.rewind()
    try:
        async with asyncio.timeout(timeout_s):
            while len(found) < MAX_PICTURES and (frame := await source.take()) is not None:
                last = await asyncio.to_thread(examiner.examine, frame)
                if last.vector is None or (source.is_live and not _lives(last)):
                    continue
                if not source.is_live or fit % _APART == 0:
                    found.append(last.vector)
                fit += 1
    except TimeoutError:
        pass
    if found:
        return tuple(found)
    if last is None:
        raise FaceImageError(ImageFault.NO_FACE, "no picture came in time; look at the source")
    last.verify_face()
    raise FaceImageError(
        _SPOOF, "found a face that is no living one, or was not checked: stand before the camera"
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


def _lives(examined: Examined) -> bool:
    return examined.liveness.answer is LivenessAnswer.LIVE
