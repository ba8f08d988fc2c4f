"""One-dimensional k-means against every partition and against plain loops."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring_kernel.composite.clustering import find_optimal_clusters, find_seeded_clusters
from tests.support.composite_oracle import cost, least_cost, lloyd

WHOLE = st.lists(st.integers(-30, 30).map(float), min_size=1, max_size=10)
REAL = st.lists(st.floats(-1e6, 1e6, allow_nan=False), min_size=1, max_size=10)
CLUSTERS = st.integers(2, 5)
PASSES = st.lists(st.none() | st.sampled_from([0.25, 1.0, 3.0, 50.0]), min_size=1, max_size=3)


@given(scores=WHOLE, clusters=CLUSTERS)
def test_no_partition_of_whole_scores_is_better_than_the_optimum(
    scores: list[float], clusters: int
) -> None:
    found = find_optimal_clusters(np.array(scores), clusters)
    if found is None:
        assert len(set(scores)) < clusters
    else:
        assert cost(scores, found.places.tolist()) == least_cost(scores, clusters)
        assert set(found.places.tolist()) == set(range(clusters))


@given(scores=REAL, clusters=CLUSTERS)
def test_no_partition_of_real_scores_is_better_beyond_rounding(
    scores: list[float], clusters: int
) -> None:
    found = find_optimal_clusters(np.array(scores), clusters)
    if found is not None:
        spread = max(scores) - min(scores)
        best = float(least_cost(scores, clusters))
        assert float(cost(scores, found.places.tolist())) <= best + 1e-12 * spread * spread
        assert list(found.centres) == sorted(found.centres)


@given(
    scores=st.lists(st.floats(-3, 3).map(lambda one: round(one, 3)), min_size=1, max_size=40),
    clusters=CLUSTERS,
    passes=PASSES,
)
def test_seeded_passes_are_those_of_plain_loops(
    scores: list[float], clusters: int, passes: list[float | None]
) -> None:
    found = find_seeded_clusters(np.array(scores), clusters, passes, 1000)
    expected = lloyd(scores, clusters, passes)
    assert (None if found is None else found.places.tolist()) == expected


@given(scores=WHOLE, clusters=CLUSTERS)
def test_seeded_clusters_never_beat_the_optimum(scores: list[float], clusters: int) -> None:
    seeded = find_seeded_clusters(np.array(scores), clusters, [None], 1000)
    optimal = find_optimal_clusters(np.array(scores), clusters)
    if seeded is not None:
        assert optimal is not None
        assert cost(scores, optimal.places.tolist()) <= cost(scores, seeded.places.tolist())


@settings(max_examples=15)
@given(scores=st.lists(st.floats(-3, 3), min_size=100, max_size=200, unique=True))
def test_many_scores_are_parted_as_by_the_plain_quadratic_search(scores: list[float]) -> None:
    """Least cost of two clusters by trying every cut with running sums."""
    found = find_optimal_clusters(np.array(scores), 2)
    assert found is not None
    ordered = np.sort(np.array(scores))
    costs = [
        float(((part - part.mean()) ** 2).sum() + ((rest - rest.mean()) ** 2).sum())
        for part, rest in ((ordered[:cut], ordered[cut:]) for cut in range(1, len(ordered)))
    ]
    mine = sum(
        float(((part - part.mean()) ** 2).sum())
        for part in (np.array(scores)[found.places == place] for place in (0, 1))
    )
    assert abs(mine - min(costs)) < 1e-9
