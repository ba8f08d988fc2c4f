"""Grades that lower hubs pushed (推送).

Port rules: a grade is kept under the hub that pushed it and the class it is of: one organisation
may be graded as an employer and as a supplier. The same version pushed again replaces itself and
nothing else. What an open incident makes suspect is not counted among the grades: a version before
it, or the correction that came after the mark, stands in its place.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, exists, func, select

from hub.domain.pushes import DecodedPush
from hub.store.incidents import is_suspect
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


def distribution(connection: Connection, period: str) -> dict[str, dict[str, int]]:
    """Number of subjects per grade by class, newest sound version of each, for one period."""
    columns = pushed_grade.c
    later = pushed_grade.alias("later")
    query = (
        select(columns.subject_class, columns.grade, func.count())
        .where(
            columns.period == period,
            ~is_suspect(columns.sender, columns.log_index),
            ~exists().where(
                later.c.sender == columns.sender,
                later.c.subject == columns.subject,
                later.c.period == columns.period,
                later.c.subject_class == columns.subject_class,
                later.c.version > columns.version,
                ~is_suspect(later.c.sender, later.c.log_index),
            ),
        )
        .group_by(columns.subject_class, columns.grade)
        .order_by(columns.subject_class, columns.grade)
    )
    found: dict[str, dict[str, int]] = {}
    for subject_class, grade, number in connection.execute(query):
        found.setdefault(subject_class, {})[grade] = int(number)
    return found


def count(connection: Connection) -> int:
    """Number of subjects, classes and periods of which a grade was pushed."""
    columns = pushed_grade.c
    places = select(
        columns.sender, columns.subject, columns.period, columns.subject_class
    ).distinct()
    return int(connection.execute(select(func.count()).select_from(places.subquery())).scalar_one())


def periods(connection: Connection) -> Sequence[str]:
    """Rating periods of which grades were pushed, in order."""
    query = select(pushed_grade.c.period).distinct().order_by(pushed_grade.c.period)
    return connection.execute(query).scalars().all()
