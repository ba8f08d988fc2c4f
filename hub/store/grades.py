"""Grading runs and results (评级结果) in the database: versions, never overwritten.

Rules:

- A run names everything it depends on; its results are versions of each subject's
  grade. A subject whose result did not change keeps its version in the next run.
- Inputs and points are sealed; the published outcome (total, coverage, grade) is not.
- The highest run of a period holds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Final

import orjson
from sqlalchemy import func, insert, select

from hub.errors import HubStoreError
from hub.store.grading_tables import grade_reference, grade_result, grade_run, grade_run_result
from hub.store.item_rows import day_number
from security.errors import VaultError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, RowMapping

    from security.at_rest import Vault

_ROWS_PER_FETCH: Final = 2000


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """Outcome of one indicator: hundredths of points, millionths of its unit."""

    points_centi: int
    weight_centi: int
    value_micro: int
    missing: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One version of a subject's grade.

    Attributes:
        subject: Institution code.
        name: Name of the institution.
        level: Level when it was graded.
        type: Type when it was graded.
        version: Version within the period, from 1.
        total_centi: Total, hundredths of a point.
        coverage_centi: Weight of the present indicators, hundredths.
        grade: Grade id.
        inputs_digest: SHA-256 of the inputs, see ``InputTable.digest``.
        result_digest: SHA-256 of everything that the statement will say.
        inputs: Values in the order of the run's columns; None where not present.
        points: Outcome of every indicator, in the model's order.
    """

    subject: str
    name: str
    level: str
    type: str
    version: int
    total_centi: int
    coverage_centi: int
    grade: str
    inputs_digest: bytes
    result_digest: bytes
    inputs: tuple[int | None, ...] = field(repr=False)
    points: tuple[Points, ...] = field(repr=False)


def find_reference(connection: Connection, period: str, model_digest: bytes) -> bytes | None:
    """Serialised reference that was frozen for a period and model; None before the first run."""
    found = connection.execute(
        select(grade_reference.c.content).where(
            grade_reference.c.period == period, grade_reference.c.model_digest == model_digest
        )
    ).scalar()
    return None if found is None else bytes(found)


def freeze_reference(
    connection: Connection,
    *,
    period: str,
    model_digest: bytes,
    content: bytes,
    digest: bytes,
    day: date,
    now_ms: int,
) -> None:
    """Freeze a reference; a second one for the period and model violates the primary key."""
    connection.execute(
        insert(grade_reference).values(
            period=period,
            model_digest=model_digest,
            digest=digest,
            content=content,
            day=day_number(day),
            frozen_at_ms=now_ms,
        )
    )


def latest_run(connection: Connection, period: str) -> int | None:
    """Number of the run that holds for a period; None before the first."""
    found = connection.execute(
        select(func.max(grade_run.c.id)).where(grade_run.c.period == period)
    ).scalar()
    return None if found is None else int(found)


def latest_period(connection: Connection) -> str | None:
    """Period of the newest run of all; None before the first."""
    return connection.execute(
        select(grade_run.c.period).order_by(grade_run.c.id.desc()).limit(1)
    ).scalar()


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


def latest_versions(
    connection: Connection, period: str, subjects: Sequence[str] | None = None
) -> dict[str, tuple[int, bytes]]:
    """Newest version and its result digest by subject, over all runs of a period."""
    newest = select(
        grade_result.c.subject.label("subject"), func.max(grade_result.c.version).label("version")
    ).where(grade_result.c.period == period)
    if subjects is not None:
        newest = newest.where(grade_result.c.subject.in_(list(subjects)))
    top = newest.group_by(grade_result.c.subject).subquery()
    found = connection.execute(
        select(grade_result.c.subject, grade_result.c.version, grade_result.c.result_digest)
        .join(
            top,
            (grade_result.c.subject == top.c.subject) & (grade_result.c.version == top.c.version),
        )
        .where(grade_result.c.period == period)
    )
    return {subject: (version, digest) for subject, version, digest in found}


