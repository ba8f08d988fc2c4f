"""Lines of a CSV file, in bounded blocks: plain, ``.gz``, or the one CSV of a ``.zip``.

One record is one line: a quoted field holds no line break. So an unclosed
quote spoils its own line only, and every fault has its line number.
"""

import gzip
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, cast

from node.domain.faults import Fault, Rule
from node.domain.masking import printable
from node.errors import IntakeFileError
from node.intake.lines import Line, broken_off, nothing_in

__all__ = ["CsvBlock", "read_csv_blocks"]

BLOCK_LINES: Final = 20_000
BLOCK_BYTES: Final = 16 * 1024 * 1024
MAX_CSV_LINE_BYTES: Final = 64 * 1024
_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvBlock:
    """Some lines of a CSV, UTF-8, without the header."""

    header: bytes
    """Empty where the file has nothing to cut."""
    lines: tuple[Line, ...]
    """Lines that can be read."""
    refused: tuple[Line, ...]
    """Lines that cannot, each with its fault."""


def read_csv_blocks(path: Path, encoding: str) -> Iterator[CsvBlock]:
    """Read a CSV in blocks of at most 20,000 lines and 16 MiB.

    A file that breaks off before its header ends is one block without a header,
    with one refused line.

    Raises:
        IntakeFileError: The file cannot be opened, or its header cannot be read.
    """
    with ExitStack() as stack:
        try:
            file = _open(path, stack)
        except zipfile.BadZipFile as error:
            raise IntakeFileError(
                f"{printable(path.name)} is no whole ZIP ({error}); copy the file again"
            ) from error
        except OSError as error:
            raise IntakeFileError(f"{printable(path.name)} cannot be read ({error})") from error
        lines = _numbered(file, path)
        first = next(lines)
        if first.fault is not None and first.fault.rule is Rule.FILE_TRUNCATED:
            yield CsvBlock(header=b"", lines=(), refused=(first,))
            return
        if first.fault is not None:
            raise IntakeFileError(f"{printable(path.name)} has no header line; check the file")
        header = _to_utf8(first, encoding)
        if header.fault is not None:
            raise IntakeFileError(
                f"{printable(path.name)}: the header is not {encoding}; set encoding in the mapping"
            )
        yield from _blocks(header.body, lines, encoding)


def _open(path: Path, stack: ExitStack) -> IO[bytes]:
    if path.suffix == ".gz":
        return cast("IO[bytes]", stack.enter_context(gzip.open(path, "rb")))
    if path.suffix == ".zip":
        archive = stack.enter_context(zipfile.ZipFile(path))
        names = [name for name in archive.namelist() if name.lower().endswith(".csv")]
        if len(names) != 1:
            raise IntakeFileError(
                f"{printable(path.name)} holds {len(names)} CSV files, expected exactly one;"
                " repack it"
            )
        return stack.enter_context(archive.open(names[0]))
    return stack.enter_context(path.open("rb"))


def _numbered(file: IO[bytes], path: Path) -> Iterator[Line]:
    name = printable(path.name)
    number = 0
    is_empty = True
    while True:
        number += 1
        try:
            body = file.readline(MAX_CSV_LINE_BYTES + 1)
            if len(body) > MAX_CSV_LINE_BYTES:
                is_empty = False
                kept, part = body, body
                while part and not part.endswith(b"\n"):
                    part = file.readline(MAX_CSV_LINE_BYTES)
                expected = f"at most {MAX_CSV_LINE_BYTES} bytes"
                fault = Fault.told(Rule.LINE_TOO_LONG, "line", "longer", expected)
                yield Line(number=number, body=kept, fault=fault)
                continue
        except (EOFError, OSError, zlib.error, zipfile.BadZipFile) as error:
            # The names of these errors say how the stream broke; they hold no content.
            yield broken_off(name, number, type(error).__name__, "the end of the file")
            return
        if not body:
            if is_empty:
                yield nothing_in(name, path, "a header line")
            return
        if number == 1:
            body = body.removeprefix(_BOM)
        body = body.rstrip(b"\r\n")
        if body:
            is_empty = False
            yield Line(number=number, body=body)


def _blocks(header: bytes, lines: Iterator[Line], encoding: str) -> Iterator[CsvBlock]:
    good: list[Line] = []
    refused: list[Line] = []
    size = 0
    for raw in lines:
        line = raw if raw.fault is not None else _checked(raw, encoding)
        (good if line.fault is None else refused).append(line)
        size += len(line.body)
        if len(good) + len(refused) >= BLOCK_LINES or size >= BLOCK_BYTES:
            yield CsvBlock(header=header, lines=tuple(good), refused=tuple(refused))
            good, refused, size = [], [], 0
    if good or refused:
        yield CsvBlock(header=header, lines=tuple(good), refused=tuple(refused))


def _checked(line: Line, encoding: str) -> Line:
    decoded = _to_utf8(line, encoding)
    if decoded.fault is None and decoded.body.count(b'"') % 2:
        fault = Fault.told(Rule.CSV_LINE, "line", "an unclosed quote", "quotes in pairs")
        return Line(number=line.number, body=line.body, fault=fault)
    return decoded


def _to_utf8(line: Line, encoding: str) -> Line:
    try:
        text = line.body.decode(encoding)
    except UnicodeDecodeError as error:
        fault = Fault.told(Rule.UTF8_INVALID, "line", f"broken at byte {error.start}", encoding)
        return Line(number=line.number, body=line.body, fault=fault)
    return line if encoding == "utf-8" else Line(number=line.number, body=text.encode())
