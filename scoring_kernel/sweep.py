"""The plan carried out by numpy: blocks of rows, one sweep per indicator.

Rules:
- A block's columns stay in the processor's cache; results go straight into arrays that
  were made once, column by column in memory.
- Weights are redistributed once per pattern of missing indicators, not once per row: a
  pattern is the bits of one word, and a row without a gap has none.
- A flag that holds for no row is never written.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, cast

import numpy as np
import numpy.typing as npt

from scoring_kernel.errors import KernelInputError
from scoring_kernel.grades import places_of
from scoring_kernel.indicators import MissingPolicy
from scoring_kernel.ops import NumpyOps
from scoring_kernel.patterns import GapBits, find_patterns, moved_rows, weights_of_rows
from scoring_kernel.redistribution import effective_weights
from scoring_kernel.shrinking import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from scoring_kernel.derivation import Column
    from scoring_kernel.inputs import InputTable
    from scoring_kernel.measures import IntVector
    from scoring_kernel.ops import FlagVector, FloatVector
    from scoring_kernel.plan import ScoringPlan

    Block = tuple[
        Iterator[Value[FloatVector, FlagVector]], Sequence[FlagVector], Sequence[FlagVector]
    ]
    """Values of the k indicators of some rows, where each override applies, and where it
    cannot be judged."""

BLOCK_ROWS: Final = 49_152
"""Rows of one block: a few vectors fit the second cache, and calls cost little (measured)."""

_OPS: Final = NumpyOps()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Results of n rows and k indicators, column by column in memory.

    Attributes:
        values: Values, millionths, int64, shape (k, n), 0 where missing; of shape (0, n)
            where values were given.
        missing: Where the missing policy applied, shape (k, n).
        lacking: Where it applied for want of a peer statistic, shape (k, n).
        beyond: Where it applied because the value is out of range, shape (k, n).
        shrunk: Where few cases moved the value, shape (k, n).
        points: Points, hundredths, int32, shape (k, n).
        overridden: Where each override applies, shape (o, n).
        undetermined: Where each override cannot be judged, shape (o, n).
        total: Totals, hundredths, int32, shape (n,).
        coverage: Nominal weight of what is not missing, hundredths, int32, shape (n,).
        earned: Place of the grade the points give, shape (n,).
        grade: Place of the grade after overrides, shape (n,).
        gaps: Bits of the missing indicators, the first one lowest, uint64, shape (n,).
        pattern: Column of ``pattern_weights`` that holds for a row, int32, shape (n,).
        pattern_weights: Weights after redistribution, hundredths, int32, shape (k, p); the
            first of the p patterns has no gap.
    """

    values: npt.NDArray[np.int64]
    missing: npt.NDArray[np.bool_]
    lacking: npt.NDArray[np.bool_]
    beyond: npt.NDArray[np.bool_]
    shrunk: npt.NDArray[np.bool_]
    points: npt.NDArray[np.int32]
    overridden: npt.NDArray[np.bool_]
    undetermined: npt.NDArray[np.bool_]
    total: npt.NDArray[np.int32]
    coverage: npt.NDArray[np.int32]
    earned: npt.NDArray[np.int8]
    grade: npt.NDArray[np.int8]
    gaps: npt.NDArray[np.uint64]
    pattern: npt.NDArray[np.int32]
    pattern_weights: npt.NDArray[np.int32]

    @property
    def weights(self) -> npt.NDArray[np.int32]:
        """Weights after redistribution, hundredths, int32, shape (k, n), made anew."""
        return weights_of_rows(self.pattern_weights, self.pattern)

    @classmethod
    def empty(cls, plan: ScoringPlan, rows: int, *, with_values: bool) -> Sweep:
        """Room for the results of some rows."""
        k, n = len(plan.indicators), rows
        return cls(
            values=np.empty((k if with_values else 0, n), np.int64),
            missing=np.zeros((k, n), np.bool_),
            lacking=np.zeros((k, n), np.bool_),
            beyond=np.zeros((k, n), np.bool_),
            shrunk=np.zeros((k, n), np.bool_),
            points=np.empty((k, n), np.int32),
            overridden=np.zeros((len(plan.model.overrides), n), np.bool_),
            undetermined=np.zeros((len(plan.model.overrides), n), np.bool_),
            total=np.zeros(n, np.int32),
            coverage=np.full(n, plan.model.total_centi, np.int32),
            earned=np.zeros(n, np.int8),
            grade=np.zeros(n, np.int8),
            gaps=np.zeros(n, np.uint64),
            pattern=np.zeros(n, np.int32),
            pattern_weights=np.array(
                [[one.indicator.weight_centi] for one in plan.indicators], np.int32
            ),
        )


