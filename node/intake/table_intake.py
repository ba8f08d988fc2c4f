"""Rows of a foreign table through a mapping: read, check, build, commit batch by batch.

Which records are new, repeats or new versions is the store's to tell, by the primary
key of their kind. A refused row is kept with its mapping and header, so that it can be
mended and read again alone.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import numpy as np

from node.domain.faults import Fault, Rule
from node.domain.masking import printable
from node.domain.row_context import CELLS, LINE, RowContext
from node.errors import MappingError
from node.intake.group import DayBounds
from node.intake.lines import truncation_digest
from node.intake.report import Tally
from node.intake.table_rows import BuiltRows, RowBuilder
from node.store import ROW_FORM, Commit, NodeStore, QuarantineFilter, QuarantineRow
from scoring_kernel.tables.errors import ROW_MENDS, TableError, TableRule
from scoring_kernel.tables.mapping import RecordMapping
from scoring_kernel.tables.table import RowFault, Table, TableBatch
from security.progress import ProgressReporter

__all__ = ["TABLE_INFNO", "TableIntake", "context_of"]

STAGE: Final = "ingest"
TABLE_INFNO: Final = "table"
"""What stands in place of a transaction where a refused row came from a table."""
_INFNOS: Final = (TABLE_INFNO, "csv")
"""The same, with what earlier versions wrote."""
BATCH_ROWS: Final = 250_000
_ROW_RULES: Final[Mapping[TableRule, Rule]] = {
    TableRule.TRUNCATED: Rule.FILE_TRUNCATED,
    TableRule.LINE_TOO_LONG: Rule.LINE_TOO_LONG,
    TableRule.UNDECODABLE: Rule.UTF8_INVALID,
    TableRule.BROKEN_JSON: Rule.JSON_BROKEN,
    TableRule.BROKEN_CSV: Rule.CSV_LINE,
    TableRule.FIELD_COUNT: Rule.CSV_LINE,
}
"""Rule of a table's row → rule of the quarantine; any other is a cell's."""


class TableIntake:
    """Takes tables of one mapping into a store."""

    def __init__(
        self, store: NodeStore, mapping: RecordMapping, bounds: DayBounds, now: datetime
    ) -> None:
        store.record_ledger.close_days(now)
        self._store = store
        self._mapping = mapping
        self._builder = RowBuilder(store, mapping, bounds, now)
        self._seen_at = now.isoformat(timespec="seconds")
        # What this file gets refused cannot go in further down in it.
        self._may_release = any(
            store.quarantine_count(QuarantineFilter(infno=infno)) for infno in _INFNOS
        )

    def take_table(self, table: Table, tally: Tally, progress: ProgressReporter) -> None:
        """Take one table in; every batch is durable before the next is read.

        Args:
            table: The open table.
            tally: Takes the counts.
            progress: Told of every durable batch.

        A table that cannot be read to its end is one quarantine row beside what was read.

        Raises:
            MappingError: The table lacks a column that the mapping names.
            StoreError: The store failed; batches already told stay.
        """
        columns = self._mapping.table_columns
        for name in sorted(columns):
            self._refuse_absent(name, table)
        context = context_of(self._mapping, table)
        source = printable(table.name)
        if self._may_release:
            self._store.commit(Commit(released=[truncation_digest(source)]))
        count = 0
        try:
            for batch in table.batches(BATCH_ROWS, columns):
                self.take_batch(source, batch, context, tally)
                self._store.flush_if_large()
                count += batch.rows + len(batch.faults)
                progress(STAGE, min(table.consumed, table.size_bytes), table.size_bytes, "bytes")
        except TableError as error:
            self._refuse_rest(source, error, tally)
        self._store.note_source(source, table.size_bytes, count, self._seen_at)

    def _refuse_rest(self, source: str, error: TableError, tally: Tally) -> None:
        """Note that a file cannot be read to its end; what came before stays."""
        told = Fault.told(Rule.FILE_TRUNCATED, "", error.found, error.expected)
        fault = replace(told, hint=error.mend)
        tally.messages_in += 1
        tally.rules[fault.rule] += 1
        digest = truncation_digest(source)
        row = self._quarantined(source, 0, b"", fault, context="", digest=digest)
        self._store.commit(Commit(quarantine=[row]))

    def take_batch(
        self,
        source: str,
        batch: TableBatch,
        context: RowContext,
        tally: Tally,
        digests: Sequence[bytes] | None = None,
    ) -> BuiltRows:
        """Take one batch in; it is durable when this returns.

        Args:
            source: Name of the file.
            batch: The rows.
            context: What they are read with.
            tally: Takes the counts.
            digests: Digest under which each row was refused before; None for first readings.

        Returns:
            What the rows came to.

        Raises:
            StoreError: The store failed; nothing of the batch was kept.
        """
        with self._store.taking():
            return self._take(source, batch, context, tally, digests)

    def _take(
        self,
        source: str,
        batch: TableBatch,
        context: RowContext,
        tally: Tally,
        digests: Sequence[bytes] | None,
    ) -> BuiltRows:
        built = self._builder.build(batch)
        refused = [
            self._quarantined(source, one.number, one.raw, _fault_of(one), context=context.name)
            for one in batch.faults
        ]
        for row, fault in built.faults.items():
            digest = digests[row] if digests else None
            number, raw = int(batch.numbers[row]), batch.raw(row)
            refused.append(
                self._quarantined(source, number, raw, fault, context=context.name, digest=digest)
            )
        committed = self._store.commit(
            Commit(
                records={kind: table for kind, table in built.records.items() if table.num_rows},
                quarantine=refused,
                released=self._released(batch, built, digests),
                contexts={context.name: context.to_bytes()} if refused else {},
                institutions=built.institutions,
            )
        )
        tally.messages_in += batch.rows + len(batch.faults)
        # A row that went in corrected makes no row of the quarantine again.
        mended = self._store.desk.mended([one.digest for one in refused])
        tally.rules.update(one.rule for one in refused if one.digest not in mended)
        tally.already_seen += sum(one.digest in mended for one in refused)
        first = self._mapping.kinds[0].kind
        tally.already_seen += committed.unchanged.get(first, 0) + committed.expired.get(first, 0)
        for kind in built.records:
            tally.records[kind] += committed.added.get(kind, 0) + committed.replaced.get(kind, 0)
        return built

    def _refuse_absent(self, name: str, table: Table) -> None:
        if name in table.header:
            return
        why = table.unreadable.get(name, "not there")
        raise MappingError(
            f"{printable(table.name)}: the column {name!r} is {why}, expected once; correct"
            f" the mapping {self._mapping.file} or the file's header"
        )

    def _quarantined(
        self,
        source: str,
        line: int,
        raw: bytes,
        fault: Fault,
        *,
        context: str,
        digest: bytes | None = None,
    ) -> QuarantineRow:
        return QuarantineRow(
            digest=digest or hashlib.sha256(raw).digest(),
            source=source,
            line=line,
            msgid="",
            infno=TABLE_INFNO,
            rule=fault.rule,
            field=fault.field,
            value=fault.value,
            reason=fault.reason,
            mend=fault.mend,
            seen_at=self._seen_at,
            body=raw or None,
            form=ROW_FORM,
            context=context,
        )

    def _released(
        self, batch: TableBatch, built: BuiltRows, digests: Sequence[bytes] | None
    ) -> Sequence[bytes]:
        """Name the rows that may have been refused before and went in now."""
        rows = np.flatnonzero(built.good).tolist()
        if digests is not None:
            return [digests[row] for row in rows]
        if not self._may_release:
            return ()
        return [hashlib.sha256(batch.raw(row)).digest() for row in rows]


def context_of(mapping: RecordMapping, table: Table) -> RowContext:
    """Say what the rows of a table are read with."""
    return RowContext(
        mapping=mapping.content.decode(),
        mapping_name=mapping.file,
        header=table.header,
        form=LINE if table.kind == "csv" else CELLS,
        delimiter=table.delimiter or ",",
        encoding=table.encoding,
    )


def _fault_of(row: RowFault) -> Fault:
    rule = _ROW_RULES.get(row.rule, Rule.TABLE_CELL)
    told = Fault.told(rule, "line", row.found, row.expected)
    return replace(told, hint=ROW_MENDS.get(row.rule, ""))
