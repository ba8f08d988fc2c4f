"""Clues that nodes stated; they are listed together with what the hub found by joining.

Port rules: inside the caller's transaction; a part of clues is replaced as a whole by a newer one,
in any order of arrival; a clue that is stated no longer is gone, and stays until it expires.
"""

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy import true as sql_true

from hub.domain.clues import CluePart, StatedClue
from hub.store.clue_tables import clue, clue_part, clue_staff, joined_clue
from hub.store.incidents import is_suspect_clue, is_suspect_finding
from hub.store.slot_index import upsert

_HIGHEST_ID: Final = b"\xff" * 17


@dataclass(frozen=True, slots=True, kw_only=True)
class ClueRow:
    """A clue as it is listed: a node's, or the hub's own."""

    id: bytes
    source: str
    """Rule or topic of a node, or join of the hub."""
    member: str
    """The node; empty for the hub's own."""
    institution: str
    """Subject institution; for the hub's own that of the later record."""
    month: int
    score: int
    verdict: str
    amount_fen: int | None
    """None for the hub's own: join records carry no amounts."""
    person: bytes | None = field(repr=False)
    """Link token."""
    staff: tuple[str, ...]
    gone: bool
    suspect: bool
    """Whether an open incident makes it suspect."""
    detail: dict[str, Any] = field(repr=False)
    """Everything else, as JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClueFilter:
    """Which clues are meant."""

    source: str | None = None
    institution: str | None = None
    person: bytes | None = None
    staff: str | None = None
    least_score: int = 0
    gone: bool = False
    """Those that are gone too; suspect ones are always meant."""


def replace_part(
    connection: Connection, member: str, incarnation: int, part: CluePart, log_index: int
) -> bool:
    """Put a part of clues in the place of an older one.

    Returns:
        False when an equal or newer one counts already; then nothing changes.
    """
    columns = clue_part.c
    where = and_(
        columns.member == member,
        columns.institution == part.institution,
        columns.month == part.month,
        columns.part == part.part,
    )
    held = connection.execute(select(columns.incarnation, columns.version).where(where)).first()
    if held is not None and tuple(held) >= (incarnation, part.version):
        return False
    connection.execute(
        upsert(connection, clue_part),
        [
            {
                "member": member,
                "institution": part.institution,
                "month": part.month,
                "part": part.part,
                "incarnation": incarnation,
                "version": part.version,
                "log_index": log_index,
            }
        ],
    )
    of_part = and_(
        clue.c.member == member,
        clue.c.institution == part.institution,
        clue.c.month == part.month,
        clue.c.part == part.part,
    )
    connection.execute(update(clue).where(of_part).values(gone=True))
    _put(connection, member, part, log_index)
    return True


def _put(connection: Connection, member: str, part: CluePart, log_index: int) -> None:
    if not part.clues:
        return
    ids = [one.id for one in part.clues]
    known = dict(
        connection.execute(
            select(clue.c.id, clue.c.first_log_index).where(
                clue.c.member == member, clue.c.id.in_(ids)
            )
        ).all()
    )
    connection.execute(
        upsert(connection, clue),
        [
            _clue_values(member, part, one, known.get(one.id, log_index), log_index)
            for one in part.clues
        ],
    )
    connection.execute(
        delete(clue_staff).where(clue_staff.c.member == member, clue_staff.c.id.in_(ids))
    )
    named = [
        {"member": member, "id": one.id, "staff": code} for one in part.clues for code in one.staff
    ]
    if named:
        connection.execute(insert(clue_staff), named)


def _clue_values(
    member: str, part: CluePart, one: StatedClue, first: int, last: int
) -> dict[str, object]:
    return {
        "member": member,
        "id": one.id,
        "institution": part.institution,
        "month": part.month,
        "part": part.part,
        "source": one.source,
        "version": one.version,
        "person": one.person or None,
        "score": one.score,
        "amount_fen": one.amount_fen,
        "verdict": one.verdict,
        "evidence": json.dumps([asdict(pointer) for pointer in one.evidence]),
        "evidence_count": one.evidence_count,
        "measures": json.dumps([asdict(pointer) for pointer in one.measures]),
        "first_log_index": first,
        "last_log_index": last,
        "gone": False,
    }


def list_clues(connection: Connection, wanted: ClueFilter, limit: int) -> tuple[ClueRow, ...]:
    """Clues of nodes and of the hub, the highest score first."""
    rows = [*_of_nodes(connection, wanted, limit), *_of_hub(connection, wanted, limit)]
    rows.sort(key=lambda one: (-one.score, -one.month, one.source, one.member, one.id))
    return tuple(rows[:limit])


def find_clues(connection: Connection, prefix: bytes) -> tuple[ClueRow, ...]:
    """Clues whose id begins so, also those that are gone; at most three."""
    most = (prefix + _HIGHEST_ID)[: len(_HIGHEST_ID)]
    wanted = ClueFilter(gone=True)
    nodes = _of_nodes(connection, wanted, 3, clue.c.id.between(prefix, most))
    own = _of_hub(connection, wanted, 3, joined_clue.c.id.between(prefix, most))
    return (*nodes, *own)[:3]


def _of_nodes(
    connection: Connection,
    wanted: ClueFilter,
    limit: int,
    condition: ColumnElement[bool] | None = None,
) -> list[ClueRow]:
    columns = clue.c
    suspect = is_suspect_clue()
    query = select(clue, suspect.label("suspect")).where(
        sql_true() if condition is None else condition, columns.score >= wanted.least_score
    )
    for column, value in (
        (columns.source, wanted.source),
        (columns.institution, wanted.institution),
        (columns.person, wanted.person),
    ):
        if value is not None:
            query = query.where(column == value)
    if not wanted.gone:
        query = query.where(or_(columns.gone.is_(False), suspect))
    if wanted.staff is not None:
        named = select(clue_staff.c.id).where(
            clue_staff.c.staff == wanted.staff, clue_staff.c.member == columns.member
        )
        query = query.where(columns.id.in_(named))
    query = query.order_by(columns.score.desc(), columns.month.desc(), columns.id).limit(limit)
    return [_of_node(connection, row) for row in connection.execute(query).all()]


def _of_node(connection: Connection, row: Row[tuple[Any, ...]]) -> ClueRow:
    staff = select(clue_staff.c.staff).where(
        clue_staff.c.member == row.member, clue_staff.c.id == row.id
    )
    return ClueRow(
        id=bytes(row.id),
        source=row.source,
        member=row.member,
        institution=row.institution,
        month=row.month,
        score=row.score,
        verdict=row.verdict,
        amount_fen=row.amount_fen,
        person=None if row.person is None else bytes(row.person),
        staff=tuple(connection.execute(staff.order_by(clue_staff.c.staff)).scalars()),
        gone=row.gone,
        suspect=bool(row.suspect),
        detail={
            "version": row.version,
            "evidence": json.loads(row.evidence),
            "evidence_count": row.evidence_count,
            "measures": json.loads(row.measures),
            "first_log_index": row.first_log_index,
            "last_log_index": row.last_log_index,
        },
    )


def _of_hub(
    connection: Connection,
    wanted: ClueFilter,
    limit: int,
    condition: ColumnElement[bool] | None = None,
) -> list[ClueRow]:
    columns = joined_clue.c
    suspect = is_suspect_finding(connection)
    query = select(joined_clue, suspect.label("suspect")).where(
        sql_true() if condition is None else condition, columns.score >= wanted.least_score
    )
    for column, value in ((columns.source, wanted.source), (columns.staff, wanted.staff)):
        if value is not None:
            query = query.where(column == value)
    if wanted.institution is not None:
        query = query.where(columns.sources.contains(f'"{wanted.institution}"', autoescape=True))
    if wanted.person is not None:
        query = query.where(columns.mark == wanted.person, columns.is_person)
    if not wanted.gone:
        query = query.where(or_(columns.gone.is_(False), suspect))
    query = query.order_by(columns.score.desc(), columns.month.desc(), columns.id).limit(limit)
    return [_own(row) for row in connection.execute(query).all()]


def _own(row: Row[tuple[Any, ...]]) -> ClueRow:
    sources = json.loads(row.sources)
    is_trace = not row.is_person and row.staff is None
    return ClueRow(
        id=bytes(row.id),
        source=row.source,
        member="",
        institution=sources[-1]["institution"],
        month=row.month,
        score=row.score,
        verdict=row.verdict,
        amount_fen=None,
        person=bytes(row.mark) if row.is_person else None,
        staff=() if row.staff is None else (row.staff,),
        gone=row.gone,
        suspect=bool(row.suspect),
        detail={
            "sources": sources,
            "numbers": json.loads(row.numbers),
            "first_at_ms": row.first_at_ms,
            "last_at_ms": row.last_at_ms,
            "trace_digest": bytes(row.mark).hex() if is_trace else None,
        },
    )


def count(connection: Connection) -> dict[str, int]:
    """Number of clues that are not gone: of nodes, and found by joining."""
    found: dict[str, int] = {}
    for name, table in (("stated", clue), ("joined", joined_clue)):
        query = select(func.count()).select_from(table).where(table.c.gone.is_(False))
        found[name] = int(connection.execute(query).scalar_one())
    return found
