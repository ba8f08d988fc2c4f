"""Formulas over the rows of a subject with their other keys: counts, concentration, extremes.

Each row is one combination of keys in one month.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scoring_kernel.parameters import MICRO
from scoring_kernel.supervision.outcomes import EMPTY
from scoring_kernel.supervision.spans import share_of
from scoring_kernel.supervision.values import quotient

if TYPE_CHECKING:
    from scoring_kernel.supervision.outcomes import Outcome
    from scoring_kernel.supervision.spans import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCount:
    """How many rows with a positive measure the subject has: one for each other key."""

    of: str

    @property
    def columns(self) -> tuple[str, ...]:
        """Measures it reads."""
        return (self.of,)

    def outcomes(self, span: Span) -> list[Outcome]:
        """A value per subject."""
        places, values = span.frame.rows(self.of, span.months)
        counts = Counter(places[values > 0].tolist())
        return [counts[at] * MICRO for at in range(len(span.frame.subjects))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Concentration:
    """Herfindahl index (HHI): the sum of the squared shares of the subject's rows."""

    of: str

    @property
    def columns(self) -> tuple[str, ...]:
        """Measures it reads."""
        return (self.of,)

    def outcomes(self, span: Span) -> list[Outcome]:
        """A value or a reason per subject."""
        places, values = span.frame.rows(self.of, span.months)
        totals, squares = ([0] * len(span.frame.subjects) for _ in range(2))
        for at, value in zip(places.tolist(), values.tolist(), strict=True):
            totals[at] += value
            squares[at] += value * value
        return [
            share_of(square, total * total if total > 0 else 0, EMPTY)
            for square, total in zip(squares, totals, strict=True)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Most:
    """The greatest of the sums by another key, ``/ divide``: of the days of each drug."""

    of: str
    by: str
    divide: int

    @property
    def columns(self) -> tuple[str, ...]:
        """Measures it reads."""
        return (self.of,)

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys it reads."""
        return (self.by,)

    def outcomes(self, span: Span) -> list[Outcome]:
        """A value per subject."""
        places, values = span.frame.rows(self.of, span.months)
        held = span.frame.keys(self.of.split(".")[0], self.by, span.months)
        sums: Counter[tuple[int, str]] = Counter()
        for at, key, value in zip(places.tolist(), held, values.tolist(), strict=True):
            sums[at, key] += value
        most = [0] * len(span.frame.subjects)
        for (at, _), total in sums.items():
            most[at] = max(most[at], total)
        return [quotient(one, self.divide) for one in most]


@dataclass(frozen=True, slots=True, kw_only=True)
class MostKeys:
    """The greatest number of different values of one key by another: of institutions by drug."""

    of: str
    by: str
    count: str

    @property
    def columns(self) -> tuple[str, ...]:
        """Measures it reads."""
        return (self.of,)

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys it reads."""
        return (self.by, self.count)

    def outcomes(self, span: Span) -> list[Outcome]:
        """A value per subject."""
        places, _ = span.frame.rows(self.of, span.months)
        name = self.of.split(".")[0]
        by, counted = (span.frame.keys(name, key, span.months) for key in self.keys)
        different = set(zip(places.tolist(), by, counted, strict=True))
        numbers = Counter((at, key) for at, key, _ in different)
        most = [0] * len(span.frame.subjects)
        for (at, _), number in numbers.items():
            most[at] = max(most[at], number)
        return [one * MICRO for one in most]
