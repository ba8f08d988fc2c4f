"""How regularly something arrives, and whether it is late by its own rhythm.

Rule: what arrives on some days of a stretch is late when it has stayed away longer than it
ever did before in that stretch, and longer than its catalogue grants it (新鲜度). So a clinic
that closes on Sundays is not late on Mondays, and one admission a week is no gap.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Final

__all__ = ["Rhythm", "missing_days", "rhythm"]

LEAST_DAYS: Final = 3
"""Days of arrival below which there is no rhythm to speak of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """Arrivals of one thing."""

    last: date
    """Newest day."""
    away_days: int
    """Whole days since, today not counted; 0 when it came today or yesterday."""
    longest_before: int
    """Longest run of days without any, earlier in the stretch."""
    late: bool


def rhythm(days: Collection[date], today: date, freshness_days: int) -> Rhythm | None:
    """Judge arrivals by their own rhythm.

    Args:
        days: Days with at least one arrival; those after today are left out.
        today: The day at Shanghai.
        freshness_days: Days after its day by which a thing is owed.

    Returns:
        None when nothing arrived.

    >>> from datetime import timedelta
    >>> first = date(2026, 3, 2)
    >>> workdays = [first + timedelta(days=n) for n in (0, 1, 2, 3, 4, 7, 8)]
    >>> rhythm(workdays, date(2026, 3, 13), 1)
    Rhythm(last=datetime.date(2026, 3, 10), away_days=2, longest_before=2, late=False)
    >>> rhythm(workdays, date(2026, 3, 16), 1).late
    True
    """
    seen = sorted(day for day in set(days) if day <= today)
    if not seen:
        return None
    away = max((today - seen[-1]).days - 1, 0)
    longest = max(((after - before).days - 1 for before, after in pairwise(seen)), default=0)
    return Rhythm(
        last=seen[-1],
        away_days=away,
        longest_before=longest,
        late=len(seen) >= LEAST_DAYS and away > max(longest, freshness_days),
    )


def missing_days(days: Collection[date], others: Collection[date]) -> tuple[date, ...]:
    """Name the days between the first and the last arrival on which only others arrived.

    >>> a, b, c = (date(2026, 3, n) for n in (1, 2, 3))
    >>> missing_days({a, c}, {a, b, c})
    (datetime.date(2026, 3, 2),)
    """
    if not days:
        return ()
    first, last = min(days), max(days)
    return tuple(sorted(day for day in set(others) - set(days) if first < day < last))
