"""Derivation (推导): from input columns to indicator values in exact millionths.

Rules:
- One function per kind of formula, written over ``Ops``: numpy carries it out on a block
  of rows, the compiler writes it down as a graph.
- A quotient is rounded half up to whole millionths before anything is done with it (a
  growth of ratios, a mean, the shape); so a value is exact to a millionth of its unit.
- A denominator or a growth base that is not positive has no quotient: the value is
  missing, never zero and never infinite.
- A value beyond its bounds is out of range: missing, and marked as such; it is never
  kept at the bound. Shares, which end at 0 and 1 by their meaning, cannot leave them.
- Inputs are at most ``inputs.MAX_INPUT`` in size, also where they are not present.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeAlias, TypeVar, assert_never

from scoring_kernel.arithmetic import (
    MAX_TERM,
    all_of,
    any_of,
    half_up,
    never,
    positive,
    quotient_by,
    quotient_micro,
    share_micro,
    total_of,
    within,
)
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
from scoring_kernel.parameters import MICRO

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from scoring_kernel.ops import Ops

N = TypeVar("N")
F = TypeVar("F")

Column: TypeAlias = tuple[N, F]
"""Values of a column, and where it is present."""
Columns: TypeAlias = "Mapping[str, Column[N, F]]"

MAX_COUNT: Final = 100_000
"""Largest count a tally distinguishes; more events change nothing.

With ``MAX_TERMS`` terms of at most ``MAX_TALLY_MICRO`` a tally stays below 2**53.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived(Generic[N, F]):
    """One indicator of some rows.

    Attributes:
        value: Millionths of the indicator's unit; means nothing where not present.
        present: Where there is a value.
        beyond: Where the value would be out of range; not present there.
    """

    value: N
    present: F
    beyond: F


def derive(ops: Ops[N, F], formula: Formula, columns: Columns[N, F], day: date) -> Derived[N, F]:
    """Derive one indicator.

    Args:
        ops: Backend.
        formula: The indicator's formula.
        columns: At least the columns of the formula, as ``ops`` holds them.
        day: Day for which parameters are read.

    Raises:
        ParameterNotInForceError: A parameter has no value on that day.
    """
    match formula:
        case Ratio():
            found = _ratio(ops, formula, columns)
        case Scaled():
            found = _quotient_by(ops, columns[formula.column], formula.divisor)
        case Difference():
            found = _difference(ops, formula, columns)
        case GatedRatio():
            found = _gated_ratio(ops, formula, columns, day)
        case MeanOfRatios():
            found = _mean_of_ratios(ops, formula, columns)
        case Tally():
            found = _tally(ops, formula, columns, day)
        case Growth():
            found = _growth(ops, formula, columns)
        case _:  # pragma: no cover - the type checker proves the list complete
            assert_never(formula)
    return found


def _constant(ops: Ops[N, F], number: int) -> Column[N, F]:
    return ops.number(number), ops.negate(never(ops))


def _quotient(ops: Ops[N, F], top: Column[N, F], bottom: Column[N, F]) -> Derived[N, F]:
    value, fits = quotient_micro(ops, top[0], ops.maximum(bottom[0], ops.number(1)))
    known = all_of(ops, (top[1], bottom[1], positive(ops, bottom[0])))
    return Derived(
        value=value,
        present=ops.both(known, fits),
        beyond=ops.both(known, ops.negate(fits)),
    )


def _quotient_by(ops: Ops[N, F], top: Column[N, F], bottom: int) -> Derived[N, F]:
    value, fits = quotient_by(ops, top[0], bottom)
    return Derived(
        value=value,
        present=ops.both(top[1], fits),
        beyond=ops.both(top[1], ops.negate(fits)),
    )


def _sides(
    ops: Ops[N, F], formula: Ratio, columns: Columns[N, F]
) -> tuple[Column[N, F], Column[N, F]]:
    if isinstance(formula.denominator, int):
        return columns[formula.numerator], _constant(ops, formula.denominator)
    return columns[formula.numerator], columns[formula.denominator]


def _is_empty(ops: Ops[N, F], bottom: Column[N, F]) -> F:
    """Where a denominator is present and 0."""
    zero = ops.number(0)
    return all_of(ops, (bottom[1], ops.at_least(bottom[0], zero), ops.at_least(zero, bottom[0])))


def _ratio(ops: Ops[N, F], formula: Ratio, columns: Columns[N, F]) -> Derived[N, F]:
    top = columns[formula.numerator]
    if isinstance(formula.denominator, int):
        return _quotient_by(ops, top, formula.denominator)
    bottom = columns[formula.denominator]
    found = _quotient(ops, top, bottom)
    if formula.empty is None:
        return found
    empty = _is_empty(ops, bottom)
    return Derived(
        value=ops.where(empty, ops.number(formula.empty), found.value),
        present=ops.either(found.present, empty),
        beyond=found.beyond,
    )


