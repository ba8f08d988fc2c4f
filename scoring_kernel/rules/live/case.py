"""One encounter before one rule: what a live form (实时形式) reads, and the hits it gives.

Rules:
- A form says of one encounter what the rule's SQL says of it in the records, once it is settled:
  the same groups, amounts and lines. It reads nothing but its case.
- Lines of the encounter and of the past are held side by side as ``Used``; only the encounter's
  own orders can make a hit, and only with an order that is being made now among them.
- A form that lacks what it needs raises ``NotJudgedError``: it never guesses.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from scoring_kernel.errors import KernelError
from scoring_kernel.rules.live.encounter import DAY_S, Encounter, Order, date_of
from scoring_kernel.rules.rule import VIOLATING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from scoring_kernel.rules.live.knowledge import KnowledgeIndex
    from scoring_kernel.rules.live.known import Known
    from scoring_kernel.rules.live.past import PastLine
    from scoring_kernel.rules.rule import Value

__all__ = [
    "Case",
    "Form",
    "Hit",
    "HitLine",
    "NotJudgedError",
    "Used",
    "day_text",
    "divided",
    "hour_of",
    "item_hits",
    "shown",
]


class NotJudgedError(KernelError):
    """A live form lacks what it needs; the text says what."""


class HitLine(NamedTuple):
    """A line of a hit."""

    order: Order | None
    """The encounter's order; None for a line of the past."""
    past: PastLine | None
    role: int
    """``VIOLATING`` or ``INVOLVED``."""
    amount_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """What a form found."""

    key: str | None
    at: int
    amount_fen: int
    lines: tuple[HitLine, ...] = field(default=(), repr=False)
    words: str = field(default="", repr=False)
    """What to tell of it (违规内容)."""


class Used(NamedTuple):
    """A line of the encounter or of the past."""

    line: Order | PastLine
    order: Order | None
    institution: str
    visit: int
    inpatient: bool
    begins_at: int | None
    ends_at: int | None

    def of_hit(self, role: int, amount_fen: int = 0) -> HitLine:
        """Make it a line of a hit."""
        past = None if self.order is not None else self.line
        return HitLine(self.order, past, role, amount_fen)  # type: ignore[arg-type]  # a past line


@dataclass(slots=True, kw_only=True)
class Case:
    """What a form reads."""

    encounter: Encounter
    known: Known | None
    """None where nothing can be known."""
    knowledge: KnowledgeIndex
    values: Mapping[str, Value] = field(default_factory=dict)
    """Parameters in force, of the rule that is asked."""
    _own: list[Used] | None = field(default=None, repr=False)
    _used: list[Used] | None = field(default=None, repr=False)

    @property
    def orders(self) -> tuple[Order, ...]:
        """The encounter's orders."""
        return self.encounter.orders

    def need(self) -> Known:
        """What is known.

        Raises:
            NotJudgedError: Nothing can be known.
        """
        if self.known is None:
            raise NotJudgedError("the live state is not ready")
        return self.known

    def whole(self, name: str) -> int:
        """A parameter that is a whole number."""
        value = self.values[name]
        if not isinstance(value, int):
            raise TypeError(f"parameter {name} is no whole number")
        return value

    def codes(self, name: str) -> tuple[str, ...]:
        """A parameter that is a list of codes."""
        value = self.values[name]
        if not isinstance(value, tuple):
            raise TypeError(f"parameter {name} is no list of codes")
        return value

    def own(self) -> list[Used]:
        """The encounter's orders as lines."""
        if self._own is None:
            one = self.encounter
            visit = 0 if self.known is None else self.known.visit
            self._own = [
                Used(
                    order, order, one.institution, visit, one.inpatient, one.begins_at, one.ends_at
                )
                for order in one.orders
            ]
        return self._own

    def used(self) -> list[Used]:
        """The encounter's orders and the person's lines of the past, of all institutions.

        Raises:
            NotJudgedError: The past cannot be known.
        """
        if self._used is None:
            past = [
                Used(
                    line,
                    None,
                    visit.institution,
                    visit.visit,
                    visit.inpatient,
                    visit.admitted_at,
                    visit.discharged_at,
                )
                for visit in self.need().visits
                for line in visit.lines
            ]
            self._used = self.own() + past
        return self._used


Form = Callable[[Case], Iterable[Hit]]
"""A live form."""


def item_hits(lines: Iterable[tuple[Order, int]], words: Callable[[Order], str]) -> Iterator[Hit]:
    """Make one hit of the violating orders of each item.

    Args:
        lines: Orders, each with its amount in fen.
        words: What to tell of an item by its first order.
    """
    groups: dict[str, list[HitLine]] = defaultdict(list)
    for order, amount_fen in lines:
        groups[order.item_code].append(HitLine(order, None, VIOLATING, amount_fen))
    for item, found in groups.items():
        orders = [line.order for line in found if line.order is not None]
        if any(order.is_current for order in orders):
            yield Hit(
                key=item,
                at=min(order.at for order in orders),
                amount_fen=sum(line.amount_fen for line in found),
                lines=tuple(found),
                words=words(orders[0]),
            )


def shown(order: Order) -> str:
    """Name an order in words: 【名称】."""
    return f"【{order.name or order.item_code}】"


def divided(value: int, by: int) -> int:
    """Divide as the rules' SQL does: towards zero.

    >>> divided(7, 2), divided(-7, 2)
    (3, -3)
    """
    found = abs(value) // abs(by)
    return found if (value >= 0) == (by > 0) else -found


def day_text(day: int) -> str:
    """Write a day as the keys of hits do.

    >>> day_text(0)
    '1970-01-01'
    """
    return date_of(day).isoformat()


def hour_of(at: int) -> int:
    """Hour of the day."""
    return at % DAY_S // 3600
