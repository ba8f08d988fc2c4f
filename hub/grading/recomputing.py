"""Recomputation (复算): stored grades are computed again from what was stored with them.

Rules: what is computed again is the run that holds, from its own inputs, reference and model
(``holding``). Equality is exact: every point, every weight, the grade that the points give, the
overrides and the grade that is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hub.errors import NotGradedError
from hub.grading.holding import held_class, held_classes, hold_run
from hub.grading.outcomes import overrides_of, points_of
from hub.store.grading_tables import grade_result

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from hub.grading.holding import HeldResults, HeldRun
    from hub.store.grade_results import Result
    from scoring_kernel import Catalog
    from scoring_kernel.periods import Period
    from scoring_kernel.scoring import ScoreResult
    from security.at_rest import Vault

MAX_DIFFERING: Final = 1000
"""Subjects that a recomputation names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recomputation:
    """Outcome of a recomputation of one class.

    Attributes:
        subject_class: Class of subjects.
        run_id: The run that was computed again.
        checked: Number of results.
        differing: Subjects whose stored result is not what the kernel gives, the first of them.
    """

    subject_class: str
    run_id: int
    checked: int
    differing: tuple[str, ...]


def recompute(
    connection: Connection,
    catalog: Catalog,
    *,
    vault: Vault,
    period: Period,
    subject: str | None = None,
    subject_class: str | None = None,
) -> tuple[Recomputation, ...]:
    """Compute the results that hold for a period again and compare.

    Args:
        connection: A reading transaction.
        catalog: Must carry the runs' models.
        vault: Opens stored results.
        period: The rating period.
        subject: Subject id; None for every subject.
        subject_class: Id or alias of one class; None for every class that was graded.

    Returns:
        One outcome per class.

    Raises:
        NotGradedError: The period, or the subject in it, was not graded.
        GradingError: The model or the reference of a run is not the one at hand.
        HubStoreError: A stored result does not open.
    """
    if subject is not None:
        found = held_class(connection, catalog, period, subject=subject, named=subject_class)
        return (
            _recompute(connection, vault, hold_run(connection, catalog, period, found), subject),
        )
    return tuple(
        _recompute(connection, vault, hold_run(connection, catalog, period, one), None)
        for one in held_classes(connection, catalog, period, subject_class)
    )


def _recompute(
    connection: Connection, vault: Vault, held: HeldRun, subject: str | None
) -> Recomputation:
    conditions = () if subject is None else (grade_result.c.subject == subject,)
    checked = 0
    found: list[str] = []
    for batch in held.batches(connection, vault, *conditions):
        checked += len(batch.results)
        found += differing(batch, batch.score())[: MAX_DIFFERING - len(found)]
    if subject is not None and not checked:
        raise NotGradedError(
            f"Run {held.run_id} of {held.run.period} has no grade of {subject[:40]!r}; check the "
            "id, or import its register and grade again."
        )
    return Recomputation(
        subject_class=held.run.subject_class,
        run_id=held.run_id,
        checked=checked,
        differing=tuple(found),
    )


def differing(batch: HeldResults, scores: ScoreResult) -> tuple[str, ...]:
    """Subjects whose stored result is not what the scores say."""
    return tuple(
        result.subject
        for row, result in enumerate(batch.results)
        if not _is_equal(result, batch, scores, row)
    )


def _is_equal(result: Result, batch: HeldResults, scores: ScoreResult, row: int) -> bool:
    stored = [
        (one.points_centi, one.weight_centi, one.value_micro, int(one.missing))
        for one in result.points
    ]
    return (
        result.inputs_digest == batch.inputs.digest(row)
        and stored == points_of(scores, row)
        and result.total_centi == int(scores.total_centi[row])
        and result.coverage_centi == int(scores.coverage_centi[row])
        and result.grade == scores.grades[row]
        and result.earned_grade == scores.earned_grades[row]
        and result.overrides == overrides_of(scores, row)
    )
