"""The models of the eight other subject classes against their table and worked cases."""

from __future__ import annotations

import csv
import re
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from scoring_kernel.catalog_loader import parse_catalog, read_catalog_files
from scoring_kernel.formulas import Tally
from scoring_kernel.indicators import Indicator, Status
from scoring_kernel.reference import EVERYBODY, Reference, ReferenceValue
from scoring_kernel.scoring import ScoreResult, score
from scoring_kernel.shapes import BooleanShape, LinearShape, RobustZShape, StepShape
from tests.support.kernel_models import ROOT, Subject, load_cases, table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scoring_kernel.model import RatingModel

CATALOG = parse_catalog(read_catalog_files())
TABLES = {case["id"]: case for case in load_cases("subject_tables")}
CSV = ROOT.parent / "shared" / "domain" / "subject_models.csv"
DAY = date(2026, 6, 30)

BAD_NEWS = re.compile(
    r"item\.(03|07|17|18|19|21|l0\d|s04|r03|e03|d04|t03)\."
    r"|item\.s03\.barred@"
    r"|\.(rejected_\w+|valid_complaints|stock_gap_fen|base_gap_fen|sample_errors"
    r"|uncorrected_warnings|rating_rank|especially_serious)@"
)
"""Columns of which a perfect subject has none."""
PERFECT_STATISTICS = {"p50": 1_000_000, "p90": 20_000, "mad": 0}
"""The perfect subject is the median of its peers: every ratio of its inputs is 1."""
LETTERS = {"excellent": "a", "good": "b", "medium": "c", "poor": "c", "bad": "d"}
CAPPED_SINCE = date(2026, 1, 1)
"""Overrides are a proposal for periods to come: those before were graded without."""


def perfect(model: RatingModel) -> dict[str, int]:
    return {column: 0 if BAD_NEWS.search(column) else 100_000 for column in model.input_columns}


def rated(
    model: RatingModel,
    given: Mapping[str, int],
    *,
    level: str | None = None,
    day: date = DAY,
    indicator: str = "",
    reference: Mapping[str, int] | None = None,
) -> ScoreResult:
    values = [
        ReferenceValue(
            indicator=one.id, statistic=name, peer_group=EVERYBODY, value_micro=statistics[name]
        )
        for one in model.indicators
        for statistics in [
            PERFECT_STATISTICS | dict((reference or {}) if one.id == indicator else {})
        ]
        for name in statistics
    ]
    peers = Reference.from_values(values, model_digest=model.digest, day=day)
    subject = Subject(
        inputs=perfect(model) | dict(given), level=level or model.levels[0], type=model.types[0]
    )
    return score(model, table(model, [subject]), peers, day)


def points_kind(one: Indicator) -> str:
    shape = one.shape
    if isinstance(shape, RobustZShape):
        return "robust_z"
    if isinstance(shape, StepShape):
        return "steps"
    if isinstance(shape, BooleanShape):
        return "flag"
    assert isinstance(shape, LinearShape)
    if isinstance(one.derivation, Tally):
        return "tally"
    return "line" if shape.zero.peer is None else f"peer_{shape.zero.peer}"


@pytest.mark.parametrize("name", TABLES)
def test_indicators_weights_and_shapes_are_those_of_the_table(name: str) -> None:
    model = CATALOG.models[name]
    assert [
        {
            "level1": one.level1.name_zh,
            "level2": one.level2.name_zh,
            "name_zh": one.name_zh,
            "id": one.id,
            "weight": one.weight_centi / 100,
            "points": points_kind(one),
        }
        for one in model.indicators
    ] == [
        {key: value for key, value in row.items() if key != "row"}
        for row in TABLES[name]["indicators"]
    ]
    assert sum(one.weight_centi for one in model.indicators) == model.total_centi == 100_000
    assert [group.name_zh for group in model.groups if group.parent is None] == [
        "基础评价",
        "自律评价",
        "协议评价",
        "行政评价",
        "公共评价",
    ]


