"""Decimal text as exact integers, whole columns at a time.

Rules:
- A number is digits, at most one point, and a sign before them; nothing else.
- It is counted in the last decimal that its column keeps; more decimals are a fault,
  unless the mapping says that they are rounded.
- The bytes of a column are looked at once; only cells with other signs than digits
  and points are read one by one.
"""

from __future__ import annotations

import re
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["MAX_DIGITS", "decimal_counts", "decimal_text", "int_digits"]

MAX_DIGITS: Final = 13
"""Most digits before the point."""
_NUMBER: Final = re.compile(r"(-?)([0-9]{1,40})(?:\.([0-9]{1,40}))?")
_ALL_DIGITS: Final = 18
_POWERS: Final = 10 ** np.arange(_ALL_DIGITS + 1, dtype=np.int64)
_POINT: Final = ord(".")
_ZERO: Final = ord("0")


def int_digits(decimals: int) -> int:
    """Give the most digits before the point, so that sums of eight fit into 64 bits."""
    return min(MAX_DIGITS, _ALL_DIGITS - decimals)


def decimal_counts(
    cells: pa.Array, decimals: int, *, rounds: bool = False
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Count decimal numbers in their last decimal.

    Args:
        cells: Text, shape (n_rows,); null for nothing.
        decimals: Decimals that a number may have, 0 to 12.
        rounds: Whether a number with more decimals is rounded half up.

    Returns:
        Counts, 0 for null and for what is no number, and which cells are no such number,
        both of shape (n_rows,).

    >>> decimal_counts(pa.array(["12.5", "-3", None, "1e3"]), 2)[0].tolist()
    [1250, -300, 0, 0]
    """
    plain = cells.fill_null("0") if cells.null_count else cells
    even = _even_counts(plain, decimals)
    if even is not None:
        return even, np.zeros(len(plain), np.bool_)
    bad, odd = _shape_faults(plain, decimals)
    found: dict[int, int] = {}
    odd |= bad & rounds
    for row in np.flatnonzero(odd).tolist():
        value = _slow_count(plain[row].as_py(), decimals, rounds=rounds)
        bad[row] = value is None
        if value is not None:
            found[row] = value
    aside = bad | odd
    if aside.any():
        plain = pc.if_else(pa.array(aside), "0", plain)
    counts = _plain_counts(plain, decimals)
    for row, value in found.items():
        counts[row] = value
    return counts, bad


def decimal_text(counts: npt.NDArray[np.int64], decimals: int) -> pa.Array:
    """Write counts as decimal text; the inverse of ``decimal_counts``.

    Args:
        counts: Integers, shape (n_rows,).
        decimals: Decimals that they count.

    >>> decimal_text(np.array([1250, -5]), 2).to_pylist()
    ['12.50', '-0.05']
    """
    if not decimals:
        return pa.array(counts).cast(pa.string())
    whole, part = np.divmod(np.abs(counts), _POWERS[decimals])
    sign = pc.if_else(pa.array(counts < 0), "-", "")
    padded = pc.utf8_lpad(pa.array(part).cast(pa.string()), decimals, "0")
    head = pc.binary_join_element_wise(sign, pa.array(whole).cast(pa.string()), "")
    return pc.binary_join_element_wise(head, padded, ".")


def _parts(cells: pa.Array) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint8]]:
    """Give offsets and bytes of a text array without nulls, from the array's own start."""
    _, offsets, data = cells.buffers()
    ends = np.frombuffer(offsets, np.int32)[cells.offset : cells.offset + len(cells) + 1]
    signs = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
    return ends - ends[0], signs[ends[0] : ends[-1]]


def _even_counts(cells: pa.Array, decimals: int) -> npt.NDArray[np.int64] | None:
    """Count cells that all have as many decimals as the first; None where they are not so even."""
    rows = len(cells)
    if not rows:
        return np.zeros(0, np.int64)
    ends, signs = _parts(cells)
    others = (signs - _ZERO) > 9
    points = np.count_nonzero(others)
    places, lengths = 0, np.diff(ends)
    if points:
        first = signs[: ends[1]].tobytes()
        places = len(first) - 1 - first.find(b".")
        lengths = lengths - places - 1
        if points != rows or not 1 <= places <= decimals or lengths.min() < 1:
            return None
        if not (signs[ends[1:] - 1 - places] == _POINT).all():
            return None
        ends -= np.arange(rows + 1, dtype=np.int32)
        signs = signs[~others]
    if lengths.min() < 1 or lengths.max() > int_digits(decimals):
        return None
    counts: npt.NDArray[np.int64] = _integers(ends, signs) * _POWERS[decimals - places]
    return counts


def _integers(ends: npt.NDArray[np.int32], signs: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Read cells of digits alone, given as offsets and bytes."""
    buffers = (pa.py_buffer(np.ascontiguousarray(one)) for one in (ends, signs))
    counts: npt.NDArray[np.int64] = (
        pa.StringArray.from_buffers(len(ends) - 1, *buffers).cast(pa.int64()).to_numpy()
    )
    return counts


def _points(
    ends: npt.NDArray[np.int32], signs: npt.NDArray[np.uint8]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Find every point and the row it stands in."""
    points = np.flatnonzero(signs == _POINT)
    rows = len(ends) - 1
    if len(points) == rows and ((points >= ends[:-1]) & (points < ends[1:])).all():
        return points, np.arange(rows)
    return points, np.searchsorted(ends, points, "right") - 1


def _shape_faults(
    cells: pa.Array, decimals: int
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Tell which cells are no unsigned number, and which hold other signs than those of one."""
    rows = len(cells)
    if not rows:
        return np.zeros(0, np.bool_), np.zeros(0, np.bool_)
    ends, signs = _parts(cells)
    points, owners = _points(ends, signs)
    others = np.flatnonzero(((signs - _ZERO) > 9) & (signs != _POINT))
    odd = np.zeros(rows, np.bool_)
    if len(others):
        odd[np.searchsorted(ends, others, "right") - 1] = True
    places = np.full(rows, -1, np.int64)
    places[owners] = ends[owners + 1] - points - 1
    digits = np.diff(ends) - (places + 1)
    bad = (digits < 1) | (digits > int_digits(decimals)) | (places == 0) | (places > decimals)
    if (repeated := owners[1:] == owners[:-1]).any():
        bad[owners[1:][repeated]] = True
    return bad & ~odd, odd


def _plain_counts(cells: pa.Array, decimals: int) -> npt.NDArray[np.int64]:
    """Count cells of digits and at most one point each."""
    rows = len(cells)
    if not rows:
        return np.zeros(0, np.int64)
    ends, signs = _parts(cells)
    points, owners = _points(ends, signs)
    places = np.zeros(rows, np.int64)
    if len(points):
        places[owners] = ends[owners + 1] - points - 1
        before = np.zeros(rows + 1, np.int32)
        before[owners + 1] = 1
        ends -= np.cumsum(before, dtype=np.int32)
        signs = signs[signs != _POINT]
    return _integers(ends, signs) * _POWERS[decimals - places]


def _slow_count(text: str, decimals: int, *, rounds: bool = False) -> int | None:
    """Count one cell; None where it is no number."""
    match = _NUMBER.fullmatch(text)
    if match is None or len(match[2]) > int_digits(decimals):
        return None
    part = match[3] or ""
    count = int(match[2] + part[:decimals].ljust(decimals, "0"))
    if len(part) > decimals:
        if not rounds:
            return None
        count += part[decimals] >= "5"
    return -count if match[1] else count
