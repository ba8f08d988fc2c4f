"""Grades that rest on what an incident makes suspect (存疑的等级).

A run may hold suspect data when its inputs were read after an open incident's moment and before
the incident was opened: later runs read without it. Rules:

- A published version is suspect when such a run made it, until a run that was made without the
  suspect data holds and comes to the very same version.
- Grading anew that comes to the same confirms the run that holds; one that does not makes
  versions that have to be published first.
"""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, and_, false, func, or_, select

from hub.errors import NotPublishedError
from hub.store.grade_runs import latest_runs, load_run
from hub.store.grading_tables import grade_result, grade_run, grade_run_result, published_statement
from hub.store.incidents import list_open

__all__ = ["count_suspect_published", "is_suspect_moment", "refuse_suspect", "suspect_periods"]


def is_suspect_moment(connection: Connection, at_ms: int) -> bool:
    """Whether what was made of the hub's data at a moment may hold suspect data.

    Args:
        connection: A reading or writing transaction.
        at_ms: The moment, milliseconds since the epoch, UTC.
    """
    return any(one.since_ms <= at_ms < one.opened_at_ms for one in list_open(connection))


def suspect_periods(connection: Connection) -> tuple[str, ...]:
    """Periods with a run that holds and may hold suspect data, oldest first."""
    read_ms = func.coalesce(grade_run.c.inputs_at_ms, grade_run.c.created_at_ms)
    newest = select(func.max(grade_run.c.id)).group_by(
        grade_run.c.period, grade_run.c.subject_class
    )
    query = select(grade_run.c.period).where(
        grade_run.c.id.in_(newest), _within(connection, read_ms)
    )
    return tuple(connection.execute(query.distinct().order_by(grade_run.c.period)).scalars())


def count_suspect_published(connection: Connection, period: str, classes: Sequence[str]) -> int:
    """Number of subjects of some classes whose newest published grade is suspect.

    Args:
        connection: A reading or writing transaction.
        period: Rating period.
        classes: Ids of the classes.
    """
    if not list_open(connection):
        return 0
    runs = latest_runs(connection, period)
    return sum(_count(connection, period, one, runs[one]) for one in classes if one in runs)


def refuse_suspect(connection: Connection, period: str, classes: Sequence[str]) -> None:
    """Refuse to hand out published grades that are suspect.

    Raises:
        NotPublishedError: Some are.
    """
    count = count_suspect_published(connection, period, classes)
    if count:
        raise NotPublishedError(
            f"{count} grades published for {period} rest on what an incident makes suspect, and "
            f"nothing of them is handed out: publish those graded anew (yixin hub publish --period "
            f"{period}), or grade first (yixin hub grade --period {period}); see yixin hub "
            "incidents."
        )


def _count(connection: Connection, period: str, subject_class: str, run_id: int) -> int:
    stated, result = published_statement.c, grade_result.c
    newest = (
        select(stated.subject, func.max(stated.version).label("version"))
        .where(stated.period == period, stated.subject_class == subject_class)
        .group_by(stated.subject)
        .subquery()
    )
    query = (
        select(func.count())
        .select_from(newest)
        .join(
            grade_result,
            and_(
                result.period == period,
                result.subject_class == subject_class,
                result.subject == newest.c.subject,
                result.version == newest.c.version,
            ),
        )
        .join(grade_run, grade_run.c.id == result.run_id)
        .where(_within(connection, grade_run.c.created_at_ms))
    )
    if not is_suspect_moment(connection, load_run(connection, run_id).inputs_at_ms):
        held = grade_run_result.c
        query = query.join(
            grade_run_result,
            and_(held.run_id == run_id, held.subject == newest.c.subject),
        ).where(held.version != newest.c.version)
    return int(connection.execute(query).scalar_one())


def _within(connection: Connection, at_ms: ColumnElement[int]) -> ColumnElement[bool]:
    return or_(
        false(),
        *(and_(at_ms >= one.since_ms, at_ms < one.opened_at_ms) for one in list_open(connection)),
    )
