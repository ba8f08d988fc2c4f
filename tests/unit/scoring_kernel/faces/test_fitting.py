"""The threshold for a target, its interval, and what is too little to calibrate on."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from scoring_kernel.errors import CalibrationError
from scoring_kernel.faces.error_rates import ErrorRates, wilson
from scoring_kernel.faces.fitting import CalibrationResult, Method, calibrate, operate
from scoring_kernel.faces.pairs import PairLabels, Scores
from scoring_kernel.faces.subject_draws import SubjectDraws


def city(
    subjects: int = 20, each: int = 4, *, seed: int = 5, named: bool = True, groups: int = 0
) -> Scores:
    """Every pair of some subjects' images, whose scores hang on who they are."""
    rng = np.random.default_rng(seed)  # noqa: TID251  # a seeded test
    alike = rng.normal(0, 600, (subjects, subjects))
    rows = []
    for one, other in combinations([(s, i) for s in range(subjects) for i in range(each)], 2):
        left, right = one[0], other[0]
        mean = 5_500 if left == right else 500 + alike[left, right]
        rows.append((int(np.clip(rng.normal(mean, 900), -10_000, 10_000)), left, right))
    table = np.array(rows, dtype=np.int64)
    return Scores(
        e4=table[:, 0],
        labels=PairLabels(
            same=table[:, 1] == table[:, 2],
            left=table[:, 1] if named else None,
            right=table[:, 2] if named else None,
            subjects=subjects if named else 0,
            group=table[:, 1] % groups if groups else None,
            groups=tuple(f"g{groups - number}" for number in range(groups)),
        ),
    )


def fitted(
    scores: Scores, far_e6: int = 10_000, *, rounds: int = 200, confidence_e4: int = 9_500
) -> CalibrationResult:
    rng = np.random.default_rng(7)  # noqa: TID251  # a seeded test
    return calibrate(scores, far_e6, rng=rng, rounds=rounds, confidence_e4=confidence_e4)


def test_the_point_is_the_smallest_threshold_within_the_target() -> None:
    scores = city()
    found = fitted(scores)
    point = found.point.threshold_e4
    accepted = int((scores.impostor >= point).sum())
    assert accepted / len(scores.impostor) <= 0.01
    assert (scores.impostor >= point - 1).sum() / len(scores.impostor) > 0.01
    assert found.point.far.count == accepted
    assert found.point.tar.count == int((scores.genuine >= point).sum())
    assert (found.method, found.subjects, found.rounds) == (Method.SUBJECTS, 20, 200)
    assert found.low_e4 <= point <= found.cautious.threshold_e4


