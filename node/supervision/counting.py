"""Counting measure sets of supervision, month by month, only where a month's records changed.

The order of work:
0. Digest what every month rests on; see ``month_inputs``. Months from the first with a
   settlement, an admission or a movement to the last, none after today's.
1. A set and month whose digest is kept is left alone. So is one that retention has frozen.
2. The others are counted, small months together in one engine, a large one in an engine of its
   own; see ``month_engine``. Their rows are kept set by set.
3. Rows of sets that are no more, and of hits where no rule ever ran, are forgotten.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import duckdb
import pyarrow as pa

from node.errors import StoreError
from node.store.month_rows import MonthRows, SetMonth
from node.supervision.hit_tables import MonthHits
from node.supervision.month_engine import (
    MEMORY_BYTES,
    MonthEngine,
    MonthPlan,
    SupervisedRecords,
    translated,
)
from node.supervision.month_inputs import KindClasses, MonthInputs, classes_of, find_inputs
from scoring_kernel.record_kinds import RecordKind
from scoring_kernel.supervision import SupervisionSet
from scoring_kernel.supervision.loading import Supervision
from security.progress import ProgressReporter

__all__ = ["CountReport", "count_months"]

SPAN_RECORDS: Final = 200_000
"""Records of months that are counted in one engine; a month of more is counted by itself."""
MAX_MONTHS: Final = 60
"""Months back from the last that are counted."""
_STAGE: Final = "measures"
_MEASURED: Final = ("settlement", "admission", "stock_movement")
"""Kinds whose records make a month one that is counted."""


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
class _Stale:
    """A set and month that is to be counted."""

    one: SupervisionSet
    month: int
    digest: bytes
    """Of everything its rows will rest on."""


@dataclass(frozen=True, kw_only=True)
class _Count:
    """One run over a node's months."""

    records: SupervisedRecords
    kept: MonthRows
    supervision: Supervision
    hits: MonthHits | None
    classes: KindClasses
    inputs: MonthInputs = field(repr=False)

    @cached_property
    def kinds(self) -> dict[str, tuple[str, ...]]:
        """Record kinds that every set reads."""
        names = self.supervision.sets
        return {name: tuple(sorted(self.supervision.kinds([name]))) for name in names}

    @cached_property
    def texts(self) -> dict[str, bytes]:
        """Digest of every set's own SQL and that of the relations it reads."""
        found: dict[str, bytes] = {}
        for name, one in self.supervision.sets.items():
            made = (self.supervision.relations[each] for each in self.supervision.derived([name]))
            found[name] = b"".join((one.digest, *(each.sql.encode() for each in made)))
        return found

    def digest(self, one: SupervisionSet, month: int) -> bytes:
        """Digest of everything a set's rows of a month rest on."""
        state = hashlib.sha256(self.texts[one.id])
        state.update(self.inputs.digest(self.kinds[one.id], _window(month, one)))
        if self.supervision.reads_hits(one.id) and self.hits is not None:
            state.update(self.hits.digest(month))
        return state.digest()

    def has_inputs(self, stale: _Stale) -> bool:
        """Whether there is anything to count."""
        if self.supervision.reads_hits(stale.one.id):
            return self.hits is not None and bool(self.hits.digest(stale.month))
        kinds = self.kinds[stale.one.id]
        return bool(self.inputs.sources(kinds, _window(stale.month, stale.one)))

    def keep(self, stale: _Stale, rows: pa.Table) -> None:
        """Keep what was counted."""
        self.kept.replace(
            SetMonth(measure_set=stale.one.id, month=stale.month, inputs=stale.digest, rows=rows)
        )

    def spans(self, stale: Mapping[int, list[_Stale]]) -> Iterator[tuple[int, ...]]:
        """Put months together that are counted in one engine."""
        span: tuple[int, ...] = ()
        for month in stale:
            listed = [each for one in (*span, month) for each in stale[one]]
            if span and self._records_of(listed) > SPAN_RECORDS:
                yield span
                span = ()
            span = (*span, month)
        if span:
            yield span

    def count(self, stale: Mapping[int, list[_Stale]], done: Callable[[int], None]) -> None:
        """Count the sets of some months in one engine.

        Args:
            stale: Sets by month; all of them have inputs.
            done: Told every month before it is counted.
        """
        windows: dict[tuple[int, ...], dict[str, SupervisionSet]] = {}
        listed = [each for held in stale.values() for each in held]
        for each in listed:
            windows.setdefault(_window(each.month, each.one), {})[each.one.id] = each.one
        plan = MonthPlan(
            supervision=self.supervision,
            classes=self.classes,
            inputs=self.inputs,
            windows={window: tuple(sets.values()) for window, sets in windows.items()},
        )
        few = self._records_of(listed) <= SPAN_RECORDS
        engine = MonthEngine(self.records, plan, few=few)
        try:
            for month, listed in stale.items():
                done(month)
                self._count(engine, month, listed)
        finally:
            engine.close()

    def _count(self, engine: MonthEngine, month: int, listed: list[_Stale]) -> None:
        groups: dict[tuple[int, ...], list[_Stale]] = {}
        for each in listed:
            groups.setdefault(_window(month, each.one), []).append(each)
        reads_hits = any(self.supervision.reads_hits(each.one.id) for each in listed)
        tables = self.hits.tables(month) if reads_hits and self.hits is not None else {}
        with engine.holding(tables):
            for window, group in groups.items():
                with engine.window(window):
                    for each in group:
                        self.keep(each, _checked(each.one, engine.rows(each.one, month)))

    def _records_of(self, listed: Iterable[_Stale]) -> int:
        months: dict[str, set[int]] = {}
        for each in listed:
            for kind in self.kinds[each.one.id]:
                months.setdefault(kind, set()).update(_window(each.month, each.one))
        return sum(self.inputs.records(kind, held) for kind, held in months.items())


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
    stale: dict[int, list[_Stale]] = {}
    for month in (month for month in months if month > frozen):
        for one in sets:
            each = _Stale(one=one, month=month, digest=count.digest(one, month))
            if known.get((one.id, month)) == each.digest:
                continue
            counted += 1
            if count.has_inputs(each):
                stale.setdefault(month, []).append(each)
            else:
                count.keep(each, _schema(one).empty_table())
    for span in count.spans(stale):
        count.count(
            {month: stale[month] for month in span},
            lambda month: progress(_STAGE, months.index(month), len(months), "months"),
        )
    progress(_STAGE, len(months), len(months), "months")
    return CountReport(months=months, counted=counted, unchanged=len(months) * len(sets) - counted)


def _inputs(records: SupervisedRecords, classes: KindClasses) -> MonthInputs:
    listed = (*classes.visits, *classes.dated, *classes.registers)
    engine = records.relations(listed, memory_bytes=MEMORY_BYTES)
    try:
        return find_inputs(engine, classes)
    except duckdb.Error as error:
        raise translated(error, "what the months rest on") from error
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


def _checked(one: SupervisionSet, found: pa.Table) -> pa.Table:
    """Check what a set's SQL returned.

    Returns:
        Its rows, sorted by its keys.

    Raises:
        StoreError: They have other columns or a null.
    """
    schema = _schema(one)
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
