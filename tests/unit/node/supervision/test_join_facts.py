"""Facts for joining, read from a real store."""

from __future__ import annotations

from contextlib import closing
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from node.supervision.join_facts import open_facts, read_facts, read_places
from scoring_kernel import load_catalog
from scoring_kernel.joining import JoinKind
from scoring_kernel.rules import load_rules
from tests.support.join_payloads import minute
from tests.support.rule_facts import RuleFacts, short_code
from tests.support.rule_runs import put_facts

if TYPE_CHECKING:
    from node.store import NodeStore

JOINING = load_catalog().joining
TODAY = date(2026, 3, 31)
SLEEPING_PILL = "XN05CFA001"
HOSPITAL, PERSON = short_code("H1"), short_code("P1")
STAY: dict[str, Any] = {
    "inpatient": True,
    "begins": "2026-03-01 09:00",
    "discharged": "2026-03-05 10:00",
}


def facts_of(store: NodeStore, today: date = TODAY, **case: Any) -> dict[str, list[dict[str, Any]]]:  # noqa: ANN401 - of a case
    facts = RuleFacts.of(case)
    facts.settle()
    put_facts(store, facts)
    with closing(open_facts(store, load_rules(), JOINING)) as engine:
        return {one.kind: one.rows.to_pylist() for one in read_facts(engine, JOINING, today)}


def test_a_settled_stay_is_told_with_its_hours(store: NodeStore) -> None:
    found = facts_of(store, visits={"V1": STAY})
    (row,) = found[JoinKind.STAY]
    leaf = row.pop("leaf")
    assert row == {
        "institution": HOSPITAL,
        "who": PERSON,
        "begins": minute("2026-03-01 09:00"),
        "ends": minute("2026-03-05 10:00"),
        "drug_class": "",
    }
    assert 0 <= leaf < store.ledger_size()
    assert found[JoinKind.PRESENCE] == []


@pytest.mark.parametrize(
    "change",
    [
        {"settled": False},
        {"discharged": None, "settled": "2026-03-05 10:00"},
        {"begins": "2026-04-01 09:00", "discharged": "2026-04-02 09:00"},
    ],
    ids=["not settled", "not discharged", "yet to come"],
)
def test_what_is_no_ended_and_settled_stay_is_not_told(
    store: NodeStore, change: dict[str, Any]
) -> None:
    assert facts_of(store, visits={"V1": {**STAY, **change}})[JoinKind.STAY] == []


def test_a_cancelled_and_a_reversed_stay_are_not_told(store: NodeStore) -> None:
    cancelled = {"visit": "V1", "what": "admission", "cancelled_at": "2026-03-06"}
    back = {
        "visit": "V2",
        "sign": -1,
        "medfee_fen": -100,
        "inscp_fen": -100,
        "fund_fen": -100,
        "inpatient": True,
        "med_type": "21",
    }
    found = facts_of(
        store,
        visits={"V1": STAY, "V2": STAY},
        records={"cancellation": [cancelled], "settlement": [back]},
    )
    assert found[JoinKind.STAY] == []


def test_a_stay_whose_retention_is_over_is_not_told(store: NodeStore) -> None:
    assert facts_of(store, date(2026, 9, 4), visits={"V1": STAY})[JoinKind.STAY]
    with closing(open_facts(store, load_rules(), JOINING)) as engine:
        late = {one.kind: one.rows for one in read_facts(engine, JOINING, date(2026, 9, 5))}
    assert late[JoinKind.STAY].num_rows == 0


def test_only_visits_for_which_one_stands_there_are_presences(store: NodeStore) -> None:
    found = facts_of(
        store,
        visits={
            "V1": {"med_type": "11", "begins": "2026-03-10 09:00", "settled": "2026-03-10 09:40"},
            "V2": {"med_type": "14", "begins": "2026-03-11 09:00"},
            "V3": {"med_type": "41", "institution": "S1", "begins": "2026-03-12 09:00"},
        },
    )
    rows = [(row["institution"], row["begins"], row["ends"]) for row in found[JoinKind.PRESENCE]]
    first, second = minute("2026-03-10 09:40"), minute("2026-03-12 10:00")
    assert rows == [(HOSPITAL, first, first), (short_code("S1"), second, second)]


def test_only_watched_classes_are_dispenses_and_only_their_day(store: NodeStore) -> None:
    found = facts_of(
        store,
        visits={"V1": {"begins": "2026-03-10 09:00"}},
        lines=[
            {"visit": "V1", "item": SLEEPING_PILL, "amount": 30},
            {"visit": "V1", "item": "XN05CFA002", "amount": 10},
            {"visit": "V1", "item": "XC09AAX001", "amount": 30},
        ],
    )
    (row,) = found[JoinKind.DISPENSE]
    assert row["drug_class"] == "XN05C"
    assert row["begins"] == row["ends"] == minute("2026-03-10 00:00")


