"""Decoding of requests for products and of envelopes to pass on.

Rules of this module: what is malformed is quarantined with the rule it breaks; what is sound
becomes a task and is handled after the commit, from the stored envelope: nothing of its content
lies in the clear. Whether an agreement covers a request is not judged here.
"""

from sqlalchemy import Connection

from hub.domain.sharing import DecodedSharing
from hub.errors import StatementError
from hub.store import deliveries
from protos.yixin.v1 import envelope_pb2
from security.envelope import MAX_ENVELOPE_BYTES
from security.errors import AgreementError, UntrustedEnvelopeError, cause_of
from security.members import MemberKind, parse_member_id
from security.sharing.coverage import FORWARD, PRODUCT_REQUEST
from security.sharing.forwarded import parse_forward
from security.sharing.requests import parse_request

__all__ = ["FORWARD", "PRODUCT_REQUEST", "add_task", "decode_sharing"]


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
    try:
        request = parse_request(payload)
    except AgreementError as error:
        raise StatementError(str(error)) from error
    if request.period != header.period or request.agreement != header.agreement:
        raise StatementError(
            "The request names another period or agreement than its envelope; name the same."
        )
    return DecodedSharing(payload_type=PRODUCT_REQUEST)


def decode_forward(header: envelope_pb2.EnvelopeHeader, payload: bytes) -> DecodedSharing:
    """Read a payload of type ``forward``: an envelope that this hub passes on unread.

    Raises:
        StatementError: It is malformed, not from its first sender, or not for a department.
    """
    try:
        inner = parse_forward(payload, MAX_ENVELOPE_BYTES).header
    except (AgreementError, UntrustedEnvelopeError) as error:
        cause = cause_of(error)
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
