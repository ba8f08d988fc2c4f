"""The records of a store: each once under its key, numbered, a leaf in the tree.

The order of work of one batch:
0. ``digest`` keys and values, without any lock;
1. ``prepare``: look the keys up, number what is new, seal it or write its segments;
2. ``add`` rows, deletions, leaves and keys in the caller's transaction;
3. ``adopt`` the keys in memory afterwards, or ``discard`` the segments when it failed.
"""

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from node.domain.records import record_schemas, verify_records
from node.errors import StoreError
from node.store.commit import Committed
from node.store.deletions import Deletions
from node.store.key_runs import Entries
from node.store.key_secret import key_secret
from node.store.keys import KeyIndex
from node.store.staging import COMPACT_ROWS, Prepared, Staging
from node.store.transactions import transaction
from node.store.tree import LeafTree
from node.store.versions import Change, Incoming, Versions, month_of, seq_of
from scoring_kernel.record_kinds import RecordKind
from security.at_rest import DISK, FileLayer, Vault
from security.at_rest.segments import SegmentStore

__all__ = ["Batch", "RecordStore"]

RECORDS_DIRECTORY: Final = "records"
KEYS_DIRECTORY: Final = "keys"
FLUSH_ROWS: Final = 2 * COMPACT_ROWS
"""So many staged rows are flushed even in the middle of a file: bounds the memory of a flush."""
FLUSH_BYTES: Final = 64 * 1024 * 1024
"""So are so many sealed bytes: whole messages are large."""
FLUSH_KEYS: Final = 1_000_000
"""So many keys and leaves are moved to their files even in the middle of a file."""
RUN_KEYS: Final = 100_000
"""Fewer keys of a kind than this make no run of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A batch on its way into the store."""

    changes: Sequence[Change]
    parts: Sequence[Prepared] = field(repr=False)
    expired: Mapping[str, int]

    @property
    def keys(self) -> dict[str, Entries]:
        """What the keys stand for now, by kind."""
        return {one.kind: one.entries for one in self.changes if len(one.entries)}

    def committed(self) -> Committed:
        """What became of the records."""
        return Committed(
            added={one.kind: one.added for one in self.changes if one.added},
            replaced={one.kind: one.replaced for one in self.changes if one.replaced},
            unchanged={one.kind: one.unchanged for one in self.changes if one.unchanged},
            expired=self.expired,
        )


class RecordStore:
    """Segments, staged rows, keys, deletions and leaves of one node."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        directory: Path,
        vault: Vault,
        kinds: Mapping[str, RecordKind],
        *,
        writer: bool,
        files: FileLayer = DISK,
    ) -> None:
        self.schemas = record_schemas(kinds)
        self.segments = SegmentStore(directory / RECORDS_DIRECTORY, vault, files)
        self.staging = Staging(connection, vault, self.segments, self.schemas)
        self.deletions = Deletions(connection)
        self.tree = LeafTree(connection, directory, vault, layer=files)
        self._connection = connection
        self._vault = vault
        self._kinds = kinds
        self._frozen = self.deletions.frozen()
        self._index = KeyIndex(connection, directory / KEYS_DIRECTORY, files) if writer else None
        if writer:
            self._erase_keys()

    def digest(self, records: Mapping[str, pa.Table]) -> list[Incoming]:
        """Digest the keys and values of records.

        Raises:
            StoreError: A kind is unknown, or a table is not of its kind.
        """
        found = []
        for kind, table in records.items():
            if kind not in self.schemas:
                raise StoreError(f"record kind {kind!r} found, expected one of the catalogue's")
            verify_records(kind, table, self.schemas[kind])
            if table.num_rows:
                frozen = self._frozen.get(kind, frozenset())
                found.append(self._versions.digest(kind, table, frozen))
        return found

    def prepare(self, incoming: Sequence[Incoming]) -> Batch:
        """Compare records with what is kept, and make what is new ready for the transaction."""
        index = self._writing()
        index.refresh()
        changes: list[Change] = []
        parts: list[Prepared] = []
        seq = self.tree.size if incoming else 0
        try:
            for one in incoming:
                change = self._versions.resolve(one, index, seq)
                changes.append(change)
                if change.table.num_rows:
                    seq += change.table.num_rows
                    parts.extend(self.staging.prepared(one.kind, change.table))
        except BaseException:
            self.staging.discard(parts)
            raise
        expired = {one.kind: one.expired for one in incoming if one.expired}
        return Batch(changes=changes, parts=parts, expired=expired)

    def add(self, batch: Batch) -> None:
        """Add what is new; inside the caller's transaction.

        Raises:
            StoreError: Another process wrote since the batch was prepared.
        """
        self._writing().write(batch.keys)
        self.staging.add(batch.parts)
        for change in batch.changes:
            if change.table.num_rows:
                self.tree.append(change.kind, change.months, change.leaves)
            if len(change.deleted):
                places = change.deleted
                self.deletions.add(change.kind, month_of(places), seq_of(places))

    def adopt(self, batch: Batch) -> None:
        """Know the keys of a batch; after its transaction."""
        self._writing().adopt(batch.keys)

    def discard(self, batch: Batch) -> None:
        """Remove the segments of a batch whose transaction failed."""
        self.staging.discard(batch.parts)

    def flush(self, min_rows: int = 1) -> int:
        """Move what is staged into files and merge small ones; returns segments written."""
        written = self.staging.flush(min_rows)
        written += self.staging.compact()
        self._writing().flush(RUN_KEYS)
        self.tree.settle()
        return written

    def flush_if_large(self) -> int:
        """Flush when so much is staged that reading it would take long."""
        rows, size = self.staging.staged_size()
        is_large = rows >= FLUSH_ROWS or size >= FLUSH_BYTES
        return self.flush() if is_large or self._writing().pending() >= FLUSH_KEYS else 0

    def drop_months(self, kind: str, months: Collection[int]) -> int:
        """Delete the records of some months with their keys and salts, and freeze the months.

        Returns:
            Number of records deleted.
        """
        rows, names = 0, []
        with transaction(self._connection):
            for month in sorted(months):
                rows += self.staging.month_rows(kind, month)
                names += self.staging.drop_month(kind, month)
                self.deletions.freeze(kind, month)
                self.tree.forget(kind, month)
        self._frozen = self.deletions.frozen()
        if names:
            self.segments.remove(names)
        self._erase_keys()
        return rows

    @cached_property
    def _versions(self) -> Versions:
        return Versions(self._kinds, key_secret(self._connection, self._vault))

    def _writing(self) -> KeyIndex:
        if self._index is None:
            raise StoreError("this store was opened for reading; commit through the node's writer")
        return self._index

    def _erase_keys(self) -> None:
        """Erase the keys of frozen months; a crash in between leaves the rest to the next start."""
        index = self._writing()
        for kind, months in self.deletions.keys_left().items():
            index.drop(kind, partial(_is_of, np.array(sorted(months))))
            with transaction(self._connection):
                self.deletions.keys_erased(kind)


def _is_of(months: npt.NDArray[np.int64], entries: Entries) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = np.isin(month_of(entries["place"]), months)
    return found
