"""What every grading run does: read one snapshot, score, judge, store in one transaction.

Rules: a run of the same inputs and rules is the same run and is stored once; the reference of
the period and model is the frozen one or the one that this run built; results are written in
batches within the one transaction.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from hub.errors import GradingError
from hub.grading.inputs import assemble_inputs
from hub.grading.outcomes import judge
from hub.grading.report import GradeReport, Unknown, distribute
from hub.grading.unjudged import count_undetermined, find_not_imported
from hub.store.engine import writing
from hub.store.grade_references import keep_reference
from hub.store.grade_results import (
    Place,
    count_capped,
    count_grades,
    latest_versions,
    store_results,
)
from hub.store.grade_runs import (
    BandName,
    RunRecord,
    confirm_run,
    latest_run,
    load_run,
    store_run,
)
from hub.store.item_imports import count_open_faults
from scoring_kernel.errors import KernelError
from scoring_kernel.model import NOT_RATED
from scoring_kernel.reference import Reference, build_reference
from scoring_kernel.scoring import score
from security.moments import to_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import date, datetime

    from sqlalchemy import Connection, Engine

    from hub.grading.outcomes import Outcomes
    from hub.grading.ports import MonthlySource
    from hub.grading.subjects import SubjectList
    from scoring_kernel import Catalog
    from scoring_kernel.model import RatingModel
    from scoring_kernel.periods import Period
    from security.at_rest import Vault
    from security.progress import ProgressReporter


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What stays the same through the run of one class.

    Attributes:
        statements: Measures that members stated.
        catalog: Measure sets and items.
        vault: Opens department rows, seals results.
        model: The model of the class.
        period: The rating period.
        day: Day for which parameters are read.
        now: Moment of the run, UTC.
        progress: Told while it works.
    """

    statements: MonthlySource = field(repr=False)
    catalog: Catalog = field(repr=False)
    vault: Vault = field(repr=False)
    model: RatingModel = field(repr=False)
    period: Period
    day: date
    now: datetime
    progress: ProgressReporter = field(repr=False)

    @property
    def place(self) -> Place:
        """Where the run's results belong."""
        return Place(period=self.period.name, subject_class=self.model.subject_class)


@dataclass(frozen=True, slots=True, kw_only=True)
class Graded:
    """A run before it is stored.

    Attributes:
        reference: The reference it was scored with.
        is_new_reference: Whether this run built it.
        outcomes: Scores and versions of the subjects.
        listed: The register's subjects.
        silent: Institutions that had stated nothing.
    """

    reference: Reference = field(repr=False)
    is_new_reference: bool
    outcomes: Outcomes = field(repr=False)
    listed: SubjectList = field(repr=False)
    silent: int


def compute(
    connection: Connection, job: Job, listed: SubjectList, *, held: bytes | None, silent: int
) -> Graded:
    """Score some subjects of a class.

    Args:
        connection: A reading transaction; one snapshot.
        job: What to grade.
        listed: The subjects.
        held: Serialised reference to score with; None to build one from these subjects.
        silent: Institutions that had stated nothing.

    Raises:
        GradingError: The kernel refuses the inputs, the reference or the model.
        HubStoreError: A stored row does not open.
    """
    try:
        return _compute(connection, job, listed, held=held, silent=silent)
    except KernelError as error:
        raise GradingError(
            f"{job.model.subject_class} cannot be graded for {job.period.name}: {error}"
        ) from error


def _compute(
    connection: Connection, job: Job, listed: SubjectList, *, held: bytes | None, silent: int
) -> Graded:
    inputs = assemble_inputs(
        connection,
        job.statements,
        job.catalog,
        model=job.model,
        subjects=listed.rated,
        period=job.period,
        vault=job.vault,
        progress=job.progress,
    )
    total = len(listed.rated)
    job.progress(f"scoring {job.model.subject_class}", 0, total, "subjects")
    reference = (
        build_reference(job.model, inputs, job.day) if held is None else Reference.from_json(held)
    )
    outcomes = judge(
        score(job.model, inputs, reference, job.day),
        inputs,
        listed.rated,
        period=job.period,
        reference_digest=reference.digest,
        held=partial(latest_versions, connection, job.place),
    )
    job.progress(f"scoring {job.model.subject_class}", total, total, "subjects")
    return Graded(
        reference=reference,
        is_new_reference=held is None,
        outcomes=outcomes,
        listed=listed,
        silent=silent,
    )


