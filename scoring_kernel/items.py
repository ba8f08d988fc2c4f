"""Input columns of the kernel from the rows of an information item.

Rules:
- A row item states a window when the institution has a row of that period: nothing
  handed in is missing, not zero.
- An event item states a window when the item was imported for the period the window
  belongs to: then no event is a zero. Windows of past years belong to the current
  period, whose import brings the whole register of events.
- A register states its measures on the period's last day.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from scoring_kernel.errors import KernelInputError
from scoring_kernel.information import MAX_VALUE, WINDOWS, InformationItem, ItemMeasure

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from scoring_kernel.periods import Period

Column: TypeAlias = "tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]"
"""Values and where they are present, both of shape (n_subjects,)."""

_Row: TypeAlias = "Mapping[str, object]"
_Found: TypeAlias = "dict[str, int]"


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
        rows: Parsed rows, one per primary key; of other institutions or periods too.
        subjects: Institution codes, in the order of the result.
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
    own = [row for row in _unique(item, rows) if row["institution"] in known]
    columns: dict[str, Column] = {}
    for window in WINDOWS[item.kind]:
        if item.kind == "event":
            states = period.base().name if window == "base" else period.name
            chosen = own if states in imported_periods else None
        else:
            chosen = own
        for measure in item.measures:
            found = _find(item, measure, chosen, period, window)
            if chosen is not None and item.kind == "event":
                found = dict.fromkeys(subjects, 0) | found
            columns[f"item.{item.number}.{measure.id}@{window}"] = _column(
                item, measure, found, subjects
            )
    return columns


def _unique(item: InformationItem, rows: Iterable[_Row]) -> list[_Row]:
    seen: set[tuple[object, ...]] = set()
    kept: list[_Row] = []
    for row in rows:
        try:
            key = tuple(row[column] for column in item.primary_key)
            row["institution"]
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


def _find(
    item: InformationItem,
    measure: ItemMeasure,
    rows: list[_Row] | None,
    period: Period,
    window: str,
) -> _Found:
    if rows is None:
        return {}
    if item.kind == "row":
        name = (period if window == "current" else period.base()).name
        return _row_values(item, measure, (row for row in rows if row.get("period") == name))
    if item.kind == "event":
        first, last = _span(period, window)
        inside = (row for row in rows if first <= _day(item, row, "event_day") <= last)
        return _event_values(item, measure, inside)
    return _register_values(item, measure, rows, period.last_day)


def _span(period: Period, window: str) -> tuple[date, date]:
    if window == "current":
        return period.first_day, period.last_day
    if window == "base":
        return period.base().first_day, period.base().last_day
    return period.age_window(int(window.removeprefix("age")))


def _row_values(item: InformationItem, measure: ItemMeasure, rows: Iterable[_Row]) -> _Found:
    found: _Found = {}
    for row in rows:
        value = _number(item, row, measure.column or measure.id)
        if value is not None:
            found[str(row["institution"])] = value
    return found


def _event_values(item: InformationItem, measure: ItemMeasure, rows: Iterable[_Row]) -> _Found:
    found: _Found = {}
    for row in rows:
        if measure.where is not None and row.get(measure.where[0]) != measure.where[1]:
            continue
        value = 1 if measure.column is None else _number(item, row, measure.column) or 0
        subject = str(row["institution"])
        found[subject] = found.get(subject, 0) + value
    return found


def _register_values(
    item: InformationItem, measure: ItemMeasure, rows: Iterable[_Row], day: date
) -> _Found:
    counted = [field.column for field in item.fields if field.counted]
    found: _Found = {}
    for row in rows:
        subject = str(row["institution"])
        if measure.derive == "required_fields":
            found[subject] = len(counted)
        elif measure.derive == "filled_fields":
            found[subject] = sum(row.get(column) not in (None, "") for column in counted)
        elif row.get("first_agreement_day") is not None:
            found[subject] = full_months(_day(item, row, "first_agreement_day"), day)
    return found


def full_months(first: date, last: date) -> int:
    """Count the full months from a day to the end of another day.

    Args:
        first: First day of the agreement.
        last: Last day that counts.

    Returns:
        Full months, 0 where ``last`` comes before the first month is full.

    >>> full_months(date(2016, 7, 1), date(2026, 6, 30))
    120
    >>> full_months(date(2016, 7, 2), date(2026, 6, 30))
    119
    """
    end = last + timedelta(days=1)
    months = (end.year - first.year) * 12 + end.month - first.month
    return max(0, months - (end.day < first.day))


def _number(item: InformationItem, row: _Row, column: str) -> int | None:
    value = row.get(column)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise KernelInputError(
        f"item {item.number}: column {column} holds {type(value).__name__}, expected a whole "
        "number: parse the row with parse_row"
    )


def _day(item: InformationItem, row: _Row, column: str) -> date:
    value = row.get(column)
    if isinstance(value, date):
        return value
    raise KernelInputError(
        f"item {item.number}: column {column} holds {type(value).__name__}, expected a day: "
        "parse the row with parse_row"
    )


def _column(
    item: InformationItem, measure: ItemMeasure, found: _Found, subjects: Sequence[str]
) -> Column:
    if any(abs(value) > MAX_VALUE for value in found.values()):
        raise KernelInputError(
            f"item {item.number}: {measure.id} of a subject exceeds {MAX_VALUE}: check its rows"
        )
    values = np.fromiter((found.get(one, 0) for one in subjects), np.int64, len(subjects))
    present = np.fromiter((one in found for one in subjects), np.bool_, len(subjects))
    return values, present
