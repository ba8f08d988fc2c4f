"""Relations of some months in one engine: records read once, relations made once (度量月的关系).

Rules:
- A set reads of a month what is in its window and no more: of kinds that name a visit all records
  of every visit that has one in the window's months, with the reversals of its settlements,
  whichever visit these name; of other kinds the records of these months, registers whole. So its
  rows do not tell which months were opened together.
- A derived relation of visits says of a visit what the visit's own records say: it is made once
  for all the months, and every window keeps of it the window's visits. Any other derived relation
  is made for every window from what the window holds.
- Gender and birth that only an answer about a person (1101) states are nothing of a visit: they
  stay unknown as long as no set names them. Where one does, relations that take them are made
  for every window.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Protocol

import duckdb
import pyarrow as pa

from node.errors import StoreError
from node.store.relations import NUMBERED
from node.supervision.month_inputs import SETTLEMENT, KindClasses, MonthInputs
from scoring_kernel.supervision import SupervisionSet
from scoring_kernel.supervision.hit_relations import HIT_RELATIONS
from scoring_kernel.supervision.loading import Supervision

__all__ = ["MEMORY_BYTES", "MonthEngine", "MonthPlan", "SupervisedRecords", "translated"]

MEMORY_BYTES: Final = 2 * 1024**3
"""Of the engine: a month's visits of a node fit many times over."""
_WORD: Final = re.compile(r"[a-z_][a-z0-9_]*")
_PLACE: Final = frozenset(("institution", "mdtrt_id", "month", "setl_id", "sign"))
"""Columns that tell to which window a record belongs."""
_SAID_OF_PERSONS: Final = {"insured_person": frozenset(("gender", "born"))}
"""What relations of visits take from kinds that name no visit."""


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


@dataclass(frozen=True, kw_only=True)
class MonthPlan:
    """What the sets of some months read."""

    supervision: Supervision
    classes: KindClasses
    inputs: MonthInputs = field(repr=False)
    windows: Mapping[tuple[int, ...], tuple[SupervisionSet, ...]]
    """Sets by the months of their windows."""

    @cached_property
    def reach(self) -> dict[str, frozenset[int]]:
        """Months of every kind and derived relation that are read, by name."""
        found: dict[str, frozenset[int]] = {}
        for window, sets in self.windows.items():
            for name in self._read([one.id for one in sets]):
                found[name] = found.get(name, frozenset()).union(window)
        return found

    @cached_property
    def derived(self) -> tuple[str, ...]:
        """Derived relations that are read, each after what it reads."""
        return self.supervision.derived({one.id for sets in self.windows.values() for one in sets})

    @cached_property
    def asked(self) -> frozenset[str]:
        """Kinds and derived relations that sets read themselves."""
        listed = (one for sets in self.windows.values() for one in sets)
        return frozenset(relation for one in listed for relation in one.relations)

    @cached_property
    def unknown(self) -> frozenset[str]:
        """Kinds about persons of which nothing that is read tells."""
        sets = [one for sets in self.windows.values() for one in sets]
        named = _words(one.sql for one in sets)
        return frozenset(
            kind
            for kind, columns in _SAID_OF_PERSONS.items()
            if kind not in self.asked and columns.isdisjoint(named)
        )

    @cached_property
    def shared(self) -> frozenset[str]:
        """Derived relations that are made once: those of visits, and those of registers."""
        found = {name for name in self.derived if self.supervision.relations[name].kept == "table"}
        while apart := {name for name in found if not self._is_sharable(name, found)}:
            found -= apart
        return frozenset(found)

    def is_whole(self, name: str) -> bool:
        """Whether a kind or relation is of registers alone, which every window holds whole."""
        if name not in self.supervision.relations:
            return name in self.classes.registers
        return all(map(self.is_whole, self.supervision.relations[name].reads))

    def kinds(self, listed: Iterable[str]) -> tuple[str, ...]:
        """Those of some kinds that are read."""
        return tuple(kind for kind in listed if kind in self.reach and kind not in self.unknown)

    def own(self, sets: Iterable[SupervisionSet]) -> tuple[tuple[str, ...], frozenset[str]]:
        """Derived relations that a window makes for some sets, in order, and all it has to hold."""
        sets = tuple(sets)
        made = [
            name
            for name in self.supervision.derived([one.id for one in sets])
            if name not in self.shared
        ]
        names = {relation for one in sets for relation in one.relations}
        for name in reversed(made):
            names |= {*self.supervision.relations[name].reads} if name in names else set()
        made = [name for name in made if name in names]
        return tuple(made), frozenset(
            name for name in names.difference(made) if not self.is_whole(name)
        )

    def _is_sharable(self, name: str, shared: Collection[str]) -> bool:
        one = self.supervision.relations[name]
        alike = {*self.classes.visits, *self.classes.registers, *self.unknown, *shared}
        if not alike.issuperset(one.reads):
            return False
        # What cannot be told by its visit is of use to other shared relations only.
        is_placed = {"institution", "mdtrt_id"} <= one.columns.keys() or self.is_whole(name)
        readers = (relation for relation in self.derived if relation not in shared)
        return is_placed or not (
            name in self.asked
            or any(name in self.supervision.relations[reader].reads for reader in readers)
        )

    def _read(self, names: Collection[str]) -> frozenset[str]:
        read = {relation for name in names for relation in self.supervision.sets[name].relations}
        for name in self.supervision.derived(names):
            read |= {name, *self.supervision.relations[name].reads}
        return frozenset(read)


