"""Inputs of a grading: members' measures and departments' items in one table.

Rules: nothing is invented here. Whether a measure or an item states a window is the kernel's
rule; what to do about the rest is the model's business. Windows that no column of the model
names are not read. Sources are read for a batch of subjects at a time, so that a class of a
million people needs no more memory than its table.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

import numpy as np

from hub.store.grading_tables import item_row
from hub.store.item_imports import covered_periods
from hub.store.item_rows import load_rows
from scoring_kernel.inputs import InputTable
from scoring_kernel.items import item_inputs
from scoring_kernel.windows import window_inputs
from security.moments import day_number

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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

MEASURED_BATCH: Final = 200_000
"""Subjects whose monthly rows are folded at a time: every batch scans the statements once."""
ITEM_BATCH: Final = 20_000
"""Subjects whose department rows are opened at a time."""
_ITEM_PREFIX: Final = "item."
_EVENT_YEARS: Final = 4
"""Calendar years before the period's own whose events can still matter; points against the payment
qualification matter from the first day of its rules, for a termination lasts until restored."""


def is_item_column(column: str) -> bool:
    """Whether an input column comes from a department's item.

    >>> is_item_column("item.05.rejected_visits@current"), is_item_column("settlement.a@base")
    (True, False)
    """
    return column.startswith(_ITEM_PREFIX)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """One measure set or information item that a model reads."""

    name: str
    is_item: bool
    windows: frozenset[str]

    @property
    def batch(self) -> int:
        """Subjects read at a time."""
        return ITEM_BATCH if self.is_item else MEASURED_BATCH


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
        subjects: Subjects of the table, by code.
        period: The rating period.
        vault: Opens department rows.
        progress: Told before every source.

    Raises:
        KernelInputError: Values leave the range of the kernel, or a count is negative.
        HubStoreError: A stored row does not open.
    """
    codes = [subject.code for subject in subjects]
    sources = _sources(model)
    parts: dict[str, Column] = {}
    for done, source in enumerate(sources):
        stage = "reading department items" if source.is_item else "reading statements"
        progress(stage, done, len(sources), "sources")
        read = (
            _item_reader(connection, catalog, source, period, vault)
            if source.is_item
            else _measure_reader(connection, statements, catalog, source, period)
        )
        _fill(parts, codes, source.batch, read)
    table = InputTable.assemble(
        model,
        codes,
        [subject.level for subject in subjects],
        [subject.type for subject in subjects],
        parts,
    )
    table.refuse_negative(catalog.never_negative)
    return table


def _fill(
    parts: dict[str, Column],
    codes: Sequence[str],
    batch: int,
    read: Callable[[Sequence[str]], dict[str, Column]],
) -> None:
    """Read a source batch by batch into whole columns."""
    if len(codes) <= batch:
        parts |= read(codes)
        return
    for start in range(0, len(codes), batch):
        rows = slice(start, start + batch)
        for name, (values, present) in read(codes[rows]).items():
            if name not in parts:
                parts[name] = (np.zeros(len(codes), np.int64), np.zeros(len(codes), np.bool_))
            parts[name][0][rows], parts[name][1][rows] = values, present


def _measure_reader(
    connection: Connection,
    statements: MonthlySource,
    catalog: Catalog,
    source: _Source,
    period: Period,
) -> Callable[[Sequence[str]], dict[str, Column]]:
    months = sorted({month for one in _periods(source, period) for month in one.months})
    measure_set = catalog.measure_sets[source.name]

    def read(codes: Sequence[str]) -> dict[str, Column]:
        among = (codes[0], codes[-1])
        monthly = statements.monthly(connection, source.name, months, among)
        found = _only(window_inputs(measure_set, monthly, codes, period), source)
        if measure_set.any_month:
            # Staff have no row in a month without work; so whether the months are whole is
            # asked of the institutions that stated them.
            for window, half in _windows(source, period).items():
                gaps = statements.patchy(connection, source.name, half.months, among)
                _withhold(found, window, codes, gaps)
        return found

    return read


def _withhold(
    found: dict[str, Column], window: str, codes: Sequence[str], gaps: frozenset[str]
) -> None:
    """Make the figures of some subjects missing in one window: a part is no half-year."""
    if not gaps:
        return
    whole = np.fromiter((code not in gaps for code in codes), np.bool_, len(codes))
    for name, (values, present) in found.items():
        if name.endswith(f"@{window}"):
            found[name] = (values, present & whole)


def _item_reader(
    connection: Connection, catalog: Catalog, source: _Source, period: Period, vault: Vault
) -> Callable[[Sequence[str]], dict[str, Column]]:
    item = catalog.items[source.name]
    covered = covered_periods(connection, item.number)
    conditions = _wanted(item, source, period)

    def read(codes: Sequence[str]) -> dict[str, Column]:
        own = item_row.c.subject.between(codes[0], codes[-1])
        rows = load_rows(connection, vault, item, own, *conditions)
        return _only(item_inputs(item, rows, codes, period, covered), source)

    return read


def _only(found: dict[str, Column], source: _Source) -> dict[str, Column]:
    """The columns of the windows that a model reads."""
    return {name: one for name, one in found.items() if name.split("@")[1] in source.windows}


def _sources(model: RatingModel) -> list[_Source]:
    """Measure sets, then items, that a model's columns name, with the windows they name."""
    found: dict[tuple[bool, str], set[str]] = {}
    for column in model.input_columns:
        place, window = column.split("@")
        parts = place.split(".")
        is_item = is_item_column(column)
        found.setdefault((is_item, parts[1] if is_item else parts[0]), set()).add(window)
    return [
        _Source(name=name, is_item=is_item, windows=frozenset(found[is_item, name]))
        for is_item, name in sorted(found)
    ]


def _windows(source: _Source, period: Period) -> dict[str, Period]:
    """Periods that a source's windows name, the current one always."""
    named = {"base": period.base, "prior": period.prior}
    others = {window: of() for window, of in named.items() if window in source.windows}
    return {"current": period, **others}


def _periods(source: _Source, period: Period) -> list[Period]:
    return list(_windows(source, period).values())


def _wanted(
    item: InformationItem, source: _Source, period: Period
) -> tuple[ColumnElement[bool], ...]:
    """Conditions for the rows that can matter for a period."""
    if item.kind == "row":
        names = [one.name for one in _periods(source, period)]
        return (item_row.c.period.in_(names),)
    if item.kind == "event":
        first = date(period.year - _EVENT_YEARS, 1, 1)
        if item.qualification is not None:
            first = min(first, item.qualification.since)
        return (item_row.c.event_day.between(day_number(first), day_number(period.last_day)),)
    return ()
