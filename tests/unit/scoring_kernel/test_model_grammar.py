"""What a model file may say: formulas, shapes, band sets, overrides, the register."""

from __future__ import annotations

from datetime import date

import pytest

from scoring_kernel.errors import CatalogError, ParameterNotInForceError
from scoring_kernel.formulas import Difference, Growth, Ratio
from scoring_kernel.model import MAX_INDICATORS, Band, PeerLabel
from scoring_kernel.register_spec import Register
from scoring_kernel.shapes import (
    MAD,
    MEDIAN,
    BooleanShape,
    LinearShape,
    RobustZShape,
    Side,
    StepShape,
    Threshold,
    threshold_limit,
)
from scoring_kernel.shrinkage import Shrinkage
from tests.support.kernel_models import (
    TINY_FILE,
    TINY_MODEL,
    model_of,
    small_model,
    tiny_model,
    wide_model,
)

MODEL = tiny_model()
BY_ID = {one.id: one for one in MODEL.indicators}
CHECKED = """sources:
  wenzhou_951_table_2: {title: a, issuer: b, checked_on: 2026-01-05, checked_by: c}
  wenzhou_951_grades: {title: a, issuer: b, checked_on: 2026-01-05, checked_by: c}
  scoring_formula_proposal: {title: a, issuer: b, checked_on: 2026-01-05, checked_by: c}
  another: {title: a, issuer: b}
"""


def test_a_ratio_may_have_a_number_below_and_a_value_for_nothing() -> None:
    credits_, refunds = BY_ID["credits"].derivation, BY_ID["refunds"].derivation
    assert credits_ == Ratio(numerator="item.s02.credits_centi@current", denominator=100)
    assert credits_.columns == ("item.s02.credits_centi@current",)
    assert isinstance(refunds, Ratio)
    assert refunds.empty == 1_000_000
    assert refunds.columns == ("item.r05.refunded_fen@current", "item.r05.due_fen@current")


def test_a_difference_may_span_windows() -> None:
    assert BY_ID["qualification"].derivation == Difference(
        of="item.s03.points@year", minus="item.s03.repaired@current", divisor=1
    )
    assert BY_ID["qualification"].columns == (
        "item.s03.points@year",
        "item.s03.repaired@current",
    )
    plain = model_of(
        TINY_MODEL.replace(
            ", divisor: 1}\n    shape: {kind: linear", "}\n    shape: {kind: linear"
        ),
        TINY_FILE,
    )
    assert plain.indicators[4].derivation == BY_ID["qualification"].derivation


def test_a_growth_may_start_from_the_period_before() -> None:
    growth = BY_ID["cost"].derivation
    assert growth == Growth(of="physician.fen", over="physician.stays", base="prior")
    assert growth.columns == (
        "physician.fen@current",
        "physician.fen@prior",
        "physician.stays@current",
        "physician.stays@prior",
    )
    assert small_model().indicators[3].derivation == Growth(of="work.done", over=None, base="base")


def test_shrinkage_needs_the_median_and_the_number_of_cases() -> None:
    days = BY_ID["days"]
    assert days.shrink == Shrinkage(sample="physician.stays@current", least=30)
    assert days.columns[-1] == "physician.stays@current"
    assert days.statistics == (MAD, MEDIAN)
    shrunk = TINY_MODEL.replace(
        "    shape: {kind: boolean, good: true}",
        "    shrink: {sample: physician.stays@current, least: 2}\n"
        "    shape: {kind: boolean, good: false}",
    )
    committed = model_of(shrunk, TINY_FILE).indicators[3]
    assert (committed.statistics, committed.shape) == ((MEDIAN,), BooleanShape(good=False))


