"""Division, curves, shrinkage and apportionment against fractions, at the ends of their ranges."""

from __future__ import annotations

import math
from contextlib import suppress
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scoring_kernel.arithmetic import (
    MAX_TERM,
    MAX_WHOLE,
    VALUE_LIMIT,
    half_up_int,
    quotient_by,
    quotient_micro,
    share_micro,
)
from scoring_kernel.curves import DistanceCurve, LinearCurve, LinearTable, StepCurve, table_of
from scoring_kernel.derivation import Derived
from scoring_kernel.errors import KernelInputError
from scoring_kernel.inputs import MAX_INPUT
from scoring_kernel.ops import NumpyOps
from scoring_kernel.redistribution import apportion
from scoring_kernel.reference import Reference
from scoring_kernel.shapes import threshold_limit
from scoring_kernel.shrinking import MAX_SHRUNK, shrink
from tests.support.kernel_oracle import divide

OPS = NumpyOps()
MICRO = 10**6

TOPS = st.one_of(
    st.integers(-100, 100),
    st.integers(-(10**12), 10**12),
    st.integers(-2 * MAX_INPUT, 2 * MAX_INPUT),
)
BOTTOMS = st.one_of(st.integers(1, 100), st.integers(1, 10**9), st.integers(1, MAX_INPUT))
# Quotients that are exactly half a millionth: n / 2_000_000 in lowest terms.
HALVES = st.builds(
    lambda odd, times: ((2 * odd + 1) * times, 2 * MICRO * times),
    st.integers(-(10**6), 10**6),
    st.integers(1, 4_000_000),
)


def floats(numbers: list[int]) -> npt.NDArray[np.float64]:
    return np.array(numbers, np.float64)


@settings(max_examples=500, deadline=None)
@given(st.lists(st.one_of(st.tuples(TOPS, BOTTOMS), HALVES), min_size=1, max_size=12))
@example([(1, 2_000_000), (-1, 2_000_000), (3, 2_000_000)])
@example([(2 * MAX_INPUT, 1), (-2 * MAX_INPUT, 1), (2 * MAX_INPUT, MAX_INPUT)])
@example([(MAX_WHOLE, 1), (MAX_WHOLE + 1, 1), (-MAX_WHOLE, 1), (-MAX_WHOLE - 1, 1)])
@example([(2 * MAX_WHOLE + 1, 2), (-2 * MAX_WHOLE - 1, 2), (MAX_INPUT, MAX_INPUT - 1)])
@example([(2 * MAX_INPUT - 1, MAX_INPUT), (1 - 2 * MAX_INPUT, MAX_INPUT), (-1, MAX_INPUT)])
@example([((MAX_WHOLE + 1) * 2222 + near, 2222) for near in (-1, 0, 1)])
@example([(-MAX_WHOLE * 2222 + near, 2222) for near in (-1, 0, 1)])
def test_a_quotient_is_exact_and_rounded_half_up(pairs: list[tuple[int, int]]) -> None:
    values, within = quotient_micro(
        OPS, floats([top for top, _ in pairs]), floats([bottom for _, bottom in pairs])
    )
    for (top, bottom), value, fits in zip(pairs, values.tolist(), within.tolist(), strict=True):
        assert fits == (abs(math.floor(Fraction(top, bottom))) <= MAX_WHOLE)
        if fits:
            assert int(value) == half_up_int(top * MICRO, bottom)
            assert abs(value) <= VALUE_LIMIT < 2**53


