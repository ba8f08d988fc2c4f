"""Measure sets of supervision: the SQL comes to what obvious Python says, in any order."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import supervision_oracle as oracle
from tests.support.rule_facts import RuleFacts
from tests.support.supervised import measured

if TYPE_CHECKING:
    from collections.abc import Callable

ITEMS = (
    *("XJ01DDT019B002010100001", "XC08CAA001A001010100001", "ZA01AAX0001010203040", "T000100001"),
    *("C0101010101010101010", "002100000000001", "002500000000001", "003300000000001"),
    *("003100000000001", "001102000000001"),
)
BEGINS = datetime(2026, 2, 20)  # noqa: DTZ001 - wall clock of the records

lines = st.fixed_dictionaries(
    {
        "item": st.sampled_from(ITEMS),
        "amount": st.integers(1, 500),
        "doctor": st.sampled_from(["D1", "D2", None]),
        "after": st.integers(0, 4),
        "prescription": st.sampled_from(["R1", "R2", None]),
        "days": st.sampled_from([None, 3, 14]),
        "cap": st.sampled_from([None, 50, 400]),
    }
)
visits = st.lists(
    st.fixed_dictionaries(
        {
            "person": st.sampled_from(["P1", "P2", "P3"]),
            "institution": st.sampled_from(["H1", "H2"]),
            "hour": st.integers(0, 24 * 45),
            "stay": st.sampled_from([None, None, 0, 3, 12]),
            "way": st.sampled_from(["1", "2"]),
            "insutype": st.sampled_from(["310", "390"]),
            "fate": st.sampled_from(["", "", "", "reversed", "cancelled", "unsettled"]),
            "parts": st.tuples(st.sampled_from([None, 0, 700]), st.sampled_from([None, 0, 200])),
            "paid": st.sampled_from([None, None, 0]),
            "place": st.sampled_from([None, "330302", "330381", "330106"]),
            "lines": st.lists(lines, min_size=1, max_size=3),
        }
    ),
    min_size=1,
    max_size=9,
)


def facts_of(drawn: list[dict[str, Any]]) -> RuleFacts:
    facts = RuleFacts()
    for number, one in enumerate(drawn, start=1):
        name = f"V{number}"
        begins = BEGINS + timedelta(hours=one["hour"])
        stay = one["stay"]
        ends = None if stay is None else begins + timedelta(days=stay, hours=2)
        facts.visit(
            name,
            person=one["person"],
            institution=one["institution"],
            begins=begins,
            inpatient=stay is not None,
            insutype=one["insutype"],
            discharged=ends,
            way=one["way"],
            fund=one["paid"],
            settled=False if one["fate"] == "unsettled" else (ends or begins + timedelta(hours=1)),
        )
        for line in one["lines"]:
            facts.line(
                visit=name,
                item=line["item"],
                amount=line["amount"],
                at=begins + timedelta(hours=line["after"]),
                doctor=line["doctor"],
                prescription=line["prescription"],
                days=line["days"],
                cap_e6=None if line["cap"] is None else line["cap"] * 1_000_000,
            )
    facts.settle()
    said = {facts.code(f"V{number}"): one for number, one in enumerate(drawn, start=1)}
    for row in facts.records.get("settlement", ()):
        one = said[row["mdtrt_id"]]
        row["pooled_fen"], row["own_fen"] = one["parts"]
        row["inscp_fen"] -= row["own_fen"] or 0
        row["insured_place"] = one["place"]
    for number, one in enumerate(drawn, start=1):
        if one["fate"] == "reversed":
            (paid,) = [
                row
                for row in facts.records["settlement"]
                if row["mdtrt_id"] == facts.code(f"V{number}") and row["sign"] == 1
            ]
            money = {key: -(paid[key] or 0) for key in paid if key.endswith("_fen")}
            taken = {key: paid[key] for key in paid if key not in ("record_id", "month")}
            at = paid["settled_at"] + timedelta(days=20)
            facts.record("settlement", **taken | money | {"sign": -1, "settled_at": at})
        elif one["fate"] == "cancelled":
            facts.record(
                "cancellation",
                institution=one["institution"],
                mdtrt_id=f"V{number}",
                what="admission",
                cancelled_at=BEGINS + timedelta(hours=one["hour"] + 1),
            )
    return facts


@pytest.mark.parametrize("name", ["care", "cost_mix", "practice", "stay"])
@settings(max_examples=12)
@given(drawn=visits, month=st.sampled_from([202602, 202603]))
def test_the_sql_comes_to_what_obvious_python_says(
    name: str, drawn: list[dict[str, Any]], month: int
) -> None:
    facts = facts_of(drawn)
    count: Callable[[RuleFacts, int], dict[tuple[str, ...], dict[str, int]]]
    count = getattr(oracle, name)
    expected = count(facts, month)
    found = measured(facts, name, month)
    if name == "stay":
        # A stay that only goes on in the month has a row too, with nothing but its bed days.
        found = {key: row for key, row in found.items() if key in expected}
    assert found.keys() == expected.keys()
    for key, row in expected.items():
        assert {measure: found[key][measure] for measure in row} == row


@settings(max_examples=8)
@given(drawn=visits, seed=st.integers(0, 1000))
def test_the_order_of_records_changes_nothing(drawn: list[dict[str, Any]], seed: int) -> None:
    facts = facts_of(drawn)
    before = {name: measured(facts, name, 202603) for name in ("care", "practice", "patient")}
    for rows in facts.records.values():
        random.Random(seed).shuffle(rows)  # noqa: S311 - an order, not a secret
    assert {name: measured(facts, name, 202603) for name in before} == before