@pytest.mark.skipif(not CSV.exists(), reason="subject_models.csv is not beside the project")
@pytest.mark.parametrize("name", ["designated_medical_institution", *TABLES])
def test_every_indicator_is_a_row_of_the_specification(name: str) -> None:
    words = TABLES[name]["class_zh"] if name in TABLES else "定点医疗机构"
    with CSV.open(encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["subject"].startswith(words)]
    parts = {
        one["id"]: one["row"] for one in TABLES.get(name, {}).get("indicators", []) if "row" in one
    }
    weights: dict[tuple[str, str, str], int] = {}
    for one in CATALOG.models[name].indicators:
        key = (one.level1.name_zh, one.level2.name_zh, parts.get(one.id, one.name_zh))
        weights[key] = weights.get(key, 0) + one.weight_centi
    assert [((row["l1"], row["l2"], row["l3"]), 100 * int(row["weight"])) for row in rows] == list(
        weights.items()
    )


@pytest.mark.parametrize("name", TABLES)
def test_everything_of_our_own_is_marked_as_a_proposal(name: str) -> None:
    model = CATALOG.models[name]
    assert model.status is Status.PROPOSAL
    assert {one.status for one in model.indicators} == {Status.PROPOSAL}
    for one in model.indicators:
        assert set(one.sources) - set(one.laws) == {"subject_model_proposal"}
    assert {one.basis for one in model.overrides} == {"override_proposal"}


@pytest.mark.parametrize("name", TABLES)
def test_subjects_come_from_the_register_and_their_peers_are_those_it_knows(name: str) -> None:
    model, facts = CATALOG.models[name], TABLES[name]
    assert (model.alias, model.register.item, model.register.prefix) == (
        facts["alias"],
        facts["register"],
        facts["prefix"],
    )
    fields = {one.column: one for one in CATALOG.items[model.register.item].fields}
    assert set(model.types) <= fields[model.register.type].codes.keys()
    assert set(model.levels) <= fields[model.register.level].codes.keys()
    for column, value in model.register.where.items():
        assert value in fields[column].codes


def test_roles_divide_the_register_of_staff() -> None:
    roles = {name: CATALOG.models[name].register.where for name in TABLES}
    assert {name: where for name, where in roles.items() if where} == {
        name: {"role": name} for name in ("physician", "nurse", "pharmacist")
    }


def test_insured_persons_are_graded_from_departments_alone_and_never_pushed() -> None:
    model = CATALOG.models["insured_person"]
    assert all(re.match(r"item\.(r0\d|l03)\.", column) for column in model.input_columns)
    assert [name for name, one in CATALOG.models.items() if not one.pushed] == ["insured_person"]
    register = CATALOG.items["r01"]
    assert not any(field.personal or field.type == "text" for field in register.fields)


def test_scores_exchanged_with_the_city_are_read_with_one_period_of_lag() -> None:
    read = {
        (name, column)
        for name, model in CATALOG.models.items()
        for column in model.input_columns
        if re.match(r"item\.(s05|r04)\.", column)
    }
    assert read == {
        ("physician", "item.s05.score_centi@prior"),
        ("nurse", "item.s05.score_centi@prior"),
        ("pharmacist", "item.s05.score_centi@prior"),
        ("insured_person", "item.r04.score_centi@prior"),
    }


@pytest.mark.parametrize("name", TABLES)
def test_a_perfect_subject_has_1000_points(name: str) -> None:
    result = rated(CATALOG.models[name], {})
    assert not result.missing.any()
    assert not result.shrunk.any()
    assert result.total_centi.tolist() == [100_000]
    assert (result.grades, result.basis) == (("excellent",), "proposal")


