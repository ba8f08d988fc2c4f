"""Lines of a department's CSV file, one at a time, each either readable or a fault.

Rules:

- One physical line is one row: a quoted field must not contain a line end, so
  that an unclosed quote harms its own line and nothing after it.
- UTF-8, with or without a byte order mark, and GB18030 are read. The encoding is
  a property of the file, chosen by the majority of its non-ASCII lines; a line
  that does not fit it is a fault.
- Size and length are bounded before anything is decoded.
- The last line must end with a line end: without one nobody can tell a complete
  value from one that was cut off.

Source: RFC 4180, with one line per record; GB 18030-2022.
"""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final

from hub.departments.faults import WHOLE_FILE, Fault, Rule
from hub.errors import ImportFileError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

MAX_FILE_BYTES: Final = 512 * 1024 * 1024
MAX_LINE_BYTES: Final = 64 * 1024
_UTF8_BOM: Final = b"\xef\xbb\xbf"
_UTF16_BOMS: Final = (b"\xff\xfe", b"\xfe\xff")
_ZIP_MAGIC: Final = b"PK\x03\x04"
_OLE_MAGIC: Final = b"\xd0\xcf\x11\xe0"
_LINE_ENDS: Final = b"\r\n"
_FIRST_PRINTING: Final = 0x20


class FileFaultError(ImportFileError):
    """A file cannot be read as a whole; the import turns it into a quarantine row.

    Attributes:
        fault: The fault of the file.
    """

    def __init__(self, rule: Rule, masked: str, mend: str) -> None:
        super().__init__(f"{rule}: found {masked}: {mend}")
        self.fault = Fault(line=WHOLE_FILE, rule=rule, masked=masked, mend=mend)


