from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from scoring_kernel.errors import TemplateMismatchError
from scoring_kernel.faces.matching import (
    Gallery,
    pack_vector,
    parse_vector,
    score_e4,
    verify_units,
)
from tests.support.face_vectors import unit, units

if TYPE_CHECKING:
    from scoring_kernel.faces.arrays import FloatMatrix, FloatVector


def test_a_score_is_the_cosine_rounded_down() -> None:
    assert score_e4(unit(1, 0), unit(1, 0)) == 10_000
    assert score_e4(unit(1, 0), unit(0, 1)) == 0
    assert score_e4(unit(1, 0), unit(-1, 0)) == -10_000
    assert score_e4(unit(1, 1), unit(1, 0)) == 7071  # 0.70710678
    assert score_e4(unit(1, 1), unit(-1, 0)) == -7072


def test_a_score_stays_within_its_bounds_where_rounding_passes_them() -> None:
    long = np.array([1.0004, 0.0], np.float32)
    assert score_e4(long, long) == 10_000
    assert score_e4(long, -long) == -10_000


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (unit(1, 0), unit(1, 0, 0)),
        (np.zeros((2, 2), np.float32), np.zeros((2, 2), np.float32)),
        (unit(1, 0), np.array([np.nan, 0], np.float32)),
        (np.array([np.inf, 0], np.float32), unit(1, 0)),
    ],
)
def test_vectors_that_do_not_belong_together_are_not_compared(
    left: FloatVector, right: FloatVector
) -> None:
    with pytest.raises(TemplateMismatchError, match="one model and one transform"):
        score_e4(left, right)


def test_a_vector_crosses_the_wire_bit_by_bit() -> None:
    vector = unit(0.1, -0.2, 0.3)
    content = pack_vector(vector)
    assert len(content) == 12
    assert parse_vector(content, 3).tolist() == vector.tolist()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "found 0 bytes, expected 8"),
        (bytes(12), "found 12 bytes, expected 8"),
        (bytes(8), "length 0"),
        (np.array([1, 1], "<f4").tobytes(), "length 1.414"),
        (np.array([np.nan, 1], "<f4").tobytes(), "length nan"),
        (np.array([np.inf, 1], "<f4").tobytes(), "length inf"),
        (np.array([3e38, 3e38], "<f4").tobytes(), "length 4.243e.38"),
    ],
)
def test_bytes_that_are_no_unit_vector_are_refused(content: bytes, expected: str) -> None:
    with pytest.raises(TemplateMismatchError, match=expected):
        parse_vector(content, 2)


def test_the_row_that_is_no_unit_vector_is_named() -> None:
    rows = units(3, 4)
    assert verify_units(rows) is rows
    rows[2] = 0
    with pytest.raises(TemplateMismatchError, match="row 2"):
        verify_units(rows)


def test_a_search_gives_the_best_first_and_equal_ones_by_id() -> None:
    rows = np.stack([unit(1, 0), unit(3, 1), unit(1, 0), unit(0, 1)])
    gallery = Gallery(rows, [b"d", b"b", b"a", b"c"])
    assert len(gallery) == 4
    assert gallery.search(unit(1, 0), 5000, 5) == ((b"a", 10_000), (b"d", 10_000), (b"b", 9486))
    assert gallery.search(unit(1, 0), 5000, 1) == ((b"a", 10_000),)
    assert gallery.search(unit(-1, 0), 1, 5) == ()


def test_an_empty_gallery_finds_nobody() -> None:
    assert Gallery(np.empty((0, 4), np.float32), []).search(unit(1, 0, 0, 0), 0, 3) == ()


@pytest.mark.parametrize("limit", [1, 3, 2000])
def test_a_threshold_that_all_pass_still_gives_the_best_few(limit: int) -> None:
    rows = units(20_000, 8)
    rows[17_000:] = rows[4]  # Ties among the best.
    ids = [number.to_bytes(4, "big") for number in range(len(rows))]
    found = Gallery(rows, ids).search(rows[4], -10_000, limit)
    exact = (rows * rows[4].astype(np.float64)).sum(axis=1)
    expected = sorted(range(len(rows)), key=lambda row: (-exact[row], ids[row]))[:limit]
    assert [who for who, _ in found] == [ids[row] for row in expected]


def test_a_search_reads_a_table_that_cannot_be_written() -> None:
    rows = units(10, 8)
    rows.setflags(write=False)
    assert Gallery(rows, [bytes([row]) for row in range(10)]).search(rows[3], 9999, 1) == (
        (b"\x03", score_e4(rows[3], rows[3])),
    )


def test_a_search_by_another_model_or_for_nobody_is_refused() -> None:
    gallery = Gallery(units(3, 8), [b"a", b"b", b"c"])
    with pytest.raises(TemplateMismatchError, match=r"expected \(8,\)"):
        gallery.search(unit(1, 0), 5000, 5)
    with pytest.raises(TemplateMismatchError, match="length 0"):
        gallery.search(np.zeros(8, np.float32), 5000, 5)
    with pytest.raises(ValueError, match="expected at least 1"):
        gallery.search(units(1, 8)[0], 5000, 0)


@pytest.mark.parametrize(
    ("matrix", "count"),
    [
        (np.zeros((3, 8), np.float32), 2),
        (np.zeros((3, 8)), 3),
        (np.zeros(8, np.float32), 8),
    ],
)
def test_a_gallery_of_other_arrays_is_refused(matrix: FloatMatrix, count: int) -> None:
    with pytest.raises(TemplateMismatchError, match="ids for an array"):
        Gallery(matrix, [b"x"] * count)
