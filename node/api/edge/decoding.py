"""Messages of devices as what the flows take: every size and count bounded first, and back."""

from typing import Final

from node.domain.face_templates import Purpose
from node.domain.presence import PURPOSES_AT
from node.errors import PresenceError, TemplateError
from node.presence.enrolling import Probe, ProtectedTemplate
from node.presence.enrolment import Enrolment, read_number
from node.presence.events import MAX_EVENTS
from node.store.device_rows import DeviceHealth, DeviceRow, Greeting
from node.store.presence import Ask
from protos.yixin.v1 import edge_pb2
from scoring_kernel.faces.verdict import Cause

__all__ = [
    "MAX_ASKS",
    "MAX_EVENTS_BYTES",
    "QUEUE_BYTES",
    "ask_of",
    "asked_count",
    "enrolment_of",
    "events_of",
    "fetched",
    "greeting_of",
    "person_of",
    "probe_of",
    "purpose_of",
]

QUEUE_BYTES: Final = 16
MAX_EVENTS_BYTES: Final = 1024 * 1024
MAX_ASKS: Final = 64
MAX_PARTS: Final = 8
"""Purposes, or vectors, of one enrolment."""
_DIGEST_SIZES: Final = (0, 32)
_MAX_SEQ: Final = 2**53
_MAX_VERSION: Final = 40
_MAX_FAULTS: Final = 16
_MAX_FAULT: Final = 80
_PURPOSES: Final = {
    edge_pb2.PRESENCE_PURPOSE_VISIT: Purpose.VISIT,
    edge_pb2.PRESENCE_PURPOSE_BED_CHECK: Purpose.BED_CHECK,
    edge_pb2.PRESENCE_PURPOSE_DUTY: Purpose.DUTY,
}
_PURPOSE_NUMBERS: Final = {purpose: number for number, purpose in _PURPOSES.items()}


def greeting_of(request: edge_pb2.HelloRequest) -> Greeting:
    """What a device says of itself.

    Raises:
        PresenceError: A part is out of bounds.
    """
    faults = {
        f"a queue of {len(request.queue)} bytes, expected 16": len(request.queue) != QUEUE_BYTES,
        f"events {request.oldest} to {request.newest}, expected none or an ascending stretch": (
            request.oldest > request.newest or request.newest >= _MAX_SEQ
        ),
        f"a model digest of {len(request.model)} bytes, expected 32": len(request.model)
        not in _DIGEST_SIZES,
        f"a pipeline digest of {len(request.pipeline)} bytes, expected 32": len(request.pipeline)
        not in _DIGEST_SIZES,
        f"a version of {len(request.version)} characters, expected at most {_MAX_VERSION}": len(
            request.version
        )
        > _MAX_VERSION,
        f"{len(request.faults)} faults, expected at most {_MAX_FAULTS} of {_MAX_FAULT} "
        "characters": len(request.faults) > _MAX_FAULTS
        or any(len(fault) > _MAX_FAULT for fault in request.faults),
    }
    for fault, found in faults.items():
        if found:
            raise PresenceError(f"a hello with {fault}; update the device's program")
    health = DeviceHealth(
        model=request.model, memory_mib=request.memory_mib, faults=tuple(request.faults)
    )
    return Greeting(
        queue=request.queue,
        oldest=request.oldest,
        newest=request.newest,
        version=request.version,
        pipeline=request.pipeline,
        health=health,
    )


def events_of(request: edge_pb2.DeliverRequest) -> tuple[tuple[bytes, bytes], ...]:
    """Bodies and signatures, in their order; the flow judges each.

    Raises:
        PresenceError: There are none, too many, or they are too large together.
    """
    count = len(request.events)
    # Empty events without number fit into a small message: they are counted, not looked at.
    size = 0 if count > MAX_EVENTS else sum(len(event.body) for event in request.events)
    if not 1 <= count <= MAX_EVENTS or size > MAX_EVENTS_BYTES:
        raise PresenceError(
            f"found {count} events of {size} bytes, expected 1 to {MAX_EVENTS} of at most "
            f"{MAX_EVENTS_BYTES} together; send fewer at once"
        )
    return tuple((event.body, event.signature) for event in request.events)


def purpose_of(purpose: edge_pb2.PresencePurpose.ValueType, device: DeviceRow) -> Purpose:
    """What a device wants a template for.

    Raises:
        TemplateError: Nothing, or something that is verified elsewhere.
    """
    found = _PURPOSES.get(purpose)
    if found is None or found not in PURPOSES_AT[device.place]:
        expected = ", ".join(sorted(PURPOSES_AT[device.place]))
        raise TemplateError(
            f"found purpose {purpose} at a device of {device.place}, expected {expected}"
        )
    return found


def person_of(request: edge_pb2.FetchRequest) -> tuple[str, str]:
    """The person asked for, and a proxy or nothing.

    Raises:
        TemplateError: One of them is no number of a person.
    """
    read_number(request.person, "person")
    if request.proxy:
        read_number(request.proxy, "proxy")
    return request.person, request.proxy


def fetched(found: ProtectedTemplate | Cause) -> edge_pb2.FetchResponse:
    """The template, or why there is none."""
    if isinstance(found, Cause):
        cause = edge_pb2.UnjudgedCause.Value(f"UNJUDGED_CAUSE_{found.name}")
        return edge_pb2.FetchResponse(cause=cause)
    template = edge_pb2.ProtectedTemplate(
        person=found.person,
        id=found.id,
        model=found.model,
        epoch=found.epoch,
        vector=found.vector,
        expires_at_ms=found.expires_at_ms,
    )
    return edge_pb2.FetchResponse(template=template)


def enrolment_of(request: edge_pb2.EnrolRequest, device: DeviceRow) -> Enrolment:
    """An enrolment, with the terminal that sent it; the flow judges its parts.

    Raises:
        TemplateError: It has more purposes or vectors than any has.
    """
    if len(request.purposes) > MAX_PARTS or len(request.vectors) > MAX_PARTS:
        raise TemplateError(
            f"found {len(request.purposes)} purposes and {len(request.vectors)} vectors, expected "
            f"at most {MAX_PARTS} of each; nobody was enrolled"
        )
    return Enrolment(
        person=request.person,
        subject=request.subject,
        purposes=tuple(request.purposes),
        consent=request.consent,
        consent_at_ms=request.consent_at_ms,
        model=request.model,
        epoch=request.epoch,
        vectors=tuple(request.vectors),
        operator=request.operator,
        proxy_for=request.proxy_for,
        device=device.id,
        institution=device.institution,
    )


def probe_of(request: edge_pb2.IdentifyRequest, device: DeviceRow) -> Probe:
    """A search, with the terminal that sent it; the flow judges its parts."""
    return Probe(
        model=request.model,
        epoch=request.epoch,
        vector=request.vector,
        count=request.count,
        purpose=request.purpose,
        device=device.id,
        institution=device.institution,
    )


def asked_count(request: edge_pb2.AsksRequest) -> int:
    """How many asks a device takes at once.

    Raises:
        PresenceError: None, or too many.
    """
    if not 1 <= request.max <= MAX_ASKS:
        raise PresenceError(f"max {request.max} found, expected 1 to {MAX_ASKS} asks at once")
    return request.max


def ask_of(ask: Ask) -> edge_pb2.Ask:
    """An ask as it travels."""
    return edge_pb2.Ask(
        id=ask.id,
        purpose=_PURPOSE_NUMBERS[Purpose(ask.purpose)],
        person=ask.person,
        visit=ask.visit,
        label=ask.label,
        until_ms=ask.until_ms,
    )
