"""Kernel inputs of a node: its own measures, and what the hub sent down.

0. Own measures, folded over the period and its base (a hospital's base year is its own).
1. Department items and the peer reference out of the subject's newest grade statement, if any:
   they are signed by the hub and were verified when they were collected.
2. What is in neither is missing; the model's policy says what that means.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from protos.yixin.v1 import statement_pb2
from scoring_kernel import Catalog, InputTable, Period, RatingModel, Reference, ReferenceValue
from scoring_kernel.measures import MonthlyMeasures
from scoring_kernel.windows import window_inputs

Column = tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """An institution the node pre-scores."""

    code: str
    level: str
    """Level of the institution: "3", "2", "1" or "0"."""
    type: str
    """Type: general, tcm, specialist, primary."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringInputs:
    """Inputs of all subjects of one reference."""

    table: InputTable
    reference: Reference | None = field(repr=False)


def own_columns(
    catalog: Catalog,
    monthly: Mapping[str, MonthlyMeasures],
    subjects: Sequence[Subject],
    period: Period,
) -> dict[str, Column]:
    """Input columns from the node's own measures, by column name."""
    codes = [subject.code for subject in subjects]
    columns: dict[str, Column] = {}
    for name, measures in monthly.items():
        columns |= window_inputs(catalog.measure_sets[name], measures, codes, period)
    return columns


def item_columns(
    statements: Sequence[statement_pb2.GradeStatement | None],
) -> dict[str, Column]:
    """Input columns from the department items in grade statements, in subject order."""
    count = len(statements)
    columns: dict[str, Column] = {}
    for row, statement in enumerate(statements):
        if statement is None:
            continue
        for item in statement.inputs:
            values, present = columns.setdefault(
                item.column, (np.zeros(count, np.int64), np.zeros(count, np.bool_))
            )
            values[row] = item.value
            present[row] = True
    return columns


def reference_of(
    model: RatingModel, statements: Sequence[statement_pb2.GradeStatement | None]
) -> Reference | None:
    """The part of the frozen peer reference that the statements carry; None without one."""
    values = {
        (item.indicator, item.statistic, item.peer_group): ReferenceValue(
            indicator=item.indicator,
            statistic=item.statistic,
            peer_group=item.peer_group,
            value_micro=item.value_micro,
        )
        for statement in statements
        if statement is not None
        for item in statement.reference
    }
    return Reference.from_values(model, values.values()) if values else None


def scoring_inputs(
    *,
    catalog: Catalog,
    model: RatingModel,
    monthly: Mapping[str, MonthlyMeasures],
    subjects: Sequence[Subject],
    period: Period,
    statements: Sequence[statement_pb2.GradeStatement | None],
) -> ScoringInputs:
    """Everything the kernel needs to score the subjects, in their order."""
    columns = own_columns(catalog, monthly, subjects, period) | item_columns(statements)
    table = InputTable.assemble(
        model,
        [subject.code for subject in subjects],
        [subject.level for subject in subjects],
        [subject.type for subject in subjects],
        columns,
    )
    return ScoringInputs(table=table, reference=reference_of(model, statements))
