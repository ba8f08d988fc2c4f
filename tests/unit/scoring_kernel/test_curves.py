"""Worked cases of every shape, of shrinkage and of the formulas, by the plan's own stages."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from scoring_kernel.curves import DistanceCurve, LinearCurve, StepCurve
from scoring_kernel.ops import NumpyOps
from scoring_kernel.parameters import MICRO
from scoring_kernel.plan import ScoringPlan
from scoring_kernel.reference import EVERYBODY, Reference
from scoring_kernel.scoring import curve, thresholds
from tests.support.kernel_models import Subject, load_cases, small_model, tiny_model, wide_model

if TYPE_CHECKING:
    from scoring_kernel.model import RatingModel
    from scoring_kernel.ops import FlagVector, FloatVector
    from scoring_kernel.plan import PlanOutputs

MODELS = {"tiny": tiny_model(), "wide": wide_model()}
CASES = load_cases("curves")


def reference_of(case: dict[str, Any], model: RatingModel) -> Reference:
    return Reference(
        model_digest=model.digest,
        day=case["day"],
        entries={
            (case["indicator"], name, EVERYBODY): int(Fraction(text) * MICRO)
            for name, text in case.get("reference", {}).items()
        },
    )


def evaluated(case: dict[str, Any]) -> tuple[int, PlanOutputs[FloatVector, FlagVector]]:
    """Place of the indicator, and all stages of the plan for one subject."""
    model = MODELS[case["model"]]
    plan = ScoringPlan.of(model, reference_of(case, model), case["day"])
    subject = Subject(inputs=case["given"], level=case["level"])
    columns = {
        column: (
            np.array([subject.inputs.get(column, 0)], np.float64),
            np.array([column in subject.inputs]),
        )
        for column in model.input_columns
    }
    group = np.array([plan.groups.index((subject.level, subject.type))], np.float64)
    place = [one.id for one in model.indicators].index(case["indicator"])
    return place, plan.evaluate(NumpyOps(), columns, group)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_a_worked_case(case: dict[str, Any]) -> None:
    place, found = evaluated(case)
    missing = {
        "no_data": (True, False, False),
        "no_reference": (True, True, False),
        "out_of_range": (True, False, True),
    }
    flags = (found.rated.missing[place], found.rated.lacking[place], found.values[place].beyond)
    assert tuple(bool(np.all(flag)) for flag in flags) == missing.get(
        case["expect"], (False, False, False)
    )
    if case["expect"] not in missing:
        assert int(found.rated.points[place][0]) == int(Fraction(case["expect"]) * 100)


def test_every_indicator_of_both_models_has_a_worked_case() -> None:
    assert {(case["model"], case["indicator"]) for case in CASES} == {
        (name, one.id) for name, model in MODELS.items() for one in model.indicators
    }


def test_only_values_with_few_cases_are_marked_as_moved() -> None:
    moved = {
        case["id"]
        for case in CASES
        if case["id"].startswith(("few_cases", "enough_cases"))
        for place, found in [evaluated(case)]
        if np.all(found.values[place].shrunk & ~found.rated.missing[place])
    }
    assert moved == {"few_cases_move_half_way"}


def curve_of_case(name: str) -> object:
    case = next(one for one in CASES if one["id"] == name)
    model = MODELS[case["model"]]
    indicator = next(one for one in model.indicators if one.id == case["indicator"])
    return curve(indicator, reference_of(case, model), case["day"], case["level"], "general")


def test_a_curve_says_where_points_begin_and_end() -> None:
    assert curve_of_case("above_half_way") == LinearCurve(zero=13_930_400, full=9_482_600)
    assert curve_of_case("below_half_way") == LinearCurve(zero=2_069_600, full=8_000_000)
    assert curve_of_case("both_far_away") == DistanceCurve(
        centre=20_000, full=148_260, zero=444_780
    )
    assert curve_of_case("steps_share_rounded") == StepCurve(
        higher_is_better=False,
        at=(500_000, 1_000_000, 1_150_000),
        points=(1000, 833, 250),
        rest=100,
    )
    assert curve_of_case("good_if_none") == StepCurve(
        higher_is_better=False, at=(0,), points=(300,), rest=0
    )
    assert curve_of_case("peers_all_alike") == LinearCurve(zero=399_999, full=400_000)
    assert curve_of_case("robust_without_a_median") is None


def test_thresholds_are_those_of_the_catalogue() -> None:
    small, wide = small_model(), MODELS["wide"]
    day = CASES[0]["day"]
    # A step keeps both its ends, although its curve needs a range between them.
    assert thresholds(small.indicators[7], None, day, "3", "tcm") == (3 * MICRO, 3 * MICRO)
    assert thresholds(small.indicators[0], None, day, "2", "tcm") == (0, 850_000)
    assert thresholds(small.indicators[8], None, day, "3", "tcm") is None
    with pytest.raises(TypeError, match="mean_days: expected a linear shape"):
        thresholds(wide.indicators[1], None, day, "3", "tcm")
