"""A folder of pictures, in the order of their names; those below it too."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge_devices.errors import SourceError
from scoring_kernel.errors import FaceImageError
from scoring_kernel.faces.decoding import MAX_BYTES, decode

if TYPE_CHECKING:
    from edge_devices.face_terminals.sources.port import SourceSpec
    from scoring_kernel.faces.arrays import Frame

__all__ = ["FolderReader"]

MAX_FILES: Final = 100_000
_SUFFIXES: Final = frozenset((".jpg", ".jpeg", ".png", ".pgm", ".ppm", ".pnm", ".bmp"))
_DIGITS: Final = re.compile(r"([0-9]+)")


class FolderReader:
    """Reads a folder of pictures."""

    def __init__(self, spec: SourceSpec) -> None:
        """List the folder.

        Raises:
            SourceError: It is not there, or holds no picture.
        """
        self._name: Final = spec.shown
        self._path: Final = Path(spec.target)
        self._files: list[Path] = []
        self._next = 0
        self._read = 0
        self._problem = ""
        self.rewind()

    def read(self) -> Frame | None:
        """The next picture that can be read; None at the end.

        Raises:
            SourceError: None of them can be read.
        """
        while self._next < len(self._files):
            path = self._files[self._next]
            self._next += 1
            try:
                with path.open("rb") as file:
                    frame = decode(file.read(MAX_BYTES + 1))
            except (FaceImageError, OSError) as error:
                self._problem = f"{path.name}: {error}"
                continue
            self._read += 1
            return frame
        if self._read == 0:
            raise SourceError(
                f"{self._name}: none of {len(self._files)} pictures can be read; the last one is "
                f"{self._problem}"
            )
        return None

    def rewind(self) -> None:
        """List the folder anew.

        Raises:
            SourceError: It is gone, or holds no picture.
        """
        if not self._path.is_dir():
            raise SourceError(f"{self._name}: no such folder; name a folder of pictures")
        try:
            found = [
                path
                for path in self._path.rglob("*")
                if path.suffix.lower() in _SUFFIXES and path.is_file()
            ]
        except OSError as error:
            raise SourceError(f"{self._name} cannot be read ({error.strerror})") from error
        if not found:
            raise SourceError(
                f"{self._name} holds no pictures, expected files that end in "
                f"{', '.join(sorted(_SUFFIXES))}"
            )
        if len(found) > MAX_FILES:
            raise SourceError(
                f"{self._name} holds {len(found)} pictures, expected at most {MAX_FILES}"
            )
        self._files = sorted(found, key=_natural)
        self._next, self._read, self._problem = 0, 0, ""

    def close(self) -> None:
        """Nothing is held."""


def _natural(path: Path) -> list[tuple[int, str]]:
    """Order by name, numbers by their value: 2.pgm before 10.pgm."""
    return [
        (int(part), "") if part.isdigit() and part.isascii() else (-1, part)
        for part in _DIGITS.split(path.as_posix())
    ]
