"""Rows of accepted statements: encrypted rows in ``staged``, then immutable Parquet segments.

Rules of this module:

- A row carries the log index of its envelope; it counts when the index of statements says so.
- A flush writes a segment durably, then in one transaction adds its row and deletes the staged
  rows it holds. Files without a row are swept at start. Nothing running ever deletes a file.
- Rows of statements that lack parts stay staged, so that the last part can check the digest.
- Reading takes one snapshot: segments, staged rows and index belong to one transaction.
"""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, Engine, delete, func, insert, select, union_all

from hub.errors import StatementsMissingError
from hub.store.counting_slots import every_counting_slot, trusted_slots
from hub.store.engine import reading, writing
from hub.store.incidents import is_trusted
from hub.store.tables import segment, slot, slot_part, staged
from scoring_kernel.measure_sets import MeasureSet
from scoring_kernel.measures import MonthlyMeasures
from security.at_rest import Vault
from security.at_rest.segments import Segment, SegmentStore

SMALL_SEGMENT_ROWS: Final = 250_000
"""Segments below this are merged by the next flush: many small files scan slowly."""
FLUSH_ROWS: Final = 4_096
"""Most staged envelopes that one flush moves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedRows:
    """Rows of one envelope, ready to store."""

    log_index: int
    measure_set: str
    rows_ipc: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedSize:
    """What waits to be written into segments."""

    envelopes: int
    bytes: int


class StatementStore:
    """Statements of every measure set of one catalogue.

    Args:
        vault: Encrypts staged rows.
        segments: Holds the segments.
        measure_sets: Measure sets of the catalogue.
    """

    __slots__ = ("_measure_sets", "_segments", "_vault", "staged_bytes")

    def __init__(
        self, vault: Vault, segments: SegmentStore, measure_sets: Mapping[str, MeasureSet]
    ) -> None:
        self._vault = vault
        self._segments = segments
        self._measure_sets = measure_sets
        self.staged_bytes = 0
        """Bytes staged by this process since the last flush: when a flush is due."""

    def stage(self, connection: Connection, rows: Sequence[StagedRows]) -> None:
        """Store rows of a commit group, in its transaction."""
        if rows:
            self.staged_bytes += sum(len(item.rows_ipc) for item in rows)
            connection.execute(
                insert(staged),
                [
                    {
                        "log_index": item.log_index,
                        "measure_set": item.measure_set,
                        "body": self._vault.seal(item.rows_ipc, _context(item.log_index)),
                    }
                    for item in rows
                ],
            )

    def staged_rows(self, connection: Connection, log_index: int) -> pa.Table | None:
        """Rows of one envelope that are still staged; None when there are none."""
        body = connection.execute(
            select(staged.c.body).where(staged.c.log_index == log_index)
        ).scalar()
        return None if body is None else self._open(log_index, body)

    def staged_size(self, connection: Connection) -> StagedSize:
        """How much waits for a flush."""
        row = connection.execute(
            select(func.count(), func.coalesce(func.sum(func.length(staged.c.body)), 0))
        ).one()
        return StagedSize(envelopes=int(row[0]), bytes=int(row[1]))

    def monthly(
        self,
        connection: Connection,
        measure_set: str,
        months: Sequence[int],
        among: tuple[str, str] | None = None,
    ) -> MonthlyMeasures:
        """Rows of the statements that count, one per slot and subject.

        Args:
            connection: A reading transaction.
            measure_set: Measure set of the catalogue.
            months: Months wanted, yyyymm.
            among: First and last subject id wanted, both included; None for every subject.

        Returns:
            The rows in order of institution, month and subject; empty when nothing was stated.

        Raises:
            StatementsMissingError: The catalogue has no such measure set.
            SegmentTamperedError: A segment is missing or is not the file its row describes.
        """
        names = self._measures(measure_set)
        found = self._join(connection, measure_set, months, among)
        return MonthlyMeasures(
            measure_set=measure_set,
            subjects=np.asarray(found.column("subject").to_pylist(), np.str_),
            months=found.column("month").to_numpy().astype(np.int32, copy=False),
            columns={
                name: np.ascontiguousarray(found.column(name).to_numpy(), np.int64)
                for name in names
            },
        )

    def patchy(
        self,
        connection: Connection,
        measure_set: str,
        months: Sequence[int],
        among: tuple[str, str] | None = None,
    ) -> frozenset[str]:
        """Subjects with a row of an institution that stated some of the months, but not all.

        Args:
            connection: A reading transaction.
            measure_set: Measure set of the catalogue.
            months: Months of one window, yyyymm.
            among: First and last subject id wanted, both included; None for every subject.
        """
        # A slot whose statement is empty has no rows, but it was stated.
        query = (
            select(slot.c.institution)
            .where(
                slot.c.measure_set == measure_set,
                slot.c.month.in_(list(months)),
                slot.c.collecting.is_(False),
                is_trusted(),
            )
            .group_by(slot.c.institution)
            .having(func.count(slot.c.month.distinct()) < len(set(months)))
        )
        gaps = connection.execute(query).scalars().all()
        rows = self._join(connection, measure_set, months, among, gaps) if gaps else None
        return frozenset() if rows is None else frozenset(rows.column("subject").to_pylist())

    def stated(self, connection: Connection, months: Sequence[int]) -> frozenset[str]:
        """Institutions with a complete statement of any measure set for any of the months.

        Args:
            connection: A reading transaction.
            months: Months wanted, yyyymm.
        """
        query = (
            select(slot.c.institution)
            .where(slot.c.month.in_(list(months)), slot.c.collecting.is_(False), is_trusted())
            .distinct()
        )
        return frozenset(connection.execute(query).scalars())

    def flush(self, engine: Engine) -> int:
        """Move staged rows into segments, one measure set after the other.

        Returns:
            Number of staged envelopes that left ``staged``.

        Raises:
            HubStoreError: The database failed; nothing is lost, the file is swept at start.
        """
        self.staged_bytes = 0
        return sum(self._flush_set(engine, name) for name in sorted(self._measure_sets))

    def sweep(self, connection: Connection) -> int:
        """Remove files that no row names: the traces of a crash, and merged segments.

        Only at start, when nothing reads.
        """
        known = connection.execute(select(segment.c.name)).scalars().all()
        return len(self._segments.sweep(known))

    def _measures(self, measure_set: str) -> tuple[str, ...]:
        known = self._measure_sets.get(measure_set)
        if known is None:
            raise StatementsMissingError(
                f"Found no measure set {measure_set!r} in the catalogue, expected one of "
                f"{', '.join(sorted(self._measure_sets))}."
            )
        return tuple(measure.id for measure in known.measures)

    def _schema(self, measure_set: str) -> pa.Schema:
        return pa.schema(
            [
                ("institution", pa.string()),
                ("month", pa.int32()),
                ("subject", pa.string()),
                *((name, pa.int64()) for name in self._measures(measure_set)),
                ("log_index", pa.int64()),
            ]
        )

    def _open(self, log_index: int, body: bytes) -> pa.Table:
        rows_ipc = self._vault.open(body, _context(log_index))
        with pa.ipc.open_stream(rows_ipc) as reader:
            return reader.read_all()

    def _staged_table(self, connection: Connection, measure_set: str) -> pa.Table:
        query = select(staged.c.log_index, staged.c.body).where(staged.c.measure_set == measure_set)
        return self._tables(measure_set, connection.execute(query).all())

    def _tables(self, measure_set: str, rows: Sequence[tuple[int, bytes]]) -> pa.Table:
        schema = self._schema(measure_set)
        tables = [schema.empty_table()]
        for log_index, body in rows:
            table = self._open(log_index, body)
            column = pa.array(np.full(table.num_rows, log_index, np.int64))
            tables.append(table.append_column("log_index", column).select(schema.names))
        return pa.concat_tables(tables)

    def _join(
        self,
        connection: Connection,
        measure_set: str,
        months: Sequence[int],
        among: tuple[str, str] | None,
        institutions: Sequence[str] | None = None,
    ) -> pa.Table:
        """Rows of statements that count, joined in DuckDB; of some institutions, or of all."""
        stored = _segment_rows(connection, measure_set)
        with duckdb.connect(":memory:", config={"enable_external_access": "false"}) as database:
            counting = trusted_slots(connection, measure_set, months)
            if institutions is not None:
                counting = counting.filter(
                    pc.is_in(counting.column("institution"), value_set=pa.array(institutions))
                )
            database.register("counting", counting)
            database.register("staged_rows", self._staged_table(connection, measure_set))
            source = "SELECT * FROM staged_rows"
            if stored:
                database.register("segment_rows", self._segments.dataset(stored))
                source += " UNION ALL BY NAME SELECT * FROM segment_rows"
            names = ", ".join(f'r."{name}"' for name in self._measures(measure_set))
            return database.sql(
                f"SELECT r.subject, r.month, {names} FROM ({source}) r "  # noqa: S608 - names of the catalogue
                "SEMI JOIN counting c ON r.institution = c.institution AND r.month = c.month "
                "AND r.log_index = c.log_index "
                f"{'WHERE r.subject BETWEEN ? AND ? ' if among else ''}"
                "ORDER BY r.institution, r.month, r.subject",
                params=list(among) if among else None,
            ).to_arrow_table()

    def _flush_set(self, engine: Engine, measure_set: str) -> int:
        moved = 0
        while True:
            with reading(engine) as connection:
                step = self._next_step(connection, measure_set)
            if step is None:
                return moved
            written = None
            if step.rows.num_rows:
                name = f"{measure_set}-{step.log_indexes[-1]:012d}-{secrets.token_hex(4)}"
                written = self._segments.write(step.rows, name)
            with writing(engine) as connection:
                if written is not None:
                    connection.execute(
                        insert(segment).values(**_segment_values(written, measure_set))
                    )
                for chunk in _chunks(step.log_indexes, 500):
                    connection.execute(delete(staged).where(staged.c.log_index.in_(chunk)))
                if step.merged:
                    connection.execute(delete(segment).where(segment.c.name.in_(step.merged)))
            moved += len(step.log_indexes)

    def _next_step(self, connection: Connection, measure_set: str) -> "_FlushStep | None":
        collecting = union_all(
            select(slot.c.log_index).where(
                slot.c.measure_set == measure_set,
                slot.c.collecting,
                slot.c.log_index.is_not(None),
            ),
            select(slot_part.c.log_index).where(
                slot_part.c.measure_set == measure_set, slot_part.c.collecting
            ),
        )
        query = (
            select(staged.c.log_index, staged.c.body)
            .where(staged.c.measure_set == measure_set, staged.c.log_index.not_in(collecting))
            .order_by(staged.c.log_index)
            .limit(FLUSH_ROWS)
        )
        rows = connection.execute(query).all()
        if not rows:
            return None
        small = [
            item
            for item in _segment_rows(connection, measure_set)
            if item.rows < SMALL_SEGMENT_ROWS
        ]
        tables = [self._tables(measure_set, rows), *(self._segments.read(item) for item in small)]
        table = pa.concat_tables([found.select(tables[0].schema.names) for found in tables])
        with duckdb.connect(":memory:", config={"enable_external_access": "false"}) as database:
            database.register("counting", every_counting_slot(connection, measure_set))
            database.register("found", table)
            kept = database.sql(
                "SELECT r.* FROM found r SEMI JOIN counting c ON r.institution = c.institution "
                "AND r.month = c.month AND r.log_index = c.log_index "
                "ORDER BY r.institution, r.month, r.subject"
            ).to_arrow_table()
        return _FlushStep(
            rows=kept,
            log_indexes=[log_index for log_index, _ in rows],
            merged=[item.name for item in small],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _FlushStep:
    """One step of a flush: rows to write, staged rows and segments they replace."""

    rows: pa.Table
    log_indexes: list[int]
    merged: list[str]


def _segment_rows(connection: Connection, measure_set: str) -> list[Segment]:
    query = select(segment).where(segment.c.measure_set == measure_set).order_by(segment.c.name)
    return [
        Segment(
            name=row.name,
            rows=row.rows,
            sha256=row.sha256,
            wrapped_key=row.wrapped_key,
            bytes=row.bytes,
        )
        for row in connection.execute(query)
    ]


def _segment_values(written: Segment, measure_set: str) -> dict[str, object]:
    return {
        "name": written.name,
        "measure_set": measure_set,
        "rows": written.rows,
        "bytes": written.bytes,
        "sha256": written.sha256,
        "wrapped_key": written.wrapped_key,
    }


def _context(log_index: int) -> str:
    return f"staged/{log_index}"


def _chunks(items: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
