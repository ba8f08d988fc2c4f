"""Rows of a table as records of a mapping's kinds: whole columns at a time, faults by row.

A row becomes one record of each kind, or none of any: one fault keeps the whole row out.
Its id is ``namespace:record id``; what makes it new is the primary key of its kind.
Where columns of the id name people, the id has their digest.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from node.domain.faults import Fault, Rule
from node.domain.institutions import Institution
from node.intake.columns import FaultBook
from node.intake.group import DayBounds, check_days, months_of
from node.store import NodeStore
from scoring_kernel.tables.mapping import KindMapping, RecordMapping
from scoring_kernel.tables.mapping_values import Problem, record_column
from scoring_kernel.tables.table import TableBatch
from security.moments import SHANGHAI

__all__ = ["BuiltRows", "RowBuilder"]

MAX_ID: Final = 100
_ID_DIGITS: Final = 32
_EPOCH: Final = np.datetime64("2000-01-01", "s")


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltRows:
    """What the rows of a batch come to."""

    records: Mapping[str, pa.Table] = field(repr=False)
    """Records of the rows without a fault, in their order, by kind."""
    good: npt.NDArray[np.bool_]
    """Which rows have no fault, shape (n_rows,)."""
    faults: Mapping[int, Fault]
    """First fault of every other row, by its place in the batch."""
    institutions: tuple[Institution, ...]
    """Foreign institutions that the good rows name."""


@dataclass(slots=True, kw_only=True)
class _Identity:
    """Ids and institutions of rows."""

    ids: pa.Array
    institutions: pa.Array
    chosen: tuple[Institution, ...] = ()


class RowBuilder:
    """Builds records by one mapping for one store."""

    def __init__(
        self, store: NodeStore, mapping: RecordMapping, bounds: DayBounds, now: datetime
    ) -> None:
        self._store = store
        self._mapping = mapping
        self._bounds = bounds
        self._today = np.datetime64(now.astimezone(SHANGHAI).date(), "s")
        self._custody = pa.array(sorted(store.institution_codes()), pa.string())

    def build(self, batch: TableBatch) -> BuiltRows:
        """Build the records of a batch.

        Args:
            batch: Rows with the columns that the mapping reads.
        """
        book = FaultBook()
        identity = self._identified(batch, book)
        built = {kind.kind: self._columns(kind, batch, book) for kind in self._mapping.kinds}
        good = np.ones(batch.rows, np.bool_)
        good[list(book.faults)] = False
        used = set(identity.institutions.filter(pa.array(good)).unique().to_pylist())
        return BuiltRows(
            records={
                kind: self._table(kind, identity, columns, days, good)
                for kind, (columns, days) in built.items()
            },
            good=good,
            faults=dict(sorted(book.faults.items())),
            institutions=tuple(one for one in identity.chosen if one.code in used),
        )

    def _identified(self, batch: TableBatch, book: FaultBook) -> _Identity:
        """Give every row its id and its institution's code of the national form."""
        parts = [batch.columns[name] for name in self._mapping.record_id]
        ids = parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, "-")
        name = "+".join(self._mapping.record_id)
        if self._mapping.digests_id:
            ids = _digested(ids)
        _refuse_unnamed(name, ids, f"an id of at most {MAX_ID} characters", book)
        ids = pc.binary_join_element_wise(self._mapping.namespace, ids, ":")
        spec = self._mapping.institution
        if spec.column is None:
            codes = pa.repeat(pa.scalar(spec.constant, pa.string()), batch.rows)
            self._refuse_strangers("institution", codes, book)
            return _Identity(ids=ids, institutions=codes)
        cells = batch.columns[spec.column]
        _refuse_unnamed(spec.column, cells, "an institution's code", book)
        if spec.foreign:
            return self._registered(ids, cells)
        self._refuse_strangers(spec.column, cells, book)
        return _Identity(ids=ids, institutions=cells)

    def _refuse_strangers(self, column: str, cells: pa.Array, book: FaultBook) -> None:
        known = pc.is_in(cells, value_set=self._custody).to_numpy(zero_copy_only=False)
        for row in np.flatnonzero(~known).tolist():
            found = cells[row].as_py()
            expected = "an institution under this node's custody"
            book.add(row, Fault.of(Rule.INSTITUTION_UNKNOWN, column, found, expected))

    def _registered(self, ids: pa.Array, cells: pa.Array) -> _Identity:
        """Put our codes in place of a foreign data set's."""
        encoded = cells.dictionary_encode()
        names = encoded.dictionary.to_pylist()
        namespace = self._mapping.namespace
        wanted = sorted(name for name in names if 0 < len(name) <= MAX_ID)
        codes = self._store.foreign_codes(namespace, wanted)
        found = pa.array([codes.get(name) for name in names], pa.string())
        chosen = tuple(
            Institution(code=code, name=cell, foreign=True, namespace=namespace, foreign_code=cell)
            for cell, code in codes.items()
        )
        return _Identity(ids=ids, institutions=found.take(encoded.indices), chosen=chosen)

    def _columns(
        self, kind: KindMapping, batch: TableBatch, book: FaultBook
    ) -> tuple[dict[str, pa.Array], npt.NDArray[np.datetime64]]:
        """Build the columns of one kind, and the days that decide the months."""
        columns: dict[str, pa.Array] = {}
        for spec in kind.columns:
            columns[spec.name], problems = record_column(spec, batch.columns, batch.rows)
            _note(problems, book)
        if not kind.days:
            return columns, np.full(batch.rows, self._today)
        days = pa.nulls(batch.rows, pa.timestamp("s"))
        for spec in kind.days:
            found = columns.get(spec.name)
            if found is None:
                found, problems = record_column(spec, batch.columns, batch.rows)
                _note(problems, book)
            days = pc.coalesce(days, found)
        moments = days.to_numpy(zero_copy_only=False).astype("datetime64[s]")
        path = kind.days[0].columns[0]
        for row in np.flatnonzero(np.isnat(moments)).tolist() if days.null_count else ():
            book.add(row, Fault.of(Rule.FIELD_MISSING, path, None, "a day"))
        check_days(path, moments, range(batch.rows), self._bounds, book)
        return columns, moments

    def _table(
        self,
        kind: str,
        identity: _Identity,
        columns: Mapping[str, pa.Array],
        days: npt.NDArray[np.datetime64],
        good: npt.NDArray[np.bool_],
    ) -> pa.Table:
        schema = self._store.schemas[kind]
        given = {
            "record_id": identity.ids,
            "institution": identity.institutions,
            "month": pa.array(months_of(np.where(good, days, _EPOCH)), pa.int32()),
            **columns,
        }
        parts = [given[name] for name in schema.names]
        if not good.all():
            mask = pa.array(good)
            parts = [part.filter(mask) for part in parts]
        return pa.Table.from_arrays(parts, schema=schema)


def _digested(ids: pa.Array) -> pa.Array:
    """Digest ids whose columns name people: the same row has the same id, and names nobody."""
    return pa.array(
        [
            text and hashlib.sha256(text.encode()).hexdigest()[:_ID_DIGITS]
            for text in ids.to_pylist()
        ],
        pa.string(),
    )


def _refuse_unnamed(column: str, cells: pa.Array, expected: str, book: FaultBook) -> None:
    lengths = pc.fill_null(pc.utf8_length(cells), 0).to_numpy(zero_copy_only=False)
    for row in np.flatnonzero((lengths < 1) | (lengths > MAX_ID)).tolist():
        book.add(row, Fault.of(Rule.FIELD_MISSING, column, cells[row].as_py(), expected))


def _note(problems: Sequence[Problem], book: FaultBook) -> None:
    for problem in problems:
        rule = Rule(problem.rule)
        for row, value in zip(problem.rows, problem.values, strict=True):
            fault = Fault.of(
                rule, problem.column, value, problem.expected, personal=problem.personal
            )
            book.add(row, fault)
