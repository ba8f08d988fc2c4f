"""Rows of supervision's measure sets, counted month by month: ``measures.db`` beside ``node.db``.

Rules:
- A set and month are there whole or not at all, with the digest of what they were counted from:
  whoever finds the same digest again need not count again.
- Rows name persons: they are sealed, with the set and month they belong to.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa
from sqlite_utils import Database, Migrations

from node.store.measures_file import MeasuresFile
from node.store.transactions import snapshot, transaction

__all__ = ["MonthRows", "SetMonth"]

PART_ROWS: Final = 50_000
"""Rows of one sealed part."""
_IPC: Final = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
_MIGRATIONS: Final = Migrations("yixin-measures")


@_MIGRATIONS()
def create_tables(database: Database) -> None:
    """Tables of the first version."""
    database.execute(
        """create table counted(
            measure_set text not null,
            month integer not null,
            inputs blob not null,
            rows integer not null,
            primary key(measure_set, month)
        ) strict, without rowid"""
    )
    database.execute(
        """create table part(
            measure_set text not null,
            month integer not null,
            number integer not null,
            body blob not null,
            primary key(measure_set, month, number)
        ) strict"""
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SetMonth:
    """One set and month as it was counted."""

    measure_set: str
    month: int
    """yyyymm."""
    inputs: bytes = field(repr=False)
    """Digest of what it was counted from."""
    rows: pa.Table = field(repr=False)
    """Keys (string) and measures (int64)."""


class MonthRows(MeasuresFile):
    """Rows by set and month; one writer at a time, any number of readers."""

    migrations = _MIGRATIONS

    def inputs(self) -> dict[tuple[str, int], bytes]:
        """Digest of what every set and month was counted from."""
        cursor = self._connection.execute("select measure_set, month, inputs from counted")
        return {(row[0], row[1]): row[2] for row in cursor}

    def months(self) -> tuple[int, ...]:
        """Months that were counted, ascending."""
        cursor = self._connection.execute("select distinct month from counted order by month")
        return tuple(row[0] for row in cursor)

    def replace(self, counted: SetMonth) -> None:
        """Put a month's rows of a set in place of the former ones, durably."""
        name, month = counted.measure_set, counted.month
        bodies = [
            (name, month, at, self._vault.seal(_to_ipc(part), _label(name, month, at)))
            for at, part in enumerate(_parts(counted.rows))
        ]
        with transaction(self._connection) as connection:
            self._drop(name, month)
            connection.execute(
                "insert into counted values(?, ?, ?, ?)",
                (name, month, counted.inputs, counted.rows.num_rows),
            )
            connection.executemany("insert into part values(?, ?, ?, ?)", bodies)

    def drop(self, wanted: Collection[tuple[str, int]]) -> None:
        """Forget some sets and months."""
        with transaction(self._connection):
            for name, month in wanted:
                self._drop(name, month)

    def read(self, names: Collection[str], months: Collection[int]) -> Iterator[SetMonth]:
        """Read some sets and months; what was not counted is left out.

        Raises:
            VaultError: A part was changed, or sealed under another key.
        """
        with snapshot(self._connection):
            cursor = self._connection.execute(
                "select measure_set, month, inputs from counted order by measure_set, month"
            )
            held = [row for row in cursor if row[0] in names and row[1] in months]
            for name, month, inputs in held:
                yield SetMonth(
                    measure_set=name, month=month, inputs=inputs, rows=self._rows(name, month)
                )

    def _rows(self, name: str, month: int) -> pa.Table:
        cursor = self._connection.execute(
            "select number, body from part where measure_set = ? and month = ? order by number",
            (name, month),
        )
        parts = [self._vault.open(body, _label(name, month, at)) for at, body in cursor]
        return pa.concat_tables([pa.ipc.open_stream(one).read_all() for one in parts])

    def _drop(self, name: str, month: int) -> None:
        for table in ("counted", "part"):
            self._connection.execute(
                f"delete from {table} where measure_set = ? and month = ?",  # noqa: S608 - two names
                (name, month),
            )


def _parts(table: pa.Table) -> Iterator[pa.Table]:
    """Cut a table into parts; one without rows is one part."""
    for start in range(0, max(table.num_rows, 1), PART_ROWS):
        yield table.slice(start, PART_ROWS)


def _to_ipc(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=_IPC) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def _label(name: str, month: int, number: int) -> str:
    return f"month_rows:{name}:{month}:{number}"
