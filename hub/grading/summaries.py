"""Summary of the grades that hold for a period: class by class, the best first, and how many.

Rules: a list is bounded; staff and persons stand in it by their ids alone, because the result
holds no name of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import select

from hub.grading.holding import held_classes
from hub.grading.report import BandShare, distribute
from hub.store.grade_results import count_capped, count_grades, of_run
from hub.store.grade_runs import last_graded_period, latest_runs, load_run
from hub.store.grading_tables import grade_result
from hub.store.publications import latest_publication
from scoring_kernel.model import NOT_RATED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from scoring_kernel import Catalog
    from scoring_kernel.periods import Period


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectGrade:
    """One subject's grade, as listed; the earned grade is the one that the points give."""

    subject: str
    name: str = field(repr=False)
    level: str
    type: str
    version: int
    total_centi: int
    grade: str
    earned_grade: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The grades of one class that hold for a period.

    Attributes:
        period: Rating period.
        subject_class: Class of subjects.
        run_id: The run that holds.
        model: Id of the model.
        basis: ``proposal`` or ``final``; to be shown with the grades.
        subjects: The first grades by total, best first, then by id; not rated subjects last.
        graded: Subjects with a grade.
        not_rated: Subjects below the model's least coverage that no override caps.
        capped: Subjects whose grade an override lowered.
        no_model: Subjects of the class whose level or type the model does not know.
        distribution: Every grade of the model with count and share, best first.
    """

    period: str
    subject_class: str
    run_id: int
    model: str
    basis: str
    subjects: tuple[SubjectGrade, ...]
    graded: int
    not_rated: int
    capped: int
    no_model: int
    distribution: tuple[BandShare, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassLine:
    """One class of a status: what holds for the last graded period."""

    subject_class: str
    period: str
    basis: str
    graded: int
    not_rated: int
    capped: int
    published: bool


def summaries(
    connection: Connection,
    catalog: Catalog,
    period: Period,
    *,
    subject_class: str | None = None,
    limit: int,
) -> tuple[Summary, ...]:
    """Summarise the grades that hold for a period, class by class.

    Args:
        connection: A reading transaction.
        catalog: Knows the aliases of classes.
        period: The rating period.
        subject_class: Id or alias of one class; None for every class that was graded.
        limit: Most subjects to list per class.

    Raises:
        NotGradedError: The period, or the class named, was not graded.
        GradingError: No class has that name.
    """
    classes = held_classes(connection, catalog, period, subject_class)
    runs = latest_runs(connection, period.name)
    return tuple(_summary(connection, runs[one], limit) for one in classes)


def class_lines(connection: Connection) -> Iterator[ClassLine]:
    """What holds for the last graded period, one line a class; none before the first grading."""
    period = last_graded_period(connection)
    if period is None:
        return
    for subject_class, run_id in latest_runs(connection, period).items():
        counts = count_grades(connection, run_id)
        not_rated = counts.get(NOT_RATED, 0)
        standing = latest_publication(connection, period, subject_class)
        yield ClassLine(
            subject_class=subject_class,
            period=period,
            basis=load_run(connection, run_id).basis,
            graded=sum(counts.values()) - not_rated,
            not_rated=not_rated,
            capped=count_capped(connection, run_id),
            published=standing is not None and standing.run_id == run_id,
        )


def _summary(connection: Connection, run_id: int, limit: int) -> Summary:
    run = load_run(connection, run_id)
    columns = grade_result.c
    found = connection.execute(
        select(
            columns.subject,
            columns.name,
            columns.level,
            columns.type,
            columns.version,
            columns.total_centi,
            columns.grade,
            columns.earned_grade,
        )
        .where(*of_run(run_id))
        .order_by(columns.grade == NOT_RATED, columns.total_centi.desc(), columns.subject)
        .limit(limit)
    ).mappings()
    counts = count_grades(connection, run_id)
    not_rated = counts.get(NOT_RATED, 0)
    return Summary(
        period=run.period,
        subject_class=run.subject_class,
        run_id=run_id,
        model=run.model,
        basis=run.basis,
        subjects=tuple(SubjectGrade(**row) for row in found),
        graded=sum(counts.values()) - not_rated,
        not_rated=not_rated,
        capped=count_capped(connection, run_id),
        no_model=run.no_model,
        distribution=distribute(run.bands, counts),
    )
