"""The node's store: a ledger and quarantine in SQLite, records in sealed segments.

What MUST hold:
- after ``commit`` returned, its batch survives a power cut, whole;
- a record is in the store once, in a segment or staged, whenever it is looked at;
- nothing personal is on disk in clear.
"""

import hashlib
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self

import duckdb
import numpy as np
import pyarrow as pa

from node.domain.institutions import Institution
from node.errors import StoreError
from node.store.commit import Commit, Committed
from node.store.database import clear_log, open_database
from node.store.desk_store import DeskStore
from node.store.edge_store import EdgeStore
from node.store.ledger import Ledger, LedgerRow, MessageKey, SettlementKey
from node.store.news import Mark, News, find_news
from node.store.quarantine import (
    Quarantine,
    QuarantineFilter,
    QuarantineRow,
)
from node.store.record_bytes import DIGEST_BYTES, row_digests
from node.store.record_ledger import RecordLedger
from node.store.record_store import RecordStore
from node.store.register import Register
from node.store.relations import measure_rows, open_relations
from node.store.restored import Restored, find_restored, note_chains_opened
from node.store.supervision_store import SupervisionStore
from node.store.transactions import transaction
from node.store.upgrade import upgrade_records, verify_upgraded
from scoring_kernel import Catalog, load_catalog
from scoring_kernel.measure_sets import MeasureSet
from security.at_rest import DISK, FileLayer, Vault

__all__ = ["NodeStore", "StoreCounts"]

