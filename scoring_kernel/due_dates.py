"""When an information item is due (报送时限): how often, and how long after.

Rules:
- A span is the half-year, year, quarter, month, week (Monday to Sunday) or day that a
  delivery is about. It is due some days after the span's last day.
- What is due on change has no date: nobody can tell that a change was not reported.
- A delivery is late from the day after its deadline. Days are Asia/Shanghai.

Source:
    How often comes from table 1 of Wenzhou's credit information catalogue (每半年); the
    days after are proposals.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scoring_kernel.periods import Period
    from scoring_kernel.yaml_section import Section

CHANGE: Final = "change"
"""Due when something changes, by no date."""
FREQUENCIES: Final[Mapping[str, str]] = {
    "year": "每年",
    "half_year": "每半年",
    "quarter": "每季度",
    "month": "每月",
    "week": "每周",
    "day": "每日",
    CHANGE: "变更时",
}
"""How often → the words of the catalogue's tables."""
MAX_DAYS_AFTER: Final = 366

_MONTHS: Final[Mapping[str, int]] = {"year": 12, "half_year": 6, "quarter": 3, "month": 1}
_ONE_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """How often an item is due, and how long after the span it is about."""

    every: str
    """One of ``FREQUENCIES``."""
    days_after: int
    """Days after the last day of the span; 0 for what is due on change."""

    def deadline(self, period: Period) -> date | None:
        """Give the last day on which a period's delivery is in time.

        Args:
            period: The rating period; the last span that ends in it or before it counts.

        Returns:
            The day; None where the item is due on change.

        >>> from scoring_kernel.periods import Period
        >>> Due(every="half_year", days_after=15).deadline(Period.parse("2026H1")).isoformat()
        '2026-07-15'
        """
        if self.every == CHANGE:
            return None
        after = period.last_day + _ONE_DAY
        last = self._first_day(after) - _ONE_DAY
        return last + timedelta(days=self.days_after)

    def next_deadline(self, day: date) -> date | None:
        """Give the first deadline on or after a day.

        Args:
            day: The day, Asia/Shanghai.

        Returns:
            The deadline; None where the item is due on change.

        >>> Due(every="month", days_after=10).next_deadline(date(2026, 3, 11)).isoformat()
        '2026-04-10'
        """
        if self.every == CHANGE:
            return None
        # The span whose deadline is sought ends no earlier than this day.
        least = day - timedelta(days=self.days_after)
        return self._last_day(least) + timedelta(days=self.days_after)

    def last_deadline(self, day: date) -> date | None:
        """Give the last deadline before a day: what should be here on that day.

        >>> Due(every="week", days_after=0).last_deadline(date(2026, 3, 15)).isoformat()
        '2026-03-08'
        """
        if self.every == CHANGE:
            return None
        least = day - timedelta(days=self.days_after)
        return self._first_day(least) - _ONE_DAY + timedelta(days=self.days_after)

    def _first_day(self, day: date) -> date:
        """Give the first day of the span that a day is in."""
        months = _MONTHS.get(self.every)
        if months is None:
            return day - timedelta(days=day.weekday() if self.every == "week" else 0)
        return date(day.year, (day.month - 1) // months * months + 1, 1)

    def _last_day(self, day: date) -> date:
        """Give the last day of the span that a day is in."""
        months = _MONTHS.get(self.every)
        first = self._first_day(day)
        if months is None:
            return first + timedelta(days=6 if self.every == "week" else 0)
        after = first.month - 1 + months
        return date(first.year + after // 12, after % 12 + 1, 1) - _ONE_DAY


def parse_due(document: Section) -> Due:
    """Read ``due`` of an information item, and hold it against the item's ``frequency``.

    Args:
        document: The item's file.

    Returns:
        When the item is due.

    Raises:
        CatalogError: A key is missing or unknown, or the two say different things.
    """
    section = document.section("due")
    section.refuse_unknown(("every", "days_after"))
    every = section.choice("every", FREQUENCIES)
    words = document.text("frequency", max_chars=20)
    if words != FREQUENCIES[every]:
        problem = f"due: every {every} is {FREQUENCIES[every]}, but frequency says {words}"
        raise document.error(f"{problem}: make them agree", "due")
    if every == CHANGE:
        if "days_after" in section.values:
            raise section.error("days_after: what is due on change has no day", "days_after")
        return Due(every=every, days_after=0)
    days_after = section.integer("days_after", least=0, most=MAX_DAYS_AFTER)
    return Due(every=every, days_after=days_after)
