"""Requests to join or to renew that wait for an officer (待审批).

Port rules: the same request, by its digest, is one row for good; what was decided is not decided
again; a row that nobody decided ends after a week, and with it what it would have allowed.
"""

import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection, Row, delete, insert, select, update

from hub.errors import ConfigurationError
from hub.store.identity_tables import enrolment_request

LIFETIME_MS: Final = 7 * 86_400_000
"""How long a request waits, and how long its approval may be used, milliseconds."""
MAX_WAITING: Final = 8
"""Most requests of one member that may wait at once."""


class RequestStatus(StrEnum):
    """State of a request."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingRequest:
    """One request.

    Attributes:
        id: Short id, for people.
        method: ``join`` or ``renew``.
        member: Member id.
        fingerprint: Of the requested keys.
        status: What the officer decided.
        asked_at_ms: When it came first, milliseconds since the epoch, UTC.
        expires_at_ms: Last moment of use.
    """

    id: str
    method: str
    member: str
    fingerprint: str
    status: RequestStatus
    asked_at_ms: int
    expires_at_ms: int


def find_request(connection: Connection, digest: bytes, now_ms: int) -> WaitingRequest | None:
    """The request with a digest; None when it never came or its time is over."""
    row = connection.execute(
        select(enrolment_request).where(
            enrolment_request.c.request_digest == digest,
            enrolment_request.c.expires_at_ms >= now_ms,
        )
    ).first()
    return _request(row) if row is not None else None


def add_request(
    connection: Connection,
    *,
    method: str,
    member: str,
    digest: bytes,
    fingerprint: str,
    now_ms: int,
) -> WaitingRequest | None:
    """Enter a request that waits; None when too many of the member wait already.

    Args:
        connection: A writing transaction.
        method: ``join`` or ``renew``.
        member: Member id.
        digest: Digest of the request, 32 bytes.
        fingerprint: Of the requested keys.
        now_ms: Present moment, milliseconds since the epoch, UTC.
    """
    connection.execute(delete(enrolment_request).where(enrolment_request.c.expires_at_ms < now_ms))
    if len([one for one in waiting(connection, now_ms) if one.member == member]) >= MAX_WAITING:
        return None
    connection.execute(
        insert(enrolment_request).values(
            id=secrets.token_hex(4),
            method=method,
            member=member,
            request_digest=digest,
            fingerprint=fingerprint,
            status=str(RequestStatus.PENDING),
            asked_at_ms=now_ms,
            expires_at_ms=now_ms + LIFETIME_MS,
        )
    )
    return find_request(connection, digest, now_ms)


def drop_joins(connection: Connection, member: str) -> None:
    """Forget the join requests of a member: their token is used up."""
    connection.execute(
        delete(enrolment_request).where(
            enrolment_request.c.member == member, enrolment_request.c.method == "join"
        )
    )


def waiting(connection: Connection, now_ms: int) -> tuple[WaitingRequest, ...]:
    """Requests that nobody decided yet, oldest first."""
    rows = connection.execute(
        select(enrolment_request)
        .where(
            enrolment_request.c.status == str(RequestStatus.PENDING),
            enrolment_request.c.expires_at_ms >= now_ms,
        )
        .order_by(enrolment_request.c.asked_at_ms, enrolment_request.c.id)
    )
    return tuple(_request(row) for row in rows)


def find_waiting(connection: Connection, name: str, now_ms: int) -> WaitingRequest | None:
    """The request that waits under an id or for a member; None when there is none.

    Raises:
        ConfigurationError: Several requests of the member wait; one of them must be named.
    """
    found = [one for one in waiting(connection, now_ms) if name in {one.id, one.member}]
    if len(found) > 1:
        ids = ", ".join(one.id for one in found)
        raise ConfigurationError(
            f"{len(found)} requests of {name[:96]} wait; compare the fingerprints in "
            f"`yixin hub members --pending` and name one of {ids}."
        )
    return found[0] if found else None


def decide(
    connection: Connection, id_: str, status: RequestStatus, reason: str, now_ms: int
) -> None:
    """Decide a request that waits."""
    connection.execute(
        update(enrolment_request)
        .where(
            enrolment_request.c.id == id_,
            enrolment_request.c.status == str(RequestStatus.PENDING),
        )
        .values(
            status=str(status),
            decided_at_ms=now_ms,
            expires_at_ms=now_ms + LIFETIME_MS,
            reason=reason[:400],
        )
    )


def _request(row: Row[tuple[object, ...]]) -> WaitingRequest:
    values = row._mapping  # noqa: SLF001 - the public name of a row's columns
    return WaitingRequest(
        id=values["id"],
        method=values["method"],
        member=values["member"],
        fingerprint=values["fingerprint"],
        status=RequestStatus(values["status"]),
        asked_at_ms=values["asked_at_ms"],
        expires_at_ms=values["expires_at_ms"],
    )
