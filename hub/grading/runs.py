"""A grading run (评级批次): the same inputs and rules give the same run, never a second one.

The steps, in order:

0. The class's model must be able to grade.
1. One snapshot: register, statements, department items.
2. The reference of the period and model: the frozen one, or one built now, for which every
   institution must have stated something; an incomplete grading goes ahead and freezes none.
3. Scores by the kernel.
4. Versions: a changed result is the next version, an unchanged one keeps its own.
5. One transaction: reference, run and new versions; nothing when nothing changed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub.errors import GradingError, NotGradedError, StatementsMissingError
from hub.grading.inputs import assemble_inputs
from hub.grading.outcomes import results_of
from hub.grading.readiness import describe, find_silent
from hub.grading.report import GradeReport, distribute
from hub.grading.subjects import MEDICAL_INSTITUTION, REGISTER_ITEM, SubjectList, divide
from hub.store.engine import reading, writing
from hub.store.grade_references import find_reference, keep_reference
from hub.store.grade_results import Result, grades_of_run, latest_versions, store_results
from hub.store.grade_runs import (
    BandName,
    RunRecord,
    latest_run,
    load_run,
    store_run,
    versions_of_run,
)
from hub.store.item_imports import count_open_faults
from hub.store.item_rows import load_rows
from scoring_kernel.errors import KernelError
from scoring_kernel.model import NOT_RATED
from scoring_kernel.reference import Reference, build_reference
from scoring_kernel.scoring import score
from security.progress import no_progress

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from sqlalchemy import Connection, Engine

    from hub.grading.ports import MonthlySource
    from scoring_kernel import Catalog
    from scoring_kernel.model import RatingModel
    from scoring_kernel.periods import Period
    from security.at_rest import Vault
    from security.progress import ProgressReporter


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """What stays the same through one run."""

    statements: MonthlySource
    catalog: Catalog
    vault: Vault
    period: Period
    day: date
    progress: ProgressReporter
    incomplete: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Graded:
    """Results of a run before they are stored."""

    model: RatingModel
    reference: Reference
    is_new_reference: bool
    columns: tuple[str, ...]
    results: tuple[Result, ...]
    fresh: tuple[Result, ...]
    no_model: int
    silent: int


def grade(
    engine: Engine,
    statements: MonthlySource,
    catalog: Catalog,
    *,
    vault: Vault,
    period: Period,
    now: datetime,
    day: date | None = None,
    incomplete: bool = False,
    progress: ProgressReporter = no_progress,
) -> GradeReport:
    """Grade every subject of the register for a period.

    Args:
        engine: The hub's database.
        statements: Measures that members stated.
        catalog: Models, measure sets and items.
        vault: Opens department rows, seals results.
        period: The rating period.
        now: Moment of the run, UTC.
        day: Day for which parameters are read; the period's last day by default.
        incomplete: Go ahead although institutions stated nothing; then no reference is frozen.
        progress: Told while it works.

    Returns:
        The report of the run that holds now.

    Raises:
        GradingError: The register is empty, or the model cannot grade on that day.
        StatementsMissingError: No reference is frozen yet and institutions stated nothing.
        HubStoreError: The database failed; nothing of the run was stored.
    """
    job = _Job(
        statements=statements,
        catalog=catalog,
        vault=vault,
        period=period,
        day=day or period.last_day,
        progress=progress,
        incomplete=incomplete,
    )
    with reading(engine) as connection:
        graded = _grade(connection, job, only=None)
    versions = {result.subject: result.version for result in graded.results}
    return _store(engine, job, graded, versions, now)


def regrade(
    engine: Engine,
    statements: MonthlySource,
    catalog: Catalog,
    *,
    vault: Vault,
    subject: str,
    period: Period,
    now: datetime,
    progress: ProgressReporter = no_progress,
) -> GradeReport:
    """Grade one subject again with the run's reference; all others keep their versions.

    Args:
        engine: The hub's database.
        statements: Measures that members stated.
        catalog: Models, measure sets and items.
        vault: Opens department rows, seals results.
        subject: Institution code.
        period: The rating period, graded before; its day is kept.
        now: Moment of the run, UTC.
        progress: Told while it works.

    Raises:
        NotGradedError: The period was not graded with this model yet.
        GradingError: The subject is not in the register, or no model grades it.
        HubStoreError: The database failed; nothing of the run was stored.
    """
    with reading(engine) as connection:
        run_id = latest_run(connection, period.name)
        if run_id is None:
            raise NotGradedError(f"{period.name} was not graded yet; run `yixin hub grade` first.")
        run = load_run(connection, run_id)
        job = _Job(
            statements=statements,
            catalog=catalog,
            vault=vault,
            period=period,
            day=run.day,
            progress=progress,
        )
        graded = _grade(connection, job, only=subject)
        if graded.is_new_reference or graded.model.digest != run.model_digest:
            raise NotGradedError(
                f"Run {run_id} of {period.name} was made with model {run.model_digest.hex()[:16]}, "
                f"this program carries {graded.model.digest.hex()[:16]}; grade the whole period."
            )
        versions = versions_of_run(connection, run_id)
    versions |= {result.subject: result.version for result in graded.results}
    return _store(engine, job, graded, versions, now)


def _grade(connection: Connection, job: _Job, *, only: str | None) -> _Graded:
    model = _model(job.catalog)
    listed = _listed(connection, job, model, only)
    # One subject alone is compared with the peers its run was compared with.
    held = find_reference(connection, job.period.name, model.digest, frozen_only=only is None)
    silent = 0 if held is not None else _count_silent(connection, job, listed)
    try:
        return _compute(connection, job, model, listed, held=held, silent=silent)
    except KernelError as error:
        raise GradingError(f"{job.period.name} cannot be graded: {error}") from error


def _count_silent(connection: Connection, job: _Job, listed: SubjectList) -> int:
    silent = find_silent(
        connection, job.statements, job.catalog, subjects=listed.rated, period=job.period
    )
    if silent and not job.incomplete:
        raise StatementsMissingError(describe(silent, len(listed.rated), job.period))
    return len(silent)


def _compute(
    connection: Connection,
    job: _Job,
    model: RatingModel,
    listed: SubjectList,
    *,
    held: bytes | None,
    silent: int,
) -> _Graded:
    inputs = assemble_inputs(
        connection,
        job.statements,
        job.catalog,
        model=model,
        subjects=listed.rated,
        period=job.period,
        vault=job.vault,
        progress=job.progress,
    )
    total = len(listed.rated)
    job.progress("scoring", 0, total, "subjects")
    reference = (
        build_reference(model, inputs, job.day) if held is None else Reference.from_json(held)
    )
    versions = latest_versions(connection, job.period.name)
    results = results_of(
        score(model, inputs, reference, job.day),
        inputs,
        listed.rated,
        period=job.period,
        reference=reference,
        versions=versions,
    )
    job.progress("scoring", total, total, "subjects")
    return _Graded(
        model=model,
        reference=reference,
        is_new_reference=held is None,
        columns=inputs.columns,
        results=tuple(results),
        fresh=tuple(one for one in results if one.version > versions.get(one.subject, (0, b""))[0]),
        no_model=listed.no_model,
        silent=silent,
    )


def _model(catalog: Catalog) -> RatingModel:
    model = catalog.model_for(MEDICAL_INSTITUTION)
    if model is None:
        raise GradingError(
            f"The catalogue has no model for {MEDICAL_INSTITUTION}; install a complete catalogue."
        )
    return model


def _listed(connection: Connection, job: _Job, model: RatingModel, only: str | None) -> SubjectList:
    register = load_rows(connection, job.vault, job.catalog.items[REGISTER_ITEM])
    listed = divide(register, model)
    if not listed.rated:
        raise GradingError(
            f"The register (item {REGISTER_ITEM}) names no institution that model {model.id} "
            f"grades ({listed.no_model} others); import it with `yixin hub import item_20.csv`."
        )
    if only is None:
        return listed
    wanted = tuple(subject for subject in listed.rated if subject.code == only)
    if not wanted:
        raise GradingError(
            f"The register names no institution {only[:20]!r} that model {model.id} grades; "
            "check the code, or import item 20."
        )
    return SubjectList(rated=wanted, no_model=listed.no_model)


def _store(
    engine: Engine, job: _Job, graded: _Graded, versions: Mapping[str, int], now: datetime
) -> GradeReport:
    now_ms = int(now.timestamp() * 1000)
    run = RunRecord(
        period=job.period.name,
        subject_class=graded.model.subject_class,
        model=graded.model.id,
        model_digest=graded.model.digest,
        catalogue_digest=job.catalog.digest,
        reference_digest=graded.reference.digest,
        day=job.day,
        basis=graded.model.status.value,
        columns=graded.columns,
        bands=tuple(BandName(id=band.id, name_zh=band.name_zh) for band in graded.model.bands),
        fingerprint=_fingerprint(job, graded, versions),
        subjects=len(versions),
        no_model=graded.no_model,
        created_at_ms=now_ms,
    )
    job.progress("storing", 0, len(graded.fresh), "results")
    with writing(engine) as connection:
        if graded.is_new_reference:
            keep_reference(
                connection,
                period=run.period,
                model_digest=run.model_digest,
                content=graded.reference.to_json(),
                digest=run.reference_digest,
                day=run.day,
                now_ms=now_ms,
                frozen=not graded.silent and bool(graded.reference.entries),
            )
        held = latest_run(connection, run.period)
        if held is not None and load_run(connection, held).fingerprint == run.fingerprint:
            return _report(connection, run, held, job, silent=graded.silent)
        run_id = store_run(connection, run, versions)
        store_results(connection, job.vault, run.period, run_id, graded.fresh)
        fresh = len(graded.fresh)
        return _report(connection, run, run_id, job, silent=graded.silent, fresh=fresh)


def _report(
    connection: Connection,
    run: RunRecord,
    run_id: int,
    job: _Job,
    *,
    silent: int,
    fresh: int | None = None,
) -> GradeReport:
    """Report on a stored run; ``fresh`` is None when it had been stored before."""
    found = grades_of_run(connection, run_id)
    not_rated = sum(one == NOT_RATED for one in found)
    periods = {"", run.period, job.period.base().name}
    return GradeReport(
        run_id=run_id,
        period=run.period,
        model=run.model,
        basis=run.basis,
        changed=fresh is not None,
        graded=len(found) - not_rated,
        not_rated=not_rated,
        no_model=run.no_model,
        new_versions=fresh or 0,
        open_faults=count_open_faults(connection, periods),
        incomplete=silent > 0,
        silent=silent,
        distribution=distribute(run.bands, found),
    )


def _fingerprint(job: _Job, graded: _Graded, versions: Mapping[str, int]) -> bytes:
    digest = hashlib.sha256()
    for part in (
        job.catalog.digest.hex(),
        graded.model.digest.hex(),
        graded.reference.digest.hex(),
        job.day.isoformat(),
        str(graded.no_model),
        *(f"{subject}={versions[subject]}" for subject in sorted(versions)),
    ):
        digest.update(part.encode() + b"\n")
    return digest.digest()
