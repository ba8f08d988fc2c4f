"""What a desk keeps in its tables: who may ask, what was used, and the log of it.

Port rules: every function works inside the caller's transaction; a line is added in the
transaction that counts its points; lines of evaluations are never removed, refused ones of a
member are bounded.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, delete, func, insert, select, update

from hub.desk import tables
from hub.store.slot_index import upsert

KEPT_REFUSALS: Final = 1_000
"""Lines of refusals and repeats kept of one member."""
EVALUATED: Final = "evaluated"
REPEATED: Final = "repeated"
DESTROYED: Final = "key destroyed"
MADE: Final = "key made"
_LASTING: Final = (EVALUATED, DESTROYED, MADE)


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedNode:
    """A node of the register."""

    member: str
    """Member id."""
    fingerprint: str
    """SHA-256 of its TLS key, hexadecimal."""
    quota: int
    """Points it may ask for in a period."""
    ended_at_ms: int | None = None
    """When it was taken off; None while it may ask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskPeriod:
    """A period whose half was made."""

    period: str
    """Period."""
    check: bytes
    """Check value of the half."""
    destroy_at_ms: int
    """Moment from which the half is destroyed; fixed when it was made."""
    destroyed_at_ms: int | None = None
    """When it was destroyed; None while it is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskLogLine:
    """A line of the log: never a point."""

    at_ms: int
    """When, milliseconds since the epoch, UTC."""
    member: str
    """Who asked; the desk itself for lines about keys."""
    period: str
    """Period."""
    points: int
    """Number of points of the request."""
    outcome: str
    """``evaluated``, ``repeated``, the code of a refusal, or what became of a key."""


def allow(connection: Connection, node: AllowedNode, now_ms: int) -> None:
    """Enter a node, or change its key or quota; what it used stays."""
    connection.execute(
        upsert(connection, tables.allowed),
        [
            {
                "member": node.member,
                "fingerprint": node.fingerprint,
                "quota": node.quota,
                "allowed_at_ms": now_ms,
                "ended_at_ms": None,
            }
        ],
    )


def end(connection: Connection, member: str, now_ms: int) -> bool:
    """Take a node off; False when it is not on the register."""
    query = (
        update(tables.allowed)
        .where(tables.allowed.c.member == member, tables.allowed.c.ended_at_ms.is_(None))
        .values(ended_at_ms=now_ms)
    )
    return connection.execute(query).rowcount == 1


def find_node(connection: Connection, member: str) -> AllowedNode | None:
    """The node of this id, also one that was taken off."""
    return next(iter(_nodes(connection, member)), None)


def list_nodes(connection: Connection) -> tuple[AllowedNode, ...]:
    """The whole register, by member."""
    return _nodes(connection, None)


def _nodes(connection: Connection, member: str | None) -> tuple[AllowedNode, ...]:
    columns = tables.allowed.c
    query = select(columns.member, columns.fingerprint, columns.quota, columns.ended_at_ms)
    if member is not None:
        query = query.where(columns.member == member)
    rows = connection.execute(query.order_by(columns.member))
    return tuple(
        AllowedNode(
            member=row.member,
            fingerprint=row.fingerprint,
            quota=row.quota,
            ended_at_ms=row.ended_at_ms,
        )
        for row in rows
    )


def find_period(connection: Connection, period: str) -> DeskPeriod | None:
    """The period, when its half was ever made."""
    return next((one for one in list_periods(connection) if one.period == period), None)


def list_periods(connection: Connection) -> tuple[DeskPeriod, ...]:
    """Periods whose half was made, in order."""
    rows = connection.execute(select(tables.period).order_by(tables.period.c.period))
    return tuple(
        DeskPeriod(
            period=row.period,
            check=row.check_value,
            destroy_at_ms=row.destroy_at_ms,
            destroyed_at_ms=row.destroyed_at_ms,
        )
        for row in rows
    )


def add_period(connection: Connection, made: DeskPeriod, now_ms: int) -> None:
    """Note that a half was made."""
    connection.execute(
        insert(tables.period).values(
            period=made.period,
            check_value=made.check,
            made_at_ms=now_ms,
            destroy_at_ms=made.destroy_at_ms,
        )
    )


def note_destroyed(connection: Connection, period: str, now_ms: int) -> None:
    """Note that a half was destroyed, and forget the ids of the requests under it."""
    connection.execute(
        update(tables.period)
        .where(tables.period.c.period == period, tables.period.c.destroyed_at_ms.is_(None))
        .values(destroyed_at_ms=now_ms)
    )
    connection.execute(delete(tables.request).where(tables.request.c.period == period))


def points_used(connection: Connection, member: str, period: str) -> int:
    """Points evaluated for a node in a period."""
    query = select(tables.used.c.points).where(
        tables.used.c.member == member, tables.used.c.period == period
    )
    return int(connection.execute(query).scalar() or 0)


def find_request(
    connection: Connection, member: str, period: str, request_id: bytes
) -> bytes | None:
    """Digest of the points that came under a request id before; None when none did."""
    columns = tables.request.c
    query = select(columns.digest).where(
        columns.member == member, columns.period == period, columns.request_id == request_id
    )
    found: bytes | None = connection.execute(query).scalar()
    return found


def count_points(
    connection: Connection, entry: DeskLogLine, *, request_id: bytes, digest: bytes
) -> None:
    """Count an evaluation, remember its request id, and add its line."""
    used = points_used(connection, entry.member, entry.period) + entry.points
    connection.execute(
        upsert(connection, tables.used),
        [{"member": entry.member, "period": entry.period, "points": used}],
    )
    connection.execute(
        insert(tables.request).values(
            member=entry.member, request_id=request_id, period=entry.period, digest=digest
        )
    )
    add_line(connection, entry)


def add_line(connection: Connection, entry: DeskLogLine) -> None:
    """Add a line to the log; of a member's refusals and repeats, which cost nothing, the old go."""
    columns = tables.line.c
    member = entry.member[: tables.MEMBER_LENGTH]
    connection.execute(
        insert(tables.line).values(
            at_ms=entry.at_ms,
            member=member,
            period=entry.period[:16],
            points=entry.points,
            outcome=entry.outcome,
        )
    )
    if entry.outcome in _LASTING:
        return
    refused = (columns.member == member) & columns.outcome.not_in(_LASTING)
    bound = (
        select(columns.id)
        .where(refused)
        .order_by(columns.id.desc())
        .offset(KEPT_REFUSALS)
        .limit(1)
        .scalar_subquery()
    )
    connection.execute(delete(tables.line).where(refused, columns.id <= bound))


def lines(connection: Connection, limit: int) -> Sequence[DeskLogLine]:
    """The newest lines, newest first."""
    query = select(tables.line).order_by(tables.line.c.id.desc()).limit(limit)
    return tuple(
        DeskLogLine(
            at_ms=row.at_ms,
            member=row.member,
            period=row.period,
            points=row.points,
            outcome=row.outcome,
        )
        for row in connection.execute(query)
    )


def usage(connection: Connection) -> Sequence[tuple[str, str, int]]:
    """Points used by member and period, in order."""
    columns = tables.used.c
    query = select(columns.member, columns.period, columns.points).order_by(
        columns.member, columns.period
    )
    return tuple((row.member, row.period, int(row.points)) for row in connection.execute(query))


def count_lines(connection: Connection) -> int:
    """Number of lines of the log."""
    return int(connection.execute(select(func.count()).select_from(tables.line)).scalar_one())
