"""Grades that lower hubs pushed (推送).

Port rules: a grade is kept under the hub that pushed it; the same version pushed again replaces
itself and nothing else.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, func, select

from hub.domain.pushes import DecodedPush
from hub.store.slot_index import upsert
from hub.store.tables import pushed_grade


def add_push(connection: Connection, sender: str, log_index: int, push: DecodedPush) -> None:
    """Store one part of a push, in the transaction of its envelope."""
    connection.execute(
        upsert(connection, pushed_grade),
        [
            {
                "sender": sender,
                "subject": row.subject,
                "period": row.period,
                "version": row.version,
                "subject_class": row.subject_class,
                "total_centi": row.total_centi,
                "grade": row.grade,
                "basis": row.basis,
                "model_digest": row.model_digest,
                "statement_digest": row.statement_digest,
                "publication_root": push.publication_root,
                "log_index": log_index,
            }
            for row in push.grades
        ],
    )


def distribution(connection: Connection, period: str) -> dict[str, int]:
    """Number of subjects per grade, newest version of each, for one period."""
    newest = (
        select(
            pushed_grade.c.sender,
            pushed_grade.c.subject,
            func.max(pushed_grade.c.version).label("version"),
        )
        .where(pushed_grade.c.period == period)
        .group_by(pushed_grade.c.sender, pushed_grade.c.subject)
        .subquery()
    )
    query = (
        select(pushed_grade.c.grade, func.count())
        .join(
            newest,
            (newest.c.sender == pushed_grade.c.sender)
            & (newest.c.subject == pushed_grade.c.subject)
            & (newest.c.version == pushed_grade.c.version),
        )
        .where(pushed_grade.c.period == period)
        .group_by(pushed_grade.c.grade)
        .order_by(pushed_grade.c.grade)
    )
    return {grade: int(count) for grade, count in connection.execute(query)}


def count(connection: Connection) -> int:
    """Number of subjects and periods of which a grade was pushed."""
    places = select(pushed_grade.c.sender, pushed_grade.c.subject, pushed_grade.c.period).distinct()
    return int(connection.execute(select(func.count()).select_from(places.subquery())).scalar_one())


def periods(connection: Connection) -> Sequence[str]:
    """Rating periods of which grades were pushed, in order."""
    query = select(pushed_grade.c.period).distinct().order_by(pushed_grade.c.period)
    return connection.execute(query).scalars().all()
