"""Refused attempts, as the security officer reads them.

Port rules: a refusal is stored in its own transaction and nothing else with it; the number kept is
bounded per caller, and for all strangers together, since each of their lines has another address.
Evidence of forks stays: each envelope once, and so many of a member that it cannot fill the disk.
"""

from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select

from hub.store.tables import MEMBER_LENGTH, refusal

KEPT_PER_PEER: Final = 10_000
"""Refusals kept of one caller, and of all strangers together."""
KEPT_FORKS: Final = 16
"""Forks of one member whose second envelope is kept; one alone proves it."""
_ADDRESS: Final = "ipv"
"""How gRPC's text of a caller's address begins: it proved to be nobody that we know."""
_CAUSE_LENGTH: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedAttempt:
    """One refused attempt.

    Attributes:
        at_ms: When, milliseconds since the epoch, UTC.
        peer: Member id of the caller, or its network address while it is a stranger.
        method: Name of the called method.
        code: Name of the error.
        cause: What was wrong; for the hub's log only.
        envelope_hash: SHA-256 of the refused envelope, when there is one.
        evidence: The second envelope of a fork, signed by its sender.
    """

    at_ms: int
    peer: str
    method: str
    code: str
    cause: str
    envelope_hash: bytes | None = None
    evidence: bytes | None = field(default=None, repr=False)


def add_refusal(connection: Connection, attempt: RefusedAttempt) -> None:
    """Store a refused attempt and drop the oldest one of a peer that has too many."""
    peer = attempt.peer[:MEMBER_LENGTH]
    of_peer = refusal.c.peer == peer
    if peer.startswith(_ADDRESS):
        of_peer = refusal.c.peer.startswith(_ADDRESS)
    is_kept = attempt.evidence is not None and _is_new_fork(connection, of_peer, attempt)
    connection.execute(
        insert(refusal).values(
            at_ms=attempt.at_ms,
            peer=peer,
            method=attempt.method[:32],
            code=attempt.code,
            cause=attempt.cause[:_CAUSE_LENGTH],
            envelope_hash=attempt.envelope_hash,
            evidence=attempt.evidence if is_kept else None,
        )
    )
    bound = (
        select(refusal.c.id)
        .where(of_peer, refusal.c.evidence.is_(None))
        .order_by(refusal.c.id.desc())
        .offset(KEPT_PER_PEER)
        .limit(1)
        .scalar_subquery()
    )
    connection.execute(
        delete(refusal).where(of_peer, refusal.c.evidence.is_(None), refusal.c.id <= bound)
    )


def _is_new_fork(
    connection: Connection, of_peer: ColumnElement[bool], attempt: RefusedAttempt
) -> bool:
    held = connection.scalars(
        select(refusal.c.envelope_hash).where(of_peer, refusal.c.evidence.is_not(None))
    ).all()
    return len(held) < KEPT_FORKS and attempt.envelope_hash not in held


def recent(connection: Connection, limit: int = 100) -> tuple[RefusedAttempt, ...]:
    """The newest refused attempts, newest first."""
    rows = connection.execute(select(refusal).order_by(refusal.c.id.desc()).limit(limit))
    return tuple(
        RefusedAttempt(
            at_ms=row.at_ms,
            peer=row.peer,
            method=row.method,
            code=row.code,
            cause=row.cause,
            envelope_hash=row.envelope_hash,
            evidence=row.evidence,
        )
        for row in rows
    )


def count(connection: Connection) -> int:
    """Number of refused attempts kept."""
    return int(connection.execute(select(func.count()).select_from(refusal)).scalar_one())
