"""Bands among peers: cuts, quantiles, clusters, and peer groups that are too small."""

from __future__ import annotations

import numpy as np
import pytest

from scoring_kernel.composite.clustering import find_seeded_clusters
from scoring_kernel.composite.rating import band_subjects
from scoring_kernel.errors import KernelInputError
from tests.support.composite_models import small_composite, with_banding

ALL = ("by: reported_groups", "by: none")


def band(
    scores: list[float],
    *changes: tuple[str, str],
    reported: list[int] | None = None,
    rated: list[bool] | None = None,
) -> list[str]:
    model = small_composite(*changes)
    places, _ = band_subjects(
        model,
        np.array(scores),
        np.ones(len(scores), np.bool_) if rated is None else np.array(rated),
        np.full(len(scores), 3) if reported is None else np.array(reported),
    )
    names = [*(one.id for one in model.bands), "-"]
    return [names[place] for place in places]


def test_a_score_on_a_fixed_cut_is_in_the_upper_band() -> None:
    below = float(np.nextafter(0.5, 0))
    assert band([0.5, below, -0.5, -0.6], with_banding("kind: cuts", "0.5", "-0.5")) == [
        "high",
        "middle",
        "middle",
        "low",
    ]


def test_quantiles_are_nearest_ranks_and_belong_to_the_upper_band() -> None:
    cuts = with_banding("kind: quantiles", "0.8", "0.3")
    scores = [float(one) for one in range(10, 0, -1)]
    assert band(scores, cuts) == ["high"] * 3 + ["middle"] * 5 + ["low"] * 2


def test_quantiles_of_a_single_subject_put_it_on_top() -> None:
    assert band([7.0], with_banding("kind: quantiles", "0.8", "0.3")) == ["high"]


@pytest.mark.parametrize("number", [2, 3])
def test_clusters_are_found_within_a_peer_group_alone(number: int) -> None:
    """The same scores give the same bands, whatever the other peer group looks like."""
    mine = [0.0, 0.1, 1.0, 1.1, 2.0, 2.1]
    others = [one * 50 for one in mine]
    reported = [number] * 6 + [5 - number] * 6
    found = band(mine + others, reported=reported)
    assert found[:6] == ["low", "low", "middle", "middle", "high", "high"]
    one_pass = ('    - {strict: "1"}\n', "")
    together = band(mine + others, ALL, one_pass, reported=reported)
    assert together[:6] == ["low", "low", "low", "low", "middle", "middle"]


def test_a_subject_that_is_not_rated_moves_no_cluster() -> None:
    scores = [0.0, 0.1, 1.0, 1.1, 2.0, 2.1, 900.0]
    rated = [True] * 6 + [False]
    assert band(scores, rated=rated) == ["low", "low", "middle", "middle", "high", "high", "-"]


def test_the_strict_distance_keeps_an_outlier_in_its_band_and_out_of_the_centre() -> None:
    scores = np.array([0.0, 0.1, 0.2, 1.0, 1.1, 1.2, 2.0, 2.1, 2.2, 4.1])
    loose = find_seeded_clusters(scores, 3, [None], 100)
    strict = find_seeded_clusters(scores, 3, [None, 1.2], 100)
    assert loose is not None
    assert strict is not None
    assert loose.centres == pytest.approx((0.1, 1.1, 2.6))
    assert strict.centres == pytest.approx((0.1, 1.1, 2.1))
    assert strict.places.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 2]


def test_equally_near_is_the_lower_cluster() -> None:
    found = find_seeded_clusters(np.array([0.0, 0.0, 1.0, 2.0, 2.0]), 2, [None], 100)
    assert found is not None
    assert found.places.tolist() == [0, 0, 0, 1, 1]


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ([0.0, 1.0], "2 subjects with 3 reported groups have 2 distinct scores"),
        ([1.0] * 5, "5 subjects with 3 reported groups have 1 distinct scores"),
        ([0.0, 1.0, 1.0, 1.0, 1.0, 2.0], "do not part into 3 bands"),
    ],
    ids=["fewer_than_clusters", "all_equal", "seeds_coincide"],
)
def test_a_peer_group_that_does_not_part_is_refused_or_not_rated(
    scores: list[float], words: str
) -> None:
    assert band(scores) == ["-"] * len(scores)
    with pytest.raises(KernelInputError, match="too_few: not_rated") as caught:
        band(scores, ("too_few: not_rated", "too_few: refuse"))
    assert words in str(caught.value)


def test_the_optimum_too_needs_distinct_scores() -> None:
    optimal = with_banding("kind: optimal_k_means, too_few: refuse")
    assert band([0.0, 1.0, 1.0, 1.0, 1.0, 2.0], optimal) == ["low", *["middle"] * 4, "high"]
    with pytest.raises(KernelInputError, match="3 all subjects have 2 distinct scores"):
        band([0.0, 1.0, 1.0], optimal, ALL)


def test_a_cluster_that_loses_all_its_scores_is_no_partition() -> None:
    """All scores lie farther from their seed than the strict distance."""
    assert find_seeded_clusters(np.array([0.0, 1.0, 10.0, 11.0]), 2, [0.1], 100) is None
    assert find_seeded_clusters(np.array([0.0, 1.0, 10.0, 11.0]), 2, [0.1, None], 100) is None


def test_a_pass_that_does_not_end_is_refused() -> None:
    scores = np.array([0.0, 1.0, 2.0, 3.0, 10.0])
    with pytest.raises(KernelInputError, match="scores still move after 1 rounds"):
        find_seeded_clusters(scores, 2, [None], 1)


def test_empty_peer_groups_are_listed_with_nobody() -> None:
    model = small_composite(("too_few: not_rated", "too_few: refuse"))
    scores = np.array([0.0, 0.1, 1.0, 1.1, 2.0, 2.1])
    places, peers = band_subjects(model, scores, np.ones(6, np.bool_), np.full(6, 2))
    assert places.tolist() == [2, 2, 1, 1, 0, 0]
    two, three = peers
    assert (two.reported_groups, two.size, two.banded) == (2, 6, True)
    assert two.centres == pytest.approx((2.05, 1.05, 0.05))
    assert (three.reported_groups, three.size, three.banded, three.centres) == (3, 0, False, ())
    nobody, both = band_subjects(model, scores, np.zeros(6, np.bool_), np.full(6, 2))
    assert nobody.tolist() == [-1] * 6
    assert [one.size for one in both] == [0, 0]
