"""Summary of the grades that hold for a period: one line a subject, and the distribution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from hub.errors import NotGradedError
from hub.grading.report import BandShare, distribute
from hub.store.grade_results import of_run
from hub.store.grade_runs import latest_run, load_run
from hub.store.grading_tables import grade_result
from scoring_kernel.model import NOT_RATED

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from scoring_kernel.periods import Period


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectGrade:
    """One subject's grade, as listed."""

    subject: str
    name: str
    level: str
    type: str
    version: int
    total_centi: int
    grade: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The grades that hold for a period.

    Attributes:
        period: Rating period.
        run_id: The run that holds.
        model: Id of the model.
        basis: ``proposal`` or ``final``; to be shown with the grades.
        subjects: Grades by total, best first, then by code; not rated subjects last.
        graded: Subjects with a grade.
        not_rated: Subjects below the model's least coverage.
        no_model: Institutions of the register that no model grades.
        distribution: Every grade of the model with count and share, best first.
    """

    period: str
    run_id: int
    model: str
    basis: str
    subjects: tuple[SubjectGrade, ...]
    graded: int
    not_rated: int
    no_model: int
    distribution: tuple[BandShare, ...]


def summary(connection: Connection, period: Period) -> Summary:
    """Summarise the grades that hold for a period.

    Raises:
        NotGradedError: The period was not graded.
    """
    run_id = latest_run(connection, period.name)
    if run_id is None:
        raise NotGradedError(f"{period.name} was not graded yet; run `yixin hub grade` first.")
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
        ).where(*of_run(run_id))
    ).mappings()
    subjects = sorted(
        (SubjectGrade(**row) for row in found),
        key=lambda one: (one.grade == NOT_RATED, -one.total_centi, one.subject),
    )
    not_rated = sum(one.grade == NOT_RATED for one in subjects)
    return Summary(
        period=period.name,
        run_id=run_id,
        model=run.model,
        basis=run.basis,
        subjects=tuple(subjects),
        graded=len(subjects) - not_rated,
        not_rated=not_rated,
        no_model=run.no_model,
        distribution=distribute(run.bands, (one.grade for one in subjects)),
    )