def fingerprint(job: Job, graded: Graded, versions: Iterable[tuple[str, int]]) -> tuple[bytes, int]:
    """SHA-256 over everything a run depends on and its outcome, and its number of subjects.

    Args:
        job: What was graded.
        graded: The run.
        versions: Every subject of the run with its version, by subject.
    """
    digest = hashlib.sha256()
    for part in (
        job.catalog.digest.hex(),
        job.model.digest.hex(),
        graded.reference.digest.hex(),
        job.day.isoformat(),
        str(graded.listed.no_model),
    ):
        digest.update(part.encode() + b"\n")
    subjects = 0
    for subject, version in versions:
        digest.update(f"{subject}={version}\n".encode())
        subjects += 1
    return digest.digest(), subjects


def store(
    engine: Engine,
    job: Job,
    graded: Graded,
    identity: tuple[bytes, int],
    add: Callable[[Connection, int], None],
    *,
    inputs_at_ms: int | None = None,
) -> GradeReport:
    """Store a run, or find that it is the one that holds.

    Args:
        engine: The hub's database.
        job: What was graded.
        graded: The run.
        identity: Its fingerprint and number of subjects.
        add: Writes the versions that belong to a run, given its number.
        inputs_at_ms: Moment at which the inputs of all subjects were read, where that is not this
            run's, milliseconds since the epoch, UTC.

    Raises:
        HubStoreError: The database failed; nothing of the run was stored.
    """
    run = _record(job, graded, *identity, inputs_at_ms)
    outcomes = graded.outcomes
    job.progress("storing", 0, outcomes.new_versions, "results")
    with writing(engine) as connection:
        if graded.is_new_reference:
            keep_reference(
                connection,
                period=run.period,
                model_digest=run.model_digest,
                content=graded.reference.to_json(),
                digest=run.reference_digest,
                day=run.day,
                now_ms=run.created_at_ms,
                frozen=not graded.silent and bool(graded.reference.entries),
            )
        held = latest_run(connection, run.period, run.subject_class)
        if held is not None and load_run(connection, held).fingerprint == run.fingerprint:
            confirm_run(connection, held, run.inputs_at_ms)
            return _report(connection, job, graded, run, held, changed=False)
        run_id = store_run(connection, run)
        done = 0
        for batch in outcomes.fresh_results():
            store_results(connection, job.vault, job.place, run_id, batch)
            done += len(batch)
            job.progress("storing", done, outcomes.new_versions, "results")
        add(connection, run_id)
        return _report(connection, job, graded, run, run_id, changed=True)


def _record(
    job: Job, graded: Graded, digest: bytes, subjects: int, inputs_at_ms: int | None
) -> RunRecord:
    now_ms = to_ms(job.now)
    return RunRecord(
        period=job.period.name,
        subject_class=job.model.subject_class,
        model=job.model.id,
        model_digest=job.model.digest,
        catalogue_digest=job.catalog.digest,
        reference_digest=graded.reference.digest,
        day=job.day,
        basis=job.model.status.value,
        columns=graded.outcomes.inputs.columns,
        bands=tuple(BandName(id=band.id, name_zh=band.name_zh) for band in job.model.bands),
        fingerprint=digest,
        subjects=subjects,
        no_model=graded.listed.no_model,
        created_at_ms=now_ms,
        inputs_at_ms=now_ms if inputs_at_ms is None else inputs_at_ms,
    )


def _report(
    connection: Connection, job: Job, graded: Graded, run: RunRecord, run_id: int, *, changed: bool
) -> GradeReport:
    counts = count_grades(connection, run_id)
    not_rated = counts.get(NOT_RATED, 0)
    periods = {"", run.period, job.period.base().name, job.period.prior().name}
    return GradeReport(
        run_id=run_id,
        period=run.period,
        subject_class=run.subject_class,
        model=run.model,
        basis=run.basis,
        changed=changed,
        graded=sum(counts.values()) - not_rated,
        not_rated=not_rated,
        capped=count_capped(connection, run_id),
        undetermined=count_undetermined(graded.outcomes.scores),
        not_imported=find_not_imported(connection, job.catalog, job.period, graded.outcomes.scores),
        no_model=run.no_model,
        unknown=tuple(
            Unknown(subject=one.code, level=one.level, type=one.type)
            for one in graded.listed.unknown
        ),
        new_versions=graded.outcomes.new_versions if changed else 0,
        open_faults=count_open_faults(connection, periods),
        incomplete=graded.silent > 0,
        silent=graded.silent,
        distribution=distribute(run.bands, counts),
    )
