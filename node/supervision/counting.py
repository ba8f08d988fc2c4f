"""Counting measure sets of supervision, month by month, only where a month's records changed.

The order of work:
0. Digest what every month rests on; see ``month_inputs``. Months from the first with a
   settlement, an admission or a movement to the last, none after today's.
1. A set and month whose digest is kept is left alone. So is one that retention has frozen.
2. The others are counted in an engine that holds the records of the month's visits and no more,
   sets of one reach together; their rows are kept month by month.
3. Rows of sets that are no more, and of hits where no rule ever ran, are forgotten.
"""

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

import duckdb
import pyarrow as pa

from node.errors import StoreError
from node.store.month_rows import MonthRows, SetMonth
from node.store.relations import NUMBERED
from node.supervision.hit_tables import MonthHits
from node.supervision.month_inputs import KindClasses, MonthInputs, classes_of, find_inputs
from scoring_kernel.record_kinds import RecordKind
from scoring_kernel.supervision import SupervisionSet
from scoring_kernel.supervision.loading import Supervision
from security.progress import ProgressReporter

__all__ = ["CountReport", "SupervisedRecords", "count_months"]

MEMORY_BYTES: Final = 2 * 1024**3
"""Of the engine: a month's visits of a node fit many times over."""
MAX_MONTHS: Final = 60
"""Months back from the last that are counted."""
_STAGE: Final = "measures"
_WORD: Final = re.compile(r"[a-z_][a-z0-9_]*")
_MEASURED: Final = ("settlement", "admission", "stock_movement")
"""Kinds whose records make a month one that is counted."""


class SupervisedRecords(Protocol):
    """The node's records."""

    def relations(
        self,
        kinds: Iterable[str],
        months: Collection[int] | None = None,
        *,
        memory_bytes: int | None = None,
    ) -> duckdb.DuckDBPyConnection:
        """Open an engine over a snapshot of some kinds of record; the caller closes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountReport:
    """What a count did."""

    months: tuple[int, ...]
    """Months that are counted, ascending."""
    counted: int
    """Sets and months that were counted now."""
    unchanged: int
    """Sets and months whose rows still held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Count:
    """One run over a node's months."""

    records: SupervisedRecords
    kept: MonthRows
    supervision: Supervision
    hits: MonthHits | None
    classes: KindClasses
    inputs: MonthInputs = field(repr=False)

    def digest(self, one: SupervisionSet, month: int) -> bytes:
        """Digest of everything a set's rows of a month rest on."""
        state = hashlib.sha256(one.digest)
        for name in self.supervision.derived([one.id]):
            state.update(self.supervision.relations[name].sql.encode())
        kinds = self.supervision.kinds([one.id])
        state.update(self.inputs.digest(kinds, _window(month, one)))
        if self.supervision.reads_hits(one.id) and self.hits is not None:
            state.update(self.hits.digest(month))
        return state.digest()

    def count(self, month: int, wanted: Iterable[SupervisionSet]) -> int:
        """Count some sets of a month, those of one reach together; returns how many."""
        counted = 0
        groups: dict[tuple[int, int], list[SupervisionSet]] = {}
        for one in wanted:
            counted += 1
            if self._has_inputs(one, month):
                groups.setdefault((one.before, one.after), []).append(one)
            else:
                self._keep(one, month, _schema(one).empty_table())
        for sets in groups.values():
            engine = self._engine(month, sets)
            try:
                for one in sets:
                    self._keep(one, month, _rows(engine, one, month))
            finally:
                engine.close()
        return counted

    def _has_inputs(self, one: SupervisionSet, month: int) -> bool:
        if self.supervision.reads_hits(one.id):
            return self.hits is not None and bool(self.hits.digest(month))
        kinds = self.supervision.kinds([one.id])
        return bool(self.inputs.sources(kinds, _window(month, one)))

    def _keep(self, one: SupervisionSet, month: int, rows: pa.Table) -> None:
        inputs = self.digest(one, month)
        self.kept.replace(SetMonth(measure_set=one.id, month=month, inputs=inputs, rows=rows))

    def _engine(self, month: int, sets: list[SupervisionSet]) -> duckdb.DuckDBPyConnection:
        """Open an engine that holds what the sets of one reach read of a month."""
        names = [one.id for one in sets]
        kinds = self.supervision.kinds(names)
        months = _window(month, sets[0])
        visits = [kind for kind in self.classes.visits if kind in kinds]
        dated = [kind for kind in self.classes.dated if kind in kinds]
        registers = [kind for kind in self.classes.registers if kind in kinds]
        sources = self.inputs.sources((*visits, *dated), months)
        tables = self._registers(registers)
        engine = self.records.relations(
            (*visits, *dated), months=sources, memory_bytes=MEMORY_BYTES
        )
        try:
            read = " ".join(
                (
                    *(
                        self.supervision.relations[one].sql
                        for one in self.supervision.derived(names)
                    ),
                    *(one.sql for one in sets),
                )
            )
            _narrow(engine, visits, dated, months, frozenset(_WORD.findall(read)))
            if self.hits is not None and any(map(self.supervision.reads_hits, names)):
                tables |= self.hits.tables(month)
            for name, table in tables.items():
                engine.register(name, table)
            for statement in self.supervision.prepare(names):
                engine.execute(statement)
        except duckdb.Error as error:
            engine.close()
            raise _translated(error, f"the relations of {month}") from error
        except BaseException:
            engine.close()
            raise
        return engine

    def _registers(self, kinds: Collection[str]) -> dict[str, pa.Table]:
        """Registers whole: they hold whatever the month of their day."""
        if not kinds:
            return {}
        engine = self.records.relations(kinds)
        try:
            return {
                kind: engine.sql(f"select * from {kind}").to_arrow_table()  # noqa: S608 - a kind of the catalogue
                for kind in kinds
            }
        finally:
            engine.close()


