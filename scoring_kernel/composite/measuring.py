"""Measures of a composite model: from values as measured to standard scores.

Rules:
- Table, measure table and model name the same measures and groups, or nothing is scored.
- A value with too few cases is not reported; a measure that too few subjects report, or
  that has no spread, is dropped and listed, or refused where the model says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from scoring_kernel.composite.standardising import standardise, winsorise
from scoring_kernel.errors import KernelInputError

if TYPE_CHECKING:
    from scoring_kernel.composite.measure_table import MeasureTable
    from scoring_kernel.composite.model import CompositeModel
    from scoring_kernel.composite.standardising import FloatMatrix
    from scoring_kernel.composite.table import CompositeTable


class DropReason(StrEnum):
    """Why a measure or group counts for nobody."""

    FEW_SUBJECTS = "few_subjects"
    """Fewer subjects report it than the model asks for."""
    NO_SPREAD = "no_spread"
    """All its values are equal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """A measure or group that counts for nobody; ``id`` is a measure's or group's."""

    id: str
    reason: DropReason


def members_of_groups(model: CompositeModel, measures: MeasureTable) -> list[list[int]]:
    """Find each group's measures.

    Args:
        model: The model, g groups.
        measures: The measure table, k measures.

    Returns:
        Positions in the measure table, ascending, for each of the g groups.

    Raises:
        KernelInputError: The table names a group the model does not know, or has no
            measure for one of the model's groups.
    """
    places = {group.in_table: at for at, group in enumerate(model.groups)}
    members: list[list[int]] = [[] for _ in model.groups]
    for position, one in enumerate(measures.measures):
        if one.group not in places:
            raise KernelInputError(
                f"measure {one.id}: model {model.id} has no group {one.group[:80]!r}, expected "
                f"one of {sorted(places)}"
            )
        members[places[one.group]].append(position)
    for group, found in zip(model.groups, members, strict=True):
        if not found:
            raise KernelInputError(
                f"measure table: no measure of {group.in_table!r}, which model {model.id} weighs"
            )
    return members


def reported_values(
    model: CompositeModel, table: CompositeTable, measures: MeasureTable
) -> FloatMatrix:
    """Bring values into the order of the measure table.

    Args:
        model: The model.
        table: Values of n subjects.
        measures: The measure table, k measures.

    Returns:
        Values, shape (n, k), NaN where not reported or where cases are too few.

    Raises:
        KernelInputError: The table's columns are not exactly the measures, or the model
            asks for cases and there are none.
    """
    wanted = [one.id for one in measures.measures]
    at = {name: place for place, name in enumerate(table.measures)}
    for name in table.measures:
        if name not in set(wanted):
            raise KernelInputError(f"unknown measure {name}: add it to the measure table")
    for name in wanted:
        if name not in at:
            raise KernelInputError(f"measure {name}: the input table has no such column")
    order = [at[name] for name in wanted]
    values = np.asfortranarray(table.values[:, order])
    if model.least_cases == 0:
        return values
    if table.cases is None:
        raise KernelInputError(
            f"model {model.id} asks for {model.least_cases} cases: state the cases of each value"
        )
    return np.where(table.cases[:, order] >= model.least_cases, values, np.nan)


def standardise_measures(
    model: CompositeModel, values: FloatMatrix, measures: MeasureTable
) -> tuple[FloatMatrix, list[Dropped]]:
    """Standardise every measure over all subjects that report it.

    Args:
        model: The model.
        values: Values, shape (n, k), NaN not reported.
        measures: The measure table.

    Returns:
        Standard scores, shape (n, k), more is better, NaN where not reported or
        dropped; and the dropped measures, in order.

    Raises:
        KernelInputError: A measure has no spread and the model refuses that.
    """
    standardised = np.full(values.shape, np.nan, order="F")
    dropped: list[Dropped] = []
    for at, one in enumerate(measures.measures):
        column = values[:, at]
        if int((~np.isnan(column)).sum()) < model.least_subjects:
            dropped.append(Dropped(id=one.id, reason=DropReason.FEW_SUBJECTS))
            continue
        if model.winsor is not None:
            column = winsorise(column, model.winsor.low, model.winsor.high)
        spread = standardise(column, sample=model.sample_deviation)
        if spread is None:
            dropped.append(drop_without_spread(model, f"measure {one.id}", one.id))
        else:
            standardised[:, at] = spread * one.sign
    return standardised, dropped


def drop_without_spread(model: CompositeModel, what: str, name: str) -> Dropped:
    """Drop a measure or group without spread, or refuse it, as the model says.

    Args:
        model: The model.
        what: Kind and id, for the message.
        name: Id.

    Raises:
        KernelInputError: The model refuses it.
    """
    if model.refuse_zero_variance:
        raise KernelInputError(
            f"model {model.id}, {what}: all values are equal and have no standard deviation: "
            "correct the values, or let the model say zero_variance: drop"
        )
    return Dropped(id=name, reason=DropReason.NO_SPREAD)
