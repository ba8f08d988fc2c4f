"""Reading a bundle that nobody vouches for.

Rules: only the known names are opened; every read is bounded; a zip file may not unpack to much
more than it weighs, hold a name twice or be encrypted; links and devices are not followed; every
foreign error becomes ``AuditInputError``.
"""

from __future__ import annotations

import stat
import zipfile
import zlib
from contextlib import contextmanager
from itertools import chain, islice
from typing import IO, TYPE_CHECKING, Any, Final, Protocol

import orjson

from security.audit.bundle import (
    AGREEMENTS,
    CERTIFICATES,
    CHECKPOINT,
    EARLIER,
    EMPTIED,
    ENVELOPES,
    FORMAT,
    FRONTIER,
    LEAVES,
    MANIFEST,
    MAX_MANIFEST_BYTES,
    OPERATIONS,
    PACKS,
    POLICIES,
    PRIOR,
    PUBLICATIONS,
    RECEIPTS,
    REVOCATIONS,
    Manifest,
)
from security.audit.frames import read_frames
from security.errors import AuditInputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

MAX_ENTRIES: Final = 10_000
MAX_EXPANSION: Final = 20
"""Ciphertexts and hashes do not shrink; leaves shrink to a tenth."""
FREE_EXPANSION_BYTES: Final = 64 * 1024 * 1024

_FILES: Final = frozenset(
    {
        *(MANIFEST, FRONTIER, CHECKPOINT, CERTIFICATES, LEAVES, ENVELOPES, RECEIPTS),
        *(REVOCATIONS, POLICIES, AGREEMENTS, OPERATIONS, EARLIER, PRIOR, EMPTIED),
    }
)
_FOLDERS: Final = {PUBLICATIONS: (".pb",), PACKS: (".json", ".zip")}
_FOREIGN: Final = (
    OSError,
    EOFError,
    RuntimeError,
    NotImplementedError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)