def count_months(
    records: SupervisedRecords,
    kept: MonthRows,
    supervision: Supervision,
    kinds: Mapping[str, RecordKind],
    hits: MonthHits | None,
    *,
    this_month: int,
    frozen: int,
    progress: ProgressReporter,
) -> CountReport:
    """Bring the rows of all sets and months up to date.

    Args:
        records: The node's records.
        kept: Rows by set and month; the caller holds their lock.
        supervision: The measure sets.
        kinds: Record kinds of the catalogue.
        hits: Hits of rules; None where no rule has ever run.
        this_month: Today's month, yyyymm: none after it is counted.
        frozen: Last month whose records retention has deleted, or that looks back on one; 0
            for none.
        progress: Told months.

    Raises:
        StoreError: SQL fails, or the disk does; months that were kept stay.
    """
    sets = [
        one
        for name, one in supervision.sets.items()
        if hits is not None or not supervision.reads_hits(name)
    ]
    classes = classes_of(supervision.kinds(one.id for one in sets), kinds)
    count = _Count(
        records=records,
        kept=kept,
        supervision=supervision,
        hits=hits,
        classes=classes,
        inputs=_inputs(records, classes),
    )
    months = _months(count.inputs, this_month)
    known = kept.inputs()
    names = {one.id for one in sets}
    kept.drop([one for one in known if one[0] not in names or one[1] > this_month])
    counted = 0
    for done, month in enumerate(months):
        progress(_STAGE, done, len(months), "months")
        if month > frozen:
            stale = [one for one in sets if known.get((one.id, month)) != count.digest(one, month)]
            counted += count.count(month, stale)
    progress(_STAGE, len(months), len(months), "months")
    return CountReport(months=months, counted=counted, unchanged=len(months) * len(sets) - counted)


def _inputs(records: SupervisedRecords, classes: KindClasses) -> MonthInputs:
    listed = (*classes.visits, *classes.dated, *classes.registers)
    engine = records.relations(listed, memory_bytes=MEMORY_BYTES)
    try:
        return find_inputs(engine, classes)
    except duckdb.Error as error:
        raise _translated(error, "what the months rest on") from error
    finally:
        engine.close()


def _months(inputs: MonthInputs, this_month: int) -> tuple[int, ...]:
    held = [
        source
        for kind in _MEASURED
        for sources in inputs.held.get(kind, {}).values()
        for source in sources
        if 0 < source <= this_month
    ]
    if not held:
        return ()
    last = max(held)
    first = max(min(held), _shifted(last, 1 - MAX_MONTHS))
    return tuple(_span(first, last))


def _window(month: int, one: SupervisionSet) -> tuple[int, ...]:
    return tuple(_span(_shifted(month, -one.before), _shifted(month, one.after)))


def _shifted(month: int, months: int) -> int:
    """A month so many months later.

    >>> _shifted(202512, 1), _shifted(202601, -13)
    (202601, 202412)
    """
    count = month // 100 * 12 + month % 100 - 1 + months
    return count // 12 * 100 + count % 12 + 1


def _span(first: int, last: int) -> Iterator[int]:
    while first <= last:
        yield first
        first = _shifted(first, 1)


def _narrow(
    engine: duckdb.DuckDBPyConnection,
    visits: Collection[str],
    dated: Collection[str],
    months: Collection[int],
    words: Collection[str],
) -> None:
    """Keep, of every kind, what the months rest on, and of that the columns that SQL names."""
    listed = ", ".join(map(str, months))
    if visits:
        union = " union all ".join(
            f"select institution, mdtrt_id from {kind} where month in ({listed})"  # noqa: S608 - names of the catalogue
            for kind in visits
        )
        engine.execute(f"create table visited as select distinct * from ({union})")  # noqa: S608 - as above
    for kind in (*visits, *dated):
        test = f"month in ({listed})"
        if kind in visits:
            test = (
                "exists (select 1 from visited where visited.institution = one.institution"
                " and visited.mdtrt_id = one.mdtrt_id)"
            )
        described = [row[0] for row in engine.execute(f"describe {kind}").fetchall()]
        columns = [f'"{name}"' for name in described if name in words]
        engine.execute(f"drop view {kind}")
        engine.execute(
            f"create table {kind} as select {', '.join(columns)}"  # noqa: S608 - as above
            f" from {kind}{NUMBERED} as one where {test}"
        )


def _rows(engine: duckdb.DuckDBPyConnection, one: SupervisionSet, month: int) -> pa.Table:
    """Run a set's SQL for a month.

    Raises:
        StoreError: It fails, or returns other columns or a null.
    """
    schema = _schema(one)
    try:
        found = engine.sql(one.sql_of(month)).to_arrow_table()
    except duckdb.Error as error:
        raise _translated(error, f"measure set {one.id!r} of {month}") from error
    if found.column_names != schema.names:
        raise StoreError(
            f"measure set {one.id!r} returns columns {found.column_names}, expected"
            f" {schema.names}; check the catalogue"
        )
    table = found.cast(schema)
    if any(column.null_count for column in table.columns):
        raise StoreError(f"measure set {one.id!r} returns nulls; check the catalogue")
    return table.sort_by([(name, "ascending") for name in one.keys])


def _schema(one: SupervisionSet) -> pa.Schema:
    return pa.schema(
        [
            *((name, pa.string()) for name in one.keys),
            *((measure.id, pa.int64()) for measure in one.measures),
        ]
    )


def _translated(error: duckdb.Error, what: str) -> StoreError:
    # An engine's message may quote a value; its kind may not.
    return StoreError(f"{what} cannot be counted ({type(error).__name__}); check the catalogue")
