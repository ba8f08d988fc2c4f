"""Presence events (在场事件) out of what a device signed: decoded, verified, bounded.

Rules:
- What the device did not sign, or what nobody can read, is no event of it: the whole delivery is
  refused and the queue stands still, so that nothing is lost by a fault.
- What it signed and what breaks a rule is refused for good, by a code; the queue goes on behind it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

from google.protobuf.message import DecodeError

from node.domain.face_templates import Purpose
from node.domain.presence import Reason
from node.errors import PresenceError
from protos.yixin.v1 import edge_pb2
from scoring_kernel.faces.examined import LivenessAnswer
from scoring_kernel.faces.verdict import Cause, Finding, Found
from security.devices.signed_events import verify_event
from security.errors import BadSignatureError
from security.moments import SHANGHAI

__all__ = ["MAX_EVENTS", "Event", "Refusal", "Unfit", "read_events"]

MAX_EVENTS: Final = 256
"""Most events of one delivery."""
MAX_BODY: Final = 64 * 1024
"""Most bytes of one event."""
_MAX_BARE: Final = 4 * 1024
"""Most bytes of one event beside its picture: its fields take half of it at most."""
_FORMAT: Final = 1
_QUEUE_BYTES: Final = 16
_DIGEST_BYTES: Final = 32
_MAX_SEQ: Final = 2**63 - 1
_ONE_E4: Final = 10_000
_MAX_WORDS: Final = 200
_MAX_CROP: Final = 48 * 1024
_EARLIEST_MS: Final = 946_684_800_000
"""2000-01-01: what is earlier is no moment of a device."""
_LATEST_MS: Final = 4_102_444_800_000
_NUMBER: Final = re.compile(r"[!-~]{1,30}")
_ROUND: Final = re.compile(r"[0-9a-z-]{1,64}")
_JPEG: Final = b"\xff\xd8\xff"

_PURPOSES: Final = {
    edge_pb2.PRESENCE_PURPOSE_VISIT: Purpose.VISIT,
    edge_pb2.PRESENCE_PURPOSE_BED_CHECK: Purpose.BED_CHECK,
    edge_pb2.PRESENCE_PURPOSE_DUTY: Purpose.DUTY,
}
_FINDINGS: Final = {
    edge_pb2.PRESENCE_RESULT_COMPARED: Finding.COMPARED,
    edge_pb2.PRESENCE_RESULT_SPOOF: Finding.SPOOF,
    edge_pb2.PRESENCE_RESULT_ABSENT: Finding.ABSENT,
    edge_pb2.PRESENCE_RESULT_UNJUDGED: Finding.UNJUDGED,
}
_LIVENESS: Final = {
    edge_pb2.LIVENESS_LIVE: LivenessAnswer.LIVE,
    edge_pb2.LIVENESS_SPOOF: LivenessAnswer.SPOOF,
    edge_pb2.LIVENESS_NOT_CHECKED: LivenessAnswer.NOT_CHECKED,
}
_CAUSES: Final = {
    number: Cause(name.removeprefix("UNJUDGED_CAUSE_").lower())
    for name, number in edge_pb2.UnjudgedCause.items()
    if number
}
_REASONS: Final = {
    number: Reason(name.removeprefix("REASON_CODE_").lower())
    for name, number in edge_pb2.ReasonCode.items()
    if number
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why an event is not taken, and never will be."""

    seq: int
    code: str
    """Stable code, for example ``clock`` or ``place``."""
    detail: str
    """What was found, what was expected, what to do; never a personal value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event as its device tells it."""

    queue: bytes
    seq: int
    at_ms: int
    purpose: Purpose
    person: str = field(repr=False)
    visit: str = field(repr=False)
    found: Found
    liveness: LivenessAnswer | None
    """None where no face was looked at."""
    threshold_e4: int
    """What the device held the score against."""
    model: bytes
    """SHA-256 of the embedding model's file; empty where nothing was compared."""
    reason: Reason | None
    words: str = field(repr=False)
    staff: str = field(repr=False)
    proxy: str = field(repr=False)
    round: str
    """Ask that it answers; empty for none."""
    crop: bytes = field(repr=False)
    signed: bytes = field(repr=False)
    """The signed event as received, to be kept."""

    @property
    def moment(self) -> datetime:
        """Wall clock of Asia/Shanghai, to the second, as records have it."""
        at = datetime.fromtimestamp(self.at_ms // 1000, SHANGHAI)
        return at.replace(tzinfo=None)

    @property
    def day(self) -> date:
        """Day in Shanghai."""
        return self.moment.date()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfit:
    """A signed event that breaks a rule of its form."""

    seq: int
    at_ms: int
    person: str = field(repr=False)
    refusal: Refusal
    signed: bytes = field(repr=False)


def read_events(
    pairs: Sequence[tuple[bytes, bytes]], signing_key: bytes
) -> tuple[bytes, tuple[Event | Unfit, ...]]:
    """Read the events of one delivery.

    Args:
        pairs: Body and signature of each, as received.
        signing_key: The device's Ed25519 key, 32 bytes.

    Returns:
        The queue, and its events in the order in which they came.

    Raises:
        PresenceError: None or too many came, one is too large, not of this device, not readable,
            of a newer form, or they are of several queues.
    """
    if not 1 <= len(pairs) <= MAX_EVENTS:
        raise PresenceError(f"found {len(pairs)} events, expected 1 to {MAX_EVENTS} a delivery")
    messages = [_message(number, *one, signing_key) for number, one in enumerate(pairs, start=1)]
    queues = {message.queue for message in messages}
    if len(queues) > 1:
        raise PresenceError(f"found events of {len(queues)} queues, expected those of one")
    return messages[0].queue, tuple(
        _event(message, _kept(message, *pair))
        for message, pair in zip(messages, pairs, strict=True)
    )


def _message(
    number: int, body: bytes, signature: bytes, signing_key: bytes
) -> edge_pb2.PresenceEvent:
    if len(body) > MAX_BODY:
        raise PresenceError(
            f"event {number} has {len(body)} bytes, expected at most {MAX_BODY}: send it without "
            "its picture"
        )
    try:
        verify_event(signing_key, body, signature)
        message = edge_pb2.PresenceEvent.FromString(body)
    except BadSignatureError as error:
        raise PresenceError(
            f"event {number} is not signed by the key with which the device joined: nothing of the "
            "delivery was taken; join the device again, or remove its queue if it is another's"
        ) from error
    except DecodeError as error:
        raise PresenceError(f"event {number} is no presence event: update the device") from error
    if message.format != _FORMAT:
        raise PresenceError(
            f"event {number} has format {message.format}, expected {_FORMAT}: update this node"
        )
    if len(message.queue) != _QUEUE_BYTES or not 1 <= message.seq <= _MAX_SEQ:
        raise PresenceError(
            f"event {number} has no place in a queue: expected {_QUEUE_BYTES} bytes and a number "
            "from 1; update the device"
        )
    _verify_bare(number, body, message)
    return message


def _verify_bare(number: int, body: bytes, message: edge_pb2.PresenceEvent) -> None:
    """Refuse what would be kept with an event for years and is no part of it.

    Raises:
        PresenceError: There is more beside the picture than an event has, or it is not told.
    """
    size = len(body) - len(message.crop)
    if size > _MAX_BARE:
        raise PresenceError(
            f"event {number} has {size} bytes beside its picture, expected at most {_MAX_BARE}: "
            "update the device"
        )
    known = edge_pb2.PresenceEvent()
    known.CopyFrom(message)
    known.DiscardUnknownFields()
    if known.ByteSize() != len(body):
        raise PresenceError(
            f"event {number} has fields that are there twice or unknown, {len(body)} bytes for "
            f"{known.ByteSize()}: update this node, or the device if it is newer"
        )


def _kept(message: edge_pb2.PresenceEvent, body: bytes, signature: bytes) -> bytes:
    """A signed event without its picture, which has a place and a time of its own.

    With the picture put back it is, while that is kept, what the device signed.
    """
    if message.crop:
        bare = edge_pb2.PresenceEvent()
        bare.CopyFrom(message)
        bare.ClearField("crop")
        body = bare.SerializeToString()
    return edge_pb2.SignedEvent(body=body, signature=signature).SerializeToString()


def _event(message: edge_pb2.PresenceEvent, signed: bytes) -> Event | Unfit:
    problem = _problem(message)
    if problem:
        known = _EARLIEST_MS <= message.at_ms <= _LATEST_MS
        return Unfit(
            seq=message.seq,
            at_ms=message.at_ms if known else _EARLIEST_MS,
            person=message.person[:30],
            refusal=Refusal(seq=message.seq, code="form", detail=f"{problem}; update the device"),
            signed=signed,
        )
    finding = _FINDINGS[message.result]
    liveness = _LIVENESS.get(message.liveness)
    return Event(
        queue=message.queue,
        seq=message.seq,
        at_ms=message.at_ms,
        purpose=_PURPOSES[message.purpose],
        person=message.person,
        visit=message.visit,
        found=Found(
            finding=finding,
            score_e4=message.score_e4 if finding is Finding.COMPARED else None,
            liveness=liveness or LivenessAnswer.NOT_CHECKED,
            cause=_CAUSES.get(message.cause) if finding is Finding.UNJUDGED else None,
        ),
        liveness=liveness,
        threshold_e4=message.threshold_e4,
        model=message.model,
        reason=_REASONS.get(message.reason),
        words=message.reason_text.strip(),
        staff=message.staff,
        proxy=message.proxy,
        round=message.round,
        crop=message.crop,
        signed=signed,
    )


def _problem(message: edge_pb2.PresenceEvent) -> str:
    """What is wrong with the form of an event, by field; empty where nothing is."""
    is_compared = message.result == edge_pb2.PRESENCE_RESULT_COMPARED
    is_unjudged = message.result == edge_pb2.PRESENCE_RESULT_UNJUDGED
    checks = {
        "at_ms": _EARLIEST_MS <= message.at_ms <= _LATEST_MS,
        "purpose": message.purpose in _PURPOSES,
        "person": _NUMBER.fullmatch(message.person),
        "visit": not message.visit or _NUMBER.fullmatch(message.visit),
        "result": message.result in _FINDINGS,
        "score_e4": -_ONE_E4 <= message.score_e4 <= _ONE_E4,
        "threshold_e4": -_ONE_E4 <= message.threshold_e4 <= _ONE_E4,
        "model": len(message.model) == _DIGEST_BYTES or (not is_compared and not message.model),
        "liveness": message.liveness in _LIVENESS or (not is_compared and not message.liveness),
        "cause": (message.cause in _CAUSES) == is_unjudged,
        "reason": not message.reason or message.reason in _REASONS,
        "reason_text": len(message.reason_text) <= _MAX_WORDS and message.reason_text.isprintable(),
        "staff": not message.staff or _NUMBER.fullmatch(message.staff),
        "proxy": not message.proxy or _NUMBER.fullmatch(message.proxy),
        "round": not message.round or _ROUND.fullmatch(message.round),
        "crop": len(message.crop) <= _MAX_CROP
        and (not message.crop or message.crop.startswith(_JPEG)),
    }
    wrong = next((name for name, is_right in checks.items() if not is_right), "")
    return f"{wrong} is not of the form of PresenceEvent" if wrong else ""