def groups_of(plan: ScoringPlan, inputs: InputTable) -> IntVector:
    """Peer group of each subject, as ``ScoringPlan.groups`` numbers them, shape (n,).

    Raises:
        KernelInputError: A level or type is not one of the model's.
    """
    places = {pair: place for place, pair in enumerate(plan.groups)}
    pairs = zip(inputs.levels, inputs.types, strict=True)
    try:
        return np.fromiter(map(places.__getitem__, pairs), np.int64, len(inputs.subjects))
    except KeyError as error:
        raise KernelInputError(
            f"input table: level and type {error.args[0]}; model {plan.model.id} knows levels "
            f"{plan.model.levels} and types {plan.model.types}"
        ) from error


def block_columns(
    inputs: InputTable, columns: Sequence[str], rows: slice
) -> dict[str, Column[FloatVector, FlagVector]]:
    """Cut some rows of some columns of an input table.

    Raises:
        KernelInputError: The table lacks a column.
    """
    found: dict[str, Column[FloatVector, FlagVector]] = {}
    for column in columns:
        at = inputs.position(column)
        found[column] = (
            inputs.values[rows, at].astype(np.float64),
            np.ascontiguousarray(inputs.present[rows, at]),
        )
    return found


def sweep_inputs(plan: ScoringPlan, inputs: InputTable) -> Sweep:
    """Carry out all stages for the subjects of a table.

    Raises:
        KernelInputError: The table lacks a column of the model, or a level or type is not
            one of the model's.
        ParameterNotInForceError: A parameter has no value on the plan's day.
    """
    groups = groups_of(plan, inputs)
    wanted = plan.model.input_columns
    for column in wanted:
        inputs.position(column)

    def read(rows: slice) -> Block:
        columns = block_columns(inputs, wanted, rows)
        group = cast("FloatVector", groups[rows])  # numpy gathers by integers
        values = (plan.value(_OPS, one, columns, group) for one in plan.indicators)
        overridden = plan.overridden(_OPS, columns)
        return values, overridden, plan.undetermined(_OPS, columns, overridden)

    return _sweep(plan, groups, read, with_values=True)


def sweep_values(
    plan: ScoringPlan,
    values: npt.NDArray[np.int64],
    present: npt.NDArray[np.bool_],
    groups: IntVector,
    overridden: npt.NDArray[np.bool_] | None = None,
) -> Sweep:
    """Carry out the stages from values on.

    Args:
        plan: The plan, k indicators and o overrides.
        values: Values in millionths, at most ``VALUE_LIMIT`` in size, shape (n, k).
        present: Where a value is there, shape (n, k).
        groups: Peer group of each row, a place in ``plan.groups``, shape (n,).
        overridden: Where each override applies, shape (n, o); None where none does. All
            of them count as judged.
    """
    none = np.zeros((), np.bool_)

    def read(rows: slice) -> Block:
        found = (
            Value(
                value=values[rows, place].astype(np.float64),
                present=np.ascontiguousarray(present[rows, place]),
                beyond=none,
                lacking=none,
                shrunk=none,
            )
            for place in range(len(plan.indicators))
        )
        return found, [] if overridden is None else list(overridden[rows].T), []

    return _sweep(plan, groups, read, with_values=False)


