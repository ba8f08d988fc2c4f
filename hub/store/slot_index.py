"""The index of statements: which statement of every slot counts, and where its rows are.

Rules of this module:

- A book is opened for the slots of one commit group inside its transaction, offered the group's
  parts in chain order, and written once.
- Decisions are those of the slot rule (``hub.domain.slots``); this module only keeps their state.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, Table, delete, insert, select
from sqlalchemy.dialects.postgresql import Insert as PostgresqlInsert
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import Insert as SqliteInsert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from hub.domain.members import MemberId
from hub.domain.slots import SlotStep, SlotVersion, StatedSlot, slot_step
from hub.domain.statements import OfferedSlot
from hub.store.tables import slot, slot_part

_CHUNK: Final = 500


class SlotKey(NamedTuple):
    """A slot: measure set, institution and month."""

    measure_set: str
    institution: str
    month: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldSlot:
    """A statement as the index holds it.

    Attributes:
        stated: What it says of itself.
        ledger_size: Records in its sender's ledger.
        log_indexes: Envelope of each part that is there, by part number.
    """

    stated: StatedSlot
    ledger_size: int
    log_indexes: dict[int, int]

    @property
    def is_complete(self) -> bool:
        """Whether every part is there."""
        return len(self.log_indexes) == self.stated.parts


class SlotBook:
    """Working copy of the slots that one commit group touches."""

    __slots__ = ("_connection", "_held", "_in_parts", "_stored", "_touched")

    def __init__(self, connection: Connection, keys: Iterable[SlotKey]) -> None:
        """Load the named slots.

        Args:
            connection: The writing transaction of the commit group.
            keys: Slots that will be offered; repetitions are allowed.
        """
        self._connection = connection
        self._held: dict[tuple[SlotKey, bool], HeldSlot] = {}
        self._touched: dict[SlotKey, None] = {}
        self._stored: set[tuple[SlotKey, bool]] = set()
        self._in_parts: set[SlotKey] = set()
        institutions: dict[str, set[str]] = {}
        for key in keys:
            institutions.setdefault(key.measure_set, set()).add(key.institution)
        for measure_set, codes in institutions.items():
            for chunk in _chunks(sorted(codes), _CHUNK):
                self._load(measure_set, chunk)

    def offer(
        self, key: SlotKey, offered: OfferedSlot, stated: StatedSlot, log_index: int
    ) -> SlotStep:
        """Offer one part; the book changes as the slot rule says.

        Args:
            key: The slot.
            offered: The part.
            stated: What the part says of its statement.
            log_index: Envelope that holds the part.

        Returns:
            The step taken. After ``COLLECT`` or ``REPLACE`` the caller asks ``completed``.
        """
        counting = self._held.get((key, False))
        collecting = self._held.get((key, True))
        step = slot_step(
            counting=counting.stated if counting else None,
            collecting=collecting.stated if collecting else None,
            offered=stated,
        )
        if step is SlotStep.COLLECT and collecting is not None:
            if offered.part in collecting.log_indexes:
                return SlotStep.KNOWN
            collecting.log_indexes[offered.part] = log_index
            self._touched[key] = None
        elif step in {SlotStep.REPLACE, SlotStep.COUNT}:
            held = HeldSlot(
                stated=stated,
                ledger_size=offered.ledger_size,
                log_indexes={offered.part: log_index},
            )
            if step is SlotStep.REPLACE:
                self._held.pop((key, True), None)
            self._held[key, not held.is_complete] = held
            self._touched[key] = None
        return step

    def completed(self, key: SlotKey) -> HeldSlot | None:
        """The collected statement when its last part is there; None while parts are missing."""
        collecting = self._held.get((key, True))
        return collecting if collecting is not None and collecting.is_complete else None

    def count_collected(self, key: SlotKey) -> None:
        """Let the completed statement count."""
        self._held[key, False] = self._held.pop((key, True))

    def drop_collected(self, key: SlotKey) -> None:
        """Forget the collected statement: its rows were not the digested ones."""
        del self._held[key, True]

    def write(self) -> None:
        """Write every touched slot."""
        rows: list[dict[str, object]] = []
        parts: list[dict[str, object]] = []
        for key in self._touched:
            if key in self._in_parts:
                self._connection.execute(delete(slot_part).where(*_is(slot_part, key)))
            if (key, True) in self._stored and (key, True) not in self._held:
                self._connection.execute(delete(slot).where(*_is(slot, key), slot.c.collecting))
            for collecting in (False, True):
                held = self._held.get((key, collecting))
                if held is not None:
                    rows.append(_slot_row(key, held, collecting=collecting))
                    if held.stated.parts > 1:
                        parts.extend(_part_rows(key, held, collecting=collecting))
        if rows:
            self._connection.execute(upsert(self._connection, slot), rows)
        if parts:
            self._connection.execute(insert(slot_part), parts)

    def _load(self, measure_set: str, institutions: Sequence[str]) -> None:
        query = select(slot).where(
            slot.c.measure_set == measure_set, slot.c.institution.in_(institutions)
        )
        for row in self._connection.execute(query):
            key = SlotKey(measure_set, row.institution, row.month)
            self._held[key, row.collecting] = _held_slot(row)
            self._stored.add((key, row.collecting))
            if row.parts > 1:
                self._in_parts.add(key)
        if not self._in_parts:
            return
        part_query = select(slot_part).where(
            slot_part.c.measure_set == measure_set, slot_part.c.institution.in_(institutions)
        )
        for row in self._connection.execute(part_query):
            key = SlotKey(measure_set, row.institution, row.month)
            self._held[key, row.collecting].log_indexes[row.part] = row.log_index


def upsert(connection: Connection, table: Table) -> SqliteInsert | PostgresqlInsert:
    """An insert that replaces the row of the same primary key, for either database."""
    dialect_insert = sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert
    statement = dialect_insert(table)
    keys = list(table.primary_key.columns)
    return statement.on_conflict_do_update(
        index_elements=keys,
        set_={
            column.name: statement.excluded[column.name]
            for column in table.columns
            if column not in keys
        },
    )


def _held_slot(row: Row[tuple[object, ...]]) -> HeldSlot:
    return HeldSlot(
        stated=StatedSlot(
            member=MemberId(row.member),
            at=SlotVersion(incarnation=row.incarnation, version=row.version),
            digest=row.digest,
            rows=row.rows,
            parts=row.parts,
        ),
        ledger_size=row.ledger_size,
        log_indexes={} if row.log_index is None else {1: row.log_index},
    )


def _slot_row(key: SlotKey, held: HeldSlot, *, collecting: bool) -> dict[str, object]:
    return {
        "measure_set": key.measure_set,
        "institution": key.institution,
        "month": key.month,
        "collecting": collecting,
        "member": held.stated.member,
        "incarnation": held.stated.at.incarnation,
        "version": held.stated.at.version,
        "ledger_size": held.ledger_size,
        "rows": held.stated.rows,
        "digest": held.stated.digest,
        "parts": held.stated.parts,
        "log_index": held.log_indexes[1] if held.stated.parts == 1 else None,
    }


def _part_rows(key: SlotKey, held: HeldSlot, *, collecting: bool) -> Iterator[dict[str, object]]:
    for part, log_index in sorted(held.log_indexes.items()):
        yield {
            "measure_set": key.measure_set,
            "institution": key.institution,
            "month": key.month,
            "collecting": collecting,
            "part": part,
            "log_index": log_index,
        }


def _is(table: Table, key: SlotKey) -> tuple[ColumnElement[bool], ...]:
    return (
        table.c.measure_set == key.measure_set,
        table.c.institution == key.institution,
        table.c.month == key.month,
    )


def _chunks(items: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
