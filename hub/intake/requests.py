"""Decoding of requests for products and of envelopes to pass on.

Rules of this module: what is malformed is quarantined with the rule it breaks; what is sound
becomes a task and is handled after the commit, from the stored envelope: nothing of its content
lies in the clear. Whether an agreement covers a request is not judged here.
"""

import re
from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection

from hub.domain.sharing import DecodedSharing
from hub.errors import StatementError
from hub.store import deliveries
from protos.yixin.v1 import envelope_pb2, sharing_pb2
from security.encoding import parse_exactly
from security.envelope import MAX_ENVELOPE_BYTES
from security.errors import AgreementError, UntrustedEnvelopeError
from security.members import MemberKind, parse_member_id
from security.sharing.coverage import FORWARD, PRODUCT_REQUEST
from security.sharing.forwarded import parse_forward

__all__ = ["FORWARD", "PRODUCT_REQUEST", "add_task", "decode_sharing", "parse_request"]

MAX_REQUEST_BYTES: Final = 128 * 1024
MAX_SUBJECTS: Final = 1_000
MAX_NAMED: Final = 32
REQUEST_ID_BYTES: Final = 16
_FORMAT: Final = 1
_PERIOD: Final = re.compile(r"[0-9]{4}H[12]")
_REFERENCE: Final = re.compile(r"[a-z][a-z0-9_]{0,63}@[1-9][0-9]{0,5}")
_WORD: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_SUBJECT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def decode_sharing(header: envelope_pb2.EnvelopeHeader, payload: bytes) -> DecodedSharing:
    """Read a payload of type ``product_request`` or ``forward``.

    Raises:
        StatementError: The payload does not parse, or a part is out of bounds.
    """
    is_request = header.payload_type == PRODUCT_REQUEST
    return decode_request(header, payload) if is_request else decode_forward(header, payload)


def decode_request(header: envelope_pb2.EnvelopeHeader, payload: bytes) -> DecodedSharing:
    """Read a payload of type ``product_request``.

    Raises:
        StatementError: The payload does not parse, or a part is out of bounds.
    """
    request = parse_request(payload)
    if request.period != header.period or request.agreement != header.agreement:
        raise StatementError(
            "The request names another period or agreement than its envelope; name the same."
        )
    return DecodedSharing(payload_type=PRODUCT_REQUEST)


def parse_request(payload: bytes) -> sharing_pb2.ProductRequest:
    """Read a serialised request and check its bounds.

    Raises:
        StatementError: It does not parse, or a part is out of bounds.
    """
    try:
        request = parse_exactly(sharing_pb2.ProductRequest, payload, MAX_REQUEST_BYTES)
    except ValueError as error:
        raise StatementError(f"The payload is no ProductRequest: {error}.") from error
    faults = {
        f"format {request.format}, expected {_FORMAT}": request.format != _FORMAT,
        "an agreement is named as id@version": not _REFERENCE.fullmatch(request.agreement),
        "a period is named as 2026H1": not _PERIOD.fullmatch(request.period),
        f"a request id has {REQUEST_ID_BYTES} bytes": len(request.request_id) != REQUEST_ID_BYTES,
        f"at most {MAX_SUBJECTS} subjects, each once, of letters, digits, '.', '_', '-'": not (
            _are(request.subjects, _SUBJECT, MAX_SUBJECTS)
        ),
        f"at most {MAX_NAMED} fields, each once": not _are(request.fields, _WORD, MAX_NAMED),
        f"at most {MAX_NAMED} classes, each once": not (
            _are(request.subject_classes, _WORD, MAX_NAMED)
        ),
    }
    for fault, found in faults.items():
        if found:
            raise StatementError(f"The request breaks a rule: {fault}.")
    return request


def decode_forward(header: envelope_pb2.EnvelopeHeader, payload: bytes) -> DecodedSharing:
    """Read a payload of type ``forward``: an envelope that this hub passes on unread.

    Raises:
        StatementError: It is malformed, not from its first sender, or not for a department.
    """
    try:
        inner = parse_forward(payload, MAX_ENVELOPE_BYTES).header
    except (AgreementError, UntrustedEnvelopeError) as error:
        cause = getattr(error, "cause", str(error))
        raise StatementError(f"The payload is no envelope to pass on: {cause}.") from error
    faults = {
        "the inner envelope is of another sender": inner.sender != header.sender,
        "the inner envelope is for this hub itself": inner.recipient == header.recipient,
        "only departments get envelopes passed on": parse_member_id(inner.recipient).kind
        is not MemberKind.DEPARTMENT,
        "outer and inner name different agreements": inner.agreement != header.agreement
        or not inner.agreement,
        "outer and inner differ in purpose, data class or period": (
            inner.purpose,
            inner.data_class,
            inner.period,
        )
        != (header.purpose, header.data_class, header.period),
    }
    for fault, found in faults.items():
        if found:
            raise StatementError(f"The envelope is not passed on: {fault}.")
    return DecodedSharing(payload_type=FORWARD)


def add_task(connection: Connection, content: DecodedSharing, sender: str, log_index: int) -> None:
    """Note a sound payload, to be handled after the commit."""
    task = deliveries.SharingTask(
        log_index=log_index, sender=sender, payload_type=content.payload_type
    )
    deliveries.add_task(connection, task)


def _are(texts: Sequence[str], pattern: re.Pattern[str], most: int) -> bool:
    return (
        len(texts) <= most
        and len(set(texts)) == len(texts)
        and all(pattern.fullmatch(text) for text in texts)
    )