CASES = load_cases("subject_indicators")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_indicator(case: dict[str, Any]) -> None:
    model = CATALOG.models[case["model"]]
    assert set(case["given"]) <= set(model.input_columns)
    index = [one.id for one in model.indicators].index(case["indicator"])
    result = rated(
        model,
        case["given"],
        level=case.get("level"),
        indicator=case["indicator"],
        reference=case.get("reference"),
    )
    assert not result.missing[0, index]
    assert result.weights_centi[0, index] == model.indicators[index].weight_centi
    assert int(result.points_centi[0, index]) == round(float(case["expect"]) * 100)


def test_every_indicator_has_a_worked_case() -> None:
    assert {(case["model"], case["indicator"]) for case in CASES} == {
        (name, one.id) for name in TABLES for one in CATALOG.models[name].indicators
    }


@pytest.mark.parametrize("name", TABLES)
def test_each_override_caps_every_band_set_from_its_first_day(name: str) -> None:
    model, caps = CATALOG.models[name], TABLES[name]["caps"]
    assert {one.id: dict(one.caps) for one in model.overrides} == {
        override: {"grades": grade, "letters": LETTERS[grade]} for override, grade in caps.items()
    }
    for at, override in enumerate(model.overrides):
        assert (override.since, override.until) == (CAPPED_SINCE, None)
        for column in override.columns:
            result = rated(model, {column: 1})
            assert result.overridden[0, at]
            assert result.grades == (caps[override.id],)
            assert result.total_centi[0] == result.points_centi.sum()


@pytest.mark.parametrize("case", load_cases("overrides"), ids=lambda case: case["id"])
def test_what_caps_a_grade_and_what_does_not(case: dict[str, Any]) -> None:
    model = CATALOG.models[case["model"]]
    result = rated(model, case["given"], day=case.get("day", DAY))
    firing = [
        one.id for one, fires in zip(model.overrides, result.overridden[0], strict=True) if fires
    ]
    assert (firing, result.grades) == (case["overrides"], (case["grade"],))


def test_no_grade_of_a_period_before_the_overrides_is_capped() -> None:
    for model in CATALOG.models.values():
        for override in model.overrides:
            assert override.since == CAPPED_SINCE
    given = {"item.s03.barred@current": 1}
    for day, grade in ((date(2025, 12, 31), "excellent"), (CAPPED_SINCE, "bad")):
        result = rated(CATALOG.models["physician"], given, day=day)
        assert (result.earned_grades, result.grades) == (("excellent",), (grade,))


def test_what_adds_up_over_a_period_cannot_be_mended_at_its_end() -> None:
    added_up = {
        *("stock_upload", "trace_codes", "prescribed_sales", "price_compliance"),
        *("monitoring_devices", "orders_uploaded", "trauma_management", "centralised_settlement"),
    }
    fixed = {"cost_per_visit", "drug_share", "examination_share", "cmi_growth"}
    found = set()
    for model in CATALOG.models.values():
        for one in model.indicators:
            if one.id in added_up:
                assert one.improve is not None
                assert (one.improve.by is not None, one.improve.to) == (True, None)
                found.add(one.id)
            if one.id in fixed:
                assert one.improve is None
                found.add(one.id)
    assert found == added_up | fixed


def test_letters_say_the_same_as_grades() -> None:
    for model in CATALOG.models.values():
        assert [band.letter for band in model.band_sets["letters"].bands] == list("ABCD")
        for band in model.bands:
            letter = next(
                one
                for one in model.band_sets["letters"].bands
                if band.at_least_centi >= one.at_least_centi
            )
            assert letter.id == LETTERS[band.id]


def test_nine_classes_have_a_model_and_a_name_of_their_own() -> None:
    assert len(CATALOG.models) == 9
    assert len({model.alias for model in CATALOG.models.values()}) == 9


def test_every_override_names_the_articles_its_event_rests_on() -> None:
    for model in CATALOG.models.values():
        for one in model.overrides:
            assert one.laws, (model.id, one.id)
            assert one.basis == "override_proposal"
