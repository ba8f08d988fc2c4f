"""Bytes of a table's file: a regular file, plain, ``.gz`` or the one file of a ``.zip``.

Rules:

- What a file is, is told by its first bytes; its name only tells texts apart.
- A compressed file may not grow without end: beyond 256 MiB it is refused when it
  is more than 200 times its size on disk.
- A file that is still being written is refused: its size and its moment of change
  must be the same at the end as when it was opened.

Source: RFC 1952 (gzip); PKWARE APPNOTE 6.3.10 (zip).
"""

from __future__ import annotations

import gzip
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final, cast

from scoring_kernel.tables.errors import TableError, TableRule

if TYPE_CHECKING:
    import io
    import os
    from collections.abc import Iterator
    from pathlib import Path

FREE_BYTES: Final = 256 * 1024 * 1024
"""Bytes that any archive may hold, however well they compress."""
MAX_RATIO: Final = 200
"""Beyond them: most bytes per byte on disk. Real tables stay below 60."""
GZIP_MAGIC: Final = b"\x1f\x8b"
ZIP_MAGICS: Final = (b"PK\x03\x04", b"PK\x05\x06")
OLE_MAGIC: Final = b"\xd0\xcf\x11\xe0"
PARQUET_MAGIC: Final = b"PAR1"
_MAX_MEMBERS: Final = 10_000
_BREAKS: Final = (EOFError, OSError, zlib.error, zipfile.BadZipFile, NotImplementedError)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSource:
    """A regular file as it stood when it was opened.

    Attributes:
        path: The file.
        size_bytes: Its size.
        changed_ns: Moment of its last change, nanoseconds since the epoch.
        start: Its first bytes, at most 4.
        member: The one file inside a zip; empty for other files.
    """

    path: Path
    size_bytes: int
    changed_ns: int
    start: bytes
    member: str = ""

    @property
    def text_name(self) -> str:
        """Name that tells what kind of text it is, in lower case, without ``.gz``."""
        return (self.member or self.path.name).lower().removesuffix(".gz")

    @property
    def is_packed(self) -> bool:
        """Whether a checksum of the archive proves that nothing is cut off."""
        return bool(self.member) or self.start.startswith(GZIP_MAGIC)

    def verify_unchanged(self) -> None:
        """Refuse a file that is not the one that was opened.

        Raises:
            TableError: Its size or its moment of change is another one.
        """
        try:
            now = self.path.stat()
        except OSError as error:
            raise unreadable(error) from error
        if (now.st_size, now.st_mtime_ns) != (self.size_bytes, self.changed_ns):
            raise TableError(
                TableRule.FILE_CHANGED,
                f"{now.st_size} bytes where {self.size_bytes} were",
                "a file that nobody writes to",
                "wait until the file is written, then read it again; what went in is kept",
            )

    @contextmanager
    def open(self) -> Iterator[SourceStream]:
        """Open the bytes, unpacked.

        Raises:
            TableError: The file or the archive cannot be read.
        """
        try:
            with self.path.open("rb") as file:
                yield SourceStream(self, file)
        except _BREAKS as error:
            raise unreadable(error) from error


class SourceStream:
    """Unpacked bytes of a file, with bounds on how far they grow."""

    def __init__(self, source: FileSource, file: IO[bytes]) -> None:
        self._source = source
        self._file = file
        self._bytes = _unpacked(source, file)
        self._given = 0
        self.consumed = 0
        """Bytes of the file on disk that were read."""

    def read(self, size: int) -> bytes:
        """Read on; fewer bytes than asked for only at the end.

        Raises:
            TableError: The archive breaks off or grows beyond its bounds.
        """
        try:
            piece = self._bytes.read(size)
        except _BREAKS as error:
            raise unreadable(error) from error
        self._given += len(piece)
        self.consumed = self._file.tell()
        if self._source.is_packed:
            refuse_growth(self._given, self._source.size_bytes)
        return piece


