"""The register of members: who may speak to this hub, and with which keys.

Port rules: what a call stores is durable when the caller's transaction commits; a revoked member
never becomes active again without a new token.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Connection, case, func, insert, literal, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from hub.domain.members import MemberId, MemberKind, MemberName, MemberStatus
from hub.errors import ConfigurationError
from hub.store.tables import counter, key_certificate, member

FLOOR: Final = "floor"
"""Counter behind which all others go on, since a part of the database was lost."""
UNLOGGED_STEPS: Final = 10_000
"""Most steps of a counter that a lost part may have taken without a leaf of the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRow:
    """One member as the register holds it."""

    member: MemberId
    kind: MemberKind
    status: MemberStatus
    joined_at_ms: int | None
    confirmed_at_ms: int | None
    revoked_at_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCertificate:
    """A key certificate with the columns it is found by."""

    serial: int
    member: MemberId
    key_id: str
    use: int
    not_before_ms: int
    not_after_ms: int
    certificate: bytes
    revoked_at_ms: int | None = None


def find_member(connection: Connection, member_id: str) -> MemberRow | None:
    """Look a member up, or return None when the register does not hold it."""
    row = connection.execute(select(member).where(member.c.member == member_id)).first()
    if row is None:
        return None
    return MemberRow(
        member=MemberId(row.member),
        kind=MemberKind(row.kind),
        status=MemberStatus(row.status),
        joined_at_ms=row.joined_at_ms,
        confirmed_at_ms=row.confirmed_at_ms,
        revoked_at_ms=row.revoked_at_ms,
    )


def list_members(connection: Connection) -> tuple[MemberRow, ...]:
    """All members, in order of their ids."""
    return tuple(
        MemberRow(
            member=MemberId(row.member),
            kind=MemberKind(row.kind),
            status=MemberStatus(row.status),
            joined_at_ms=row.joined_at_ms,
            confirmed_at_ms=row.confirmed_at_ms,
            revoked_at_ms=row.revoked_at_ms,
        )
        for row in connection.execute(select(member).order_by(member.c.member))
    )


def statuses(connection: Connection, members: Sequence[str]) -> dict[str, MemberStatus]:
    """States of the named members; unknown ones are absent."""
    rows = connection.execute(
        select(member.c.member, member.c.status).where(member.c.member.in_(list(members)))
    )
    return {row.member: MemberStatus(row.status) for row in rows}


def invite(connection: Connection, name: MemberName) -> None:
    """Enter a member that has a token but has not joined; a known member stays as it is."""
    if find_member(connection, name.member_id) is None:
        connection.execute(
            insert(member).values(
                member=name.member_id,
                kind=str(name.kind),
                division=name.division,
                code=name.code,
                status=str(MemberStatus.INVITED),
            )
        )


def activate(connection: Connection, member_id: MemberId, now_ms: int) -> None:
    """Mark a member as joined; its first call will confirm it."""
    connection.execute(
        update(member)
        .where(member.c.member == member_id)
        .values(
            status=str(MemberStatus.ACTIVE),
            joined_at_ms=now_ms,
            confirmed_at_ms=None,
            revoked_at_ms=None,
            reason=None,
        )
    )


def confirm(connection: Connection, member_id: str, now_ms: int) -> None:
    """Note the first call of a member; from then on its token is used up."""
    connection.execute(
        update(member)
        .where(member.c.member == member_id, member.c.confirmed_at_ms.is_(None))
        .values(confirmed_at_ms=now_ms)
    )


def revoke(connection: Connection, member_id: str, reason: str, now_ms: int) -> None:
    """Revoke a member: from the next commit group on it is refused.

    Raises:
        ConfigurationError: The register does not hold the member.
    """
    changed = connection.execute(
        update(member)
        .where(member.c.member == member_id)
        .values(status=str(MemberStatus.REVOKED), revoked_at_ms=now_ms, reason=reason[:400])
    )
    if changed.rowcount == 0:
        raise ConfigurationError(
            f"Found no member {member_id[:96]!r}; list them with `yixin hub members`."
        )


def next_number(connection: Connection, name: str) -> int:
    """Count one step on a counter that only grows, from 1.

    Must be called inside the transaction that uses the number.
    """
    floor = current_number(connection, FLOOR)
    behind = case((counter.c.value < floor, floor), else_=counter.c.value)
    _upsert(connection, name, floor + 1, behind + 1)
    return int(
        connection.execute(select(counter.c.value).where(counter.c.name == name)).scalar_one()
    )


def current_number(connection: Connection, name: str) -> int:
    """Where a counter stands; 0 when it was never used."""
    found = connection.execute(select(counter.c.value).where(counter.c.name == name)).scalar()
    return int(found or 0)


def skip_numbers(connection: Connection, count: int) -> None:
    """Let every counter go on behind what a lost part of the database may have given out.

    Args:
        connection: A writing transaction.
        count: Leaves of the log that the database lost, 0 or more.
    """
    highest = connection.execute(select(func.max(counter.c.value))).scalar() or 0
    floor = int(highest) + count + UNLOGGED_STEPS
    _upsert(connection, FLOOR, floor, literal(floor))


def _upsert(connection: Connection, name: str, first: int, grown: ColumnElement[int]) -> None:
    dialect_insert = sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert
    statement = dialect_insert(counter).values(name=name, value=first)
    connection.execute(
        statement.on_conflict_do_update(index_elements=[counter.c.name], set_={"value": grown})
    )


def add_certificates(connection: Connection, rows: Sequence[StoredCertificate]) -> None:
    """Store key certificates that this hub issued."""
    connection.execute(
        insert(key_certificate),
        [
            {
                "serial": row.serial,
                "member": row.member,
                "key_id": row.key_id,
                "use": row.use,
                "not_before_ms": row.not_before_ms,
                "not_after_ms": row.not_after_ms,
                "certificate": row.certificate,
            }
            for row in rows
        ],
    )


def certificates(
    connection: Connection, *, member_id: str | None = None
) -> tuple[StoredCertificate, ...]:
    """Key certificates this hub issued, in order of issue.

    Args:
        connection: Any transaction.
        member_id: Only those of one member; all by default.
    """
    query = select(key_certificate).order_by(key_certificate.c.serial)
    if member_id is not None:
        query = query.where(key_certificate.c.member == member_id)
    return tuple(
        StoredCertificate(
            serial=row.serial,
            member=MemberId(row.member),
            key_id=row.key_id,
            use=row.use,
            not_before_ms=row.not_before_ms,
            not_after_ms=row.not_after_ms,
            certificate=row.certificate,
            revoked_at_ms=row.revoked_at_ms,
        )
        for row in connection.execute(query)
    )


def key_ends(connection: Connection) -> dict[tuple[str, int], int]:
    """Last moment of each member's unrevoked key certificates by use, milliseconds, UTC."""
    query = (
        select(
            key_certificate.c.member,
            key_certificate.c.use,
            func.max(key_certificate.c.not_after_ms),
        )
        .where(key_certificate.c.revoked_at_ms.is_(None))
        .group_by(key_certificate.c.member, key_certificate.c.use)
    )
    return {(member_id, use): end for member_id, use, end in connection.execute(query)}


def count_by_status(connection: Connection) -> dict[str, int]:
    """Number of members per state."""
    rows = connection.execute(
        select(member.c.status, func.count()).group_by(member.c.status).order_by(member.c.status)
    )
    return {status: int(count) for status, count in rows}
