"""Rating periods (评价周期): half-years named ``2026H1``, and their windows.

Rules:
- H1 is January to June, H2 is July to December, all days Asia/Shanghai.
- The base (同期) of a period is the same half of the year before.
- Age windows are full years counted back from the day before the period.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from scoring_kernel.errors import PeriodError

MONTHS_PER_PERIOD: Final = 6
MAX_AGE: Final = 10
"""Oldest age window, years."""

_NAME: Final = re.compile(r"([0-9]{4})H([12])")
_FIRST_YEAR: Final = 1990
_LAST_YEAR: Final = 2199


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Period:
    """One half-year.

    >>> Period.parse("2026H1").months
    (202601, 202602, 202603, 202604, 202605, 202606)
    >>> Period.parse("2026H2").base().name
    '2025H2'
    """

    year: int
    half: int

    def __post_init__(self) -> None:
        """Refuse years and halves outside the calendar the system works with."""
        if not _FIRST_YEAR <= self.year <= _LAST_YEAR or self.half not in (1, 2):
            raise PeriodError(
                f"period {self.year}H{self.half}: expected a year from {_FIRST_YEAR} to "
                f"{_LAST_YEAR} and half 1 or 2, such as 2026H1"
            )

    @classmethod
    def parse(cls, text: str) -> Period:
        """Parse a name such as ``2026H1``.

        Raises:
            PeriodError: The text is anything else.
        """
        match = _NAME.fullmatch(text)
        if match is None:
            raise PeriodError(f"period {text[:20]!r}: expected a half-year such as 2026H1")
        return cls(year=int(match[1]), half=int(match[2]))

    @property
    def name(self) -> str:
        """Name, for example ``2026H1``."""
        return f"{self.year}H{self.half}"

    @property
    def months(self) -> tuple[int, ...]:
        """The six months as yyyymm, in order."""
        first = self.year * 100 + (self.half - 1) * MONTHS_PER_PERIOD + 1
        return tuple(range(first, first + MONTHS_PER_PERIOD))

    @property
    def first_day(self) -> date:
        """First day of the period."""
        return date(self.year, 1 if self.half == 1 else 7, 1)

    @property
    def last_day(self) -> date:
        """Last day of the period."""
        return date(self.year, 6, 30) if self.half == 1 else date(self.year, 12, 31)

    def base(self) -> Period:
        """Same half of the year before.

        Raises:
            PeriodError: The year before is outside the calendar.
        """
        return Period(year=self.year - 1, half=self.half)

    def prior(self) -> Period:
        """The half-year before.

        Raises:
            PeriodError: It is outside the calendar.

        >>> Period.parse("2026H1").prior().name, Period.parse("2026H2").prior().name
        ('2025H2', '2026H1')
        """
        return Period(year=self.year - (self.half == 1), half=3 - self.half)

    def age_window(self, age: int) -> tuple[date, date]:
        """The ``age``-th full year before the period's first day.

        Args:
            age: 1 for the year that ends the day before the period, up to ``MAX_AGE``.

        Returns:
            First and last day of that year.

        Raises:
            ValueError: ``age`` is outside 1..``MAX_AGE``.

        >>> first, last = Period.parse("2026H1").age_window(1)
        >>> first.isoformat(), last.isoformat()
        ('2025-01-01', '2025-12-31')
        """
        if not 1 <= age <= MAX_AGE:
            raise ValueError(f"age {age}: expected 1 to {MAX_AGE}")
        start = self.first_day
        first = date(start.year - age, start.month, 1)
        last = date(start.year - age + 1, start.month, 1) - timedelta(days=1)
        return first, last
