"""Moments on the wire: milliseconds since the Unix epoch, UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

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
