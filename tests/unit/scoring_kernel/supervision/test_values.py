from __future__ import annotations

import math
import statistics
from fractions import Fraction

import pytest

from scoring_kernel.supervision import values


def test_a_half_goes_up_also_below_zero() -> None:
    assert [values.half_up(top, 2) for top in (-3, -1, 1, 3)] == [-1, 0, 1, 2]


@pytest.mark.parametrize("numbers", [[5], [1, 2], [3, 1, 2], [9, -4, 7, 7]])
def test_the_median_is_the_ordinary_one(numbers: list[int]) -> None:
    assert Fraction(values.median_twice(numbers), 2) == Fraction(statistics.median(numbers))


def test_robust_z_by_hand() -> None:
    # Median 3, distances 2 1 0 1 7, MAD 1: (10 - 3) / 1.4826 = 4.721435...
    assert values.robust_z([1, 2, 3, 4, 10]) == [-1_348_982, -674_491, 0, 674_491, 4_721_435]


def test_a_group_that_mostly_agrees_has_none() -> None:
    assert values.robust_z([4, 4, 4, 4, 90]) is None
    assert values.robust_z([4]) is None


def test_roots_logarithms_and_entropy_are_rounded_where_they_should() -> None:
    for number in (1, 2, 3, 10, 12_345, 10**12):
        assert abs(values.root(number, 7) - math.sqrt(number / 7) * 1e6) <= 0.5 + 1e-3
        assert abs(values.logarithm(number) - math.log(number) * 1e6) <= 0.5 + 1e-6
    shares = [0.5, 0.25, 0.25]
    entropy = -sum(share * math.log(share) for share in shares) / math.log(3)
    assert values.evenness([2, 1, 1]) == round(entropy * 1e6)


def test_a_class_that_nobody_was_in_counts_as_half_a_member() -> None:
    expected = (0.5 - 0.005) * math.log(0.5 / 0.005)
    assert values.instability(0, 50, 100, 100) == round(expected * 1e6)


def test_decimal_texts() -> None:
    texts = [values.decimal_text(one, 1_000_000, 2) for one in (1_005_000, -1_005_000, 4_999, 0)]
    assert texts == ["1.01", "-1.00", "0.00", "0.00"]
