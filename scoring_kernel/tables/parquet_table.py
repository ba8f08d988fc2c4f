"""Parquet: columns of plain types as texts, read row group by row group.

Rules:

- A column of a nested or binary type is not in the header; ``unreadable`` says why.
- What a row group unpacks to is bounded before it is read.
- A number that is not finite, and a text with control characters, refuse their row.

Source: Apache Parquet format 2.11.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from scoring_kernel.tables.cell_texts import refusal_of_type, texts_of, with_control_signs
from scoring_kernel.tables.errors import TableError, TableRule
from scoring_kernel.tables.header import verify_names
from scoring_kernel.tables.line_cutter import blank_to_null
from scoring_kernel.tables.row_batches import raw_of
from scoring_kernel.tables.sources import refuse_growth
from scoring_kernel.tables.table import BATCH_ROWS, RowFault, Table, TableBatch

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    import numpy.typing as npt

    from scoring_kernel.tables.sources import FileSource

MAX_GROUP_BYTES: Final = 1024 * 1024 * 1024
MAX_METADATA_BYTES: Final = 64 * 1024 * 1024
_BREAKS: Final = (pa.ArrowException, OSError, ValueError, KeyError)


class ParquetTable(Table):
    """A Parquet file; see the module's rules."""

    def __init__(self, source: FileSource, *, nulls: Sequence[str] = ()) -> None:
        """Read the schema.

        Raises:
            TableError: The file is broken, or unpacks beyond its bounds.
        """
        self.name = source.path.name
        self.kind = "parquet"
        self.encoding = "utf-8"
        self.delimiter = ""
        self.size_bytes = source.size_bytes
        self._source = source
        self._nulls = frozenset(nulls)
        self._consumed = 0
        try:
            self._file = parquet.ParquetFile(
                source.path,
                pre_buffer=False,
                thrift_string_size_limit=MAX_METADATA_BYTES,
                thrift_container_size_limit=1_000_000,
            )
            schema = self._file.schema_arrow
        except _BREAKS as error:
            raise _broken(error) from error
        try:
            _verify_groups(self._file.metadata, source.size_bytes)
            verify_names(schema.names)
        except TableError:
            self.close()
            raise
        why = {field.name: refusal_of_type(field.type) for field in schema}
        self.header = tuple(name for name in schema.names if why[name] is None)
        self.unreadable = {name: words for name, words in why.items() if words is not None}

    @property
    def consumed(self) -> int:
        """Bytes of the file that the newest reading has passed, by its share of the rows."""
        return self._consumed

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def batches(
        self, rows: int = BATCH_ROWS, columns: Collection[str] | None = None
    ) -> Iterator[TableBatch]:
        """Read the rows; see ``Table``."""
        wanted = self.wanted(columns)
        total = max(self._file.metadata.num_rows, 1)
        above = 0
        try:
            for part in self._file.iter_batches(
                batch_size=rows, columns=list(wanted), use_threads=False
            ):
                numbers = np.arange(above + 1, above + part.num_rows + 1)
                above += part.num_rows
                yield self._batch(part, numbers)
                self._consumed = self.size_bytes * above // total
        except _BREAKS as error:
            raise _broken(error) from error
        self._source.verify_unchanged()

    def _batch(self, part: pa.RecordBatch, numbers: npt.NDArray[np.int64]) -> TableBatch:
        texts: dict[str, pa.Array] = {}
        refused: dict[int, tuple[TableRule, str, str]] = {}
        for name, cells in zip(part.schema.names, part.columns, strict=True):
            column = texts_of(cells)
            lost = np.asarray(column.is_null()) & np.asarray(cells.is_valid())
            for row in np.flatnonzero(lost).tolist():
                found = f"a number that is not finite in {name[:40]!r}"
                refused[row] = (TableRule.CELL, found, "a number")
            for row in np.flatnonzero(with_control_signs(column)).tolist():
                found = f"a control character in {name[:40]!r}"
                refused[row] = (TableRule.CONTROL_CHARACTER, found, "signs that print")
            texts[name] = self._without_nulls(blank_to_null(column))
        read_raw = _reader(texts)
        faults = tuple(
            RowFault(
                number=int(numbers[row]),
                rule=rule,
                found=found,
                expected=expected,
                raw=read_raw(row),
            )
            for row, (rule, found, expected) in sorted(refused.items())
        )
        if not refused:
            return TableBatch(numbers=numbers, columns=texts, read_raw=read_raw)
        good = np.ones(len(numbers), bool)
        good[list(refused)] = False
        kept = {name: column.filter(pa.array(good)) for name, column in texts.items()}
        return TableBatch(
            numbers=numbers[good], columns=kept, faults=faults, read_raw=_reader(kept)
        )

    def _without_nulls(self, column: pa.Array) -> pa.Array:
        if not self._nulls:
            return column
        meant = pa.compute.is_in(column, pa.array(sorted(self._nulls), pa.string()))
        return pa.compute.if_else(meant, pa.scalar(None, pa.string()), column)


def _reader(texts: Mapping[str, pa.Array]) -> Callable[[int], bytes]:
    return lambda row: raw_of({name: column[row].as_py() for name, column in texts.items()})


def _verify_groups(metadata: parquet.FileMetaData, size_bytes: int) -> None:
    """Bound what each row group unpacks to, before one is read."""
    for place in range(metadata.num_row_groups):
        unpacked = metadata.row_group(place).total_byte_size
        if unpacked > MAX_GROUP_BYTES:
            raise TableError(
                TableRule.BOMB,
                f"a row group that unpacks to {unpacked} bytes",
                f"at most {MAX_GROUP_BYTES}",
                "write the file with smaller row groups",
            )
        refuse_growth(unpacked, size_bytes)


def _broken(error: Exception) -> TableError:
    return TableError(
        TableRule.TABLE_BROKEN,
        f"a Parquet file that cannot be read ({type(error).__name__})",
        "a whole Parquet file",
        "write the file again",
    )
