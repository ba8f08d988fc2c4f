"""Explanation (评分说明) of one subject's grade: where each point went, and what caps the grade.

Rules: what is explained is the stored result; it is computed again on the way, and a
difference is an error, never an explanation of other points. An override says which event caps
the grade, since when it is in force, and what the points alone would give.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hub.errors import GradingError, NotGradedError
from hub.grading.holding import held_class, hold_run
from hub.grading.recomputing import differing
from hub.store.grading_tables import grade_result
from scoring_kernel.advice import Advice, advise
from scoring_kernel.explanation import explain as explain_score
from scoring_kernel.override_explanation import explain_overrides, explain_undetermined

if TYPE_CHECKING:
    from datetime import date

    from sqlalchemy import Connection

    from hub.grading.ports import EarlierCatalogs
    from scoring_kernel import Catalog
    from scoring_kernel.explanation import IndicatorExplanation
    from scoring_kernel.override_explanation import OverrideExplanation, UndeterminedOverride
    from scoring_kernel.periods import Period
    from security.at_rest import Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One subject's grade, override by override and indicator by indicator.

    Attributes:
        subject: Subject id.
        subject_class: Class of subjects.
        name: Name of an institution or organisation; empty for staff and persons.
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
        earned_grade: Grade id that the points alone give.
        earned_grade_zh: Its Chinese name; empty when not rated.
        overrides: Overrides in force, in the model's order.
        undetermined: Overrides that cannot be judged, in the model's order.
        indicators: One explanation per indicator, in the model's order.
        advice: What would lift it to the next grade within a whole period.
    """

    subject: str
    subject_class: str
    name: str = field(repr=False)
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
    earned_grade: str
    earned_grade_zh: str
    overrides: tuple[OverrideExplanation, ...]
    undetermined: tuple[UndeterminedOverride, ...]
    indicators: tuple[IndicatorExplanation, ...]
    advice: Advice


def explain(
    connection: Connection,
    catalog: Catalog,
    *,
    vault: Vault,
    subject: str,
    period: Period,
    subject_class: str | None = None,
    earlier: EarlierCatalogs | None = None,
) -> Explanation:
    """Explain the grade that holds for a subject.

    Args:
        connection: A reading transaction.
        catalog: Must carry the run's model, unless ``earlier`` does.
        vault: Opens the stored result.
        subject: Subject id.
        period: The rating period.
        subject_class: Id or alias of its class; None where it was graded in one class only.
        earlier: Finds the catalogue of a run that was made with another one.

    Raises:
        NotGradedError: The period, or the subject in it, was not graded.
        GradingError: The stored result is not what the kernel gives, or the subject was graded
            in several classes and none was named.
        HubStoreError: The stored result does not open.
    """
    found = held_class(connection, catalog, period, subject=subject, named=subject_class)
    held = hold_run(connection, catalog, period, found, earlier=earlier)
    batch = next(held.batches(connection, vault, grade_result.c.subject == subject), None)
    if batch is None:
        raise NotGradedError(
            f"Run {held.run_id} of {period.name} has no grade of {subject[:40]!r} in {found}; "
            "check the id and the class."
        )
    scores = batch.score()
    if differing(batch, scores):
        raise GradingError(
            f"The stored grade of {subject} for {period.name} is not what its stored inputs give; "
            "restore the database from its backup, or grade again."
        )
    (result,) = batch.results
    names = {band.id: band.name_zh for band in held.run.bands}
    return Explanation(
        subject=result.subject,
        subject_class=found,
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
        earned_grade=result.earned_grade,
        earned_grade_zh=names.get(result.earned_grade, ""),
        overrides=explain_overrides(scores, 0, held.catalog),
        undetermined=explain_undetermined(scores, 0, held.catalog),
        indicators=explain_score(scores, 0),
        advice=advise(scores, 0),
    )