class MonthEngine:
    """One engine with what the sets of some months read."""

    def __init__(self, records: SupervisedRecords, plan: MonthPlan, *, few: bool) -> None:
        """Read the records and make the relations that all windows share.

        Args:
            records: The node's records.
            plan: What is to be read of them.
            few: Whether there are so few that threads would cost more than they bring.

        Raises:
            StoreError: SQL fails, or the disk does.
        """
        self._plan = plan
        visits, dated = plan.kinds(plan.classes.visits), plan.kinds(plan.classes.dated)
        unknown = sorted(plan.unknown & plan.reach.keys())
        # A visit is touched by a record of any kind, whether or not a set reads it.
        read = (*(plan.classes.visits if visits else ()), *dated, *unknown)
        months = {month for kind in (*visits, *dated) for month in plan.reach[kind]}
        registers = _registers(records, plan.kinds(plan.classes.registers))
        self._engine = records.relations(
            read, months=plan.inputs.sources(read, months), memory_bytes=MEMORY_BYTES
        )
        try:
            if few:
                self._engine.execute("set threads = 1")
            for kind, table in registers.items():
                self._engine.register(kind, table)
            self._load(visits, dated, unknown)
            self._share()
        except duckdb.Error as error:
            self._engine.close()
            raise translated(error, f"the relations of {min(months, default=0)}") from error
        except BaseException:
            self._engine.close()
            raise

    def close(self) -> None:
        """Close the engine."""
        self._engine.close()

    @contextmanager
    def holding(self, tables: Mapping[str, pa.Table]) -> Iterator[None]:
        """Hold some relations more for a while: those of a month's hits."""
        for name, table in tables.items():
            self._engine.register(name, table)
        yield
        for name in tables:
            self._engine.unregister(name)

    @contextmanager
    def window(self, months: tuple[int, ...]) -> Iterator[None]:
        """Narrow what is read to some months' window.

        Args:
            months: One of the plan's windows.

        Raises:
            StoreError: SQL fails.
        """
        try:
            self._open(months)
        except duckdb.Error as error:
            raise translated(error, f"the relations of {months[0]} to {months[-1]}") from error
        yield
        self._engine.execute("set search_path = 'main'")
        self._engine.execute("drop schema narrow cascade")

    def rows(self, one: SupervisionSet, month: int) -> pa.Table:
        """Run a set's SQL for a month, within its window.

        Returns:
            Its columns as the engine types them.

        Raises:
            StoreError: It fails.
        """
        try:
            # A table first: a relation's text would be bound three times over.
            self._engine.execute(f"create or replace temp table counted as {one.sql_of(month)}")
            return self._engine.sql("from counted").to_arrow_table()
        except duckdb.Error as error:
            raise translated(error, f"measure set {one.id!r} of {month}") from error

    def _load(
        self, visits: Collection[str], dated: Collection[str], unknown: Collection[str]
    ) -> None:
        """Keep the records of all windows, and of them the columns that SQL names."""
        plan = self._plan
        relations = [plan.supervision.relations[name].sql for name in plan.derived]
        sets = [one.sql for sets in plan.windows.values() for one in sets]
        words = _PLACE | _words((*relations, *sets))
        if visits:
            months = {month for kind in visits for month in plan.reach[kind]}
            union = " union all ".join(
                f"select institution, mdtrt_id, month from {kind}"  # noqa: S608 - kinds of the catalogue
                for kind in plan.classes.visits
            )
            self._engine.execute(
                f"create table touched as select distinct * from ({union})"  # noqa: S608 - as above
                f" where month in ({_listed(months)})"
            )
        for kind in (*visits, *dated, *unknown):
            test = f"month in ({_listed(plan.reach[kind])})"
            if kind in visits:
                test = _of_visits(kind, f"{kind}{NUMBERED}", "touched", f" and touched.{test}")
            elif kind in unknown:
                test = "false"
            self._copy(kind, f"{kind}{NUMBERED}", words, test)

    def _share(self) -> None:
        """Make the relations of visits and of registers; drop what nobody reads afterwards."""
        plan = self._plan
        for name in plan.derived:
            if name in plan.shared:
                self._engine.execute(plan.supervision.relations[name].statement)
        read = frozenset[str]().union(*(plan.own(sets)[1] for sets in plan.windows.values()))
        for name in (*plan.kinds(plan.classes.visits), *plan.shared):
            if name not in read and not plan.is_whole(name):
                self._engine.execute(f"drop table {name}")

    def _open(self, months: tuple[int, ...]) -> None:
        plan = self._plan
        sets = plan.windows[months]
        made, held = plan.own(sets)
        relations = [plan.supervision.relations[name] for name in made]
        texts = (*(one.sql for one in relations), *(one.sql for one in sets))
        words = _words(texts) | {"institution", "mdtrt_id"}
        self._engine.execute("create schema narrow")
        self._engine.execute("set search_path = 'narrow,main'")
        window = f"month in ({_listed(months)})"
        if held & {*plan.classes.visits, *plan.shared}:
            visited = "create table visited as select distinct institution, mdtrt_id from touched"
            self._engine.execute(f"{visited} where {window}")
        for name in sorted(held - HIT_RELATIONS.keys()):
            # What is as wide as the window need not lie there twice.
            kept = "view" if plan.reach[name] == frozenset(months) else "table"
            if name in plan.classes.dated:
                self._copy(name, f"main.{name}", words | {"month"}, window, kept)
            else:
                test = _of_visits(name, f"main.{name}", "visited")
                self._copy(name, f"main.{name}", words, test, kept)
        for one in relations:
            self._engine.execute(one.statement)

    def _copy(
        self, name: str, source: str, words: Collection[str], test: str, kept: str = "table"
    ) -> None:
        described = self._engine.execute(f"describe {source}").fetchall()
        columns = ", ".join(f'"{row[0]}"' for row in described if row[0] in words)
        if source.endswith(NUMBERED):
            self._engine.execute(f"drop view {name}")
        self._engine.execute(
            f"create {kept} {name} as select {columns} from {source} as one where {test}"  # noqa: S608 - names of the catalogue
        )


