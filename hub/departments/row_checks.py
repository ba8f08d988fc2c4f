"""One line of a department file becomes a row or a fault.

Rules: the kernel parses the fields (formats, units, check digits, code lists, no
negative numbers); here stands what only the hub can know: the period asked for,
today, and the register (名册) of the item's subjects.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

import orjson

from hub.departments.faults import Fault, Rule
from hub.store.item_rows import ItemRow
from scoring_kernel.errors import ItemRowError
from scoring_kernel.item_rows import parse_row
from scoring_kernel.subject_ids import INSTITUTION, PERSON

if TYPE_CHECKING:
    from hub.departments.item_lines import Line
    from scoring_kernel.information import InformationItem
    from scoring_kernel.item_rows import ParsedRow
    from scoring_kernel.periods import Period

HISTORY_YEARS: Final = 3
"""Full years before a period whose events its rating reads (历史协议处理 and its like)."""
_SHOWN_SIGNS: Final = 9
"""Signs of a pseudonym in a message: R and eight digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowChecks:
    """What a row of the file is checked against.

    Attributes:
        period: Period of the file; None for a register.
        register: Subjects that the item may name; None when the file is a register itself.
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
        or _outside(item, line, parsed, checks)
        or _unknown(item, line, parsed, checks)
    )
    if fault is not None:
        return fault
    return ItemRow(
        key=orjson.dumps(parsed.key).decode(),
        subject=parsed.subject,
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


def _outside(item: InformationItem, line: Line, row: ParsedRow, checks: RowChecks) -> Fault | None:
    if checks.period is None:
        return None
    last = min(checks.period.last_day, checks.today)
    if item.kind == "listing":
        return _listed_later(line, row, checks.today)
    day = row.event_day
    if day is None:
        return None
    first = checks.period.age_window(HISTORY_YEARS)[0]
    if item.qualification is not None:
        # A termination lasts until restored: its document comes again with that day.
        first = min(first, item.qualification.since)
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


def _listed_later(line: Line, row: ParsedRow, today: date) -> Fault | None:
    day = row.values.get("from_day")
    if not isinstance(day, date) or day <= today:
        return None
    return Fault(
        line=line.number,
        field="from_day",
        rule=Rule.EVENT_OUTSIDE_PERIOD,
        masked=day.isoformat(),
        mend=f"A list holds who was put on it until today, {today}: correct the day.",
        content=line.content,
    )


def _unknown(item: InformationItem, line: Line, row: ParsedRow, checks: RowChecks) -> Fault | None:
    if checks.register is None or row.subject in checks.register:
        return None
    rule = Rule.UNKNOWN_SUBJECT
    if item.subject_type == INSTITUTION:
        rule = Rule.UNKNOWN_INSTITUTION
    return Fault(
        line=line.number,
        field=item.subject_field,
        rule=rule,
        masked=_shown(item, row.subject),
        mend=(
            f"Correct the code, or import the register (item {item.register}) with it and then "
            "this file again."
        ),
        content=line.content,
    )


def _shown(item: InformationItem, subject: str) -> str:
    """A code as it stands; of a pseudonym enough to find it in the sender's file."""
    return f"{subject[:_SHOWN_SIGNS]}…" if item.subject_type == PERSON else subject
