"""The file of a pack: a zip with one spelling, so that no byte of it can be changed.

Rules:
    1. Bounds are checked before anything is read: size, number of files, size of each.
    2. Nothing is compressed: what is stored is what is read, and no file can swell.
    3. Names are relative paths of plain characters, in order, each once; no folders, no links.
    4. What was read is spelled again and must give the very bytes: comments, extra fields,
       times, gaps and anything behind the end make another file, which is refused.

Source: PKWARE APPNOTE 6.3.3 (the part that is used: stored entries, no zip64).
"""

from __future__ import annotations

import io
import re
import zipfile
from typing import TYPE_CHECKING, Final

from security.errors import PackError

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_BYTES: Final = 64 * 1024 * 1024
"""Largest file of a pack."""
MAX_FILES: Final = 1_000
MAX_FILE_BYTES: Final = 16 * 1024 * 1024

_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_-][A-Za-z0-9_.-]*){0,5}")
_MAX_NAME: Final = 200
_UNREADABLE: Final = (
    "the file cannot be read as a pack: give the .zip file that `yixin model pack` wrote; if it "
    "was copied, copy or fetch it again"
)
_FIRST_DAY: Final = (1980, 1, 1, 0, 0, 0)
_MODE: Final = 0o600 << 16
_UNIX: Final = 3


def write_archive(contents: Mapping[str, bytes]) -> bytes:
    """Write the file of a pack; the same contents always give the same bytes.

    Args:
        contents: Bytes by name.

    Raises:
        PackError: A name or a size is out of bounds.
    """
    _verify_bounds([(name, len(content)) for name, content in contents.items()])
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED, allowZip64=False) as archive:
        for name in sorted(contents):
            entry = zipfile.ZipInfo(name, _FIRST_DAY)
            entry.external_attr = _MODE
            entry.create_system = _UNIX
            archive.writestr(entry, contents[name])
    return target.getvalue()


def read_archive(content: bytes) -> dict[str, bytes]:
    """Read the file of a pack.

    Args:
        content: The file.

    Returns:
        Bytes by name, sorted by name.

    Raises:
        PackError: The file is no pack, is out of bounds, or has another spelling.
    """
    if len(content) > MAX_BYTES:
        raise PackError(f"pack: {len(content)} bytes, at most {MAX_BYTES} are read")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            _verify_bounds([(one.filename, one.file_size) for one in entries])
            if any(one.compress_type != zipfile.ZIP_STORED for one in entries):
                raise PackError("pack: a file in it is compressed; packs store files as they are")
            found = {one.filename: archive.read(one) for one in entries}
    except (zipfile.BadZipFile, ValueError, NotImplementedError, RuntimeError, EOFError) as error:
        raise PackError(f"pack: {_UNREADABLE} ({type(error).__name__})") from error
    except OverflowError as error:
        raise PackError(f"pack: {_UNREADABLE}") from error
    if write_archive(found) != content:
        raise PackError("pack: the file is spelled otherwise than packs are: fetch it again")
    return found


def _verify_bounds(entries: list[tuple[str, int]]) -> None:
    names = [name for name, _ in entries]
    if not 0 < len(entries) <= MAX_FILES:
        raise PackError(f"pack: {len(entries)} files, expected 1 to {MAX_FILES}")
    if len(set(names)) != len(names):
        raise PackError("pack: a name appears twice")
    for name, size in entries:
        if len(name) > _MAX_NAME or not _NAME.fullmatch(name):
            raise PackError(f"pack: {name[:80]!r} is no name of a file in a pack")
        if size > MAX_FILE_BYTES:
            raise PackError(f"pack: {name} has {size} bytes, at most {MAX_FILE_BYTES} are read")
    if sum(size for _, size in entries) > MAX_BYTES:
        raise PackError(f"pack: more than {MAX_BYTES} bytes in all")
