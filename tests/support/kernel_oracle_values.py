"""The slow, obvious derivation of values: one subject at a time, in fractions, no numpy.

Written from the rules, not from the kernel's code.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

from scoring_kernel.formulas import (
    Difference,
    Formula,
    GatedRatio,
    Growth,
    MeanOfRatios,
    Ratio,
    Scaled,
    Tally,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

MICRO = 1_000_000
MOST_WHOLE = 9_000_000_000 - 1
MOST_TERM = 5_000_000 * MICRO
MOST_COUNT = 100_000


class OutOfRangeError(Exception):
    """A value cannot be told exactly."""


def half_up(value: Fraction) -> int:
    return math.floor(value + Fraction(1, 2))


def quotient(top: int | None, bottom: int | None) -> int | None:
    if top is None or bottom is None or bottom <= 0:
        return None
    if abs(top // bottom) > MOST_WHOLE:
        raise OutOfRangeError
    return half_up(Fraction(top * MICRO, bottom))


def value_of(formula: Formula, inputs: Mapping[str, int], day: date) -> int | None:
    value: int | None = None
    match formula:
        case Ratio():
            value = ratio(formula, inputs)
        case Scaled():
            value = quotient(inputs.get(formula.column), formula.divisor)
        case Difference():
            of, minus = inputs.get(formula.of), inputs.get(formula.minus)
            if of is not None and minus is not None:
                value = quotient(of - minus, formula.divisor)
        case GatedRatio():
            value = gated(formula, inputs, day)
        case MeanOfRatios():
            value = mean(formula, inputs)
        case Tally():
            value = tally(formula, inputs, day)
        case Growth():
            value = growth(formula, inputs)
    return value


def bottom_of(formula: Ratio, inputs: Mapping[str, int]) -> int | None:
    if isinstance(formula.denominator, int):
        return formula.denominator
    return inputs.get(formula.denominator)


def ratio(formula: Ratio, inputs: Mapping[str, int]) -> int | None:
    bottom = bottom_of(formula, inputs)
    if formula.empty is not None and bottom == 0:
        return formula.empty
    return quotient(inputs.get(formula.numerator), bottom)


def share(top: int | None, bottom: int | None) -> int | None:
    """A ratio whose whole is 1: what is beyond it is not looked at."""
    if top is None or bottom is None or bottom <= 0:
        return None
    return half_up(max(Fraction(0), min(Fraction(1), Fraction(top, bottom))) * MICRO)


def gated(formula: GatedRatio, inputs: Mapping[str, int], day: date) -> int | None:
    gate, top, bottom = (inputs.get(column) for column in formula.columns)
    if gate is None:
        return None
    if gate <= 0:
        return 0
    if top is None or bottom is None:
        return None
    everything = bottom <= 0 or top >= bottom
    if everything and gate * MICRO >= formula.required.at(day):
        return MICRO
    part = share(top, bottom)
    return half_up(Fraction((MICRO if part is None else part) * formula.partial.at(day), MICRO))


def mean(formula: MeanOfRatios, inputs: Mapping[str, int]) -> int | None:
    found = [share(inputs.get(one.numerator), bottom_of(one, inputs)) for one in formula.ratios]
    known = [value for value in found if value is not None]
    return half_up(Fraction(sum(known), len(known))) if known else None


def tally(formula: Tally, inputs: Mapping[str, int], day: date) -> int | None:
    value = formula.start
    for term in formula.terms:
        if term.column not in inputs:
            return None
        count = max(0, min(MOST_COUNT, inputs[term.column]))
        value += formula.sign * count * formula.parameter.at(day, term.key)
    return value


def growth(formula: Growth, inputs: Mapping[str, int]) -> int | None:
    sides: list[int | None] = []
    beyond = False
    for when in ("current", formula.base):
        side = inputs.get(f"{formula.of}@{when}")
        if formula.over is not None:
            try:
                side = quotient(side, inputs.get(f"{formula.over}@{when}"))
            except OutOfRangeError:
                side = None
                beyond = True
            if side is not None and abs(side) > MOST_TERM:
                beyond = True
        sides.append(side)
    if beyond:
        raise OutOfRangeError
    now, before = sides
    return None if now is None or before is None else quotient(now - before, before)
