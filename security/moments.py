"""Moments on the wire: milliseconds since the Unix epoch, UTC. Days are those of Asia/Shanghai."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
"""The zone in which days are counted."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def to_ms(moment: datetime) -> int:
    """A UTC-aware moment as milliseconds since the epoch, rounded down.

    Raises:
        TypeError: The moment has no time zone.

    >>> to_ms(datetime(1970, 1, 2, tzinfo=UTC))
    86400000
    """
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def to_text(at_ms: int) -> str:
    """Milliseconds since the epoch as ISO 8601 in UTC, to the second.

    >>> to_text(86_400_000)
    '1970-01-02T00:00:00+00:00'
    """
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds")


def shanghai_day(at_ms: int) -> date:
    """Day in Shanghai of a moment in milliseconds since the epoch, UTC.

    >>> shanghai_day(16 * 3_600_000)
    datetime.date(1970, 1, 2)
    """
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(SHANGHAI).date()


def day_number(day: date) -> int:
    """A day as yyyymmdd.

    >>> day_number(date(2026, 3, 1))
    20260301
    """
    return day.year * 10_000 + day.month * 100 + day.day
