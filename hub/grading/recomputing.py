"""Recomputation (复算): a stored grade is computed again from what was stored with it.

Rules: the inputs are those of the result, not today's; the reference is the frozen
one; the model must be the very one of the run, by digest. Equality is exact, to the
hundredth of a point and for every indicator.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub.errors import GradingError, NotGradedError
from hub.grading.outcomes import table_of
from hub.store.grade_references import find_reference
from hub.store.grade_results import load_results
from hub.store.grade_runs import latest_run, load_run
from hub.store.grading_tables import grade_result
from scoring_kernel.errors import KernelError
from scoring_kernel.reference import Reference
from scoring_kernel.scoring import score

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from hub.store.grade_results import Result
    from hub.store.grade_runs import RunRecord
    from scoring_kernel import Catalog
    from scoring_kernel.inputs import InputTable
    from scoring_kernel.model import RatingModel
    from scoring_kernel.periods import Period
    from scoring_kernel.scoring import ScoreResult
    from security.at_rest import Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldRun:
    """The run that holds for a period, with what it was made of.

    Attributes:
        run_id: Number of the run.
        run: What it depends on.
        model: The model, equal to the run's by digest.
        reference: The frozen reference, equal to the run's by digest.
        results: Results, by subject.
        inputs: Their stored inputs, in the same order.
    """

    run_id: int
    run: RunRecord
    model: RatingModel
    reference: Reference
    results: tuple[Result, ...]
    inputs: InputTable

    def score(self) -> ScoreResult:
        """Score the stored inputs again.

        Raises:
            GradingError: The kernel refuses the stored inputs.
        """
        try:
            return score(self.model, self.inputs, self.reference, self.run.day)
        except KernelError as error:
            raise GradingError(f"Run {self.run_id} cannot be recomputed: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Recomputation:
    """Outcome of a recomputation.

    Attributes:
        run_id: The run that was computed again.
        checked: Number of results.
        differing: Subjects whose stored result is not what the kernel gives.
    """

    run_id: int
    checked: int
    differing: tuple[str, ...]


def hold_run(
    connection: Connection,
    vault: Vault,
    catalog: Catalog,
    period: Period,
    *,
    subject: str | None = None,
) -> HeldRun:
    """Load the run that holds for a period, wholly or for one subject.

    Raises:
        NotGradedError: The period, or the subject in it, was not graded.
        GradingError: The model or the reference of the run is not the one at hand.
        HubStoreError: A stored result does not open.
    """
    run_id = latest_run(connection, period.name)
    if run_id is None:
        raise NotGradedError(f"{period.name} was not graded yet; run `yixin hub grade` first.")
    run = load_run(connection, run_id)
    model = catalog.models.get(run.model)
    if model is None or model.digest != run.model_digest:
        found = "none" if model is None else model.digest.hex()[:16]
        raise GradingError(
            f"Run {run_id} was made with model {run.model} {run.model_digest.hex()[:16]}, this "
            f"program carries {found}; use the program version of the run, or grade again."
        )
    conditions = () if subject is None else (grade_result.c.subject == subject,)
    results = tuple(load_results(connection, vault, run_id, *conditions))
    if subject is not None and not results:
        raise NotGradedError(
            f"Run {run_id} of {period.name} has no grade of {subject[:20]!r}; check the code, "
            "or import item 20 and grade again."
        )
    try:
        return HeldRun(
            run_id=run_id,
            run=run,
            model=model,
            reference=_reference(connection, run),
            results=results,
            inputs=table_of(run.columns, results),
        )
    except KernelError as error:
        raise GradingError(f"Run {run_id} cannot be read: {error}") from error


def recompute(
    connection: Connection,
    catalog: Catalog,
    *,
    vault: Vault,
    period: Period,
    subject: str | None = None,
) -> Recomputation:
    """Compute the results that hold for a period again and compare.

    Args:
        connection: A reading transaction.
        catalog: Must carry the run's model.
        vault: Opens stored results.
        period: The rating period.
        subject: Institution code; None for every subject.

    Raises:
        NotGradedError: The period, or the subject in it, was not graded.
        GradingError: The model or the reference of the run is not the one at hand.
        HubStoreError: A stored result does not open.
    """
    held = hold_run(connection, vault, catalog, period, subject=subject)
    return Recomputation(
        run_id=held.run_id,
        checked=len(held.results),
        differing=differing(held, held.score()),
    )


def differing(held: HeldRun, scores: ScoreResult) -> tuple[str, ...]:
    """Subjects whose stored result is not what the scores say."""
    return tuple(
        result.subject
        for row, result in enumerate(held.results)
        if not _is_equal(result, held.inputs, scores, row)
    )


def _reference(connection: Connection, run: RunRecord) -> Reference:
    content = find_reference(connection, run.period, run.model_digest)
    reference = None if content is None else Reference.from_json(content)
    if reference is None or reference.digest != run.reference_digest:
        raise GradingError(
            f"The frozen reference of {run.period} is not {run.reference_digest.hex()[:16]}, which "
            "the run names; restore the database from its backup."
        )
    return reference


def _is_equal(result: Result, inputs: InputTable, scores: ScoreResult, row: int) -> bool:
    columns = zip(
        scores.points_centi[row].tolist(),
        scores.weights_centi[row].tolist(),
        scores.values_micro[row].tolist(),
        scores.missing[row].tolist(),
        strict=True,
    )
    stored = [
        (one.points_centi, one.weight_centi, one.value_micro, one.missing) for one in result.points
    ]
    return (
        result.inputs_digest == inputs.digest(row)
        and stored == list(columns)
        and result.total_centi == int(scores.total_centi[row])
        and result.coverage_centi == int(scores.coverage_centi[row])
        and result.grade == scores.grades[row]
    )
