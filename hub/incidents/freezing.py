"""Freeze a member (冻结): revoked at once, what it stated since then suspect; and lift it again.

Rules:
    1. Freezing needs one officer and no delay: certificates are revoked in the same transaction
       in which statements become suspect. Products, queries and receipts stop with that, since
       only active members are served.
    2. Lifting needs four eyes. It makes the statements count again; the member itself stays
       revoked and has to be invited anew.
    3. Nothing is deleted either way, and both are in the operator log.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from hub.domain.members import MemberStatus
from hub.errors import IncidentError
from hub.exchange.revoking import revoke_member
from hub.operators import acting
from hub.store import incidents, members
from hub.store.identity import HubIdentity
from hub.store.incidents import IncidentRow

__all__ = ["Frozen", "freeze", "lift"]

_REASON_LENGTH: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """What freezing did."""

    certificates: int
    """Certificates that are revoked and were not before."""
    suspect: int
    """Statements of any member that count for nobody now."""
    is_new: bool
    """Whether the incident was opened just now."""


def freeze(
    connection: Connection,
    identity: HubIdentity,
    *,
    member: str,
    since_ms: int,
    since_index: int,
    reason: str,
    now_ms: int,
) -> Frozen:
    """Freeze a member; again for the same moment nothing changes.

    Args:
        connection: A writing transaction.
        identity: The hub.
        member: Member id.
        since_ms: From when on it is not trusted, milliseconds since the epoch, UTC.
        since_index: First leaf of the log since then, from `exposure`.
        reason: Why, for the register.
        now_ms: Now, likewise.

    Raises:
        IncidentError: The member is unknown or the hub itself, the moment lies ahead, or an
            incident with another moment is open.
    """
    if member == identity.hub:
        raise IncidentError(
            f"{member} is this hub itself: revoke its own keys with yixin hub revoke, and let the "
            "parent hub open the incident."
        )
    if since_ms > now_ms:
        raise IncidentError("--since lies ahead; name the moment from which it is not trusted.")
    found = members.find_member(connection, member)
    if found is None:
        raise IncidentError(f"The register holds no member {member[:96]!r}; see hub members.")
    held = incidents.find_open(connection, member)
    if held is not None and held.since_ms != since_ms:
        raise IncidentError(
            f"An incident of {member} is open with another moment; lift it first, then open it "
            "anew."
        )
    certificates = 0
    if found.status is not MemberStatus.REVOKED:
        certificates = revoke_member(connection, identity, member, reason, now_ms)
    if held is None:
        incidents.add_incident(
            connection,
            IncidentRow(
                member=member,
                since_ms=since_ms,
                since_index=since_index,
                reason=reason[:_REASON_LENGTH],
                opened_at_ms=now_ms,
                opened_by=acting().name,
            ),
        )
    return Frozen(
        certificates=certificates,
        suspect=incidents.count_suspect(connection),
        is_new=held is None,
    )


def lift(connection: Connection, *, member: str, now_ms: int) -> None:
    """Lift the open incident of a member.

    Raises:
        IncidentError: There is none.
    """
    if incidents.find_open(connection, member) is None:
        raise IncidentError(f"No incident of {member[:96]!r} is open; see yixin hub incidents.")
    incidents.lift_incident(connection, member, acting().name, now_ms)