def versions_of_run(connection: Connection, run_id: int) -> dict[str, int]:
    """Version of every subject in a run."""
    found = connection.execute(
        select(grade_run_result.c.subject, grade_run_result.c.version).where(
            grade_run_result.c.run_id == run_id
        )
    )
    return {row.subject: row.version for row in found}


def store_run(
    connection: Connection,
    vault: Vault,
    run: RunRecord,
    *,
    fresh: Sequence[Result],
    versions: Mapping[str, int],
) -> int:
    """Store a run with its new results.

    Args:
        connection: A writing transaction.
        vault: Seals inputs and points.
        run: The run.
        fresh: Results with a new version.
        versions: Version of every subject of the run, the fresh ones included.

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
    if fresh:
        connection.execute(
            insert(grade_result), [_record(vault, run.period, run_id, row) for row in fresh]
        )
    if versions:
        connection.execute(
            insert(grade_run_result),
            [
                {"run_id": run_id, "subject": subject, "version": version}
                for subject, version in versions.items()
            ],
        )
    return int(run_id)


def load_results(
    connection: Connection, vault: Vault, run_id: int, *conditions: ColumnElement[bool]
) -> Iterator[Result]:
    """Read the results of a run, by subject.

    Args:
        connection: A reading transaction.
        vault: Opens inputs and points.
        run_id: Number of the run.
        *conditions: Further conditions on ``grade_result``.

    Raises:
        HubStoreError: A content does not belong to its row.
    """
    query = (
        select(grade_result)
        .join(
            grade_run_result,
            (grade_run_result.c.subject == grade_result.c.subject)
            & (grade_run_result.c.version == grade_result.c.version),
        )
        .join(grade_run, grade_run.c.id == grade_run_result.c.run_id)
        .where(
            grade_run_result.c.run_id == run_id,
            grade_result.c.period == grade_run.c.period,
            *conditions,
        )
        .order_by(grade_result.c.subject)
    )
    for row in connection.execute(query.execution_options(yield_per=_ROWS_PER_FETCH)).mappings():
        yield _result(vault, row)


def _record(vault: Vault, period: str, run_id: int, result: Result) -> dict[str, object]:
    detail = {
        "inputs": result.inputs,
        "points": [
            [one.points_centi, one.weight_centi, one.value_micro, one.missing]
            for one in result.points
        ],
    }
    context = _context(period, result.subject, result.version)
    return {
        "period": period,
        "subject": result.subject,
        "version": result.version,
        "run_id": run_id,
        "name": result.name,
        "level": result.level,
        "type": result.type,
        "total_centi": result.total_centi,
        "coverage_centi": result.coverage_centi,
        "grade": result.grade,
        "inputs_digest": result.inputs_digest,
        "result_digest": result.result_digest,
        "sealed": vault.seal(orjson.dumps(detail), context),
    }


def _result(vault: Vault, row: RowMapping) -> Result:
    context = _context(row["period"], row["subject"], row["version"])
    try:
        detail = orjson.loads(vault.open(row["sealed"], context))
    except VaultError as error:
        raise HubStoreError(
            f"The result of {row['subject']} for {row['period']}, version {row['version']}, does "
            "not open under the hub's key: the database or the key file was changed; restore "
            "both from one backup."
        ) from error
    return Result(
        subject=row["subject"],
        name=row["name"],
        level=row["level"],
        type=row["type"],
        version=row["version"],
        total_centi=row["total_centi"],
        coverage_centi=row["coverage_centi"],
        grade=row["grade"],
        inputs_digest=row["inputs_digest"],
        result_digest=row["result_digest"],
        inputs=tuple(detail["inputs"]),
        points=tuple(
            Points(points_centi=points, weight_centi=weight, value_micro=value, missing=missing)
            for points, weight, value, missing in detail["points"]
        ),
    )


def _day(number: int) -> date:
    return date(number // 10_000, number // 100 % 100, number % 100)


def _context(period: str, subject: str, version: int) -> str:
    return f"grade_result/{period}/{subject}/{version}"
