"""What a subject is told: its groups, what each contributed, and why it has no band."""

from __future__ import annotations

import pytest

from scoring_kernel.composite import explain_composite, parse_measure_table, score_composite
from scoring_kernel.errors import KernelInputError
from tests.support.composite_models import (
    SMALL_MEASURES,
    composite_table,
    small_composite,
    with_banding,
)

CUTS = with_banding("kind: cuts", "0.5", "-0.5")
ROWS: list[list[float | None]] = [
    [1, 10, 5, 7],
    [3, 4, 1, 9],
    [2, None, None, 8],
    [None, None, None, 8],
    [None, None, None, None],
]
RESULT = score_composite(small_composite(CUTS), composite_table(ROWS), SMALL_MEASURES)


def test_a_missing_group_has_no_weight_and_the_others_carry_it() -> None:
    said = explain_composite(RESULT, 2)
    outcome, safety, process = said.groups
    assert (safety.score, safety.weight, safety.contribution) == (None, 0.0, 0.0)
    assert (safety.nominal_weight, safety.reported, safety.measures) == (0.3, False, ())
    assert (outcome.weight, process.weight) == (5 / 7, 2 / 7)
    assert outcome.score is not None
    assert outcome.contribution == outcome.weight * outcome.score
    assert said.summary == outcome.contribution + process.contribution
    assert (said.subject, said.basis) == ("s2", "proposal")


def test_reported_measures_are_shown_as_measured_and_as_scored() -> None:
    outcome = explain_composite(RESULT, 0).groups[0]
    assert [(one.measure, one.value) for one in outcome.measures] == [("O1", 1.0), ("O2", 10.0)]
    assert [one.standardised for one in outcome.measures] == RESULT.standardised[0, :2].tolist()
    assert (outcome.name_zh, outcome.name_en) == ("结果", "Outcome")


def test_a_dropped_measure_is_shown_without_a_score() -> None:
    rows = [{"measure_id": "O1", "group_name": "Outcome", "flip_sign": "1"}]
    rows += [{**rows[0], "measure_id": "O2", "measure_desc": "rare"}]
    rows += [{**rows[0], "measure_id": "S1", "group_name": "Safety"}]
    rows += [{**rows[0], "measure_id": "P1", "group_name": "Process"}]
    table = composite_table([[1, 10, 5, 7], [3, None, 1, 9]])
    result = score_composite(small_composite(CUTS), table, parse_measure_table(rows))
    part = explain_composite(result, 0).groups[0].measures[1]
    assert (part.value, part.standardised, part.description) == (10.0, None, "rare")


@pytest.mark.parametrize(
    ("row", "band", "zh", "en"),
    [
        (1, "high", "报告 3 组，在同类中定为档。", "3 groups reported; high among its peers."),
        (3, "not_rated", "仅报告 1 组，至少应报告 2 组", "1 groups reported, at least 2 needed"),
        (4, "not_rated", "仅报告 0 组", "Not rated: 0 groups reported"),
    ],
)
def test_the_reason_of_the_band_is_said_in_both_languages(
    row: int, band: str, zh: str, en: str
) -> None:
    said = explain_composite(RESULT, row)
    assert said.band == band
    assert zh in said.reason_zh
    assert en in said.reason_en
    assert (said.summary is None) == (row == 4)


def test_a_subject_without_a_required_group_is_told_which() -> None:
    model = small_composite(CUTS, ("one_of: [outcome, safety]", "one_of: [outcome]"))
    table = composite_table([[1, 10, 5, 7], [3, 4, 1, 9], [None, None, 2, 8]])
    said = explain_composite(score_composite(model, table, SMALL_MEASURES), 2)
    assert said.reason_zh == "未报告结果中的任何一组，不予评级。"
    assert said.reason_en == "Not rated: none of Outcome is reported."


def test_a_subject_among_too_few_peers_is_told_so() -> None:
    table = composite_table([[1, 10, 5, 7], [3, 4, 1, 9]])
    result = score_composite(small_composite(), table, SMALL_MEASURES)
    said = explain_composite(result, 0)
    assert result.rated.all()
    assert said.band == "not_rated"
    assert "得分种数少于等级数" in said.reason_zh
    assert "fewer distinct scores than there are bands" in said.reason_en


@pytest.mark.parametrize("row", [-1, 5])
def test_a_row_that_is_not_there_is_refused(row: int) -> None:
    with pytest.raises(KernelInputError, match=f"row {row}: expected 0 to 4"):
        explain_composite(RESULT, row)