def test_shapes_name_their_thresholds_and_statistics() -> None:
    days, credits_, cost = (BY_ID[name].shape for name in ("days", "credits", "cost"))
    assert isinstance(days, RobustZShape)
    assert (days.side, days.full_centi, days.zero_centi) == (Side.ABOVE, 100, 400)
    assert days.least_spread.at(date(2026, 6, 30), "2", None) == 400_000
    assert isinstance(credits_, StepShape)
    assert [step.share_e4 for step in credits_.steps] == [10_000, 8_000, 4_000]
    assert (credits_.higher_is_better, credits_.rest_e4, credits_.statistics) == (True, 0, ())
    assert isinstance(cost, StepShape)
    assert cost.thresholds == tuple(Threshold(peer=name) for name in ("p25", "p50", "p90"))
    assert (cost.statistics, cost.rest_e4) == (("p25", "p50", "p90"), 1_000)
    committed = BY_ID["committed"].shape
    assert (committed.statistics, committed.thresholds) == ((), ())
    assert isinstance(BY_ID["qualification"].shape, LinearShape)


def test_steps_that_depend_on_other_peers_are_left_to_the_day() -> None:
    mixed = TINY_MODEL.replace("{at: {peer: p50}", '{at: "0.1"')
    assert model_of(mixed, TINY_FILE).indicators[2].statistics == ("p25", "p90")


def test_a_floor_holds_for_its_days_and_levels() -> None:
    wide = {one.id: one.shape for one in wide_model().indicators}
    share, unpaid = wide["mean_share"], wide["unpaid"]
    assert isinstance(share, LinearShape)
    assert isinstance(unpaid, LinearShape)
    day, later = date(2026, 6, 30), date(2026, 7, 1)
    assert [share.full.at(day, level, 0) for level in ("3", "2")] == [400_000, 300_000]
    assert [unpaid.zero.at(one, "3", 1) for one in (day, later)] == [20_000_000, 40_000_000]
    assert unpaid.zero.at(day, "3", 20_000_001) == 20_000_001
    assert unpaid.zero.at(day, "3", None) is None
    assert (unpaid.full.floor(day, "3"), unpaid.full.at(day, "3", -1)) == (None, -1)
    with pytest.raises(ParameterNotInForceError, match="least_zero"):
        unpaid.zero.at(date(2023, 12, 31), "3", 1)


def test_a_repealed_threshold_is_not_compared() -> None:
    later = TINY_MODEL.replace(
        '          2024-01-01: {value: "25", basis: scoring_formula_proposal}',
        '          2024-01-01: {value: "25", basis: scoring_formula_proposal}\n'
        "          2027-01-01: {value: null, basis: scoring_formula_proposal}",
    )
    assert len(model_of(later, TINY_FILE).indicators[1].parameters["standard"].values) == 2


@pytest.mark.parametrize("weight", [1, 1_000, 100_000])
def test_within_the_limit_a_linear_shape_stays_exact(weight: int) -> None:
    limit = threshold_limit(weight)
    span = 2 * limit
    assert 2 * weight * span + span < 2**53
    assert 2 * weight * (span + 2) + span + 2 >= 2**53


def test_the_first_band_set_grades_and_others_say_the_same_in_letters() -> None:
    assert list(MODEL.band_sets) == ["grades", "letters"]
    assert MODEL.bands == MODEL.band_sets["grades"].bands
    assert MODEL.band_sets["letters"].bands[0] == Band(
        id="a", name_zh="A级", name_en="A", letter="A", at_least_centi=5_000
    )
    assert MODEL.band_sets["letters"].basis == "scoring_formula_proposal"


@pytest.mark.parametrize(
    ("day", "is_in_force"),
    [
        (date(2023, 12, 31), False),
        (date(2024, 1, 1), True),
        (date(2029, 12, 31), True),
        (date(2030, 1, 1), False),
    ],
    ids=["before", "first", "last", "after"],
)
def test_an_override_is_in_force_between_its_days(day: date, *, is_in_force: bool) -> None:
    fraud, listed = MODEL.overrides
    assert fraud.is_in_force(day) is is_in_force
    assert listed.is_in_force(date(2099, 1, 1))
    assert (fraud.caps, listed.until) == ({"grades": "low", "letters": "b"}, None)


