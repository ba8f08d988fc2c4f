"""Composite scores by hand: standardising, dropping, reporting rules and refusals."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

import numpy as np
import pytest

from scoring_kernel.composite import score_composite
from scoring_kernel.composite.measuring import Dropped, DropReason
from scoring_kernel.composite.standardising import standardise
from scoring_kernel.errors import KernelInputError
from scoring_kernel.model import NOT_RATED
from tests.support.composite_models import (
    SMALL_MEASURES,
    composite_table,
    measure_table,
    small_composite,
    with_banding,
)

Rows: TypeAlias = list[list[float | None]]

CUTS = with_banding("kind: cuts", "0.5", "-0.5")
MODEL = small_composite(CUTS)
DROPPING = small_composite(CUTS, ("zero_variance: refuse", "zero_variance: drop"))
ROOT_HALF = 0.5**0.5


def test_two_subjects_stand_one_deviation_apart() -> None:
    """With two subjects every sample score is ±√½; the sign of O2 turns it round."""
    table = composite_table([[1, 10, 5, 7], [3, 4, 1, 9]])
    result = score_composite(MODEL, table, SMALL_MEASURES)
    assert result.standardised.round(12).tolist() == [
        [-0.707106781187, -0.707106781187, 0.707106781187, -0.707106781187],
        [0.707106781187, 0.707106781187, -0.707106781187, 0.707106781187],
    ]
    expected = (-0.5 + 0.3 - 0.2) * ROOT_HALF
    assert result.summary == pytest.approx([expected, -expected], abs=1e-12)
    assert result.weights.tolist() == [[0.5, 0.3, 0.2]] * 2
    assert result.counts.tolist() == [[2, 1, 1]] * 2
    assert result.bands == ("middle", "middle")
    assert (result.basis, result.dropped) == ("proposal", ())
    assert result.input_digest == table.digest()


def test_the_published_deviation_decides_between_n_and_n_minus_1() -> None:
    model = small_composite(CUTS, ("deviation: sample", "deviation: population"))
    result = score_composite(model, composite_table([[1, 10, 5, 7], [3, 4, 1, 9]]), SMALL_MEASURES)
    assert np.abs(result.standardised).tolist() == [[1.0] * 4] * 2


def test_the_same_model_scores_another_measure_table() -> None:
    """A later release: a measure retired, one added, one now better when higher."""
    later = measure_table(("S1", "Safety", -1), ("O1", "Outcome", 1), ("P9", "Process", 1))
    rows = [[1.0, 5.0, 2.0], [3.0, 1.0, 8.0]]
    result = score_composite(MODEL, composite_table(rows, ("O1", "S1", "P9")), later)
    assert result.summary == pytest.approx([-ROOT_HALF, ROOT_HALF], abs=1e-12)
    assert result.counts.tolist() == [[1, 1, 1]] * 2


def test_a_missing_group_hands_its_weight_on() -> None:
    rows: Rows = [[1, 10, 5, 7], [3, 4, 1, 9], [2, 5, None, 8]]
    result = score_composite(MODEL, composite_table(rows), SMALL_MEASURES)
    assert result.weights[2].tolist() == [5 / 7, 0.0, 2 / 7]
    assert np.isnan(result.scores[2, 1])
    assert result.rated.all()


def test_reporting_rules_leave_a_subject_unrated_but_scored() -> None:
    rows: Rows = [
        [1, 10, 5, 7],
        [3, 4, 1, 9],
        [None, None, None, 8],
        [2, None, None, None],
        [None, None, None, None],
    ]
    result = score_composite(MODEL, composite_table(rows), SMALL_MEASURES)
    assert result.rated.tolist() == [True, True, False, False, False]
    assert result.bands[2:] == (NOT_RATED,) * 3
    assert np.isnan(result.summary).tolist() == [False, False, False, False, True]
    assert result.reported.sum(axis=1).tolist() == [3, 3, 1, 1, 0]


def test_one_of_the_required_groups_must_be_reported() -> None:
    needed = small_composite(CUTS, ("one_of: [outcome, safety]", "one_of: [outcome]"))
    free = small_composite(CUTS, ("one_of: [outcome, safety]", "one_of: []"))
    table = composite_table([[1, 10, 5, 7], [3, 4, 1, 9], [None, None, 5, 8]])
    assert score_composite(needed, table, SMALL_MEASURES).rated.tolist() == [True, True, False]
    assert score_composite(free, table, SMALL_MEASURES).rated.all()


def test_a_group_needs_enough_measures_to_be_reported_yet_counts_in_the_score() -> None:
    model = small_composite(CUTS, ("least_measures: 1", "least_measures: 2"))
    table = composite_table([[1, 10, 5, 7], [3, 4, 1, 9]])
    result = score_composite(model, table, SMALL_MEASURES)
    assert result.reported.tolist() == [[True, False, False]] * 2
    assert result.weights.tolist() == [[0.5, 0.3, 0.2]] * 2
    assert not result.rated.any()


def test_a_measure_that_too_few_report_is_dropped_and_listed() -> None:
    rows: Rows = [[1, 10, 5, 7], [3, None, 1, 9]]
    result = score_composite(MODEL, composite_table(rows), SMALL_MEASURES)
    assert result.dropped == (Dropped(id="O2", reason=DropReason.FEW_SUBJECTS),)
    assert np.isnan(result.standardised[:, 1]).all()
    assert result.counts[:, 0].tolist() == [1, 1]


def test_a_measure_without_spread_is_refused_or_dropped_as_the_model_says() -> None:
    table = composite_table([[1, 7, 5, 7], [3, 7, 1, 9]])
    with pytest.raises(KernelInputError, match="measure O2: all values are equal") as caught:
        score_composite(MODEL, table, SMALL_MEASURES)
    assert "zero_variance: drop" in str(caught.value)
    result = score_composite(DROPPING, table, SMALL_MEASURES)
    assert result.dropped == (Dropped(id="O2", reason=DropReason.NO_SPREAD),)


def test_a_group_without_spread_is_refused_or_missing_for_everybody() -> None:
    """O1 and O2 cancel: what is left of the group is rounding, not a score."""
    table = composite_table([[0.1, 0.1, 5, 7], [0.7, 0.7, 1, 9], [0.2, 0.2, 2, 2]])
    with pytest.raises(KernelInputError, match="group outcome: all values are equal"):
        score_composite(MODEL, table, SMALL_MEASURES)
    result = score_composite(DROPPING, table, SMALL_MEASURES)
    assert result.dropped == (Dropped(id="outcome", reason=DropReason.NO_SPREAD),)
    assert result.weights.tolist() == [[0.0, 0.6, 0.4]] * 3
    assert result.reported.tolist() == [[False, True, True]] * 3


def test_a_spread_within_rounding_of_the_values_is_none() -> None:
    values = [1e12, np.nextafter(1e12, 0), 1e12]
    table = composite_table([[one, at, at, at * at] for at, one in enumerate(values)])
    with pytest.raises(KernelInputError, match="measure O1: all values are equal"):
        score_composite(MODEL, table, SMALL_MEASURES)


def test_a_value_with_too_few_cases_is_not_reported() -> None:
    model = small_composite(CUTS, ("least_cases: 0", "least_cases: 25"))
    rows = [[1, 10, 5, 7], [3, 4, 1, 9], [9, 5, 2, 8]]
    cases = [[25] * 4, [99] * 4, [24, 25, 26, 27]]
    result = score_composite(model, composite_table(rows, cases=cases), SMALL_MEASURES)
    assert np.isnan(result.values).tolist() == [[False] * 4, [False] * 4, [True, *[False] * 3]]
    assert result.counts[2].tolist() == [1, 1, 1]
    with pytest.raises(KernelInputError, match="asks for 25 cases: state the cases"):
        score_composite(model, composite_table(rows), SMALL_MEASURES)


def test_outliers_are_set_to_the_quantiles_where_the_model_winsorises() -> None:
    model = small_composite(CUTS, ("winsorise: null", 'winsorise: {low: "0.2", high: "0.8"}'))
    rows = [[at, -at, at % 3, at * at] for at in range(1, 10)]
    rows.append([10**9, 0, 1, 5])
    result = score_composite(model, composite_table(rows), SMALL_MEASURES)
    tamed = np.clip(np.array([row[0] for row in rows], np.float64), 2.0, 8.0)
    expected = standardise(tamed, sample=True)
    assert expected is not None
    assert result.standardised[:, 0].tolist() == expected.tolist()
    assert result.values[9, 0] == 10**9


def test_measures_and_groups_must_be_the_same_on_all_sides() -> None:
    table = composite_table([[1, 10, 5, 7], [3, 4, 1, 9]])
    renamed = replace(table, measures=("O1", "O2", "S1", "X9"))
    with pytest.raises(KernelInputError, match="unknown measure X9: add it to the measure table"):
        score_composite(MODEL, renamed, SMALL_MEASURES)
    fewer = composite_table([[1, 10, 5], [3, 4, 1]], ("O1", "O2", "S1"))
    with pytest.raises(KernelInputError, match="measure P1: the input table has no such column"):
        score_composite(MODEL, fewer, SMALL_MEASURES)
    strange = measure_table(("O1", "Outcome", 1), ("C1", "Comfort", 1))
    with pytest.raises(KernelInputError, match="has no group 'Comfort', expected one of"):
        score_composite(MODEL, table, strange)
    without = measure_table(("O1", "Outcome", 1), ("S1", "Safety", 1))
    with pytest.raises(KernelInputError, match="no measure of 'Process', which model"):
        score_composite(MODEL, table, without)
