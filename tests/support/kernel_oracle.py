"""The slow, obvious scorer: one subject at a time, in fractions, no numpy.

Written from the rules, not from the kernel's code: what both agree on is right.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from scoring_kernel.formulas import (
    Formula,
    GatedRatio,
    Growth,
    MeanOfRatios,
    Ratio,
    Scaled,
    Tally,
)
from scoring_kernel.indicators import MissingPolicy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from scoring_kernel.indicators import Indicator
    from scoring_kernel.model import RatingModel
    from scoring_kernel.reference import Reference
    from scoring_kernel.shapes import Threshold
    from tests.support.kernel_models import Subject

MICRO = 1_000_000
LIMIT = 10**15


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    values: list[int]
    missing: list[bool]
    provisional: list[bool]
    weights: list[int]
    points: list[int]
    total: int
    coverage: int
    grade: str


def half_up(value: Fraction) -> int:
    return math.floor(value + Fraction(1, 2))


def micro(value: Fraction) -> int:
    return max(-LIMIT, min(LIMIT, half_up(value * MICRO)))


def quotient(top: int | None, bottom: int | None) -> int | None:
    if top is None or bottom is None or bottom <= 0:
        return None
    return micro(Fraction(top, bottom))


def value_of(formula: Formula, inputs: Mapping[str, int], day: date) -> int | None:
    value: int | None = None
    match formula:
        case Ratio():
            value = quotient(inputs.get(formula.numerator), inputs.get(formula.denominator))
        case Scaled():
            value = quotient(inputs.get(formula.column), formula.divisor)
        case GatedRatio():
            value = gated(formula, inputs, day)
        case MeanOfRatios():
            value = mean(formula, inputs)
        case Tally():
            value = tally(formula, inputs, day)
        case Growth():
            value = growth(formula, inputs)
    return value


def gated(formula: GatedRatio, inputs: Mapping[str, int], day: date) -> int | None:
    gate, top, bottom = (inputs.get(column) for column in formula.columns)
    if gate is None:
        return None
    if gate <= 0:
        return 0
    if top is None or bottom is None:
        return None
    everything = bottom <= 0 or top >= bottom
    if everything and min(gate, MICRO) * MICRO >= formula.required.at(day):
        return MICRO
    share = MICRO if bottom <= 0 else within_one(quotient(top, bottom) or 0)
    return half_up(Fraction(share * formula.partial.at(day), MICRO))


def within_one(value: int) -> int:
    return max(0, min(MICRO, value))


def mean(formula: MeanOfRatios, inputs: Mapping[str, int]) -> int | None:
    found = [
        quotient(inputs.get(one.numerator), inputs.get(one.denominator)) for one in formula.ratios
    ]
    known = [within_one(value) for value in found if value is not None]
    return half_up(Fraction(sum(known), len(known))) if known else None


def tally(formula: Tally, inputs: Mapping[str, int], day: date) -> int | None:
    value = formula.start
    for term in formula.terms:
        if term.column not in inputs:
            return None
        count = max(0, min(MICRO, inputs[term.column]))
        value += formula.sign * count * formula.parameter.at(day, term.key)
    return max(-LIMIT, min(LIMIT, value))


def growth(formula: Growth, inputs: Mapping[str, int]) -> int | None:
    sides: list[int | None] = []
    for when in ("current", "base"):
        side = inputs.get(f"{formula.of}@{when}")
        if formula.over is not None:
            side = quotient(side, inputs.get(f"{formula.over}@{when}"))
        sides.append(side)
    now, before = sides
    return None if now is None or before is None else quotient(now - before, before)


def end_of(
    indicator: Indicator, end: Threshold, reference: Reference | None, day: date, who: Subject
) -> int | None:
    value = end.constant
    if end.parameter is not None:
        value = end.parameter.at(day, who.level if end.parameter.by == "level" else "")
    if end.peer is not None:
        if reference is None:
            return None
        for group in (f"level:{who.level}/type:{who.type}", f"level:{who.level}", "all"):
            value = reference.entries.get((indicator.id, end.peer, group))
            if value is not None:
                break
    if value is None:
        return None
    if end.plus is not None:
        value += end.plus.at(day, who.level if end.plus.by == "level" else "")
    return max(-MICRO * MICRO, min(MICRO * MICRO, value))


def shape_points(indicator: Indicator, value: int, zero: int, full: int) -> int:
    sign = 1 if indicator.shape.higher_is_better else -1
    if sign * (full - zero) <= 0:
        return indicator.weight_centi if sign * (value - full) >= 0 else 0
    share = Fraction(value - zero, full - zero)
    return half_up(indicator.weight_centi * max(Fraction(0), min(Fraction(1), share)))


def divide(total: int, weights: Sequence[int]) -> list[int]:
    """Largest remainder, ties to the earlier one."""
    if sum(weights) == 0:
        return [0] * len(weights)
    exact = [Fraction(total * weight, sum(weights)) for weight in weights]
    shares = [math.floor(one) for one in exact]
    order = sorted(range(len(weights)), key=lambda at: (-(exact[at] - shares[at]), at))
    for at in order[: total - sum(shares)]:
        shares[at] += 1
    return shares


def weights_of(model: RatingModel, excluded: Sequence[bool]) -> list[int]:
    kept = [
        0 if out else one.weight_centi for out, one in zip(excluded, model.indicators, strict=True)
    ]
    alive = {
        name
        for weight, one in zip(kept, model.indicators, strict=True)
        if weight
        for name in (one.level1.id, one.level2.id)
    }
    tops = [group for group in model.groups if group.parent is None]
    result = [0] * len(kept)
    shares = divide(
        model.total_centi, [group.weight_centi if group.id in alive else 0 for group in tops]
    )
    for top, share in zip(tops, shares, strict=True):
        inner = [group for group in model.groups if group.parent == top.id]
        parts = divide(share, [one.weight_centi if one.id in alive else 0 for one in inner])
        for group, part in zip(inner, parts, strict=True):
            at = [i for i, one in enumerate(model.indicators) if one.level2.id == group.id]
            for place, weight in zip(at, divide(part, [kept[i] for i in at]), strict=True):
                result[place] = weight
    return result


def score_one(
    model: RatingModel, subject: Subject, reference: Reference | None, day: date
) -> Scored:
    values: list[int] = []
    missing: list[bool] = []
    provisional: list[bool] = []
    points: list[int] = []
    for one in model.indicators:
        value = value_of(one.derivation, subject.inputs, day)
        zero = end_of(one, one.shape.zero, reference, day, subject)
        full = end_of(one, one.shape.full, reference, day, subject)
        provisional.append(value is not None and (zero is None or full is None))
        if value is None or zero is None or full is None:
            missing.append(True)
            values.append(0)
            points.append(one.weight_centi if one.missing is MissingPolicy.FULL else 0)
        else:
            missing.append(False)
            values.append(value)
            points.append(shape_points(one, value, zero, full))
    weights = weights_of(
        model,
        [
            out and one.missing is MissingPolicy.EXCLUDE
            for out, one in zip(missing, model.indicators, strict=True)
        ],
    )
    points = [
        half_up(Fraction(point * weight, one.weight_centi))
        for point, weight, one in zip(points, weights, model.indicators, strict=True)
    ]
    coverage = sum(
        one.weight_centi for out, one in zip(missing, model.indicators, strict=True) if not out
    )
    total = sum(points)
    grade = next(band.id for band in model.bands if total >= band.at_least_centi)
    return Scored(
        values=values,
        missing=missing,
        provisional=provisional,
        weights=weights,
        points=points,
        total=total,
        coverage=coverage,
        grade=grade if coverage >= model.min_coverage else "not_rated",
    )