def _sweep(
    plan: ScoringPlan, groups: IntVector, read: Callable[[slice], Block], *, with_values: bool
) -> Sweep:
    n = len(groups)
    out = Sweep.empty(plan, n, with_values=with_values)
    for start in range(0, n, BLOCK_ROWS):
        rows = slice(start, min(start + BLOCK_ROWS, n))
        values, applies, unknown = read(rows)
        for target, flags in ((out.overridden, applies), (out.undetermined, unknown)):
            for place, flag in enumerate(flags):
                _write(target[place, rows], flag)
        _rate(plan, values, groups, rows, out)
    out = _redistribute(plan, out)
    for start in range(0, n, BLOCK_ROWS):
        _grade(plan, slice(start, start + BLOCK_ROWS), out)
    return out


def _grade(plan: ScoringPlan, rows: slice, out: Sweep) -> None:
    """Total and grades of one block."""
    np.add.reduce(out.points[:, rows], axis=0, dtype=np.int32, out=out.total[rows])
    out.earned[rows], out.grade[rows] = places_of(
        _OPS,
        plan.model,
        next(iter(plan.model.band_sets.values())),
        total=out.total[rows].astype(np.float64),
        coverage=out.coverage[rows].astype(np.float64),
        overridden=list(out.overridden[:, rows]),
    )


def _rate(
    plan: ScoringPlan,
    values: Iterator[Value[FloatVector, FlagVector]],
    groups: IntVector,
    rows: slice,
    out: Sweep,
) -> None:
    """Stages 1 and 2 of one block."""
    group = cast("FloatVector", groups[rows])  # numpy gathers by integers
    number = len(group)
    gaps = GapBits(number)
    for place, (one, value) in enumerate(zip(plan.indicators, values, strict=True)):
        points, there, lacking = plan.earned(_OPS, one, value, group)
        _write(out.lacking[place, rows], lacking)
        _write(out.beyond[place, rows], value.beyond)
        if value.shrunk.ndim:
            _write(out.shrunk[place, rows], value.shrunk & there)
        out.points[place, rows] = points
        missing = out.missing[place, rows]
        if np.count_nonzero(there) < number:
            np.logical_not(there, out=missing)
            gaps.add(place, missing)
        if len(out.values):
            # A missing value carries nothing, so both ends of the wire agree on it.
            value.value[np.flatnonzero(missing)] = 0.0
            out.values[place, rows] = value.value
    out.gaps[rows] = gaps.words()


def _write(target: npt.NDArray[np.bool_], flag: FlagVector) -> None:
    """Write a flag, unless it holds for no row: there the target is false already."""
    if np.count_nonzero(flag):
        target[:] = flag


def _redistribute(plan: ScoringPlan, out: Sweep) -> Sweep:
    """Stage 3 once per pattern of gaps, and the points of stage 4 where weights move."""
    found = find_patterns(out.gaps, len(plan.indicators))
    if not len(found.some):
        return out
    nominal = out.pattern_weights
    table = np.empty(found.gone.shape, np.int32)
    excludes = np.array(
        [[one.indicator.missing is MissingPolicy.EXCLUDE] for one in plan.indicators], np.bool_
    )
    for start in range(0, len(table.T), BLOCK_ROWS):
        block = slice(start, start + BLOCK_ROWS)
        table[:, block] = effective_weights(plan.model, found.gone[:, block] & excludes)
    covered = np.where(found.gone, 0, nominal).sum(axis=0, dtype=np.int32)
    out.coverage[:] = covered.take(found.place)
    # Few rows miss a value or carry another weight: they are put right one by one.
    weights = table.astype(np.float64)
    for place, rows, pattern in moved_rows(found, (table != nominal) | found.gone):
        one, points = plan.indicators[place], out.points[place]
        earned = points.take(rows).astype(np.float64)
        if not excludes[place]:  # What is excluded has no weight, and no points at any policy.
            earned[found.gone[place].take(pattern)] = one.policy
        points[rows] = plan.at_weight(_OPS, one, earned, weights[place].take(pattern))
    return replace(out, pattern=found.place, pattern_weights=table)
