"""Grading (评级): one run (评级批次) per period and class of subjects, and appeals (申诉).

The steps of a class, in order:

0. Its model must be able to grade, and its register must list a subject of the class.
1. One snapshot: register, statements, department items.
2. The reference of the period and model: the frozen one, or one built now. Where members measure
   institutions, every institution must have stated something before one is frozen; an incomplete
   grading goes ahead and freezes none.
3. Scores by the kernel.
4. Versions: a changed result is the next version, an unchanged one keeps its own.
5. One transaction: reference, run and new versions; nothing when nothing changed.

Classes that wait for statements come first, so that nothing was stored when one is refused.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hub.errors import GradingError, NotGradedError, StatementsMissingError
from hub.grading.classes import awaits_statements, get_model, models_to_grade
from hub.grading.holding import held_class
from hub.grading.readiness import describe, find_silent
from hub.grading.report import PeriodReport, Skipped
from hub.grading.running import Job, compute, fingerprint, store
from hub.grading.subjects import load_subjects, register_of
from hub.store.engine import reading
from hub.store.grade_references import find_reference
from hub.store.grade_runs import (
    add_versions,
    copy_versions,
    latest_runs,
    load_run,
    versions_of_run,
)
from scoring_kernel.indicators import Status
from security.progress import no_progress

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date, datetime

    from sqlalchemy import Connection, Engine

    from hub.grading.ports import MonthlySource
    from hub.grading.report import GradeReport
    from hub.grading.subjects import SubjectList
    from scoring_kernel import Catalog
    from scoring_kernel.model import RatingModel
    from scoring_kernel.periods import Period
    from security.at_rest import Vault
    from security.progress import ProgressReporter


def grade(
    engine: Engine,
    statements: MonthlySource,
    catalog: Catalog,
    *,
    vault: Vault,
    period: Period,
    now: datetime,
    day: date | None = None,
    subject_class: str | None = None,
    incomplete: bool = False,
    progress: ProgressReporter = no_progress,
) -> PeriodReport:
    """Grade every subject of every class's register for a period.

    Args:
        engine: The hub's database.
        statements: Measures that members stated.
        catalog: Models, measure sets and items.
        vault: Opens department rows, seals results.
        period: The rating period.
        now: Moment of the run, UTC.
        day: Day for which parameters are read; the period's last day by default.
        subject_class: Id or alias of the one class to grade; None for all.
        incomplete: Go ahead although institutions stated nothing; then no reference is frozen.
        progress: Told while it works.

    Returns:
        The reports of the runs that hold now, and which classes were skipped.

    Raises:
        GradingError: No class, or not the one named, can be graded on that day.
        StatementsMissingError: No reference is frozen yet and institutions stated nothing.
        HubStoreError: The database failed; nothing of the class's run was stored.
    """
    reports: list[GradeReport] = []
    skipped: list[Skipped] = []
    for model in models_to_grade(catalog, subject_class):
        job = Job(
            statements=statements,
            catalog=catalog,
            vault=vault,
            model=model,
            period=period,
            day=day or period.last_day,
            now=now,
            progress=progress,
        )
        found = _grade_class(engine, job, incomplete=incomplete)
        if isinstance(found, Skipped):
            skipped.append(found)
        else:
            reports.append(found)
    if not reports:
        raise GradingError(
            f"Nothing to grade for {period.name}: "
            f"{'; '.join(f'{one.subject_class}: {one.reason}' for one in skipped)}."
        )
    return PeriodReport(period=period.name, classes=tuple(reports), skipped=tuple(skipped))


def _grade_class(engine: Engine, job: Job, *, incomplete: bool) -> GradeReport | Skipped:
    model = job.model
    if model.status is Status.DRAFT:
        return Skipped(subject_class=model.subject_class, reason="its model is a draft")
    with reading(engine) as connection:
        listed = load_subjects(connection, job.vault, job.catalog, model)
        if not listed.rated:
            return Skipped(subject_class=model.subject_class, reason=_empty(model, listed))
        held = find_reference(connection, job.period.name, model.digest, frozen_only=True)
        silent = 0 if held is not None else _count_silent(connection, job, listed, incomplete)
        graded = compute(connection, job, listed, held=held, silent=silent)
    outcomes = graded.outcomes
    identity = fingerprint(job, graded, outcomes.stated())
    return store(
        engine,
        job,
        graded,
        identity,
        lambda connection, run_id: add_versions(connection, run_id, outcomes.stated()),
    )


def _empty(model: RatingModel, listed: SubjectList) -> str:
    item = model.register.item
    if not listed.no_model:
        return f"its register (item {item}) names nobody; import it with `yixin hub import`"
    named = ", ".join(f"{one.code} ({one.level}/{one.type})" for one in listed.unknown)
    return (
        f"its model knows the level or type of none of {listed.no_model} subjects of item {item}: "
        f"{named}; correct the register"
    )


def _count_silent(
    connection: Connection,
    job: Job,
    listed: SubjectList,
    incomplete: bool,  # noqa: FBT001 - handed through
) -> int:
    if not awaits_statements(job.catalog, job.model):
        return 0
    silent = find_silent(
        connection, job.statements, job.catalog, subjects=listed.rated, period=job.period
    )
    if silent and not incomplete:
        raise StatementsMissingError(
            describe(silent, len(listed.rated), job.period, job.model.subject_class)
        )
    return len(silent)


def regrade(
    engine: Engine,
    statements: MonthlySource,
    catalog: Catalog,
    *,
    vault: Vault,
    subject: str,
    period: Period,
    now: datetime,
    subject_class: str | None = None,
    progress: ProgressReporter = no_progress,
) -> GradeReport:
    """Grade one subject again with the run's reference; all others keep their versions.

    Args:
        engine: The hub's database.
        statements: Measures that members stated.
        catalog: Models, measure sets and items.
        vault: Opens department rows, seals results.
        subject: Subject id.
        period: The rating period, graded before; its day is kept.
        now: Moment of the run, UTC.
        subject_class: Id or alias of its class; None where it was graded in one class only.
        progress: Told while it works.

    Raises:
        NotGradedError: The class was not graded for the period with this model and catalogue yet.
        GradingError: The subject is not in the register, or no model grades it.
        HubStoreError: The database failed; nothing of the run was stored.
    """
    with reading(engine) as connection:
        named = held_class(connection, catalog, period, subject=subject, named=subject_class)
        model = get_model(catalog, named)
        run_id = latest_runs(connection, period.name)[named]
        run = load_run(connection, run_id)
        if run.model_digest != model.digest:
            raise NotGradedError(
                f"Run {run_id} of {period.name} was made with model {run.model_digest.hex()[:16]}, "
                f"this program carries {model.digest.hex()[:16]}; grade the whole period."
            )
        if run.catalogue_digest != catalog.digest:
            # The run would name one catalogue for subjects that two of them graded.
            raise NotGradedError(
                f"Run {run_id} of {period.name} was made with catalogue "
                f"{run.catalogue_digest.hex()[:16]}, this hub grades with "
                f"{catalog.digest.hex()[:16]}; grade the whole period, or take the pack of the run "
                "into use again (yixin hub packs use --version)."
            )
        job = Job(
            statements=statements,
            catalog=catalog,
            vault=vault,
            model=model,
            period=period,
            day=run.day,
            now=now,
            progress=progress,
        )
        listed = load_subjects(connection, vault, catalog, model, only=subject)
        if not listed.rated:
            raise GradingError(
                f"The register (item {register_of(catalog, model).number}) names no "
                f"{subject[:20]!r} that model {model.id} grades; check the id, or import the item."
            )
        # One subject alone is compared with the peers its run was compared with.
        held = find_reference(connection, period.name, model.digest)
        if held is None:
            raise NotGradedError(f"{period.name} has no reference; grade the whole period.")
        listed = replace(listed, no_model=run.no_model)
        graded = compute(connection, job, listed, held=held, silent=0)
        own = next(graded.outcomes.stated())
        identity = fingerprint(job, graded, _with(versions_of_run(connection, run_id), own))

    def add(connection: Connection, to_run: int) -> None:
        copy_versions(connection, run_id, to_run, but=subject)
        add_versions(connection, to_run, [own])

    return store(engine, job, graded, identity, add, inputs_at_ms=run.inputs_at_ms)


def _with(versions: Iterable[tuple[str, int]], own: tuple[str, int]) -> Iterator[tuple[str, int]]:
    """Versions by subject, with one of them replaced or put in its place.

    >>> list(_with([("a", 1), ("c", 1)], ("b", 1))), list(_with([("a", 1)], ("a", 2)))
    ([('a', 1), ('b', 1), ('c', 1)], [('a', 2)])
    >>> list(_with([("a", 1)], ("b", 1)))
    [('a', 1), ('b', 1)]
    """
    waiting = True
    for subject, version in versions:
        if waiting and subject >= own[0]:
            waiting = False
            yield own
        if subject != own[0]:
            yield subject, version
    if waiting:
        yield own
