"""What a node states to its hub: measures of records, and measures of supervision."""

from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from node.config import NODE_KEY
from node.domain.reported import ReportedSet, first_months, reported_set
from node.pack_jobs import NodeParts, standing_of
from node.retention import frozen_by_set, frozen_through
from node.store import NodeStore
from node.store.measures_file import FILE_NAME as MEASURES_FILE
from node.store.month_rows import MonthRows
from node.supervision.stated import supervised_reports
from scoring_kernel.supervision.stated import stated_sets
from security.at_rest import Vault

__all__ = ["StoredParts", "measure_reports", "supervision_reports"]


class StoredParts(NodeParts, Protocol):
    """The parts of a node that its reports are made of."""

    @property
    def store(self) -> NodeStore:
        """The node's store."""


def measure_reports(parts: StoredParts) -> list[ReportedSet]:
    """What a node states of every measure set; nothing while no pack holds."""
    if not standing_of(parts).is_scored:
        return []
    through = frozen_by_set(parts.store, parts.catalog)
    tables = {
        name: _after(parts.store.measure_rows(measure_set), through[name])
        for name, measure_set in parts.catalog.measure_sets.items()
    }
    months = sorted(
        {int(month) for table in tables.values() for month in table["month"].to_pylist()}
    )
    first = first_months(tables.values())
    return [
        reported_set(
            name,
            [measure.id for measure in parts.catalog.measure_sets[name].measures],
            table,
            [month for month in months if month > through[name]],
            first,
            of_staff=parts.catalog.measure_sets[name].any_month,
        )
        for name, table in tables.items()
    ]


def supervision_reports(parts: StoredParts) -> list[ReportedSet]:
    """What a node states of the measures of supervision, as they were counted last."""
    counted = (parts.directory / MEASURES_FILE).exists()
    if not (counted and standing_of(parts).is_scored):
        return []
    frozen = parts.store.frozen_months()
    after = frozen_through(month for months in frozen.values() for month in months)
    with MonthRows(parts.directory, Vault.load(parts.directory / NODE_KEY)) as kept:
        return supervised_reports(kept, stated_sets(), after=after)


def _after(table: pa.Table, month: int) -> pa.Table:
    """Rows of later months than the last that is not stated any more."""
    return table.filter(pc.greater(table.column("month"), month)) if month else table
