"""Samples: repeatable, without a bias, and as sure as they say."""

import hashlib
import math
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from security.errors import SpotCheckError
from security.spot.probability import certainties, detection
from security.spot.sampling import MAX_SAMPLE, make_seed, sample

SEED = bytes(range(32))


@given(st.integers(0, 5_000), st.integers(0, 400))
def test_a_sample_is_distinct_in_range_and_repeatable(population: int, size: int) -> None:
    drawn = sample(SEED, "records", population, size)
    assert len(set(drawn)) == len(drawn) == min(population, size)
    assert all(0 <= place < population for place in drawn)
    assert drawn == sample(SEED, "records", population, size)


def test_other_seeds_and_other_names_draw_otherwise() -> None:
    one = sample(SEED, "records", 10**6, 50)
    assert one != sample(SEED, "clearing", 10**6, 50)
    assert one != sample(make_seed("a", "b"), "records", 10**6, 50)
    assert make_seed("a", "bc") != make_seed("ab", "c")


def test_no_place_is_drawn_more_often_than_chance() -> None:
    counts = [0] * 7
    for number in range(7_000):
        seed = hashlib.sha256(number.to_bytes(4, "big")).digest()
        for place in sample(seed, "records", 7, 1):
            counts[place] += 1
    # Chi-squared with 6 degrees of freedom: 22.5 is passed once in 1,000 sound generators; the
    # seeds are fixed, so this one is sound or not for good.
    assert sum((count - 1000) ** 2 / 1000 for count in counts) < 22.5


@pytest.mark.parametrize(("seed", "size"), [(b"short", 1), (SEED, -1), (SEED, MAX_SAMPLE + 1)])
def test_what_is_out_of_bounds_is_refused(seed: bytes, size: int) -> None:
    with pytest.raises(SpotCheckError):
        sample(seed, "records", 10, size)


@given(st.integers(1, 9), st.data())
def test_the_probability_is_the_share_of_all_samples(population: int, data: st.DataObject) -> None:
    bad = data.draw(st.integers(0, population))
    size = data.draw(st.integers(0, population))
    samples = list(combinations(range(population), size))
    caught = sum(any(place < bad for place in one) for one in samples)
    assert math.isclose(detection(population, bad, size), caught / len(samples), abs_tol=1e-12)


def test_the_printed_probability_is_the_share_of_seeds_that_catch_it() -> None:
    population, bad, size = 2_000, 20, 150
    caught = 0
    for number in range(2_000):
        seed = hashlib.sha256(b"catch" + number.to_bytes(4, "big")).digest()
        caught += sample(seed, "records", population, size)[0] < bad
    expected = detection(population, bad, size)
    # Four standard deviations of a share of 2,000 draws.
    assert abs(caught / 2_000 - expected) < 4 * math.sqrt(expected * (1 - expected) / 2_000)


def test_the_bound_of_the_law_is_never_above_the_exact_value() -> None:
    for sure in certainties(100_000, 300):
        assert sure.probability >= 1 - (1 - sure.share) ** 300 - 1e-12
    assert [sure.bad for sure in certainties(100_000, 300)] == [100, 500, 1_000, 2_000, 5_000]
    assert {sure.probability for sure in certainties(3, 300)} == {1.0}


def test_impossible_numbers_are_refused() -> None:
    for population, bad, size in ((10, 11, 1), (10, -1, 1), (10, 1, 11)):
        with pytest.raises(SpotCheckError, match="population of 10"):
            detection(population, bad, size)
