"""The model of designated medical institutions against its sources."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest

from scoring_kernel.errors import ModelNotInForceError
from scoring_kernel.indicators import Status
from scoring_kernel.parameters import MICRO
from scoring_kernel.reference import EVERYBODY, Reference, ReferenceValue
from scoring_kernel.scoring import score
from tests.support.kernel_models import ROOT, Subject, institution_model, load_cases, table

MODEL = institution_model()
DAY = date(2026, 6, 30)
TABLE_2 = load_cases("institution_table_2")
SEED = ROOT.parent / "shared" / "seeds" / "000_497e2f7839ee8c21.txt"

PERFECT = (
    dict.fromkeys(MODEL.input_columns, 100_000)
    | {
        column: 0
        for column in MODEL.input_columns
        if re.match(
            r"item\.(03|07|17|18|19|21|l01|l07)\.|item\.(05|08)\.(rejected|mismatch)", column
        )
    }
    | {"item.23.weight_e4@current": 105_000}
)
"""Nothing to complain about: no event, everything done, the case mix grows by 5 %."""


def reference(**statistics: int) -> Reference:
    wanted = {"p50": 40_000, "p90": 20_000} | statistics
    return Reference.from_values(
        [
            ReferenceValue(
                indicator=one.id, statistic=name, peer_group=EVERYBODY, value_micro=wanted[name]
            )
            for one in MODEL.indicators
            for name in one.shape.statistics
        ],
        model_digest=MODEL.digest,
        day=DAY,
    )


def test_groups_and_weights_are_those_of_table_2() -> None:
    assert [
        (
            one.number,
            one.level1.name_zh,
            one.level1.weight_centi,
            one.level2.name_zh,
            one.level2.weight_centi,
            one.name_zh,
            one.weight_centi,
        )
        for one in MODEL.indicators
    ] == [
        (
            row["number"],
            row["level1"],
            100 * row["weight1"],
            row["level2"],
            100 * row["weight2"],
            row["level3"],
            100 * row["weight3"],
        )
        for row in TABLE_2
    ]


def test_the_model_has_36_indicators_and_1000_points() -> None:
    outer = [group.weight_centi for group in MODEL.groups if group.parent is None]
    assert len(MODEL.indicators) == 36
    assert outer == [3_000, 11_000, 58_000, 18_000, 10_000]
    assert sum(one.weight_centi for one in MODEL.indicators) == MODEL.total_centi == 100_000


@pytest.mark.skipif(not SEED.exists(), reason="the published table is not beside the project")
def test_the_published_table_names_the_same_indicators_and_weights() -> None:
    text = SEED.read_text("utf-8")
    body = text[text.index("表2 定点医疗机构") : text.index("3.定期实施评分定级")]
    found = []
    for line in body.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if not cells[0].isdigit():
            continue
        filled = [cell for cell in cells[1:] if cell]
        found.append((int(cells[0]), filled[-2], int(filled[-1])))
    assert found == [(one.number, one.name_zh, one.weight_centi // 100) for one in MODEL.indicators]


def test_bands_are_the_published_ones() -> None:
    assert [(band.name_zh, band.at_least_centi) for band in MODEL.bands] == [
        ("优秀", 85_000),
        ("良好", 80_000),
        ("中等", 75_000),
        ("较差", 70_000),
        ("差", 0),
    ]


def test_letters_share_their_cuts_with_the_grades() -> None:
    cuts = {band.id: band.at_least_centi for band in MODEL.bands}
    letters = {band.letter: band.at_least_centi for band in MODEL.band_sets["letters"].bands}
    assert letters == {"A": cuts["excellent"], "B": cuts["good"], "C": cuts["poor"], "D": 0}


def test_the_register_lists_hospitals_and_no_pharmacies() -> None:
    assert (MODEL.alias, MODEL.register.item, MODEL.register.prefix) == ("institution", "20", "H")
    assert "pharmacy" not in MODEL.types


@pytest.mark.parametrize(
    ("column", "grade"),
    [
        ("item.21.fraud_cases@current", "bad"),
        ("item.17.cases@current", "bad"),
        ("item.17.cases@age3", "bad"),
        ("item.21.fraud_cases@age1", "bad"),
        ("item.l07.suspended@current", "bad"),
        ("item.l07.terminated@current", "bad"),
        ("item.03.termination@current", "bad"),
        ("item.03.termination@age3", "bad"),
        ("item.l01.serious_dishonesty@current", "bad"),
        ("item.18.listed@current", "poor"),
    ],
)
def test_one_event_caps_the_grade_of_a_good_institution(column: str, grade: str) -> None:
    subject = Subject(inputs=PERFECT | {column: 1})
    result = score(MODEL, table(MODEL, [subject]), reference(), DAY)
    assert result.earned_grades == ("excellent",)
    assert result.grades == (grade,)
    assert result.overridden.sum() == 1


def test_everything_of_our_own_is_marked_as_a_proposal() -> None:
    assert MODEL.status is Status.PROPOSAL
    assert {one.status for one in MODEL.indicators} == {Status.PROPOSAL}
    assert {one.basis for one in MODEL.indicators} == {"scoring_formula_proposal"}


def test_a_perfect_institution_has_1000_points() -> None:
    result = score(MODEL, table(MODEL, [Subject(inputs=PERFECT)]), reference(), DAY)
    assert not result.missing.any()
    assert result.total_centi.tolist() == [100_000]
    assert (result.grades, result.basis) == (("excellent",), "proposal")


def test_before_the_regulation_the_model_does_not_hold() -> None:
    with pytest.raises(ModelNotInForceError, match="2021-04-30"):
        score(MODEL, table(MODEL, [Subject(inputs=PERFECT)]), reference(), date(2021, 4, 30))


@pytest.mark.parametrize("case", load_cases("institution_indicators"), ids=lambda case: case["id"])
def test_indicator(case: dict[str, Any]) -> None:
    index = next(at for at, one in enumerate(MODEL.indicators) if one.id == case["indicator"])
    # The other indicators are complete, so the weight is the nominal one.
    subject = Subject(inputs=PERFECT | case["given"], level=case["level"])
    peers = reference(**case.get("reference", {}))
    if MODEL.indicators[index].shape.statistics and "reference" not in case:
        peers = reference()
        kept = [
            one for one in peers.values_for("3", "general") if one.indicator != case["indicator"]
        ]
        peers = Reference.from_values(kept, model_digest=MODEL.digest, day=DAY)
    result = score(MODEL, table(MODEL, [subject]), peers, case["day"])
    if case["expect"] == "missing":
        assert result.missing[0, index]
        assert result.weights_centi[0, index] == result.points_centi[0, index] == 0
        assert result.weights_centi.sum() == MODEL.total_centi
        return
    assert not result.missing[0, index]
    assert result.weights_centi[0, index] == MODEL.indicators[index].weight_centi
    assert int(result.points_centi[0, index]) == round(float(case["expect"]) * 100)


def test_every_indicator_has_a_worked_case() -> None:
    assert {case["indicator"] for case in load_cases("institution_indicators")} == {
        one.id for one in MODEL.indicators
    }


def test_values_are_kept_in_millionths() -> None:
    result = score(MODEL, table(MODEL, [Subject(inputs=PERFECT)]), reference(), DAY)
    assert result.values_micro[0, 0] == MICRO
