"""Nights of supervision (夜间监管): when the rules are run by the clock, and what came of a night.

Rules:
- One run a night. A night that was missed is made up for once, when the daemon starts again.
- A run that was cut off (the daemon ended, the machine went down) is begun once more, at a start:
  a run that brings the machine down does not do so for ever.
- A run that failed is tried again in the next night.
"""

import re
from dataclasses import asdict, dataclass
from datetime import datetime, time, timedelta
from typing import Any, Final

import orjson

from security.moments import SHANGHAI

__all__ = ["Night", "find_due", "night_time", "read_night", "write_night"]

MAX_ATTEMPTS: Final = 2
_TIME: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_AHEAD: Final = timedelta(days=1)
"""A run that was begun so far in the future was begun by a clock that was wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """The last run by the clock."""

    begun_at: str
    """ISO 8601, UTC."""
    attempts: int = 1
    ended_at: str | None = None
    """None while it is at work, and where it was cut off."""
    run: int | None = None
    """Number of the run of the rules; None where there was none."""
    hits: int = 0
    new: int = 0
    gone: int = 0
    stopped: tuple[str, ...] = ()
    """Rules beyond their budget."""
    counted: int = 0
    """Measure sets and months counted anew."""
    topics: int = 0
    error: str = ""
    """Why it failed; empty where it did not."""


def night_time(text: str) -> time | None:
    """Read a time of day, wall clock of Asia/Shanghai; None where it is none.

    >>> night_time("01:30"), night_time("24:00")
    (datetime.time(1, 30), None)
    """
    found = _TIME.fullmatch(text)
    return time(int(found[1]), int(found[2])) if found else None


def find_due(last: Night | None, at: time, now: datetime, *, is_start: bool) -> int | None:
    """Tell whether a run is due.

    Args:
        last: The last one; None before the first.
        at: Time of day, wall clock of Asia/Shanghai.
        now: The time, aware.
        is_start: Whether the daemon was started since a run was last looked for.

    Returns:
        Which attempt at this night it would be, from 1; None where none is due.
    """
    local = now.astimezone(SHANGHAI)
    night = datetime.combine(local.date(), at, SHANGHAI)
    if night > local:
        night -= timedelta(days=1)
    begun = None if last is None else datetime.fromisoformat(last.begun_at)
    if last is None or begun is None or not night <= begun <= now + _AHEAD:
        return 1
    is_cut_off = last.ended_at is None and last.attempts < MAX_ATTEMPTS
    return last.attempts + 1 if is_cut_off and is_start else None


def write_night(night: Night) -> str:
    """Write a night as JSON.

    >>> read_night(write_night(Night(begun_at="2026-11-22T17:00:00+00:00"))).attempts
    1
    """
    return orjson.dumps(asdict(night)).decode()


def read_night(text: str | None) -> Night | None:
    """Read a night; None where there is none, or it is of another release."""
    try:
        fields: dict[str, Any] = orjson.loads(text or "")
        fields["stopped"] = tuple(fields["stopped"])
        night = Night(**fields)
        begun = datetime.fromisoformat(night.begun_at)
    except (ValueError, TypeError, KeyError):
        return None
    return night if begun.tzinfo is not None else None
