"""The slow, obvious scorer: one subject at a time, in fractions, no numpy.

Written from the rules, not from the kernel's code: what both agree on is right.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from scoring_kernel.indicators import MissingPolicy
from scoring_kernel.shapes import BooleanShape, LinearShape, RobustZShape, Shape, Side, StepShape
from tests.support.kernel_oracle_values import MICRO, OutOfRangeError, half_up, value_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from scoring_kernel.indicators import Indicator
    from scoring_kernel.model import RatingModel
    from scoring_kernel.overrides import Override
    from scoring_kernel.reference import Reference
    from scoring_kernel.shapes import Threshold
    from tests.support.kernel_models import Subject

MOST_SHRUNK = 1_000_000 * MICRO


class NoStatisticError(Exception):
    """A peer statistic is missing or cannot be compared with exactly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    values: list[int]
    missing: list[bool]
    provisional: list[bool]
    out_of_range: list[bool]
    shrunk: list[bool]
    weights: list[int]
    points: list[int]
    total: int
    coverage: int
    overridden: list[bool]
    undetermined: list[bool]
    earned: str
    grade: str


def statistic(
    indicator: Indicator, name: str, reference: Reference | None, who: Subject
) -> int | None:
    """The narrowest group of peers that has the statistic."""
    narrow = f"level:{who.level}/type:{who.type}"
    for group in (narrow, f"level:{who.level}", f"type:{who.type}", "all"):
        if reference is not None and (indicator.id, name, group) in reference.entries:
            return reference.entries[indicator.id, name, group]
    return None


def shrunk_value(
    one: Indicator, value: int, reference: Reference | None, who: Subject
) -> tuple[int, bool]:
    if one.shrink is None:
        return value, False
    cases = max(0, min(one.shrink.least, who.inputs[one.shrink.sample]))
    if cases == one.shrink.least:
        return value, False
    if abs(value) > MOST_SHRUNK:
        raise OutOfRangeError
    median = statistic(one, "p50", reference, who)
    if median is None or abs(median) > MOST_SHRUNK:
        raise NoStatisticError
    both = value * cases + median * (one.shrink.least - cases)
    return half_up(Fraction(both, one.shrink.least)), True


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """The numbers of one indicator's shape for one subject."""

    one: Indicator
    reference: Reference | None
    day: date
    who: Subject

    def bounded(self, number: int | None) -> int:
        if number is None or abs(number) > (2**53 - 1) // (4 * self.one.weight_centi + 2):
            raise NoStatisticError
        return number

    def peer(self, name: str) -> int:
        return self.bounded(statistic(self.one, name, self.reference, self.who))

    def at(self, threshold: Threshold) -> int:
        number = threshold.constant
        if threshold.parameter is not None:
            number = threshold.parameter.at(self.day, level_of(threshold.parameter.by, self.who))
        if threshold.peer is not None:
            number = self.peer(threshold.peer)
        if number is not None and threshold.plus is not None:
            number += threshold.plus.at(self.day, level_of(threshold.plus.by, self.who))
        if number is not None and threshold.least is not None:
            number = max(
                number, threshold.least.at(self.day, level_of(threshold.least.by, self.who))
            )
        return self.bounded(number)


def points_of(
    one: Indicator, value: int, reference: Reference | None, day: date, who: Subject
) -> int:
    known = Thresholds(one=one, reference=reference, day=day, who=who)
    shape: Shape = one.shape
    match shape:
        case LinearShape():
            return linear(shape, value, one.weight_centi, known)
        case StepShape():
            return stepped(shape, value, one.weight_centi, known)
        case RobustZShape():
            return distant(shape, value, one.weight_centi, known)
        case BooleanShape():
            return one.weight_centi if (value > 0) is shape.good else 0


def linear(shape: LinearShape, value: int, weight: int, known: Thresholds) -> int:
    zero, full = known.at(shape.zero), known.at(shape.full)
    sign = 1 if shape.higher_is_better else -1
    if sign * (full - zero) <= 0:
        return weight if sign * (value - full) >= 0 else 0
    return line(weight, Fraction(value - zero, full - zero))


