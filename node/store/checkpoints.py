"""Checkpoints (检查点): the tree's size and root at the end of every day that added records.

Rules:
- a day, Asia/Shanghai, is closed once, at the first moment of a later day that is told: whoever
  appends tells the moment first, so that a day's checkpoint holds no leaf of a later one;
- a day without new leaves has no checkpoint; a clock that goes back closes nothing;
- checkpoints are never changed: what was told to the hub must be what the next one continues.

Source: SECURITY §13.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from node.store.transactions import transaction
from node.store.tree import LeafTree
from security.moments import SHANGHAI

__all__ = ["Checkpoints", "DayCheckpoint"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCheckpoint:
    """The tree at the end of a day."""

    day: int
    """The closed day, yyyymmdd."""
    size: int
    """Number of leaves."""
    root: bytes = field(repr=False)
    """RFC 6962 root over them, 32 bytes."""


class Checkpoints:
    """Tables ``checkpoint`` and ``open_day`` beside the tree; one writer."""

    def __init__(self, connection: sqlite3.Connection, tree: LeafTree) -> None:
        self._connection = connection
        self._tree = tree

    def close_days(self, now: datetime) -> DayCheckpoint | None:
        """Close the day before this moment's, if it is still open; cheap when there is nothing.

        Leaves that are there belong to the day that is open. Call it before leaves are appended,
        and from time to time when none are; outside of a transaction.

        Args:
            now: The present moment, UTC-aware.

        Returns:
            The new checkpoint; None when there is none.

        Raises:
            StoreError: The tree's files are damaged, or SQLite failed.
        """
        local = now.astimezone(SHANGHAI)
        today = local.year * 10_000 + local.month * 100 + local.day
        row = self._connection.execute("select day from open_day").fetchone()
        if row is not None and row[0] >= today:
            return None
        closed = None
        if row is not None:
            last, size = self.last(), self._tree.size
            if size > (0 if last is None else last.size):
                closed = DayCheckpoint(day=row[0], size=size, root=self._tree.root())
        with transaction(self._connection) as connection:
            if closed is not None:
                connection.execute(
                    "insert into checkpoint values(?, ?, ?)", (closed.day, closed.size, closed.root)
                )
            connection.execute("insert or replace into open_day values(1, ?)", (today,))
        return closed

    def last(self) -> DayCheckpoint | None:
        """Find the latest checkpoint."""
        return next(self._rows("order by day desc limit 1", ()), None)

    def covering(self, seq: int) -> DayCheckpoint | None:
        """Find the first checkpoint whose tree holds a leaf."""
        return next(self._rows("where size > ? order by day limit 1", (seq,)), None)

    def after(self, size: int) -> Iterator[DayCheckpoint]:
        """List the checkpoints of trees larger than a size, in order."""
        yield from self._rows("where size > ? order by day", (size,))

    def find(self, size: int) -> DayCheckpoint | None:
        """Find the checkpoint of a tree of this size."""
        return next(self._rows("where size = ?", (size,)), None)

    def _rows(self, condition: str, values: tuple[int, ...]) -> Iterator[DayCheckpoint]:
        rows = self._connection.execute(
            f"select day, size, root from checkpoint {condition}",  # noqa: S608 - one of ours
            values,
        ).fetchall()
        return (DayCheckpoint(day=row[0], size=row[1], root=row[2]) for row in rows)
