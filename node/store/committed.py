"""What the tree commits a node to: every version of every record, by its leaf.

Rules:
- versions are those that count, those that were replaced and are still among the records, and
  the former ones (``node.store.superseded``); all carry the number of their leaf;
- as of a size, a record is its latest version below that size: what a statement that cites the
  size was counted from;
- every leaf is accounted for once: by a version, or by the retention of its month.

Source: SECURITY §13.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import duckdb
import numpy as np
import pyarrow as pa

from node.errors import StoreError
from node.store.deletions import SEQ
from node.store.record_store import RecordStore
from node.store.relations import ENGINE, complete
from node.store.transactions import snapshot
from scoring_kernel.record_kinds import RecordKind

__all__ = ["STANDING", "Committed", "LeafAccounts", "LeafVersion"]

STANDING: Final = "__standing"
"""Ends the name of a kind's relation as of a size, with ``_seq``."""
_VERSIONS: Final = "__versions"
_FORMER: Final = "__former"
_FETCH_ROWS: Final = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class LeafAccounts:
    """How the leaves of a tree of some size are accounted for."""

    size: int
    """Leaves of the tree."""
    standing: int
    """Leaves of versions that count."""
    replaced: int
    """Leaves of versions that another replaced."""
    forgotten: int
    """Leaves of months that retention deleted, of any size of the tree."""
    doubled: int
    """Versions that claim the leaf of another one."""
    missing: int
    """Leaves that no version has; those of deleted months are among them."""
    later: int
    """Versions that came after the size."""

    @property
    def unexplained(self) -> int:
        """Leaves whose records are gone although retention deleted no so many."""
        return max(self.missing - self.forgotten, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeafVersion:
    """The version of a record that has a leaf."""

    seq: int
    """Number of the leaf."""
    kind: str
    record: dict[str, Any] = field(repr=False)
    """Values by column, without ``_seq``."""
    successor: int | None
    """Leaf of the version that replaced it next; None when it counts."""


class Committed:
    """Versions by leaf, over one consistent moment of a store; the caller closes it."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        records: RecordStore,
        kinds: Iterable[RecordKind],
    ) -> None:
        """Register every version of the named kinds; inside a snapshot of the database.

        Args:
            connection: Database of the node.
            records: Its records.
            kinds: Kinds to look at.
        """
        self._kinds = {one.id: one for one in kinds}
        self._records = records
        self._engine = duckdb.connect(config=dict(ENGINE))
        with snapshot(connection):
            for kind in self._kinds:
                self._register(kind)
            self._forgotten = sum(records.staging.superseded.forgotten().values())
            self.size = records.tree.size

    def close(self) -> None:
        """Let go of the engine."""
        self._engine.close()

    def accounts(self, size: int) -> LeafAccounts:
        """Account for every leaf of the first ``size``."""
        seen = np.zeros(size, np.bool_)
        standing = replaced = doubled = later = 0
        for is_former, seqs in self._seqs():
            inside = seqs[seqs < size]
            later += len(seqs) - len(inside)
            values, counts = np.unique(inside, return_counts=True)
            doubled += int(counts.sum() - len(values)) + int(seen[values].sum())
            seen[values] = True
            if is_former:
                replaced += len(inside)
            else:
                standing += len(inside)
        return LeafAccounts(
            size=size,
            standing=standing,
            replaced=replaced,
            forgotten=self._forgotten,
            doubled=doubled,
            missing=int(size - seen.sum()),
            later=later,
        )

    def find(self, seqs: Sequence[int]) -> dict[int, LeafVersion]:
        """Find the versions that have some leaves; a leaf without one is left out."""
        self._engine.register("__wanted", pa.table({SEQ: pa.array(seqs, pa.int64())}))
        found: dict[int, LeafVersion] = {}
        for kind, one in self._kinds.items():
            key = " and ".join(f'later."{name}" = found."{name}"' for name in one.primary_key)
            cursor = self._engine.execute(
                f"select found.*, (select min(later.{SEQ}) from {kind}{_VERSIONS} as later"  # noqa: S608 - names of the catalogue
                f" where {key} and later.{SEQ} > found.{SEQ}) as successor"
                f" from {kind}{_VERSIONS} as found semi join __wanted using ({SEQ})"
            )
            names = [column[0] for column in cursor.description or ()]
            for row in cursor.fetchall():
                record = dict(zip(names, row, strict=True))
                seq, successor = int(record.pop(SEQ)), record.pop("successor")
                record.pop("__is_former")
                found[seq] = LeafVersion(seq=seq, kind=kind, record=record, successor=successor)
        self._engine.unregister("__wanted")
        return found

    def stand_as_of(self, size: int) -> duckdb.DuckDBPyConnection:
        """Make the relations of the kinds show what counted when the tree had a size.

        Returns:
            The engine; it has one relation per kind of the catalogue's columns, and one whose
            name ends in ``__standing`` with ``_seq`` beside them. It stays this object's.
        """
        for kind, one in self._kinds.items():
            columns = ", ".join(f'"{name}"' for name in self._records.schemas[kind].names)
            key = " and ".join(f'later."{name}" = former."{name}"' for name in one.primary_key)
            self._engine.execute(
                f"create or replace temp view {kind}{STANDING} as"  # noqa: S608 - names of the catalogue
                f" select {columns}, {SEQ} from {kind}{_VERSIONS}"
                f" where not __is_former and {SEQ} < {size}"
                f" union all select {columns}, {SEQ} from {kind}{_FORMER} as former"
                f" where {SEQ} < {size}"
                f" and not exists (select 1 from {kind}{_VERSIONS} as later where {key}"
                f" and later.{SEQ} > former.{SEQ} and later.{SEQ} < {size})"
            )
            self._engine.execute(
                f"create or replace temp view {kind} as select {columns} from {kind}{STANDING}"  # noqa: S608 - names of the catalogue
            )
        return self._engine

    def _seqs(self) -> Iterator[tuple[bool, Any]]:
        for kind in self._kinds:
            for is_former in (False, True):
                query = f"select {SEQ} from {kind}{_VERSIONS} where __is_former = {is_former}"  # noqa: S608 - a kind of the catalogue
                reader = self._engine.sql(query).to_arrow_reader(_FETCH_ROWS)
                for batch in reader:
                    yield is_former, batch.column(0).to_numpy(zero_copy_only=False)

    def _register(self, kind: str) -> None:
        records, engine = self._records, self._engine
        schema = records.schemas[kind]
        columns = ", ".join(f'"{name}"' for name in schema.names)
        parts = []
        for suffix, held in (
            ("__segments", records.staging.segments(kind)),
            ("__replaced", records.staging.superseded.segments(kind)),
        ):
            if held:
                dataset = complete(records.segments.dataset(held), schema)
                engine.register(f"{kind}{suffix}", dataset)
                parts.append((f"{kind}{suffix}", suffix == "__replaced"))
        engine.register(f"{kind}__staged", records.staging.staged(kind))
        parts.append((f"{kind}__staged", False))
        engine.register(f"{kind}__gone", pa.table({SEQ: records.deletions.of(kind)}))
        union = " union all ".join(
            f"select {columns}, {SEQ}, {'true' if former else 'false'} as __former_file from {name}"  # noqa: S608 - names of the catalogue
            for name, former in parts
        )
        engine.execute(
            f"create temp view {kind}{_VERSIONS} as select {columns}, {SEQ},"  # noqa: S608 - names of the catalogue
            f" __former_file or {SEQ} in (select {SEQ} from {kind}__gone) as __is_former"
            f" from ({union})"
        )
        engine.execute(
            f"create temp view {kind}{_FORMER} as select * from {kind}{_VERSIONS} where __is_former"  # noqa: S608 - a kind of the catalogue
        )


@contextmanager
def committed(
    connection: sqlite3.Connection,
    records: RecordStore,
    kinds: Iterable[RecordKind],
    lock: AbstractContextManager[object],
) -> Iterator[Committed]:
    """Open the versions of a store for an inspection.

    Raises:
        StoreError: A segment is damaged.
    """
    with lock:
        opened = Committed(connection, records, kinds)
    try:
        yield opened
    except duckdb.Error as error:
        raise StoreError(
            f"the records cannot be read for the inspection ({error}); restore the node's "
            "directory as a whole from one backup"
        ) from error
    finally:
        opened.close()