def stepped(shape: StepShape, value: int, weight: int, known: Thresholds) -> int:
    sign = 1 if shape.higher_is_better else -1
    ends = [known.at(step.at) for step in shape.steps]
    earned = [
        step.share_e4
        for step, at in zip(shape.steps, ends, strict=True)
        if sign * (value - at) >= 0
    ]
    return half_up(Fraction(weight * [*earned, shape.rest_e4][0], 10_000))


def distant(shape: RobustZShape, value: int, weight: int, known: Thresholds) -> int:
    centre = known.peer("p50")
    mad = statistic(known.one, "mad", known.reference, known.who)
    if mad is None:
        raise NoStatisticError
    spread = max(Fraction(14_826 * mad, 10_000), Fraction(known.at(shape.least_spread)))
    near = half_up(spread * shape.full_centi / 100)
    far = known.bounded(max(half_up(spread * shape.zero_centi / 100), near + 1))
    distance = value - centre
    if shape.side is Side.BOTH:
        distance = abs(distance)
    elif shape.side is Side.BELOW:
        distance = -distance
    return line(weight, Fraction(far - distance, far - near))


def level_of(by: str | None, who: Subject) -> str:
    return who.level if by == "level" else ""


def line(weight: int, part: Fraction) -> int:
    return half_up(weight * max(Fraction(0), min(Fraction(1), part)))


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


def holds(override: Override, day: date) -> bool:
    return day >= override.since and (override.until is None or day < override.until)


def applies(override: Override, who: Subject, day: date) -> bool:
    hit = any(who.inputs.get(column, 0) > 0 for column in override.columns)
    return hit and holds(override, day)


def is_unknown(override: Override, who: Subject, day: date) -> bool:
    gap = any(column not in who.inputs for column in override.columns)
    return gap and holds(override, day) and not applies(override, who, day)


def grades_of(
    model: RatingModel, total: int, coverage: int, overridden: Sequence[bool]
) -> tuple[str, str]:
    """Grade the points earn, and grade after overrides, in the first band set."""
    key, band_set = next(iter(model.band_sets.items()))
    order = [band.id for band in band_set.bands]
    earned = "not_rated"
    if coverage >= model.min_coverage:
        earned = next(band.id for band in band_set.bands if total >= band.at_least_centi)
    caps = [one.caps[key] for one, hit in zip(model.overrides, overridden, strict=True) if hit]
    if not caps:
        return earned, earned
    candidates = caps if earned == "not_rated" else [earned, *caps]
    return earned, max(candidates, key=order.index)


def score_one(
    model: RatingModel, subject: Subject, reference: Reference | None, day: date
) -> Scored:
    values: list[int] = []
    points: list[int] = []
    missing: list[bool] = []
    provisional: list[bool] = []
    out_of_range: list[bool] = []
    shrunk: list[bool] = []
    for one in model.indicators:
        value, earned, is_shrunk, lacking, beyond = None, None, False, False, False
        try:
            value = value_of(one.derivation, subject.inputs, day)
            if one.shrink is not None and one.shrink.sample not in subject.inputs:
                value = None
            if value is not None:
                value, is_shrunk = shrunk_value(one, value, reference, subject)
                earned = points_of(one, value, reference, day, subject)
        except OutOfRangeError:
            beyond = True
        except NoStatisticError:
            lacking = True
        gone = earned is None
        values.append(0 if gone or value is None else value)
        missing.append(gone)
        provisional.append(lacking)
        out_of_range.append(beyond)
        shrunk.append(is_shrunk and not gone)
        policy = one.weight_centi if one.missing is MissingPolicy.FULL else 0
        points.append(policy if earned is None else earned)
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
    overridden = [applies(one, subject, day) for one in model.overrides]
    earned_grade, grade = grades_of(model, sum(points), coverage, overridden)
    return Scored(
        values=values,
        missing=missing,
        provisional=provisional,
        out_of_range=out_of_range,
        shrunk=shrunk,
        weights=weights,
        points=points,
        total=sum(points),
        coverage=coverage,
        overridden=overridden,
        undetermined=[is_unknown(one, subject, day) for one in model.overrides],
        earned=earned_grade,
        grade=grade,
    )
