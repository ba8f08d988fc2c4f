"""The tree over a store's records, for those who state it and those who inspect it.

Rules:
- every call is one moment of the store, whatever its other threads do;
- a proof is verified before it is handed out, from the record's own values: a record that was
  changed at rest, behind the store's back, has none;
- a proof names its record by id; the values stay with whoever may see them.

Source: SECURITY §13.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa

from node.errors import StoreError
from node.store.checkpoints import Checkpoints, DayCheckpoint
from node.store.committed import Committed, LeafVersion, committed
from node.store.deletions import SEQ
from node.store.record_bytes import leaf_content
from node.store.record_store import RecordStore
from node.store.relations import NUMBERED, open_relations
from node.store.tree import LeafProof
from scoring_kernel.record_kinds import RecordKind
from security.errors import LogCorruptError
from security.merkle import leaf_hash, verify_inclusion

__all__ = ["RecordLedger", "RecordProof", "verify_record"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordProof:
    """That a record was stored by the end of a day."""

    kind: str
    """Kind of the record."""
    record: Mapping[str, object] = field(repr=False)
    """Its values by column."""
    leaf: LeafProof
    """Place, salt and path of its leaf in the checkpoint's tree."""
    checkpoint: DayCheckpoint
    """The first checkpoint that holds it."""


def verify_record(
    record: Mapping[str, object], schema: pa.Schema, leaf: LeafProof, checkpoint: DayCheckpoint
) -> None:
    """Verify that a record with these values was stored when a day was closed.

    Args:
        record: Values by column.
        schema: Columns of its kind.
        leaf: Place, salt and path of its leaf.
        checkpoint: The checkpoint, from a source that the inspector trusts: the hub.

    Raises:
        LogCorruptError: It was not: a value, the place or the tree is another.
    """
    if leaf.size != checkpoint.size:
        raise LogCorruptError(
            f"proof in a tree of {leaf.size} leaves, checkpoint of {checkpoint.size}"
        )
    found = leaf_hash(leaf.salt + leaf_content(record, schema))
    verify_inclusion(found, leaf.seq, leaf.size, leaf.path, checkpoint.root)


class RecordLedger:
    """The tree and its checkpoints beside the records of one store."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        records: RecordStore,
        lock: AbstractContextManager[object],
    ) -> None:
        self._connection = connection
        self._records = records
        self._lock = lock
        self._checkpoints = Checkpoints(connection, records.tree)

    def close_days(self, now: datetime) -> DayCheckpoint | None:
        """Close the day before this moment's, if it is open; see ``Checkpoints.close_days``."""
        with self._lock:
            return self._checkpoints.close_days(now)

    def checkpoints_after(self, size: int) -> Sequence[DayCheckpoint]:
        """List the checkpoints of trees larger than a size, in order."""
        with self._lock:
            return tuple(self._checkpoints.after(size))

    def root(self, size: int) -> bytes:
        """Root of the tree when it had so many leaves."""
        with self._lock:
            return self._records.tree.root(size)

    def consistency(self, old_size: int, size: int) -> tuple[bytes, ...]:
        """Prove that the tree of a size continues an earlier one."""
        with self._lock:
            return self._records.tree.consistency(old_size, size)

    def prove(self, kind: str, record_id: str) -> RecordProof:
        """Prove that a record was stored by the end of a day.

        Raises:
            StoreError: There is no such record, no checkpoint holds it yet, or it is not what
                was stored.
        """
        row = self._find(kind, record_id)
        seq, month = row.pop(SEQ), row["month"]
        with self._lock:
            checkpoint = self._checkpoints.covering(seq)
            if checkpoint is None:
                raise StoreError(
                    f"record {record_id} of kind {kind!r} is in no checkpoint yet; the day on"
                    " which it came is closed by the first intake or synchronisation after it"
                )
            leaf = self._records.tree.prove(kind, month, seq, checkpoint.size)
        try:
            verify_record(row, self._records.schemas[kind], leaf, checkpoint)
        except LogCorruptError as error:
            raise StoreError(
                f"record {record_id} of kind {kind!r} is not the one that was stored ({error});"
                " its values or the tree were changed: restore the node's directory as a whole"
                " from one backup"
            ) from error
        return RecordProof(kind=kind, record=row, leaf=leaf, checkpoint=checkpoint)

    def committed(self, kinds: Iterable[RecordKind]) -> AbstractContextManager[Committed]:
        """Open every version of the records of some kinds, for an inspection."""
        return committed(self._connection, self._records, kinds, self._lock)

    def prove_version(self, version: LeafVersion, size: int) -> LeafProof:
        """Prove where a version stands in the tree of a size.

        Raises:
            StoreError: Its salt was erased, or there are not so many leaves.
        """
        with self._lock:
            tree = self._records.tree
            return tree.prove(version.kind, version.record["month"], version.seq, size)

    def _find(self, kind: str, record_id: str) -> dict[str, Any]:
        with self._lock:
            engine = open_relations(self._connection, self._records, [kind])
        try:
            cursor = engine.execute(
                f"select * from {kind}{NUMBERED} where record_id = ?",  # noqa: S608 - a kind of the catalogue
                [record_id],
            )
            names = [column[0] for column in cursor.description or ()]
            row = cursor.fetchone()
        finally:
            engine.close()
        if row is None:
            raise StoreError(
                f"record {record_id} of kind {kind!r} is not in the store; expected the id of a"
                " record that was taken in"
            )
        return dict(zip(names, row, strict=True))
