"""Rows of measure sets, and their folds over the months of a window, by subject.

Rules:
- Rows of one subject fold by each measure's own law (sum, max or min), over months and over
  rows with other keys; the order of neither can change a result.
- A subject without a row in the whole window has no value there; with one it has every measure.
- Sums are exact: where they could leave 64 bits they are carried as Python's whole numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from scoring_kernel.errors import KernelInputError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import numpy.typing as npt

    from scoring_kernel.measures import BoolVector, IntVector, TextVector
    from scoring_kernel.supervision.sets import SupervisionSet

_SAFE: Final = 4 * 10**18
"""Sums of sizes up to here cannot wrap int64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetRows:
    """Rows of one set and month."""

    keys: Mapping[str, TextVector] = field(repr=False)
    """Key columns, each of shape (n,)."""
    columns: Mapping[str, IntVector] = field(repr=False)
    """Measures, each int64 of shape (n,)."""

    def __post_init__(self) -> None:
        """Refuse columns of other lengths or types.

        Raises:
            KernelInputError: They do not fit together.
        """
        sizes = {len(column) for column in (*self.keys.values(), *self.columns.values())}
        if len(sizes) != 1 or any(one.dtype != np.int64 for one in self.columns.values()):
            raise KernelInputError(
                f"rows of a set: found lengths {sorted(sizes)}, expected one length and int64"
            )

    def __len__(self) -> int:
        return len(next(iter(self.keys.values())))


Monthly: TypeAlias = "Mapping[str, Mapping[int, SetRows]]"
"""Rows by set and month (yyyymm)."""
Stated: TypeAlias = "Mapping[str, Mapping[int, frozenset[str]]]"
"""Institutions that are stated, by set and month."""


class Frame:
    """Folds of some sets by the subjects that one key names."""

    def __init__(
        self,
        sets: Mapping[str, SupervisionSet],
        monthly: Monthly,
        key: str,
        subjects: Sequence[str],
        stated: Stated | None = None,
    ) -> None:
        """Set the subjects.

        Args:
            sets: The sets by id.
            monthly: Rows by set and month; sets that were not counted are absent.
            key: Key whose values are the subjects.
            subjects: Subjects, sorted, each once.
            stated: Institutions by set and month, where several members state them; only of
                those that are the subjects themselves.
        """
        self.subjects = tuple(subjects)
        self._stated = stated
        self._sets = sets
        self._monthly = monthly
        self._key = key
        self._names = np.asarray(self.subjects, np.str_)
        self._places: dict[tuple[str, int], tuple[IntVector, BoolVector]] = {}

    def is_counted(self, names: Collection[str], months: Sequence[int]) -> bool:
        """Whether some sets were counted in every month of a window."""
        return all(month in self._monthly.get(name, {}) for name in names for month in months)

    def unstated(self, names: Collection[str], months: Sequence[int]) -> frozenset[int]:
        """Places of subjects whose custodian has not stated all sets for all months."""
        if self._stated is None:
            return frozenset()
        slots = [self._stated.get(name, {}).get(month) for name in names for month in months]
        held = [frozenset() if one is None else one for one in slots]
        return frozenset(
            at for at, one in enumerate(self.subjects) if not all(one in slot for slot in held)
        )

    def present(self, name: str, months: Sequence[int]) -> BoolVector:
        """Where a subject has a row of a set in some months, shape (n_subjects,)."""
        found = np.zeros(len(self.subjects), np.bool_)
        for month in months:
            at, known = self._place(name, month)
            found[at[known]] = True
        return found

    def fold(self, column: str, months: Sequence[int]) -> list[int]:
        """Fold ``set.measure`` over some months; 0 where a subject has no row.

        Args:
            column: Set and measure.
            months: Months of the window, yyyymm.
        """
        at, values = self.rows(column, months)
        name, measure = column.split(".")
        law = self._sets[name].merges[measure]
        size = len(self.subjects)
        if law == "sum":
            largest = int(np.abs(values).max(initial=0))
            kind = np.int64 if largest * max(len(values), 1) < _SAFE else np.object_
            total: npt.NDArray[np.int64 | np.object_] = np.zeros(size, kind)
            np.add.at(total, at, values.astype(kind))
            return [int(one) for one in total.tolist()]
        edge = np.iinfo(np.int64)
        start = edge.min if law == "max" else edge.max
        folded = np.full(size, start, np.int64)
        (np.maximum if law == "max" else np.minimum).at(folded, at, values)
        return [0 if one == start else int(one) for one in folded.tolist()]

    def rows(self, column: str, months: Sequence[int]) -> tuple[IntVector, IntVector]:
        """Rows of ``set.measure`` in some months: place of the subject, and value."""
        name, measure = column.split(".")
        places: list[IntVector] = [np.zeros(0, np.int64)]
        values: list[IntVector] = [np.zeros(0, np.int64)]
        for month in months:
            at, known = self._place(name, month)
            if known.any():
                places.append(at[known])
                values.append(self._monthly[name][month].columns[measure][known])
        return np.concatenate(places), np.concatenate(values)

    def keys(self, name: str, key: str, months: Sequence[int]) -> list[str]:
        """Another key of the rows that ``rows`` gives, in the same order."""
        found: list[str] = []
        for month in months:
            _, known = self._place(name, month)
            if known.any():
                found += self._monthly[name][month].keys[key][known].tolist()
        return found

    def _place(self, name: str, month: int) -> tuple[IntVector, BoolVector]:
        """Place of the subject of each row, and whether it is one of ours."""
        if (name, month) not in self._places:
            rows = self._monthly.get(name, {}).get(month)
            if rows is None or not len(rows) or not len(self._names):
                size = 0 if rows is None else len(rows)
                found = np.zeros(size, np.int64), np.zeros(size, np.bool_)
            else:
                held = rows.keys[self._key]
                at = np.searchsorted(self._names, held).astype(np.int64)
                at[at == len(self._names)] = 0
                found = at, self._names[at] == held
            self._places[name, month] = found
        return self._places[name, month]


def subjects_of(
    sets: Sequence[str], monthly: Monthly, key: str, prefix: str, months: Sequence[int]
) -> list[str]:
    """Subjects with a row of one of some sets in some months, sorted.

    Args:
        sets: Ids of the sets.
        monthly: Rows by set and month.
        key: Key whose values are the subjects.
        prefix: What their ids begin with.
        months: Months, yyyymm.
    """
    found: set[str] = set()
    for name in sets:
        for month in months:
            rows = monthly.get(name, {}).get(month)
            if rows is not None and key in rows.keys:
                found.update(one for one in rows.keys[key].tolist() if one.startswith(prefix))
    return sorted(found)
