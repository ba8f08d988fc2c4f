"""Errors counted exactly, against plain counting."""

from __future__ import annotations

import numpy as np
import pytest

from scoring_kernel.errors import KernelInputError
from scoring_kernel.faces.error_rates import ErrorRates, Rate, accepted_from, wilson
from scoring_kernel.faces.pairs import PairLabels, Scores

GENUINE = (9_000, 5_000, 5_000, 4_000, -10_000)
IMPOSTOR = (5_000, 4_500, 100, 0, -10_000, -10_000, -3, 7, 10_000, 20)


def scores(genuine: tuple[int, ...] = GENUINE, impostor: tuple[int, ...] = IMPOSTOR) -> Scores:
    same = [True] * len(genuine) + [False] * len(impostor)
    return Scores(
        e4=np.array(genuine + impostor, dtype=np.int64), labels=PairLabels(same=np.array(same))
    )


@pytest.mark.parametrize("threshold", [-10_000, -9_999, 0, 1, 4_500, 4_501, 5_000, 10_000, 10_001])
def test_rates_are_shares_at_or_above_the_threshold(threshold: int) -> None:
    rates = ErrorRates(scores())
    tar, far = rates.tar(threshold), rates.far(threshold)
    assert (tar.count, tar.of) == (sum(one >= threshold for one in GENUINE), 5)
    assert (far.count, far.of) == (sum(one >= threshold for one in IMPOSTOR), 10)
    assert rates.balanced_accuracy(threshold) == (tar.share + 1 - far.share) / 2


@pytest.mark.parametrize(
    ("far_e6", "threshold"),
    [(1_000_000, -10_000), (800_000, -9_999), (799_999, -2), (200_000, 4_501), (100_000, 5_001)],
)
def test_the_smallest_threshold_within_the_target(far_e6: int, threshold: int) -> None:
    assert ErrorRates(scores()).find_threshold(far_e6) == threshold


def test_a_target_below_the_share_of_perfect_scores_is_out_of_reach() -> None:
    assert ErrorRates(scores()).find_threshold(99_999) is None


def test_equal_errors_best_threshold_and_area_by_hand() -> None:
    apart = ErrorRates(scores((9_000, 8_000), (1_000, 2_000)))
    assert apart.equal_errors() == (0.0, 2_001)
    assert (apart.best_threshold(), apart.area()) == (2_001, 1.0)
    alike = ErrorRates(scores((1, 2), (1, 2)))
    assert alike.area() == 0.5
    pairs = [(g, i) for g in GENUINE for i in IMPOSTOR]
    won = sum((g > i) + (g == i) / 2 for g, i in pairs)
    assert ErrorRates(scores()).area() == pytest.approx(won / len(pairs))


def test_the_curve_holds_every_change_and_is_monotone() -> None:
    far, frr = ErrorRates(scores()).curve()
    assert (far[0], frr[0], far[-1], frr[-1]) == (1.0, 0.0, 0.0, 1.0)
    assert (np.diff(far) <= 0).all()
    assert (np.diff(frr) >= 0).all()
    assert len(far) == len({*GENUINE, *IMPOSTOR}) + 1


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [(0, 10, 0, 277_533), (10, 10, 722_467, 1_000_000), (1, 10, 17_876, 404_151)],
)
def test_wilson_as_published_calculators_give_it(count: int, of: int, low: int, high: int) -> None:
    assert wilson(count, of) == Rate(count=count, of=of, low_e6=low, high_e6=high)


def test_a_rate_widens_outwards_and_has_its_complement() -> None:
    rate = Rate(count=1, of=3, low_e6=100_000, high_e6=600_000)
    assert rate.widened(0.2, 0.7) == Rate(count=1, of=3, low_e6=100_000, high_e6=700_000)
    assert rate.complement() == Rate(count=2, of=3, low_e6=400_000, high_e6=900_000)
    assert rate.complement().e6 == 666_667


@pytest.mark.parametrize(
    ("count", "of", "confidence"), [(-1, 5, 9_500), (6, 5, 9_500), (0, 0, 9_500), (0, 5, 10_000)]
)
def test_a_share_out_of_bounds_is_refused(count: int, of: int, confidence: int) -> None:
    with pytest.raises(KernelInputError, match="a share of"):
        wilson(count, of, confidence)


@pytest.mark.parametrize("one", [-10_001, 10_001])
def test_a_score_out_of_bounds_is_refused(one: int) -> None:
    with pytest.raises(KernelInputError, match="outside"):
        accepted_from(np.array([0, one]))


@pytest.mark.parametrize("of", [scores((), IMPOSTOR), scores(GENUINE, ())])
def test_one_kind_alone_has_no_rates(of: Scores) -> None:
    with pytest.raises(KernelInputError, match="expected both"):
        ErrorRates(of)


def test_no_scores_accept_nothing() -> None:
    assert not accepted_from(np.zeros(0, dtype=np.int64)).any()
