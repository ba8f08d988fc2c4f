"""Incidents (安全事件) in the database: who is frozen since when, and which slots are suspect.

Rule: nothing is deleted for an incident. While it is open, statements that hold a part which the
member sent since then count for nobody who reads; once it is lifted they count again.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, func, insert, or_, select, update

from hub.store.operator_tables import incident
from hub.store.tables import slot, slot_part

__all__ = [
    "IncidentRow",
    "add_incident",
    "count_suspect",
    "find_open",
    "is_trusted",
    "lift_incident",
    "list_incidents",
]
_PART: Final = slot_part.alias("late_part")


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentRow:
    """One incident."""

    member: str
    since_ms: int
    """From when on the member is not trusted, milliseconds since the epoch, UTC."""
    since_index: int
    """First leaf of the log since then."""
    reason: str
    opened_at_ms: int
    opened_by: str
    lifted_at_ms: int | None = None
    lifted_by: str | None = None
    id: int = 0


def is_trusted() -> ColumnElement[bool]:
    """Condition on ``slot``: no open incident makes its statement suspect."""
    late_part = select(_PART.c.part).where(
        _PART.c.measure_set == slot.c.measure_set,
        _PART.c.institution == slot.c.institution,
        _PART.c.month == slot.c.month,
        _PART.c.collecting == slot.c.collecting,
        _PART.c.log_index >= incident.c.since_index,
    )
    suspect = select(incident.c.id).where(
        incident.c.lifted_at_ms.is_(None),
        incident.c.member == slot.c.member,
        or_(
            slot.c.log_index >= incident.c.since_index,
            late_part.correlate(slot, incident).exists(),
        ),
    )
    return ~suspect.correlate(slot).exists()


def count_suspect(connection: Connection) -> int:
    """Number of statements that would count and are suspect."""
    query = select(func.count()).select_from(slot)
    query = query.where(and_(slot.c.collecting.is_(False), ~is_trusted()))
    return int(connection.execute(query).scalar_one())


def add_incident(connection: Connection, row: IncidentRow) -> None:
    """Open an incident."""
    connection.execute(
        insert(incident).values(
            member=row.member,
            since_ms=row.since_ms,
            since_index=row.since_index,
            reason=row.reason,
            opened_at_ms=row.opened_at_ms,
            opened_by=row.opened_by,
        )
    )


def find_open(connection: Connection, member: str) -> IncidentRow | None:
    """The open incident of a member; None when there is none."""
    query = select(incident).where(incident.c.member == member, incident.c.lifted_at_ms.is_(None))
    row = connection.execute(query).mappings().first()
    return None if row is None else IncidentRow(**row)


def lift_incident(connection: Connection, member: str, by: str, now_ms: int) -> None:
    """Lift the open incident of a member."""
    query = update(incident).where(incident.c.member == member, incident.c.lifted_at_ms.is_(None))
    connection.execute(query.values(lifted_at_ms=now_ms, lifted_by=by))


def list_incidents(connection: Connection) -> tuple[IncidentRow, ...]:
    """All incidents, newest first."""
    rows = connection.execute(select(incident).order_by(incident.c.id.desc())).mappings()
    return tuple(IncidentRow(**row) for row in rows)