class Container(Protocol):
    """What a bundle is kept in."""

    def names(self) -> list[str]:
        """Names of the files inside."""

    def others(self) -> list[str]:
        """Names of what is inside and no file: links, devices, folders that no bundle has."""

    def open(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """Open one of them."""


class DirectoryContainer:
    """A bundle that is a directory."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def names(self) -> list[str]:
        """Names of the regular files inside, at most one directory deep."""
        return [name for name, mode in self._entries() if stat.S_ISREG(mode)]

    def others(self) -> list[str]:
        """Names of everything else; a folder with a stroke behind it."""
        named = [
            f"{name}/" if stat.S_ISDIR(mode) else name
            for name, mode in self._entries()
            if not stat.S_ISREG(mode)
        ]
        return [name for name in named if name not in _FOLDERS]

    def open(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """Open a file inside."""
        return (self._path / name).open("rb")

    def _entries(self) -> list[tuple[str, int]]:
        """Name and mode of what is inside, bounded; nothing is followed."""
        inside = (
            self._path.glob(f"{folder}*")
            for folder in _FOLDERS
            if not (self._path / folder).is_symlink()
        )
        found = islice(chain(self._path.iterdir(), *inside), MAX_ENTRIES + 1)
        return [(path.relative_to(self._path).as_posix(), path.lstat().st_mode) for path in found]


class ZipContainer:
    """A bundle that is a zip file."""

    def __init__(self, archive: zipfile.ZipFile, packed_bytes: int) -> None:
        unpacked = sum(entry.file_size for entry in archive.infolist())
        if unpacked > FREE_EXPANSION_BYTES + MAX_EXPANSION * packed_bytes:
            raise AuditInputError(
                f"the bundle of {packed_bytes} bytes unpacks to {unpacked}: refused"
            )
        self._archive = archive

    def names(self) -> list[str]:
        """Names of the files inside."""
        return [name for name in self._archive.namelist() if not name.endswith("/")]

    def others(self) -> list[str]:
        """Names of the folders that no bundle has."""
        named = (name for name in self._archive.namelist() if name.endswith("/"))
        return [name for name in named if name not in _FOLDERS]

    def open(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """Open a file inside."""
        return self._archive.open(name)


class BundleSource:
    """An open bundle; every read is bounded."""

    def __init__(self, container: Container) -> None:
        names = container.names()
        if len(names) > MAX_ENTRIES or len(set(names)) != len(names):
            raise AuditInputError(
                f"the bundle holds {len(names)} files; at most {MAX_ENTRIES}, each name once"
            )
        self._container = container
        self._names = frozenset(names)
        self._others = frozenset(container.others())

    def manifest(self) -> Manifest:
        """Read the manifest.

        Raises:
            AuditInputError: Missing, malformed, of another format, or out of bounds.
        """
        try:
            found: Any = orjson.loads(self.read(MANIFEST, MAX_MANIFEST_BYTES))
        except orjson.JSONDecodeError as error:
            raise AuditInputError(f"{MANIFEST} is not JSON") from error
        if not isinstance(found, dict) or found.pop("format", None) != FORMAT:
            raise AuditInputError(
                f"{MANIFEST} is not of format {FORMAT}; have the hub export the range again"
            )
        try:
            return Manifest(**found)
        except TypeError as error:
            raise AuditInputError(f"{MANIFEST} has missing or unknown fields") from error

    def read(self, name: str, max_bytes: int) -> bytes:
        """Read a small file whole.

        Raises:
            AuditInputError: Missing, too long or damaged.
        """
        with self._open(name) as file:
            content = file.read(max_bytes + 1)
        if len(content) > max_bytes:
            raise AuditInputError(f"{name} is longer than {max_bytes} bytes")
        return content

    def frames(self, name: str, *, max_bytes: int, max_count: int) -> Iterator[bytes]:
        """Read the messages of a file, one at a time.

        Raises:
            AuditInputError: Missing, truncated, damaged, or a bound is broken.
        """
        with self._open(name) as file:
            yield from read_frames(file, name, max_bytes=max_bytes, max_count=max_count)

    def has_publication(self, root: bytes) -> bool:
        """Whether the statements of a publication are inside."""
        return publication_name(root) in self._names

    def pack_files(self) -> list[str]:
        """Names of the packs' files inside, without their folder, sorted."""
        return sorted(
            name.removeprefix(PACKS)
            for name in self._names
            if name.startswith(PACKS) and name.endswith(_FOLDERS[PACKS])
        )

    def publications(self) -> set[str]:
        """Names of the files of publications inside."""
        return {
            name
            for name in self._names
            if name.startswith(PUBLICATIONS) and name.endswith(_FOLDERS[PUBLICATIONS])
        }

    def strangers(self) -> list[str]:
        """Names that belong to no bundle, sorted."""
        unknown = {
            name
            for name in self._names
            if name not in _FILES
            and not any(
                name.startswith(folder) and name.endswith(suffix)
                for folder, suffix in _FOLDERS.items()
            )
        }
        return sorted(unknown | self._others)

    @contextmanager
    def _open(self, name: str) -> Iterator[IO[bytes]]:
        if name not in self._names:
            raise AuditInputError(f"{name} is missing from the bundle")
        try:
            with self._container.open(name) as file:
                yield file
        except _FOREIGN as error:
            raise AuditInputError(f"{name} cannot be read: {type(error).__name__}") from error


def publication_name(root: bytes) -> str:
    """Name of the file that holds a publication's statements."""
    return f"{PUBLICATIONS}{root.hex()}.pb"


@contextmanager
def open_bundle(path: Path) -> Iterator[BundleSource]:
    """Open a bundle: a directory or a zip file.

    Raises:
        AuditInputError: There is none, it is damaged, or it unpacks to too much.
    """
    if path.is_dir():
        yield BundleSource(DirectoryContainer(path))
        return
    try:
        # A device or a pipe would be read without end.
        if not path.is_file():
            raise FileNotFoundError(path)
        archive = zipfile.ZipFile(path)
    except _FOREIGN as error:
        raise AuditInputError(
            f"{path} is neither a directory nor a readable zip file: {type(error).__name__}"
        ) from error
    with archive:
        yield BundleSource(ZipContainer(archive, path.stat().st_size))
