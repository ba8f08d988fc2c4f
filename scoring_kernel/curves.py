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

from scoring_kernel.arithmetic import by_group, clamp, half_up_int
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


def points_of(ops: Ops[N, F], curves: Sequence[Curve | None], weight: int, value: N, group: N) -> N:
    """Points of some rows.

    Args:
        ops: Backend.
        curves: Curve of each peer group, all of one kind; None where there is none.
        weight: Weight, hundredths of a point.
        value: Values, millionths.
        group: Peer group of each row.

    Returns:
        Hundredths of a point, 0 to the weight; without meaning where there is no curve.
    """
    lines = [one for one in curves if isinstance(one, LinearCurve)]
    if lines:
        full_curves = [one if isinstance(one, LinearCurve) else lines[0] for one in curves]
        return _linear_points(ops, full_curves, weight, value, group)
    distances = [one for one in curves if isinstance(one, DistanceCurve)]
    if distances:
        around = [one if isinstance(one, DistanceCurve) else distances[0] for one in curves]
        return _distance_points(ops, around, weight, value, group)
    stairs = [one for one in curves if isinstance(one, StepCurve)]
    if stairs:
        every = [one if isinstance(one, StepCurve) else stairs[0] for one in curves]
        return _step_points(ops, every, value, group)
    return ops.number(0)


def _linear_points(
    ops: Ops[N, F], curves: Sequence[LinearCurve], weight: int, value: N, group: N
) -> N:
    low = by_group(ops, group, [min(one.zero, one.full) for one in curves])
    high = by_group(ops, group, [max(one.zero, one.full) for one in curves])
    # (2 * weight * |x - zero| + span) / (2 * span), with what is constant taken together.
    slope = 2 * weight if curves[0].full > curves[0].zero else -2 * weight
    offset = by_group(ops, group, [abs(one.full - one.zero) - slope * one.zero for one in curves])
    divisor = by_group(ops, group, [2 * abs(one.full - one.zero) for one in curves])
    inside = clamp(ops, value, low, high)
    top = ops.add(ops.mul(inside, ops.number(slope)), offset)
    return ops.floor_div(top, divisor)


def _distance_points(
    ops: Ops[N, F], curves: Sequence[DistanceCurve], weight: int, value: N, group: N
) -> N:
    low = by_group(ops, group, [one.centre - one.zero for one in curves])
    high = by_group(ops, group, [one.centre + one.zero for one in curves])
    centre = by_group(ops, group, [one.centre for one in curves])
    inside = clamp(ops, value, low, high)
    distance = ops.maximum(ops.sub(inside, centre), ops.sub(centre, inside))
    lines = [LinearCurve(zero=one.zero, full=one.full) for one in curves]
    return _linear_points(ops, lines, weight, distance, group)


def _step_points(ops: Ops[N, F], curves: Sequence[StepCurve], value: N, group: N) -> N:
    first = curves[0]
    found = ops.number(first.rest)
    for place in reversed(range(len(first.at))):
        at = by_group(ops, group, [one.at[place] for one in curves])
        reached = ops.at_least(value, at) if first.higher_is_better else ops.at_least(at, value)
        found = ops.where(reached, ops.number(first.points[place]), found)
    return found
