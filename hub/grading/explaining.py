"""Explanation (评分说明) of one subject's grade: where each point went.

Rules: what is explained is the stored result; it is computed again on the way, and a
difference is an error, never an explanation of other points.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub.errors import GradingError
from hub.grading.recomputing import differing, hold_run
from scoring_kernel.explanation import explain as explain_score

if TYPE_CHECKING:
    from datetime import date

    from sqlalchemy import Connection

    from scoring_kernel import Catalog
    from scoring_kernel.explanation import IndicatorExplanation
    from scoring_kernel.periods import Period
    from security.at_rest import Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One subject's grade, indicator by indicator.

    Attributes:
        subject: Institution code.
        name: Name of the institution.
        level: Level when it was graded.
        type: Type when it was graded.
        period: Rating period.
        version: Version of the grade.
        model: Id of the model.
        basis: ``proposal`` or ``final``; to be shown with the grade.
        day: Day for which parameters were read.
        total_centi: Total, hundredths of a point.
        coverage_centi: Weight of the present indicators, hundredths.
        grade: Grade id.
        grade_zh: Chinese name of the grade; empty when not rated.
        indicators: One explanation per indicator, in the model's order.
    """

    subject: str
    name: str
    level: str
    type: str
    period: str
    version: int
    model: str
    basis: str
    day: date
    total_centi: int
    coverage_centi: int
    grade: str
    grade_zh: str
    indicators: tuple[IndicatorExplanation, ...]


def explain(
    connection: Connection, catalog: Catalog, *, vault: Vault, subject: str, period: Period
) -> Explanation:
    """Explain the grade that holds for a subject.

    Args:
        connection: A reading transaction.
        catalog: Must carry the run's model.
        vault: Opens the stored result.
        subject: Institution code.
        period: The rating period.

    Raises:
        NotGradedError: The period, or the subject in it, was not graded.
        GradingError: The stored result is not what the kernel gives.
        HubStoreError: The stored result does not open.
    """
    held = hold_run(connection, vault, catalog, period, subject=subject)
    scores = held.score()
    if differing(held, scores):
        raise GradingError(
            f"The stored grade of {subject} for {period.name} is not what its stored inputs give; "
            "restore the database from its backup, or grade again."
        )
    (result,) = held.results
    names = {band.id: band.name_zh for band in held.run.bands}
    return Explanation(
        subject=result.subject,
        name=result.name,
        level=result.level,
        type=result.type,
        period=period.name,
        version=result.version,
        model=held.run.model,
        basis=held.run.basis,
        day=held.run.day,
        total_centi=result.total_centi,
        coverage_centi=result.coverage_centi,
        grade=result.grade,
        grade_zh=names.get(result.grade, ""),
        indicators=explain_score(scores, 0),
    )
