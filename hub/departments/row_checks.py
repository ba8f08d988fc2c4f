"""One line of a department file becomes a row or a fault.

Rules: the kernel parses the fields (formats, units, check digits, code lists, no
negative numbers); here stands what only the hub can know: the period asked for,
today, and the register of designated institutions (两定医药机构).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

import orjson
from scoring_kernel.item_rows import parse_row

from hub.departments.faults import Fault, Rule
from hub.store.item_rows import ItemRow
from scoring_kernel.errors import ItemRowError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.departments.csv_lines import Line
    from scoring_kernel.information import InformationItem
    from scoring_kernel.periods import Period

HISTORY_YEARS: Final = 3
"""Full years before a period whose events its rating reads (历史协议处理 and its like)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowChecks:
    """What a row of the file is checked against.

    Attributes:
        period: Period of the file; None for the register.
        register: Known institutions; None when the file is the register itself.
        today: Day of the import, Asia/Shanghai.
    """

    period: Period | None
    register: frozenset[str] | None
    today: date


def parse_line(item: InformationItem, line: Line, checks: RowChecks) -> ItemRow | Fault:
    """Parse one line and check it against period, day and register.

    Args:
        item: The information item of the file.
        line: A line with all columns of the item.
        checks: What only the hub can know.

    Returns:
        The row, or the first fault found.
    """
    try:
        values = parse_row(item, line.values).values
    except ItemRowError as error:
        return Fault(
            line=line.number,
            field=error.field,
            rule=error.rule,
            masked=error.masked,
            mend=error.mend,
            content=line.content,
        )
    institution = str(values["institution"])
    event_day = values["event_day"] if item.kind == "event" else None
    fault = (
        _other_period(line, values, checks)
        or _outside(line, event_day, checks)
        or _unknown(line, institution, checks)
    )
    if fault is not None:
        return fault
    return ItemRow(
        key=orjson.dumps([values[name] for name in item.primary_key]).decode(),
        institution=institution,
        period=str(values.get("period", "")),
        event_day=event_day if isinstance(event_day, date) else None,
        values=dict(values),
        line=line.number,
    )


def _other_period(line: Line, values: Mapping[str, object], checks: RowChecks) -> Fault | None:
    found = values.get("period")
    if found is None or checks.period is None or found == checks.period.name:
        return None
    return Fault(
        line=line.number,
        field="period",
        rule=Rule.OTHER_PERIOD,
        masked=str(found),
        mend=f"The file is for {checks.period.name}: put rows of other periods in their own file.",
        content=line.content,
    )


def _outside(line: Line, day: object, checks: RowChecks) -> Fault | None:
    if not isinstance(day, date) or checks.period is None:
        return None
    first = checks.period.age_window(HISTORY_YEARS)[0]
    last = min(checks.period.last_day, checks.today)
    if first <= day <= last:
        return None
    return Fault(
        line=line.number,
        field="event_day",
        rule=Rule.EVENT_OUTSIDE_PERIOD,
        masked=day.isoformat(),
        mend=(
            f"A file for {checks.period.name} holds events from {first} to {last}: correct the "
            "day, or put the event in the file of its own period."
        ),
        content=line.content,
    )


def _unknown(line: Line, institution: str, checks: RowChecks) -> Fault | None:
    if checks.register is None or institution in checks.register:
        return None
    return Fault(
        line=line.number,
        field="institution",
        rule=Rule.UNKNOWN_INSTITUTION,
        masked=institution,
        mend="Correct the code, or import the register (item 20) with it and then this file again.",
        content=line.content,
    )
