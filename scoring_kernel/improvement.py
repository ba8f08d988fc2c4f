"""Improvement (改进空间): how far a subject can still move an indicator, and at what effort.

Rules:
- An indicator without this entry cannot be influenced: a penalty stays a penalty.
- A value moves towards the good end of its shape: up, down, or towards the peers' median. It
  moves by at most ``by`` within a whole period, and never beyond ``to``.
- The effort is a small whole number that compares indicators with each other; it is a
  proposal of the model's author and decides nothing but an order of advice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scoring_kernel.cheapest_sets import MAX_EFFORT
from scoring_kernel.parameters import MICRO, micro_of
from scoring_kernel.shapes import BooleanShape, LinearShape, RobustZShape, Side, StepShape

if TYPE_CHECKING:
    from fractions import Fraction

    from scoring_kernel.shapes import Shape, Threshold
    from scoring_kernel.yaml_section import Section

KEYS: Final = ("by", "to", "effort")


@dataclass(frozen=True, slots=True, kw_only=True)
class Improvement:
    """How far an indicator can be moved.

    Attributes:
        by: Most it moves in a whole period, millionths, positive; None for any distance.
        to: Value beyond which it does not move, millionths; None for none.
        effort: Effort of moving it, 1 to ``MAX_EFFORT``.
    """

    by: int | None
    to: int | None
    effort: int

    def reach(self, value: int, shape: Shape, median: int | None, remaining: Fraction) -> int:
        """Best value still reachable.

        Args:
            value: Value now, millionths.
            shape: The indicator's shape; it tells which way is good.
            median: Median of the peers, millionths; None where there is none.
            remaining: Share of the period that is left, 0 to 1.

        Returns:
            Millionths; the value itself where it cannot get better.
        """
        goal = _goal(value, shape, median)
        if goal == value:
            return value
        up = goal > value
        if self.to is not None:
            goal = min(goal, self.to) if up else max(goal, self.to)
        if self.by is not None:
            step = int(self.by * remaining)
            goal = min(goal, value + step) if up else max(goal, value - step)
        return max(goal, value) if up else min(goal, value)


_FAR: Final = 9_000_000_000 * MICRO // 10
"""Farther than any threshold: the good end of a shape that has no end."""


def _goal(value: int, shape: Shape, median: int | None) -> int:
    match shape:
        case LinearShape() | StepShape():
            return _FAR if shape.higher_is_better else -_FAR
        case BooleanShape():
            return max(value, MICRO) if shape.good else min(value, 0)
        case RobustZShape():
            if median is None:
                return value
            if shape.side is Side.ABOVE:
                return min(value, median)
            return max(value, median) if shape.side is Side.BELOW else median


def parse_improvement(section: Section, shape: Shape) -> Improvement:
    """Parse the ``improve`` of an indicator.

    Args:
        section: The mapping.
        shape: The indicator's shape.

    Raises:
        CatalogError: A part is unknown or out of bounds, nothing bounds the way, or the way
            ends where nothing is earned.
    """
    section.refuse_unknown(KEYS)
    by = micro_of(section, "by") if "by" in section.values else None
    to = micro_of(section, "to") if "to" in section.values else None
    if by is not None and by <= 0:
        raise section.error("by: expected a distance above 0", "by")
    if by is None and to is None and isinstance(shape, LinearShape | StepShape):
        raise section.error("improve: expected at least one of by and to")
    if to is not None and not _improves(to, shape):
        raise section.error(
            "to: a value there is no better than one that earns nothing: name one on the good side",
            "to",
        )
    return Improvement(by=by, to=to, effort=section.integer("effort", least=1, most=MAX_EFFORT))


def _improves(to: int, shape: Shape) -> bool:
    """Whether a value may be better than the end of a shape that earns nothing.

    Where that end is a statistic of the peers, nobody knows before the day.
    """
    match shape:
        case LinearShape():
            worst, reached = _amounts(shape.zero), False
        case StepShape():
            worst, reached = _amounts(shape.steps[-1].at), True
        case _:
            return True
    if not worst or (reached and to in worst):
        return True
    return to > min(worst) if shape.higher_is_better else to < max(worst)


def _amounts(end: Threshold) -> set[int]:
    """Every amount an end can have; none where it depends on the peers."""
    if end.constant is not None:
        return {end.constant}
    if end.parameter is None or end.plus is not None:
        return set()
    return {amount for value in end.parameter.values for amount in (value.amounts or {}).values()}
