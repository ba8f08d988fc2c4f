"""Read a table of pairs of faces, for calibration (标定).

Rules:
- A table is CSV in UTF-8 with a header: ``left,right,same`` of images, or ``score,same`` of scores
  that were made elsewhere; optional ``left_subject,right_subject`` (both or none) and ``group``.
- ``same`` is 1 or 0. A cell is one line without control characters; rows and cells are bounded.
- Names of images are relative to the table and stay below its folder.
- Every refusal is a ``CalibrationError`` with file and line; it never quotes a cell, since a
  subject or a file may be named after a person.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from scoring_kernel.errors import CalibrationError
from scoring_kernel.faces.matching import ONE_E4
from scoring_kernel.faces.pairs import ImagePairs, PairLabels, Scores

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["MAX_BYTES", "MAX_GROUPS", "MAX_ROWS", "read_pairs"]

MAX_BYTES: Final = 256 * 1024 * 1024
"""Largest table, bytes."""
MAX_ROWS: Final = 1_000_000
"""Most pairs of one table."""
MAX_CELL: Final = 512
"""Longest cell, characters."""
MAX_LABEL: Final = 64
"""Longest subject or group, characters."""
MAX_GROUPS: Final = 64
"""Most groups of one table."""

_IMAGES: Final = ("left", "right", "same")
_SCORES: Final = ("score", "same")
_SUBJECTS: Final = ("left_subject", "right_subject")
_GROUP: Final = "group"
_SCORE: Final = re.compile(r"-?(?:0|1)(?:\.[0-9]{1,17})?(?:[eE]-[0-9]{1,2})?")
_SAME: Final = {"1": True, "0": False}


def read_pairs(content: bytes, file: str) -> ImagePairs | Scores:
    r"""Read a table of pairs.

    Args:
        content: The file's bytes.
        file: Its name, for messages.

    Raises:
        CalibrationError: It breaks a rule of the module's docstring; names the line.

    >>> read_pairs(b"score,same\n0.51239,1\n-0.0312,0\n", "pairs.csv").e4.tolist()
    [5123, -312]
    """
    if len(content) > MAX_BYTES:
        raise CalibrationError(f"{file}: {len(content)} bytes, expected at most {MAX_BYTES}")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise CalibrationError(
            f"{file}:{line}: found bytes that are not UTF-8; save the table as UTF-8"
        ) from error
    rows = _rows(text, file)
    header = next(rows, None)
    if header is None:
        raise CalibrationError(f"{file}:1: found nothing, expected the header left,right,same")
    return _Table(file, header[1]).read(rows)


def _rows(text: str, file: str) -> Iterator[tuple[int, list[str]]]:
    """Rows with their lines, each checked for its form."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise CalibrationError(
                f"{file}:{line}: not CSV ({error}); close every quote on its own line"
            ) from error
        if row is None:
            return
        if reader.line_num != line:
            raise CalibrationError(f"{file}:{line}: a quoted cell goes on over the end of the line")
        if not row:
            raise CalibrationError(f"{file}:{line}: found an empty line; delete it")
        for number, cell in enumerate(row, 1):
            if len(cell) > MAX_CELL or not cell.isprintable():
                raise CalibrationError(
                    f"{file}:{line}: cell {number} is longer than {MAX_CELL} characters or holds "
                    "control characters"
                )
        yield line, row


class _Pairs(Protocol):
    """Collects what names or measures a pair; the labels are the table's."""

    def add(self, row: Mapping[str, str]) -> str | None:
        """Take a row; tells what is wrong with it."""

    def made(self, labels: PairLabels) -> ImagePairs | Scores:
        """Everything taken."""


class _ScorePairs:
    def __init__(self) -> None:
        self._e4: Final[list[int]] = []

    def add(self, row: Mapping[str, str]) -> str | None:
        text = row["score"]
        value = Decimal(text) if _SCORE.fullmatch(text) else None
        if value is None or abs(value) > 1:
            return "score: expected a similarity from -1 to 1, for example 0.5123"
        self._e4.append(int((value * ONE_E4).to_integral_value(ROUND_FLOOR)))
        return None

    def made(self, labels: PairLabels) -> Scores:
        return Scores(e4=np.array(self._e4, dtype=np.int64), labels=labels)


