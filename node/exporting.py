"""Records of one kind as a file, with the values as they were ingested.

Rules:
- Every column stands as the store holds it: amounts in fen, quantities in ten-thousandths,
  moments as wall clock of Asia/Shanghai. What goes out and comes in again is the same.
- A CSV tells an empty text (``""``) from no value (nothing between the commas). Texts stand
  as they are: who opens the file in a spreadsheet imports its columns as text.
- Columns with personal data stay here unless the operator says otherwise, and that is noted.
- The file has mode 0600, is written whole or not at all, and is not encrypted.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final, Self

import orjson
import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq

from node.domain.records import RAW
from node.errors import ConfigurationError
from node.new_files import verify_new_file
from node.store import LogEntry, NodeStore
from scoring_kernel import Catalog
from security.private_files import writing_private
from security.progress import ProgressReporter, no_progress

__all__ = ["FORMATS", "Exported", "export_kind", "personal_columns"]

_MONTHS: Final = 12
FORMATS: Final = (".csv", ".parquet", ".jsonl")
STAGE: Final = "export"
_ALL_OF_RAW: Final = frozenset(("body",))
"""A whole message may hold anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written."""

    kind: str
    rows: int
    columns: tuple[str, ...]
    left_out: tuple[str, ...]
    """Columns with personal data that stayed here."""
    bytes: int


def personal_columns(catalog: Catalog, kind: str) -> frozenset[str]:
    """Name the columns of a kind that hold personal data."""
    return _ALL_OF_RAW if kind == RAW else catalog.records[kind].personal


def export_kind(
    store: NodeStore,
    catalog: Catalog,
    kind: str,
    path: Path,
    *,
    month: int | None = None,
    personal_for: str = "",
    now: datetime,
    progress: ProgressReporter = no_progress,
) -> Exported:
    """Write the records of a kind into a file.

    Args:
        store: The node's store.
        catalog: Says which columns are personal.
        kind: Kind of record, ``raw`` included.
        path: A new file, ``.csv``, ``.parquet`` or ``.jsonl``.
        month: Only records of this month, yyyymm; None for all.
        personal_for: Operator who gets personal columns too; empty for none.
        now: The time, UTC-aware.
        progress: Told of rows written.

    Returns:
        What was written.

    Raises:
        ConfigurationError: The kind is unknown, or the file cannot be made.
        KeyFileError: The file cannot be written.
        StoreError: A segment was changed on disk.
    """
    if kind not in store.schemas:
        raise ConfigurationError(
            f"kind {kind[:40]!r} found, expected one of {', '.join(sorted(store.schemas))}"
        )
    if month is not None and not 1 <= month % 100 <= _MONTHS:
        raise ConfigurationError(f"month {month} found, expected yyyymm, for example 202603")
    verify_new_file(path, FORMATS)
    personal = personal_columns(catalog, kind)
    names = store.schemas[kind].names
    left_out = () if personal_for else tuple(name for name in names if name in personal)
    columns = tuple(name for name in names if name not in left_out)
    if personal_for and personal:
        store.desk.note(
            LogEntry(
                at=now.isoformat(timespec="seconds"),
                operator=personal_for,
                action="export_personal",
                subject=kind,
                detail=path.name,
            )
        )
    schema = pa.schema([store.schemas[kind].field(name) for name in columns])
    rows = 0
    total = store.counts().records.get(kind, 0)
    with writing_private(path) as file, _writer(file, schema, path.suffix) as writer:
        for batch in store.export(kind, None if month is None else (month,)):
            writer.write_batch(batch.select(columns))
            rows += batch.num_rows
            progress(STAGE, rows, total, "records")
    return Exported(
        kind=kind, rows=rows, columns=columns, left_out=left_out, bytes=path.stat().st_size
    )


class _JsonLines:
    """Writes batches as JSON lines, moments as in CSV."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held back."""

    def write_batch(self, batch: pa.RecordBatch) -> None:
        """Write the rows of a batch."""
        for row in batch.to_pylist():
            self._file.write(orjson.dumps(row, default=str, option=_JSON) + b"\n")


_JSON: Final = orjson.OPT_PASSTHROUGH_DATETIME
"""Moments go through ``str``: ``2026-03-18 09:50:39``, as in CSV and in the interface."""


def _writer(file: IO[bytes], schema: pa.Schema, suffix: str) -> Any:  # noqa: ANN401 - pyarrow ships no types
    if suffix == ".parquet":
        return pq.ParquetWriter(file, schema, compression="zstd")
    if suffix == ".csv":
        return pcsv.CSVWriter(file, schema, write_options=pcsv.WriteOptions(quoting_style="needed"))
    return _JsonLines(file)
