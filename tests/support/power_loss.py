"""Every state a disk may show after a power cut, built from the steps that were taken.

kill -9 cannot test fsync: what a process wrote, the system keeps. So the steps are recorded, and
from each prefix of them the states are built in which

- bytes that were not made durable by ``fsync`` are there, are not there, are there by half, or are
  zeros of the full length;
- names that were made or changed and not made durable by ``fsync_directory`` are there or not, each
  for itself.

The database counts as what it says it is: a commit is durable when it returned (``synchronous``
is full), so every state holds the database as it stood at that step.
"""

import itertools
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from security.at_rest.file_layer import DISK


@dataclass(frozen=True, slots=True)
class Crash:
    """One possible state after a power cut."""

    after: str
    """The last step that was taken."""
    files: Mapping[str, bytes] = field(repr=False)
    """Content by path below the directory."""
    database: bytes = field(repr=False)
    acknowledged: int
    """Commits that had returned."""

    def build(self, directory: Path) -> None:
        """Write the state out."""
        directory.mkdir(parents=True)
        for name, content in self.files.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        (directory / "node.db").write_bytes(self.database)


@dataclass(slots=True)
class _Inode:
    durable: bytes = b""
    volatile: bytes = b""

    def states(self) -> tuple[bytes, ...]:
        if self.durable == self.volatile:
            return (self.durable,)
        half = self.volatile[: max(len(self.durable), len(self.volatile) // 2)]
        return tuple(dict.fromkeys((self.durable, half, bytes(len(self.volatile)), self.volatile)))


@dataclass(slots=True)
class RecordingFiles:
    """The real layer, with notes of what each step makes durable."""

    root: Path
    acknowledged: int = 0
    crashes: list[Crash] = field(default_factory=list)
    names: dict[str, _Inode] = field(default_factory=dict)
    """Names as a running system shows them."""
    durable_names: dict[str, _Inode] = field(default_factory=dict)

    def create(self, path: Path) -> None:
        DISK.create(path)
        self.names[self._key(path)] = _Inode()
        self._note(f"create {path.name}")

    def write(self, path: Path, offset: int, content: bytes | memoryview) -> None:
        DISK.write(path, offset, content)
        self._note(f"write {path.name}")

    def truncate(self, path: Path, size: int) -> None:
        DISK.truncate(path, size)
        self._note(f"truncate {path.name}")

    def fsync(self, path: Path) -> None:
        self._note(f"before fsync {path.name}")
        DISK.fsync(path)
        inode = self.names.setdefault(self._key(path), _Inode())
        inode.volatile = inode.durable = path.read_bytes()
        self._note(f"fsync {path.name}")

    def rename(self, source: Path, target: Path) -> None:
        DISK.rename(source, target)
        self.names[self._key(target)] = self.names.pop(self._key(source))
        self._note(f"rename {target.name}")

    def fsync_directory(self, directory: Path) -> None:
        DISK.fsync_directory(directory)
        inside = self._key(directory) + "/"
        for name in list(self.durable_names):
            if name.startswith(inside) and name not in self.names:
                del self.durable_names[name]
        self.durable_names |= {
            name: inode for name, inode in self.names.items() if name.startswith(inside)
        }
        self._note(f"fsync directory {directory.name}")

    def unlink(self, path: Path) -> None:
        DISK.unlink(path)
        self.names.pop(self._key(path), None)
        self._note(f"unlink {path.name}")

    def committed(self) -> None:
        """Note that a commit has returned."""
        self.acknowledged += 1
        self._note(f"commit {self.acknowledged}")

    def _key(self, path: Path) -> str:
        return str(path.relative_to(self.root))

    def _note(self, step: str) -> None:
        for name, inode in self.names.items():
            path = self.root / name
            if path.exists():
                inode.volatile = path.read_bytes()
        image = _image(self.root / "node.db")
        for files in self._states():
            self.crashes.append(
                Crash(after=step, files=files, database=image, acknowledged=self.acknowledged)
            )

    def _states(self) -> Iterator[dict[str, bytes]]:
        """Every choice of names, and for each every choice of contents."""
        open_names = [
            name
            for name in dict.fromkeys((*self.names, *self.durable_names))
            if self.names.get(name) is not self.durable_names.get(name)
        ]
        settled = {name: inode for name, inode in self.names.items() if name not in set(open_names)}
        for choice in itertools.product((True, False), repeat=len(open_names)):
            shown = dict(settled)
            for name, is_new in zip(open_names, choice, strict=True):
                inode = (self.names if is_new else self.durable_names).get(name)
                if inode is not None:
                    shown[name] = inode
            contents = [inode.states() for inode in shown.values()]
            for picked in itertools.product(*contents):
                yield dict(zip(shown, picked, strict=True))


def _image(database: Path) -> bytes:
    """What the database's commits have made of it."""
    reader = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    image = sqlite3.connect(":memory:")
    try:
        reader.backup(image)
        return image.serialize()
    finally:
        image.close()
        reader.close()
