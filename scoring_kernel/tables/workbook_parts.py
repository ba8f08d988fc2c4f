"""Parts of a workbook, looked through before the reader of workbooks builds trees of them.

Rules:

- What the parts unpack to is bounded together.
- A larger part is one of rows (``row``) or of shared texts (``si``), and between the ends
  of two of them lie no more bytes than a tree may be built of: memory is freed at each end.
- No part is nested deeper than a workbook's are.
- What is no XML is left to the reader: it stops where this does.

Source: ECMA-376 part 1, 18.3.1.73 (row), 18.4.8 (si).
"""

from __future__ import annotations

import zipfile
from typing import IO, TYPE_CHECKING, Final
from xml.parsers import expat

from scoring_kernel.tables.errors import TableError, TableRule
from scoring_kernel.tables.sources import members, unreadable

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["verify_parts"]

MAX_PARTS_BYTES: Final = 1024 * 1024 * 1024
MAX_STRINGS_BYTES: Final = 128 * 1024 * 1024
MAX_TREE_BYTES: Final = 8 * 1024 * 1024
MAX_DEPTH: Final = 64
_PIECE: Final = 256 * 1024
_SPACE: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main "
_STRINGS: Final = (f"{_SPACE}si", 2)
_ENDS: Final = {f"{_SPACE}worksheet": (f"{_SPACE}row", 3), f"{_SPACE}sst": _STRINGS}
"""By the name of a part's outermost element: what its reader frees, and how deep that lies."""


def verify_parts(path: Path) -> None:
    """Bound what the parts of a workbook unpack to, and the trees that reading them builds.

    Args:
        path: The workbook.

    Raises:
        TableError: The workbook is broken or a bomb.
    """
    parts = members(path)
    total = sum(part.file_size for part in parts)
    if total > MAX_PARTS_BYTES:
        raise _bomb(f"a workbook whose parts unpack to {total} bytes", f"at most {MAX_PARTS_BYTES}")
    large = [part for part in parts if part.file_size > MAX_TREE_BYTES]
    try:
        with zipfile.ZipFile(path) as archive:
            for part in large:
                with archive.open(part) as stream:
                    _Look(part.file_size).through(stream)
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError) as error:
        raise unreadable(error) from error


class _Look:
    """Looks through one part."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._depth = 0
        self._end: tuple[str, int] | None = None
        self._freed_at = 0
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.StartElementHandler = self._begin
        self._parser.EndElementHandler = self._finish

    def through(self, stream: IO[bytes]) -> None:
        read = 0
        while piece := stream.read(_PIECE):
            read += len(piece)
            try:
                self._parser.Parse(piece)
            except expat.ExpatError:
                return
            if read - self._freed_at > MAX_TREE_BYTES:
                raise _bomb(
                    f"{read - self._freed_at} bytes of a workbook without the end of a row",
                    f"at most {MAX_TREE_BYTES}",
                )

    def _begin(self, name: str, _attributes: object) -> None:
        self._depth += 1
        if self._depth == 1:
            self._end = _ENDS.get(name)
            if self._end == _STRINGS and self._size > MAX_STRINGS_BYTES:
                raise _bomb(f"shared texts of {self._size} bytes", f"at most {MAX_STRINGS_BYTES}")
        elif self._depth > MAX_DEPTH:
            raise _bomb(f"a workbook nested deeper than {MAX_DEPTH} levels", "a table")

    def _finish(self, name: str) -> None:
        if self._end == (name, self._depth):
            self._freed_at = self._parser.CurrentByteIndex
        self._depth -= 1


def _bomb(found: str, expected: str) -> TableError:
    return TableError(TableRule.BOMB, found, expected, "send the sheet as CSV")
