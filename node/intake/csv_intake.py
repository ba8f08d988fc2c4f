"""Rows of a CSV through a mapping: read, de-duplicate, check, build, commit per block.

A row's id in its records is ``namespace:record id``: never a message's id. Rows are not in
the ledger: the keys of their records tell what is new, what is another version and what was
seen already.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv

from node.domain.faults import Fault, Rule
from node.domain.institutions import Institution
from node.domain.masking import printable
from node.errors import MappingError
from node.intake.batch import quarantine_row
from node.intake.columns import FaultBook
from node.intake.csv_columns import CsvTable, record_column
from node.intake.csv_lines import CsvBlock, read_csv_blocks
from node.intake.group import DayBounds, check_days, months_of
from node.intake.lines import Line
from node.intake.mapping import CsvMapping, KindMapping
from node.intake.report import Tally
from node.store import CSV_INFNO, Commit, NodeStore, QuarantineRow
from security.progress import ProgressReporter

__all__ = ["CsvIntake"]

STAGE: Final = "ingest"
_MAX_ID: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """Rows of a block that were cut into cells."""

    lines: Sequence[Line]
    table: CsvTable = field(repr=False)


class CsvIntake:
    """Takes CSV files of one mapping into a store."""

    def __init__(
        self, store: NodeStore, mapping: CsvMapping, bounds: DayBounds, now: datetime
    ) -> None:
        self._store = store
        self._mapping = mapping
        self._bounds = bounds
        self._seen_at = now.isoformat(timespec="seconds")
        self._custody = store.institution_codes()

    def take_file(self, path: Path, tally: Tally, progress: ProgressReporter) -> None:
        """Take one file in; every block is durable before the next is read.

        Raises:
            IntakeFileError: The file cannot be opened, or has no header.
            MappingError: The file lacks a column that the mapping names.
            StoreError: The store failed; blocks already told stay.
        """
        count = 0
        name = printable(path.name)
        for block in read_csv_blocks(path, self._mapping.encoding):
            if block.header:
                self._take_block(name, block, tally)
                self._store.flush_if_large()
            else:
                self._refuse_block(name, block, tally)
            count += len(block.lines) + len(block.refused)
            progress(STAGE, count, 0, "lines")
        self._store.note_source(name, path.stat().st_size, count, self._seen_at)

    def _refuse_block(self, source: str, block: CsvBlock, tally: Tally) -> None:
        """Note lines of a file that cannot be cut: it has no header."""
        faulty = [(line, line.fault) for line in block.refused if line.fault is not None]
        tally.messages_in += len(faulty)
        for _, fault in faulty:
            tally.rules[fault.rule] += 1
        rows = [self._quarantined(source, line, fault) for line, fault in faulty]
        self._store.commit(Commit(quarantine=rows))

    def _take_block(self, source: str, block: CsvBlock, tally: Tally) -> None:
        tally.messages_in += len(block.lines) + len(block.refused)
        faulty = [(line, line.fault) for line in block.refused if line.fault is not None]
        rows, broken = self._cut(block)
        faulty += broken
        book = FaultBook()
        ids = rows.table.cells[self._mapping.record_id]
        keys = self._keys(ids, book)
        institutions, new = self._institutions(rows.table, book)
        records: dict[str, tuple[KindMapping, dict[str, pa.Array], npt.NDArray[np.datetime64]]] = {}
        for kind in self._mapping.kinds:
            columns = {spec.name: record_column(spec, rows.table, book) for spec in kind.columns}
            days = columns[kind.day].to_numpy(zero_copy_only=False).astype("datetime64[s]")
            path = next(spec.columns[0] for spec in kind.columns if spec.name == kind.day)
            check_days(path, days, range(rows.table.rows), self._bounds, book)
            records[kind.kind] = (kind, columns, days)
        good = np.ones(rows.table.rows, np.bool_)
        good[list(book.faults)] = False
        faulty += [(rows.lines[row], fault) for row, fault in sorted(book.faults.items())]
        for _, fault in faulty:
            tally.rules[fault.rule] += 1
        tables = {
            name: self._table(pa.array(keys, pa.string()), institutions, *parts, good=good)
            for name, parts in records.items()
        }
        kept = np.flatnonzero(good)
        codes = institutions.to_pylist()
        used = {codes[row] for row in kept}
        done = self._store.commit(
            Commit(
                records={name: table for name, table in tables.items() if table.num_rows},
                quarantine=[self._quarantined(source, line, fault) for line, fault in faulty],
                released=self._released(rows.lines, kept.tolist(), faulty),
                institutions=[one for one in new if one.code in used],
            )
        )
        tally.records.update(done.added)
        tally.records.update(done.replaced)
        # A row that makes records of several kinds was seen when none of them is new.
        tally.already_seen += min((done.unchanged.get(name, 0) for name in tables), default=0)

    def _cut(self, block: CsvBlock) -> tuple[_Rows, list[tuple[Line, Fault]]]:
        """Cut the lines of a block into cells; lines with another number of fields are refused."""
        names = _header_names(block.header, self._mapping)
        broken: dict[int, Fault] = {}

        def refuse(row: pcsv.InvalidRow) -> str:
            found = f"{row.actual_columns} fields"
            expected = f"{row.expected_columns} as in the header"
            broken[row.number - 1] = Fault.told(Rule.CSV_LINE, "line", found, expected)
            return "skip"

        wanted = sorted(self._mapping.csv_columns)
        body = b"\n".join(line.body for line in block.lines)
        if body:
            table = pcsv.read_csv(
                io.BytesIO(body),
                read_options=pcsv.ReadOptions(
                    column_names=names, use_threads=False, block_size=len(body) + 1
                ),
                parse_options=pcsv.ParseOptions(
                    delimiter=self._mapping.delimiter, invalid_row_handler=refuse
                ),
                convert_options=pcsv.ConvertOptions(
                    column_types=dict.fromkeys(wanted, pa.string()),
                    include_columns=wanted,
                    null_values=["", *self._mapping.nulls],
                    strings_can_be_null=True,
                ),
            )
        else:
            table = pa.table({name: pa.array([], pa.string()) for name in wanted})
        cells = {name: _blank_to_null(table.column(name).combine_chunks()) for name in wanted}
        lines = [line for row, line in enumerate(block.lines) if row not in broken]
        faults = [(block.lines[row], fault) for row, fault in sorted(broken.items())]
        return _Rows(lines=lines, table=CsvTable(rows=len(lines), cells=cells)), faults

    def _keys(self, ids: pa.Array, book: FaultBook) -> list[str]:
        keys = []
        for row, record_id in enumerate(ids.to_pylist()):
            if not record_id or len(record_id) > _MAX_ID:
                expected = f"an id of at most {_MAX_ID} characters"
                name = self._mapping.record_id
                book.add(row, Fault.of(Rule.FIELD_MISSING, name, record_id, expected))
            keys.append(f"{self._mapping.namespace}:{record_id or ''}")
        return keys

    def _institutions(
        self, table: CsvTable, book: FaultBook
    ) -> tuple[pa.Array, tuple[Institution, ...]]:
        """Give every row its institution's code of the national form."""
        name = self._mapping.institution
        cells = table.cells[name].to_pylist()
        missing = [row for row, cell in enumerate(cells) if not cell or len(cell) > _MAX_ID]
        for row in missing:
            fault = Fault.of(Rule.FIELD_MISSING, name, cells[row], "an institution's code")
            book.add(row, fault)
            cells[row] = None
        if not self._mapping.foreign:
            for row, cell in enumerate(cells):
                if cell is not None and cell not in self._custody:
                    expected = "an institution under this node's custody"
                    fault = Fault.of(Rule.INSTITUTION_UNKNOWN, name, cell, expected)
                    book.add(row, fault)
            return pa.array(cells, pa.string()), ()
        wanted = sorted({cell for cell in cells if cell is not None})
        namespace = self._mapping.namespace
        codes = self._store.foreign_codes(namespace, wanted)
        chosen = tuple(
            Institution(code=code, name=cell, foreign=True, namespace=namespace, foreign_code=cell)
            for cell, code in codes.items()
        )
        return pa.array([codes.get(cell) for cell in cells], pa.string()), chosen

    def _table(
        self,
        ids: pa.Array,
        institutions: pa.Array,
        kind: KindMapping,
        columns: dict[str, pa.Array],
        days: npt.NDArray[np.datetime64],
        *,
        good: npt.NDArray[np.bool_],
    ) -> pa.Table:
        schema = self._store.schemas[kind.kind]
        given = {
            "record_id": ids,
            "institution": institutions,
            "month": pa.array(months_of(np.where(good, days, _EPOCH)), pa.int32()),
            **columns,
        }
        parts = [given[name].filter(pa.array(good)) for name in schema.names]
        return pa.Table.from_arrays(parts, schema=schema)

    def _quarantined(self, source: str, line: Line, fault: Fault) -> QuarantineRow:
        return quarantine_row(source, line, fault, seen_at=self._seen_at, infno=CSV_INFNO)

    def _released(
        self, lines: Sequence[Line], rows: Sequence[int], faulty: Sequence[tuple[Line, Fault]]
    ) -> list[bytes]:
        if not self._store.quarantine_count():
            return []
        # A repeat of a refused line was seen already, but it did not go in.
        refused = {line.line_digest() for line, _ in faulty}
        return [digest for row in rows if (digest := lines[row].line_digest()) not in refused]


_EPOCH: Final = np.datetime64("2000-01-01", "s")


def _blank_to_null(cells: pa.Array) -> pa.Array:
    blank = pc.equal(pc.utf8_trim_whitespace(cells), "")
    return pc.if_else(blank, pa.scalar(None, pa.string()), cells)


def _header_names(header: bytes, mapping: CsvMapping) -> list[str]:
    """Read the header; the columns that the mapping names must be there, each once."""
    table = pcsv.read_csv(
        io.BytesIO(header + b"\n" + header),
        parse_options=pcsv.ParseOptions(delimiter=mapping.delimiter),
    )
    names = [name.strip() for name in table.column_names]
    for column in sorted(mapping.csv_columns):
        if names.count(column) != 1:
            raise MappingError(
                f"the CSV has the column {column!r} {names.count(column)} times, expected once;"
                " correct the mapping or the file's header"
            )
    return names
