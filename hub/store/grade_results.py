"""Results of gradings (评级结果) in the database: versions, never overwritten.

Rules: inputs and points are sealed under a context that names period, subject and
version; the outcome that gets published (total, coverage, grade) is not.
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


def store_results(
    connection: Connection, vault: Vault, period: str, run_id: int, fresh: Sequence[Result]
) -> None:
    """Store new versions that a run made."""
    if fresh:
        connection.execute(
            insert(grade_result), [_record(vault, period, run_id, row) for row in fresh]
        )


def latest_versions(connection: Connection, period: str) -> dict[str, tuple[int, bytes]]:
    """Newest version and its result digest by subject, over all runs of a period."""
    newest = select(
        grade_result.c.subject.label("subject"), func.max(grade_result.c.version).label("version")
    ).where(grade_result.c.period == period)
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


def grades_of_run(connection: Connection, run_id: int) -> tuple[str, ...]:
    """Grade of every subject of a run, by subject."""
    query = select(grade_result.c.grade).where(*of_run(run_id)).order_by(grade_result.c.subject)
    return tuple(connection.execute(query).scalars())


def of_run(run_id: int) -> tuple[ColumnElement[bool], ...]:
    """Conditions that join results to the versions that belong to a run."""
    return (
        grade_run.c.id == run_id,
        grade_run_result.c.run_id == run_id,
        grade_run_result.c.subject == grade_result.c.subject,
        grade_run_result.c.version == grade_result.c.version,
        grade_result.c.period == grade_run.c.period,
    )


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


def _context(period: str, subject: str, version: int) -> str:
    return f"grade_result/{period}/{subject}/{version}"