EXPORT_ROWS: Final = 65_536
"""Records of one batch of an export."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreCounts:
    """What the store holds."""

    messages: int
    """Messages of the national interface in the ledger."""
    records: Mapping[str, int]
    """Records by kind."""
    pending: int
    """Messages that wait for their response."""
    quarantined: int
    """Refused lines."""
    segments: int
    """Segments of all kinds."""


class NodeStore:
    """Store of one node in one directory; one writer at a time."""

    def __init__(
        self,
        directory: Path,
        vault: Vault,
        *,
        catalog: Catalog | None = None,
        writer: bool = True,
        files: FileLayer = DISK,
    ) -> None:
        """Open the store, making it when it is not there.

        Args:
            directory: The node's directory.
            vault: Seals what is personal.
            catalog: Record kinds; the packaged catalogue when None.
            writer: True for the one process that holds the node's lock: leftovers of a
                crash are swept.
            files: Changes the files; the disk itself but in tests of power cuts.

        Raises:
            StoreError: The directory or its database cannot be used.
        """
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._vault = vault
        self._lock = threading.RLock()
        self._database = open_database(directory)
        connection = self._database.conn
        self._connection = connection
        self._ledger = Ledger(connection)
        self._quarantine = Quarantine(connection)
        self._register = Register(connection)
        self._desk = DeskStore(connection, vault, self._lock)
        self.supervision = SupervisionStore(connection, vault, self._lock)
        self.edge = EdgeStore(connection, vault, self._lock)
        kinds = (catalog or load_catalog()).records
        self._records = RecordStore(connection, directory, vault, kinds, writer=writer, files=files)
        self.record_ledger = RecordLedger(connection, self._records, self._lock)
        if writer:
            upgrade_records(connection, self._records, vault)
            self._records.staging.sweep()
        else:
            verify_upgraded(connection)

    @property
    def schemas(self) -> Mapping[str, pa.Schema]:
        """Arrow schema per kind of record."""
        return self._records.schemas

    @property
    def desk(self) -> DeskStore:
        """Refused lines by id, the log of operators, codes and arrivals."""
        return self._desk

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def commit(self, batch: Commit) -> Committed:
        """Make a batch durable: all of it, in one transaction.

        Returns:
            What became of its records.

        Raises:
            StoreError: The batch is inconsistent or the disk failed; nothing was kept.
        """
        sealed = batch.sealed(self._vault)
        with self._lock:
            records = self._records.prepare(self._records.digest(batch.records))
            try:
                with transaction(self._connection):
                    self._register.add_foreign(batch.institutions)
                    self._ledger.put(batch.messages)
                    self._ledger.keep_waiting(sealed.pending)
                    self._ledger.stop_waiting(batch.completed)
                    self._ledger.note_taken_back(batch.taken_back)
                    self._records.add(records)
                    self._quarantine.keep_contexts(sealed.contexts)
                    self._quarantine.put(sealed.quarantine)
                    self._quarantine.release(batch.released)
                    if sealed.presence is not None:
                        self.edge.presence.put(sealed.presence)
            except BaseException:
                self._records.discard(records)
                raise
            self._records.adopt(records)
        return records.committed()

    @contextmanager
    def taking(self) -> Iterator[None]:
        """Keep other threads out for a whole turn of an intake: from its look-ups to its commit."""
        with self._lock:
            yield

    def flush(self, min_rows: int = 1) -> int:
        """Move staged records into segments and merge small ones; returns segments written."""
        with self._lock:
            try:
                return self._records.flush(min_rows)
            except OSError as error:
                raise StoreError(f"{error.strerror}: check the disk's free space") from error

    def flush_if_large(self) -> int:
        """Flush when so much is staged that reading it would take long."""
        with self._lock:
            return self._records.flush_if_large()

    def sweep_merged(self) -> int:
        """Remove files of segments merged away before the last call; returns their number."""
        with self._lock:
            return self._records.staging.sweep_merged()

    def drop_months(self, kind: str, months: Collection[int]) -> int:
        """Delete the records of some months for good, and freeze the months (retention).

        Returns:
            Number of records deleted.

        Raises:
            StoreError: The kind is unknown, or the disk failed.
        """
        if kind not in self.schemas:
            raise StoreError(f"record kind {kind!r} found, expected one of the catalogue's")
        with self._lock:
            rows = self._records.drop_months(kind, months)
            clear_log(self._connection)
        return rows

    def frozen_months(self) -> Mapping[str, frozenset[int]]:
        """List the months (yyyymm) whose records retention has deleted, by kind."""
        with self._lock:
            return self._records.deletions.frozen()

    def months_held(self) -> Mapping[str, Mapping[int, int]]:
        """Count the records of every kind and month (yyyymm), deleted ones included."""
        with self._lock:
            return self._records.staging.months_held()

    def restored(self) -> Restored | None:
        """Find how the node was restored; None when it never was."""
        with self._lock:
            return find_restored(self._connection)

    def note_chains_opened(self) -> None:
        """Note that the hub has opened new chains for a restored node."""
        with self._lock, transaction(self._connection):
            note_chains_opened(self._connection)

    def known_messages(self, keys: Sequence[MessageKey]) -> Mapping[MessageKey, LedgerRow]:
        """Find what the ledger holds of some messages; absent ones are left out."""
        with self._lock:
            return self._ledger.known(keys)

    def taken_back(self, keys: Sequence[SettlementKey]) -> set[SettlementKey]:
        """Find which of some settlements were taken back already."""
        with self._lock:
            return self._ledger.taken_back(keys)

    def find_settlements(
        self, key: Literal["setl_id", "record_id"], wanted: Sequence[str]
    ) -> list[dict[str, object]]:
        """Find settlements (not reversals), whose they ever are, by setl_id or record id."""
        engine = self.relations(["settlement"])
        try:
            cursor = engine.execute(
                f"select * from settlement where sign = 1 and {key} in (select unnest(?))",  # noqa: S608 - one of two names
                [list(wanted)],
            )
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        finally:
            engine.close()

    def institutions(self) -> tuple[Institution, ...]:
        """List the register of institutions by code, foreign ones included."""
        with self._lock:
            return self._register.institutions()

    def institution_codes(self) -> frozenset[str]:
        """List the codes that messages may come from."""
        with self._lock:
            return self._register.codes()

    def set_institutions(self, institutions: Iterable[Institution]) -> None:
        """Put this node's custody in place of the former one; foreign ones and records stay."""
        with self._lock, transaction(self._connection):
            self._register.replace_custody(institutions)

    def foreign_codes(self, namespace: str, wanted: Iterable[str]) -> dict[str, str]:
        """Find or choose codes for foreign institutions; see ``Register.foreign_codes``."""
        with self._lock:
            return self._register.foreign_codes(namespace, wanted)

    def ledger_size(self) -> int:
        """Count the records ever stored: the size of the tree, which statements cite."""
        with self._lock:
            return self._records.tree.size

    def news(
        self,
        kinds: Collection[str],
        since: Mark,
        months: Callable[[str], Collection[int] | None],
    ) -> News | None:
        """Find the records that came since a mark; see ``find_news``."""
        with self._lock:
            return find_news(self._connection, self._records, kinds, since, months)

    def counts(self) -> StoreCounts:
        """Count what the store holds."""
        with self._lock:
            messages, pending = self._ledger.counts()
            return StoreCounts(
                messages=messages,
                records=self._records.staging.rows_by_kind(),
                pending=pending,
                quarantined=self._quarantine.count(),
                segments=self._records.staging.segment_count(),
            )

    def quarantine_rows(
        self, limit: int = 100, offset: int = 0, wanted: QuarantineFilter | None = None
    ) -> tuple[QuarantineRow, ...]:
        """List refused lines in the order of their files and lines, without their bodies."""
        with self._lock:
            return self._quarantine.rows(limit, offset, wanted or QuarantineFilter())

    def quarantine_count(self, wanted: QuarantineFilter | None = None) -> int:
        """Count refused lines."""
        with self._lock:
            return self._quarantine.count(wanted or QuarantineFilter())

    def setting(self, key: str) -> str | None:
        """Find a setting."""
        with self._lock:
            return self._register.setting(key)

    def set_setting(self, key: str, value: str) -> None:
        """Set a setting, durably."""
        with self._lock, transaction(self._connection):
            self._register.set_setting(key, value)

    def note_source(self, name: str, size_bytes: int, lines: int, finished_at: str) -> None:
        """Note a file that was read to its end."""
        with self._lock, transaction(self._connection):
            self._register.note_source(name, size_bytes, lines, finished_at)

    def relations(
        self,
        kinds: Iterable[str],
        months: Collection[int] | None = None,
        *,
        memory_bytes: int | None = None,
    ) -> duckdb.DuckDBPyConnection:
        """Open an engine over a snapshot of some kinds of record; the caller closes it.

        Args:
            kinds: Record kinds, ``message`` among them if wanted.
            months: Months (yyyymm) whose records are read; all when None.
            memory_bytes: Most memory of the engine; its own bound when None.
        """
        with self._lock:
            return open_relations(self._connection, self._records, kinds, months, memory_bytes)

    def export(self, kind: str, months: Collection[int] | None = None) -> Iterator[pa.RecordBatch]:
        """Read the records of a kind from one snapshot, in batches of the kind's columns."""
        with closing(self.relations([kind], months)) as engine:
            yield from self._batches(engine, kind)

    def _batches(self, engine: duckdb.DuckDBPyConnection, kind: str) -> Iterator[pa.RecordBatch]:
        reader = engine.sql(f"select * from {kind}").to_arrow_reader(EXPORT_ROWS)  # noqa: S608 - a kind of the catalogue
        for batch in reader:
            yield from pa.Table.from_batches([batch]).cast(self.schemas[kind]).to_batches()

    def digest(self) -> str:
        """Digest what the store holds: equal for stores that hold the same records.

        Takes 32 bytes of memory per record.

        Returns:
            SHA-256, hex, over the sorted digests of the live records of every kind.
        """
        state = hashlib.sha256()
        with closing(self.relations(self.schemas)) as engine:
            for kind in sorted(self.schemas):
                found = [
                    row_digests(pa.Table.from_batches([batch])).tobytes()
                    for batch in self._batches(engine, kind)
                ]
                rows = np.frombuffer(b"".join(found), f"S{DIGEST_BYTES}")
                state.update(f"{kind} {len(rows)}\n".encode())
                state.update(np.sort(rows).tobytes())
        return state.hexdigest()

    def measure_rows(self, measure_set: MeasureSet) -> pa.Table:
        """Compute a measure set over everything the store holds.

        Returns:
            Columns institution, month, subject, then one int64 column per measure.
        """
        with closing(self.relations(measure_set.relations)) as engine:
            return measure_rows(engine, measure_set)
