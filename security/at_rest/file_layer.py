"""Changes of files as steps that a power cut separates.

Rules: whoever must survive a power cut changes its files through a layer, one step at a time: a
file's bytes are durable after ``fsync``, its name after ``fsync_directory``. The real layer does
the steps; a recording one in tests notes them and builds every state a disk may show afterwards.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, Protocol

from security.private_files import sync_directory

if TYPE_CHECKING:
    from pathlib import Path

_PRIVATE: Final = 0o600


class FileLayer(Protocol):
    """The steps; every one raises ``OSError`` when the disk is full or fails."""

    def create(self, path: Path) -> None:
        """Make an empty file of mode 0600, or empty the one that is there."""

    def write(self, path: Path, offset: int, content: bytes | memoryview) -> None:
        """Write bytes at an offset of a file."""

    def truncate(self, path: Path, size: int) -> None:
        """Cut a file to a size, bytes."""

    def fsync(self, path: Path) -> None:
        """Make a file's bytes durable, whoever wrote them."""

    def rename(self, source: Path, target: Path) -> None:
        """Rename a file, replacing the target."""

    def fsync_directory(self, directory: Path) -> None:
        """Make the names in a directory durable."""

    def unlink(self, path: Path) -> None:
        """Remove a file; one that is not there stays so."""


class DiskFiles:
    """The real layer."""

    __slots__ = ()

    def create(self, path: Path) -> None:
        """Make an empty file of mode 0600, or empty the one that is there."""
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _PRIVATE))

    def write(self, path: Path, offset: int, content: bytes | memoryview) -> None:
        """Write bytes at an offset of a file."""
        left = memoryview(content).cast("B")
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            while left:
                written = os.pwrite(descriptor, left, offset)
                left, offset = left[written:], offset + written
        finally:
            os.close(descriptor)

    def truncate(self, path: Path, size: int) -> None:
        """Cut a file to a size, bytes."""
        os.truncate(path, size)

    def fsync(self, path: Path) -> None:
        """Make a file's bytes durable, whoever wrote them."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        """Rename a file, replacing the target."""
        source.rename(target)

    def fsync_directory(self, directory: Path) -> None:
        """Make the names in a directory durable."""
        sync_directory(directory)

    def unlink(self, path: Path) -> None:
        """Remove a file; one that is not there stays so."""
        path.unlink(missing_ok=True)


DISK: Final = DiskFiles()
"""The real layer, for everyone: it keeps nothing."""