def test_a_drug_that_was_taken_back_is_no_dispense(store: NodeStore) -> None:
    found = facts_of(
        store,
        visits={"V1": {"begins": "2026-03-10 09:00"}},
        lines=[
            {"visit": "V1", "item": SLEEPING_PILL, "amount": 30},
            {"visit": "V1", "item": SLEEPING_PILL, "amount": -30, "refund_of": "L1"},
            {"visit": "V1", "item": "XC09AAX001", "amount": 30},
        ],
    )
    assert found[JoinKind.DISPENSE] == []


def seen(time: str, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - of a visit
    """A patient of the first physician, who settles at a time of the tenth of March."""
    at = f"2026-03-10 {time}"
    return {"begins": "2026-03-10 08:00", "settled": at, "doctor": "D1", **changes}


def test_a_session_is_a_run_of_patients_without_a_long_gap(store: NodeStore) -> None:
    times = ["09:00", "09:40", "10:40", "11:41", "12:10"]
    visits = {f"V{number}": seen(time) for number, time in enumerate(times)}
    visits["V8"] = seen("15:00")
    visits["V9"] = seen("09:05", doctor="D2")
    rows = facts_of(store, visits=visits)[JoinKind.SESSION]
    found = [(row["who"], row["begins"], row["ends"]) for row in rows]
    doctor = short_code("D1")
    assert found == [
        (doctor, minute("2026-03-10 09:00"), minute("2026-03-10 10:40")),
        (doctor, minute("2026-03-10 11:41"), minute("2026-03-10 12:10")),
    ], "an hour is no gap, a minute more is; one patient alone is no session"
    assert {row["institution"] for row in rows} == {HOSPITAL}
    assert all(0 <= row["leaf"] < store.ledger_size() for row in rows)


@pytest.mark.parametrize(
    "change",
    [
        {"doctor": "330302197001011234"},
        {"inpatient": True, "discharged": "2026-03-11 09:00"},
        {"med_type": "14"},
        {"settled": "2026-03-10 00:00"},
    ],
    ids=["no code of staff", "a stay", "nobody stood there", "no time of day"],
)
def test_what_is_no_patient_seen_opens_no_session(store: NodeStore, change: dict[str, Any]) -> None:
    visits = {"V1": seen("09:00", **change), "V2": seen("09:30", **change)}
    assert facts_of(store, visits=visits)[JoinKind.SESSION] == []


def pack(what: str, at: str, **given: Any) -> dict[str, Any]:  # noqa: ANN401 - columns
    return {"code": "81234560000000000001", "what": what, "occurred_at": at, **given}


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([pack("sale", "2026-03-10 09:00", source="a")], 1),
        ([pack("purchase", "2026-03-10 09:00", source="a")], 0),
        ([pack("sale", "2026-03-10 09:00", source="a", split=True)], 0),
        (
            [
                pack("sale", "2026-03-10 09:00", source="a"),
                pack("sale_return", "2026-03-11 09:00", source="b"),
            ],
            0,
        ),
        (
            [
                pack("sale", "2026-03-10 09:00", source="a"),
                pack("sale_return", "2026-03-11 09:00", source="b"),
                pack("sale", "2026-03-12 09:00", source="c"),
            ],
            1,
        ),
        (
            [
                pack("sale", "2026-03-10 09:00", source="a"),
                pack("settlement", "2026-03-10 09:05", source="b", setl_id="S1"),
                pack("sale_return", "2026-03-11 09:00", source="c"),
            ],
            0,
        ),
    ],
    ids=["sold", "bought", "split", "brought back", "sold again", "told twice"],
)
def test_a_pack_is_told_once_and_net_of_returns(
    store: NodeStore, rows: list[dict[str, Any]], told: int
) -> None:
    found = facts_of(store, records={"trace_code": rows})[JoinKind.TRACE]
    assert [row["who"] for row in found] == ["81234560000000000001"] * told
    assert [row["begins"] for row in found] == [minute("2026-03-10 09:00")] * told


def test_a_code_on_the_movement_itself_counts_too(store: NodeStore) -> None:
    sold = {"what": "sale", "trace": "8123", "occurred_at": "2026-03-10 09:00", "local_code": "x"}
    found = facts_of(store, records={"stock_movement": [sold]})
    assert [row["who"] for row in found[JoinKind.TRACE]] == ["8123"]


def test_the_latest_place_of_an_institution_counts(store: NodeStore) -> None:
    profiles = [
        {"begins_at": "2020-01-01", "ends_at": "2025-01-01", "latitude_e6": 1, "longitude_e6": 2},
        {"begins_at": "2025-01-01", "latitude_e6": 28_000_000, "longitude_e6": 120_000_000},
        {"begins_at": "2025-01-01", "institution": "H2"},
    ]
    facts = RuleFacts.of({"records": {"institution_profile": profiles}})
    put_facts(store, facts)
    with closing(open_facts(store, load_rules(), JOINING)) as engine:
        (place,) = read_places(engine, TODAY)
    assert (place.institution, place.latitude_e6) == (HOSPITAL, 28_000_000)


def test_an_empty_node_has_nothing_to_tell(store: NodeStore) -> None:
    assert facts_of(store) == {kind: [] for kind in JoinKind}
