"""Ingest a file or a directory: batches in, one report out.

Ingesting the same file again changes nothing: messages are known by their
msgid and content, rows of tables by their record's key and values, refused
lines by their digest.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from node.domain.masking import printable
from node.errors import MappingError
from node.intake.batch import BatchIntake
from node.intake.field_rules import compile_intake
from node.intake.group import DayBounds, latest_moment
from node.intake.lines import InputFile, Line, find_inputs, read_lines
from node.intake.report import IngestReport, Tally
from node.intake.table_files import TableFiles, is_fhir, needs_mapping
from node.store import NodeStore
from scoring_kernel import Catalog
from scoring_kernel.tables.mapping import RecordMapping
from security.progress import ProgressReporter, no_progress

__all__ = ["ingest_file"]

BATCH_LINES: Final = 8_000
BATCH_BYTES: Final = 12 * 1024 * 1024
"""Bounds the memory of a batch: decoded JSON takes up to some twenty times its bytes."""
FLUSH_MIN_ROWS: Final = 10_000
"""At the end of a file, months with fewer staged records stay staged."""
STAGE: Final = "ingest"


def ingest_file(
    store: NodeStore,
    catalog: Catalog,
    path: Path,
    *,
    mapping: RecordMapping | None = None,
    now: datetime,
    progress: ProgressReporter = no_progress,
    expected_months: frozenset[int] | None = None,
) -> IngestReport:
    """Take a file or a directory into the store.

    Args:
        store: The node's store; this process is its one writer.
        catalog: The rules of the national interface.
        path: A file of messages of the national interface, or a directory of such (see
            ``node.intake.lines`` for which files of it); a file of FHIR resources; a table
            with the columns of a register; with a mapping, any file of a table.
        mapping: How to read a table; None for messages, FHIR and registers.
        now: The time, UTC-aware: nothing may lie in its future.
        progress: Told of every durable batch; raising stops the ingest there, and what
            was told stays.
        expected_months: Months (yyyymm) that records may carry; None for any.

    Returns:
        What was taken in and what was refused.

    Raises:
        IntakeFileError: The file cannot be read at all.
        MappingError: The file is a table that needs a mapping, or lacks a mapped column.
        StoreError: The store failed; batches already told stay.
    """
    tally = Tally()
    bounds = DayBounds(latest=latest_moment(now), months=expected_months)
    tables = TableFiles(store, catalog, bounds, now)
    if mapping is None and needs_mapping(path):
        mapping = tables.find_mapping(path)
    if mapping is not None or is_fhir(path):
        if mapping is None:
            tables.take_fhir(path, tally, progress)
        else:
            tables.take_mapped(path, mapping, tally, progress)
        store.flush(FLUSH_MIN_ROWS)
        return tally.report(printable(path.name))
    if needs_mapping(path):
        raise MappingError(
            f"{printable(path.name)} is a table: name the mapping of its columns with --mapping,"
            " or have one proposed with --suggest-mapping"
        )
    inputs, skipped = find_inputs(path)
    intake = BatchIntake(store, compile_intake(catalog), now=now, expected_months=expected_months)
    total = sum(source.size for source in inputs)
    done = 0
    for source in inputs:
        count = 0
        intake.forget_truncation(source.name)
        for batch in _batches(source):
            done += sum(len(line.body) + 1 for line in batch)
            with _no_cycle_search():
                intake.take(source.name, batch, tally)
            store.flush_if_large()
            count += len(batch)
            # A packed file has more bytes than its size on disk.
            progress(STAGE, min(done, total), total, "bytes")
        store.note_source(source.name, source.size, count, now.isoformat(timespec="seconds"))
    store.flush(FLUSH_MIN_ROWS)
    return tally.report(printable(path.name), skipped)


@contextmanager
def _no_cycle_search() -> Iterator[None]:
    """Pause the search for reference cycles while a batch of decoded JSON is alive.

    Decoded JSON has no cycles; walking its many objects again and again was
    seen to cost a third of the time of an intake.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _batches(source: InputFile) -> Iterator[list[Line]]:
    batch: list[Line] = []
    size = 0
    for line in read_lines(source):
        batch.append(line)
        size += len(line.body)
        if len(batch) >= BATCH_LINES or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
