"""Records that count no more: the deletion vector of every kind and month, and frozen months.

0. A record that was replaced stays in its segment; its number is put here in the transaction
   that stores its successor, and reading leaves it out.
1. Whoever writes a month's records anew moves it to the former versions, and takes its number
   away.
2. A month whose records retention deleted is frozen: records of it are not taken in again.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["DELETION_TABLES", "SEQ", "Deletions", "with_seqs", "without"]

SEQ: Final = "_seq"
"""Hidden column of every stored record: its number in the store, which is its leaf in the tree."""
DELETION_TABLES: Final = (
    """create table deleted_record(
        kind text not null,
        month integer not null,
        seq integer not null,
        primary key(kind, month, seq)
    ) strict, without rowid""",
    # keys_erased: 0 until the keys of the month's records are out of the index.
    """create table frozen_month(
        kind text not null,
        month integer not null,
        keys_erased integer not null,
        primary key(kind, month)
    ) strict, without rowid""",
)


class Deletions:
    """Tables ``deleted_record`` and ``frozen_month``."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, kind: str, months: npt.NDArray[np.int64], seqs: npt.NDArray[np.int64]) -> None:
        """Delete records; inside the caller's transaction."""
        self._connection.executemany(
            "insert into deleted_record values(?, ?, ?)",
            [(kind, month, seq) for month, seq in zip(months.tolist(), seqs.tolist(), strict=True)],
        )

    def of(self, kind: str, months: Iterable[int] | None = None) -> npt.NDArray[np.int64]:
        """List deleted records of a kind, of some months or of all; sorted."""
        seqs: list[int] = []
        if months is None:
            cursor = self._connection.execute(
                "select seq from deleted_record where kind = ?", (kind,)
            )
            seqs += [row[0] for row in cursor]
        else:
            for month in months:
                cursor = self._connection.execute(
                    "select seq from deleted_record where kind = ? and month = ?", (kind, month)
                )
                seqs += [row[0] for row in cursor]
        return np.sort(np.array(seqs, np.int64))

    def settle(self, kind: str, month: int, seqs: npt.NDArray[np.int64]) -> None:
        """Forget deleted records that are on disk no more; inside the caller's transaction."""
        self._connection.executemany(
            "delete from deleted_record where kind = ? and month = ? and seq = ?",
            [(kind, month, seq) for seq in seqs.tolist()],
        )

    def counts(self) -> Mapping[str, int]:
        """Count deleted records by kind."""
        return dict(
            self._connection.execute("select kind, count(*) from deleted_record group by kind")
        )

    def freeze(self, kind: str, month: int) -> None:
        """Freeze a month whose records are deleted; inside the caller's transaction."""
        self._connection.execute(
            "delete from deleted_record where kind = ? and month = ?", (kind, month)
        )
        self._connection.execute(
            "insert into frozen_month values(?, ?, 0)"
            " on conflict(kind, month) do update set keys_erased = 0",
            (kind, month),
        )

    def frozen(self) -> dict[str, frozenset[int]]:
        """List frozen months by kind."""
        return self._months("select kind, month from frozen_month")

    def keys_left(self) -> dict[str, frozenset[int]]:
        """List frozen months whose keys are not erased yet."""
        return self._months("select kind, month from frozen_month where keys_erased = 0")

    def keys_erased(self, kind: str) -> None:
        """Note that no key of a frozen month of a kind is left; inside a transaction."""
        self._connection.execute("update frozen_month set keys_erased = 1 where kind = ?", (kind,))

    def _months(self, query: str) -> dict[str, frozenset[int]]:
        found: dict[str, set[int]] = {}
        for kind, month in self._connection.execute(query):
            found.setdefault(kind, set()).add(month)
        return {kind: frozenset(months) for kind, months in found.items()}


def without(table: pa.Table, deleted: npt.NDArray[np.int64]) -> pa.Table:
    """Leave deleted records out of a table that has ``_seq``."""
    if not len(deleted) or not table.num_rows:
        return table
    gone: Any = pc.is_in(table.column(SEQ), value_set=pa.array(deleted, pa.int64()))
    return table.filter(pc.invert(gone))


def with_seqs(table: pa.Table, seqs: npt.NDArray[np.int64]) -> pa.Table:
    """Take the rows of some numbers out of a table that has ``_seq``."""
    return table.filter(pc.is_in(table.column(SEQ), value_set=pa.array(seqs, pa.int64())))
