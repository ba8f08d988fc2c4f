"""Grading runs (评级批次) in the database: what each depends on, and its versions.

Rules: a run names everything it depends on; a subject whose result did not change
keeps its version in the next run; the highest run of a period holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import orjson
from sqlalchemy import func, insert, select

from hub.store.grading_tables import grade_run, grade_run_result
from hub.store.item_rows import day_number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection


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
        no_model: Institutions of the register that no model grades.
        created_at_ms: Moment of the run, milliseconds since the epoch, UTC.
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


def latest_run(connection: Connection, period: str) -> int | None:
    """Number of the run that holds for a period; None before the first."""
    found = connection.execute(
        select(func.max(grade_run.c.id)).where(grade_run.c.period == period)
    ).scalar()
    return None if found is None else int(found)


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
    )


def versions_of_run(connection: Connection, run_id: int) -> dict[str, int]:
    """Version of every subject in a run."""
    found = connection.execute(
        select(grade_run_result.c.subject, grade_run_result.c.version).where(
            grade_run_result.c.run_id == run_id
        )
    )
    return {row.subject: row.version for row in found}


def store_run(connection: Connection, run: RunRecord, versions: Mapping[str, int]) -> int:
    """Store a run and which version of each subject's grade belongs to it.

    Args:
        connection: A writing transaction.
        run: The run.
        versions: Version of every subject of the run.

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
        )
    )
    (run_id,) = inserted.inserted_primary_key or (0,)
    if versions:
        connection.execute(
            insert(grade_run_result),
            [
                {"run_id": run_id, "subject": subject, "version": version}
                for subject, version in versions.items()
            ],
        )
    return int(run_id)


def _day(number: int) -> date:
    return date(number // 10_000, number // 100 % 100, number % 100)
