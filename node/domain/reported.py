"""What a node reports of a measure set: one row a slot and subject, gaps stated as zeros.

A statement replaces its whole slot (institution, measure set, month), so a month in which an
institution did nothing must be said, not left out: the hub reads an absent slot as "not yet
stated", which is a missing value and not a zero. Rules:

1. Months are those in which this node's ledger holds any record at all.
2. An institution reports a set when it has one record in it, and from the first month in which
   it has a record in any set: what lies before was not connected yet, and is not a zero.
3. In every such month without rows the institution states zeros, with itself as subject.
4. In a set of staff (one row per member of staff) it states an empty slot there instead: nobody
   worked, and rows that were stated before are taken back.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from scoring_kernel.measures import MonthlyMeasures

IntColumn: TypeAlias = npt.NDArray[np.int64]
TextColumn: TypeAlias = npt.NDArray[np.str_]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedSet:
    """All rows a node states for one measure set, sorted by (institution, month, subject)."""

    measure_set: str
    institutions: TextColumn = field(repr=False)
    """Institution codes, shape (n,)."""
    months: npt.NDArray[np.int32] = field(repr=False)
    """Months, yyyymm, Asia/Shanghai, shape (n,)."""
    subjects: TextColumn = field(repr=False)
    """Subject ids, shape (n,); the institution itself for institution-level sets."""
    columns: Mapping[str, IntColumn] = field(repr=False)
    """Measures by id, each of shape (n,), in the unit the catalogue gives."""
    empty: tuple[tuple[str, int], ...] = field(default=(), repr=False)
    """Institution and month of every slot that is stated without a row, sorted."""

    def monthly(self) -> MonthlyMeasures:
        """The same rows as the kernel folds them."""
        return MonthlyMeasures(
            measure_set=self.measure_set,
            subjects=self.subjects,
            months=self.months,
            columns=dict(self.columns),
        )

    def slots(self) -> list[tuple[str, int, slice]]:
        """Slots in order, each with the slice of its rows; an empty slot has an empty slice."""
        empty = [(institution, month, slice(0, 0)) for institution, month in self.empty]
        if not len(self.months):
            return empty
        changes = (self.institutions[1:] != self.institutions[:-1]) | (
            self.months[1:] != self.months[:-1]
        )
        starts = np.concatenate(([0], np.flatnonzero(changes) + 1))
        ends = np.concatenate((starts[1:], [len(self.months)]))
        stated = [
            (str(self.institutions[start]), int(self.months[start]), slice(int(start), int(end)))
            for start, end in zip(starts, ends, strict=True)
        ]
        return sorted([*stated, *empty], key=lambda slot: slot[:2])


def first_months(tables: Iterable[pa.Table]) -> dict[str, int]:
    """First month of every institution in any measure set, yyyymm, by code."""
    first: dict[str, int] = {}
    for table in tables:
        for institution, month in zip(
            table.column("institution").to_pylist(), table.column("month").to_pylist(), strict=True
        ):
            first[institution] = min(month, first.get(institution, month))
    return first


def reported_set(
    measure_set: str,
    measures: Sequence[str],
    table: pa.Table,
    months: Sequence[int],
    first: Mapping[str, int],
    *,
    of_staff: bool = False,
) -> ReportedSet:
    """State zeros, or empty slots, where an institution has no row, and sort.

    Args:
        measure_set: Id of the measure set.
        measures: Ids of its measures, in catalogue order.
        table: Columns institution, month, subject and one int64 column a measure.
        months: Months in which the node's ledger holds any record, yyyymm.
        first: First month of every institution, see `first_months`.
        of_staff: Whether its subjects are staff, who have no zeros.

    Returns:
        One row, or one empty slot, for every institution of the table and every month from its
        first on, at least.
    """
    institutions = _text(table, "institution")
    row_months = np.asarray(table.column("month").to_numpy(), dtype=np.int32)
    subjects = _text(table, "subject")
    known = np.unique(institutions)
    stated = set(zip(institutions.tolist(), row_months.tolist(), strict=True))
    silent = [
        (str(institution), int(month))
        for institution in known
        for month in sorted(set(months))
        if month >= first[str(institution)] and (str(institution), int(month)) not in stated
    ]
    empty = tuple(sorted(silent)) if of_staff else ()
    silent = [] if of_staff else silent
    fill = np.array([institution for institution, _ in silent], dtype=np.str_)
    all_institutions = np.concatenate((institutions, fill)) if silent else institutions
    all_subjects = np.concatenate((subjects, fill)) if silent else subjects
    all_months = np.concatenate(
        (row_months, np.array([month for _, month in silent], dtype=np.int32))
    )
    order = np.lexsort((all_subjects, all_months, all_institutions))
    zeros = np.zeros(len(silent), dtype=np.int64)
    return ReportedSet(
        measure_set=measure_set,
        institutions=all_institutions[order],
        months=all_months[order],
        subjects=all_subjects[order],
        columns={
            measure: np.concatenate(
                (np.asarray(table.column(measure).to_numpy(), dtype=np.int64), zeros)
            )[order]
            for measure in measures
        },
        empty=empty,
    )


def _text(table: pa.Table, name: str) -> TextColumn:
    return np.array(table.column(name).to_pylist(), dtype=np.str_)
