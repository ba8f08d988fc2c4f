"""Formulas of base indicators (基础指标公式): the closed list of ways from measures to a value.

Rules:
- A formula is data: its kind and the measures it names as ``set.measure``. Several measures
  after ``of`` or ``per`` are added up. There are no expressions in the catalogue.
- Every value is whole millionths of its unit, or a reason in words; see ``outcomes``.
- ``when`` names a measure that must be positive for there to be a value, or with ``none`` one
  that must be 0, and says why not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from scoring_kernel.parameters import MICRO
from scoring_kernel.supervision.outcomes import (
    EMPTY,
    NO_BASE,
    NO_RECORDS,
    NOT_COUNTED,
    NOT_STATED,
    Outcome,
    Reason,
)
from scoring_kernel.supervision.row_formulas import Concentration, Most, MostKeys, RowCount
from scoring_kernel.supervision.spans import Span, share_of
from scoring_kernel.supervision.values import evenness, quotient, root

NO_GROWTH: Final = Reason(
    zh="总额没有增长，无从分摊", en="the total did not grow: nothing to share"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """``of / divide``."""

    of: tuple[str, ...]
    divide: int

    @property
    def columns(self) -> tuple[str, ...]:
        """Measures it reads; who has the last one has a value."""
        return self.of

    def outcomes(self, span: Span) -> list[Outcome]:
        """A value per subject."""
        return [quotient(one, self.divide) for one in span.sums(self.of)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """``of * times / (per * divide)``; ``empty`` where what it is divided by is not positive."""

    of: tuple[str, ...]
    per: tuple[str, ...]
    times: int
    divide: int
    empty: Reason

    @property
    def columns(self) -> tuple[str, ...]:
        """Measures it reads: of hits per visit, whoever had a visit has a value."""
        return (*self.of, *self.per)

    def outcomes(self, span: Span) -> list[Outcome]:
        """A value or a reason per subject."""
        return [
            share_of(top * self.times, bottom * self.divide, self.empty)
            for top, bottom in zip(span.sums(self.of), span.sums(self.per), strict=True)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class SquaredShares:
    """The same from a sum of squares that was counted: ``squares / total²``."""

    squares: str
    total: str

    @property
    def columns(self) -> tuple[str, ...]:
        """Measures it reads."""
        return (self.squares, self.total)

    def outcomes(self, span: Span) -> list[Outcome]:
        """A value or a reason per subject."""
        return [
            share_of(top, bottom * bottom, EMPTY)
            for top, bottom in zip(span.sums([self.squares]), span.sums([self.total]), strict=True)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Variation:
    """Coefficient of variation of ``count`` numbers, of the population; or one less it.

    ``sqrt(count * squares - total²) / total``.
    """

    count: str
    total: str
    squares: str
    is_likeness: bool

    @property
    def columns(self) -> tuple[str, ...]:
        """Measures it reads."""
        return (self.squares, self.total, self.count)

    def outcomes(self, span: Span) -> list[Outcome]:
        """A value or a reason per subject."""
        measured = zip(*(span.sums([column]) for column in self.columns), strict=True)
        return [
            EMPTY if total <= 0 else self._of(max(count * squares - total * total, 0), total)
            for squares, total, count in measured
        ]

    def _of(self, spread: int, total: int) -> int:
        found = root(spread, total * total)
        return MICRO - found if self.is_likeness else found


@dataclass(frozen=True, slots=True, kw_only=True)
class Regularity:
    """One less the evenness (normalised entropy) of a histogram."""

    bins: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Measures it reads."""
        return self.bins

    def outcomes(self, span: Span) -> list[Outcome]:
        """A value or a reason per subject."""
        counted = zip(*(span.sums([column]) for column in self.bins), strict=True)
        return [MICRO - evenness(one) if sum(one) > 0 else EMPTY for one in counted]


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowthShare:
    """What the subject adds to the growth of all: its change over the sum of all changes."""

    of: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Measures it reads."""
        return self.of

    def outcomes(self, span: Span) -> list[Outcome]:
        """A value or a reason per subject."""
        sets = {column.split(".")[0] for column in self.of}
        if not span.previous or not span.frame.is_counted(sets, span.previous):
            return [NO_BASE] * len(span.frame.subjects)
        pairs = zip(span.sums(self.of), span.before().sums(self.of), strict=True)
        changes = [now - before for now, before in pairs]
        return [share_of(change, sum(changes), NO_GROWTH) for change in changes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """Robust z among the peers of a share: its outcomes are those of the share."""

    share: Share

    @property
    def columns(self) -> tuple[str, ...]:
        """Measures it reads."""
        return self.share.columns

    def outcomes(self, span: Span) -> list[Outcome]:
        """What is compared among peers, per subject."""
        return self.share.outcomes(span)


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """No number: nobody has the inputs."""

    reason: Reason

    @property
    def columns(self) -> tuple[str, ...]:
        """Measures it reads: none."""
        return ()

    def outcomes(self, span: Span) -> list[Outcome]:
        """The reason, for every subject."""
        return [self.reason] * len(span.frame.subjects)


Formula: TypeAlias = (
    Quantity
    | Share
    | RowCount
    | Concentration
    | SquaredShares
    | Variation
    | Regularity
    | GrowthShare
    | Deviation
    | Most
    | MostKeys
    | Nothing
)
"""Every kind of formula."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """A measure that must be positive, or must be 0, and what is said where it is not."""

    column: str
    is_none: bool
    """Whether it must be 0: a count of what is not known."""
    reason: Reason

    def is_shut(self, measured: int) -> bool:
        """Tell whether there is no value."""
        return measured != 0 if self.is_none else measured <= 0


def outcomes_of(formula: Formula, gate: Gate | None, span: Span) -> list[Outcome]:
    """Derive one base indicator of every subject of a span.

    Args:
        formula: The indicator's formula.
        gate: What must be positive.
        span: Subjects and months.

    Returns:
        A value or a reason per subject, in the frame's order.
    """
    if not formula.columns:
        return formula.outcomes(span)
    named = (*formula.columns, *(() if gate is None else (gate.column,)))
    sets = {one.split(".")[0] for one in named}
    if not span.months or not span.frame.is_counted(sets, span.months):
        return [NOT_COUNTED] * len(span.frame.subjects)
    unstated = span.frame.unstated(sets, span.months)
    here = span.frame.present(formula.columns[-1].split(".")[0], span.months)
    opened = None if gate is None else span.sums([gate.column])
    found = formula.outcomes(span)
    for at in range(len(found)):
        if at in unstated:
            found[at] = NOT_STATED
        elif not here[at]:
            found[at] = NO_RECORDS
        elif gate is not None and opened is not None and gate.is_shut(opened[at]):
            found[at] = gate.reason
    return found
