"""The gate before sealing: outside an agreement nothing is sealed for a department or a hub.

Rules: deny by default; asked for every envelope in the transaction that seals it, with the
agreements and the members of that very moment; what is refused is withdrawn from the outbox,
kept among the refused attempts and logged; so is a product that waits and was made of grades which
an incident makes suspect; a product that was withdrawn was not delivered, so it
can be delivered again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hub.domain.members import MemberStatus
from hub.store import agreements, deliveries, log, members, refusals
from hub.store.suspect_grades import is_suspect_moment
from protos.yixin.v1 import sharing_pb2, transparency_pb2
from security.encoding import pae, parse_exactly
from security.errors import AgreementError
from security.exchange.outbox import MAX_PAYLOAD_BYTES
from security.sharing import needs_agreement, verify_coverage
from security.sharing.agreement import PRODUCT

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from security.envelope import OutgoingEnvelope

DIGEST_TYPE: Final = "yixin/withdrawn-delivery/v1"
WORD: Final = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementGate:
    """The gate of one hub."""

    hub: str
    """Member id of the hub."""

    def permits(self, conn: Connection, outgoing: OutgoingEnvelope) -> bool:
        """Whether an envelope may be sealed now; what is not is logged here."""
        try:
            self._verify(conn, outgoing)
        except AgreementError as error:
            self._refuse(conn, outgoing, str(error))
            return False
        return True

    def _verify(self, conn: Connection, outgoing: OutgoingEnvelope) -> None:
        if not needs_agreement(outgoing):
            return
        held = agreements.find_version(conn, outgoing.agreement)
        if held is None:
            raise AgreementError(
                f"agreement: {outgoing.payload_type!r} names {outgoing.agreement!r}, which was "
                "never signed"
            )
        if held.retired_at_ms is not None:
            raise AgreementError(f"validity: agreement {outgoing.agreement} was retired")
        verify_coverage(outgoing, held.agreement, outgoing.created_at_ms)
        member = members.find_member(conn, outgoing.recipient)
        if member is not None and member.status is not MemberStatus.ACTIVE:
            raise AgreementError(f"recipient: {outgoing.recipient} is {member.status}")
        if outgoing.payload_type == PRODUCT:
            made_ms = deliveries.made_at(conn, outgoing.agreement, _digest(outgoing.payload))
            if made_ms is not None and is_suspect_moment(conn, made_ms):
                raise AgreementError(
                    "suspect: the product was made of grades that an incident makes suspect"
                )

    def _refuse(self, conn: Connection, outgoing: OutgoingEnvelope, cause: str) -> None:
        refusals.add_refusal(
            conn,
            refusals.RefusedAttempt(
                at_ms=outgoing.created_at_ms,
                peer=outgoing.recipient,
                method="Seal",
                code=AgreementError.__name__,
                cause=cause,
            ),
        )
        parts = (outgoing.recipient, outgoing.agreement, outgoing.payload_type, cause)
        digest = hashlib.sha256(pae(DIGEST_TYPE, *(part.encode() for part in parts))).digest()
        leaf = log.event_leaf(
            transparency_pb2.LOG_KIND_REFUSED_REQUEST,
            hub=self.hub,
            digest=digest,
            word=WORD,
            at_ms=outgoing.created_at_ms,
            subject=outgoing.recipient,
            purpose=outgoing.purpose,
            period=outgoing.period,
            agreement=outgoing.agreement,
        )
        log.append_leaves(conn, [leaf])
        if outgoing.payload_type == PRODUCT:
            deliveries.drop_withdrawn(conn, outgoing.agreement, _digest(outgoing.payload))


def _digest(payload: bytes) -> bytes:
    """Digest of the product that a payload is a part of; empty where it is none."""
    try:
        return parse_exactly(sharing_pb2.Product, payload, MAX_PAYLOAD_BYTES).digest
    except ValueError:
        return b""
