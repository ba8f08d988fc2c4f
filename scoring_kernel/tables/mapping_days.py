"""Days and moments from text, by the formats that a mapping states.

Rules:
- The first format that fits a cell decides. Every part has its full width; one digit
  stands for two where other signs stand around it: 2026/3/1 is 2026/03/01.
- What the calendar does not have is no day (31 February).
- ``iso`` takes ISO 8601 days and moments; a moment with an offset becomes the wall
  clock of China (UTC+8, without the summer times of 1986 to 1991).

Source:
    ISO 8601-1:2019; the letters of strptime (POSIX).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from scoring_kernel.tables.mapping_columns import ISO

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["days_of"]

_Moments = npt.NDArray[np.datetime64]
_WIDTHS: Final = {"Y": 4, "m": 2, "d": 2, "H": 2, "M": 2, "S": 2}
_LEAST: Final = {"Y": 1, "m": 1, "d": 1, "H": 0, "M": 0, "S": 0}
_MOST: Final = {"Y": 9999, "m": 12, "d": 31, "H": 23, "M": 59, "S": 59}
_PARTS: Final = re.compile(r"%([YmdHMS])|([^%]+)")
_ISO_FORMS: Final = ("%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S")
_MOMENT_CHARS: Final = 19
_TAIL: Final = re.compile(r"(?:\.[0-9]{1,9})?(?:(Z)|([+-])([01][0-9]):?([0-5][0-9]))?")
_SAMPLE: Final = 1_024
"""Where half of so many cells repeat others, each different text is read once."""
_WALL_MINUTES: Final = 8 * 60
_NONE: Final = np.datetime64("NaT", "s")


def days_of(cells: pa.Array, formats: Sequence[str]) -> pa.Array:
    """Read days.

    Args:
        cells: Text, shape (n_rows,); null for nothing.
        formats: Formats of a mapping, at least one.

    Returns:
        Moments, ``timestamp[s]``, shape (n_rows,); null where no format fits.

    >>> days_of(pa.array(["2026/3/1", "2026-02-31"]), ["%Y/%m/%d", "%Y-%m-%d"]).to_pylist()
    [datetime.datetime(2026, 3, 1, 0, 0), None]
    """
    if len(cells) > _SAMPLE and pc.count_distinct(cells.slice(0, _SAMPLE)).as_py() < _SAMPLE // 2:
        encoded = cells.dictionary_encode()
        return days_of(encoded.dictionary, formats).take(encoded.indices)
    found = np.full(len(cells), _NONE)
    for one in formats:
        left = np.flatnonzero(np.isnat(found))
        if not len(left):
            break
        texts = cells if len(left) == len(cells) else cells.take(pa.array(left))
        found[left] = _iso(texts) if one == ISO else _formatted(texts, one)
    return pa.array(found, pa.timestamp("s"))


def _formatted(texts: pa.Array, form: str) -> _Moments:
    """Read texts of one format; NaT where it does not fit."""
    found = _of_width(texts, form)
    left = np.flatnonzero(np.isnat(found))
    if len(left):
        padded = pc.replace_substring_regex(texts.take(pa.array(left)), r"\b([0-9])\b", r"0\1")
        found[left] = _of_width(padded, form)
    return found


def _of_width(texts: pa.Array, form: str) -> _Moments:
    """Read the texts whose every part has its full width."""
    parts = _PARTS.findall(form)
    width = sum(_WIDTHS[letter] if letter else len(text.encode()) for letter, text in parts)
    found = np.full(len(texts), _NONE)
    fits = pc.fill_null(pc.equal(pc.binary_length(texts), width), False)  # noqa: FBT003 - by position
    rows = np.flatnonzero(fits.to_numpy(zero_copy_only=False))
    if not len(rows):
        return found
    whole = texts if len(rows) == len(texts) else texts.take(pa.array(rows))
    _, offsets, data = whole.buffers()
    start = int(np.frombuffer(offsets, np.int32)[whole.offset])
    signs = np.frombuffer(data, np.uint8)[start : start + width * len(rows)]
    digits = np.ascontiguousarray(signs.reshape(-1, width).T) - ord("0")
    good = np.ones(len(rows), np.bool_)
    values: dict[str, npt.NDArray[np.int64]] = {}
    at = 0
    for letter, text in parts:
        if letter:
            value = np.zeros(len(rows), np.int64)
            for piece in digits[at : at + _WIDTHS[letter]]:
                good &= piece <= 9
                value = value * 10 + piece
            good &= (value >= _LEAST[letter]) & (value <= _MOST[letter])
            values[letter] = value
            at += _WIDTHS[letter]
            continue
        for sign in text.encode():
            good &= digits[at] == (sign - ord("0")) % 256
            at += 1
    found[rows] = np.where(good, _moments(values, good), _NONE)
    return found


def _moments(values: dict[str, npt.NDArray[np.int64]], good: npt.NDArray[np.bool_]) -> _Moments:
    """Put parts together; NaT for days that the calendar does not have."""
    part = {
        letter: np.where(good, values.get(letter, least), 1) for letter, least in _LEAST.items()
    }
    months = ((part["Y"] - 1970) * 12 + part["m"] - 1).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + (part["d"] - 1)
    seconds = part["H"] * 3600 + part["M"] * 60 + part["S"]
    moments = days.astype("datetime64[s]") + seconds
    return np.where(days.astype("datetime64[M]") == months, moments, _NONE)


def _iso(texts: pa.Array) -> _Moments:
    found = np.full(len(texts), _NONE)
    for form in _ISO_FORMS:
        found = np.where(np.isnat(found), _of_width(texts, form), found)
    left = np.flatnonzero(np.isnat(found))
    if not len(left):
        return found
    rest = texts.take(pa.array(left))
    local = np.full(len(left), _NONE)
    moments = pc.utf8_slice_codeunits(rest, 0, _MOMENT_CHARS)
    for form in _ISO_FORMS[1:]:
        local = np.where(np.isnat(local), _of_width(moments, form), local)
    tails = pc.utf8_slice_codeunits(rest, _MOMENT_CHARS).dictionary_encode()
    shifts = pa.array([_shift(text) for text in tails.dictionary.to_pylist()], pa.int64())
    minutes = shifts.take(tails.indices).cast(pa.float64()).to_numpy(zero_copy_only=False)
    moved = local + np.nan_to_num(minutes).astype("timedelta64[m]")
    found[left] = np.where(np.isnan(minutes), _NONE, moved)
    return found


def _shift(tail: str) -> int | None:
    """Tell the minutes from a moment to the wall clock of China, by what follows its seconds."""
    match = _TAIL.fullmatch(tail)
    if match is None:
        return None
    if match[1]:
        return _WALL_MINUTES
    if not match[2]:
        return 0
    ahead = int(match[3]) * 60 + int(match[4])
    return _WALL_MINUTES - ahead if match[2] == "+" else _WALL_MINUTES + ahead
