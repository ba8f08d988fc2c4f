from __future__ import annotations

import copy
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scoring_kernel.catalog_loader import load_catalog
from scoring_kernel.errors import ItemRowError
from scoring_kernel.item_rows import parse_row
from scoring_kernel.strict_yaml import load_strict

if TYPE_CHECKING:
    from scoring_kernel.yaml_section import Section

FAULTS = load_strict(
    (Path(__file__).parents[2] / "cases" / "item_rows" / "faults.yaml").read_bytes(), "faults.yaml"
)
CASES = FAULTS.sections("cases")
DOCUMENTS = [str(one) for one in FAULTS.texts("documents")]
ITEMS = load_catalog().items

ROW = {"institution": "H33030200001", "period": "2026H1"}
EVENT = {
    "institution": "H33030200001",
    "authority": "温州市医疗保障局",
    "document_number": "温医保协2026年1号",
    "event_day": "2026-03-31",
}
DOCUMENT = {"authority": "温州市医疗保障局", "document_number": "温医保2026年2号"}
PSEUDONYM = "R0123456789abcdef0123456789abcdef"
USCC = "91350100M000100Y43"
SUBJECTS = {
    "s01": "D330302000001",
    "s02": "N330302000001",
    "s03": "HY330302000002",
    "r01": PSEUDONYM,
    "r03": PSEUDONYM,
    "e01": USCC,
}
GOOD = {
    "03": EVENT | {"handling": "interview", "amount_yuan": ""},
    "05": ROW | {"rejected_visits": "12", "rejected_yuan": "3400.5"},
    "08": ROW
    | {
        "learners_passed": "9",
        "learners_required": "10",
        "self_check_reports": "1",
        "self_check_found_yuan": "100.00",
        "self_check_refunded_yuan": "80",
        "mismatch_months": "0",
        "device_online_hours": "700",
        "device_required_hours": "720",
        "trauma_verified": "3",
        "trauma_cases": "4",
        "publicity_done": "2",
        "publicity_required": "2",
    },
    "09": ROW | {"score": "95.5"},
    "16": ROW | {"score": "812.34"},
    "20": {
        "institution": "H33030200001",
        "name": "温州示例医院",
        "uscc": "91350100M000100Y43",
        "level": "3",
        "type": "general",
        "division": "330302",
        "address": "温州市鹿城区示例路1号",
        "legal_representative": "张示例",
        "phone": "0577-88000000",
        "beds_licensed": "800",
        "first_agreement_day": "2016-07-01",
    },
    "21": EVENT | {"amount_yuan": "1000.00", "fraud": "1"},
    "e01": {
        "organisation": USCC,
        "name": "温州示例公司",
        "level": "1",
        "type": "enterprise",
        "division": "330302",
    },
    "l01": DOCUMENT
    | {
        "institution": "H33030200001",
        "from_day": "2026-01-01",
        "until_day": "",
        "listed_as": "serious_dishonesty",
    },
    "r01": {"person": PSEUDONYM, "level": "0", "type": "employee", "division": "330302"},
    "r03": {
        "person": PSEUDONYM,
        "authority": "insurance_bureau",
        "document_number": "温医保罚\u30142026\u301512号",
        "decision": "penalty",
        "event_day": "2026-03-31",
        "kind": "lending",
        "fraud": "0",
    },
    "s01": {
        "staff": "D330302000001",
        "role": "physician",
        "institution": "H33030200001",
        "level": "2",
        "type": "surgery",
        "practice_start_day": "2010-07-01",
    },
    "s02": {
        "staff": "N330302000001",
        "period": "2026H1",
        "credits_earned": "12",
        "credits_required": "12",
        "rejected_visits": "3",
        "rejected_yuan": "10.00",
    },
    "s03": DOCUMENT
    | {
        "staff": "HY330302000002",
        "event_day": "2026-03-31",
        "act_id": "A1",
        "points": "9",
        "responsibility": "main",
        "suspended_months": "2",
    },
    "23": ROW | {"cases": "100", "weight": "103.25", "cost_ratio": "98.7654"},
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.text("id"))
def test_a_faulty_row_is_refused_with_field_rule_and_mend(case: Section) -> None:
    given = case.section("given")
    number = case.text("item")
    changed = {name: str(value) for name, value in given.values.items()}
    with pytest.raises(ItemRowError) as caught:
        parse_row(ITEMS[number], GOOD[number] | changed)
    fault = caught.value
    assert (fault.field, fault.rule) == (case.text("field"), case.text("rule"))
    assert fault.masked.startswith(str(case.values["found"]))
    assert case.text("mend") in fault.mend


@pytest.mark.parametrize("number", GOOD)
def test_the_rows_that_the_cases_change_are_good(number: str) -> None:
    row = parse_row(ITEMS[number], GOOD[number])
    assert row.subject == SUBJECTS.get(number, "H33030200001")
    assert list(row.values) == [field.column for field in ITEMS[number].fields]


