"""JSON as a table: lines of flat objects, or a document with an array of them.

Rules:

- The columns are the keys of the first 10,000 rows; a row with another key is
  refused, since its cell would have no place.
- A line, or an element, that is no flat object is a fault of its own.
- A document is read as a whole and bounded; lines are bounded one by one.
- A last line without a line end may be cut off, unless an archive's checksum says
  that it is not.

Source: RFC 8259; ndjson 1.0.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from scoring_kernel.tables.errors import TableError, TableRule
from scoring_kernel.tables.header import no_header, verify_names
from scoring_kernel.tables.json_values import flat_row, parse_json
from scoring_kernel.tables.line_blocks import (
    UTF8_BOM,
    block_of,
    choose_encoding,
    find_misfits,
    named_encoding,
    read_blocks,
)
from scoring_kernel.tables.row_batches import RowCollector, RowFaultError
from scoring_kernel.tables.table import BATCH_ROWS, Table, TableBatch

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from scoring_kernel.tables.line_blocks import LineBlock
    from scoring_kernel.tables.sources import FileSource, SourceStream

MAX_LINE_BYTES: Final = 4 * 1024 * 1024
MAX_DOCUMENT_BYTES: Final = 256 * 1024 * 1024
HEADER_ROWS: Final = 10_000
_SHOWN_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonRow:
    """One value of a file: a line, or an element of a document.

    Attributes:
        number: Line, or place in the array, counted from 1.
        value: The parsed value, or why there is none.
        raw: The line as it stands; empty for an element.
    """

    number: int
    value: Any
    raw: bytes


class JsonLines:
    """The values of a file of JSON lines, read again and again."""

    def __init__(self, source: FileSource, encoding: str | None = None) -> None:
        """Remember the file.

        Raises:
            TableError: The encoding is none that is read.
        """
        self.source = source
        self._stream: SourceStream | None = None
        self._is_chosen = encoding is not None
        self.encoding = "utf-8" if encoding is None else named_encoding(encoding)

    @property
    def consumed(self) -> int:
        """Bytes of the file that the newest reading has passed."""
        return 0 if self._stream is None else self._stream.consumed

    def __iter__(self) -> Iterator[JsonRow]:
        with self.source.open() as stream:
            self._stream = stream
            for block in read_blocks(stream, MAX_LINE_BYTES):
                if not self._is_chosen and not block.data.isascii():
                    self.encoding = choose_encoding(self.source, MAX_LINE_BYTES)
                    self._is_chosen = True
                yield from self._rows(block)

    def _rows(self, block: LineBlock) -> Iterator[JsonRow]:
        data, misfits = find_misfits(block, self.encoding)
        text = block if data is block.data else block_of(block.first, data)
        last = len(block.starts) - 1
        for row in range(len(block.starts)):
            raw = block.line(row)
            if not raw.strip():
                continue
            value: Any
            try:
                if len(raw) > MAX_LINE_BYTES:
                    raise RowFaultError(  # noqa: TRY301 - one way out for all refusals
                        TableRule.LINE_TOO_LONG, "a longer line", f"at most {MAX_LINE_BYTES} bytes"
                    )
                if row in misfits:
                    raise RowFaultError(  # noqa: TRY301 - as above
                        TableRule.UNDECODABLE, misfits[row], f"one encoding, {self.encoding}"
                    )
                value = parse_json(text.line(row).decode())
            except RowFaultError as error:
                value = error
            if row == last and not (block.is_ended or self.source.is_packed):
                value = RowFaultError(
                    TableRule.TRUNCATED,
                    "a last line without a line end",
                    "a line end, since the line may be cut off",
                )
            yield JsonRow(number=block.first + row, value=value, raw=raw)


class JsonDocument:
    """The elements of a document: of its array, or the one object it is."""

    def __init__(self, source: FileSource, document: Any) -> None:  # noqa: ANN401 - any JSON value
        self.source = source
        self.encoding = "utf-8"
        self.consumed = source.size_bytes
        self._values = document if isinstance(document, list) else [document]

    def __iter__(self) -> Iterator[JsonRow]:
        for number, value in enumerate(self._values, start=1):
            yield JsonRow(number=number, value=value, raw=b"")


class JsonTable(Table):
    """Flat objects as rows; see the module's rules."""

    def __init__(
        self, rows: JsonLines | JsonDocument, *, kind: str, nulls: Sequence[str] = ()
    ) -> None:
        """Collect the columns.

        Raises:
            TableError: None of the first rows is a flat object, or they have too many columns.
        """
        source = rows.source
        self.name = source.path.name
        self.kind = kind
        self.delimiter = ""
        self.size_bytes = source.size_bytes
        self.unreadable = {}
        self._rows = rows
        self._nulls = frozenset(nulls)
        names: dict[str, None] = {}
        for row in islice(rows, HEADER_ROWS):
            try:
                names.update(dict.fromkeys(_flat(row)))
            except RowFaultError:
                continue
        names.pop("", None)
        self.header = tuple(names)
        self.encoding = rows.encoding
        if not self.header:
            raise no_header(f"no flat object in the first {HEADER_ROWS} rows")
        verify_names(self.header)

    @property
    def consumed(self) -> int:
        """Bytes of the file that the newest reading has passed."""
        return self._rows.consumed

    def close(self) -> None:
        """Nothing stays open between readings."""

    def batches(
        self, rows: int = BATCH_ROWS, columns: Collection[str] | None = None
    ) -> Iterator[TableBatch]:
        """Read the rows; see ``Table``."""
        collector = RowCollector(columns=self.wanted(columns), nulls=self._nulls)
        known = frozenset(self.header)
        for row in self._rows:
            try:
                cells = _flat(row)
                if not known.issuperset(cells):
                    raise RowFaultError(  # noqa: TRY301 - one way out for all refusals
                        TableRule.FIELD_COUNT,
                        f"a key that none of the first {HEADER_ROWS} rows has",
                        "the same keys in all rows",
                    )
                collector.add(row.number, cells)
            except RowFaultError as error:
                collector.refuse(row.number, error, row.raw[:_SHOWN_BYTES])
            if len(collector) >= rows:
                yield collector.take()
        if len(collector):
            yield collector.take()
        self._rows.source.verify_unchanged()


