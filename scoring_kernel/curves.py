"""Curves (得分曲线的数值形式): a shape on one day for one peer group, in whole numbers.

Rules:
- A shape names parameters and peer statistics; a curve has their numbers in it. Two
  subjects of the same peer group have the same curves.
- A statistic beyond ``threshold_limit`` counts as no statistic: with it the arithmetic
  would not be exact. Without a statistic there is no curve.
- Points are rounded half up once, in hundredths of a point.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, TypeVar, assert_never

from scoring_kernel.arithmetic import PerGroup, by_group, half_up_int, per_group
from scoring_kernel.shapes import (
    MAD,
    MAD_SCALE_E4,
    MEDIAN,
    SHARE_E4,
    BooleanShape,
    LinearShape,
    RobustZShape,
    Side,
    StepShape,
    threshold_limit,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

    from scoring_kernel.indicators import Indicator
    from scoring_kernel.ops import Ops
    from scoring_kernel.shapes import Threshold

N = TypeVar("N")
F = TypeVar("F")


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearCurve:
    """Points rise linearly from ``zero`` to ``full``, which differ.

    Attributes:
        zero: Value that earns nothing, millionths.
        full: Value that earns everything, millionths; below ``zero`` where lower is better.
    """

    zero: int
    full: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DistanceCurve:
    """Points fall linearly with the distance from a centre, on both sides.

    Attributes:
        centre: Median of the peers, millionths.
        full: Distance up to which everything is earned, millionths.
        zero: Distance from which on nothing is earned, millionths, above ``full``.
    """

    centre: int
    full: int
    zero: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCurve:
    """Points of the first step that is reached, from the best downwards.

    Attributes:
        higher_is_better: Whether a step is reached from below.
        at: Value of each step, millionths.
        points: Points of each step, hundredths.
        rest: Points where no step is reached, hundredths.
    """

    higher_is_better: bool
    at: tuple[int, ...]
    points: tuple[int, ...]
    rest: int


Curve: TypeAlias = LinearCurve | DistanceCurve | StepCurve


def curve_of(
    indicator: Indicator, day: date, level: str, statistic: Callable[[str], int | None]
) -> Curve | None:
    """Curve of an indicator for one peer group.

    Args:
        indicator: The indicator.
        day: Day for which parameters are read.
        level: Level of the peer group.
        statistic: Value of a statistic of the group in millionths, None where there is none.

    Returns:
        The curve; None where a statistic is missing or out of bounds.

    Raises:
        ParameterNotInForceError: A parameter has no value on that day.
    """
    shape, weight = indicator.shape, indicator.weight_centi
    limit = threshold_limit(weight)

    def known(name: str) -> int | None:
        found = statistic(name)
        return found if found is not None and abs(found) <= limit else None

    def at(threshold: Threshold) -> int | None:
        peer = None if threshold.peer is None else known(threshold.peer)
        found = threshold.at(day, level, peer)
        return found if found is not None and abs(found) <= limit else None

    match shape:
        case LinearShape():
            zero, full = at(shape.zero), at(shape.full)
            if zero is None or full is None:
                return None
            return _linear(zero, full, higher_is_better=shape.higher_is_better)
        case StepShape():
            ends = [at(step.at) for step in shape.steps]
            return _steps(shape, ends, weight)
        case RobustZShape():
            return _robust(shape, known(MEDIAN), statistic(MAD), at(shape.least_spread), limit)
        case BooleanShape():
            end = 1 if shape.good else 0
            return StepCurve(higher_is_better=shape.good, at=(end,), points=(weight,), rest=0)
        case _:  # pragma: no cover - the type checker proves the list complete
            assert_never(shape)


def _linear(zero: int, full: int, *, higher_is_better: bool) -> LinearCurve:
    """A line; where its ends do not leave a range, a step at ``full``."""
    if higher_is_better:
        return LinearCurve(zero=min(zero, full - 1), full=full)
    return LinearCurve(zero=max(zero, full + 1), full=full)


def _steps(shape: StepShape, ends: Sequence[int | None], weight: int) -> StepCurve | None:
    at = tuple(end for end in ends if end is not None)
    if len(at) < len(ends):
        return None
    return StepCurve(
        higher_is_better=shape.higher_is_better,
        at=at,
        points=tuple(half_up_int(weight * step.share_e4, SHARE_E4) for step in shape.steps),
        rest=half_up_int(weight * shape.rest_e4, SHARE_E4),
    )


def _robust(
    shape: RobustZShape, centre: int | None, mad: int | None, least: int | None, limit: int
) -> Curve | None:
    if centre is None or mad is None or least is None:
        return None
    spread = max(MAD_SCALE_E4 * mad, 10_000 * least)
    full, zero = (
        half_up_int(spread * deviations, 10_000 * 100)
        for deviations in (shape.full_centi, shape.zero_centi)
    )
    zero = max(zero, full + 1)
    if zero > limit:
        return None
    match shape.side:
        case Side.ABOVE:
            return LinearCurve(zero=centre + zero, full=centre + full)
        case Side.BELOW:
            return LinearCurve(zero=centre - zero, full=centre - full)
        case Side.BOTH:
            return DistanceCurve(centre=centre, full=full, zero=zero)
        case _:  # pragma: no cover - the type checker proves the list complete
            assert_never(shape.side)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearTable:
    """Linear curves of all peer groups, with what is constant taken together.

    Points are ``(slope * x + offset) / span``, where x is the value kept within low and
    high: ``weight * |x - zero| / span`` rounded half up. Inside ``threshold_limit`` every
    part of it stays below 2**53.
    """

    low: PerGroup
    high: PerGroup
    slope: int
    offset: PerGroup
    span: PerGroup

    @classmethod
    def of(cls, curves: Sequence[LinearCurve], weight: int) -> LinearTable:
        """Put the curves of all peer groups together; all run the same way."""
        slope = weight if curves[0].full > curves[0].zero else -weight
        spans = [abs(one.full - one.zero) for one in curves]
        return cls(
            low=per_group([min(one.zero, one.full) for one in curves]),
            high=per_group([max(one.zero, one.full) for one in curves]),
            slope=slope,
            offset=per_group(
                [span // 2 - slope * one.zero for one, span in zip(curves, spans, strict=True)]
            ),
            span=per_group(spans),
        )

    def points(self, ops: Ops[N, F], value: N, group: N) -> N:
        """Points of some rows."""
        low, high = by_group(ops, group, self.low), by_group(ops, group, self.high)
        inside = ops.clamp(value, low, high)
        offset, span = by_group(ops, group, self.offset), by_group(ops, group, self.span)
        return ops.line(inside, ops.number(self.slope), offset, span)


@dataclass(frozen=True, slots=True, kw_only=True)
class DistanceTable:
    """Distance curves of all peer groups: a line over the distance from a centre."""

    low: PerGroup
    high: PerGroup
    centre: PerGroup
    line: LinearTable

    @classmethod
    def of(cls, curves: Sequence[DistanceCurve], weight: int) -> DistanceTable:
        """Put the curves of all peer groups together."""
        return cls(
            low=per_group([one.centre - one.zero for one in curves]),
            high=per_group([one.centre + one.zero for one in curves]),
            centre=per_group([one.centre for one in curves]),
            line=LinearTable.of(
                [LinearCurve(zero=one.zero, full=one.full) for one in curves], weight
            ),
        )

    def points(self, ops: Ops[N, F], value: N, group: N) -> N:
        """Points of some rows."""
        low, high = by_group(ops, group, self.low), by_group(ops, group, self.high)
        centre = by_group(ops, group, self.centre)
        inside = ops.clamp(value, low, high)
        distance = ops.maximum(ops.sub(inside, centre), ops.sub(centre, inside))
        return self.line.points(ops, distance, group)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTable:
    """Step curves of all peer groups; steps differ in where they are, not in points."""

    higher_is_better: bool
    at: tuple[PerGroup, ...]
    steps: tuple[int, ...]
    rest: int

    @classmethod
    def of(cls, curves: Sequence[StepCurve]) -> StepTable:
        """Put the curves of all peer groups together."""
        first = curves[0]
        return cls(
            higher_is_better=first.higher_is_better,
            at=tuple(per_group(at) for at in zip(*(one.at for one in curves), strict=True)),
            steps=first.points,
            rest=first.rest,
        )

    def points(self, ops: Ops[N, F], value: N, group: N) -> N:
        """Points of some rows."""
        found = ops.number(self.rest)
        for numbers, points in zip(reversed(self.at), reversed(self.steps), strict=True):
            at = by_group(ops, group, numbers)
            reached = ops.at_least(value, at) if self.higher_is_better else ops.at_least(at, value)
            found = ops.where(reached, ops.number(points), found)
        return found


Table: TypeAlias = LinearTable | DistanceTable | StepTable


def table_of(curves: Sequence[Curve | None], weight: int) -> Table | None:
    """Put the curves of all peer groups together.

    Args:
        curves: Curve of each peer group, of one kind; None where there is none, and some
            other group's curve stands in, without meaning.
        weight: Weight, hundredths of a point.

    Returns:
        The table; None where no group has a curve.
    """
    lines = [one for one in curves if isinstance(one, LinearCurve)]
    if lines:
        every = [one if isinstance(one, LinearCurve) else lines[0] for one in curves]
        return LinearTable.of(every, weight)
    distances = [one for one in curves if isinstance(one, DistanceCurve)]
    if distances:
        around = [one if isinstance(one, DistanceCurve) else distances[0] for one in curves]
        return DistanceTable.of(around, weight)
    stairs = [one for one in curves if isinstance(one, StepCurve)]
    if stairs:
        return StepTable.of([one if isinstance(one, StepCurve) else stairs[0] for one in curves])
    return None
