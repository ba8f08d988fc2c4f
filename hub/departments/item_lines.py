"""Rows of a department's file as the lines of an information item, whatever its format.

Rules:

- Without a mapping the header names exactly the item's fields, in any order and case.
- With one the table has the columns that the mapping names, and others are left out.
- The sheet or table of a file of several is the mapping's.
- A row is known again by the digest of what the file holds of it, so that a fault
  keeps its identity when rows are added above it.
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from hub.departments.faults import Fault, FileFaultError, Rule
from scoring_kernel.item_rows import masked
from scoring_kernel.tables import TableError, open_table
from scoring_kernel.tables.mapping_values import item_columns

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pyarrow as pa

    from scoring_kernel.information import InformationItem
    from scoring_kernel.tables import Table, TableBatch
    from scoring_kernel.tables.mapping import ItemMapping

MAX_FILE_BYTES: Final = 512 * 1024 * 1024
_BATCH_ROWS: Final = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One readable row of a file.

    Attributes:
        number: Line or row in the file, as the table counts it.
        values: Values by field of the item, without surrounding blanks.
        content: SHA-256 of the raw row.
    """

    number: int
    values: dict[str, str] = field(repr=False)
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemFile:
    """An open file of one information item.

    Attributes:
        item: The item.
        mapping: How foreign columns become the item's fields; None where they are its own.
        table: The table of the file.
        sha256: Digest of the file, with that of the mapping where there is one: read
            otherwise, the same file is another one.
    """

    item: InformationItem
    mapping: ItemMapping | None
    table: Table
    sha256: bytes

    def lines(self) -> Iterator[Line | Fault]:
        """Read the rows; empty ones are passed over.

        Yields:
            A line, or the fault of one, in file order.

        Raises:
            FileFaultError: The header names other columns, or the file breaks off.
        """
        with _as_file_fault():
            yield from self._lines()

    def _lines(self) -> Iterator[Line | Fault]:
        names = self._columns()
        for batch in self.table.batches(_BATCH_ROWS, columns=set(names.values())):
            found = [
                Fault(
                    line=fault.number,
                    rule=str(fault.rule),
                    masked=fault.found,
                    mend=fault.mend,
                    content=hashlib.sha256(fault.raw).digest(),
                )
                for fault in batch.faults
            ]
            yield from sorted([*found, *self._rows(batch, names)], key=_place)

    def _columns(self) -> Mapping[str, str]:
        """Find the columns of the table to read: by field, or by themselves for a mapping."""
        header = self.table.header
        if self.mapping is not None:
            missing = sorted(self.mapping.table_columns - set(header))
            if missing:
                raise FileFaultError(
                    Rule.HEADER_MISMATCH,
                    f"missing: {', '.join(missing)}",
                    "Correct the names of the columns, or the mapping.",
                )
            return {name: name for name in self.mapping.table_columns}
        by_name = {name.lower(): name for name in header}
        lacking = [name for name in self.item.header if name not in by_name]
        surplus = len(header) - len(self.item.header) + len(lacking)
        if lacking or surplus:
            raise FileFaultError(
                Rule.HEADER_MISMATCH,
                f"missing: {', '.join(lacking) or 'none'}; surplus or repeated: {surplus}",
                f"Let line 1 name exactly these columns: {','.join(self.item.header)}. "
                "Or say with --mapping what the file's own columns mean.",
            )
        return {name: by_name[name] for name in self.item.header}

    def _rows(self, batch: TableBatch, names: Mapping[str, str]) -> list[Line | Fault]:
        contents = [hashlib.sha256(batch.raw(row)).digest() for row in range(batch.rows)]
        numbers = batch.numbers.tolist()
        faults: dict[int, Fault] = {}
        columns: Mapping[str, pa.Array]
        if self.mapping is None:
            columns = {field: batch.columns[name] for field, name in names.items()}
        else:
            columns = self._mapped(self.mapping, batch, contents, faults)
        cells = {name: column.to_pylist() for name, column in columns.items()}
        empty = [None] * batch.rows
        by_field = [(name, cells.get(name, empty)) for name in self.item.header]
        return [
            faults[row]
            if row in faults
            else Line(
                number=number,
                values={name: (column[row] or "").strip() for name, column in by_field},
                content=contents[row],
            )
            for row, number in enumerate(numbers)
        ]

    def _mapped(
        self,
        mapping: ItemMapping,
        batch: TableBatch,
        contents: list[bytes],
        faults: dict[int, Fault],
    ) -> Mapping[str, pa.Array]:
        """Apply the mapping; the first problem of a row is its fault."""
        columns, problems = item_columns(mapping, batch.columns, batch.rows)
        fields = {one.name: one for one in self.item.fields}
        meant = {column: spec.name for spec in mapping.columns for column in spec.columns}
        for problem in problems:
            one = fields[meant[problem.column]]
            for row, value in zip(problem.rows, problem.values, strict=True):
                fault = Fault(
                    line=int(batch.numbers[row]),
                    field=one.name,
                    rule=problem.rule,
                    masked="nothing" if value is None else masked(one, value),
                    mend=(
                        f"Give {problem.expected} in the column {problem.column}, "
                        "or correct the mapping."
                    ),
                    content=contents[row],
                )
                faults.setdefault(row, fault)
        return columns


@contextmanager
def open_item_file(
    path: Path, item: InformationItem, mapping: ItemMapping | None = None
) -> Iterator[ItemFile]:
    """Open a file of an information item.

    Args:
        path: A regular file of any format that tables are read from.
        item: The item.
        mapping: What the file's own columns mean; None where they are the item's.

    Raises:
        FileFaultError: The file cannot be read as a table.
    """
    layout = None if mapping is None else mapping.layout
    with _as_file_fault():
        table = open_table(
            path,
            sheet=None if layout is None else layout.sheet or layout.table,
            delimiter=None if layout is None else layout.delimiter,
            encoding=None if layout is None else layout.encoding,
            nulls=() if layout is None else layout.nulls,
            max_bytes=MAX_FILE_BYTES,
        )
    with table:
        yield ItemFile(item=item, mapping=mapping, table=table, sha256=_digest(path, mapping))


def _digest(path: Path, mapping: ItemMapping | None) -> bytes:
    with _as_file_fault(), path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
    if mapping is None:
        return digest
    return hashlib.sha256(digest + hashlib.sha256(mapping.content).digest()).digest()


@contextmanager
def _as_file_fault() -> Iterator[None]:
    """Turn what a whole file has wrong into its fault."""
    try:
        yield
    except TableError as error:
        raise FileFaultError(str(error.rule), error.found, _sentence(error)) from error
    except OSError as error:
        raise FileFaultError(
            "unreadable", type(error).__name__, "Make the file readable for the hub's user."
        ) from error


def _sentence(error: TableError) -> str:
    return f"Expected {error.expected}: {error.mend}."


def _place(row: Line | Fault) -> int:
    return row.number if isinstance(row, Line) else row.line
