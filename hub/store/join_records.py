"""Join records that count, and their end.

Port rules:

- Inside the caller's transaction. Within (member, kind, period, institution, day, part) the highest
  (incarnation, version) replaces the part as a whole, in any order of arrival.
- What is kept too long is deleted by ``hub.store.expiry``.
- ``crowded`` and ``meeting`` read marks that more than one member stated, and no others; what an
  open incident makes suspect is not read.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby
from typing import Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy import true as sql_true

from hub.domain.clues import JoinPart, JoinRow, PlaceOf
from hub.domain.joins import MAX_ROWS, HeldRow
from hub.domain.members import InstitutionCode
from hub.store.clue_tables import join_part, join_record, place
from hub.store.incidents import is_suspect, list_open
from hub.store.slot_index import upsert
from scoring_kernel.joining import JoinKind
from security.moments import day_number

_PAGE: Final = 500
"""Marks read at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartOrigin:
    """What all parts of one payload have in common."""

    member: str
    """Sender."""
    incarnation: int
    """Incarnation of its chain."""
    kind: JoinKind
    period: str
    keys_digest: bytes = field(repr=False)
    log_index: int
    """Leaf of the envelope."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinFigures:
    """What is held."""

    parts: int
    records: int
    members: int
    first_expiry: int
    """Earliest day of expiry, yyyymmdd; 0 when nothing is held."""


def replace_part(connection: Connection, origin: PartOrigin, part: JoinPart, expires: date) -> bool:
    """Put a part in the place of an older one.

    Returns:
        False when an equal or newer one counts already; then nothing changes.
    """
    columns = join_part.c
    where = and_(
        columns.member == origin.member,
        columns.kind == str(origin.kind),
        columns.period == origin.period,
        columns.institution == part.institution,
        columns.day == day_number(part.day),
        columns.part == part.part,
    )
    query = select(columns.id, columns.incarnation, columns.version).where(where)
    held = connection.execute(query).first()
    at = {
        "incarnation": origin.incarnation,
        "version": part.version,
        "log_index": origin.log_index,
    }
    if held is not None:
        if (held.incarnation, held.version) >= (origin.incarnation, part.version):
            return False
        connection.execute(delete(join_record).where(join_record.c.part_id == held.id))
        connection.execute(
            update(join_part).where(where).values(**at, keys_digest=origin.keys_digest)
        )
        part_id = held.id
    else:
        made = connection.execute(
            insert(join_part).values(
                member=origin.member,
                kind=str(origin.kind),
                period=origin.period,
                institution=part.institution,
                day=day_number(part.day),
                part=part.part,
                keys_digest=origin.keys_digest,
                expires_day=day_number(expires),
                **at,
            )
        )
        (part_id,) = made.inserted_primary_key or (0,)
    if part.rows:
        connection.execute(
            insert(join_record), [_values(part_id, origin, part, r) for r in part.rows]
        )
    return True


def _values(part_id: int, origin: PartOrigin, part: JoinPart, row: JoinRow) -> dict[str, object]:
    return {
        "part_id": part_id,
        "kind": str(origin.kind),
        "mark": row.mark,
        "institution": part.institution,
        "begins": row.begins,
        "ends": row.ends,
        "drug_class": row.drug_class,
        "leaf": row.leaf,
    }


def set_places(connection: Connection, origin: PartOrigin, places: Iterable[PlaceOf]) -> None:
    """Take over where institutions stand."""
    values = [
        {
            "institution": one.institution,
            "latitude_e6": one.latitude_e6,
            "longitude_e6": one.longitude_e6,
            "member": origin.member,
            "log_index": origin.log_index,
        }
        for one in places
    ]
    if values:
        connection.execute(upsert(connection, place), values)


def places(connection: Connection) -> dict[str, PlaceOf]:
    """Where institutions stand, by code; without what an incident makes suspect."""
    return {
        row.institution: PlaceOf(
            institution=InstitutionCode(row.institution),
            latitude_e6=row.latitude_e6,
            longitude_e6=row.longitude_e6,
        )
        for row in connection.execute(
            select(place).where(~is_suspect(place.c.member, place.c.log_index))
        )
    }


def crowded(connection: Connection, kind: JoinKind) -> int:
    """Number of marks with more records than are joined."""
    trusted = _trusted(connection)
    query = _meeting_marks(kind, trusted).having(func.count() > MAX_ROWS).subquery()
    return int(connection.execute(select(func.count()).select_from(query)).scalar_one())


def meeting(connection: Connection, kind: JoinKind) -> Iterator[tuple[bytes, list[HeldRow]]]:
    """Records of every mark that meets at two institutions, mark by mark, crowded ones left out."""
    columns = join_record.c
    trusted = _trusted(connection)
    after = b""
    while True:
        page = (
            _meeting_marks(kind, trusted)
            .where(columns.mark > after)
            .having(func.count() <= MAX_ROWS)
            .order_by(columns.mark)
            .limit(_PAGE)
        )
        marks = [row.mark for row in connection.execute(page)]
        if not marks:
            return
        query = (
            select(join_record, join_part.c.member, join_part.c.period)
            .join(join_part, join_part.c.id == columns.part_id)
            .where(columns.kind == str(kind), columns.mark.in_(marks), trusted)
            .order_by(columns.mark)
        )
        rows = connection.execute(query).all()
        for mark, group in groupby(rows, key=lambda row: bytes(row.mark)):
            yield mark, [_held(row) for row in group]
        after = marks[-1]


def _trusted(connection: Connection) -> ColumnElement[bool]:
    """Condition on ``join_record``: no open incident makes its part suspect."""
    if not list_open(connection):
        return sql_true()
    late = select(join_part.c.id).where(is_suspect(join_part.c.member, join_part.c.log_index))
    return join_record.c.part_id.not_in(late)


def _meeting_marks(kind: JoinKind, trusted: ColumnElement[bool]) -> Select[tuple[bytes]]:
    columns = join_record.c
    return (
        select(columns.mark)
        .where(columns.kind == str(kind), trusted)
        .group_by(columns.mark)
        .having(func.count(columns.institution.distinct()) > 1)
    )


def _held(row: Row[tuple[object, ...]]) -> HeldRow:
    return HeldRow(
        member=row.member,
        institution=row.institution,
        period=row.period,
        row=JoinRow(
            mark=bytes(row.mark),
            begins=row.begins,
            ends=row.ends,
            drug_class=row.drug_class,
            leaf=row.leaf,
        ),
    )


def figures(connection: Connection) -> JoinFigures:
    """Count what is held."""
    columns = join_part.c
    parts, members, first = connection.execute(
        select(
            func.count(),
            func.count(columns.member.distinct()),
            func.coalesce(func.min(columns.expires_day), 0),
        )
    ).one()
    records = connection.execute(select(func.count()).select_from(join_record)).scalar_one()
    return JoinFigures(
        parts=int(parts), records=int(records), members=int(members), first_expiry=int(first)
    )


def count_keys(connection: Connection) -> dict[str, int]:
    """Number of different keys that tokens were made under, by period: more than one is a fault."""
    columns = join_part.c
    query = (
        select(columns.period, func.count(columns.keys_digest.distinct()))
        .where(columns.period != "")
        .group_by(columns.period)
        .order_by(columns.period)
    )
    return {period: int(count) for period, count in connection.execute(query)}