def test_decimals_become_whole_fen_hundredths_and_ten_thousandths() -> None:
    assert parse_row(ITEMS["05"], GOOD["05"]).values["rejected_fen"] == 340050
    assert parse_row(ITEMS["16"], GOOD["16"]).values["score_centi"] == 81234
    assert parse_row(ITEMS["09"], GOOD["09"] | {"score": "100.0000"}).values["score_centi"] == 10000
    drg = parse_row(ITEMS["23"], GOOD["23"]).values
    assert (drg["weight_e4"], drg["cost_ratio_e4"]) == (1032500, 987654)


def test_a_row_is_known_by_institution_and_period() -> None:
    row = parse_row(ITEMS["05"], GOOD["05"])
    assert row.key == ("H33030200001", "2026H1")
    assert (row.period, row.event_day) == ("2026H1", None)


def test_an_event_is_known_by_authority_and_document_number() -> None:
    row = parse_row(ITEMS["21"], GOOD["21"])
    assert row.key == ("温州市医疗保障局", "温医保协2026年1号")
    assert (row.period, row.event_day) == (None, date(2026, 3, 31))
    assert (row.values["fraud"], row.values["amount_fen"]) == (1, 100000)


def test_a_subject_of_any_class_is_known_by_its_own_field() -> None:
    assert parse_row(ITEMS["s01"], GOOD["s01"]).key == ("D330302000001",)
    assert parse_row(ITEMS["r01"], GOOD["r01"]).key == (PSEUDONYM,)
    decision = parse_row(ITEMS["s03"], GOOD["s03"])
    assert decision.key == ("温州市医疗保障局", "温医保2026年2号")
    assert (decision.subject, decision.event_day) == ("HY330302000002", date(2026, 3, 31))


def test_a_technician_is_registered_and_graded_by_no_model() -> None:
    given = {"staff": "HJ330302000001", "role": "technician", "type": "technology"}
    assert parse_row(ITEMS["s01"], GOOD["s01"] | given).subject == "HJ330302000001"
    roles = {one.register.where.get("role") for one in load_catalog().models.values()}
    assert "technician" not in roles


def test_an_entry_of_a_listing_has_days_and_no_event() -> None:
    row = parse_row(ITEMS["l01"], GOOD["l01"] | {"until_day": "2026-01-01"})
    assert (row.period, row.event_day) == (None, None)
    assert (row.values["from_day"], row.values["until_day"]) == (date(2026, 1, 1),) * 2


@pytest.mark.parametrize(
    "case", [one for one in CASES if one.text("item") == "r01"], ids=lambda case: case.text("id")
)
def test_nothing_of_a_persons_number_stands_in_the_fault(case: Section) -> None:
    found = str(case.section("given").values["person"])
    with pytest.raises(ItemRowError) as caught:
        parse_row(ITEMS["r01"], GOOD["r01"] | {"person": found})
    shown = f"{caught.value} {caught.value.masked} {caught.value.mend}"
    assert not any(found[at : at + 4] in shown for at in range(len(found) - 3))


@pytest.mark.parametrize("number", DOCUMENTS)
def test_a_decision_about_a_person_is_known_by_its_number(number: str) -> None:
    row = parse_row(ITEMS["r03"], GOOD["r03"] | {"document_number": number})
    assert row.key == ("insurance_bureau", number)


def test_an_item_about_persons_has_no_field_for_a_name() -> None:
    about = [item for item in ITEMS.values() if item.subject_type == "person"]
    assert len(about) == 6
    assert not [
        (item.number, field.name)
        for item in about
        for field in item.fields
        if field.type in {"text", "phone"} or field.personal
    ]


def test_an_empty_optional_field_is_none() -> None:
    assert parse_row(ITEMS["03"], GOOD["03"]).values["amount_fen"] is None
    without = {name: text for name, text in GOOD["20"].items() if name != "phone"}
    assert parse_row(ITEMS["20"], without).values["phone"] is None


def test_blanks_around_a_value_do_not_matter() -> None:
    spaced = {name: f" {text}\t" for name, text in GOOD["05"].items()}
    assert parse_row(ITEMS["05"], spaced) == parse_row(ITEMS["05"], GOOD["05"])


def test_a_row_never_shows_its_values() -> None:
    assert "张示例" not in repr(parse_row(ITEMS["20"], GOOD["20"]))


def test_a_fault_survives_a_process_border() -> None:
    with pytest.raises(ItemRowError) as caught:
        parse_row(ITEMS["05"], GOOD["05"] | {"rejected_visits": "x"})
    other = copy.copy(caught.value)  # Takes the way that pickling takes.
    assert (str(other), other.rule) == (str(caught.value), "format")
