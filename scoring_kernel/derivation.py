"""Derivation (推导): from input columns to indicator values in exact millionths.

Rules:
- Integers only. A quotient is rounded half up to whole millionths before anything
  is done with it (a growth of ratios, a mean, the shape), and so is every value; so
  a value is exact to a millionth of its unit, not beyond.
- Every value is kept within ``VALUE_LIMIT``, so nothing can overflow further down.
- A denominator or a growth base that is not positive has no quotient: the value is
  missing, never zero and never infinite.
- Every function is a sweep over whole columns; nothing runs per row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias, assert_never

import numpy as np
import numpy.typing as npt

from scoring_kernel.formulas import (
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

    from scoring_kernel.inputs import InputTable
    from scoring_kernel.measures import BoolVector, IntVector
    from scoring_kernel.model import RatingModel

Column: TypeAlias = "tuple[IntVector, BoolVector]"

VALUE_LIMIT: Final = 1_000_000_000 * MICRO
"""Largest absolute value of an indicator, millionths; larger ones are kept there."""
MAX_COUNT: Final = 1_000_000
"""Largest count a tally distinguishes; more events change nothing."""

_FAST_NUMERATOR: Final = 4_000_000_000_000
"""Up to here ``2e6 * numerator + denominator`` fits int64, and one division does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Some rows of an input table, column by column.

    Attributes:
        columns: Values and presence by column, each of shape (b,).
        rows: Number of rows b.
    """

    columns: Mapping[str, Column]
    rows: int

    @classmethod
    def of(cls, model: RatingModel, inputs: InputTable, start: int, stop: int) -> Block:
        """Cut rows ``start`` to ``stop`` of the columns a model reads.

        Raises:
            KernelInputError: The table lacks a column of the model.
        """
        columns: dict[str, Column] = {}
        for column in model.input_columns:
            at = inputs.position(column)
            columns[column] = (
                np.ascontiguousarray(inputs.values[start:stop, at]),
                np.ascontiguousarray(inputs.present[start:stop, at]),
            )
        return cls(columns=columns, rows=min(stop, len(inputs.subjects)) - start)


def ratio_micro(numerator: IntVector, denominator: IntVector) -> IntVector:
    """Divide to millionths, rounded half up (a half goes towards plus infinity).

    Args:
        numerator: At most 2 * ``MAX_VALUE`` in size.
        denominator: Positive, at most ``MAX_VALUE``.

    Returns:
        Millionths, kept within ``VALUE_LIMIT``.

    >>> ratio_micro(np.array([1, -1, 2]), np.array([3, 2_000_000, 0 + 3])).tolist()
    [333333, 0, 666667]
    """
    if numerator.size == 0:
        return np.zeros(0, np.int64)
    size = max(int(numerator.max()), -int(numerator.min()))
    if size <= _FAST_NUMERATOR:
        twice: IntVector = numerator * (2 * MICRO)
        twice += denominator
        twice //= 2 * denominator
        return _limited(twice)
    # Long division in base 100: a remainder stays below the denominator, so a hundred
    # remainders fit; the whole part is kept small enough for the three steps.
    whole, rest = np.divmod(numerator, denominator)
    bound = VALUE_LIMIT // MICRO
    quotient: IntVector = np.minimum(np.maximum(whole, -bound - 1), bound)
    for _ in range(3):
        rest *= 100
        digit, rest = np.divmod(rest, denominator)
        quotient = quotient * 100 + digit
    quotient += 2 * rest >= denominator
    return _limited(quotient)


def _limited(values: IntVector) -> IntVector:
    """Keep values within ``VALUE_LIMIT``, in place."""
    np.minimum(values, VALUE_LIMIT, out=values)
    np.maximum(values, -VALUE_LIMIT, out=values)
    return values


def values_micro(
    model: RatingModel, inputs: InputTable, day: date
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Derive every indicator of every subject.

    Args:
        model: The model, k indicators.
        inputs: The inputs of n subjects.
        day: Day for which parameters are read.

    Returns:
        Values in millionths of each indicator's unit, shape (n, k), 0 where missing;
        and whether the value is there, shape (n, k).

    Raises:
        KernelInputError: The table lacks a column of the model.
        ParameterNotInForceError: A parameter has no value on that day.
    """
    n, k = len(inputs.subjects), len(model.indicators)
    values = np.zeros((k, n), np.int64)
    present = np.zeros((k, n), np.bool_)
    block = Block.of(model, inputs, 0, n)
    for index, indicator in enumerate(model.indicators):
        values[index], present[index] = derive(indicator.derivation, block, day)
    return values.T, present.T


