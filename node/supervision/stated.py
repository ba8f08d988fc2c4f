"""What a node states of the measure sets of supervision: those that travel, as they were counted.

Rules:
- Nothing is counted here: what ``node topics run`` counted last is what the hub hears. A node
  that never counted states nothing of these sets.
- The rows are those of institutions, or of staff at them: a set that names persons, visits or
  items never comes by here.
- An institution that one set knows is stated in every set of institutions, with zeros where it
  did nothing: so that the hub tells nothing found from nothing looked for.
"""

from collections.abc import Mapping

import pyarrow as pa

from node.domain.reported import ReportedSet, first_months, reported_set
from node.store.month_rows import MonthRows
from scoring_kernel.measure_sets import MeasureSet
from scoring_kernel.subject_ids import INSTITUTION

__all__ = ["supervised_reports"]


def supervised_reports(
    kept: MonthRows, stated: Mapping[str, MeasureSet], *, after: int
) -> list[ReportedSet]:
    """List what is stated.

    Args:
        kept: Rows by set and month.
        stated: Sets that travel, by id.
        after: Months up to this one are no longer stated; 0 for none.
    """
    months = tuple(month for month in kept.months() if month > after)
    counted = {name for name, _ in kept.inputs()}
    tables = {name: _table(kept, one, months) for name, one in stated.items() if name in counted}
    first = first_months(tables.values())
    found = []
    for name, table in tables.items():
        of_staff = stated[name].subject != INSTITUTION
        measures = [measure.id for measure in stated[name].measures]
        whole = table if of_staff else _with_zeros(table, measures, first)
        found.append(reported_set(name, measures, whole, months, first, of_staff=of_staff))
    return found


def _table(kept: MonthRows, one: MeasureSet, months: tuple[int, ...]) -> pa.Table:
    schema = pa.schema(
        [
            ("institution", pa.string()),
            ("month", pa.int32()),
            ("subject", pa.string()),
            *((measure.id, pa.int64()) for measure in one.measures),
        ]
    )
    parts = [schema.empty_table()]
    for held in kept.read({one.id}, months):
        rows = held.rows
        subject = "institution" if one.subject == INSTITUTION else "staff"
        columns = {
            "institution": rows.column("institution"),
            "month": pa.array([held.month] * rows.num_rows, pa.int32()),
            "subject": rows.column(subject),
            **{measure.id: rows.column(measure.id) for measure in one.measures},
        }
        parts.append(pa.table(columns).cast(schema))
    return pa.concat_tables(parts)


def _with_zeros(table: pa.Table, measures: list[str], first: Mapping[str, int]) -> pa.Table:
    """Add a row of zeros, in its first month, for every institution that the set does not know."""
    known = set(table.column("institution").to_pylist())
    new = sorted(first.keys() - known)
    zeros = {
        "institution": pa.array(new, pa.string()),
        "month": pa.array([first[code] for code in new], pa.int32()),
        "subject": pa.array(new, pa.string()),
        **{name: pa.array([0] * len(new), pa.int64()) for name in measures},
    }
    return pa.concat_tables([table, pa.table(zeros).cast(table.schema)])
