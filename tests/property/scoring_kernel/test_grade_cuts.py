"""A subject exactly on a cut is in the upper grade, however its points came about."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring_kernel.grades import grade_of
from tests.support.kernel_models import institution_model
from tests.support.kernel_oracle import divide

MODEL = institution_model()
CUTS = {85_000: ("excellent", "good"), 80_000: ("good", "medium")}
CUTS |= {75_000: ("medium", "poor"), 70_000: ("poor", "bad")}
WEIGHTS = np.array([[one.weight_centi for one in MODEL.indicators]])


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(CUTS)), st.lists(st.integers(1, 1000), min_size=36, max_size=36))
def test_points_that_add_up_to_a_cut_earn_the_upper_grade(cut: int, chance: list[int]) -> None:
    # Points are spread over the 36 indicators at random, never above a weight.
    points = np.minimum(np.array([divide(cut, chance)]), WEIGHTS)
    rest = cut - int(points.sum())
    for index in range(36):
        step = min(rest, int(WEIGHTS[0, index] - points[0, index]))
        points[0, index] += step
        rest -= step
    total = points.astype(np.int32).sum(axis=1)
    upper, lower = CUTS[cut]
    assert grade_of(total, MODEL.bands) == (upper,)
    assert grade_of(total - 1, MODEL.bands) == (lower,)


@given(st.lists(st.integers(0, 100_000), max_size=200))
def test_grades_never_fall_when_points_rise(totals: list[int]) -> None:
    ranked = np.sort(np.array(totals, np.int32))
    order = [band.id for band in reversed(MODEL.bands)]
    places = [order.index(grade) for grade in grade_of(ranked, MODEL.bands)]
    assert places == sorted(places)


@pytest.mark.parametrize(("total", "grade"), [(0, "bad"), (100_000, "excellent")])
def test_the_ends_of_the_scale_have_grades(total: int, grade: str) -> None:
    assert grade_of(np.array([total], np.int32), MODEL.bands) == (grade,)


def test_a_subject_that_is_not_rated_has_no_band() -> None:
    totals = np.array([90_000, 90_000], np.int32)
    assert grade_of(totals, MODEL.bands, np.array([True, False])) == ("excellent", "not_rated")
