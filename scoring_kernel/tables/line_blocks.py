"""Lines of a text, in bounded blocks of whole lines, and the encoding of the text.

Rules:

- One physical line is one row, so that an unclosed quote harms its own line only.
- A line longer than the bound is passed over up to its end; its beginning is kept.
- UTF-8, with or without a byte order mark, and GB18030 are read. The encoding is a
  property of the file, chosen by the majority of its lines that are not ASCII. A file
  of ASCII needs no choice, so a file is surveyed at its first line that is not.

Source: GB 18030-2022; RFC 3629 (UTF-8).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from scoring_kernel.tables.errors import TableError, TableRule

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from scoring_kernel.tables.sources import FileSource, SourceStream

BLOCK_BYTES: Final = 8 * 1024 * 1024
UTF8_BOM: Final = b"\xef\xbb\xbf"
_UTF16_BOMS: Final = (b"\xff\xfe", b"\xfe\xff")
_ENCODINGS: Final = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "utf-8-sig": "utf-8",
    "gb18030": "gb18030",
    "gbk": "gb18030",
    "gb2312": "gb18030",
}
_CHINESE_UTF8: Final = re.compile(
    rb"(?:[\x00-\x7f]|[\xe3-\xe9][\x80-\xbf]{2}|\xef[\xbc-\xbf][\x80-\xbf])*"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LineBlock:
    """Some whole lines of a file.

    Attributes:
        first: Number of the first line, counted from 1.
        data: The bytes of the lines, with their line ends.
        starts: First byte of each line, shape (n_lines,).
        ends: Byte after the last one of each line, its line end left out, shape (n_lines,).
        is_ended: Whether the last line has a line end.
    """

    first: int
    data: bytes
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    is_ended: bool

    def line(self, row: int) -> bytes:
        """Give one line without its line end."""
        return self.data[self.starts[row] : self.ends[row]]


def read_blocks(stream: SourceStream, limit: int) -> Iterator[LineBlock]:
    """Cut a stream into blocks of whole lines.

    Args:
        stream: The bytes of the file, from its start.
        limit: Longest line that is kept whole, bytes, less than ``BLOCK_BYTES``.

    Yields:
        Blocks; a line longer than ``limit`` comes with its first ``limit`` + 1 bytes or more.

    Raises:
        TableError: The stream breaks off, or is UTF-16.
    """
    number = 1
    head = b""
    is_start = True
    while piece := stream.read(BLOCK_BYTES):
        if is_start:
            _refuse_utf16(piece)
            piece = piece.removeprefix(UTF8_BOM)
            is_start = False
        cut = piece.rfind(b"\n") + 1
        if not cut:
            head = (head + piece)[: limit + 1]
            continue
        block = _block(number, head + piece[:cut])
        head = piece[cut:]
        number += len(block.starts)
        yield block
    if head:
        yield _block(number, head)


def named_encoding(name: str) -> str:
    """Give our name of an encoding.

    Raises:
        TableError: It is not UTF-8 or GB18030.

    >>> named_encoding("GBK")
    'gb18030'
    """
    try:
        return _ENCODINGS[name.lower()]
    except KeyError as error:
        raise TableError(
            TableRule.ENCODING, f"encoding {name[:20]!r}", "utf-8 or gb18030", "name one of them"
        ) from error


def choose_encoding(source: FileSource, limit: int) -> str:
    """Read a file once and choose its encoding by the majority of its lines.

    Returns:
        ``utf-8`` or ``gb18030``.

    Raises:
        TableError: The file breaks off.
    """
    with source.open() as stream:
        start = stream.read(len(UTF8_BOM))
    if start == UTF8_BOM:
        return "utf-8"
    lead = 0
    with source.open() as stream:
        for block in read_blocks(stream, limit):
            lead += _lead_of_utf8(block)
    return "utf-8" if lead >= 0 else "gb18030"


def find_misfits(block: LineBlock, encoding: str) -> tuple[bytes, dict[int, str]]:
    """Find the lines of a block that are not of the file's encoding.

    Returns:
        The block in UTF-8 with the misfits left empty, and what each misfit is, by its row.
    """
    if block.data.isascii():
        return block.data, {}
    misfits = _mixed(block) if encoding == "gb18030" else {}
    if not misfits:
        try:
            return _utf8(block.data, encoding), {}
        except UnicodeDecodeError:
            pass
    lines = []
    for row in range(len(block.starts)):
        line = block.line(row)
        try:
            lines.append(b"" if row in misfits else _utf8(line, encoding))
        except UnicodeDecodeError:
            misfits[row] = f"bytes that are not {encoding.upper()}"
            lines.append(b"")
    return b"\n".join(lines) + b"\n" * block.is_ended, misfits


def block_of(first: int, data: bytes) -> LineBlock:
    """Find the lines of some bytes.

    Args:
        first: Number of the first line.
        data: Whole lines; the last one may lack its line end.
    """
    return _block(first, data)


def _refuse_utf16(start: bytes) -> None:
    if start.startswith(_UTF16_BOMS):
        raise TableError(
            TableRule.ENCODING, "UTF-16 text", "UTF-8 or GB18030", "save the file as UTF-8"
        )


def _block(first: int, data: bytes) -> LineBlock:
    signs = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(signs == 0x0A)
    is_ended = data.endswith(b"\n")
    if not is_ended:
        ends = np.append(ends, len(data))
    starts = np.concatenate([np.zeros(1, np.int64), ends[:-1] + 1])
    if b"\r" in data:
        # A carriage return before the line end belongs to the line end.
        last = np.maximum(ends - 1, 0)
        ends = ends - ((ends > starts) & (signs[last] == 0x0D))
    return LineBlock(first=first, data=data, starts=starts, ends=ends, is_ended=is_ended)


def _utf8(data: bytes, encoding: str) -> bytes:
    text = data.decode(encoding)
    return data if encoding == "utf-8" else text.encode()


def _lead_of_utf8(block: LineBlock) -> int:
    """Count the lines that fit UTF-8, less those that do not; ASCII counts for neither."""
    if block.data.isascii():
        return 0
    signs = np.frombuffer(block.data, np.uint8)
    # A last line without bytes has no place of its own to start at.
    other = np.flatnonzero(np.maximum.reduceat(signs, block.starts) >= 0x80)
    try:
        block.data.decode()
    except UnicodeDecodeError:
        return sum(1 if _fits_utf8(block.line(row)) else -1 for row in other.tolist())
    return len(other)


def _fits_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _mixed(block: LineBlock) -> dict[int, str]:
    """Find lines of Chinese in UTF-8 inside a GB18030 file: as GB18030 they read as other text."""
    signs = np.frombuffer(block.data, np.uint8)
    other = np.flatnonzero(np.maximum.reduceat(signs, block.starts) >= 0x80)
    return {
        row: "a line in UTF-8 within a GB18030 file"
        for row in other.tolist()
        if _CHINESE_UTF8.fullmatch(block.line(row))
    }
