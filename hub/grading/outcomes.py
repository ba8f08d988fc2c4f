"""Scores of the kernel as versions of grades, and back.

Rules: a result's digest covers everything that its grade statement will say, except
the version and the catalogue around the model. The same digest is the same version;
another is the next one, also when an older content comes back.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import orjson

from hub.store.grade_results import Points, Result
from scoring_kernel.inputs import InputTable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hub.grading.subjects import Subject
    from scoring_kernel.periods import Period
    from scoring_kernel.reference import Reference
    from scoring_kernel.scoring import ScoreResult


def results_of(
    scores: ScoreResult,
    inputs: InputTable,
    subjects: Sequence[Subject],
    *,
    period: Period,
    reference: Reference,
    versions: Mapping[str, tuple[int, bytes]],
) -> list[Result]:
    """Make one result per subject, each with the version that its content calls for.

    Args:
        scores: Scores of the subjects.
        inputs: The table that was scored.
        subjects: The same subjects, in the same order.
        period: The rating period.
        reference: The frozen reference.
        versions: Newest version and digest of each subject that has one.
    """
    heading = [
        period.name,
        scores.model.subject_class,
        scores.model.digest.hex(),
        scores.basis,
        scores.day.isoformat(),
        reference.digest.hex(),
    ]
    points = np.stack(
        [
            scores.points_centi.astype(np.int64),
            scores.weights_centi.astype(np.int64),
            scores.values_micro,
            scores.missing.astype(np.int64),
        ],
        axis=2,
    )
    found: list[Result] = []
    for row, subject in enumerate(subjects):
        outcome = points[row].tolist()
        inputs_digest = inputs.digest(row)
        total, coverage = int(scores.total_centi[row]), int(scores.coverage_centi[row])
        content = [*heading, subject.code, inputs_digest.hex(), outcome, total, scores.grades[row]]
        result_digest = hashlib.sha256(orjson.dumps(content)).digest()
        version, before = versions.get(subject.code, (0, b""))
        found.append(
            Result(
                subject=subject.code,
                name=subject.name,
                level=subject.level,
                type=subject.type,
                version=version if before == result_digest else version + 1,
                total_centi=total,
                coverage_centi=coverage,
                grade=scores.grades[row],
                inputs_digest=inputs_digest,
                result_digest=result_digest,
                inputs=_inputs(inputs, row),
                points=tuple(
                    Points(
                        points_centi=earned,
                        weight_centi=weight,
                        value_micro=value,
                        missing=bool(missing),
                    )
                    for earned, weight, value, missing in outcome
                ),
            )
        )
    return found


def table_of(columns: tuple[str, ...], results: Sequence[Result]) -> InputTable:
    """Put stored inputs together again.

    Args:
        columns: Columns of the run that made the results.
        results: Results, in the order of the table.

    Raises:
        KernelInputError: The stored inputs do not fit the columns.
    """
    shape = (len(results), len(columns))
    held = [[0 if value is None else value for value in result.inputs] for result in results]
    known = [[value is not None for value in result.inputs] for result in results]
    return InputTable(
        subjects=tuple(result.subject for result in results),
        levels=tuple(result.level for result in results),
        types=tuple(result.type for result in results),
        columns=columns,
        values=np.array(held, np.int64).reshape(shape),
        present=np.array(known, np.bool_).reshape(shape),
    )


def _inputs(inputs: InputTable, row: int) -> tuple[int | None, ...]:
    pairs = zip(inputs.values[row].tolist(), inputs.present[row].tolist(), strict=True)
    return tuple(value if known else None for value, known in pairs)
