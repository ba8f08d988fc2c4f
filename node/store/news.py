"""What came into the store since a mark: for those who keep something made of the records.

Rules:
- A mark is the number of records ever stored and the last staged row that was seen; both are
  read in one snapshot with the records, so nothing between two marks is missed.
- Mostly all news is still staged: then only the new staged rows are opened. Where some of it is
  in segments already, the segments are read, and what came before the mark is left out.
- A record that was replaced or deleted meanwhile may be given or not: its new version is.
"""

import sqlite3
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

import pyarrow as pa

from node.store.deletions import SEQ
from node.store.record_store import RecordStore
from node.store.relations import NUMBERED, open_relations
from node.store.transactions import snapshot

__all__ = ["NO_MARK", "Mark", "News", "find_news"]

SCAN_ROWS = 65_536
"""Records of one batch of a scan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """How far somebody has read."""

    size: int
    """Records ever stored."""
    staged: int
    """Number of the last staged row."""


NO_MARK = Mark(size=0, staged=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What came since a mark."""

    mark: Mark
    """Where it ends."""
    batches: Iterator[tuple[str, pa.Table]]
    """Records by kind, in the catalogue's columns; to be read once, before the next call."""
    is_scan: bool
    """True when segments are read: it may take long."""


def find_news(
    connection: sqlite3.Connection,
    records: RecordStore,
    kinds: Collection[str],
    since: Mark,
    months: Callable[[str], Collection[int] | None],
) -> News | None:
    """Find what came since a mark; None when nothing did.

    Args:
        connection: Database of the node.
        records: Its records.
        kinds: Kinds that are wanted.
        since: Where the last reading ended.
        months: Months of a kind that are wanted when segments are read; None for all.

    Raises:
        StoreError: A staged row or a segment was changed on disk.
    """
    with snapshot(connection):
        size = records.tree.size
        if size == since.size:
            return None
        rows = connection.execute(
            "select id, kind, month, rows, body from staged where id > ? order by id",
            (since.staged,),
        ).fetchall()
        if not rows:
            last = connection.execute("select coalesce(max(id), 0) from staged").fetchone()[0]
        else:
            last = rows[-1][0]
    mark = Mark(size=size, staged=max(last, since.staged))
    if sum(row[3] for row in rows) == size - since.size:
        staged = (
            (kind, records.staging.opened(kind, month, body))
            for _, kind, month, _, body in rows
            if kind in kinds
        )
        return News(mark=mark, batches=staged, is_scan=False)
    scanned = _scan(connection, records, kinds, since.size, months)
    return News(mark=mark, batches=scanned, is_scan=True)


def _scan(
    connection: sqlite3.Connection,
    records: RecordStore,
    kinds: Collection[str],
    first: int,
    months: Callable[[str], Collection[int] | None],
) -> Iterator[tuple[str, pa.Table]]:
    for kind in sorted(kinds):
        engine = open_relations(connection, records, [kind], months(kind))
        try:
            columns = ", ".join(f'"{name}"' for name in records.schemas[kind].names)
            query = f"select {columns} from {kind}{NUMBERED} where {SEQ} >= {first:d}"  # noqa: S608 - names of the catalogue, a number
            for batch in engine.sql(query).to_arrow_reader(SCAN_ROWS):
                yield kind, pa.Table.from_batches([batch])
        finally:
            engine.close()
