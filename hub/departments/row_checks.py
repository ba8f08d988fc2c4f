"""One line of a department file becomes a row or a fault.

Rules: the kernel parses the fields (formats, units, check digits, code lists, no
negative numbers); here stands what only the hub can know: the period asked for,
today, and the register of designated institutions (两定医药机构).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import orjson

from hub.departments.faults import Fault, Rule
from hub.store.item_rows import ItemRow
from scoring_kernel.errors import ItemRowError
from scoring_kernel.item_rows import parse_row

if TYPE_CHECKING:
    from datetime import date

    from hub.departments.csv_lines import Line
    from scoring_kernel.information import InformationItem
    from scoring_kernel.item_rows import ParsedRow
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
        parsed = parse_row(item, line.values)
    except ItemRowError as error:
        return Fault(
            line=line.number,
            field=error.field,
            rule=error.rule,
            masked=error.masked,
            mend=error.mend,
            content=line.content,
        )
    fault = (
        _other_period(line, parsed, checks)
        or _outside(line, parsed, checks)
        or _unknown(line, parsed, checks)
    )
    if fault is not None:
        return fault
    return ItemRow(
        key=orjson.dumps(parsed.key).decode(),
        institution=parsed.subject,
        period=parsed.period or "",
        event_day=parsed.event_day,
        values=dict(parsed.values),
        line=line.number,
    )


def _other_period(line: Line, row: ParsedRow, checks: RowChecks) -> Fault | None:
    if row.period is None or checks.period is None or row.period == checks.period.name:
        return None
    return Fault(
        line=line.number,
        field="period",
        rule=Rule.OTHER_PERIOD,
        masked=row.period,
        mend=f"The file is for {checks.period.name}: put rows of other periods in their own file.",
        content=line.content,
    )


def _outside(line: Line, row: ParsedRow, checks: RowChecks) -> Fault | None:
    day = row.event_day
    if day is None or checks.period is None:
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


def _unknown(line: Line, row: ParsedRow, checks: RowChecks) -> Fault | None:
    if checks.register is None or row.institution in checks.register:
        return None
    return Fault(
        line=line.number,
        field="institution",
        rule=Rule.UNKNOWN_INSTITUTION,
        masked=row.institution,
        mend="Correct the code, or import the register (item 20) with it and then this file again.",
        content=line.content,
    )
