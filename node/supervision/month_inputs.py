"""What a month of measures rests on (度量月的输入), as a digest: the same records, the same digest.

Rules:
- Records of a visit count together: a month rests on all records of every visit that has one
  in it, wherever the others lie, and on the reversals of its settlements, whichever visit these
  name. Records that name no visit count in their own month, those of registers in every month.
- A month is told by how many records it rests on, and by the greatest of their numbers. A store
  numbers records upwards and never again: a record that comes in is greater than all before
  it, one that goes out lowers the count, so no change leaves both alone.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import duckdb

from node.store.deletions import SEQ
from node.store.relations import NUMBERED
from scoring_kernel.record_kinds import RecordKind

__all__ = ["SETTLEMENT", "KindClasses", "MonthInputs", "classes_of", "find_inputs"]

SETTLEMENT: Final = "settlement"
"""Kind whose records are taken back by their own number (setl_id), not by their visit."""
REGISTER_DAY: Final = "intake"
"""Day of a register's records: the day they were taken in, which says nothing of when they hold."""

Held = dict[int, dict[int, tuple[int, int]]]
"""Month of measures → month of records → records and greatest number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KindClasses:
    """Record kinds by what ties their records to a month of measures."""

    visits: tuple[str, ...]
    """Their records name a visit."""
    dated: tuple[str, ...]
    """Their records have a day and name no visit for sure."""
    registers: tuple[str, ...]
    """Their records hold from a day on, whatever the day they came in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthInputs:
    """What every month rests on."""

    held: Mapping[str, Held] = field(repr=False)
    """Records by kind; registers are under month 0."""

    def months(self) -> tuple[int, ...]:
        """Months in which a visit or a dated record is, ascending."""
        found = {month for held in self.held.values() for month in held if month}
        return tuple(sorted(found))

    def digest(self, kinds: Iterable[str], months: Collection[int]) -> bytes:
        """Digest what some kinds hold for some months, registers included.

        Args:
            kinds: Record kinds.
            months: Months of measures, yyyymm.

        Returns:
            SHA-256, 32 bytes.
        """
        state = hashlib.sha256()
        for kind in sorted(kinds):
            held = self.held.get(kind, {})
            for month in (0, *sorted(months)):
                for source, (count, last) in sorted(held.get(month, {}).items()):
                    state.update(f"{kind} {month} {source} {count} {last}\n".encode())
        return state.digest()

    def records(self, kind: str, months: Iterable[int]) -> int:
        """Number of a kind's records that some months of measures rest on; most count once."""
        held = self.held.get(kind, {})
        return sum(count for month in (0, *months) for count, _ in held.get(month, {}).values())

    def sources(self, kinds: Iterable[str], months: Collection[int]) -> frozenset[int]:
        """Months of records that some months of measures rest on."""
        return frozenset(
            source
            for kind in kinds
            for month in months
            for source in self.held.get(kind, {}).get(month, {})
        )


def classes_of(kinds: Iterable[str], records: Mapping[str, RecordKind]) -> KindClasses:
    """Class some record kinds."""
    found: dict[str, list[str]] = {"visits": [], "dated": [], "registers": []}
    for kind in sorted(kinds):
        columns = dict(records[kind].schema)
        if "mdtrt_id" in columns and "mdtrt_id" not in records[kind].nullable:
            found["visits"].append(kind)
        else:
            is_register = records[kind].day == REGISTER_DAY
            found["registers" if is_register else "dated"].append(kind)
    return KindClasses(**{name: tuple(one) for name, one in found.items()})


def find_inputs(engine: duckdb.DuckDBPyConnection, classes: KindClasses) -> MonthInputs:
    """Find what every month rests on.

    Args:
        engine: Relations of all the kinds, of all months, with their numbers.
        classes: The kinds.
    """
    held: dict[str, Held] = {}
    if classes.visits:
        union = " union all ".join(
            f"select institution, mdtrt_id, month from {kind}"  # noqa: S608 - kinds of the catalogue
            for kind in classes.visits
        )
        engine.execute(f"create temp table touched as select distinct * from ({union})")  # noqa: S608 - as above
    for kind in classes.visits:
        held[kind] = _held(
            engine,
            f"select touched, month, count(*), max({SEQ}) from ({_of_visits(kind)})"  # noqa: S608 - as above
            " group by touched, month",
        )
    for kind in classes.dated:
        held[kind] = _held(
            engine,
            f"select month, month, count(*), max({SEQ}) from {kind}{NUMBERED} group by month",  # noqa: S608 - as above
        )
    for kind in classes.registers:
        held[kind] = _held(
            engine,
            f"select 0, 0, count(*), max({SEQ}) from {kind}{NUMBERED} having count(*) > 0",  # noqa: S608 - as above
        )
    if classes.visits:
        engine.execute("drop table touched")
    return MonthInputs(held=held)


def _of_visits(kind: str) -> str:
    """SQL of the records that a month rests on, each once a month: of its visits, and reversals."""
    found = (
        f"select touched.month as touched, one.month, one.{SEQ} from {kind}{NUMBERED} as one"  # noqa: S608 - a kind of the catalogue
        " join touched on touched.institution = one.institution"
        " and touched.mdtrt_id = one.mdtrt_id"
    )
    if kind != SETTLEMENT:
        return found
    return (
        f"{found} union select touched.month as touched, one.month, one.{SEQ}"  # noqa: S608 - as above
        f" from {kind}{NUMBERED} as one join {kind}{NUMBERED} as paid"
        " on paid.institution = one.institution and paid.setl_id = one.setl_id"
        " join touched on touched.institution = paid.institution"
        " and touched.mdtrt_id = paid.mdtrt_id where one.sign = -1"
    )


def _held(engine: duckdb.DuckDBPyConnection, sql: str) -> Held:
    found: Held = {}
    for month, source, count, last in engine.execute(sql).fetchall():
        found.setdefault(int(month), {})[int(source)] = int(count), int(last)
    return found