class _LineFaultError(Exception):
    """A line is refused; never leaves this module."""

    def __init__(self, rule: Rule, masked: str, mend: str) -> None:
        super().__init__(rule)
        self.rule = rule
        self.masked = masked
        self.mend = mend


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """What a first pass over a file has found.

    Attributes:
        sha256: SHA-256 of the whole file.
        encoding: ``utf-8`` or ``gb18030``.
        size_bytes: Size of the file.
        lines: Number of physical lines, the header included.
    """

    sha256: bytes
    encoding: str
    size_bytes: int
    lines: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One readable line after the header.

    Attributes:
        number: Line in the file, counted from 1; the header is line 1.
        values: Values by column name, without surrounding blanks.
        content: SHA-256 of the raw line.
    """

    number: int
    values: dict[str, str]
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class _RawLine:
    number: int
    data: bytes
    too_long: bool
    ended: bool


def survey(path: Path, *, max_bytes: int = MAX_FILE_BYTES) -> FileFacts:
    """Read a file once: bound its size, digest it and choose its encoding.

    Args:
        path: A regular file.
        max_bytes: Largest accepted size, bytes.

    Raises:
        FileFaultError: The file is not a readable CSV file within the bounds.
    """
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise FileFaultError(Rule.UNREADABLE, "no regular file", "Name a regular CSV file.")
        if size > max_bytes:
            raise FileFaultError(
                Rule.FILE_TOO_LARGE,
                f"{size} bytes",
                f"Split the file into files of at most {max_bytes} bytes, each with the header.",
            )
        with path.open("rb") as stream:
            _refuse_other_formats(stream.read(4))
            stream.seek(0)
            return _survey_lines(stream, size)
    except OSError as error:
        raise FileFaultError(
            Rule.UNREADABLE, type(error).__name__, "Make the file readable for the hub's user."
        ) from error


def read_lines(path: Path, facts: FileFacts, columns: Sequence[str]) -> Iterator[Line | Fault]:
    """Read the lines after the header; blank lines are passed over.

    Args:
        path: The surveyed file.
        facts: Result of ``survey``.
        columns: The columns that the header must name, in any order.

    Yields:
        A line, or the fault of a line, in file order.

    Raises:
        FileFaultError: The header is missing, broken or names other columns.
    """
    try:
        with path.open("rb") as stream:
            raw_lines = _raw_lines(stream)
            header = _header(next(raw_lines, None), facts.encoding, columns)
            for raw in raw_lines:
                row = _row(raw, facts.encoding, header)
                if row is not None:
                    yield row
    except OSError as error:
        raise FileFaultError(
            Rule.UNREADABLE, type(error).__name__, "Make the file readable for the hub's user."
        ) from error


def _refuse_other_formats(start: bytes) -> None:
    if not start:
        raise FileFaultError(
            Rule.EMPTY_FILE,
            "0 bytes",
            "Send a file with the header line; without rows it states that there is nothing.",
        )
    if start.startswith((_ZIP_MAGIC, _OLE_MAGIC)):
        raise FileFaultError(
            Rule.NOT_CSV, "a spreadsheet or archive", "Save the sheet as CSV and send that file."
        )
    if start.startswith(_UTF16_BOMS):
        raise FileFaultError(Rule.ENCODING, "UTF-16 text", "Save the file as UTF-8 or GB18030.")


def _survey_lines(stream: BinaryIO, size: int) -> FileFacts:
    digest = hashlib.sha256()
    marked = stream.read(len(_UTF8_BOM)) == _UTF8_BOM
    stream.seek(0)
    fitting = unfitting = lines = 0
    unended = False
    while chunk := stream.readline(MAX_LINE_BYTES):
        digest.update(chunk)
        # The pieces of an overlong line are one line, and it is refused later.
        lines += 0 if unended else 1
        unended = not chunk.endswith(b"\n")
        if not chunk.isascii():
            if _fits(chunk, "utf-8"):
                fitting += 1
            else:
                unfitting += 1
    encoding = "utf-8" if marked or fitting >= unfitting else "gb18030"
    return FileFacts(sha256=digest.digest(), encoding=encoding, size_bytes=size, lines=lines)


def _fits(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _raw_lines(stream: BinaryIO) -> Iterator[_RawLine]:
    number = 0
    while data := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        piece = data
        while len(piece) > MAX_LINE_BYTES and not piece.endswith(b"\n"):
            piece = stream.readline(MAX_LINE_BYTES + 1)
        if number == 1:
            data = data.removeprefix(_UTF8_BOM)
        yield _RawLine(
            number=number,
            data=data,
            too_long=len(data) > MAX_LINE_BYTES,
            ended=piece.endswith(b"\n"),
        )


def _header(raw: _RawLine | None, encoding: str, columns: Sequence[str]) -> tuple[str, ...]:
    expected = ",".join(columns)
    mend = f"Let line 1 name exactly these columns: {expected}."
    if raw is None or raw.too_long:
        raise FileFaultError(Rule.HEADER_MISMATCH, "no header line", mend)
    try:
        cells = _cells(raw.data.rstrip(_LINE_ENDS).decode(encoding))
    except (UnicodeDecodeError, csv.Error) as error:
        raise FileFaultError(Rule.HEADER_MISMATCH, "an unreadable header line", mend) from error
    found = tuple(cell.lower() for cell in cells)
    missing = [name for name in columns if name not in found]
    surplus = len(found) - len(columns) + len(missing)
    if missing or surplus:
        masked = f"missing: {', '.join(missing) or 'none'}; surplus or repeated: {surplus}"
        raise FileFaultError(Rule.HEADER_MISMATCH, masked, mend)
    return found


def _row(raw: _RawLine, encoding: str, header: tuple[str, ...]) -> Line | Fault | None:
    content = hashlib.sha256(raw.data.rstrip(_LINE_ENDS)).digest()
    try:
        cells = _line_cells(_line_text(raw, encoding))
        if not any(cells):
            return None
        _refuse_incomplete(raw, cells, header)
    except _LineFaultError as error:
        return Fault(
            line=raw.number,
            rule=error.rule,
            masked=error.masked,
            mend=error.mend,
            content=content,
        )
    return Line(number=raw.number, values=dict(zip(header, cells, strict=True)), content=content)


def _line_text(raw: _RawLine, encoding: str) -> str:
    if raw.too_long:
        raise _LineFaultError(
            Rule.LINE_TOO_LONG,
            f"more than {MAX_LINE_BYTES} bytes",
            "Check for a missing line end or an unclosed quote; one row is one line.",
        )
    try:
        text = raw.data.rstrip(_LINE_ENDS).decode(encoding)
    except UnicodeDecodeError as error:
        raise _LineFaultError(
            Rule.UNDECODABLE,
            f"bytes that are not {encoding.upper()}",
            "Save the whole file in one encoding, UTF-8 or GB18030.",
        ) from error
    if any(ord(sign) < _FIRST_PRINTING and sign != "\t" for sign in text):
        raise _LineFaultError(
            Rule.CONTROL_CHARACTER, "a control character", "Remove characters that do not print."
        )
    return text


def _line_cells(text: str) -> list[str]:
    try:
        return _cells(text)
    except csv.Error as error:
        raise _LineFaultError(
            Rule.BROKEN_CSV,
            "quotes that do not close",
            'Put each field that holds a comma or a quote into "…" and double inner quotes.',
        ) from error


def _refuse_incomplete(raw: _RawLine, cells: Sequence[str], header: Sequence[str]) -> None:
    if len(cells) != len(header):
        raise _LineFaultError(
            Rule.FIELD_COUNT,
            f"{len(cells)} fields",
            f"Give {len(header)} fields: {','.join(header)}.",
        )
    if not raw.ended:
        raise _LineFaultError(
            Rule.TRUNCATED,
            "a last line without a line end",
            "The file may have been cut off: send it whole, with a line end after the last row.",
        )


def _cells(text: str) -> list[str]:
    rows = list(csv.reader([text], strict=True))
    return [cell.strip() for cell in rows[0]] if rows else []
