"""Records on their way into segments: staged, durable at once, flushed in bulk.

A flush, in order:
1. read and open the staged rows of one (kind, month);
2. write them as a segment (temporary file, fsync, rename, fsync of the directory);
3. in one transaction add the segment's row and delete the staged rows.
A crash before 3 leaves the staged rows and a file without a row, which the
next start sweeps; a crash after it leaves the segment. Nothing is lost or double.
"""

import secrets
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from node.domain.records import complete_records, verify_records
from node.errors import StoreError
from node.store.database import transaction
from security.at_rest import Segment, SegmentStore, Vault

__all__ = ["COMPACT_ROWS", "Staging"]

COMPACT_ROWS: Final = 250_000
"""A segment of so many rows is left alone by compaction."""
MAX_SMALL_SEGMENTS: Final = 4
"""More small segments than this of one kind and month are merged into one."""
_IPC: Final = pa.ipc.IpcWriteOptions(compression="lz4")


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
        self._schemas = schemas

    def sealed(self, records: Mapping[str, pa.Table]) -> list[tuple[str, int, int, bytes]]:
        """Seal records for staging, one row per (kind, month); before the transaction.

        Raises:
            StoreError: A kind is unknown, or a table is not of its kind.
        """
        rows: list[tuple[str, int, int, bytes]] = []
        for kind, table in records.items():
            if kind not in self._schemas:
                raise StoreError(f"record kind {kind!r} found, expected one of the catalogue's")
            verify_records(kind, table, self._schemas[kind])
            for month, part in _by_month(table):
                blob = self._vault.seal(_to_ipc(part), _context(kind, month))
                rows.append((kind, month, part.num_rows, blob))
        return rows

    def stage(self, rows: Sequence[tuple[str, int, int, bytes]]) -> None:
        """Write sealed records; inside the caller's transaction."""
        self._connection.executemany(
            "insert into staged(kind, month, rows, body) values(?, ?, ?, ?)", rows
        )

    def staged_rows(self) -> int:
        """Count the records that are in no segment yet."""
        return int(
            self._connection.execute("select coalesce(sum(rows), 0) from staged").fetchone()[0]
        )

    def rows_by_kind(self) -> dict[str, int]:
        """Count the records of every kind, in segments and staged."""
        cursor = self._connection.execute(
            "select kind, sum(rows) from (select kind, rows from segment"
            " union all select kind, rows from staged) group by kind order by kind"
        )
        return {row[0]: int(row[1]) for row in cursor}

    def segment_count(self) -> int:
        """Count the segments."""
        return int(self._connection.execute("select count(*) from segment").fetchone()[0])

    def segments(self, kind: str) -> list[Segment]:
        """List the segments of a kind by name."""
        cursor = self._connection.execute(
            "select name, rows, sha256, wrapped_key, bytes from segment where kind = ?"
            " order by name",
            (kind,),
        )
        return [_segment(row) for row in cursor]

    def staged(self, kind: str) -> pa.Table:
        """Open the staged records of a kind; a table of no rows when there are none.

        Raises:
            StoreError: A staged row was changed on disk.
        """
        cursor = self._connection.execute(
            "select id, month, body from staged where kind = ? order by id", (kind,)
        )
        parts = [self._open(kind, month, body) for _, month, body in cursor]
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
            table = pa.concat_tables([self._open(kind, month, body) for _, body in rows])
            name = f"{kind}-{month}-{rows[0][0]:010d}-{secrets.token_hex(8)}"
            segment = self._segments.write(table, name)
            with transaction(self._connection):
                self._add(kind, month, segment)
                self._connection.executemany(
                    "delete from staged where id = ?", [(row[0],) for row in rows]
                )
        return len(groups)

    def compact(self) -> int:
        """Merge small segments of one kind and month; the old files go at the next start.

        Returns:
            Number of segments written.
        """
        groups = self._connection.execute(
            "select kind, month from segment where rows < ? group by kind, month"
            " having count(*) > ? order by kind, month",
            (COMPACT_ROWS, MAX_SMALL_SEGMENTS),
        ).fetchall()
        for kind, month in groups:
            rows = self._connection.execute(
                "select name, rows, sha256, wrapped_key, bytes from segment"
                " where kind = ? and month = ? and rows < ? order by name",
                (kind, month, COMPACT_ROWS),
            ).fetchall()
            old = list(_bounded([_segment(row) for row in rows]))
            schema = self._schemas[kind]
            table = pa.concat_tables(
                [complete_records(kind, self._segments.read(one), schema) for one in old]
            )
            merged = self._segments.write(table, f"{kind}-{month}-{0:010d}-{secrets.token_hex(8)}")
            with transaction(self._connection):
                self._add(kind, month, merged)
                self._connection.executemany(
                    "delete from segment where name = ?", [(segment.name,) for segment in old]
                )
        return len(groups)

    def sweep(self) -> int:
        """Remove segment files that no row names; only the one writer may do this."""
        names = [row[0] for row in self._connection.execute("select name from segment")]
        return len(self._segments.sweep(names))

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

    def _open(self, kind: str, month: int, body: bytes) -> pa.Table:
        plain = self._vault.open(body, _context(kind, month))
        with pa.ipc.open_stream(pa.py_buffer(plain)) as reader:
            return complete_records(kind, reader.read_all(), self._schemas[kind])


def _bounded(segments: Sequence[Segment]) -> Iterator[Segment]:
    """Take segments until their rows reach twice the aim: bounds the memory of a merge."""
    rows = 0
    for segment in segments:
        yield segment
        rows += segment.rows
        if rows >= 2 * COMPACT_ROWS:
            return


def _segment(row: tuple[str, int, bytes, bytes, int]) -> Segment:
    return Segment(name=row[0], rows=row[1], sha256=row[2], wrapped_key=row[3], bytes=row[4])


def _context(kind: str, month: int) -> str:
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
