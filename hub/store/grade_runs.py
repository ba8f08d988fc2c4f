"""Grading runs (评级批次) in the database: what each depends on, and its versions.

Rules: a run is of one period and one class of subjects, and names everything it depends on; a
subject whose result did not change keeps its version in the next run; the highest run of a
period and class holds. Versions are written and read in batches, in order of the subjects.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import TYPE_CHECKING, Final

import orjson
from sqlalchemy import func, insert, literal, select, update

from hub.store.grading_tables import grade_run, grade_run_result
from security.moments import day_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy import Connection

ROWS_PER_BATCH: Final = 5_000
"""Rows of one insert or fetch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BandName:
    """A grade as the run's model names it, best first in its run."""

    id: str
    name_zh: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """Everything a run depends on.

    Attributes:
        period: Name of the rating period.
        subject_class: Class of subjects.
        model: Id of the model.
        model_digest: SHA-256 of the model.
        catalogue_digest: SHA-256 of the catalogue.
        reference_digest: SHA-256 of the frozen reference.
        day: Day for which parameters were read.
        basis: ``proposal`` or ``final``.
        columns: Input columns, in the order of ``Result.inputs``.
        bands: Grades of the model, best first.
        fingerprint: SHA-256 over all of the above and the versions of all results.
        subjects: Number of results.
        no_model: Subjects of the class whose level or type the model does not know.
        created_at_ms: Moment of the run, milliseconds since the epoch, UTC.
        inputs_at_ms: Moment at which the inputs of all its subjects were read last, likewise.
    """

    period: str
    subject_class: str
    model: str
    model_digest: bytes
    catalogue_digest: bytes
    reference_digest: bytes
    day: date
    basis: str
    columns: tuple[str, ...]
    bands: tuple[BandName, ...]
    fingerprint: bytes
    subjects: int
    no_model: int
    created_at_ms: int
    inputs_at_ms: int


def latest_run(connection: Connection, period: str, subject_class: str) -> int | None:
    """Number of the run that holds for a period and class; None before the first."""
    found = connection.execute(
        select(func.max(grade_run.c.id)).where(
            grade_run.c.period == period, grade_run.c.subject_class == subject_class
        )
    ).scalar()
    return None if found is None else int(found)


def latest_runs(connection: Connection, period: str) -> dict[str, int]:
    """Number of the run that holds for each class that was graded for a period."""
    found = connection.execute(
        select(grade_run.c.subject_class, func.max(grade_run.c.id))
        .where(grade_run.c.period == period)
        .group_by(grade_run.c.subject_class)
        .order_by(grade_run.c.subject_class)
    )
    return {subject_class: int(run_id) for subject_class, run_id in found}


def last_graded_period(connection: Connection) -> str | None:
    """Newest period with a run; None before the first."""
    found = connection.execute(select(func.max(grade_run.c.period))).scalar()
    return None if found is None else str(found)


def periods_since(connection: Connection, at_ms: int) -> tuple[str, ...]:
    """Periods with a run that was made since a moment (milliseconds, UTC), oldest first."""
    query = select(grade_run.c.period).where(grade_run.c.created_at_ms >= at_ms)
    return tuple(connection.execute(query.distinct().order_by(grade_run.c.period)).scalars())


def classes_of(connection: Connection, period: str, subject: str) -> tuple[str, ...]:
    """Classes in which a subject was graded for a period."""
    return tuple(
        subject_class
        for subject_class, run_id in latest_runs(connection, period).items()
        if version_in_run(connection, run_id, subject) is not None
    )


def load_run(connection: Connection, run_id: int) -> RunRecord:
    """Read a run that exists."""
    row = connection.execute(select(grade_run).where(grade_run.c.id == run_id)).mappings().one()
    layout = orjson.loads(row["layout"])
    return RunRecord(
        period=row["period"],
        subject_class=row["subject_class"],
        model=row["model"],
        model_digest=row["model_digest"],
        catalogue_digest=row["catalogue_digest"],
        reference_digest=row["reference_digest"],
        day=_day(row["day"]),
        basis=row["basis"],
        columns=tuple(layout["columns"]),
        bands=tuple(BandName(id=id_, name_zh=name) for id_, name in layout["bands"]),
        fingerprint=row["fingerprint"],
        subjects=row["subjects"],
        no_model=row["no_model"],
        created_at_ms=row["created_at_ms"],
        inputs_at_ms=row["inputs_at_ms"] or row["created_at_ms"],
    )


def version_in_run(connection: Connection, run_id: int, subject: str) -> int | None:
    """Version of one subject in a run; None when the run has no grade of it."""
    found = connection.execute(
        select(grade_run_result.c.version).where(
            grade_run_result.c.run_id == run_id, grade_run_result.c.subject == subject
        )
    ).scalar()
    return None if found is None else int(found)


def versions_of_run(connection: Connection, run_id: int) -> Iterator[tuple[str, int]]:
    """Every subject of a run with its version, by subject."""
    query = (
        select(grade_run_result.c.subject, grade_run_result.c.version)
        .where(grade_run_result.c.run_id == run_id)
        .order_by(grade_run_result.c.subject)
    )
    for subject, version in connection.execute(query.execution_options(yield_per=ROWS_PER_BATCH)):
        yield subject, int(version)


def store_run(connection: Connection, run: RunRecord) -> int:
    """Store a run, without the versions that belong to it.

    Args:
        connection: A writing transaction.
        run: The run.

    Returns:
        Number of the run.
    """
    inserted = connection.execute(
        insert(grade_run).values(
            period=run.period,
            subject_class=run.subject_class,
            model=run.model,
            model_digest=run.model_digest,
            catalogue_digest=run.catalogue_digest,
            reference_digest=run.reference_digest,
            day=day_number(run.day),
            basis=run.basis,
            layout=orjson.dumps(
                {"columns": run.columns, "bands": [[band.id, band.name_zh] for band in run.bands]}
            ),
            fingerprint=run.fingerprint,
            subjects=run.subjects,
            no_model=run.no_model,
            created_at_ms=run.created_at_ms,
            inputs_at_ms=run.inputs_at_ms,
        )
    )
    (run_id,) = inserted.inserted_primary_key or (0,)
    return int(run_id)


def confirm_run(connection: Connection, run_id: int, at_ms: int) -> None:
    """Note that a run's inputs were read again and gave the very same.

    Args:
        connection: A writing transaction.
        run_id: Number of the run.
        at_ms: When they were read, milliseconds since the epoch, UTC.
    """
    later = grade_run.c.id == run_id, func.coalesce(grade_run.c.inputs_at_ms, 0) < at_ms
    connection.execute(update(grade_run).where(*later).values(inputs_at_ms=at_ms))


def add_versions(connection: Connection, run_id: int, versions: Iterable[tuple[str, int]]) -> None:
    """Store which version of each subject's grade belongs to a run; each subject once."""
    left = iter(versions)
    while batch := list(islice(left, ROWS_PER_BATCH)):
        connection.execute(
            insert(grade_run_result),
            [
                {"run_id": run_id, "subject": subject, "version": version}
                for subject, version in batch
            ],
        )


def copy_versions(connection: Connection, from_run: int, to_run: int, *, but: str) -> None:
    """Take over the versions of a run into another, all but one subject's."""
    columns = grade_run_result.c
    others = select(literal(to_run), columns.subject, columns.version).where(
        columns.run_id == from_run, columns.subject != but
    )
    names = ["run_id", "subject", "version"]
    connection.execute(insert(grade_run_result).from_select(names, others))


def _day(number: int) -> date:
    return date(number // 10_000, number // 100 % 100, number % 100)