def test_the_interval_is_that_of_subjects_put_down_as_often_as_they_are_drawn() -> None:
    scores = city(12, 3)
    labels = scores.labels
    assert labels.left is not None
    assert labels.right is not None
    drawn = SubjectDraws(scores, np.random.default_rng(3), 200, lambda _: None)  # noqa: TID251
    told = drawn.thresholds(20_000, 9_000)
    rng = np.random.default_rng(3)  # noqa: TID251  # the same draws once more
    found = []
    for _ in range(200):
        times = np.bincount(rng.integers(0, 12, 12), minlength=12)
        repeated = [
            score
            for score, same, left, right in zip(
                scores.e4, labels.same, labels.left, labels.right, strict=True
            )
            if not same
            for _ in range(times[left] * times[right])
        ]
        ranked = sorted(repeated, reverse=True)
        found.append(ranked[len(ranked) * 2 // 100] + 1)
    assert told == (
        np.quantile(found, 0.05, method="lower"),
        np.quantile(found, 0.95, method="higher"),
    )


def test_subjects_tell_more_doubt_than_pairs() -> None:
    by_subject, by_pair = fitted(city()), fitted(city(named=False))
    assert by_subject.point.threshold_e4 == by_pair.point.threshold_e4
    assert (by_pair.method, by_pair.subjects, by_pair.rounds) == (Method.PAIRS, None, 0)

    def width(one: CalibrationResult) -> int:
        return one.cautious.threshold_e4 - one.low_e4

    assert width(by_subject) > width(by_pair) > 0


def test_without_subjects_wilson_holds_the_target_between_the_ends() -> None:
    scores = city(named=False)
    found, rates = fitted(scores), ErrorRates(scores)
    high, low = found.cautious.threshold_e4, found.low_e4
    assert rates.far(high).high_e6 <= 10_000 < rates.far(high - 1).high_e6
    assert rates.far(low).low_e6 <= 10_000 < rates.far(low - 1).low_e6
    assert found.cautious.far == rates.far(high)


def test_the_same_seed_gives_the_same_and_progress_is_told() -> None:
    done: list[int] = []
    rng = np.random.default_rng(7)  # noqa: TID251  # a seeded test
    again = calibrate(city(), 10_000, rng=rng, rounds=200, tell=done.append)
    assert again == fitted(city())
    assert done == list(range(1, 401))


def test_intervals_of_rates_are_never_narrower_than_of_independent_pairs() -> None:
    found = fitted(city())
    for operating in (found.point, found.cautious):
        for rate in (operating.tar, operating.far):
            plain = wilson(rate.count, rate.of)
            assert rate.low_e6 <= plain.low_e6 <= rate.e6 <= plain.high_e6 <= rate.high_e6


def test_a_threshold_is_tried_on_other_pairs() -> None:
    found, others = fitted(city()), city(16, 4, seed=11)
    rng = np.random.default_rng(7)  # noqa: TID251  # a seeded test
    high = found.cautious.threshold_e4
    (told,) = operate(others, (high,), rng=rng, rounds=200)
    assert (told.threshold_e4, told.far.of) == (high, len(others.impostor))
    assert told.far.count == int((others.impostor >= high).sum())
    plain = wilson(told.tar.count, told.tar.of)
    assert told.tar.low_e6 <= plain.low_e6 <= plain.high_e6 <= told.tar.high_e6
    nameless = city(16, 4, seed=11, named=False)
    (alone,) = operate(nameless, (high,), rng=rng, rounds=200)
    assert alone.tar == plain


def test_groups_are_told_by_name_and_small_ones_are_not_judged() -> None:
    scores = city(20, 4, groups=3)
    found = fitted(scores)
    assert [one.name for one in found.groups] == ["g1", "g2", "g3"]
    first = found.groups[0]  # Number 2 of the table.
    assert scores.labels.left is not None
    own = scores.labels.left % 3 == 2
    genuine = scores.e4[own & scores.labels.same]
    high = found.cautious.threshold_e4
    assert first.frr is not None
    assert (first.genuine, first.frr.count) == (len(genuine), int((genuine < high).sum()))
    assert first.far is not None
    assert first.far.count == int((scores.e4[own & ~scores.labels.same] >= high).sum())

    few = fitted(city(20, 4, groups=20))
    last = next(one for one in few.groups if one.name == "g1")  # Subject 19 with itself alone.
    assert (last.subjects, last.genuine, last.impostor) == (1, 6, 0)
    assert (last.far, last.frr) == (None, None)


def test_a_group_of_one_kind_has_one_rate() -> None:
    scores = city(20, 4, named=False)
    labels = PairLabels(
        same=scores.labels.same, group=scores.labels.same.astype(np.int64), groups=("two", "one")
    )
    one, two = fitted(Scores(e4=scores.e4, labels=labels)).groups
    assert (one.name, one.far, one.frr is None) == ("one", None, False)
    assert (two.name, two.frr, two.far is None) == ("two", None, False)


@pytest.mark.parametrize(
    ("far_e6", "options", "words"),
    [
        (0, {}, "target false-accept rate"),
        (500_001, {}, "target false-accept rate"),
        (10_000, {"rounds": 199}, "rounds: found 199"),
        (10_000, {"rounds": 100_001}, "rounds"),
        (10_000, {"confidence_e4": 4_999}, "confidence"),
        (10_000, {"confidence_e4": 10_000}, "confidence"),
        (1_000, {}, "expected at least 3000 for"),
    ],
)
def test_arguments_and_targets_out_of_bounds(
    far_e6: int, options: dict[str, int], words: str
) -> None:
    with pytest.raises(CalibrationError, match=words):
        fitted(city(20, 4) if far_e6 != 1_000 else city(10, 4), far_e6, **options)


def test_too_few_of_either_kind_or_of_subjects() -> None:
    scores = city(20, 4)
    same = scores.labels.same
    few = np.flatnonzero(same)[:29]
    kept = ~same
    kept[few] = True
    with pytest.raises(CalibrationError, match="found 29 usable pairs of one person"):
        fitted(scores.take(kept))
    with pytest.raises(CalibrationError, match="found 0 usable pairs of two persons"):
        fitted(scores.take(same))
    with pytest.raises(CalibrationError, match="found 9 subjects, expected at least 10"):
        fitted(city(9, 6))


def test_a_target_out_of_reach_is_refused() -> None:
    scores = city(named=False)
    swapped = Scores(e4=scores.e4, labels=PairLabels(same=~scores.labels.same))
    nobody = Scores(e4=np.where(scores.labels.same, -10_000, 0), labels=scores.labels)
    everybody = Scores(e4=np.full(len(scores.e4), 10_000), labels=scores.labels)
    for wrong in (swapped, nobody, everybody):
        with pytest.raises(CalibrationError, match="no threshold reaches"):
            fitted(wrong, 25_000)


def test_too_few_independent_pairs_to_be_sure() -> None:
    scores = city(16, 3, named=False)  # 1,080 pairs of two; 3 / 0.28 % are 1,072.
    with pytest.raises(CalibrationError, match="too few to be sure"):
        fitted(scores, 2_800)


def test_pairs_that_hang_on_two_subjects_have_no_interval() -> None:
    base = city(12, 18)
    assert base.labels.left is not None
    assert base.labels.right is not None
    two = (base.labels.left == 0) & (base.labels.right == 1)
    with pytest.raises(CalibrationError, match="hang on too few of the subjects"):
        fitted(base.take(two | base.labels.same))


def test_draws_without_a_pair_of_two_are_left_out() -> None:
    base = city(12, 18)
    left, right = base.labels.left, base.labels.right
    assert left is not None
    assert right is not None
    apart = ((left == 0) & (right == 1)) | ((left == 2) & (right == 3))
    found = fitted(base.take(apart | base.labels.same))
    assert found.low_e4 <= found.point.threshold_e4 <= found.cautious.threshold_e4


def test_a_perfect_impostor_in_many_draws_ends_at_the_largest_score() -> None:
    scores = city(12, 5)
    e4 = scores.e4.copy()
    assert scores.labels.left is not None
    assert scores.labels.right is not None
    e4[np.flatnonzero((scores.labels.left == 0) & (scores.labels.right == 1))[:15]] = 10_000
    found = fitted(Scores(e4=e4, labels=scores.labels), 10_000)
    assert found.cautious.threshold_e4 == 10_000


def test_draws_need_subjects() -> None:
    with pytest.raises(TypeError, match="without subjects"):
        SubjectDraws(city(named=False), np.random.default_rng(1), 1, lambda _: None)  # noqa: TID251
