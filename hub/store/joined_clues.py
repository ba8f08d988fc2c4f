"""What the hub found by joining, and what it reads of clues for it.

Port rules: inside the caller's transaction; a finding is kept once under its id, and tells when it
was found first and last; one that is found no longer is gone, and stays until it expires.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, and_, func, select, update

from hub.domain.staff_joins import StaffClue
from hub.store.clue_tables import clue, clue_staff, joined_clue
from hub.store.incidents import is_suspect_clue, is_suspect_finding
from hub.store.slot_index import upsert


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedClue:
    """A finding on its way into the store."""

    id: bytes
    source: str
    mark: bytes = field(repr=False)
    is_person: bool
    staff: str | None
    """National code of the staff whom it is about."""
    begins: int
    month: int
    score: int
    verdict: str
    sources: Sequence[dict[str, Any]] = field(repr=False)
    numbers: dict[str, int]
    expires_day: int
    """First day, yyyymmdd, on which one of its records is kept no longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PutFindings:
    """What keeping the findings of a join came to; the numbers add up to those found."""

    new: int = 0
    """Not known before."""
    updated: int = 0
    """Known, and said something else, or had been gone."""
    unchanged: int = 0

    @property
    def found(self) -> int:
        """Findings that stand."""
        return self.new + self.updated + self.unchanged


def put_joined(
    connection: Connection, source: str, found: Iterable[JoinedClue], now_ms: int
) -> PutFindings:
    """Keep the findings of a join, each of them once.

    Args:
        connection: A writing transaction.
        source: Id of the join, for example ``J01``.
        found: Findings of one join, with different ids.
        now_ms: Moment of this run.
    """
    held_rows = connection.execute(select(joined_clue).where(joined_clue.c.source == source))
    known = {bytes(row.id): row for row in held_rows}
    values: list[dict[str, object]] = []
    new = updated = 0
    for one in found:
        said = {
            "source": one.source,
            "mark": one.mark,
            "is_person": one.is_person,
            "staff": one.staff,
            "begins": one.begins,
            "month": one.month,
            "score": one.score,
            "verdict": one.verdict,
            "sources": json.dumps(one.sources),
            "numbers": json.dumps(one.numbers),
            "expires_day": one.expires_day,
            "gone": False,
        }
        held = known.get(one.id)
        if held is None:
            new += 1
        else:
            updated += any(held._mapping[name] != value for name, value in said.items())  # noqa: SLF001 - how SQLAlchemy names it
        first = now_ms if held is None else held.first_at_ms
        values.append({"id": one.id, "first_at_ms": first, "last_at_ms": now_ms, **said})
    if values:
        connection.execute(upsert(connection, joined_clue), values)
    return PutFindings(new=new, updated=updated, unchanged=len(values) - new - updated)


def named_staff(connection: Connection) -> Iterator[list[StaffClue]]:
    """Clues that stand and are not suspect, staff by staff: of those whom several members name."""
    several = (
        select(clue_staff.c.staff)
        .join(clue, and_(clue.c.member == clue_staff.c.member, clue.c.id == clue_staff.c.id))
        .where(clue.c.gone.is_(False), ~is_suspect_clue())
        .group_by(clue_staff.c.staff)
        .having(func.count(clue_staff.c.member.distinct()) > 1)
    )
    query = (
        select(clue_staff.c.staff, clue)
        .join(clue, and_(clue.c.member == clue_staff.c.member, clue.c.id == clue_staff.c.id))
        .where(clue.c.gone.is_(False), ~is_suspect_clue(), clue_staff.c.staff.in_(several))
        .order_by(clue_staff.c.staff)
    )
    for _, group in groupby(connection.execute(query), key=lambda row: row.staff):
        yield [
            StaffClue(
                staff=row.staff,
                member=row.member,
                id=bytes(row.id),
                source=row.source,
                institution=row.institution,
                month=row.month,
                score=row.score,
            )
            for row in group
        ]


def sweep_joined(connection: Connection, now_ms: int, today: int) -> int:
    """Mark findings that this run did not find again, though their records are all still here.

    What an open incident makes suspect is left: whether it holds is not known.

    Args:
        connection: A writing transaction.
        now_ms: Moment of this run: what it found has it as its last one.
        today: Day, yyyymmdd; a finding whose records expire cannot be judged again, and stays.
    """
    columns = joined_clue.c
    query = (
        update(joined_clue)
        .where(
            columns.last_at_ms < now_ms,
            columns.expires_day > today,
            columns.gone.is_(False),
            ~is_suspect_finding(connection),
        )
        .values(gone=True)
    )
    return connection.execute(query).rowcount