def derive(formula: Formula, block: Block, day: date) -> Column:
    """Derive one indicator of a block of rows.

    Args:
        formula: The indicator's formula.
        block: Rows of the input table.
        day: Day for which parameters are read.

    Returns:
        Values in millionths, shape (b,), 0 where missing; and presence, shape (b,).

    Raises:
        ParameterNotInForceError: A parameter has no value on that day.
    """
    match formula:
        case Ratio():
            return _ratio(block.columns[formula.numerator], block.columns[formula.denominator])
        case Scaled():
            return _scaled(formula, block)
        case GatedRatio():
            return _gated_ratio(formula, block, day)
        case MeanOfRatios():
            return _mean_of_ratios(formula, block)
        case Tally():
            return _tally(formula, block, day)
        case Growth():
            return _growth(formula, block)
        case _:  # pragma: no cover - the type checker proves the list complete
            assert_never(formula)


def _ratio(numerator: Column, denominator: Column) -> Column:
    present = numerator[1] & denominator[1] & (denominator[0] > 0)
    if present.all():
        return ratio_micro(numerator[0], denominator[0]), present
    values = ratio_micro(np.where(present, numerator[0], 0), np.where(present, denominator[0], 1))
    return values, present


def _scaled(formula: Scaled, block: Block) -> Column:
    values, present = block.columns[formula.column]
    divisor = np.full(len(values), formula.divisor, np.int64)
    return ratio_micro(np.where(present, values, 0), divisor), present


def _gated_ratio(formula: GatedRatio, block: Block, day: date) -> Column:
    gate, numerator, denominator = (block.columns[column] for column in formula.columns)
    known = gate[1] & numerator[1] & denominator[1]
    ratio, defined = _ratio(numerator, denominator)
    # With nothing to be done everything is done. What counts as everything is exact:
    # a share that only rounds up to 1 is not.
    share = np.where(defined, _within_one(ratio), MICRO)
    done = ~defined | (numerator[0] >= denominator[0])
    handed_in = np.minimum(np.maximum(gate[0], 0), MAX_COUNT) * MICRO
    enough = handed_in >= formula.required.at(day)
    part = (2 * share * formula.partial.at(day) + MICRO) // (2 * MICRO)
    values = np.where(done & enough, MICRO, part)
    opened = gate[0] > 0
    # A gate that is known to be shut needs no ratio.
    shut = gate[1] & ~opened
    return np.where(known & opened, values, 0), known | shut


def _within_one(values: IntVector) -> IntVector:
    return np.minimum(np.maximum(values, 0), MICRO)


def _mean_of_ratios(formula: MeanOfRatios, block: Block) -> Column:
    total = np.zeros(block.rows, np.int64)
    count = np.zeros(block.rows, np.int64)
    for ratio in formula.ratios:
        values, present = _ratio(block.columns[ratio.numerator], block.columns[ratio.denominator])
        # More than all of one thing does not make up for less of another.
        total += np.where(present, _within_one(values), 0)
        count += present
    divisor = np.maximum(count, 1)
    return (2 * total + divisor) // (2 * divisor), count > 0


def _tally(formula: Tally, block: Block, day: date) -> Column:
    values = np.full(block.rows, formula.start, np.int64)
    present = np.ones(block.rows, np.bool_)
    for term in formula.terms:
        counts, known = block.columns[term.column]
        points = formula.sign * formula.parameter.at(day, term.key)
        values += np.minimum(np.maximum(counts, 0), MAX_COUNT) * points
        present &= known
    values[~present] = 0
    return _limited(values), present


def _growth(formula: Growth, block: Block) -> Column:
    now, before = _at(formula, block, "current"), _at(formula, block, "base")
    present = now[1] & before[1]
    change = np.where(present, now[0] - before[0], 0)
    return _ratio((change, present), before)


def _at(formula: Growth, block: Block, when: str) -> Column:
    of = block.columns[f"{formula.of}@{when}"]
    return of if formula.over is None else _ratio(of, block.columns[f"{formula.over}@{when}"])
