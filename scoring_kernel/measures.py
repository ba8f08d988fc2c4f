"""Measures (度量) and the two laws by which they travel and merge.

Rules:
- Law 1, replacement: within a slot (institution, measure set, month) the newest
  (incarnation, version) replaces everything, so an absent row is a deletion.
- Law 2, merging: across slots rows fold by the measure's own law (sum, max or
  min), which is associative and commutative, so no order can change a result.
- Values are integers within ``MAX_VALUE``; a sum that leaves it is an error,
  never a wrapped number.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from scoring_kernel.errors import KernelInputError
from scoring_kernel.positions import positions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

IntVector: TypeAlias = npt.NDArray[np.int64]
MonthVector: TypeAlias = npt.NDArray[np.int32]
BoolVector: TypeAlias = npt.NDArray[np.bool_]
TextVector: TypeAlias = npt.NDArray[np.str_]

MAX_VALUE: Final = 10**13
"""Largest absolute value of a measure or a fold (100 billion yuan in fen): the kernel's bound."""
_SAFE_SUM: Final = 4.0 * 10**18
"""Sums of sizes up to here cannot wrap int64."""


class Merge(StrEnum):
    """How values of one measure fold across slots."""

    SUM = "sum"
    MAX = "max"
    MIN = "min"


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthlyMeasures:
    """Rows of one measure set, one per slot and subject.

    Attributes:
        measure_set: Id of the measure set.
        subjects: Subject of each row, shape (n,).
        months: Month of each row as yyyymm, shape (n,).
        columns: Values of each measure, each of shape (n,), in the measure's unit.
    """

    measure_set: str
    subjects: TextVector
    months: MonthVector
    columns: Mapping[str, IntVector]

    def __post_init__(self) -> None:
        """Refuse columns that do not fit together.

        Raises:
            KernelInputError: Lengths or types differ, or a value exceeds ``MAX_VALUE``.
        """
        n = len(self.subjects)
        if self.months.shape != (n,):
            raise KernelInputError(
                f"measure set {self.measure_set}: {len(self.months)} months for {n} subjects"
            )
        for name, values in self.columns.items():
            if values.dtype != np.int64 or values.shape != (n,):
                raise KernelInputError(
                    f"measure {self.measure_set}.{name}: found {values.dtype} of shape "
                    f"{values.shape}, expected int64 of shape ({n},)"
                )
            _refuse_large(values, f"measure {self.measure_set}.{name}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotRows:
    """One complete statement of one slot.

    Attributes:
        institution: Institution code of the slot.
        measure_set: Measure set of the slot.
        month: Month of the slot, yyyymm.
        incarnation: Incarnation of the sender's chain.
        version: Version of the slot within the incarnation.
        rows: Subject and values of every row, in any order.
    """

    institution: str
    measure_set: str
    month: int
    incarnation: int
    version: int
    rows: tuple[tuple[str, tuple[int, ...]], ...]

    @property
    def slot(self) -> tuple[str, str, int]:
        """Key of the slot."""
        return self.institution, self.measure_set, self.month


def replace_slots(
    held: Mapping[tuple[str, str, int], SlotRows], statement: SlotRows
) -> dict[tuple[str, str, int], SlotRows]:
    """Apply law 1: keep the newest statement of the slot, whatever came first.

    Args:
        held: Winning statement of each slot so far.
        statement: The statement that arrived.

    Returns:
        Winning statements including the new one.

    Raises:
        KernelInputError: The same (incarnation, version) with other rows: the
            sender's chain must have forked.
    """
    after = dict(held)
    before = held.get(statement.slot)
    if before is None:
        after[statement.slot] = statement
        return after
    rank = (statement.incarnation, statement.version)
    if rank == (before.incarnation, before.version):
        if sorted(before.rows) != sorted(statement.rows):
            raise KernelInputError(
                f"slot {statement.slot}: two statements with incarnation {rank[0]} version "
                f"{rank[1]} differ: refuse the sender's chain as forked"
            )
    elif rank > (before.incarnation, before.version):
        after[statement.slot] = statement
    return after


def merge_slots(
    a: MonthlyMeasures, b: MonthlyMeasures, merges: Mapping[str, str]
) -> MonthlyMeasures:
    """Apply law 2 to two sets of rows: one row per (subject, month), sorted.

    Args:
        a: Rows of some slots.
        b: Rows of other slots of the same measure set.
        merges: Law of each measure.

    Returns:
        The merged rows; associative and commutative.

    Raises:
        KernelInputError: The sets or their columns differ, or a sum exceeds ``MAX_VALUE``.
    """
    if a.measure_set != b.measure_set or set(a.columns) != set(b.columns):
        raise KernelInputError(
            f"cannot merge {a.measure_set} {sorted(a.columns)} with {b.measure_set} "
            f"{sorted(b.columns)}: expected one measure set"
        )
    subjects = np.concatenate([a.subjects, b.subjects])
    months = np.concatenate([a.months, b.months])
    names, subject_code = np.unique(subjects, return_inverse=True)
    days, month_code = np.unique(months, return_inverse=True)
    width = max(len(days), 1)
    keys, group = np.unique(subject_code * width + month_code, return_inverse=True)
    return MonthlyMeasures(
        measure_set=a.measure_set,
        subjects=names[keys // width],
        months=days[keys % width],
        columns={
            name: _reduce(
                np.concatenate([a.columns[name], b.columns[name]]),
                group,
                names[keys // width],
                _law(merges, name),
                f"{a.measure_set}.{name}",
            )
            for name in sorted(a.columns)
        },
    )


def fold(
    measures: MonthlyMeasures,
    merges: Mapping[str, str],
    subjects: Sequence[str],
    months: Sequence[int],
    *,
    any_month: bool = False,
) -> tuple[dict[str, IntVector], BoolVector]:
    """Fold months of all slots into one value per subject and measure.

    Args:
        measures: Rows of all winning slots; other months and subjects are ignored.
        merges: Law of each measure.
        subjects: Subjects of the result, unique.
        months: Months of the window, yyyymm, unique and not empty.
        any_month: Whether one month with a row states the window; else every month must.

    Returns:
        Values of each measure, shape (n_subjects,), 0 where a subject has no row;
        and whether the window is stated, shape (n_subjects,).

    Raises:
        KernelInputError: Subjects or months repeat, the window is empty, a measure
            has no law, or a sum exceeds ``MAX_VALUE``.
    """
    (folded,) = fold_windows(measures, merges, subjects, [months], any_month=any_month)
    return folded


def fold_windows(
    measures: MonthlyMeasures,
    merges: Mapping[str, str],
    subjects: Sequence[str],
    windows: Sequence[Sequence[int]],
    *,
    any_month: bool = False,
) -> list[tuple[dict[str, IntVector], BoolVector]]:
    """Fold as ``fold`` does, for several windows: subjects are looked up once.

    Args:
        measures: Rows of all winning slots; other months and subjects are ignored.
        merges: Law of each measure.
        subjects: Subjects of the result, unique.
        windows: Months of each window, as for ``fold``.
        any_month: As for ``fold``.

    Returns:
        What ``fold`` gives for each window.

    Raises:
        KernelInputError: As ``fold``.
    """
    unique = all(months and len(set(months)) == len(months) for months in windows)
    if len(set(subjects)) != len(subjects) or not unique:
        raise KernelInputError(
            f"fold of {measures.measure_set}: expected unique subjects and unique months"
        )
    n = len(subjects)
    wanted = np.asarray(subjects, np.str_)
    rows = len(measures.subjects)
    at, known = np.zeros(rows, np.intp), np.zeros(rows, np.bool_)
    if n and rows:
        at, known = positions(wanted, measures.subjects)
    folds: list[tuple[dict[str, IntVector], BoolVector]] = []
    for months in windows:
        place = _places(measures.months, months)
        inside = np.flatnonzero(known & (place >= 0))
        target = at.take(inside)
        stated = np.zeros((len(months), n), np.bool_)
        stated[place.take(inside), target] = True
        columns = {
            name: _reduce(
                values.take(inside),
                target,
                wanted,
                _law(merges, name),
                f"{measures.measure_set}.{name}",
            )
            for name, values in measures.columns.items()
        }
        enough = np.logical_or if any_month else np.logical_and
        folds.append((columns, enough.reduce(stated, axis=0)))
    return folds


def _places(months: npt.NDArray[np.int32], wanted: Sequence[int]) -> npt.NDArray[np.int8]:
    """Place of each month among some months, -1 where it is not one of them."""
    first, last = min(wanted), max(wanted)
    place_of = np.full(last - first + 3, -1, np.int8)
    place_of[np.asarray(wanted) - first + 1] = np.arange(len(wanted))
    return place_of.take(np.clip(months, first - 1, last + 1) - (first - 1))


def _law(merges: Mapping[str, str], name: str) -> Merge:
    try:
        return Merge(merges[name])
    except (KeyError, ValueError) as error:
        raise KernelInputError(
            f"measure {name}: expected a law of sum, max or min, found {merges.get(name)!r}"
        ) from error


def _reduce(
    values: IntVector, group: npt.NDArray[np.intp], subjects: TextVector, law: Merge, name: str
) -> IntVector:
    """Fold values into one group per entry of ``subjects``; a group without a value is 0."""
    n = len(subjects)
    if law is Merge.SUM:
        result = np.zeros(n, np.int64)
        np.add.at(result, group, values)
        beyond = (result > MAX_VALUE) | (result < -MAX_VALUE)
        if max(int(values.max(initial=0)), -int(values.min(initial=0))) * len(values) > _SAFE_SUM:
            # A float sum is close enough to tell whether the exact one can leave int64.
            beyond |= np.bincount(group, weights=np.abs(values), minlength=n) > _SAFE_SUM
        if beyond.any():
            raise KernelInputError(
                f"measure {name}: a sum exceeds {MAX_VALUE} at subject "
                f"{subjects[int(np.argmax(beyond))]}: look for a unit mistake"
            )
        return result
    reduce = np.maximum if law is Merge.MAX else np.minimum
    start = -MAX_VALUE - 1 if law is Merge.MAX else MAX_VALUE + 1
    result = np.full(n, start, np.int64)
    reduce.at(result, group, values)
    result[result == start] = 0
    return result


def refuse_negative(measures: MonthlyMeasures, name: str) -> None:
    """Refuse a negative value of a measure that counts.

    Args:
        measures: Rows of a measure set.
        name: The measure.

    Raises:
        KernelInputError: A row holds a negative count.
    """
    below = measures.columns[name] < 0
    if below.any():
        row = int(np.argmax(below))
        raise KernelInputError(
            f"measure {measures.measure_set}.{name}: {measures.subjects[row]} counts "
            f"{int(measures.columns[name][row])} in {int(measures.months[row])}, expected no "
            "negative count: have the custodian state the month again"
        )


def _refuse_large(values: IntVector, name: str) -> None:
    outside = (values > MAX_VALUE) | (values < -MAX_VALUE)
    if outside.any():
        row = int(np.argmax(outside))
        raise KernelInputError(
            f"{name}: row {row} holds {int(values[row])}, expected at most {MAX_VALUE} in size: "
            "look for a unit mistake"
        )
