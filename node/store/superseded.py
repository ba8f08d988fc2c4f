"""Former versions of records (历史版本): kept beside the records until their month is deleted.

Rules:
- a version that another replaced leaves the records' segments, but not the node: an inspector
  can see what a leaf of the tree said, and what a month looked like when it was stated;
- they lie in segments of their own, which no relation of the rules and measures reads;
- they are deleted with their month, and the number of leaves that it had is noted: the tree can
  then still be accounted for, leaf by leaf.

Source: SECURITY §13.
"""

import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from node.domain.records import complete_records
from security.at_rest.segments import Segment, SegmentStore

__all__ = ["SUPERSEDED_TABLES", "Rewritten", "Superseded"]

SUPERSEDED_TABLES: Final = (
    """create table superseded_segment(
        name text primary key,
        kind text not null,
        month integer not null,
        rows integer not null,
        sha256 blob not null,
        wrapped_key blob not null,
        bytes integer not null
    ) strict""",
    # Leaves of the months that retention deleted.
    """create table forgotten_leaves(
        kind text not null,
        month integer not null,
        leaves integer not null,
        primary key(kind, month)
    ) strict, without rowid""",
)
SMALL_ROWS: Final = 50_000
"""A segment of fewer rows takes in what comes next for its month."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewritten:
    """A segment that takes the place of some."""

    segment: Segment
    former: tuple[str, ...]
    """Names of the segments whose rows it took over."""


class Superseded:
    """Tables ``superseded_segment`` and ``forgotten_leaves``; one writer."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        segments: SegmentStore,
        schemas: Mapping[str, pa.Schema],
    ) -> None:
        """Keep former versions.

        Args:
            connection: Database with ``SUPERSEDED_TABLES``.
            segments: Where segments lie.
            schemas: Columns by kind, ``_seq`` among them.
        """
        self._connection = connection
        self._segments = segments
        self._schemas = schemas

    def write(self, kind: str, month: int, rows: pa.Table, name: str) -> Rewritten:
        """Write former versions to disk; before the transaction that adds them.

        Args:
            kind: Kind of the records.
            month: Their month, yyyymm.
            rows: The former versions, with ``_seq``.
            name: Name of the new segment.
        """
        small = [one for one in self.segments(kind, [month]) if one.rows < SMALL_ROWS]
        schema = self._schemas[kind]
        parts = [complete_records(kind, self._segments.read(one), schema) for one in small]
        segment = self._segments.write(pa.concat_tables([*parts, rows]), name)
        return Rewritten(segment=segment, former=tuple(one.name for one in small))

    def add(self, kind: str, month: int, written: Rewritten) -> None:
        """Add what was written; inside the caller's transaction."""
        one = written.segment
        self._connection.executemany(
            "delete from superseded_segment where name = ?", [(name,) for name in written.former]
        )
        self._connection.execute(
            "insert into superseded_segment values(?, ?, ?, ?, ?, ?, ?)",
            (one.name, kind, month, one.rows, one.sha256, one.wrapped_key, one.bytes),
        )

    def segments(self, kind: str, months: Collection[int] | None = None) -> list[Segment]:
        """List the segments of a kind by name, of some months or of all."""
        cursor = self._connection.execute(
            "select month, name, rows, sha256, wrapped_key, bytes from superseded_segment"
            " where kind = ? order by name",
            (kind,),
        )
        return [
            Segment(name=row[1], rows=row[2], sha256=row[3], wrapped_key=row[4], bytes=row[5])
            for row in cursor
            if months is None or row[0] in months
        ]

    def forget_month(self, kind: str, month: int, records: int) -> list[str]:
        """Delete a month's former versions, and note its leaves; inside the caller's transaction.

        Args:
            kind: Kind of the records.
            month: Their month, yyyymm.
            records: Records of the month that lie elsewhere and are deleted with them.

        Returns:
            Names of the segments, whose files are to be removed afterwards.
        """
        cursor = self._connection.execute(
            "delete from superseded_segment where kind = ? and month = ? returning name, rows",
            (kind, month),
        )
        gone = cursor.fetchall()
        leaves = records + sum(int(row[1]) for row in gone)
        if leaves:
            self._connection.execute(
                "insert into forgotten_leaves values(?, ?, ?)"
                " on conflict(kind, month) do update set leaves = leaves + excluded.leaves",
                (kind, month, leaves),
            )
        return [str(row[0]) for row in gone]

    def forgotten(self) -> dict[tuple[str, int], int]:
        """Count the leaves of deleted months, by kind and month."""
        cursor = self._connection.execute("select kind, month, leaves from forgotten_leaves")
        return {(row[0], row[1]): row[2] for row in cursor}
