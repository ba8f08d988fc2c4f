"""Records on their way into segments: staged, durable at once, flushed in bulk.

A flush, in order:
1. read and open the staged rows of one (kind, month), leaving out what is deleted;
2. write them as a segment (temporary file, fsync, rename, fsync of the directory);
3. in one transaction add the segment's row and delete the staged rows.
Versions that another replaced go into segments of their own on the way (``superseded``).
A crash before 3 leaves the staged rows and a file without a row, which the
next start sweeps; a crash after it leaves the segment. Nothing is lost or double.
Many records of one month are not staged: their segment is written before the transaction.
"""

import secrets
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa

from node.domain.records import complete_records
from node.store.deletions import SEQ, Deletions, with_seqs, without
from node.store.superseded import Superseded
from node.store.transactions import transaction
from security.at_rest import Vault
from security.at_rest.segments import Segment, SegmentStore

__all__ = ["COMPACT_ROWS", "Prepared", "Staging", "staged_context"]

COMPACT_ROWS: Final = 250_000
"""A segment of so many rows is left alone by compaction."""
COMPACT_BYTES: Final = 32 * 1024 * 1024
"""So is one of so many bytes: whole messages are large, and a merge holds them in memory."""
MAX_SMALL_SEGMENTS: Final = 4
"""More small segments than this of one kind and month are merged into one."""
BULK_ROWS: Final = 50_000
"""So many records of one kind and month in one batch are a segment at once."""
_MAX_DELETED_SHARE: Final = 4
"""A month is written anew when more than one of so many of its records is deleted."""
_IPC: Final = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
_SEQ_FIELD: Final = pa.field(SEQ, pa.int64(), nullable=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Records that are ready for the transaction that adds them."""

    kind: str
    month: int
    rows: int
    sealed: bytes | None = field(default=None, repr=False)
    """Arrow IPC, sealed; None when there is a segment."""
    segment: Segment | None = None


class Staging:
    """Tables ``staged`` and ``segment`` over one directory of segments."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        vault: Vault,
        segments: SegmentStore,
        schemas: Mapping[str, pa.Schema],
    ) -> None:
        self._connection = connection
        self._vault = vault
        self._segments = segments
        self._deletions = Deletions(connection)
        self._merged: frozenset[str] = frozenset()
        self._schemas = {kind: schema.append(_SEQ_FIELD) for kind, schema in schemas.items()}
        self.superseded = Superseded(connection, segments, self._schemas)

    def prepared(self, kind: str, table: pa.Table) -> Iterator[Prepared]:
        """Seal records, or write them as segments, one for each month; before the transaction.

        Args:
            kind: Kind of the records.
            table: Records with ``_seq``.
        """
        for month, part in _by_month(table):
            if part.num_rows >= BULK_ROWS:
                segment = self._segments.write(part, _name(kind, month))
                yield Prepared(kind=kind, month=month, rows=part.num_rows, segment=segment)
            else:
                sealed = self._vault.seal(_to_ipc(part), staged_context(kind, month))
                yield Prepared(kind=kind, month=month, rows=part.num_rows, sealed=sealed)

    def add(self, parts: Sequence[Prepared]) -> None:
        """Add prepared records; inside the caller's transaction."""
        for part in parts:
            if part.segment is not None:
                self._add(part.kind, part.month, part.segment)
        self._connection.executemany(
            "insert into staged(kind, month, rows, body) values(?, ?, ?, ?)",
            [
                (part.kind, part.month, part.rows, part.sealed)
                for part in parts
                if part.sealed is not None
            ],
        )

    def discard(self, parts: Sequence[Prepared]) -> None:
        """Remove the segments of prepared records that were not added."""
        names = [part.segment.name for part in parts if part.segment is not None]
        if names:
            self._segments.remove(names)

    def staged_size(self) -> tuple[int, int]:
        """Count the records that are in no segment yet, and their sealed bytes."""
        rows, size = self._connection.execute(
            "select coalesce(sum(rows), 0), coalesce(sum(length(body)), 0) from staged"
        ).fetchone()
        return int(rows), int(size)

    def rows_by_kind(self) -> dict[str, int]:
        """Count the records of every kind, in segments and staged; deleted ones do not count."""
        deleted = self._deletions.counts()
        cursor = self._connection.execute(
            "select kind, sum(rows) from (select kind, rows from segment"
            " union all select kind, rows from staged) group by kind order by kind"
        )
        rows = {row[0]: int(row[1]) - deleted.get(row[0], 0) for row in cursor}
        return {kind: count for kind, count in rows.items() if count}

    def months_held(self) -> dict[str, dict[int, int]]:
        """Count the records of every kind and month, deleted ones included."""
        cursor = self._connection.execute(
            "select kind, month, sum(rows) from (select kind, month, rows from segment"
            " union all select kind, month, rows from staged)"
            " group by kind, month order by kind, month"
        )
        found: dict[str, dict[int, int]] = {}
        for kind, month, rows in cursor:
            found.setdefault(kind, {})[month] = int(rows)
        return found

    def segment_count(self) -> int:
        """Count the segments, those of former versions among them."""
        return len(self._named())

    def segments(self, kind: str, months: Collection[int] | None = None) -> list[Segment]:
        """List the segments of a kind by name, of some months or of all."""
        cursor = self._connection.execute(
            "select month, name, rows, sha256, wrapped_key, bytes from segment where kind = ?"
            " order by name",
            (kind,),
        )
        return [_segment(row[1:]) for row in cursor if months is None or row[0] in months]

    def staged(self, kind: str, months: Collection[int] | None = None) -> pa.Table:
        """Open the staged records of a kind; a table of no rows when there are none.

        Raises:
            StoreError: A staged row was changed on disk.
        """
        cursor = self._connection.execute(
            "select month, body from staged where kind = ? order by id", (kind,)
        )
        parts = [
            self.opened(kind, month, body)
            for month, body in cursor
            if months is None or month in months
        ]
        return pa.concat_tables([self._schemas[kind].empty_table(), *parts])

    def flush(self, min_rows: int = 1) -> int:
        """Move staged records into segments.

        Args:
            min_rows: Leave a (kind, month) alone that has fewer staged records.

        Returns:
            Number of segments written.
        """
        groups = self._connection.execute(
            "select kind, month from staged group by kind, month having sum(rows) >= ?"
            " order by kind, month",
            (min_rows,),
        ).fetchall()
        for kind, month in groups:
            rows = self._connection.execute(
                "select id, body from staged where kind = ? and month = ? order by id",
                (kind, month),
            ).fetchall()
            table = pa.concat_tables([self.opened(kind, month, body) for _, body in rows])

            def drop(staged: Sequence[tuple[int, bytes]] = rows) -> None:
                self._connection.executemany(
                    "delete from staged where id = ?", [(row[0],) for row in staged]
                )

            self._rewrite(kind, month, table, drop)
        return len(groups)

    def compact(self) -> int:
        """Merge small segments of one kind and month, and months of which much is deleted.

        The old files go at the next start.

        Returns:
            Number of segments written.
        """
        written = 0
        groups = self._connection.execute(
            "select kind, month, rows < ? and bytes < ? as small from segment"
            " group by kind, month, small"
            " having small and count(*) > ? or sum(rows) < ? * (select count(*) from"
            " deleted_record as gone where gone.kind = segment.kind"
            " and gone.month = segment.month) order by kind, month, small",
            (COMPACT_ROWS, COMPACT_BYTES, MAX_SMALL_SEGMENTS, _MAX_DELETED_SHARE),
        ).fetchall()
        for kind, month, small in groups:
            rows = self._connection.execute(
                "select name, rows, sha256, wrapped_key, bytes from segment"
                " where kind = ? and month = ? and (rows < ? and bytes < ?) = ? order by name",
                (kind, month, COMPACT_ROWS, COMPACT_BYTES, small),
            ).fetchall()
            old = list(_bounded([_segment(row) for row in rows]))
            schema = self._schemas[kind]
            table = pa.concat_tables(
                [complete_records(kind, self._segments.read(one), schema) for one in old]
            )

            def drop(merged: Sequence[Segment] = old) -> None:
                self._connection.executemany(
                    "delete from segment where name = ?", [(one.name,) for one in merged]
                )

            self._rewrite(kind, month, table, drop)
            written += 1
        return written

    def drop_month(self, kind: str, month: int) -> list[str]:
        """Delete all records of a month; inside the caller's transaction.

        Returns:
            Names of the segments, whose files are to be removed afterwards.
        """
        records = self._connection.execute(
            "select (select coalesce(sum(rows), 0) from segment where kind = :k and month = :m)"
            " + (select coalesce(sum(rows), 0) from staged where kind = :k and month = :m)",
            {"k": kind, "m": month},
        ).fetchone()[0]
        cursor = self._connection.execute(
            "delete from segment where kind = ? and month = ? returning name", (kind, month)
        )
        names = [row[0] for row in cursor.fetchall()]
        self._connection.execute("delete from staged where kind = ? and month = ?", (kind, month))
        return names + self.superseded.forget_month(kind, month, records)

    def month_rows(self, kind: str, month: int) -> int:
        """Count the records of a month."""
        return int(
            self._connection.execute(
                "select (select coalesce(sum(rows), 0) from segment where kind = :k and month = :m)"
                " + (select coalesce(sum(rows), 0) from staged where kind = :k and month = :m)"
                " - (select count(*) from deleted_record where kind = :k and month = :m)",
                {"k": kind, "m": month},
            ).fetchone()[0]
        )

    def sweep(self) -> int:
        """Remove segment files that no row names; at start, by the one writer."""
        return len(self._segments.sweep(self._named()))

    def sweep_merged(self) -> int:
        """Remove files of segments that were merged away before the last call.

        Between two calls a reader that still knew them has come to its end.
        """
        unnamed = self._segments.unnamed(self._named())
        gone = unnamed & self._merged
        if gone:
            self._segments.remove(gone)
        self._merged = unnamed - gone
        return len(gone)

    def _named(self) -> list[str]:
        query = (
            "select name from segment union all select name from old_segment"
            " union all select name from superseded_segment"
        )
        return [row[0] for row in self._connection.execute(query)]

    def _rewrite(self, kind: str, month: int, table: pa.Table, drop: Callable[[], None]) -> None:
        """Put one segment in the place of what is dropped, without deleted records."""
        deleted = self._deletions.of(kind, [month])
        kept = without(table, deleted)
        gone = np.intersect1d(deleted, table.column(SEQ).to_numpy()) if len(deleted) else deleted
        segment = self._segments.write(kept, _name(kind, month)) if kept.num_rows else None
        former = (
            self.superseded.write(kind, month, with_seqs(table, gone), _name(kind, month))
            if len(gone)
            else None
        )
        with transaction(self._connection):
            if former is not None:
                self.superseded.add(kind, month, former)
            if segment is not None:
                self._add(kind, month, segment)
            drop()
            self._deletions.settle(kind, month, gone)

    def _add(self, kind: str, month: int, segment: Segment) -> None:
        self._connection.execute(
            "insert into segment values(?, ?, ?, ?, ?, ?, ?)",
            (
                segment.name,
                kind,
                month,
                segment.rows,
                segment.sha256,
                segment.wrapped_key,
                segment.bytes,
            ),
        )

    def opened(self, kind: str, month: int, body: bytes) -> pa.Table:
        """Open one staged row.

        Raises:
            StoreError: It was changed on disk.
        """
        plain = self._vault.open(body, staged_context(kind, month))
        with pa.ipc.open_stream(pa.py_buffer(plain)) as reader:
            return complete_records(kind, reader.read_all(), self._schemas[kind])


def _bounded(segments: Sequence[Segment]) -> Iterator[Segment]:
    """Take segments until they reach twice an aim: bounds the memory of a merge."""
    rows = size = 0
    for segment in segments:
        yield segment
        rows, size = rows + segment.rows, size + segment.bytes
        if rows >= 2 * COMPACT_ROWS or size >= 2 * COMPACT_BYTES:
            return


def _segment(row: tuple[str, int, bytes, bytes, int]) -> Segment:
    return Segment(name=row[0], rows=row[1], sha256=row[2], wrapped_key=row[3], bytes=row[4])


def _name(kind: str, month: int) -> str:
    return f"{kind}-{month}-{secrets.token_hex(8)}"


def staged_context(kind: str, month: int) -> str:
    """Name the place that a staged row is sealed for."""
    return f"staged:{kind}:{month}"


def _to_ipc(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=_IPC) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def _by_month(table: pa.Table) -> Iterator[tuple[int, pa.Table]]:
    months = table.column("month").to_numpy()
    present = np.unique(months)
    if len(present) == 1:
        yield int(present[0]), table
        return
    for month in present:
        yield int(month), table.filter(pa.array(months == month))
