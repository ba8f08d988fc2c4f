"""What a terminal says it found (在场事件), as the bytes that it signs; no I/O.

Rules:
- The device says what it found; what is held of it is the node's. A comparison is sent as one,
  also where the terminal knows no threshold.
- Person, proxy, staff, words and picture never enter a repr, a log or an error.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from protos.yixin.v1 import edge_pb2
from scoring_kernel.faces.examined import LivenessAnswer
from scoring_kernel.faces.verdict import Cause, Finding
from security.devices.signed_events import sign_event as sign_body

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scoring_kernel.faces.verdict import Found
    from security.keys import SigningKey

__all__ = [
    "CAUSES_BY_NUMBER",
    "LOOKED_AT",
    "PURPOSES",
    "Event",
    "Purpose",
    "Reason",
    "Subject",
    "sign_again",
    "sign_event",
]

FORMAT: Final = 1
MAX_BODY_BYTES: Final = 64 * 1024
"""Longest event with its picture."""


class Purpose(StrEnum):
    """What is asked of a terminal."""

    VISIT = "visit"
    BED_CHECK = "bed_check"
    DUTY = "duty"


class Reason(StrEnum):
    """Why somebody else than the insured person, or nobody, is verified (放行事由)."""

    PROXY = "proxy"
    CHILD = "child"
    VOUCHER = "voucher"
    EMERGENCY = "emergency"
    MANUAL = "manual"


PURPOSES: Final[Mapping[Purpose, edge_pb2.PresencePurpose.ValueType]] = {
    Purpose.VISIT: edge_pb2.PRESENCE_PURPOSE_VISIT,
    Purpose.BED_CHECK: edge_pb2.PRESENCE_PURPOSE_BED_CHECK,
    Purpose.DUTY: edge_pb2.PRESENCE_PURPOSE_DUTY,
}
REASONS: Final[Mapping[Reason, edge_pb2.ReasonCode.ValueType]] = {
    Reason.PROXY: edge_pb2.REASON_CODE_PROXY,
    Reason.CHILD: edge_pb2.REASON_CODE_CHILD,
    Reason.VOUCHER: edge_pb2.REASON_CODE_VOUCHER,
    Reason.EMERGENCY: edge_pb2.REASON_CODE_EMERGENCY,
    Reason.MANUAL: edge_pb2.REASON_CODE_MANUAL,
}
FINDINGS: Final[Mapping[Finding, edge_pb2.PresenceResult.ValueType]] = {
    Finding.COMPARED: edge_pb2.PRESENCE_RESULT_COMPARED,
    Finding.SPOOF: edge_pb2.PRESENCE_RESULT_SPOOF,
    Finding.ABSENT: edge_pb2.PRESENCE_RESULT_ABSENT,
    Finding.UNJUDGED: edge_pb2.PRESENCE_RESULT_UNJUDGED,
}
LIVENESS: Final[Mapping[LivenessAnswer, edge_pb2.Liveness.ValueType]] = {
    LivenessAnswer.LIVE: edge_pb2.LIVENESS_LIVE,
    LivenessAnswer.SPOOF: edge_pb2.LIVENESS_SPOOF,
    LivenessAnswer.NOT_CHECKED: edge_pb2.LIVENESS_NOT_CHECKED,
}
LOOKED_AT: Final = frozenset((Finding.COMPARED, Finding.SPOOF))
"""Findings in which a face was looked at; of the others nothing is said of liveness."""
CAUSES: Final[Mapping[Cause, edge_pb2.UnjudgedCause.ValueType]] = {
    cause: edge_pb2.UnjudgedCause.Value(f"UNJUDGED_CAUSE_{cause.name}") for cause in Cause
}
CAUSES_BY_NUMBER: Final[Mapping[int, Cause]] = {number: cause for cause, number in CAUSES.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Of whom a terminal was asked, and for what."""

    person: str = field(repr=False)
    """psn_no, or code of the staff member on duty."""
    purpose: Purpose = Purpose.VISIT
    """What for."""
    visit: str = field(default="", repr=False)
    """mdtrt_id where it was named."""
    reason: Reason | None = None
    """Why somebody else, or nobody, is verified."""
    reason_text: str = field(default="", repr=False)
    """In words."""
    staff: str = field(default="", repr=False)
    """Who lets it pass."""
    proxy: str = field(default="", repr=False)
    """psn_no of the proxy whose face is compared."""
    round: str = ""
    """The node's ask that this answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event, before its place in the queue."""

    subject: Subject
    """Of whom."""
    at_ms: int
    """Moment by the device's clock, milliseconds since the epoch, UTC."""
    found: Found
    """What was found."""
    threshold_e4: int | None
    """Threshold that the device used."""
    calibration: bytes
    """Digest of the calibration that gave it, 32 bytes; empty for none."""
    model: bytes
    """SHA-256 of the embedding model's file."""
    pipeline: bytes
    """Digest of all manifests and the gate."""
    live_e4: int | None
    """Probability of a living face."""
    attempts: int
    """Frames tried."""
    crop: bytes = field(default=b"", repr=False)
    """JPEG, where the node asked for one."""