def test_columns_of_overrides_and_samples_are_inputs_of_the_model() -> None:
    assert {"item.s04.fraud@age3", "item.l02.listed@current"} <= set(MODEL.input_columns)
    assert list(MODEL.input_columns) == sorted(set(MODEL.input_columns))


def test_the_register_says_where_subjects_are_listed() -> None:
    assert MODEL.register == Register(
        item="s01", prefix="D", where={"role": "physician"}, level="title", type="specialty"
    )
    assert MODEL.register.columns == ("role", "title", "specialty")
    anybody = small_model().register
    assert (anybody.where, anybody.columns) == ({}, ("level", "type"))


def test_peers_keep_their_level_unless_the_model_says_type() -> None:
    assert (MODEL.peers, wide_model().peers) == (PeerLabel.LEVEL, PeerLabel.TYPE)


def test_alias_and_push_have_defaults() -> None:
    assert (MODEL.alias, MODEL.pushed) == ("little", False)
    assert (small_model().alias, small_model().pushed) == (None, True)


@pytest.mark.parametrize(
    "cited",
    [
        "letters:\n    basis: scoring_formula_proposal",
        "until: 2030-01-01\n    basis: scoring_formula_proposal",
    ],
    ids=["band_set", "override"],
)
def test_a_final_model_needs_the_sources_of_bands_and_overrides_checked(cited: str) -> None:
    final = TINY_MODEL.replace("status: proposal", "status: final")
    assert model_of(final, TINY_FILE, sources=CHECKED).status == "final"
    unchecked = final.replace(cited, cited.replace("scoring_formula_proposal", "another"))
    with pytest.raises(CatalogError, match="final, but source another is unchecked"):
        model_of(unchecked, TINY_FILE, sources=CHECKED)


LAW_OF_REFUNDS = (
    '    shape: {kind: linear, better: higher, zero: "0", full: "1"}\n',
    '    shape: {kind: linear, better: higher, zero: "0", full: "1"}\n    laws: [another]\n',
)
LAW_OF_FRAUD = ("    until: 2030-01-01\n", "    until: 2030-01-01\n    laws: [another]\n")


def test_laws_stand_beside_the_source_of_the_numbers() -> None:
    laws = TINY_MODEL.replace(*LAW_OF_REFUNDS).replace(*LAW_OF_FRAUD)
    model = model_of(laws, TINY_FILE, sources=CHECKED)
    both = ("another", "scoring_formula_proposal")
    refunds, fraud = model.indicators[5], model.overrides[0]
    assert (refunds.laws, refunds.basis, refunds.sources) == (("another",), both[1], both)
    assert (fraud.laws, fraud.basis, fraud.sources) == (("another",), both[1], both)
    assert (MODEL.overrides[0].laws, MODEL.overrides[0].sources) == ((), both[1:])


@pytest.mark.parametrize("law", [LAW_OF_REFUNDS, LAW_OF_FRAUD], ids=["indicator", "override"])
def test_a_final_model_needs_its_laws_checked(law: tuple[str, str]) -> None:
    final = TINY_MODEL.replace("status: proposal", "status: final").replace(*law)
    with pytest.raises(CatalogError, match="final, but source another is unchecked"):
        model_of(final, TINY_FILE, sources=CHECKED)


def test_a_model_has_at_most_52_indicators() -> None:
    block = TINY_MODEL[TINY_MODEL.index("  - id: refunds") :]
    many = "".join(
        block.replace("refunds", f"refunds_{place}").replace("number: 6", f"number: {6 + place}")
        for place in range(1, MAX_INDICATORS - 4)
    )
    with pytest.raises(CatalogError, match="found 53, expected 1 to 52"):
        model_of(TINY_MODEL + many, TINY_FILE)
