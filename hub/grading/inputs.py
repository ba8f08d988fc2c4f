"""Inputs of a grading: members' measures and departments' items in one table.

Rules: nothing is invented here. A measure is present when every month of its window
was stated, an item when it was handed in; what to do about the rest is the model's
business. Growth needs the base period, so both periods are read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import or_

from hub.store.grading_tables import item_row
from hub.store.item_imports import covered_periods
from hub.store.item_rows import day_number, load_rows
from scoring_kernel.inputs import InputTable
from scoring_kernel.items import item_inputs
from scoring_kernel.windows import window_inputs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection

    from hub.grading.ports import MonthlySource
    from hub.grading.subjects import Subject
    from scoring_kernel import Catalog
    from scoring_kernel.information import InformationItem
    from scoring_kernel.items import Column
    from scoring_kernel.model import RatingModel
    from scoring_kernel.periods import Period
    from security.at_rest import Vault
    from security.progress import ProgressReporter

_ITEM_PREFIX: Final = "item."
_OLDEST_AGE: Final = 3


def is_item_column(column: str) -> bool:
    """Whether an input column comes from a department's item.

    >>> is_item_column("item.05.rejected_visits@current"), is_item_column("settlement.a@base")
    (True, False)
    """
    return column.startswith(_ITEM_PREFIX)


def assemble_inputs(
    connection: Connection,
    statements: MonthlySource,
    catalog: Catalog,
    *,
    model: RatingModel,
    subjects: Sequence[Subject],
    period: Period,
    vault: Vault,
    progress: ProgressReporter,
) -> InputTable:
    """Read everything a model needs about some subjects.

    Args:
        connection: A reading transaction; one snapshot.
        statements: Measures of members.
        catalog: Measure sets and items.
        model: Its input columns are read, nothing else.
        subjects: Subjects of the table, in order.
        period: The rating period.
        vault: Opens department rows.
        progress: Told before every source.

    Raises:
        KernelInputError: Values leave the range of the kernel.
        HubStoreError: A stored row does not open.
    """
    codes = [subject.code for subject in subjects]
    months = (*period.base().months, *period.months)
    sets, items = _sources(model)
    total = len(sets) + len(items)
    parts: dict[str, Column] = {}
    for done, name in enumerate(sets):
        progress("reading statements", done, total, "sources")
        monthly = statements.monthly(connection, name, months)
        parts |= window_inputs(catalog.measure_sets[name], monthly, codes, period)
    for done, number in enumerate(items, start=len(sets)):
        progress("reading department items", done, total, "sources")
        item = catalog.items[number]
        rows = load_rows(connection, vault, item, *_wanted(item, period))
        parts |= item_inputs(item, rows, codes, period, covered_periods(connection, number))
    return InputTable.assemble(
        model,
        codes,
        [subject.level for subject in subjects],
        [subject.type for subject in subjects],
        parts,
    )


def _sources(model: RatingModel) -> tuple[list[str], list[str]]:
    """Measure sets and item numbers that a model's columns name."""
    sets: set[str] = set()
    items: set[str] = set()
    for column in model.input_columns:
        parts = column.split(".")
        if is_item_column(column):
            items.add(parts[1])
        else:
            sets.add(parts[0])
    return sorted(sets), sorted(items)


def _wanted(item: InformationItem, period: Period) -> tuple[ColumnElement[bool], ...]:
    """Conditions for the rows that can matter for a period."""
    if item.kind == "row":
        base = period.base().name
        return (or_(item_row.c.period == period.name, item_row.c.period == base),)
    if item.kind == "event":
        first, last = period.age_window(_OLDEST_AGE)[0], period.last_day
        return (item_row.c.event_day.between(day_number(first), day_number(last)),)
    return ()
