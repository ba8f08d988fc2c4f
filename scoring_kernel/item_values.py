"""Values of an item's measures from the rows of one window, by subject.

Rules:
- What a row leaves empty is absent, not zero; an event without an amount adds nothing.
- Rows come from ``parse_row``: any other type of value is an error.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, TypeAlias

from scoring_kernel.errors import KernelInputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scoring_kernel.information import InformationItem, ItemMeasure

Row: TypeAlias = "Mapping[str, object]"
Found: TypeAlias = "dict[str, int]"
"""Value by subject; a subject without a value is not in it."""


def row_values(item: InformationItem, measure: ItemMeasure, rows: Iterable[Row]) -> Found:
    """Take a numeric column of every row, or the integer of its code; an empty one states nothing.

    Raises:
        KernelInputError: The column holds no whole number, or no code of the measure.
    """
    found: Found = {}
    for row in rows:
        value = _value(item, measure, row)
        if value is not None:
            found[_subject(item, row)] = value
    return found


def counted_values(item: InformationItem, measure: ItemMeasure, rows: Iterable[Row]) -> Found:
    """Count events or entries, or sum one of their columns, over those that qualify.

    Raises:
        KernelInputError: The column holds no whole number.
    """
    found: Found = {}
    for row in rows:
        if measure.where is not None and row.get(measure.where[0]) not in measure.where[1]:
            continue
        value = 1 if measure.column is None else _number(item, row, measure.column) or 0
        subject = _subject(item, row)
        found[subject] = found.get(subject, 0) + value
    return found


def register_values(
    item: InformationItem, measure: ItemMeasure, rows: Iterable[Row], day: date
) -> Found:
    """Take a register's measure on a day.

    Args:
        item: The register.
        measure: One of its measures.
        rows: Rows of the register.
        day: Last day that counts.

    Raises:
        KernelInputError: A column holds no whole number, or no day.
    """
    if measure.column is not None:
        return row_values(item, measure, rows)
    counted = [field.column for field in item.fields if field.counted]
    found: Found = {}
    for row in rows:
        subject = _subject(item, row)
        if measure.derive == "required_fields":
            found[subject] = len(counted)
        elif measure.derive == "filled_fields":
            found[subject] = sum(row.get(column) not in (None, "") for column in counted)
        elif measure.day is not None and row.get(measure.day) is not None:
            found[subject] = full_months(day_of(item, row, measure.day), day)
    return found


def full_months(first: date, last: date) -> int:
    """Count the full months from a day to the end of another day.

    Args:
        first: First day, for example of the agreement.
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


def is_in_force(item: InformationItem, row: Row, day: date) -> bool:
    """Tell whether an entry of a listing is in force on a day.

    The day of listing counts, the day of removal (移出日期) does not.

    Raises:
        KernelInputError: A column holds no day.
    """
    if day_of(item, row, "from_day") > day:
        return False
    return row.get("until_day") is None or day < day_of(item, row, "until_day")


def is_revoked(item: InformationItem, row: Row, day: date) -> bool:
    """Tell whether an event was revoked, disproved or repaired by a day (撤销、异议成立、修复).

    Raises:
        KernelInputError: The column holds no day.
    """
    if item.kind != "event" or row.get("revoked_day") is None:
        return False
    return day_of(item, row, "revoked_day") <= day


def day_of(item: InformationItem, row: Row, column: str) -> date:
    """Day in a column of a row.

    Raises:
        KernelInputError: The column holds something else.
    """
    value = row.get(column)
    if isinstance(value, date):
        return value
    raise KernelInputError(
        f"item {item.number}: column {column} holds {type(value).__name__}, expected a day: "
        "parse the row with parse_row"
    )


def _subject(item: InformationItem, row: Row) -> str:
    return str(row[item.subject_field])


def _value(item: InformationItem, measure: ItemMeasure, row: Row) -> int | None:
    column = measure.column or measure.id
    if measure.values is None or row.get(column) is None:
        return _number(item, row, column)
    code = str(row[column])
    if code in measure.values:
        return measure.values[code]
    raise KernelInputError(
        f"item {item.number}: column {column} holds {code[:30]!r}, expected one of "
        f"{', '.join(measure.values)}: parse the row with parse_row"
    )


def _number(item: InformationItem, row: Row, column: str) -> int | None:
    value = row.get(column)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise KernelInputError(
        f"item {item.number}: column {column} holds {type(value).__name__}, expected a whole "
        "number: parse the row with parse_row"
    )
