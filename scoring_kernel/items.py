"""Input columns of the kernel from the rows of an information item.

Rules:
- A row item states a window when the subject has a row of that period: nothing
  handed in is missing, not zero.
- An event item states a window when the item was imported for the period the window
  belongs to: then no event is a zero. Windows of past years belong to the current
  period, whose import brings the whole register of events.
- An event revoked on or before the period's last day counts in no window.
- A listing states who is on it on the period's last day, once it was imported for the
  period.
- A register states its measures on the period's last day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from scoring_kernel.errors import KernelInputError
from scoring_kernel.information import MAX_VALUE, QUALIFICATIONS, InformationItem, ItemMeasure
from scoring_kernel.item_values import (
    counted_values,
    day_of,
    full_months,
    is_in_force,
    is_revoked,
    register_values,
    row_values,
)
from scoring_kernel.qualified_staff import qualification_values

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from scoring_kernel.item_values import Found, Row
    from scoring_kernel.periods import Period

__all__ = ["Column", "full_months", "item_inputs", "read_periods"]

Column: TypeAlias = "tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]"
"""Values and where they are present, both of shape (n_subjects,)."""


def item_inputs(
    item: InformationItem,
    rows: Iterable[Mapping[str, object]],
    subjects: Sequence[str],
    period: Period,
    imported_periods: frozenset[str],
) -> dict[str, Column]:
    """Compute the columns that an item states for a period.

    Args:
        item: The information item.
        rows: Parsed rows, one per primary key; of other subjects or periods too.
        subjects: Subject ids, in the order of the result.
        period: The rating period.
        imported_periods: Names of the periods for which the item was imported.

    Returns:
        Every one of ``item.input_columns``: values in the measure's unit, int64 of shape
        (n_subjects,), 0 where not present; and where they are present, bool.

    Raises:
        KernelInputError: A row lacks a column or has a value of another type, a primary
            key stands twice, or a sum leaves the range of the kernel.
    """
    known = set(subjects)
    own = [
        row
        for row in _unique(item, rows)
        if row[item.subject_field] in known and not is_revoked(item, row, period.last_day)
    ]
    columns: dict[str, Column] = {}
    for window in dict.fromkeys(name for one in item.measures for name in item.windows(one)):
        chosen = _chosen(item, own, period, window)
        states = (period.base() if window == "base" else period).name
        covered = item.kind in ("row", "register") or states in imported_periods
        for measure in item.measures:
            if window in item.windows(measure):
                # A state follows from all decisions before a day, not from the window's alone.
                using = own if measure.derive in QUALIFICATIONS else chosen
                found = _find(item, measure, using, subjects, period) if covered else {}
                name = f"item.{item.number}.{measure.id}@{window}"
                columns[name] = _column(item, measure, found, subjects)
    return {name: columns[name] for name in item.input_columns}


def read_periods(period: Period) -> tuple[Period, ...]:
    """Periods whose rows of a row item can matter for a rating period.

    >>> from scoring_kernel.periods import Period
    >>> [one.name for one in read_periods(Period.parse("2026H1"))]
    ['2026H1', '2025H1', '2025H2']
    """
    return period, period.base(), period.prior()


def _unique(item: InformationItem, rows: Iterable[Row]) -> list[Row]:
    seen: set[tuple[object, ...]] = set()
    kept: list[Row] = []
    for row in rows:
        try:
            key = tuple(row[column] for column in item.primary_key)
            row[item.subject_field]
        except KeyError as error:
            raise KernelInputError(
                f"item {item.number}: a row has no {error.args[0]!r}: parse it with parse_row"
            ) from error
        if key in seen:
            raise KernelInputError(
                f"item {item.number}: key {key!r} stands twice: keep its last version only"
            )
        seen.add(key)
        kept.append(row)
    return kept


def _chosen(item: InformationItem, rows: list[Row], period: Period, window: str) -> list[Row]:
    """Rows that belong to a window."""
    if item.kind == "row":
        by_window = {"current": period, "base": period.base(), "prior": period.prior()}
        name = by_window[window].name
        return [row for row in rows if row.get("period") == name]
    if item.kind == "event":
        first, last = _span(period, window)
        return [row for row in rows if first <= day_of(item, row, "event_day") <= last]
    if item.kind == "listing":
        return [row for row in rows if is_in_force(item, row, period.last_day)]
    return rows


def _span(period: Period, window: str) -> tuple[date, date]:
    if window == "current":
        return period.first_day, period.last_day
    if window == "base":
        return period.base().first_day, period.base().last_day
    if window == "year":
        return period.last_day.replace(month=1, day=1), period.last_day
    return period.age_window(int(window.removeprefix("age")))


def _find(
    item: InformationItem,
    measure: ItemMeasure,
    rows: list[Row],
    subjects: Sequence[str],
    period: Period,
) -> Found:
    if measure.derive in QUALIFICATIONS:
        return qualification_values(item, measure, rows, subjects, period)
    if item.kind == "row":
        return row_values(item, measure, rows)
    if item.kind == "register":
        return register_values(item, measure, rows, period.last_day)
    return dict.fromkeys(subjects, 0) | counted_values(item, measure, rows)


def _column(
    item: InformationItem, measure: ItemMeasure, found: Found, subjects: Sequence[str]
) -> Column:
    if any(abs(value) > MAX_VALUE for value in found.values()):
        worst = max(found, key=lambda one: abs(found[one]))
        raise KernelInputError(
            f"item {item.number}: {measure.id} of {worst} is {found[worst]} and exceeds "
            f"{MAX_VALUE}: check the subject's rows"
        )
    values = np.fromiter((found.get(one, 0) for one in subjects), np.int64, len(subjects))
    present = np.fromiter((one in found for one in subjects), np.bool_, len(subjects))
    return values, present
