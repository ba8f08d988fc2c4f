"""Coverage (协议覆盖): does a sharing agreement name what was sealed, delivered or asked?

Rules: deny by default; each rule has a short name, and a refusal tells the first rule that was
broken, never a value of the data; the moment judged is the one of logging. The header shows
recipient, purpose, data class and payload type; classes and fields of a request are judged where
the request can be read.

Source: design of trust, section 8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from security.errors import AgreementError
from security.members import MemberKind, is_member_id, parse_member_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from security.sharing.agreement import Agreement


class Described(Protocol):
    """What says where it goes and what for: a header, or an envelope that will have one."""

    @property
    def sender(self) -> str:
        """Member id of the sender."""
        ...

    @property
    def recipient(self) -> str:
        """Member id of the addressee."""
        ...

    @property
    def purpose(self) -> str:
        """Declared purpose."""
        ...

    @property
    def data_class(self) -> str:
        """Data class."""
        ...

    @property
    def payload_type(self) -> str:
        """Payload type."""
        ...

    @property
    def agreement(self) -> str:
        """Agreement ``id@version``, or empty."""
        ...


FORWARD: Final = "forward"
"""Payload type of an envelope inside an envelope, to the hub that routes it."""
FORWARDED: Final = "forwarded"
"""Payload type of the same bytes, from that hub to the final recipient."""
PRODUCT_REFUSAL: Final = "product_refusal"
PRODUCT_REQUEST: Final = "product_request"
DIRECTORY: Final = "directory"

INTERNAL_TYPES: Final[Mapping[MemberKind, frozenset[str]]] = {
    MemberKind.DEPARTMENT: frozenset({PRODUCT_REFUSAL, DIRECTORY, "pack_order"}),
    MemberKind.HUB: frozenset(
        {
            DIRECTORY,
            PRODUCT_REFUSAL,
            PRODUCT_REQUEST,
            "heartbeat",
            "pack_order",
            "pack_report",
        }
    ),
}
"""What reaches departments and other hubs without an agreement; everything else needs one.

Nodes are not in the table: a hub and its nodes share within their own custody, not outside it.
"""


def needs_agreement(header: Described) -> bool:
    """Whether an envelope may exist only under a sharing agreement.

    What a node or a department sends up is its own; what the routing hub passes on stands under
    the agreement of the hub before it, whose name it carries.
    """
    if parse_member_id(header.sender).kind is not MemberKind.HUB:
        return False
    if header.payload_type == FORWARDED:
        return False
    kind = parse_member_id(header.recipient).kind
    return kind in INTERNAL_TYPES and header.payload_type not in INTERNAL_TYPES[kind]


def verify_coverage(header: Described, agreement: Agreement, at_ms: int) -> None:
    """Verify that an envelope stands under an agreement.

    Args:
        header: Header of the envelope, or what will become it.
        agreement: The agreement that the header names.
        at_ms: Logged time, milliseconds since the epoch, UTC.

    Raises:
        AgreementError: It does not; the message begins with the name of the rule.
    """
    recipient, payload_type = agreement.recipient, agreement.payload_type
    if agreement.via and header.recipient == agreement.via:
        recipient, payload_type = agreement.via, FORWARD
    rules = (
        ("agreement", header.agreement, agreement.reference),
        ("provider", header.sender, agreement.provider),
        ("recipient", header.recipient, recipient),
        ("purpose", header.purpose, agreement.purpose),
        ("data_class", header.data_class, agreement.data_class),
        ("payload_type", header.payload_type, payload_type),
    )
    for rule, found, expected in rules:
        if found != expected:
            raise AgreementError(
                f"{rule}: found {found[:120]!r}, agreement {agreement.reference} says {expected!r}"
            )
    verify_validity(agreement, at_ms)


def verify_validity(agreement: Agreement, at_ms: int) -> None:
    """Verify that an agreement is valid at a moment.

    Raises:
        AgreementError: It has not begun or has ended.
    """
    if not agreement.is_valid_at(at_ms):
        when = "has not begun" if at_ms < agreement.valid_from_ms else "has ended"
        raise AgreementError(f"validity: agreement {agreement.reference} {when}")


def verify_request(
    agreement: Agreement,
    *,
    asker: str,
    purpose: str,
    subject_classes: Sequence[str] = (),
    fields: Sequence[str] = (),
    subjects: Sequence[str] = (),
    at_ms: int,
) -> None:
    """Verify that what is asked for lies within an agreement.

    Args:
        agreement: The agreement that the request names.
        asker: Member id of who asks, or the word of a class of askers.
        purpose: Purpose the request declares.
        subject_classes: Classes asked for; none for all that the agreement covers.
        fields: Fields asked for; none for all that the agreement covers.
        subjects: Subjects asked for; none for all that the agreement covers.
        at_ms: Present moment, milliseconds since the epoch, UTC.

    Raises:
        AgreementError: It does not; the message begins with the name of the rule.
    """
    if asker != agreement.recipient:
        raise AgreementError(f"recipient: agreement {agreement.reference} is not with this asker")
    if purpose != agreement.purpose:
        raise AgreementError(
            f"purpose: asked for {purpose[:64]!r}, agreement {agreement.reference} says "
            f"{agreement.purpose!r}"
        )
    more_classes = [one for one in subject_classes if one not in agreement.subject_classes]
    if more_classes:
        raise AgreementError(
            f"subject_class: agreement {agreement.reference} does not cover the class "
            f"{more_classes[0][:64]!r}"
        )
    more_fields = [one for one in fields if one not in agreement.fields]
    if more_fields:
        raise AgreementError(
            f"field: agreement {agreement.reference} does not cover the field "
            f"{more_fields[0][:64]!r}"
        )
    if agreement.is_statistic and (fields or subject_classes or subjects):
        raise AgreementError(
            f"statistic: {agreement.reference} is asked for as a whole; two cuts of it could be "
            "subtracted from one another"
        )
    verify_validity(agreement, at_ms)


def is_class_of_askers(recipient: str) -> bool:
    """Whether an agreement is with a class of askers such as the public, not with a member."""
    return not is_member_id(recipient)
