"""Pieces of files in a backup, each under the SHA-256 of what is stored.

Rules:
- An object is written once, durable before it counts, and never changed: a second backup adds
  only what is new.
- What is read is compared with its name; a piece that differs is never used.
- Files are cut into pieces of at most 64 MiB, so memory stays bounded.
"""

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from node.errors import BackupError
from security.private_files import sync_directory

__all__ = ["PIECE_BYTES", "Objects", "pieces_of"]

PIECE_BYTES: Final = 64 * 1024 * 1024
_DIRECTORY: Final = "objects"
_NAME: Final = re.compile(r"[0-9a-f]{64}")
_TEMPORARY: Final = ".tmp"


@dataclass(slots=True)
class Objects:
    """The objects of one backup location."""

    location: Path
    added_bytes: int = 0
    """Bytes written by this process, those that were there before not counted."""

    def put(self, content: bytes) -> str:
        """Keep a piece; it is durable when this returns.

        Returns:
            Its name, the SHA-256 of the content.

        Raises:
            BackupError: The location cannot be written; nothing is left under the name.
        """
        name = hashlib.sha256(content).hexdigest()
        path = self._path(name)
        try:
            if path.exists() and self._holds(path, name):
                return name
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary = path.with_name(f".{name}.{os.getpid()}{_TEMPORARY}")
            try:
                _write(temporary, content)
                temporary.rename(path)
            finally:
                temporary.unlink(missing_ok=True)
            sync_directory(path.parent)
        except OSError as error:
            raise BackupError(
                f"the backup location {self.location} cannot be written ({error.strerror}); free "
                "space there or name another one with --to. The node itself is not touched"
            ) from error
        self.added_bytes += len(content)
        return name

    def has(self, name: str) -> bool:
        """Tell whether a piece is there; whether it is whole, reading tells."""
        return self._path(name).is_file()

    def get(self, name: str) -> bytes:
        """Read a piece and compare it with its name.

        Raises:
            BackupError: It is missing or was changed.
        """
        try:
            content = self._path(name).read_bytes()
        except OSError as error:
            raise BackupError(
                f"piece {name[:16]}… of the backup cannot be read ({error.strerror}); take the "
                "copy from another place or restore an earlier snapshot"
            ) from error
        if hashlib.sha256(content).hexdigest() != name:
            raise BackupError(
                f"piece {name[:16]}… of the backup was changed or is damaged (SHA-256 differs); "
                "take the copy from another place or restore an earlier snapshot"
            )
        return content

    def names(self) -> Iterator[str]:
        """Names of all objects that are there."""
        for path in (self.location / _DIRECTORY).glob("*/*"):
            if _NAME.fullmatch(path.name):
                yield path.name

    def remove(self, name: str) -> None:
        """Remove an object that no snapshot names."""
        self._path(name).unlink()

    def sweep(self) -> None:
        """Remove what an interrupted backup left half written."""
        for path in (self.location / _DIRECTORY).glob(f"*/.*{_TEMPORARY}"):
            path.unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise BackupError(f"{name[:80]!r} is no name of a piece; the snapshot is damaged")
        return self.location / _DIRECTORY / name[:2] / name

    @staticmethod
    def _holds(path: Path, name: str) -> bool:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == name


def pieces_of(file: BinaryIO, size: int) -> Iterator[bytes]:
    """Read the first ``size`` bytes of a file in pieces.

    Raises:
        BackupError: The file is shorter.
    """
    left = size
    while left:
        piece = file.read(min(PIECE_BYTES, left))
        if not piece:
            raise BackupError(
                f"a file of the node ended {left} bytes early while it was read; run the backup "
                "again, and check the disk if this comes back"
            )
        left -= len(piece)
        yield piece


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
