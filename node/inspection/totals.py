"""Totals of the core platform (对账) beside those of the committed records.

What was never committed has no leaf to be missed: only somebody else's count shows it. The
platform's statement of an institution and its days, transactions 3201 and 3202, is such a count.

Rules:
1. Messages of one institution, insurance type and days are added up over clearing types and
   refund flags, which the records do not carry.
2. Every amount that a message names is compared to the fen, and the number of settlements.

Source: SECURITY §13; transactions 3201 and 3202 of the national interface.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final

import orjson

from node.errors import IntakeFileError
from node.inspection.clearing import yuan_to_fen
from node.inspection.findings import TotalRow
from node.store.committed import Committed

__all__ = ["check_totals", "read_totals"]

TRANSACTIONS: Final = frozenset({"3201", "3202"})
MEASURES: Final[Mapping[str, str]] = {
    "medfee_sumamt": "sum(medfee_fen)",
    "fund_pay_sumamt": "sum(fund_fen)",
    "acct_pay": "sum(account_fen)",
    "cash_payamt": "sum(cash_fen)",
    "fixmedins_setl_cnt": "count(*)",
}
"""Fields of the messages, and what they are among the records."""
_TYPED: Final = """create or replace temp view typed_settlement as
    select row.* exclude (insutype), coalesce(nullif(row.insutype, ''), former.insutype) as insutype
    from settlement as row left join settlement as former
    on row.sign = -1 and former.sign = 1
    and former.institution = row.institution and former.setl_id = row.setl_id"""
"""A reversal's message names no insurance: it is that of the settlement it takes back."""
MAX_BYTES: Final = 16 * 1024 * 1024
MAX_LINES: Final = 100_000

Group = tuple[str, str, date, date]
"""Institution, insurance type (empty for all), first and last day."""


def read_totals(path: Path) -> dict[Group, dict[str, int]]:
    """Read messages of 3201 or 3202, one JSON object a line.

    Returns:
        Totals by field, fen or number, of every group.

    Raises:
        IntakeFileError: The file is too large, or a line is no such message.
    """
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= MAX_BYTES else b""
    except OSError as error:
        raise IntakeFileError(f"{path.name} cannot be read: {error.strerror}") from error
    lines = content.splitlines()
    if size > MAX_BYTES or len(lines) > MAX_LINES:
        raise IntakeFileError(
            f"{path.name} has {size} bytes and {len(lines)} lines, expected at most {MAX_BYTES} "
            f"and {MAX_LINES}; one line is one message"
        )
    found: dict[Group, dict[str, int]] = defaultdict(dict)
    for number, line in enumerate(lines, start=1):
        if line.strip():
            group, totals = _message(line, f"{path.name} line {number}")
            for name, value in totals.items():
                found[group][name] = found[group].get(name, 0) + value
    if not found:
        raise IntakeFileError(f"{path.name} holds no message of 3201 or 3202")
    return dict(found)


def check_totals(
    opened: Committed, totals: Mapping[Group, Mapping[str, int]], size: int
) -> Iterator[TotalRow]:
    """Compare totals with the settlements that stood at a size; every one, equal or not."""
    engine = opened.stand_as_of(size)
    engine.execute(_TYPED)
    for (institution, insutype, first, last), fields in sorted(totals.items()):
        sums = ", ".join(f"coalesce({MEASURES[name]}, 0)" for name in fields)
        begin, end = (datetime.combine(day, time()) for day in (first, last + timedelta(days=1)))
        row = engine.execute(
            f"select {sums} from typed_settlement where institution = ?"  # noqa: S608 - a closed list
            " and (? = '' or insutype = ?) and settled_at >= ? and settled_at < ?",
            [institution, insutype, insutype, begin, end],
        ).fetchone()
        subject = f"{institution} {insutype or 'all types'} {first} to {last}"
        for (name, value), recorded in zip(fields.items(), row or (), strict=True):
            yield TotalRow(subject=subject, measure=name, platform=value, recorded=int(recorded))


def _message(line: bytes, what: str) -> tuple[Group, dict[str, int]]:
    try:
        document = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise IntakeFileError(f"{what} is no JSON object; one line is one message") from error
    request = document.get("request", document) if isinstance(document, dict) else None
    if not isinstance(request, dict) or request.get("infno") not in TRANSACTIONS:
        raise IntakeFileError(f"{what} is no message of 3201 or 3202")
    body: Any = request.get("input")
    data = body.get("data") if isinstance(body, dict) else None
    institution = request.get("fixmedins_code")
    if not isinstance(data, dict) or not isinstance(institution, str):
        raise IntakeFileError(f"{what} lacks fixmedins_code or input.data")
    first, last = (
        _day(data.get(name), f"{what} {name}") for name in ("stmt_begndate", "stmt_enddate")
    )
    if last < first:
        raise IntakeFileError(f"{what} ends on {last}, before it begins on {first}")
    totals = {
        name: _value(name, data[name], f"{what} {name}")
        for name in MEASURES
        if data.get(name) not in (None, "")
    }
    if not totals:
        raise IntakeFileError(f"{what} names no total of {', '.join(MEASURES)}")
    return (institution, str(data.get("insutype") or ""), first, last), totals


def _value(name: str, value: object, what: str) -> int:
    text = str(value)
    if name != "fixmedins_setl_cnt":
        return yuan_to_fen(text, what)
    if not text.isascii() or not text.isdigit():
        raise IntakeFileError(f"{what} is {text[:40]!r}, expected a number of settlements")
    return int(text)


def _day(value: object, what: str) -> date:
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError as error:
        raise IntakeFileError(f"{what} is {str(value)[:40]!r}, expected a day") from error