class _NamedPairs:
    def __init__(self, line_of: _Line) -> None:
        self._line: Final = line_of
        self._numbers: Final[dict[str, int]] = {}
        self._lines: Final[list[int]] = []
        self._left: Final[list[int]] = []
        self._right: Final[list[int]] = []
        self._seen: Final[dict[tuple[int, int], int]] = {}

    def add(self, row: Mapping[str, str]) -> str | None:
        sides = []
        for side in ("left", "right"):
            name = row[side]
            path = PurePosixPath(name)
            if not name or "\\" in name or path.is_absolute() or ".." in path.parts:
                return f"{side}: expected the name of an image below the table's folder"
            number = self._numbers.setdefault(str(path), len(self._numbers))
            if number == len(self._lines):
                self._lines.append(self._line.now)
            sides.append(number)
        left, right = sides
        if left == right:
            return "left and right are one image, which says nothing; delete the row"
        first = self._seen.setdefault((min(sides), max(sides)), self._line.now)
        if first != self._line.now:
            return f"the pair of line {first} again; delete one of them"
        self._left.append(left)
        self._right.append(right)
        return None

    def made(self, labels: PairLabels) -> ImagePairs:
        return ImagePairs(
            images=tuple(self._numbers),
            left=np.array(self._left, dtype=np.int64),
            right=np.array(self._right, dtype=np.int64),
            lines=tuple(self._lines),
            labels=labels,
        )


@dataclass(slots=True)
class _Line:
    now: int = 1


class _Table:
    """Reads the rows below a header."""

    def __init__(self, file: str, header: Sequence[str]) -> None:
        self._file: Final = file
        self._line: Final = _Line()
        named = set(header)
        base = _SCORES if "score" in named else _IMAGES
        self._subjects: Final = bool(named & set(_SUBJECTS))
        expected = {*base, *(_SUBJECTS if self._subjects else ()), *({_GROUP} & named)}
        if named != expected or len(header) != len(named):
            raise self._wrong(
                "found another header, expected left,right,same or score,same, and where known "
                "left_subject,right_subject and group"
            )
        self._header: Final = tuple(header)
        self._grouped: Final = _GROUP in named
        self._same: Final[list[bool]] = []
        self._sides: Final[tuple[list[int], list[int]]] = ([], [])
        self._names: Final[dict[str, int]] = {}
        self._group: Final[list[int]] = []
        self._groups: Final[dict[str, int]] = {}
        self._pairs: Final[_Pairs] = _ScorePairs() if base is _SCORES else _NamedPairs(self._line)

    def read(self, rows: Iterator[tuple[int, list[str]]]) -> ImagePairs | Scores:
        for self._line.now, cells in rows:
            if len(self._same) == MAX_ROWS:
                raise self._wrong(f"expected at most {MAX_ROWS} pairs; draw fewer of them")
            if len(cells) != len(self._header):
                raise self._wrong(f"found {len(cells)} cells, expected {len(self._header)}")
            row = dict(zip(self._header, cells, strict=True))
            problem = self._pairs.add(row)
            if problem is not None:
                raise self._wrong(problem)
            self._label(row)
        if not self._same:
            raise self._wrong("found a header alone, expected pairs below it")
        return self._pairs.made(
            PairLabels(
                same=np.array(self._same, dtype=np.bool_),
                left=np.array(self._sides[0], dtype=np.int64) if self._subjects else None,
                right=np.array(self._sides[1], dtype=np.int64) if self._subjects else None,
                subjects=len(self._names),
                group=np.array(self._group, dtype=np.int64) if self._grouped else None,
                groups=tuple(self._groups),
            )
        )

    def _label(self, row: Mapping[str, str]) -> None:
        """Take what is known of a pair."""
        flag = _SAME.get(row["same"])
        if flag is None:
            raise self._wrong("same: expected 1 or 0")
        self._same.append(flag)
        if self._subjects:
            left, right = (self._number(side, row[side], self._names) for side in _SUBJECTS)
            if (left == right) != flag:
                raise self._wrong("same says otherwise than the two subjects")
            self._sides[0].append(left)
            self._sides[1].append(right)
        if self._grouped:
            text = row[_GROUP]
            self._group.append(self._number(_GROUP, text, self._groups) if text else -1)
            if len(self._groups) > MAX_GROUPS:
                raise self._wrong(f"group: expected at most {MAX_GROUPS} groups")

    def _number(self, column: str, text: str, numbers: dict[str, int]) -> int:
        if not text or len(text) > MAX_LABEL or text != text.strip():
            raise self._wrong(
                f"{column}: expected 1 to {MAX_LABEL} characters without blanks at the ends"
            )
        return numbers.setdefault(text, len(numbers))

    def _wrong(self, problem: str) -> CalibrationError:
        return CalibrationError(f"{self._file}:{self._line.now}: {problem}")
