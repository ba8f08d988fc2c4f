"""Freeze a member (冻结): revoked at once, what it stated since then suspect; and lift it again.

Rules:
    1. Freezing needs one officer and no delay: certificates are revoked in the same transaction
       in which statements become suspect. Products, queries and receipts stop with that, since
       only active members are served.
    2. Lifting needs four eyes. It makes the statements count again; the member itself stays
       revoked and has to be invited anew.
    3. Nothing is deleted either way, and both are in the operator log.
    4. A member may be marked instead: what it sent since then, up to now, is suspect, and it goes
       on. That is for a hub below, one of whose own members is frozen there: what it pushed cannot
       be computed again here, and its correction, which comes later, counts.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from hub.domain.members import MemberStatus
from hub.errors import IncidentError
from hub.exchange.revoking import revoke_member
from hub.operators import acting
from hub.store import incidents, log, members
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
    is_mark: bool
    """Whether the member was only marked, and goes on."""


def freeze(
    connection: Connection,
    identity: HubIdentity,
    *,
    member: str,
    since_ms: int,
    since_index: int,
    reason: str,
    now_ms: int,
    only_mark: bool = False,
) -> Frozen:
    """Freeze a member; again for the same moment nothing changes.

    Who was marked may be frozen for the same moment, and who is frozen cannot be marked.

    Args:
        connection: A writing transaction.
        identity: The hub.
        member: Member id.
        since_ms: From when on it is not trusted, milliseconds since the epoch, UTC.
        since_index: First leaf of the log since then, from `exposure`.
        reason: Why, for the register.
        now_ms: Now, likewise.
        only_mark: Mark what it sent up to now, and let the member go on.

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
    if held is not None and only_mark and not held.is_mark:
        raise IncidentError(f"{member} is frozen already, and what it sent is suspect.")
    certificates = 0
    if not only_mark and found.status is not MemberStatus.REVOKED:
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
                until_index=log.size(connection) if only_mark else None,
            ),
        )
    elif held.is_mark and not only_mark:
        incidents.freeze_marked(connection, member)
    return Frozen(
        certificates=certificates,
        suspect=incidents.count_suspect(connection),
        is_new=held is None,
        is_mark=only_mark,
    )


def lift(connection: Connection, *, member: str, now_ms: int) -> IncidentRow:
    """Lift the open incident of a member.

    Returns:
        The incident as it was.

    Raises:
        IncidentError: There is none.
    """
    held = incidents.find_open(connection, member)
    if held is None:
        raise IncidentError(f"No incident of {member[:96]!r} is open; see yixin hub incidents.")
    incidents.lift_incident(connection, member, acting().name, now_ms)
    return held
