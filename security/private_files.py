"""Files that only their owner may read: keys and tokens.

Rules: written whole or not at all (temporary file, fsync, rename, fsync of the directory), mode
0600 from the first byte, and refused on reading when others could have read or changed them.
"""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Final

from security.errors import KeyFileError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def sync_directory(directory: Path) -> None:
    """Make renames inside a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_private(path: Path, content: bytes, *, replace: bool = False) -> None:
    """Write a file of mode 0600 durably, whole or not at all.

    Args:
        path: Where; the directory must exist.
        content: What.
        replace: Whether a file that is already there may be replaced.

    Raises:
        KeyFileError: The file is already there, or cannot be written.
    """
    with writing_private(path, replace=replace) as file:
        file.write(content)


@contextmanager
def writing_private(path: Path, *, replace: bool = False) -> Iterator[IO[bytes]]:
    """Write a file of mode 0600 bit by bit; it is there, durably, when the body ends well.

    Args:
        path: Where; the directory must exist.
        replace: Whether a file that is already there may be replaced.

    Raises:
        KeyFileError: The file is already there, or cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.fchmod(descriptor, 0o600)
            with os.fdopen(descriptor, "wb", closefd=False) as file:
                yield file
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        _publish(temporary, path, replace=replace)
        sync_directory(path.parent)
    except FileExistsError as error:
        raise KeyFileError(
            f"{path} is already there and is not overwritten: move it away first, "
            "if its key is really to be given up"
        ) from error
    except OSError as error:
        raise KeyFileError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _publish(temporary: Path, path: Path, *, replace: bool) -> None:
    if replace:
        temporary.replace(path)
    else:
        path.hardlink_to(temporary)


def read_private(path: Path, max_bytes: int) -> bytes:
    """Read a file that only its owner can read.

    Args:
        path: Which file.
        max_bytes: Largest accepted size, bytes.

    Raises:
        KeyFileError: The file is missing, too long, owned by someone else, or open to others.
    """
    try:
        # Without O_NONBLOCK, opening a pipe would wait for its writer before it can be refused.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise KeyFileError(f"{path} is not a regular file")
            if status.st_mode & _OTHERS:
                raise KeyFileError(
                    f"{path} has mode {stat.S_IMODE(status.st_mode):04o} and is open to other "
                    f"users; expected 0600. Run: chmod 600 {path}, and replace the key if others "
                    "may have read it"
                )
            if status.st_uid not in {os.geteuid(), 0}:
                raise KeyFileError(
                    f"{path} belongs to user {status.st_uid}, not to this process's user "
                    f"{os.geteuid()}. Run: chown {os.geteuid()} {path}"
                )
            content = file.read(max_bytes + 1)
    except OSError as error:
        raise KeyFileError(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > max_bytes:
        raise KeyFileError(f"{path} is longer than {max_bytes} bytes: it is not a key file")
    return content
