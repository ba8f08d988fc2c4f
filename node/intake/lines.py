"""Lines of an input file, each bounded; a damaged file still gives what can be read of it.

| input | one message is |
|---|---|
| ``.jsonl``, ``.ndjson``, also with ``.gz`` | one line |
| ``.json``, also with ``.gz`` | the object, each object of the array, or one line |
| directory | ``NAME_req.json`` with ``NAME_resp.json``; every file of lines |

Any other ``.json`` in a directory is left out and named in the report: beside
messages lie manifests and notes. Named itself, it is read.

A file may still be being written: a last line that has no end and is no whole message
is refused alone, as ``file_truncated``, and goes in when the file is ingested again.
"""

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final, cast

import orjson

from node.domain.faults import Fault, Rule
from node.domain.masking import printable
from node.errors import IntakeFileError
from node.intake.encodings import as_utf8

__all__ = [
    "MAX_LINE_BYTES",
    "InputFile",
    "Line",
    "broken_off",
    "find_inputs",
    "nothing_in",
    "read_lines",
    "truncation_digest",
]

MAX_LINE_BYTES: Final = 4 * 1024 * 1024
MAX_BLANK_LINES: Final = 1_000_000
"""So many together, and the rest of a file is left: it would be read for hours."""
MAX_DOCUMENT_BYTES: Final = 64 * 1024 * 1024
FREE_BYTES: Final = 32 * 1024 * 1024
"""Bytes that any packed file may hold, however well they compress."""
MAX_RATIO: Final = 200
"""Beyond them: most bytes per byte on disk. Messages stay below 60."""
_OTHER_FORMATS: Final = {
    b"\xff\xfe": ("text in UTF-16", ""),
    b"\xfe\xff": ("text in UTF-16", ""),
    b"\x1f\x8b": ("a gzip file", "let the name end in .jsonl.gz, and pack a file once"),
    b"PK\x03\x04": ("a zip or a workbook", "unpack it; tables need --mapping"),
    b"PAR1": ("a Parquet file", "let the name end in .parquet; tables need --mapping"),
}
"""What the first bytes tell: what was found, and how to mend it where the rule does not say."""
_SKIP_BYTES: Final = 1024 * 1024
_BOM: Final = b"\xef\xbb\xbf"
_LINE_SUFFIXES: Final = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
_DOCUMENT_SUFFIXES: Final = (".json", ".json.gz")
_REQUEST: Final = "_req.json"
_RESPONSE: Final = "_resp.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line, or what takes a line's place."""

    number: int
    """Line in the file, from 1; 0 for the file as a whole."""
    body: bytes = field(repr=False)
    fault: Fault | None = None
    """Set when the line cannot be read at all."""
    digest: bytes | None = None
    """SHA-256, where the body is not the whole line."""

    def line_digest(self) -> bytes:
        """Digest the line: the key of its quarantine row."""
        return self.digest or hashlib.sha256(self.body).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFile:
    """One input: a file, or a request with the file of its response."""

    path: Path
    response: Path | None = None

    @property
    def name(self) -> str:
        """Name in reports: without the directory, and without what a terminal would obey."""
        return printable(self.path.name)

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return self.path.stat().st_size


def truncation_digest(name: str) -> bytes:
    """Give the key of the quarantine row that says a file broke off; a file has one at most."""
    return hashlib.sha256(f"{Rule.FILE_TRUNCATED}\n{name}".encode()).digest()


def broken_off(
    name: str, number: int, found: str, expected: str, *, body: bytes = b"", hint: str = ""
) -> Line:
    """Make the line that stands for the missing rest of a file.

    Args:
        name: Name of the file: two files that break off have two quarantine rows.
        number: Line where it breaks off, from 1; 0 where nothing is there at all.
        found: How it breaks off, in words of our own.
        expected: What was expected.
        body: What there is of the line.
        hint: How to mend it; empty for copying the file again.
    """
    fault = Fault.told(Rule.FILE_TRUNCATED, "", found, expected, hint)
    return Line(number=number, body=body, fault=fault, digest=truncation_digest(name))


def nothing_in(name: str, path: Path, expected: str) -> Line:
    """Make the line that stands for a file with nothing in it."""
    size = path.stat().st_size
    return broken_off(name, 0, f"a file of {size} bytes without any line", expected)


