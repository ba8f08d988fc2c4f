"""Division, shapes and apportionment against fractions, at the ends of their ranges."""

from __future__ import annotations

import math
from contextlib import suppress
from fractions import Fraction

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scoring_kernel.derivation import VALUE_LIMIT, ratio_micro
from scoring_kernel.errors import KernelInputError
from scoring_kernel.measures import MAX_VALUE
from scoring_kernel.parameters import LIMIT_MICRO
from scoring_kernel.redistribution import apportion
from scoring_kernel.reference import Reference
from scoring_kernel.shapes import linear_points
from tests.support.kernel_oracle import divide

TOPS = st.one_of(
    st.integers(-100, 100),
    st.integers(-(10**12), 10**12),
    st.integers(-2 * MAX_VALUE, 2 * MAX_VALUE),
)
BOTTOMS = st.one_of(st.integers(1, 100), st.integers(1, 10**13), st.integers(1, MAX_VALUE))


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(TOPS, BOTTOMS), min_size=1, max_size=12))
@example([(1, 2_000_000), (-1, 2_000_000), (3, 2_000_000)])
@example([(2 * MAX_VALUE, 1), (-2 * MAX_VALUE, 1)])
@example([(4_000_000_000_000, MAX_VALUE), (4_000_000_000_001, MAX_VALUE)])
def test_ratio_micro_is_the_exact_quotient_rounded_half_up(pairs: list[tuple[int, int]]) -> None:
    tops = np.array([top for top, _ in pairs], np.int64)
    bottoms = np.array([bottom for _, bottom in pairs], np.int64)
    expected = [
        max(
            -VALUE_LIMIT,
            min(VALUE_LIMIT, math.floor(Fraction(top * 10**6, bottom) + Fraction(1, 2))),
        )
        for top, bottom in pairs
    ]
    assert ratio_micro(tops, bottoms).tolist() == expected


def test_ratio_micro_of_nothing_is_nothing() -> None:
    assert ratio_micro(np.zeros(0, np.int64), np.zeros(0, np.int64)).tolist() == []


@settings(max_examples=300, deadline=None)
@given(
    values=st.lists(st.integers(-VALUE_LIMIT, VALUE_LIMIT), min_size=1, max_size=12),
    weight=st.integers(1, 100_000),
    ends=st.tuples(st.integers(-LIMIT_MICRO, LIMIT_MICRO), st.integers(-LIMIT_MICRO, LIMIT_MICRO)),
    higher=st.booleans(),
)
@example(
    values=[-VALUE_LIMIT, VALUE_LIMIT],
    weight=100_000,
    ends=(-LIMIT_MICRO, LIMIT_MICRO),
    higher=True,
)
@example(values=[0, 1, 2], weight=1, ends=(0, 2), higher=True)
@example(values=[0, 1, 2], weight=1, ends=(2, 0), higher=False)
def test_linear_points_are_exact(
    values: list[int], weight: int, ends: tuple[int, int], *, higher: bool
) -> None:
    zero, full = ends
    got = linear_points(np.array(values, np.int64), weight, zero, full, higher_is_better=higher)
    sign = 1 if higher else -1
    for value, points in zip(values, got.tolist(), strict=True):
        if sign * (full - zero) <= 0:
            assert points == (weight if sign * (value - full) >= 0 else 0)
        else:
            share = max(Fraction(0), min(Fraction(1), Fraction(value - zero, full - zero)))
            assert points == math.floor(weight * share + Fraction(1, 2))


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, 100_000),
    st.lists(st.integers(0, 100_000), min_size=1, max_size=12),
)
def test_apportion_gives_everything_away_once(total: int, weights: list[int]) -> None:
    shares = apportion(np.array([total]), np.array([weights]))[0].tolist()
    assert shares == divide(total, weights)
    assert sum(shares) == (total if any(weights) else 0)
    assert all(share == 0 for share, weight in zip(shares, weights, strict=True) if weight == 0)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_reference_or_our_error(content: bytes) -> None:
    for data in (content, b'{"day":"2026-06-30","format":1,"model_digest":' + content):
        with suppress(KernelInputError):
            assert Reference.from_json(data).to_json() == data
