"""Scoring: refusals, policies for missing data, and the words of an explanation."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from scoring_kernel.errors import DraftModelError, KernelInputError, ParameterNotInForceError
from scoring_kernel.inputs import MAX_INPUT
from scoring_kernel.plan import ScoringPlan
from scoring_kernel.redistribution import effective_weights
from scoring_kernel.reference import build_reference, derived_values
from scoring_kernel.scoring import BLOCK_ROWS, ScoreResult, score
from scoring_kernel.sweep import groups_of, sweep_inputs, sweep_values
from tests.support.kernel_models import (
    SMALL_MODEL,
    Subject,
    model_of,
    small_model,
    table,
    wide_model,
)

MODEL = small_model()
DAY = date(2026, 6, 30)
FULL = {
    "work.done@current": 90,
    "work.planned@current": 100,
    "work.done@base": 90,
    "work.planned@base": 100,
    "work.lists@current": 9,
    "work.stays@current": 10,
    "work.accepted@current": 7,
    "work.messages@current": 10,
    "item.08.reports@current": 2,
    "item.08.refunded_fen@current": 100,
    "item.08.found_fen@current": 100,
    "item.03.minor@current": 1,
    "item.03.major@age1": 0,
    "item.12.city@current": 1,
    "item.01.experts@current": 3,
    "item.05.rejected@current": 0,
}


PEERS = [Subject(inputs=FULL)] * MODEL.min_peer


def scored(*subjects: Subject, with_reference: bool = True) -> ScoreResult:
    """Score subjects against a reference of peers that are all like ``FULL``."""
    if not with_reference:
        return score(MODEL, table(MODEL, subjects), None, DAY)
    reference = build_reference(MODEL, table(MODEL, PEERS), DAY)
    return score(MODEL, table(MODEL, subjects), reference, DAY)


def without(*columns: str) -> Subject:
    return Subject(inputs={name: value for name, value in FULL.items() if name not in columns})


def test_a_draft_cannot_grade() -> None:
    draft = model_of(SMALL_MODEL.replace("status: proposal", "status: draft"))
    with pytest.raises(DraftModelError, match="small is a draft"):
        score(draft, table(draft, []), None, DAY)


def test_the_reference_of_another_model_is_refused() -> None:
    inputs = table(MODEL, [Subject(inputs=FULL)])
    other = replace(build_reference(MODEL, inputs, DAY), model_digest=bytes(32))
    with pytest.raises(KernelInputError, match="use the reference of the same model"):
        score(MODEL, inputs, other, DAY)


def test_a_table_without_a_column_of_the_model_is_refused() -> None:
    inputs = table(MODEL, [Subject(inputs=FULL)]).select(["work.done@current"])
    with pytest.raises(KernelInputError, match="no column"):
        score(MODEL, inputs, None, DAY)


def test_a_day_without_parameters_is_refused() -> None:
    with pytest.raises(ParameterNotInForceError, match=r"small\.done_share\.standard"):
        score(MODEL, table(MODEL, [Subject(inputs=FULL)]), None, date(2027, 1, 1))


def test_nobody_can_be_scored() -> None:
    result = scored()
    assert (result.points_centi.shape, result.grades) == ((0, 9), ())


def test_the_worked_subject() -> None:
    result = scored(Subject(inputs=FULL))
    # 11.11 * 0.9/0.95 = 10.525; 11.11; 11.11 * (0.8 - 0.5)/0.5 = 6.666; growth at the
    # median and at 0; 10 * 7.5/10 = 7.5; 5 * 3/5 = 3; step reached; nothing rejected.
    assert result.points_centi.tolist() == [[1053, 1111, 667, 2000, 1667, 750, 300, 500, 1000]]
    assert result.total_centi.tolist() == [9_048]
    assert (result.grades, result.basis, result.coverage_centi.tolist()) == (
        ("high",),
        "proposal",
        [10_000],
    )
    alone = table(MODEL, [Subject(inputs=FULL)])
    assert result.values_micro[0].tolist() == [
        int(derived_values(one, alone, DAY)[0][0]) for one in MODEL.indicators
    ]


def test_each_policy_for_missing_data() -> None:
    result = scored(
        without("work.planned@current", "item.08.reports@current", "work.stays@current")
    )
    # done_share is excluded, refunded counts nothing, interface still has one ratio.
    assert result.missing[0].tolist()[:3] == [True, True, False]
    assert result.weights_centi[0, :3].sum() == 3_333
    assert result.points_centi[0, :2].tolist() == [0, 0]
    result = scored(without("work.stays@current", "work.messages@current"))
    assert (result.missing[0, 2], result.points_centi[0, 2]) == (True, 1_111)


def test_a_group_without_any_value_hands_its_weight_on() -> None:
    result = scored(without("work.done@base"))
    assert result.weights_centi[0].tolist()[3:5] == [0, 0]
    assert result.weights_centi[0, :3].sum() == 7_000
    assert result.weights_centi[0, 5:].tolist() == [1_000, 500, 500, 1_000]


def test_a_level_1_group_without_any_value_hands_its_weight_on() -> None:
    excluded = np.array([[False] * 5 + [True] * 4, [True] * 9]).T
    weights = effective_weights(MODEL, excluded)
    assert weights[:3, 0].sum() == 4_761
    assert weights.sum(axis=0).tolist() == [10_000, 0]


def test_a_missing_reference_makes_an_indicator_provisional() -> None:
    result = scored(Subject(inputs=FULL), with_reference=False)
    assert np.flatnonzero(result.provisional[0]).tolist() == [3, 8]
    assert np.flatnonzero(result.missing[0]).tolist() == [3, 8]
    assert result.weights_centi.sum() == 10_000


def test_below_the_least_coverage_there_is_no_grade() -> None:
    columns = ("item.01.experts@current", "item.12.city@current")
    result = scored(Subject(inputs={name: FULL[name] for name in columns}))
    assert (result.coverage_centi.tolist(), result.grades) == ([1_000], ("not_rated",))


def test_another_level_or_type_than_the_models_is_refused() -> None:
    inputs = replace(table(MODEL, [Subject(inputs=FULL)]), levels=("9",))
    with pytest.raises(KernelInputError, match=r"\('9', 'general'\); model small knows levels"):
        score(MODEL, inputs, None, DAY)


WIDE = wide_model()


def graded(day: date = DAY, **events: int) -> ScoreResult:
    """Grade one subject of the wide model, as good as can be but for some events."""
    columns = {one.rpartition(".")[2].replace("@", "_"): one for one in WIDE.input_columns}
    inputs = {
        "item.e02.balance_fen@current": 10**6,
        "item.03.minor@year": 0,
        "item.03.undone@year": 0,
    }
    inputs |= {columns[name]: number for name, number in events.items()}
    return score(WIDE, table(WIDE, [Subject(inputs=inputs)]), None, day)


@pytest.mark.parametrize(
    ("events", "day", "overridden", "grade"),
    [
        ({}, DAY, [False, False, False], "high"),
        ({"fraud_current": 0, "fraud_age3": 0, "listed_current": 0}, DAY, [False] * 3, "high"),
        ({"listed_current": 1}, DAY, [False, True, False], "middle"),
        ({"fraud_age3": 2}, DAY, [True, False, False], "low"),
        ({"fraud_current": 1, "listed_current": 1}, DAY, [True, True, False], "low"),
        ({"fraud_current": -1}, DAY, [False, False, False], "high"),
        ({"fraud_current": 1}, date(2030, 1, 1), [False, False, False], "high"),
        ({"fraud_current": 1}, date(2029, 12, 31), [True, False, False], "low"),
    ],
    ids=[
        "none",
        "zeros",
        "listed",
        "one_column_of_two",
        "the_worst_cap_counts",
        "negative",
        "on_its_last_day",
        "before_its_last_day",
    ],
)
def test_an_override_caps_the_grade(
    events: dict[str, int], day: date, overridden: list[bool], grade: str
) -> None:
    result = graded(day, **events)
    assert result.overridden.tolist() == [overridden]
    assert (result.earned_grades, result.grades) == (("high",), (grade,))


@pytest.mark.parametrize(
    ("events", "day", "undetermined"),
    [
        ({}, DAY, [True, True, False]),
        ({"fraud_current": 0, "fraud_age3": 0, "listed_current": 0}, DAY, [False] * 3),
        ({"fraud_current": 0, "listed_current": 1}, DAY, [True, False, False]),
        ({"fraud_age3": 1, "listed_current": 0}, DAY, [False] * 3),
        ({"fraud_age3": -1, "listed_current": 0}, DAY, [True, False, False]),
        ({}, date(2030, 1, 1), [False, True, False]),
    ],
    ids=["nothing_stated", "all_stated", "one_of_two", "one_is_enough", "negative", "repealed"],
)
def test_an_override_nobody_can_judge_is_undetermined(
    events: dict[str, int], day: date, undetermined: list[bool]
) -> None:
    result = graded(day, **events)
    assert result.undetermined.tolist() == [undetermined]
    assert (result.grades == ("high",)) is not bool(result.overridden.any())


def test_every_band_set_is_capped() -> None:
    assert graded().grades_in("letters") == ("a",)
    assert graded(listed_current=1).grades_in("letters") == ("b",)
    assert graded(listed_current=1).grades_in("grades") == ("middle",)
    with pytest.raises(KernelInputError, match="no band set 'stars', expected one of"):
        graded().grades_in("stars")


def test_an_override_never_lifts_a_grade() -> None:
    result = graded(balance_fen_current=-(10**6), minor_year=100, listed_current=1)
    assert (result.earned_grades, result.grades) == (("low",), ("low",))


def test_missing_data_is_no_refuge_from_a_cap() -> None:
    nobody = table(WIDE, [Subject(inputs={"item.l01.listed@current": 1}), Subject(inputs={})])
    result = score(WIDE, nobody, None, DAY)
    assert result.earned_grades == ("not_rated", "not_rated")
    assert result.grades == ("middle", "not_rated")


def test_a_value_out_of_range_is_missing_and_says_so() -> None:
    result = graded(balance_fen_current=MAX_INPUT)
    assert np.flatnonzero(result.out_of_range[0]).tolist() == [6]
    assert (bool(result.missing[0, 6]), bool(result.provisional[0, 6])) == (True, False)
    assert (int(result.values_micro[0, 6]), int(result.weights_centi[0, 6])) == (0, 0)


def test_the_scores_of_values_are_those_of_their_inputs() -> None:
    subjects = [Subject(inputs=FULL), without("work.done@base", "item.08.reports@current")]
    inputs = table(MODEL, subjects)
    plan = ScoringPlan.of(MODEL, build_reference(MODEL, table(MODEL, PEERS), DAY), DAY)
    whole = sweep_inputs(plan, inputs)
    again = sweep_values(plan, whole.values.T, ~whole.missing.T, groups_of(plan, inputs))
    assert again.points.tolist() == whole.points.tolist()
    assert again.weights.tolist() == whole.weights.tolist()
    assert again.grade.tolist() == whole.grade.tolist()


def test_overrides_can_be_given_with_values() -> None:
    plan = ScoringPlan.of(WIDE, None, DAY)
    values, present = np.zeros((2, 8), np.int64), np.ones((2, 8), np.bool_)
    capped = np.array([[False, False, False], [True, False, False]])
    found = sweep_values(plan, values, present, np.zeros(2, np.int64), capped)
    assert found.grade.tolist() == [int(found.earned[0]), 2]


def test_blocks_do_not_show() -> None:
    rng = np.random.Generator(np.random.PCG64(7))  # noqa: TID251 - a fixed stream of numbers
    many = BLOCK_ROWS + 3
    inputs = table(MODEL, [Subject(inputs=FULL)])
    values = rng.integers(0, 50, (many, len(inputs.columns)))
    present = rng.random(values.shape) < 0.9
    large = replace(
        inputs,
        subjects=tuple(map(str, range(many))),
        levels=("3",) * many,
        types=("tcm",) * many,
        values=np.where(present, values, 0),
        present=present,
    )
    reference = build_reference(MODEL, large, DAY)
    whole = score(MODEL, large, reference, DAY)
    tail = score(MODEL, large.rows(np.arange(many) >= many - 5), reference, DAY)
    assert whole.points_centi[-5:].tolist() == tail.points_centi.tolist()
    assert whole.grades[-5:] == tail.grades
