"""The node's store: a ledger and quarantine in SQLite, records in sealed segments.

What MUST hold:
- after ``commit`` returned, its batch survives a power cut, whole;
- a record is in the store once, in a segment or staged, whenever it is looked at;
- nothing personal is on disk in clear.
"""

import dataclasses
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self

import duckdb
import pyarrow as pa

from node.domain.institutions import Institution
from node.domain.records import record_schemas
from node.store.code_extensions import CodeExtensions, ImportedCode
from node.store.commit import Commit
from node.store.database import open_database, transaction
from node.store.ledger import Ledger, LedgerRow
from node.store.operator_log import LogEntry, OperatorLog
from node.store.quarantine import Quarantine, QuarantineFilter, QuarantineRow
from node.store.register import Register
from node.store.relations import measure_rows, open_relations
from node.store.staging import COMPACT_ROWS, Staging
from scoring_kernel import Catalog, load_catalog
from scoring_kernel.measure_sets import MeasureSet
from security.at_rest import SegmentStore, Vault

__all__ = ["NodeStore", "StoreCounts"]

RECORDS_DIRECTORY: Final = "records"
FLUSH_ROWS: Final = 2 * COMPACT_ROWS
"""So many staged rows are flushed even in the middle of a file: bounds the memory of a flush."""


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
    ) -> None:
        """Open the store, making it when it is not there.

        Args:
            directory: The node's directory.
            vault: Seals what is personal.
            catalog: Record kinds; the packaged catalogue when None.
            writer: True for the one process that holds the node's lock: leftovers of a
                crash are swept.

        Raises:
            StoreError: The directory or its database cannot be used.
        """
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._schemas = record_schemas((catalog or load_catalog()).records)
        self._vault = vault
        self._lock = threading.RLock()
        self._database = open_database(directory)
        connection = self._database.conn
        self._connection = connection
        self._segments = SegmentStore(directory / RECORDS_DIRECTORY, vault)
        self._ledger = Ledger(connection)
        self._quarantine = Quarantine(connection)
        self._register = Register(connection)
        self._operator_log = OperatorLog(connection)
        self._codes = CodeExtensions(connection)
        self._staging = Staging(connection, vault, self._segments, self._schemas)
        if writer:
            self._staging.sweep()

    @property
    def schemas(self) -> Mapping[str, pa.Schema]:
        """Arrow schema per kind of record."""
        return self._schemas

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

    def commit(self, batch: Commit) -> None:
        """Make a batch durable: all of it, in one transaction.

        Raises:
            StoreError: The batch is inconsistent or the disk failed; nothing was kept.
        """
        sealed = self._staging.sealed(batch.records)
        pending = {
            msgid: self._vault.seal(body, f"pending:{msgid}")
            for msgid, body in batch.pending.items()
        }
        quarantine = [
            dataclasses.replace(row, body=self._vault.seal(row.body, _body_label(row.digest)))
            if row.body is not None
            else row
            for row in batch.quarantine
        ]
        contexts = {
            name: self._vault.seal(body, _context_label(name))
            for name, body in batch.contexts.items()
        }
        with self._lock, transaction(self._connection):
            self._register.add_foreign(batch.institutions)
            self._ledger.put(batch.messages)
            self._ledger.keep_waiting(pending)
            self._ledger.stop_waiting(batch.completed)
            self._ledger.note_taken_back(batch.taken_back)
            self._staging.stage(sealed)
            self._quarantine.keep_contexts(contexts)
            self._quarantine.put(quarantine)
            self._quarantine.release(batch.released)

    def flush(self, min_rows: int = 1) -> int:
        """Move staged records into segments and merge small ones; returns segments written."""
        with self._lock:
            written = self._staging.flush(min_rows)
            return written + self._staging.compact()

    def flush_if_large(self) -> int:
        """Flush when so much is staged that reading it would take long."""
        with self._lock:
            if self._staging.staged_rows() < FLUSH_ROWS:
                return 0
            return self.flush()

    def known_messages(self, msgids: Sequence[str]) -> Mapping[str, LedgerRow]:
        """Find what the ledger holds under some msgids."""
        with self._lock:
            return self._ledger.known(msgids)

    def taken_back(self, setl_ids: Sequence[str]) -> set[str]:
        """Find which of some settlements (setl_id) were taken back already."""
        with self._lock:
            return self._ledger.taken_back(setl_ids)

    def find_settlements(
        self, key: Literal["setl_id", "record_id"], wanted: Sequence[str]
    ) -> dict[str, dict[str, object]]:
        """Find settlements (not reversals) by setl_id or record id; absent ones are left out."""
        engine = self.relations(["settlement"])
        try:
            cursor = engine.execute(
                f"select * from settlement where sign = 1 and {key} in (select unnest(?))",  # noqa: S608 - one of two names
                [list(wanted)],
            )
            names = [column[0] for column in cursor.description or ()]
            rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        finally:
            engine.close()
        return {str(row[key]): row for row in rows}

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
        """Count the records of all kinds: the size a statement says it was computed from."""
        with self._lock:
            return sum(self._staging.rows_by_kind().values())

    def counts(self) -> StoreCounts:
        """Count what the store holds."""
        with self._lock:
            messages, pending = self._ledger.counts()
            return StoreCounts(
                messages=messages,
                records=self._staging.rows_by_kind(),
                pending=pending,
                quarantined=self._quarantine.count(),
                segments=self._staging.segment_count(),
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

    def quarantine_find(self, prefix: str) -> tuple[QuarantineRow, ...]:
        """Find refused lines by the first hex digits of their digest; at most two."""
        with self._lock:
            return self._quarantine.find(prefix)

    def quarantine_body(self, digest: bytes) -> bytes | None:
        """Open the body of a refused line; None when it was not kept, or is not here."""
        with self._lock:
            sealed = self._quarantine.body(digest)
        return None if sealed is None else self._vault.open(sealed, _body_label(digest))

    def quarantine_context(self, name: str) -> bytes | None:
        """Open what a refused row was read with; None when it is not here."""
        with self._lock:
            sealed = self._quarantine.context(name)
        return None if sealed is None else self._vault.open(sealed, _context_label(name))

    def mend(self, digest: bytes) -> None:
        """Remember, durably, that a refused line went in corrected."""
        with self._lock, transaction(self._connection):
            self._quarantine.mend(digest)

    def mended(self, digests: Sequence[bytes]) -> set[bytes]:
        """Find which of some refused lines went in corrected."""
        with self._lock:
            return self._quarantine.mended(digests)

    def note_operator(self, entry: LogEntry) -> None:
        """Note what an operator does, durably; before it is done."""
        with self._lock, transaction(self._connection):
            self._operator_log.note(entry)

    def operator_entries(self, limit: int = 100, subject: str = "") -> tuple[LogEntry, ...]:
        """List what operators did, newest first; of one subject, or of all."""
        with self._lock:
            return self._operator_log.entries(limit, subject)

    def put_codes(self, codes: Iterable[ImportedCode]) -> None:
        """Keep codes beyond the national lists, durably."""
        with self._lock, transaction(self._connection):
            self._codes.put(codes)

    def imported_codes(self) -> tuple[ImportedCode, ...]:
        """List the codes beyond the national lists."""
        with self._lock:
            return self._codes.all()

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

    def relations(self, kinds: Iterable[str]) -> duckdb.DuckDBPyConnection:
        """Open an engine over a snapshot of some kinds of record; the caller closes it."""
        with self._lock:
            return open_relations(
                self._connection, self._staging, self._segments, kinds, self._schemas
            )

    def measure_rows(self, measure_set: MeasureSet) -> pa.Table:
        """Compute a measure set over everything the store holds.

        Returns:
            Columns institution, month, subject, then one int64 column per measure.
        """
        engine = self.relations(measure_set.relations)
        try:
            return measure_rows(engine, measure_set)
        finally:
            engine.close()


def _body_label(digest: bytes) -> str:
    return f"quarantine:{digest.hex()}"


def _context_label(name: str) -> str:
    return f"quarantine_context:{name}"