def sign_event(event: Event, queue: bytes, seq: int, key: SigningKey) -> bytes:
    """Write an event with its place in the queue, and sign it.

    Args:
        event: What was found.
        queue: Id of the queue, 16 bytes.
        seq: Its number there, from 1.
        key: Signing key of the device.

    Returns:
        Serialised ``SignedEvent``.

    Raises:
        ValueError: The event is longer than ``MAX_BODY_BYTES``.
    """
    body = _message(event, queue, seq).SerializeToString(deterministic=True)
    if len(body) > MAX_BODY_BYTES:
        raise ValueError(f"event {seq} has {len(body)} bytes, expected at most {MAX_BODY_BYTES}")
    return _signed(body, key)


def sign_again(signed: bytes, queue: bytes, seq: int, key: SigningKey) -> bytes:
    """Give an event that was signed here another place, in another queue.

    Args:
        signed: What ``sign_event`` wrote.
        queue: Id of the other queue.
        seq: Its number there.
        key: Signing key of the device.

    Returns:
        Serialised ``SignedEvent``.
    """
    message = edge_pb2.PresenceEvent.FromString(edge_pb2.SignedEvent.FromString(signed).body)
    message.queue, message.seq = queue, seq
    return _signed(message.SerializeToString(deterministic=True), key)


def _signed(body: bytes, key: SigningKey) -> bytes:
    signature = sign_body(key, body)
    return edge_pb2.SignedEvent(body=body, signature=signature).SerializeToString()


def _message(event: Event, queue: bytes, seq: int) -> edge_pb2.PresenceEvent:
    subject, found = event.subject, event.found
    return edge_pb2.PresenceEvent(
        format=FORMAT,
        queue=queue,
        seq=seq,
        at_ms=event.at_ms,
        purpose=PURPOSES[subject.purpose],
        person=subject.person,
        visit=subject.visit,
        result=FINDINGS[found.finding],
        score_e4=found.score_e4 or 0,
        threshold_e4=event.threshold_e4 or 0,
        calibration=event.calibration,
        model=event.model,
        pipeline=event.pipeline,
        liveness=LIVENESS[found.liveness]
        if found.finding in LOOKED_AT
        else edge_pb2.LIVENESS_UNSPECIFIED,
        liveness_e4=event.live_e4 or 0,
        cause=edge_pb2.UNJUDGED_CAUSE_UNSPECIFIED if found.cause is None else CAUSES[found.cause],
        reason=edge_pb2.REASON_CODE_UNSPECIFIED
        if subject.reason is None
        else REASONS[subject.reason],
        reason_text=subject.reason_text,
        staff=subject.staff,
        proxy=subject.proxy,
        round=subject.round,
        crop=event.crop,
        attempts=event.attempts,
    )
