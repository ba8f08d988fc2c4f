"""Enrolling a person (人脸登记): pictures in, a few vectors under the node's transform out.

Rules:
- Only with a consent that is named, and somebody who stands by.
- Which pictures are taken says ``person_pictures``; of a folder or a video, who enrols from it
  answers that they are of this person.
- Vectors leave the machine under the node's transform, over the node's line; nothing is kept here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from edge_devices.face_terminals.standing import Standing, read_standing
from protos.yixin.v1 import edge_pb2
from scoring_kernel.faces.matching import pack_vector
from scoring_kernel.faces.transform import protect, transform_matrix

if TYPE_CHECKING:
    from edge_devices.face_terminals.events import Purpose
    from edge_devices.face_terminals.node_link import NodeCalls, Running
    from edge_devices.face_terminals.queue import EventQueue
    from scoring_kernel.faces.arrays import FloatVector

__all__ = ["Enrolling", "enrolment_request", "greeted"]


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
        NodeUnreachableError: The node does not answer, and is needed.
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
