"""Kernel inputs of a node: its own measures, and what the hub sent down.

0. Own measures, folded over the period and its base (a hospital's base year is its own).
1. Department items and the peer reference out of the subject's newest grade statement, if any:
   they are signed by the hub and were verified when they were collected.
2. What is in neither is missing; the model's policy says what that means.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from protos.yixin.v1 import statement_pb2
from scoring_kernel import Catalog
from scoring_kernel.measures import MonthlyMeasures
from scoring_kernel.model import RatingModel
from scoring_kernel.periods import Period
from scoring_kernel.reference import Reference, ReferenceValue
from scoring_kernel.subject_ids import INSTITUTION
from scoring_kernel.windows import window_inputs

Column = tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """An institution the node pre-scores."""

    code: str
    level: str
    """Level of the institution: "3", "2", "1" or "0"."""
    type: str
    """Type: general, tcm, specialist, primary or pharmacy."""


def own_columns(
    catalog: Catalog,
    monthly: Mapping[str, MonthlyMeasures],
    subjects: Sequence[Subject],
    period: Period,
) -> dict[str, Column]:
    """Input columns from the node's own measures of institutions, by column name."""
    codes = [subject.code for subject in subjects]
    columns: dict[str, Column] = {}
    for name, measures in monthly.items():
        measure_set = catalog.measure_sets[name]
        if measure_set.subject == INSTITUTION:
            columns |= window_inputs(measure_set, measures, codes, period)
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
    model: RatingModel,
    statements: Sequence[statement_pb2.GradeStatement | None],
    day: date,
) -> Reference | None:
    """The part of the frozen peer reference that the statements carry; None without one.

    A statement names, for every statistic, the narrowest peer group that has it. So among the
    groups of all statements a subject's narrowest one is again its own.
    """
    values = [
        ReferenceValue(
            indicator=item.indicator,
            statistic=item.statistic,
            peer_group=item.peer_group,
            value_micro=item.value_micro,
        )
        for statement in statements
        if statement is not None
        for item in statement.reference
    ]
    if not values:
        return None
    return Reference.from_values(values, model_digest=model.digest, day=day)


def scoring_inputs(
    catalog: Catalog,
    monthly: Mapping[str, MonthlyMeasures],
    subjects: Sequence[Subject],
    period: Period,
    statements: Sequence[statement_pb2.GradeStatement | None],
) -> dict[str, Column]:
    """Input columns of the subjects, in their order: own measures and received items."""
    return own_columns(catalog, monthly, subjects, period) | item_columns(statements)