def read_document(source: FileSource) -> Any:  # noqa: ANN401 - any JSON value
    """Parse a file that is one JSON document; None when it is several lines of JSON.

    Raises:
        TableError: It is too large, of no encoding that is read, or broken.
    """
    with source.open() as stream:
        body = stream.read(MAX_DOCUMENT_BYTES + 1)
    if len(body) > MAX_DOCUMENT_BYTES:
        raise TableError(
            TableRule.FILE_TOO_LARGE,
            f"a JSON document of more than {MAX_DOCUMENT_BYTES} bytes",
            "a smaller one",
            "write one object per line (.jsonl)",
        )
    body = body.removeprefix(UTF8_BOM)
    try:
        document = parse_json(_decoded(body))
    except RowFaultError as error:
        first = body.lstrip().partition(b"\n")[0]
        if _is_whole(first):
            return None
        raise TableError(
            TableRule.TABLE_BROKEN, error.found, "one whole JSON document", "write the file again"
        ) from error
    source.verify_unchanged()
    return document


def _decoded(body: bytes) -> str:
    for encoding in ("utf-8", "gb18030"):
        try:
            return body.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise TableError(
        TableRule.ENCODING, "bytes of another encoding", "UTF-8 or GB18030", "save it as UTF-8"
    )


def _is_whole(line: bytes) -> bool:
    try:
        return isinstance(parse_json(_decoded(line)), dict)
    except (RowFaultError, TableError):
        return False


def _flat(row: JsonRow) -> dict[str, str | None]:
    if isinstance(row.value, RowFaultError):
        raise row.value
    return flat_row(row.value)