@settings(max_examples=500, deadline=None)
@given(
    st.lists(TOPS, min_size=1, max_size=12),
    st.one_of(BOTTOMS, st.sampled_from([1, 10, 12, 10_000, 3_000_000, MICRO, MAX_INPUT])),
)
@example([MAX_WHOLE, MAX_WHOLE + 1, -MAX_WHOLE, -MAX_WHOLE - 1], 1)
@example([2 * MAX_INPUT, -2 * MAX_INPUT], 2_222)
@example([(MAX_WHOLE + 1) * 2_221 + near for near in (-1, 0, 1)], 2_221)
@example([2 * MAX_INPUT, 4_499_999_999, -2_250_000_000, 2_250_000_000], 4_500_000_000)
@example([2 * MAX_INPUT, 4_499_999_999, -2_250_000_001, 1], 4_500_000_001)
def test_a_quotient_by_a_known_number_is_that_quotient(tops: list[int], bottom: int) -> None:
    values, within = quotient_by(OPS, floats(tops), bottom)
    expected, fits = quotient_micro(OPS, floats(tops), floats([bottom] * len(tops)))
    assert np.broadcast_to(within, fits.shape).tolist() == fits.tolist()
    assert values[fits].tolist() == expected[fits].tolist()


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(TOPS, BOTTOMS), min_size=1, max_size=12))
@example([(MAX_INPUT - 1, MAX_INPUT), (1, MAX_INPUT), (MAX_INPUT, 1), (-MAX_INPUT, 1)])
def test_a_share_is_exact_and_within_one(pairs: list[tuple[int, int]]) -> None:
    found = share_micro(
        OPS, floats([top for top, _ in pairs]), floats([bottom for _, bottom in pairs])
    )
    assert found.tolist() == [
        half_up_int(max(0, min(top, bottom)) * MICRO, bottom) for top, bottom in pairs
    ]


