"""A table as every reader gives it: text by column in bounded batches, and refused rows.

Rules:

- Every cell is text or null: numbers in exact decimal digits, days and moments as
  ``yyyy-mm-dd`` and ``yyyy-mm-dd HH:MM:SS``, truth as ``true`` and ``false``. What a
  text means is for the mapping to say. An empty or blank cell is null.
- A row that cannot be read is a fault of its own; its neighbours are read.
- Memory is bounded by a batch, never by the file.
- A file that changed while it was read is refused at its end: nobody can tell what
  of it was read.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from scoring_kernel.tables.errors import ROW_MENDS, TableRule

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from types import TracebackType

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

BATCH_ROWS: Final = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFault:
    """A row that cannot be read.

    Attributes:
        number: Line of a text file, row of a sheet, counted from 1 with the header;
            row of a Parquet file, element of a JSON array, counted from 1.
        rule: The rule that was broken.
        found: What was found, without any value of a cell.
        expected: What was expected.
        raw: The row as it stands in the file; of an overlong line its beginning.
    """

    number: int
    rule: TableRule
    found: str
    expected: str
    raw: bytes = field(repr=False)

    @property
    def mend(self) -> str:
        """What the sender has to do."""
        return ROW_MENDS[self.rule]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableBatch:
    """Some rows of a table, in the order of the file.

    Attributes:
        numbers: Number of each row, counted as in ``RowFault``, shape (n_rows,), ascending.
        columns: Cells by column name, each shape (n_rows,), type string, with nulls.
        faults: Rows of this stretch of the file that cannot be read, ascending.
        read_raw: Gives the bytes of a row by its place in the batch.
    """

    numbers: npt.NDArray[np.int64]
    columns: Mapping[str, pa.Array] = field(repr=False)
    faults: tuple[RowFault, ...] = ()
    read_raw: Callable[[int], bytes] = field(repr=False)

    @property
    def rows(self) -> int:
        """Number of readable rows."""
        return len(self.numbers)

    def raw(self, row: int) -> bytes:
        """Give a row as quarantine keeps it: a line of text, or a JSON object of its cells.

        Args:
            row: Place in the batch, counted from 0.
        """
        return self.read_raw(row)


class Table(ABC):
    """An open file, or one table of it; a context manager.

    Attributes:
        name: Name of the file without directories, with the table behind a ``#``.
        kind: ``csv``, ``xlsx``, ``parquet``, ``jsonl``, ``json`` or ``fhir``.
        header: Names of the columns, in order; empty for a column without a name,
            whose cells are not given.
        unreadable: Why a column that the file has is not in the header, by its name.
        size_bytes: Size of the file.
        encoding: ``utf-8`` or ``gb18030``; ``utf-8`` for formats that fix it.
        delimiter: Sign between the cells of a line; empty for other formats.
    """

    name: str
    kind: str
    header: tuple[str, ...]
    unreadable: Mapping[str, str]
    size_bytes: int
    encoding: str
    delimiter: str

    @property
    @abstractmethod
    def consumed(self) -> int:
        """Bytes of the file that the newest reading has passed, for progress."""

    @abstractmethod
    def batches(
        self, rows: int = BATCH_ROWS, columns: Collection[str] | None = None
    ) -> Iterator[TableBatch]:
        """Read the rows from the first to the last; may be called again.

        Args:
            rows: Most rows of a batch, at least 1.
            columns: Columns to give; all when None. Fewer columns are read faster.

        Yields:
            Batches with rows or faults.

        Raises:
            TableError: The file breaks off, changed while it was read, or is a bomb.
            KeyError: A column that the header does not name.
        """

    @abstractmethod
    def close(self) -> None:
        """Close the file."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def wanted(self, columns: Collection[str] | None) -> tuple[str, ...]:
        """Name the columns to give, in the order of the header.

        Raises:
            KeyError: A column that the header does not name.
        """
        named = tuple(name for name in self.header if name)
        if columns is None:
            return named
        unknown = sorted(set(columns) - set(named))
        if unknown:
            raise KeyError(unknown[0])
        return tuple(name for name in named if name in columns)
