"""Results of gradings (评级结果) in the database: versions, never overwritten.

Rules: a version is known by period, class, subject and number: one organisation may be graded as
an employer and as a supplier. Inputs, points and overrides are sealed under a context that names
all four; the outcome that gets published (total, coverage, grades) is not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import orjson
from sqlalchemy import func, insert, select

from hub.errors import HubStoreError
from hub.store.grading_tables import grade_result, grade_run, grade_run_result
from security.errors import VaultError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import ColumnElement, Connection, RowMapping

    from security.at_rest import Vault

_ROWS_PER_FETCH: Final = 2000


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
        subject: Subject id.
        name: Name of an institution or organisation; empty for staff and persons.
        level: Level when it was graded.
        type: Type when it was graded.
        version: Version within the period, from 1.
        total_centi: Total, hundredths of a point.
        coverage_centi: Weight of the present indicators, hundredths.
        grade: Grade id, after overrides.
        earned_grade: Grade id that the points alone give.
        overrides: Ids of the overrides that were in force, in the model's order.
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
    earned_grade: str
    overrides: tuple[str, ...] = field(repr=False)
    inputs_digest: bytes
    result_digest: bytes
    inputs: tuple[int | None, ...] = field(repr=False)
    points: tuple[Points, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where results belong: rating period and class of subjects."""

    period: str
    subject_class: str


def store_results(
    connection: Connection, vault: Vault, place: Place, run_id: int, fresh: Sequence[Result]
) -> None:
    """Store new versions that a run made; a batch."""
    if fresh:
        connection.execute(
            insert(grade_result), [_record(vault, place, run_id, row) for row in fresh]
        )


def latest_versions(
    connection: Connection, place: Place, first: str, last: str
) -> dict[str, tuple[int, bytes]]:
    """Newest version and its result digest by subject, over all runs of a period and class.

    Args:
        connection: A reading transaction.
        place: Period and class.
        first: First subject id of a batch.
        last: Last subject id of the batch.
    """
    columns = grade_result.c
    own = (
        columns.period == place.period,
        columns.subject_class == place.subject_class,
        columns.subject.between(first, last),
    )
    newest = select(columns.subject.label("subject"), func.max(columns.version).label("version"))
    top = newest.where(*own).group_by(columns.subject).subquery()
    found = connection.execute(
        select(columns.subject, columns.version, columns.result_digest)
        .join(top, (columns.subject == top.c.subject) & (columns.version == top.c.version))
        .where(*own)
    )
    return {subject: (version, digest) for subject, version, digest in found}


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
        select(grade_result).where(*of_run(run_id), *conditions).order_by(grade_result.c.subject)
    )
    for row in connection.execute(query.execution_options(yield_per=_ROWS_PER_FETCH)).mappings():
        yield _result(vault, row)


def count_grades(connection: Connection, run_id: int) -> dict[str, int]:
    """Number of subjects of a run by grade."""
    query = select(grade_result.c.grade, func.count()).where(*of_run(run_id))
    found = connection.execute(query.group_by(grade_result.c.grade))
    return {grade: int(count) for grade, count in found}


def count_capped(connection: Connection, run_id: int) -> int:
    """Number of subjects of a run whose grade is not the one that their points give."""
    lowered = grade_result.c.grade != grade_result.c.earned_grade
    query = select(func.count()).select_from(grade_result).where(*of_run(run_id), lowered)
    return int(connection.execute(query).scalar_one())


def of_run(run_id: int) -> tuple[ColumnElement[bool], ...]:
    """Conditions that join results to the versions that belong to a run."""
    return (
        grade_run.c.id == run_id,
        grade_run_result.c.run_id == run_id,
        grade_run_result.c.subject == grade_result.c.subject,
        grade_run_result.c.version == grade_result.c.version,
        grade_result.c.period == grade_run.c.period,
        grade_result.c.subject_class == grade_run.c.subject_class,
    )


def _record(vault: Vault, place: Place, run_id: int, result: Result) -> dict[str, object]:
    detail = {
        "inputs": result.inputs,
        "overrides": result.overrides,
        "points": [
            [one.points_centi, one.weight_centi, one.value_micro, one.missing]
            for one in result.points
        ],
    }
    context = _context(place.period, place.subject_class, result.subject, result.version)
    return {
        "period": place.period,
        "subject_class": place.subject_class,
        "subject": result.subject,
        "version": result.version,
        "run_id": run_id,
        "name": result.name,
        "level": result.level,
        "type": result.type,
        "total_centi": result.total_centi,
        "coverage_centi": result.coverage_centi,
        "grade": result.grade,
        "earned_grade": result.earned_grade,
        "inputs_digest": result.inputs_digest,
        "result_digest": result.result_digest,
        "sealed": vault.seal(orjson.dumps(detail), context),
    }


def _result(vault: Vault, row: RowMapping) -> Result:
    context = _context(row["period"], row["subject_class"], row["subject"], row["version"])
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
        earned_grade=row["earned_grade"],
        overrides=tuple(detail["overrides"]),
        inputs_digest=row["inputs_digest"],
        result_digest=row["result_digest"],
        inputs=tuple(detail["inputs"]),
        points=tuple(
            Points(points_centi=points, weight_centi=weight, value_micro=value, missing=missing)
            for points, weight, value, missing in detail["points"]
        ),
    )


def _context(period: str, subject_class: str, subject: str, version: int) -> str:
    return f"grade_result/{period}/{subject_class}/{subject}/{version}"
