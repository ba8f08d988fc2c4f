"""Scores of the kernel as versions of grades, and back.

Rules: a result's digest covers everything that its grade statement will say, except
the version and the catalogue around the model. The same digest is the same version;
another is the next one, also when an older content comes back. Between judging and storing
only numbers and digests are kept, so a class of a million people fits into memory; the
results themselves are made in batches.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import orjson

from hub.store.grade_results import Points, Result
from scoring_kernel.errors import KernelInputError
from scoring_kernel.inputs import InputTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from hub.grading.subjects import Subject
    from scoring_kernel.model import RatingModel
    from scoring_kernel.overrides import Override
    from scoring_kernel.periods import Period
    from scoring_kernel.scoring import ScoreResult

BATCH: Final = 5_000
"""Results that are in memory at a time."""
_DIGEST: Final = hashlib.sha256().digest_size


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """What a run gives each of n subjects, before anything is stored.

    Attributes:
        scores: Scores of the subjects.
        inputs: The table that was scored.
        subjects: The same subjects, in the same order.
        versions: Version of each grade, int32, shape (n,).
        fresh: Which versions are new, bool, shape (n,).
        digests: SHA-256 of inputs and of result, uint8, shape (n, 2, 32).
    """

    scores: ScoreResult = field(repr=False)
    inputs: InputTable = field(repr=False)
    subjects: Sequence[Subject] = field(repr=False)
    versions: npt.NDArray[np.int32] = field(repr=False)
    fresh: npt.NDArray[np.bool_] = field(repr=False)
    digests: npt.NDArray[np.uint8] = field(repr=False)

    @property
    def new_versions(self) -> int:
        """Number of subjects whose grade statement changed."""
        return int(self.fresh.sum())

    def stated(self) -> Iterator[tuple[str, int]]:
        """Every subject with its version, in order."""
        versions = self.versions.tolist()
        return ((one.code, version) for one, version in zip(self.subjects, versions, strict=True))

    def fresh_results(self) -> Iterator[list[Result]]:
        """The new versions, in batches."""
        rows = np.flatnonzero(self.fresh).tolist()
        for start in range(0, len(rows), BATCH):
            yield [self._result(row) for row in rows[start : start + BATCH]]

    def _result(self, row: int) -> Result:
        scores, subject = self.scores, self.subjects[row]
        return Result(
            subject=subject.code,
            name=subject.name,
            level=subject.level,
            type=subject.type,
            version=int(self.versions[row]),
            total_centi=int(scores.total_centi[row]),
            coverage_centi=int(scores.coverage_centi[row]),
            grade=scores.grades[row],
            earned_grade=scores.earned_grades[row],
            overrides=overrides_of(scores, row),
            inputs_digest=self.digests[row, 0].tobytes(),
            result_digest=self.digests[row, 1].tobytes(),
            inputs=_inputs(self.inputs, row),
            points=tuple(
                Points(
                    points_centi=earned,
                    weight_centi=weight,
                    value_micro=value,
                    missing=bool(missing),
                )
                for earned, weight, value, missing in points_of(scores, row)
            ),
        )


def judge(
    scores: ScoreResult,
    inputs: InputTable,
    subjects: Sequence[Subject],
    *,
    period: Period,
    reference_digest: bytes,
    held: Callable[[str, str], Mapping[str, tuple[int, bytes]]],
) -> Outcomes:
    """Find the version that each subject's content calls for.

    Args:
        scores: Scores of the subjects.
        inputs: The table that was scored.
        subjects: The same subjects, by code, in the same order.
        period: The rating period.
        reference_digest: SHA-256 of the reference.
        held: Newest version and digest by subject, of the subjects from a first to a last id.
    """
    n = len(subjects)
    heading = [
        period.name,
        scores.model.subject_class,
        scores.model.digest.hex(),
        scores.basis,
        scores.day.isoformat(),
        reference_digest.hex(),
    ]
    versions = np.zeros(n, np.int32)
    fresh = np.zeros(n, np.bool_)
    digests = np.zeros((n, 2, _DIGEST), np.uint8)
    for start in range(0, n, BATCH):
        rows = range(start, min(start + BATCH, n))
        before = held(subjects[rows[0]].code, subjects[rows[-1]].code)
        for row in rows:
            code = subjects[row].code
            inputs_digest = inputs.digest(row)
            content = [
                *heading,
                code,
                inputs_digest.hex(),
                points_of(scores, row),
                int(scores.total_centi[row]),
                scores.grades[row],
                scores.earned_grades[row],
                overrides_of(scores, row),
            ]
            result_digest = hashlib.sha256(orjson.dumps(content)).digest()
            version, digest = before.get(code, (0, b""))
            fresh[row] = digest != result_digest
            versions[row] = version + fresh[row]
            digests[row, 0] = np.frombuffer(inputs_digest, np.uint8)
            digests[row, 1] = np.frombuffer(result_digest, np.uint8)
    return Outcomes(
        scores=scores,
        inputs=inputs,
        subjects=subjects,
        versions=versions,
        fresh=fresh,
        digests=digests,
    )


def points_of(scores: ScoreResult, row: int) -> list[tuple[int, int, int, int]]:
    """Points, weight, value and whether it is missing, of every indicator of one subject."""
    return list(
        zip(
            scores.points_centi[row].tolist(),
            scores.weights_centi[row].tolist(),
            scores.values_micro[row].tolist(),
            scores.missing[row].astype(np.int64).tolist(),
            strict=True,
        )
    )


def overrides_of(scores: ScoreResult, row: int) -> tuple[str, ...]:
    """Ids of the overrides that are in force for one subject, in the model's order."""
    flags = scores.overridden[row].tolist()
    return tuple(
        one.id
        for one, is_in_force in zip(scores.model.overrides, flags, strict=True)
        if is_in_force
    )


def grade_cap(model: RatingModel, override: Override) -> str:
    """The best grade that an override leaves, in the band set that grades."""
    return override.caps[next(iter(model.band_sets))]


def table_of(columns: tuple[str, ...], results: Sequence[Result]) -> InputTable:
    """Put stored inputs together again.

    Args:
        columns: Columns of the run that made the results.
        results: Results, in the order of the table.

    Raises:
        KernelInputError: The stored inputs do not fit the columns.
    """
    shape = (len(results), len(columns))
    for result in results:
        if len(result.inputs) != len(columns):
            raise KernelInputError(
                f"The result of {result.subject} holds {len(result.inputs)} inputs, its run names "
                f"{len(columns)} columns; restore the database from its backup."
            )
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