def _difference(ops: Ops[N, F], formula: Difference, columns: Columns[N, F]) -> Derived[N, F]:
    of, minus = columns[formula.of], columns[formula.minus]
    change = ops.sub(of[0], minus[0]), ops.both(of[1], minus[1])
    return _quotient_by(ops, change, formula.divisor)


def _gated_ratio(
    ops: Ops[N, F], formula: GatedRatio, columns: Columns[N, F], day: date
) -> Derived[N, F]:
    gate, part, whole = (columns[column] for column in formula.columns)
    nothing, everything = ops.number(0), ops.number(MICRO)
    to_do = positive(ops, whole[0])
    # With nothing to be done everything is done. What counts as everything is exact:
    # a share that only rounds up to 1 is not.
    share = share_micro(ops, part[0], ops.maximum(whole[0], ops.number(1)))
    share = ops.where(to_do, share, everything)
    done = ops.either(ops.negate(to_do), ops.at_least(part[0], whole[0]))
    # So many whole records reach the required number, which may be a fraction.
    required = -(-formula.required.at(day) // MICRO)
    enough = ops.at_least(gate[0], ops.number(required))
    partly = half_up(ops, ops.mul(share, ops.number(formula.partial.at(day))), MICRO)
    value = ops.where(ops.both(done, enough), everything, partly)
    opened = positive(ops, gate[0])
    # A gate that is known to be shut needs no ratio.
    shut = ops.both(gate[1], ops.negate(opened))
    return Derived(
        value=ops.where(opened, value, nothing),
        present=ops.either(shut, all_of(ops, (gate[1], part[1], whole[1]))),
        beyond=never(ops),
    )


def _mean_of_ratios(ops: Ops[N, F], formula: MeanOfRatios, columns: Columns[N, F]) -> Derived[N, F]:
    nothing, one = ops.number(0), ops.number(1)
    shares: list[N] = []
    counts: list[N] = []
    for ratio in formula.ratios:
        top, bottom = _sides(ops, ratio, columns)
        # More than all of one thing does not make up for less of another.
        share = share_micro(ops, top[0], ops.maximum(bottom[0], one))
        known = all_of(ops, (top[1], bottom[1], positive(ops, bottom[0])))
        shares.append(ops.where(known, share, nothing))
        counts.append(ops.where(known, one, nothing))
    total, count = total_of(ops, shares), total_of(ops, counts)
    divisor = ops.maximum(count, one)
    twice = ops.add(ops.add(total, total), divisor)
    return Derived(
        value=ops.floor_div(twice, ops.add(divisor, divisor)),
        present=positive(ops, count),
        beyond=never(ops),
    )


def _tally(ops: Ops[N, F], formula: Tally, columns: Columns[N, F], day: date) -> Derived[N, F]:
    value = ops.number(formula.start)
    for term in formula.terms:
        count = ops.clamp(columns[term.column][0], ops.number(0), ops.number(MAX_COUNT))
        points = formula.sign * formula.parameter.at(day, term.key)
        value = ops.add(value, ops.mul(count, ops.number(points)))
    return Derived(
        value=value,
        present=all_of(ops, [columns[term.column][1] for term in formula.terms]),
        beyond=never(ops),
    )


def _growth(ops: Ops[N, F], formula: Growth, columns: Columns[N, F]) -> Derived[N, F]:
    now = _term(ops, formula, columns, "current")
    before = _term(ops, formula, columns, formula.base)
    present = ops.both(now.present, before.present)
    change = ops.sub(now.value, before.value), present
    found = _quotient(ops, change, (before.value, before.present))
    return Derived(
        value=found.value,
        present=found.present,
        beyond=any_of(ops, (found.beyond, now.beyond, before.beyond)),
    )


def _term(ops: Ops[N, F], formula: Growth, columns: Columns[N, F], window: str) -> Derived[N, F]:
    """One side of a growth, small enough to be divided by and subtracted."""
    of = columns[f"{formula.of}@{window}"]
    if formula.over is None:
        return Derived(value=of[0], present=of[1], beyond=never(ops))
    found = _quotient(ops, of, columns[f"{formula.over}@{window}"])
    small = within(ops, found.value, MAX_TERM)
    return Derived(
        value=found.value,
        present=ops.both(found.present, small),
        beyond=ops.either(found.beyond, ops.both(found.present, ops.negate(small))),
    )