def translated(error: duckdb.Error, what: str) -> StoreError:
    """Say what cannot be counted.

    An engine's message may quote a value; its kind may not.
    """
    return StoreError(f"{what} cannot be counted ({type(error).__name__}); check the catalogue")


def _registers(records: SupervisedRecords, kinds: Collection[str]) -> dict[str, pa.Table]:
    """Registers whole: they hold whatever the month of their day."""
    if not kinds:
        return {}
    engine = records.relations(kinds)
    try:
        return {
            kind: engine.sql(f"select * from {kind}").to_arrow_table()  # noqa: S608 - a kind of the catalogue
            for kind in kinds
        }
    finally:
        engine.close()


def _words(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(word for text in texts for word in _WORD.findall(text))


def _listed(months: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(months)))


def _of_visits(kind: str, source: str, table: str, more: str = "") -> str:
    """SQL that is true of ``one``, a record of some visits or a reversal of their settlements."""
    named = (
        f"exists (select 1 from {table} where {table}.institution = one.institution"  # noqa: S608 - one of two tables
        f" and {table}.mdtrt_id = one.mdtrt_id{more})"
    )
    if kind != SETTLEMENT:
        return named
    return (
        f"({named} or (one.sign = -1 and exists (select 1 from {source} as paid join {table}"  # noqa: S608 - as above
        f" on {table}.institution = paid.institution and {table}.mdtrt_id = paid.mdtrt_id{more}"
        " where paid.institution = one.institution and paid.setl_id = one.setl_id)))"
    )