def find_source(path: Path, max_bytes: int | None = None) -> FileSource:
    """Look at a file without reading it.

    Args:
        path: A regular file.
        max_bytes: Largest accepted size on disk; None for any.

    Raises:
        TableError: It is no regular file, empty, too large, or a zip of several files.
    """
    try:
        facts = path.stat()
        if not path.is_file():
            raise TableError(
                TableRule.UNREADABLE, "no regular file", "a file", "name a regular file"
            )
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as error:
        raise unreadable(error) from error
    if not start:
        raise TableError(
            TableRule.EMPTY_FILE,
            "0 bytes",
            "a header",
            "send a file with the header line; without rows it states that there is nothing",
        )
    if max_bytes is not None and facts.st_size > max_bytes:
        raise TableError(
            TableRule.FILE_TOO_LARGE,
            f"{facts.st_size} bytes",
            f"at most {max_bytes}",
            "split the file into several, each with the header",
        )
    source = _of(path, facts, start)
    return _with_member(source) if start in ZIP_MAGICS else source


def members(path: Path) -> tuple[zipfile.ZipInfo, ...]:
    """List what a zip holds, bounded in number and in what it unpacks to.

    Raises:
        TableError: The zip is broken, encrypted or a bomb.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            found = tuple(archive.infolist())
    except (*_BREAKS, ValueError) as error:
        raise TableError(
            TableRule.ARCHIVE,
            f"a zip that cannot be read ({type(error).__name__})",
            "a whole zip",
            "copy the file again",
        ) from error
    if len(found) > _MAX_MEMBERS:
        raise TableError(
            TableRule.BOMB,
            f"{len(found)} files in a zip",
            f"at most {_MAX_MEMBERS}",
            "send the file itself",
        )
    if any(one.flag_bits & 1 for one in found):
        raise TableError(
            TableRule.ARCHIVE, "an encrypted zip", "a plain one", "pack it again without password"
        )
    if not all(one.filename for one in found):
        raise TableError(TableRule.ARCHIVE, "a file without a name", "a whole zip", "pack it again")
    refuse_growth(sum(one.file_size for one in found), path.stat().st_size)
    return found


def refuse_growth(unpacked: int, packed: int) -> None:
    """Refuse what unpacks to far more than it is.

    Args:
        unpacked: Bytes it unpacks to, as far as known.
        packed: Bytes on disk.

    Raises:
        TableError: It is a decompression bomb.
    """
    if unpacked > FREE_BYTES and unpacked > MAX_RATIO * packed:
        raise TableError(
            TableRule.BOMB,
            f"{packed} bytes that unpack to at least {unpacked}",
            f"at most {MAX_RATIO} times as many",
            "send the table unpacked",
        )


def unreadable(error: Exception) -> TableError:
    """Word an error of the system; its name says what happened and holds no content."""
    if isinstance(error, FileNotFoundError):
        return TableError(
            TableRule.UNREADABLE, "no file (FileNotFoundError)", "a file", "check its name"
        )
    if isinstance(error, OSError) and not isinstance(error, gzip.BadGzipFile):
        mend = "let the program's user read the file"
        return TableError(TableRule.UNREADABLE, type(error).__name__, "a readable file", mend)
    return TableError(
        TableRule.ARCHIVE,
        f"an archive that breaks off ({type(error).__name__})",
        "its end",
        "copy the whole file again; what went in is kept",
    )


def _of(path: Path, facts: os.stat_result, start: bytes, member: str = "") -> FileSource:
    return FileSource(
        path=path,
        size_bytes=facts.st_size,
        changed_ns=facts.st_mtime_ns,
        start=start,
        member=member,
    )


def _with_member(source: FileSource) -> FileSource:
    found = [one.filename for one in members(source.path) if not one.is_dir()]
    if "xl/workbook.xml" in found:
        return source
    if len(found) != 1:
        raise TableError(
            TableRule.ARCHIVE,
            f"a zip of {len(found)} files",
            "a zip of one file",
            "pack each table on its own",
        )
    return FileSource(
        path=source.path,
        size_bytes=source.size_bytes,
        changed_ns=source.changed_ns,
        start=source.start,
        member=found[0],
    )


def _unpacked(source: FileSource, file: IO[bytes]) -> IO[bytes]:
    if source.start.startswith(GZIP_MAGIC):
        return cast("IO[bytes]", gzip.GzipFile(fileobj=file))
    if source.member:
        return zipfile.ZipFile(file).open(source.member)
    return cast("io.BufferedReader", file)