def find_inputs(path: Path) -> tuple[tuple[InputFile, ...], tuple[str, ...]]:
    """Find the inputs a path stands for.

    Of a directory these are its pairs of request and response and its files of
    lines (``.jsonl``, ``.ndjson``, also ``.gz``), not its other ``.json`` files.

    Returns:
        The inputs by name, and the names of files in a directory that are none.

    Raises:
        IntakeFileError: Nothing is there, it cannot be read, or it is of no known kind.
    """
    if path.is_file():
        if not path.name.lower().endswith((*_LINE_SUFFIXES, *_DOCUMENT_SUFFIXES)):
            raise IntakeFileError(
                f"{printable(path.name)} found, expected .json, .jsonl or .ndjson (also .gz),"
                " or a CSV with --mapping FILE"
            )
        return (InputFile(path=path),), ()
    if not path.is_dir():
        found = "is neither a file nor a directory" if path.exists() else "is not there"
        raise IntakeFileError(f"{printable(str(path))} {found}; check the name")
    inputs: list[InputFile] = []
    skipped: list[str] = []
    for file in sorted(entry for entry in path.iterdir() if entry.is_file()):
        if file.name.endswith(_REQUEST):
            response = file.with_name(file.name.removesuffix(_REQUEST) + _RESPONSE)
            inputs.append(InputFile(path=file, response=response if response.is_file() else None))
        elif file.name.lower().endswith(_LINE_SUFFIXES):
            inputs.append(InputFile(path=file))
        elif not _answers_a_request(file):
            skipped.append(printable(file.name))
    if not inputs:
        raise IntakeFileError(
            f"{printable(str(path))} holds no NAME_req.json and no .jsonl file; check the directory"
        )
    return tuple(inputs), tuple(skipped)


def read_lines(source: InputFile) -> Iterator[Line]:
    """Read the lines of one input; blank lines are left out.

    Yields:
        Lines in order; memory is bounded by the longest line, of a ``.json`` by 64 MiB.
        Of a file with nothing in it, one with the fault ``file_truncated``.

    Raises:
        IntakeFileError: The file cannot be opened.
    """
    try:
        if source.path.name.endswith(_REQUEST):
            yield _pair(source)
        elif source.path.name.lower().endswith(_DOCUMENT_SUFFIXES):
            yield from _document(source)
        else:
            with _open(source.path) as file:
                yield from _stream(file, source)
    except OSError as error:
        raise IntakeFileError(f"{source.name} cannot be read ({error}); check the file") from error


def _answers_a_request(file: Path) -> bool:
    if not file.name.endswith(_RESPONSE):
        return False
    return file.with_name(file.name.removesuffix(_RESPONSE) + _REQUEST).is_file()


def _open(path: Path) -> IO[bytes]:
    if path.suffix.lower() == ".gz":
        return cast("IO[bytes]", _Unpacked(path))
    return path.open("rb")


class _GrowthError(Exception):
    """A file is far longer than what it holds."""