def test_every_intermediate_of_a_growth_is_exact() -> None:
    # The largest remainder, a thousand times, and half a divisor; the difference of two terms.
    assert 1000 * (MAX_INPUT // 2) + MAX_INPUT // 2 < 2**53
    assert 2 * MAX_TERM <= 2 * MAX_INPUT
    assert VALUE_LIMIT < 2**53


@st.composite
def lines(draw: st.DrawFn) -> tuple[int, LinearCurve, list[int]]:
    weight = draw(st.integers(1, 100_000))
    limit = threshold_limit(weight)
    ends = st.one_of(st.integers(-limit, limit), st.sampled_from([-limit, limit, 0]))
    zero, full = draw(ends), draw(ends)
    near = st.integers(min(zero, full) - 2, max(zero, full) + 2)
    values = draw(st.lists(st.one_of(st.integers(-VALUE_LIMIT, VALUE_LIMIT), near), min_size=1))
    return weight, LinearCurve(zero=zero if zero != full else zero + 1, full=full), values


@settings(max_examples=400, deadline=None)
@given(lines())
@example((100_000, LinearCurve(zero=-22_517_885_547, full=22_517_885_547), [-VALUE_LIMIT, 0, 1]))
@example((1, LinearCurve(zero=0, full=2), [0, 1, 2]))
def test_a_line_is_exact(case: tuple[int, LinearCurve, list[int]]) -> None:
    weight, curve, values = case
    table = LinearTable.of([curve], weight)
    found = table.points(OPS, floats(values), floats([0] * len(values)))
    for value, points in zip(values, found.tolist(), strict=True):
        share = Fraction(value - curve.zero, curve.full - curve.zero)
        part = max(Fraction(0), min(Fraction(1), share))
        assert points == math.floor(weight * part + Fraction(1, 2))


@settings(max_examples=300, deadline=None)
@given(
    weight=st.integers(1, 100_000),
    shares=st.tuples(st.integers(-1000, 1000), st.integers(0, 999), st.integers(1, 1000)),
    values=st.lists(st.integers(-VALUE_LIMIT, VALUE_LIMIT), min_size=1, max_size=6),
    steps=st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=6),
)
def test_a_distance_is_exact_on_both_sides(
    weight: int, shares: tuple[int, int, int], values: list[int], steps: list[int]
) -> None:
    limit = threshold_limit(weight)
    centre, full = limit * shares[0] // 1000, limit * shares[1] // 1000
    zero = full + max(1, (limit - full) * shares[2] // 1000)
    table = table_of([DistanceCurve(centre=centre, full=full, zero=zero)], weight)
    assert table is not None
    tried = [*values, *(centre + side * (full + step) for step in steps for side in (1, -1))]
    found = table.points(OPS, floats(tried), floats([0] * len(tried)))
    for value, points in zip(tried, found.tolist(), strict=True):
        share = Fraction(zero - abs(value - centre), zero - full)
        part = max(Fraction(0), min(Fraction(1), share))
        assert points == math.floor(weight * part + Fraction(1, 2))


def test_groups_without_a_curve_do_not_disturb_the_others() -> None:
    group = floats([0, 1, 2])
    line = table_of([None, LinearCurve(zero=0, full=4), LinearCurve(zero=0, full=8)], 100)
    around = table_of([None, *[DistanceCurve(centre=c, full=0, zero=4) for c in (0, 2)]], 100)
    stairs = [StepCurve(higher_is_better=True, at=(at,), points=(100,), rest=7) for at in (2, 3)]
    steps = table_of([None, *stairs], 100)
    assert line is not None
    assert around is not None
    assert steps is not None
    twos = floats([2, 2, 2])
    assert line.points(OPS, twos, group).tolist()[1:] == [50, 25]
    assert around.points(OPS, twos, group).tolist()[1:] == [50, 100]
    assert steps.points(OPS, twos, group).tolist()[1:] == [100, 7]
    assert table_of([None, None], 100) is None


@settings(max_examples=300, deadline=None)
@given(
    value=st.integers(-VALUE_LIMIT, VALUE_LIMIT) | st.integers(-MAX_SHRUNK, MAX_SHRUNK),
    median=st.none() | st.integers(-MAX_SHRUNK - 1, MAX_SHRUNK + 1),
    cases=st.integers(-5, 1_005) | st.sampled_from([-MAX_INPUT, MAX_INPUT]),
    least=st.integers(2, 1_000),
)
@example(value=MAX_SHRUNK, median=MAX_SHRUNK, cases=1, least=1_000)
@example(value=-MAX_SHRUNK, median=-MAX_SHRUNK, cases=999, least=1_000)
@example(value=MAX_SHRUNK + 1, median=0, cases=1, least=2)
@example(value=0, median=MAX_SHRUNK + 1, cases=1, least=2)
def test_shrinkage_is_exact(value: int, median: int | None, cases: int, least: int) -> None:
    yes = np.ones(1, np.bool_)
    found = shrink(
        OPS,
        Derived(value=floats([value]), present=yes, beyond=~yes),
        sample=(floats([cases]), yes),
        least=least,
        medians=[median],
        group=floats([0]),
    )
    flags = [bool(flag[0]) for flag in (found.present, found.beyond, found.lacking, found.shrunk)]
    own = max(0, min(cases, least))
    if own == least:
        assert (flags, int(found.value[0])) == ([True, False, False, False], value)
    elif abs(value) > MAX_SHRUNK:
        assert flags == [False, True, False, False]
    elif median is None or abs(median) > MAX_SHRUNK:
        assert flags == [False, False, True, False]
    else:
        moved = half_up_int(value * own + median * (least - own), least)
        assert (flags, int(found.value[0])) == ([True, False, False, True], moved)


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, 100_000),
    st.lists(st.integers(0, 100_000 // 12), min_size=1, max_size=12),
)
@example(total=10, weights=[1, 1, 1, 0])
@example(total=100_000, weights=[0])
@example(total=3, weights=[1, 1])
def test_apportion_gives_everything_away_once(total: int, weights: list[int]) -> None:
    # A group of which nobody is left was given nothing to divide.
    total = total if any(weights) else 0
    found = apportion(OPS, floats([total]), [floats([weight]) for weight in weights])
    shares = [int(share[0]) for share in found]
    assert shares == divide(total, weights)
    assert sum(shares) == total
    assert all(share == 0 for share, weight in zip(shares, weights, strict=True) if weight == 0)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_reference_or_our_error(content: bytes) -> None:
    for data in (content, b'{"day":"2026-06-30","format":1,"model_digest":' + content):
        with suppress(KernelInputError):
            assert Reference.from_json(data).to_json() == data
