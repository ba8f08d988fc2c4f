"""Incidents (安全事件) in the database: who is frozen since when, and what is suspect.

Rules: nothing is deleted for an incident. While it is open, statements, records, clues and pushed
grades which the member sent since then count for nobody who reads; once it is lifted they count
again. A member that was only marked is suspect up to the moment of marking: what it sends from
there on, such as its correction, counts. Rows that do not say when they came are suspect.
"""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy import (
    false as sql_false,
)

from hub.store.clue_tables import clue, clue_part, joined_clue
from hub.store.operator_tables import incident
from hub.store.tables import pushed_grade, slot, slot_part

__all__ = [
    "IncidentRow",
    "SuspectCounts",
    "add_incident",
    "count_suspect",
    "count_suspect_others",
    "find_open",
    "freeze_marked",
    "is_suspect",
    "is_suspect_clue",
    "is_suspect_finding",
    "is_trusted",
    "lift_incident",
    "list_incidents",
    "list_open",
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
    until_index: int | None = None
    """First leaf that counts again, of a member that was only marked; None for a frozen one."""
    id: int = 0

    @property
    def is_mark(self) -> bool:
        """Whether the member was only marked."""
        return self.until_index is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspectCounts:
    """What is suspect beside statements."""

    clues: int
    """Clues that members stated or withdrew."""
    findings: int
    """Findings of the hub's joins."""
    pushed: int
    """Grades that lower hubs pushed, every version."""


def is_trusted() -> ColumnElement[bool]:
    """Condition on ``slot``: no open incident makes its statement suspect."""
    late_part = select(_PART.c.part).where(
        _PART.c.measure_set == slot.c.measure_set,
        _PART.c.institution == slot.c.institution,
        _PART.c.month == slot.c.month,
        _PART.c.collecting == slot.c.collecting,
        _is_within(_PART.c.log_index),
    )
    suspect = select(incident.c.id).where(
        incident.c.lifted_at_ms.is_(None),
        incident.c.member == slot.c.member,
        or_(
            _is_within(slot.c.log_index),
            late_part.correlate(slot, incident).exists(),
        ),
    )
    return ~suspect.correlate(slot).exists()


def is_suspect(
    member: ColumnElement[str], log_index: ColumnElement[int | None]
) -> ColumnElement[bool]:
    """Condition on a row: an open incident makes what its member sent suspect.

    Args:
        member: Column of the sender.
        log_index: Column of the leaf of its envelope.
    """
    found = select(incident.c.id).where(
        incident.c.lifted_at_ms.is_(None),
        incident.c.member == member,
        or_(log_index.is_(None), _is_within(log_index)),
    )
    return found.exists()


def is_suspect_clue() -> ColumnElement[bool]:
    """Condition on ``clue``: the part that states it, or that withdrew it, is suspect."""
    columns = clue_part.c
    part = select(columns.part).where(
        columns.member == clue.c.member,
        columns.institution == clue.c.institution,
        columns.month == clue.c.month,
        columns.part == clue.c.part,
        is_suspect(columns.member, columns.log_index),
    )
    return part.correlate(clue).exists()


def is_suspect_finding(connection: Connection) -> ColumnElement[bool]:
    """Condition on ``joined_clue``: it rests on a suspect member, and was not found again since.

    A finding that holds without what is suspect is found again by the joins that follow the
    incident; one whose records are kept no longer cannot be, and stays suspect.
    """
    columns = joined_clue.c
    return or_(
        sql_false(),
        *(
            and_(
                columns.sources.contains(f'"{one.member}"', autoescape=True),
                columns.last_at_ms >= one.since_ms,
                columns.last_at_ms < one.opened_at_ms,
            )
            for one in list_open(connection)
        ),
    )


def _is_within(log_index: ColumnElement[Any]) -> ColumnElement[bool]:
    columns = incident.c
    return and_(
        log_index >= columns.since_index,
        or_(columns.until_index.is_(None), log_index < columns.until_index),
    )


def count_suspect(connection: Connection) -> int:
    """Number of statements that would count and are suspect."""
    query = select(func.count()).select_from(slot)
    query = query.where(and_(slot.c.collecting.is_(False), ~is_trusted()))
    return int(connection.execute(query).scalar_one())


def count_suspect_others(connection: Connection) -> SuspectCounts:
    """Number of clues, findings and pushed grades that are suspect."""
    pushed = is_suspect(pushed_grade.c.sender, pushed_grade.c.log_index)
    found = [
        connection.execute(select(func.count()).select_from(table).where(condition)).scalar_one()
        for table, condition in (
            (clue, is_suspect_clue()),
            (joined_clue, is_suspect_finding(connection)),
            (pushed_grade, pushed),
        )
    ]
    return SuspectCounts(clues=found[0], findings=found[1], pushed=found[2])


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
            until_index=row.until_index,
        )
    )


def find_open(connection: Connection, member: str) -> IncidentRow | None:
    """The open incident of a member; None when there is none."""
    query = select(incident).where(incident.c.member == member, incident.c.lifted_at_ms.is_(None))
    row = connection.execute(query).mappings().first()
    return None if row is None else IncidentRow(**row)


def freeze_marked(connection: Connection, member: str) -> None:
    """Make the mark of a member one of a frozen member: nothing it sends counts any more."""
    query = update(incident).where(incident.c.member == member, incident.c.lifted_at_ms.is_(None))
    connection.execute(query.values(until_index=None))


def list_open(connection: Connection) -> tuple[IncidentRow, ...]:
    """Open incidents, oldest first."""
    query = select(incident).where(incident.c.lifted_at_ms.is_(None)).order_by(incident.c.id)
    return tuple(IncidentRow(**row) for row in connection.execute(query).mappings())


def lift_incident(connection: Connection, member: str, by: str, now_ms: int) -> None:
    """Lift the open incident of a member."""
    query = update(incident).where(incident.c.member == member, incident.c.lifted_at_ms.is_(None))
    connection.execute(query.values(lifted_at_ms=now_ms, lifted_by=by))


def list_incidents(connection: Connection) -> tuple[IncidentRow, ...]:
    """All incidents, newest first."""
    rows = connection.execute(select(incident).order_by(incident.c.id.desc())).mappings()
    return tuple(IncidentRow(**row) for row in rows)
