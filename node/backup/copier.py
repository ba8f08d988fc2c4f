"""Copies files of a node into the pieces of one snapshot, and tells how far it is."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from node.backup.manifest import FileEntry, piece_context
from node.backup.objects import PIECE_BYTES, Objects, pieces_of
from node.errors import BackupError
from node.store.files import NamedFile
from security.at_rest import Vault
from security.progress import ProgressReporter

__all__ = ["Copier", "FileGoneError"]

_STAGE: Final = "backup"


class FileGoneError(Exception):
    """A file that the copied ledger names is gone: the node was started again meanwhile."""


@dataclass(slots=True, kw_only=True)
class Copier:
    """Copies files into the objects of one snapshot, and tells how far it is."""

    objects: Objects
    vault: Vault
    snapshot: str
    progress: ProgressReporter
    total: int = 0
    done: int = 0

    def keep_named(self, home: Path, file: NamedFile) -> FileEntry:
        """Copy a file that the ledger names; one that an earlier snapshot has is not read again.

        Raises:
            FileGoneError: The file is not there any more.
            BackupError: It is not the file that the ledger describes.
        """
        source = home / file.path
        try:
            size = source.stat().st_size if file.bytes is None else file.bytes
        except FileNotFoundError as error:
            raise FileGoneError(file.path) from error
        if file.sha256 and size <= PIECE_BYTES and self.objects.has(file.sha256):
            self._tell(size)
            return FileEntry(
                path=file.path,
                bytes=size,
                sha256=file.sha256,
                pieces=(file.sha256,),
                sealed=False,
            )
        entry = self.keep(source, file.path, size, sealed=False)
        if file.sha256 and entry.sha256 != file.sha256:
            raise BackupError(
                f"{file.path} is not the file that the ledger describes (SHA-256 differs): the "
                "node itself is damaged; restore it from an earlier backup"
            )
        return entry

    def keep(self, source: Path, relative: str, size: int, *, sealed: bool) -> FileEntry:
        """Copy the first ``size`` bytes of a file.

        Raises:
            FileGoneError: The file is not there any more.
        """
        digest, pieces = hashlib.sha256(), []
        try:
            with source.open("rb") as file:
                for index, piece in enumerate(pieces_of(file, size)):
                    digest.update(piece)
                    place = piece_context(self.snapshot, relative, index)
                    kept = self.vault.seal(piece, place) if sealed else piece
                    pieces.append(self.objects.put(kept))
                    self._tell(len(piece))
        except FileNotFoundError as error:
            raise FileGoneError(relative) from error
        return FileEntry(
            path=relative,
            bytes=size,
            sha256=digest.hexdigest(),
            pieces=tuple(pieces),
            sealed=sealed,
        )

    def _tell(self, count: int) -> None:
        self.done += count
        self.progress(_STAGE, min(self.done, self.total), self.total, "bytes")
