"""Measure sets of supervision over small hand-made facts, with numbers counted by hand."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tests.support.rule_facts import RuleFacts
from tests.support.supervised import measured

MARCH = 202603
DRUG = "XC08CAA001A001010100001"
OTHER = "XA10BAA002B001010100001"


def facts_of(**case: Any) -> RuleFacts:  # noqa: ANN401 - parts of a case
    facts = RuleFacts.of(case)
    facts.settle()
    return facts


def movement(**given: Any) -> dict[str, Any]:  # noqa: ANN401 - columns of the kind
    day = given.pop("at", "2026-03-05 10:00")
    quantity = given.pop("count", 1) * 10_000
    return {
        "institution": "S1",
        "local_code": "YP1",
        "occurred_at": day,
        "quantity_e4": quantity,
        **given,
    }


def test_beds_are_those_of_the_register_and_days_those_in_the_month() -> None:
    facts = facts_of(
        institutions={"H1": {"beds": 10, "begins_at": "2025-01-01"}},
        visits={
            "V1": {"begins": "2026-02-26 09:00", "inpatient": True, "discharged": "2026-03-03"},
            "V2": {"begins": "2026-03-30 09:00", "inpatient": True, "settled": False},
            "V3": {"begins": "2026-03-10", "inpatient": True, "discharged": "2026-03-10 20:00"},
        },
    )
    (row,) = measured(facts, "stay", MARCH).values()
    assert row["available_days"] == 310
    assert row["occupied_days"] == 2 + 2 + 1
    assert (row["discharges"], row["bed_days"], row["one_day"]) == (2, 5 + 1, 1)
    assert (row["admissions"], row["holiday_admissions"]) == (2, 0)


def test_a_planned_readmission_and_dialysis_are_none() -> None:
    facts = facts_of(
        visits={
            "V1": {"begins": "2026-03-01", "inpatient": True, "discharged": "2026-03-04"},
            "V2": {
                "begins": "2026-03-06",
                "inpatient": True,
                "discharged": "2026-03-08",
                "diagnoses": ["Z49.100"],
            },
            "V3": {
                "begins": "2026-03-09",
                "inpatient": True,
                "discharged": "2026-03-12",
                "planned": True,
            },
            "V4": {"begins": "2026-03-15", "inpatient": True, "settled": False},
        },
    )
    (row,) = measured(facts, "stay", MARCH).values()
    # V1 and V2 are followed by V3, V1 not by V2 (dialysis), and V3 was planned to be followed.
    assert row["readmissions_7d"] == 2
    assert row["planned"] == 1


def test_pharmacy_sales_codes_and_stock() -> None:
    sale = {"what": "sale", "rx": True, "prescription": None, "prescriber": None}
    facts = facts_of(
        records={
            "stock_movement": [
                movement(what="count", count=100, at="2026-01-31 20:00", batch="B1"),
                movement(what="purchase", count=50, at="2026-02-10", batch="B1"),
                movement(**sale, count=2, trace="T1", batch="B1"),
                movement(**(sale | {"prescription": "R1"}), count=3, batch="B1"),
                movement(**sale, count=1, local_code="YP9", at="2026-03-06", trace="T1"),
                movement(what="sale_return", count=1, batch="B1", at="2026-03-07"),
                movement(what="change", change_type="104", count=4, batch="B1", at="2026-03-08"),
                movement(what="count", count=140, at="2026-03-31 20:00", batch="B1"),
            ],
        }
    )
    (row,) = measured(facts, "shop", MARCH).values()
    assert (row["sale_lines"], row["rx_lines"], row["rx_bare_lines"]) == (3, 3, 2)
    assert (row["traced_lines"], row["unbought_lines"]) == (2, 1)
    assert (row["codes"], row["repeated_codes"]) == (1, 1)
    assert row["sold_e4"] == (2 + 3 + 1 - 1) * 10_000
    assert row["lost_e4"] == 4 * 10_000
    # 100 + 50 - 2 - 3 + 1 - 4 = 142, counted 140.
    assert row["gap_e4"] == 2 * 10_000
    assert row["checked_sold_e4"] == (2 + 3 - 1) * 10_000
    assert (row["stock_e4"], row["stock_days_e4"]) == (1_400_000, 1_400_000 * 31)


def test_supply_is_that_of_lines_which_state_their_days() -> None:
    visits = {
        "V1": {"institution": "H1", "begins": "2026-02-01 09:00"},
        "V2": {"institution": "H2", "begins": "2026-03-01 09:00"},
        "V3": {"institution": "H2", "begins": "2026-03-20 09:00"},
    }
    lines = [{"visit": name, "item": DRUG, "amount": 10, "days": 90} for name in visits]
    lines.append({"visit": "V2", "item": OTHER, "amount": 10})
    rows = measured(facts_of(visits=visits, lines=lines), "supply", MARCH)
    assert rows == {("P1", DRUG[:10], "H2"): {"supply_days": 180, "amount_fen": 2000, "lines": 2}}


def test_persons_come_together_on_three_days() -> None:
    visits: dict[str, dict[str, Any]] = {}
    for day in (2, 3, 4):
        for person in (1, 2, 3):
            # The third comes hours after the others.
            hour = 12 if person == 3 else 9
            visits[f"V{len(visits) + 1}"] = {
                "person": f"P{person}",
                "begins": f"2026-03-{day:02d} {hour:02d}:00",
                "settled": f"2026-03-{day:02d} {hour:02d}:{10 * person:02d}",
                "fund": 5,
            }
    rows = measured(facts_of(visits=visits), "together", MARCH)
    assert rows == {("P1", "P2", "H1"): {"days": 3, "fund_fen": 3000}}


def test_use_of_an_item_with_squares_for_its_indices() -> None:
    visits = {"V1": {"person": "P1"}, "V2": {"person": "P1"}, "V3": {"person": "P2"}}
    lines = [
        {"visit": "V1", "item": DRUG, "amount": 20, "count": 2, "price": 10, "doctor": "D1"},
        {"visit": "V2", "item": DRUG, "amount": 12, "count": 1, "price": 12, "doctor": "D1"},
        {"visit": "V3", "item": DRUG, "amount": 10, "count": 1, "price": 10, "doctor": "D2"},
    ]
    (row,) = measured(facts_of(visits=visits, lines=lines), "item_use", MARCH).values()
    assert row == {
        "quantity_e4": 40_000,
        "amount_fen": 4200,
        "visits": 3,
        "persons": 2,
        "lines": 3,
        "price_fen": 3200,
        "price_squares": 1000**2 + 1200**2 + 1000**2,
        "doctor_visits": 3,
        "doctor_squares": 5,
    }


def test_trace_codes_that_come_again() -> None:
    code = {"institution": "S1", "what": "sale", "item_code": DRUG}
    facts = facts_of(
        records={
            "trace_code": [
                {**code, "code": "T1", "occurred_at": "2026-01-05 10:00"},
                {**code, "code": "T1", "occurred_at": "2026-03-05 10:00", "institution": "S2"},
                {**code, "code": "T2", "occurred_at": "2026-03-05 11:00"},
                {**code, "code": "T2", "occurred_at": "2026-03-06", "what": "sale_return"},
                {**code, "code": "T2", "occurred_at": "2026-03-07"},
                {**code, "code": "T3", "occurred_at": "2026-03-08", "split": True},
                {**code, "code": "T3", "occurred_at": "2026-03-09", "split": True},
            ]
        }
    )
    rows = measured(facts, "trace_flow", MARCH)
    assert rows.keys() == {("T1", "S1"), ("T1", "S2")}
    items = measured(facts, "item_trace", MARCH)
    assert items["S1", DRUG] == {"codes": 1, "repeated_codes": 0}


def test_who_is_insured_elsewhere() -> None:
    stated = {"stated_at": "2026-03-01", "insutype": "310", "status": "1"}
    facts = facts_of(
        visits={"V1": {"person": "P1"}, "V2": {"person": "P1"}, "V3": {"person": "P2"}},
        records={
            "insurance_status": [
                {**stated, "person": "P1", "place": "370500"},
                {**stated, "person": "P1", "place": "330302", "stated_at": "2026-02-01"},
            ]
        },
    )
    assert measured(facts, "origin_flow", MARCH) == {
        ("H1", "3705"): {"visits": 2, "persons": 1, "medfee_fen": 200, "frequent": 0}
    }
    rows = measured(facts, "patient", MARCH)
    assert (rows[("P1",)]["placed"], rows[("P1",)]["away"]) == (2, 2)
    assert (rows[("P2",)]["placed"], rows[("P2",)]["away"]) == (0, 0)


def test_gaps_and_daily_fees_of_a_person() -> None:
    facts = facts_of(
        visits={
            "V1": {"settled": "2026-02-27 09:00", "begins": "2026-02-27 08:00", "medfee": 100},
            "V2": {"settled": "2026-03-02 09:00", "medfee": 40.4},
            "V3": {"settled": "2026-03-02 09:25", "medfee": 60.2, "institution": "S1"},
            "V4": {"settled": "2026-03-20", "medfee": 100.5, "fund": 50},
        }
    )
    row = measured(facts, "patient", MARCH)[("P1",)]
    assert (row["visits"], row["purchases"], row["outpatient"]) == (3, 1, 2)
    assert (row["gaps_0"], row["gaps_1"], row["gaps_14"]) == (1, 1, 1)
    # The last settlement has a day only: no gap in minutes ends there.
    assert (row["timed_gaps"], row["least_gap"]) == (2, 25)
    assert (row["fee_days"], row["fee_yuan"], row["fee_squares"]) == (2, 202, 101**2 + 101**2)
    assert (row["most_visits"], row["most_institutions"]) == (2, 2)


def test_hits_count_once_whatever_they_list() -> None:
    at = datetime(2026, 3, 5, 10)  # noqa: DTZ001 - wall clock of the records
    hospital, doctor = "H33030200001", "D330302000001"
    one = {"hit": "a", "rule": "M16", "verdict": "suspicion", "institution": hospital}
    hits: dict[str, list[dict[str, Any]]] = {
        "rule_hit": [
            {**one, "hit_at": at, "amount_fen": 100},
            {**one, "hit": "b", "rule": "M01", "verdict": "violation"}
            | {"hit_at": at, "amount_fen": 50},
            {**one, "hit": "c", "hit_at": at.replace(month=4), "amount_fen": 7},
        ],
        "rule_hit_visit": [
            {"hit": "a", "mdtrt_id": "v1"},
            {"hit": "a", "mdtrt_id": "v2"},
            {"hit": "b", "mdtrt_id": "v1"},
        ],
        "rule_hit_staff": [{"hit": "a", "staff": doctor}, {"hit": "b", "staff": "N330302000001"}],
        "rule_hit_key": [{"hit": "a", "key": DRUG}, {"hit": "b", "key": DRUG}],
    }
    facts = RuleFacts()
    assert measured(facts, "hit", MARCH, hits) == {
        (hospital,): {
            "hits": 2,
            "amount_fen": 150,
            "violations": 1,
            "violation_fen": 50,
            "visits": 2,
        }
    }
    assert measured(facts, "practice_hit", MARCH, hits)[hospital, doctor]["excess"] == 1
    assert measured(facts, "item_hit", MARCH, hits)[hospital, DRUG] == {"limits": 1, "excess": 1}
    assert measured(facts, "rule_month", MARCH, hits)[hospital, "M16"] == {
        "hits": 1,
        "amount_fen": 100,
        "visits": 2,
    }


def test_days_links_and_cases() -> None:
    facts = facts_of(
        visits={
            "V1": {"settled": "2026-03-07 23:00"},
            "V2": {"settled": "2026-03-07 12:00"},
            "V3": {
                "begins": "2026-03-01",
                "inpatient": True,
                "discharged": "2026-03-05 09:00",
                "diagnoses": ["I10.x00"],
                "medfee": 500,
            },
        },
        records={
            "stock_movement": [
                movement(
                    what="sale", prescriber="张医生", price_e6=12_500_000, count=2, person="P1"
                )
            ]
        },
    )
    days = measured(facts, "day_load", MARCH)
    assert days["H1", "2026-03-07"] == {"settlements": 2, "night": 1, "weekend": 1}
    assert measured(facts, "link", MARCH)["S1", "张医生"] == {
        "lines": 1,
        "persons": 1,
        "amount_fen": 2500,
    }
    assert measured(facts, "case_cost", MARCH) == {
        ("H1", "I10", "V3"): {"medfee_fen": 50_000, "bed_days": 4}
    }


def test_hours_with_a_pharmacist_are_those_after_a_check_that_passed() -> None:
    shop = {"institution": "S1", "med_type": "41"}
    hours = (8, 9, 12, 13, 15, 18)
    visits = {
        f"V{number}": {**shop, "person": "P1", "begins": f"2026-03-02 {hour:02d}:20"}
        for number, hour in enumerate(hours, start=1)
    }
    visits["V7"] = {**shop, "person": "P1", "begins": "2026-03-03 00:00", "settled": "2026-03-03"}
    check = {"institution": "S1", "staff": "D1", "result": "match"}
    facts = facts_of(
        visits=visits,
        records={
            "staff_member": [
                {"institution": "S1", "staff": "D1", "type": "3", "begins_at": "2025-01-01"},
                {"institution": "S1", "staff": "D2", "type": "2", "begins_at": "2025-01-01"},
            ],
            "duty_event": [
                # Holds from 9 to 12 o'clock; at 13:10 its four hours are over.
                {**check, "at": "2026-03-02 09:00", "score_e4": 4_650, "threshold_e4": 4_650},
                {**check, "at": "2026-03-02 15:10"},
                {**check, "at": "2026-03-02 15:50", "result": "absent"},
                # Neither judged, nor by a pharmacist, nor over the threshold.
                {**check, "at": "2026-03-02 18:01", "result": "unjudged"},
                {**check, "at": "2026-03-02 18:02", "staff": "D2"},
                {**check, "at": "2026-03-02 18:03", "score_e4": 4_649, "threshold_e4": 4_650},
            ],
        },
    )
    row = measured(facts, "duty", MARCH)[("S1",)]
    assert (row["checks"], row["hours_open"], row["hours_seen"]) == (5, 6, 2 + 1)
