"""Visits, settlements and dated registers: the relations that rules read."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from scoring_kernel.rules import load_rules
from tests.support.rule_engine import open_engine
from tests.support.rule_facts import RuleFacts, short_code

BOOK = load_rules()
LATER = f"{short_code('H1')}20261231235959"


def day(text: str) -> datetime:
    return datetime.fromisoformat(text)


def made(facts: RuleFacts, relation: str, *columns: str) -> list[dict[str, Any]]:
    """Rows of a relation, with short names."""
    facts.settle()
    rules = [rule for rule in BOOK.runnable if relation in rule.relations]
    engine = open_engine(BOOK, rules, facts)
    try:
        rows = engine.execute(
            f"select {', '.join(columns)} from {relation} order by all"  # noqa: S608 - of a test
        ).fetchall()
    finally:
        engine.close()
    return [
        {name: facts.names.get(one, one) for name, one in zip(columns, row, strict=True)}
        for row in rows
    ]


def visits(facts: RuleFacts, *columns: str) -> dict[str, dict[str, Any]]:
    return {row["mdtrt_id"]: row for row in made(facts, "visit", "mdtrt_id", *columns)}


def test_a_visit_begins_with_its_admission_and_ends_with_its_discharge() -> None:
    facts = RuleFacts.of(
        {
            "persons": {"P1": {"gender": "2", "born": "1980-05-06"}},
            "visits": {
                "V1": {
                    "inpatient": True,
                    "begins": "2026-03-02 09:00",
                    "discharged": "2026-03-09 10:00",
                    "doctor": "D1",
                    "diagnoses": ["I10.x00", "E11.900"],
                    "fund": 80,
                    "medfee": 100,
                    "inscp": 90,
                    "planned": True,
                }
            },
        }
    )
    names = ("person", "gender", "born", "inpatient", "admitted_at", "discharged_at", "doctor")
    more = ("main_icd", "settled", "medfee_fen", "inscp_fen", "fund_fen", "planned_readmission")
    assert visits(facts, *names, *more, "record_kind", "died") == {
        "V1": {
            "mdtrt_id": "V1",
            "person": "P1",
            "gender": "2",
            "born": day("1980-05-06"),
            "inpatient": True,
            "admitted_at": day("2026-03-02 09:00"),
            "discharged_at": day("2026-03-09 10:00"),
            "doctor": "D1",
            "main_icd": "I10.x00",
            "settled": True,
            "medfee_fen": 10_000,
            "inscp_fen": 9_000,
            "fund_fen": 8_000,
            "planned_readmission": True,
            "record_kind": "settlement",
            "died": False,
        }
    }


def test_a_visit_without_a_registration_begins_with_its_settlement() -> None:
    facts = RuleFacts.of({"visits": {"V1": {"settled": "2026-03-02 10:30"}}})
    facts.records.pop("admission")
    found = visits(facts, "admitted_at", "settled", "inpatient", "main_icd")["V1"]
    assert found["admitted_at"] == day("2026-03-02 10:30")
    assert (found["settled"], found["inpatient"], found["main_icd"]) == (True, False, None)


def test_a_cancelled_registration_is_no_visit_and_has_no_settlement() -> None:
    facts = RuleFacts.of({"visits": {"V1": {}, "V2": {}}})
    facts.record("cancellation", what="admission", mdtrt_id="V1")
    assert [*visits(facts)] == ["V2"]
    facts = RuleFacts.of({"visits": {"V1": {}, "V2": {}}})
    facts.record("cancellation", what="admission", mdtrt_id="V1")
    assert made(facts, "claim_settlement", "mdtrt_id") == [{"mdtrt_id": "V2"}]


@pytest.mark.parametrize(
    ("again", "settled", "fund"), [(None, False, 0), ("2026-03-03 08:00", True, 5_000)]
)
def test_a_reversed_settlement_settles_nothing_until_the_next(
    again: str | None, fund: int, *, settled: bool
) -> None:
    facts = RuleFacts.of({"visits": {"V1": {"fund": 80, "medfee": 80}}})
    facts.settle()
    paid = facts.records["settlement"][0]
    money = ("medfee_fen", "inscp_fen", "fund_fen", "account_fen", "cash_fen")
    back = {name: -paid[name] for name in money}
    facts.records["settlement"].append(paid | back | {"sign": -1, "record_id": f"{LATER}0001"})
    if again is not None:
        new = {"setl_id": "N1", "record_id": f"{LATER}0002", "settled_at": day(again)}
        amounts = {"medfee_fen": 5_000, "fund_fen": 5_000}
        facts.records["settlement"].append(paid | new | amounts)
    facts._visits.clear()  # noqa: SLF001 - they are settled
    found = visits(facts, "settled", "fund_fen", "settled_at", "setl_id")["V1"]
    assert (found["settled"], found["fund_fen"]) == (settled, fund)
    assert found["settled_at"] == (None if again is None else day(again))
    assert found["setl_id"] == (None if again is None else "N1")


def test_a_discharge_that_was_taken_back_does_not_end_the_visit() -> None:
    stay = {"inpatient": True, "discharged": "2026-03-09 10:00", "died": True}
    facts = RuleFacts.of({"visits": {"V1": stay, "V2": stay}})
    facts.record("cancellation", what="discharge", mdtrt_id="V1", record_id=f"{LATER}0001")
    found = visits(facts, "discharged_at", "died", "discharge_way")
    assert (found["V1"]["discharged_at"], found["V1"]["died"]) == (None, False)
    assert (found["V2"]["died"], found["V2"]["discharge_way"]) == (True, "5")


def test_the_main_diagnosis_is_the_settlement_lists_first() -> None:
    facts = RuleFacts.of(
        {"visits": {"V1": {"inpatient": True, "diagnoses": ["I10.x00"]}, "V2": {"diagnoses": []}}}
    )
    given = {"mdtrt_id": "V1", "main": True, "at": "2026-03-04"}
    facts.record("diagnosis", **given, what="discharge", code="E11.900")
    assert visits(facts, "main_icd")["V1"]["main_icd"] == "E11.900"
    facts._visits.clear()  # noqa: SLF001 - they are settled
    facts.record("diagnosis", **given, what="list", code="J18.900")
    assert visits(facts, "main_icd")["V1"]["main_icd"] == "J18.900"


def test_gender_and_birth_are_those_last_answered_where_the_settlement_states_none() -> None:
    facts = RuleFacts.of({"visits": {"V1": {"person": "P1"}}})
    for at, gender in (("2026-01-01", "1"), ("2026-02-01", "2")):
        facts.record("insured_person", person="P1", gender=gender, born="1990-01-01", stated_at=at)
    found = visits(facts, "gender", "born")["V1"]
    assert (found["gender"], found["born"]) == ("2", day("1990-01-01"))


def test_a_state_ends_where_the_next_begins() -> None:
    facts = RuleFacts()
    first = {"institution": "H1", "level": "05", "begins_at": "2024-01-01"}
    facts.record("institution_profile", **first)
    facts.record("institution_profile", institution="H1", level="02", begins_at="2026-01-01")
    facts.record("institution_profile", institution="S1", level="11", ends_at="2025-01-01")
    facts.record("institution_profile", institution="H2", level=None, begins_at="2024-01-01")
    found = made(facts, "profile", "institution", "rank", "begins_at", "ends_at")
    assert [(row["institution"], row["rank"], row["ends_at"]) for row in found] == [
        ("H1", 2, day("2026-01-01")),
        ("H1", 3, None),
        ("H2", None, None),
        ("S1", 0, day("2025-01-01")),
    ]


def test_two_states_from_one_moment_are_one() -> None:
    facts = RuleFacts()
    for status in ("active", "suspended"):
        facts.record("agreement_status", institution="H1", status=status, begins_at="2024-01-01")
    assert made(facts, "agreement", "status", "ends_at") == [
        {"status": "suspended", "ends_at": None}
    ]
