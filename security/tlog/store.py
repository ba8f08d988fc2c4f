"""Where tiles are kept: a directory, or any file system that fsspec knows.

Port rules: a file is there whole and durable, or not at all; ``write`` returns after both; names
are relative, with ``/`` between their parts.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from security.at_rest.file_layer import DISK
from security.errors import LogCorruptError
from security.tlog.tiles import MAX_BUNDLE_BYTES

if TYPE_CHECKING:
    from security.at_rest.file_layer import FileLayer

_MODE: Final = 0o700
_TEMPORARY: Final = ".writing"
_URL: Final = "://"


class TileStore(Protocol):
    """A place for tiles; see the rules of the module."""

    def read(self, name: str) -> bytes:
        """Content of a file.

        Raises:
            FileNotFoundError: It is not there.
            OSError: The store cannot be read.
        """

    def write(self, name: str, content: bytes) -> None:
        """Write a file in place of what is there.

        Raises:
            OSError: The store refuses.
        """

    def remove(self, name: str) -> None:
        """Remove a file; one that is not there stays so.

        Raises:
            OSError: The store refuses.
        """


class DirectoryTiles:
    """Tiles in a directory, made for its owner alone.

    A file is written beside its name, made durable, renamed, and its name made durable; a
    directory on the way is durable before anything lies in it.
    """

    __slots__ = ("_files", "_root")

    def __init__(self, root: Path, files: FileLayer = DISK) -> None:
        """Name the directory; it is made with the first file.

        Args:
            root: The directory.
            files: How files are changed.
        """
        self._root = root
        self._files = files

    def read(self, name: str) -> bytes:
        """Content of a file."""
        with self._path(name).open("rb") as file:
            return file.read(MAX_BUNDLE_BYTES + 1)

    def write(self, name: str, content: bytes) -> None:
        """Write a file in place of what is there."""
        path = self._path(name)
        self._make(path.parent)
        temporary = path.with_name(path.name + _TEMPORARY)
        self._files.create(temporary)
        self._files.write(temporary, 0, content)
        self._files.fsync(temporary)
        self._files.rename(temporary, path)
        self._files.fsync_directory(path.parent)

    def remove(self, name: str) -> None:
        """Remove a file; one that is not there stays so."""
        self._files.unlink(self._path(name))

    def _make(self, directory: Path) -> None:
        if directory.is_dir():
            return
        self._make(directory.parent)
        directory.mkdir(mode=_MODE, exist_ok=True)
        self._files.fsync_directory(directory.parent)

    def _path(self, name: str) -> Path:
        return self._root / _checked(name)


class FsspecTiles:
    """Tiles under a URL that fsspec knows, such as ``s3://bucket/log``.

    Object stores take an object whole or not at all, and keep it when they said so.
    """

    __slots__ = ("_files", "_root")

    def __init__(self, url: str) -> None:
        """Open the file system.

        Raises:
            LogCorruptError: No file system is known, or installed, for the URL.
        """
        import fsspec  # noqa: PLC0415 - only who publishes to an object store needs it

        try:
            self._files, self._root = fsspec.url_to_fs(url)
        except (ValueError, ImportError, OSError) as error:
            raise LogCorruptError(
                f"the log cannot be kept at {url[:200]!r}: {error}. Correct log.tiles, or install "
                "the file system's package."
            ) from error

    def read(self, name: str) -> bytes:
        """Content of a file."""
        content: bytes = self._files.cat_file(self._path(name), 0, MAX_BUNDLE_BYTES + 1)
        return content

    def write(self, name: str, content: bytes) -> None:
        """Write a file in place of what is there."""
        self._files.pipe_file(self._path(name), content)

    def remove(self, name: str) -> None:
        """Remove a file; one that is not there stays so."""
        try:
            self._files.rm_file(self._path(name))
        except FileNotFoundError:
            return

    def _path(self, name: str) -> str:
        return f"{self._root}/{_checked(name)}"


def open_tiles(place: str | Path) -> DirectoryTiles | FsspecTiles:
    """Open the store at a directory or URL.

    Raises:
        LogCorruptError: No file system is known, or installed, for the URL.
    """
    text = str(place)
    if text.startswith("file://"):
        return DirectoryTiles(Path(text.removeprefix("file://")))
    return FsspecTiles(text) if _URL in text else DirectoryTiles(Path(text))


def _checked(name: str) -> str:
    parts = name.split("/")
    if not all(parts) or {".", ".."} & set(parts):
        raise ValueError(f"{name!r} is no name of a tile")
    return name
