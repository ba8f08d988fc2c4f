"""CSV: a block of lines is cut into columns at once, and a bad line harms only itself.

Rules:

- The first line that is not empty is the header. Names are stripped; a name that
  stands twice refuses the file; a column without a name is not given.
- The delimiter is the one of comma, tab, semicolon and bar that cuts the header
  into most names; a name ending in ``.tsv`` says tab.
- A line that cannot be read is a fault of its own; see ``line_cutter``.

Source: RFC 4180, with one line per record.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Final

import numpy as np

from scoring_kernel.tables.header import no_header, verify_names
from scoring_kernel.tables.line_blocks import (
    choose_encoding,
    named_encoding,
    read_blocks,
)
from scoring_kernel.tables.line_cutter import MAX_LINE_BYTES, LineCutter
from scoring_kernel.tables.table import BATCH_ROWS, Table, TableBatch

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from scoring_kernel.tables.sources import FileSource, SourceStream

DELIMITERS: Final = (",", "\t", ";", "|")
_HEADER_BYTES: Final = 1024 * 1024


class CsvTable(Table):
    """A CSV file; see the module's rules."""

    def __init__(
        self,
        source: FileSource,
        *,
        delimiter: str | None = None,
        encoding: str | None = None,
        nulls: Sequence[str] = (),
    ) -> None:
        """Read the header.

        Args:
            source: The file.
            delimiter: Sign between the cells; chosen by the header when None.
            encoding: Encoding of the text; chosen by the whole file when None.
            nulls: Texts that mean that there is nothing, beside the empty one.

        Raises:
            TableError: There is no header, or it cannot be read.
        """
        self.name = source.path.name
        self.kind = "csv"
        self.size_bytes = source.size_bytes
        self.unreadable = {}
        self._source = source
        self._nulls = ("", *nulls)
        self._stream: SourceStream | None = None
        self._is_chosen = encoding is not None
        self.encoding = "utf-8" if encoding is None else named_encoding(encoding)
        line, self._header_line = self._read_header()
        if not self._is_chosen and not line.isascii():
            self._choose_encoding()
        try:
            text = line.decode(self.encoding)
        except UnicodeDecodeError as error:
            raise no_header(f"bytes that are not {self.encoding.upper()}") from error
        self.delimiter = delimiter or _delimiter(text, source.text_name)
        self.header = _names(text, self.delimiter)

    @property
    def consumed(self) -> int:
        """Bytes of the file that the newest reading has passed."""
        return 0 if self._stream is None else self._stream.consumed

    def close(self) -> None:
        """Nothing stays open between readings."""

    def batches(
        self, rows: int = BATCH_ROWS, columns: Collection[str] | None = None
    ) -> Iterator[TableBatch]:
        """Read the lines after the header; see ``Table``."""
        cutter = self._cutter(self.wanted(columns))
        with self._source.open() as stream:
            self._stream = stream
            for block in read_blocks(stream, MAX_LINE_BYTES):
                if not self._is_chosen and not block.data.isascii():
                    self._choose_encoding()
                yield from _pieces(cutter.cut(block, self.encoding, self._header_line), rows)
        self._source.verify_unchanged()

    def _cutter(self, columns: Sequence[str]) -> LineCutter:
        return LineCutter(
            header=self.header,
            delimiter=self.delimiter,
            nulls=self._nulls,
            columns=tuple(columns),
            is_whole=self._source.is_packed,
        )

    def _choose_encoding(self) -> None:
        self.encoding = choose_encoding(self._source, MAX_LINE_BYTES)
        self._is_chosen = True

    def _read_header(self) -> tuple[bytes, int]:
        """Read the first line that is not empty, and its number."""
        with self._source.open() as stream:
            for block in read_blocks(stream, _HEADER_BYTES):
                filled = np.flatnonzero(block.ends > block.starts)
                if not len(filled):
                    continue
                row = int(filled[0])
                line = block.line(row)
                if len(line) > _HEADER_BYTES:
                    raise no_header(f"a first line of more than {_HEADER_BYTES} bytes")
                if not self._source.is_packed and not block.is_ended and len(filled) == 1:
                    raise no_header("a header without a line end, which may be cut off")
                return line, block.first + row
        raise no_header("a file of empty lines")


def _delimiter(header: str, name: str) -> str:
    if name.endswith(".tsv"):
        return "\t"
    return max(DELIMITERS, key=lambda sign: len(_cells(header, sign)))


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        rows = list(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error:
        return []
    return rows[0] if rows else []


def _names(header: str, delimiter: str) -> tuple[str, ...]:
    if any(ord(sign) < 0x20 and sign != "\t" for sign in header):
        raise no_header("a control character")
    names = tuple(name.strip() for name in _cells(header, delimiter))
    if any('"' in name for name in names or header):
        raise no_header("quotes that do not close")
    if not any(names):
        raise no_header("no names")
    verify_names(names)
    return names


def _pieces(batch: TableBatch, rows: int) -> Iterator[TableBatch]:
    """Cut a batch into batches of at most so many rows; faults stay at their place."""
    if batch.rows <= rows:
        if batch.rows or batch.faults:
            yield batch
        return
    above = 0
    for start in range(0, batch.rows, rows):
        stop = min(start + rows, batch.rows)
        last = batch.numbers[stop - 1] if stop < batch.rows else np.iinfo(np.int64).max
        yield TableBatch(
            numbers=batch.numbers[start:stop],
            columns={name: cells[start:stop] for name, cells in batch.columns.items()},
            faults=tuple(fault for fault in batch.faults if above < fault.number <= last),
            read_raw=lambda row, start=start: batch.raw(start + row),  # type: ignore[misc]
        )
        above = int(last)
