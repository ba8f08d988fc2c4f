"""The run that holds for a period and class, with what it was made of, batch by batch.

Rules: the inputs are those of the stored results, not today's; the reference is the one the run
names; the model must be the very one of the run, by digest. Results are opened in batches, so
that explaining, recomputing and publishing need the same memory for ten subjects and a million.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from hub.errors import GradingError, NotGradedError
from hub.grading.classes import class_id, get_model
from hub.grading.outcomes import BATCH, table_of
from hub.store.grade_references import find_reference
from hub.store.grade_results import load_results
from hub.store.grade_runs import classes_of, latest_run, latest_runs, load_run
from scoring_kernel.errors import KernelError
from scoring_kernel.reference import Reference
from scoring_kernel.scoring import score

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import ColumnElement, Connection

    from hub.grading.ports import EarlierCatalogs
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
    """The run that holds for a period and class.

    Attributes:
        run_id: Number of the run.
        run: What it depends on.
        catalog: The catalogue the run was made with, where it is at hand; else that of the program.
        model: The model, equal to the run's by digest.
        reference: The reference, equal to the run's by digest.
    """

    run_id: int
    run: RunRecord
    catalog: Catalog = field(repr=False)
    model: RatingModel = field(repr=False)
    reference: Reference = field(repr=False)

    def batches(
        self, connection: Connection, vault: Vault, *conditions: ColumnElement[bool]
    ) -> Iterator[HeldResults]:
        """Open the run's results by subject, a batch at a time.

        Args:
            connection: A transaction, open until the last batch was taken.
            vault: Opens stored results.
            *conditions: Further conditions on ``grade_result``.

        Raises:
            GradingError: Stored inputs do not fit the run.
            HubStoreError: A stored result does not open.
        """
        found = load_results(connection, vault, self.run_id, *conditions)
        while results := tuple(islice(found, BATCH)):
            try:
                inputs = table_of(self.run.columns, results)
            except KernelError as error:
                raise GradingError(f"Run {self.run_id} cannot be read: {error}") from error
            yield HeldResults(held=self, results=results, inputs=inputs)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldResults:
    """Some results of a run.

    Attributes:
        held: The run.
        results: Results, by subject.
        inputs: Their stored inputs, in the same order.
    """

    held: HeldRun
    results: tuple[Result, ...] = field(repr=False)
    inputs: InputTable = field(repr=False)

    def score(self) -> ScoreResult:
        """Score the stored inputs again.

        Raises:
            GradingError: The kernel refuses the stored inputs.
        """
        held = self.held
        try:
            return score(held.model, self.inputs, held.reference, held.run.day)
        except KernelError as error:
            raise GradingError(f"Run {held.run_id} cannot be recomputed: {error}") from error


def hold_run(
    connection: Connection,
    catalog: Catalog,
    period: Period,
    subject_class: str,
    *,
    earlier: EarlierCatalogs | None = None,
) -> HeldRun:
    """Load the run that holds for a period and class, without its results.

    Args:
        connection: A transaction.
        catalog: Must carry the run's model, unless ``earlier`` does.
        period: The rating period.
        subject_class: Id of the class.
        earlier: Finds the catalogue of a run that was made with another one.

    Raises:
        NotGradedError: The class was not graded for the period.
        GradingError: The model or the reference of the run is not the one at hand.
    """
    run_id = latest_run(connection, period.name, subject_class)
    if run_id is None:
        raise NotGradedError(
            f"{subject_class} was not graded for {period.name} yet; run `yixin hub grade` first."
        )
    run = load_run(connection, run_id)
    if earlier is not None and run.catalogue_digest != catalog.digest:
        catalog = earlier(run.catalogue_digest) or catalog
    model = catalog.models.get(run.model)
    if model is None or model.digest != run.model_digest:
        found = "none" if model is None else model.digest.hex()[:16]
        raise GradingError(
            f"Run {run_id} was made with model {run.model} {run.model_digest.hex()[:16]} of "
            f"catalogue {run.catalogue_digest.hex()[:16]}, this program carries {found}; take the "
            "pack of that catalogue into use (yixin hub packs use --version), use the program "
            "version of the run, or grade again."
        )
    try:
        reference = _reference(connection, run)
    except KernelError as error:
        raise GradingError(f"Run {run_id} cannot be read: {error}") from error
    return HeldRun(run_id=run_id, run=run, catalog=catalog, model=model, reference=reference)


def held_classes(
    connection: Connection, catalog: Catalog, period: Period, named: str | None = None
) -> tuple[str, ...]:
    """Ids of the classes that were graded for a period, or of the one named.

    Args:
        connection: A transaction.
        catalog: Knows the aliases of classes.
        period: The rating period.
        named: Id or alias of a class; None for all.

    Raises:
        NotGradedError: Nothing, or not the class that was named, was graded for the period.
        GradingError: No class has that name.
    """
    wanted = class_id(catalog, named)
    found = tuple(latest_runs(connection, period.name))
    if not found or (wanted is not None and wanted not in found):
        raise NotGradedError(
            f"{period.name} was not graded yet{f' for {wanted}' if wanted and found else ''}; "
            "run `yixin hub grade` first."
        )
    return found if wanted is None else (wanted,)


def held_class(
    connection: Connection,
    catalog: Catalog,
    period: Period,
    *,
    subject: str,
    named: str | None = None,
) -> str:
    """Id of the class in which a subject was graded.

    Args:
        connection: A transaction.
        catalog: Knows the aliases of classes.
        period: The rating period.
        subject: Subject id.
        named: Id or alias of the class; needed for an organisation that is graded in several.

    Raises:
        NotGradedError: The subject was not graded for the period.
        GradingError: No class has that name, or the subject was graded in several.
    """
    graded = held_classes(connection, catalog, period, named)
    if named is not None:
        return graded[0]
    found = classes_of(connection, period.name, subject)
    if not found:
        raise NotGradedError(
            f"No run of {period.name} has a grade of {subject[:40]!r}; check the id, or import "
            "its register and grade again."
        )
    if len(found) > 1:
        names = ", ".join(str(get_model(catalog, one).alias) for one in found)
        raise GradingError(
            f"{subject[:40]} was graded in several classes; name one with --class: {names}."
        )
    return found[0]


def _reference(connection: Connection, run: RunRecord) -> Reference:
    content = find_reference(connection, run.period, run.model_digest)
    reference = None if content is None else Reference.from_json(content)
    if reference is None or reference.digest != run.reference_digest:
        raise GradingError(
            f"The frozen reference of {run.period} is not {run.reference_digest.hex()[:16]}, which "
            "the run names; restore the database from its backup."
        )
    return reference
