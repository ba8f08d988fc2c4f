"""Laws of comparing: no rounding lets a pair pass, and a search is comparing row by row."""

from __future__ import annotations

from itertools import pairwise
from math import ceil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring_kernel.errors import TemplateMismatchError
from scoring_kernel.faces.examined import LivenessAnswer
from scoring_kernel.faces.matching import (
    Gallery,
    pack_vector,
    parse_vector,
    score_e4,
    verify_units,
)
from scoring_kernel.faces.transform import protect, rekey_matrix, transform_matrix
from scoring_kernel.faces.verdict import Finding, Found, Verdict, judge
from tests.support.face_vectors import units

keys = st.binary(min_size=32, max_size=32)
seeds = st.integers(0, 10_000)
dimensions = st.sampled_from([2, 3, 16, 128])
scores = st.integers(-10_000, 10_000)


@given(seed=seeds, dimension=dimensions, threshold=st.floats(-1, 1))
def test_no_rounding_lets_a_pair_below_a_threshold_pass(
    seed: int, dimension: int, threshold: float
) -> None:
    left, right = units(2, dimension, seed)
    exact = float((left.astype(np.float64) * right).sum())
    passes = score_e4(left, right) >= ceil(threshold * 10_000)
    assert not passes or exact >= threshold
    assert passes or exact < threshold + 2e-4
    assert score_e4(left, right) == score_e4(right, left)


@given(
    seed=seeds,
    dimension=dimensions,
    count=st.integers(1, 60),
    kinds=st.integers(1, 60),
    threshold=scores,
    limit=st.integers(1, 70),
)
def test_a_search_gives_what_comparing_row_by_row_gives(
    *, seed: int, dimension: int, count: int, kinds: int, threshold: int, limit: int
) -> None:
    rows = units(kinds, dimension, seed)[np.arange(count) % kinds]  # With equal rows among them.
    probe = rows[seed % count]
    ids = [bytes([(7 * row) % 251]) for row in range(count)]
    exact = [float((row.astype(np.float64) * probe).sum()) for row in rows]
    order = sorted(range(count), key=lambda row: (-exact[row], ids[row]))
    expected = [(ids[row], score_e4(probe, rows[row])) for row in order]
    expected = [one for one in expected if one[1] >= threshold][:limit]
    found = Gallery(np.ascontiguousarray(rows), ids).search(probe, threshold, limit)
    assert list(found) == expected


@given(seed=seeds, dimension=dimensions, key=keys)
def test_a_transform_keeps_every_cosine(seed: int, dimension: int, key: bytes) -> None:
    rows = units(12, dimension, seed)
    moved = protect(rows, transform_matrix(key, dimension))
    before = rows.astype(np.float64) @ rows.astype(np.float64).T
    after = moved.astype(np.float64) @ moved.astype(np.float64).T
    assert np.abs(before - after).max() < 1e-6
    verify_units(moved)


@given(seed=seeds, dimension=dimensions, chain=st.lists(keys, min_size=2, max_size=5))
def test_keys_follow_one_another_as_if_the_last_had_been_the_first(
    seed: int, dimension: int, chain: list[bytes]
) -> None:
    rows = units(5, dimension, seed)
    matrices = [transform_matrix(key, dimension) for key in chain]
    moved = protect(rows, matrices[0])
    for old, new in pairwise(matrices):
        moved = protect(moved, rekey_matrix(old, new))
    assert np.abs(moved - protect(rows, matrices[-1])).max() < 1e-5


@given(one=keys, other=keys, seed=seeds)
def test_two_keys_make_strangers_of_one_face(one: bytes, other: bytes, seed: int) -> None:
    rows = units(64, 128, seed)
    first, second = (protect(rows, transform_matrix(key, 128)) for key in (one, other))
    cosines = (first * second).sum(axis=1)
    if one == other:
        assert float(cosines.min()) > 0.999
    else:  # Strangers have a mean of 0 and a spread of 0.088; the bound is 11 of the mean's.
        assert abs(float(cosines.mean())) < 0.13


@given(content=st.binary(max_size=40))
def test_any_bytes_are_a_unit_vector_or_refused(content: bytes) -> None:
    try:
        vector = parse_vector(content, 8)
    except TemplateMismatchError:
        return
    assert pack_vector(vector) == content
    assert abs(float(np.linalg.norm(vector.astype(np.float64))) - 1) <= 1e-3


@given(seed=seeds, dimension=dimensions)
def test_a_vector_is_read_as_it_was_written(seed: int, dimension: int) -> None:
    vector = units(1, dimension, seed)[0]
    assert parse_vector(pack_vector(vector), dimension).tolist() == vector.tolist()


@given(
    score=scores,
    more=st.integers(0, 20_000),
    threshold=st.none() | scores,
    lives=st.sampled_from(LivenessAnswer),
    required=st.booleans(),
)
def test_a_better_score_never_turns_a_match_into_anything_else(
    score: int, more: int, threshold: int | None, lives: LivenessAnswer, *, required: bool
) -> None:
    def verdict(value: int) -> Verdict:
        found = Found(finding=Finding.COMPARED, score_e4=value, liveness=lives)
        return judge(found, threshold, liveness_required=required)[0]

    worse, better = verdict(score), verdict(min(10_000, score + more))
    assert worse is not Verdict.MATCH or better is Verdict.MATCH
    if better is Verdict.MATCH:
        assert threshold is not None
        assert lives is not LivenessAnswer.SPOOF
        assert lives is LivenessAnswer.LIVE or not required
    if worse is not better:
        assert (worse, better) == (Verdict.MISMATCH, Verdict.MATCH)


@pytest.mark.parametrize("dimension", [2, 128])
def test_the_matrix_turns_every_direction_alike(dimension: int) -> None:
    # Entries of a Haar matrix have mean 0 and variance 1 / d; over 40 keys the mean of squares
    # of one row is exactly 1 / d, that of one place close to it.
    places = [transform_matrix(bytes([key]) * 32, dimension)[0, -1] for key in range(40)]
    assert abs(float(np.mean(places))) < 4 / np.sqrt(40 * dimension)
    assert 0.3 < float(np.mean(np.square(places))) * dimension < 2.5