class _Unpacked(gzip.GzipFile):
    """A packed file that may not grow without end: even blank lines would take hours."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "rb")
        self._left = max(FREE_BYTES, MAX_RATIO * path.stat().st_size)

    def readline(self, size: int | None = -1) -> bytes:
        line = super().readline(-1 if size is None else size)
        self._left -= len(line)
        if self._left < 0:
            raise _GrowthError
        return line


_BREAKS: Final = (_GrowthError, EOFError, gzip.BadGzipFile, zlib.error)


def _stopped(source: InputFile, number: int, error: Exception) -> Line:
    if isinstance(error, _GrowthError):
        found = "unpacked without end, or blank without end"
        expected = f"{MAX_RATIO} times its packed size, {MAX_BLANK_LINES} blank lines at most"
        hint = "send the file unpacked and without blank lines; what went in is kept"
        return broken_off(source.name, number, found, expected, hint=hint)
    # The names of these errors say how the stream broke; they hold no content.
    return broken_off(source.name, number, type(error).__name__, "the end of the file")


def _of_another_format(source: InputFile, start: bytes) -> Line | None:
    """Refuse a file of no lines at all as a whole, instead of each of its pieces."""
    for sign, (found, hint) in _OTHER_FORMATS.items():
        if start.startswith(sign):
            fault = Fault.told(Rule.UTF8_INVALID, "", found, "lines of JSON", hint)
            digest = truncation_digest(source.name)
            return Line(number=0, body=b"", fault=fault, digest=digest)
    return None


def _stream(file: IO[bytes], source: InputFile) -> Iterator[Line]:
    number = filled = 0
    while True:
        number += 1
        try:
            body = _read_line(file, number - filled)
            if len(body) > MAX_LINE_BYTES:
                filled = number
                yield _too_long(number, body, file)
                continue
        except _BREAKS as error:
            yield _stopped(source, number, error)
            return
        if not body:
            if not filled:
                yield nothing_in(source.name, source.path, "at least one message")
            return
        has_end = body.endswith(b"\n")
        if number == 1:
            body = body.removeprefix(_BOM)
            if (whole := _of_another_format(source, body)) is not None:
                yield whole
                return
        body = body.strip(b" \t\r\n")
        if body:
            filled = number
            if has_end or _is_object(body):
                yield Line(number=number, body=body)
            else:
                found = f"a last line of {len(body)} bytes without its end"
                yield broken_off(source.name, number, found, "whole lines", body=body)


def _read_line(file: IO[bytes], blank: int) -> bytes:
    if blank > MAX_BLANK_LINES:
        raise _GrowthError
    return file.readline(MAX_LINE_BYTES + 1)


def _too_long(number: int, start: bytes, file: IO[bytes]) -> Line:
    """Skip to the end of a line that is too long, digesting all of it."""
    digest = hashlib.sha256(start)
    part = start
    length = len(start)
    while part and not part.endswith(b"\n"):
        part = file.readline(_SKIP_BYTES)
        digest.update(part)
        length += len(part)
    fault = Fault.told(Rule.LINE_TOO_LONG, "", f"{length} bytes", f"at most {MAX_LINE_BYTES}")
    return Line(number=number, body=b"", fault=fault, digest=digest.digest())


def _document(source: InputFile) -> Iterator[Line]:
    """Read a ``.json``: an array of messages, one message, or lines after all."""
    path = source.path
    try:
        with _open(path) as file:
            body = file.read(MAX_DOCUMENT_BYTES + 1).removeprefix(_BOM)
            if len(body) > MAX_DOCUMENT_BYTES:
                file.seek(0)
                yield from _stream(file, source)
                return
    except _BREAKS as error:
        yield _stopped(source, 1, error)
        return
    if not body.strip():
        yield nothing_in(source.name, path, "at least one message")
        return
    try:
        document = orjson.loads(as_utf8(body) or body)
    except orjson.JSONDecodeError:
        first = body.lstrip().partition(b"\n")[0]
        if _is_object(first):
            with _open(path) as file:
                yield from _stream(file, source)
        else:
            yield Line(number=1, body=body[:MAX_LINE_BYTES])
        return
    items: list[Any] = document if isinstance(document, list) else [document]
    for number, item in enumerate(items, start=1):
        yield _dumped(number, item, body)


def _pair(source: InputFile) -> Line:
    request = _read(source.path)
    if not request.strip():
        return nothing_in(source.name, source.path, "a request")
    response = b"" if source.response is None else _read(source.response)
    for body in (request, response):
        if len(body) > MAX_LINE_BYTES:
            return _bounded(1, body)
    if source.response is None:
        return _bounded(1, request)
    try:
        document = orjson.loads(as_utf8(request) or request)
    except orjson.JSONDecodeError:
        return _bounded(1, request)
    try:
        answer = orjson.loads(as_utf8(response) or response)
    except orjson.JSONDecodeError as error:
        fault = Fault.told(Rule.JSON_BROKEN, "response", str(error), "one whole JSON object")
        return Line(number=1, body=request[:MAX_LINE_BYTES], fault=fault)
    return _dumped(1, {"request": document, "response": answer}, request + response)


def _read(path: Path) -> bytes:
    """Read a file as far as tells one message from one that is too long."""
    with path.open("rb") as file:
        return file.read(MAX_LINE_BYTES + 1).removeprefix(_BOM)


def _dumped(number: int, document: object, origin: bytes) -> Line:
    """Write one message of a document as a line of its own."""
    try:
        return _bounded(number, orjson.dumps(document))
    except TypeError as error:
        # Read but too deep to be written; the words of the error hold no content.
        digest = hashlib.sha256(b"%d\n" % number + origin).digest()
        fault = Fault.told(Rule.MESSAGE_SHAPE, "", str(error), "at most 250 levels")
        return Line(number=number, body=b"", fault=fault, digest=digest)


def _bounded(number: int, body: bytes) -> Line:
    if len(body) <= MAX_LINE_BYTES:
        return Line(number=number, body=body)
    digest = hashlib.sha256(body).digest()
    found, expected = f"{len(body)} bytes", f"at most {MAX_LINE_BYTES}"
    fault = Fault.told(Rule.LINE_TOO_LONG, "", found, expected)
    return Line(number=number, body=b"", fault=fault, digest=digest)


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(orjson.loads(as_utf8(line) or line), dict)
    except orjson.JSONDecodeError:
        return False
