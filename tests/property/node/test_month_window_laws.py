"""Months counted together say what every set says of its own window, alone in an engine."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from node.store.month_rows import MonthRows
from node.supervision import counting
from node.supervision.month_engine import MonthPlan
from node.supervision.month_inputs import MonthInputs, classes_of
from scoring_kernel import load_catalog
from scoring_kernel.supervision.loading import load_supervision
from security.at_rest import Vault
from tests.support.node_messages import VAULT_KEY, open_store
from tests.support.rule_facts import RuleFacts
from tests.support.rule_runs import put_facts
from tests.support.supervised import count, kept_rows, measured, windowed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from node.store import NodeStore

MONTHS = 6
FIRST = datetime(2025, 10, 1)  # noqa: DTZ001 - wall clock of the records
SETS = [name for name, one in load_supervision().sets.items() if "rule_hit" not in one.relations]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[NodeStore]:
    with open_store(tmp_path / "node") as opened:
        yield opened


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[MonthRows]:
    with MonthRows(tmp_path, Vault(VAULT_KEY)) as opened:
        yield opened


def month_of(at: datetime) -> int:
    return at.year * 100 + at.month


def town(draw: random.Random) -> RuleFacts:
    """Few persons at few places over half a year: stays across months, reversals, deletions."""

    def moment(days: int = MONTHS * 30) -> datetime:
        return FIRST + timedelta(days=draw.randrange(days), minutes=30 * draw.randrange(48))

    facts = RuleFacts()
    facts.institution("H1", level="05", beds=40)
    for number in range(28):
        begins = moment()
        name, inpatient = f"V{number}", draw.random() < 0.4
        ends = begins + timedelta(days=draw.choice((1, 5, 40, 75)))
        facts.visit(
            name,
            begins=begins,
            person=f"P{draw.randrange(4)}",
            institution=draw.choice(("H1", "H2", "S1")),
            inpatient=inpatient,
            diagnoses=draw.choice((["I10"], ["J18", "E11"], [])),
            **({"discharged": ends} if inpatient else {}),
        )
        for _ in range(draw.randrange(1, 4)):
            facts.line(
                visit=name,
                item=draw.choice(("XA01BC02", "ZB03", "002101", "C0401")),
                amount=draw.randrange(10, 900),
                at=begins + timedelta(days=draw.randrange(3)),
                doctor=f"D{draw.randrange(2)}",
            )
    facts.settle()
    for paid in draw.sample(facts.records["settlement"], 6):
        taken = {key: paid[key] for key in paid if key not in ("record_id", "month")}
        money = {key: -(paid[key] or 0) for key in paid if key.endswith("_fen")}
        late = paid["settled_at"] + timedelta(days=draw.choice((0, 20, 45, 100)))
        changed = {"sign": -1, "settled_at": late}
        if draw.random() < 0.5:
            # Some name another visit than the settlement that they take back.
            changed["mdtrt_id"] = draw.choice(facts.records["settlement"])["mdtrt_id"]
        facts.record("settlement", **taken | money | changed)
    for number in range(25):
        place, at = draw.choice(("S1", "H1")), moment()
        facts.record(
            "stock_movement",
            institution=place,
            batch=f"B{draw.randrange(4)}",
            what=draw.choice(("sale", "purchase", "return")),
            local_code=f"YP{draw.randrange(2)}",
            data_type="4",
            entry=draw.choice((None, f"E{draw.randrange(6)}")),
            occurred_at=at,
            month=month_of(at),
            quantity_e4=10_000 * draw.randrange(1, 9),
        )
        at = moment()
        facts.record(
            "trace_code",
            institution=place,
            what="sale",
            code=f"C{draw.randrange(6)}",
            occurred_at=at,
            month=month_of(at),
            source=facts.records["stock_movement"][number]["record_id"],
        )
    for _ in range(3):
        at, batch = moment(), f"B{draw.randrange(4)}"
        deleted = {"institution": "S1", "what": "4", "batch": batch, "deleted_at": at}
        facts.record("stock_deletion", **deleted, month=month_of(at))
    for number in range(4):
        # A node keeps the last answer about a person, so each has one.
        at, place = moment(), draw.choice(("330300", "310000"))
        said = {"person": f"P{number}", "stated_at": at, "month": month_of(at)}
        facts.record("insurance_status", **said, place=place)
        facts.record("insured_person", **said, gender=draw.choice(("1", "2")))
    return facts


@pytest.mark.parametrize(
    ("span", "seed"),
    [(1, 0), (counting.SPAN_RECORDS, 1)],
    ids=["alone", "together"],
)
def test_every_set_reads_its_window_and_no_more(
    store: NodeStore, kept: MonthRows, monkeypatch: pytest.MonkeyPatch, span: int, seed: int
) -> None:
    monkeypatch.setattr(counting, "SPAN_RECORDS", span)
    facts = town(random.Random(seed))  # noqa: S311 - not for keys
    put_facts(store, facts)
    report = count(store, kept)
    assert len(report.months) >= MONTHS
    seen = set()
    for name in SETS:
        keys = load_supervision().sets[name].keys
        for month in report.months:
            rows = {
                tuple(facts.names.get(row[key], row[key]) for key in keys): {
                    measure: value for measure, value in row.items() if measure not in keys
                }
                for row in kept_rows(kept, name, month)
            }
            assert rows == measured(windowed(facts, name, month), name, month), (name, month)
            seen |= {name} if rows else set()
    assert seen >= {"care", "stay", "practice", "patient", "item_use", "shop", "trace_flow"}


def test_records_that_come_in_parts_come_to_the_same(
    tmp_path: Path, store: NodeStore, kept: MonthRows
) -> None:
    draw = random.Random(4)  # noqa: S311 - not for keys
    facts = town(draw)
    parts = [RuleFacts() for _ in range(2)]
    for kind, rows in facts.records.items():
        for row in rows:
            draw.choice(parts).records.setdefault(kind, []).append(row)
    put_facts(store, parts[0])
    count(store, kept)
    put_facts(store, parts[1])
    report = count(store, kept)
    with (
        open_store(tmp_path / "whole") as other,
        MonthRows(tmp_path / "whole", Vault(VAULT_KEY)) as whole,
    ):
        put_facts(other, facts)
        assert count(other, whole).months == report.months
        for name in SETS:
            for month in report.months:
                assert kept_rows(kept, name, month) == kept_rows(whole, name, month), (name, month)


@pytest.mark.parametrize("span", [1, counting.SPAN_RECORDS], ids=["alone", "together"])
def test_a_reversal_is_seen_whichever_visit_it_names(
    store: NodeStore, kept: MonthRows, monkeypatch: pytest.MonkeyPatch, span: int
) -> None:
    monkeypatch.setattr(counting, "SPAN_RECORDS", span)
    facts = RuleFacts()
    facts.visit("V1", begins=FIRST)
    facts.line(visit="V1", item="XA01BC02", amount=100, at=FIRST)
    facts.visit("V2", begins=FIRST + timedelta(days=70))
    facts.line(visit="V2", item="XA01BC02", amount=100, at=FIRST + timedelta(days=70))
    facts.settle()
    put_facts(store, facts)
    months = count(store, kept).months
    assert [len(kept_rows(kept, "care", month)) for month in months] == [1, 0, 1]
    first, second = facts.records["settlement"]
    late = RuleFacts()
    taken = {key: first[key] for key in first if key not in ("record_id", "month")}
    money = {key: -(first[key] or 0) for key in first if key.endswith("_fen")}
    named = {"mdtrt_id": second["mdtrt_id"], "settled_at": second["settled_at"]}
    late.record("settlement", **taken | money | named | {"sign": -1})
    put_facts(store, late)
    report = count(store, kept)
    assert report.counted
    assert [len(kept_rows(kept, "care", month)) for month in months] == [0, 0, 1]


@pytest.mark.parametrize("more", ["", " -- born"], ids=["unasked", "asked"])
def test_what_only_an_answer_about_a_person_says_is_shared_by_no_months(more: str) -> None:
    supervision = load_supervision()
    one = supervision.sets["practice"]
    plan = MonthPlan(
        supervision=supervision,
        classes=classes_of(supervision.kinds(supervision.sets), load_catalog().records),
        inputs=MonthInputs(held={}),
        windows={(202601, 202602): (replace(one, sql=one.sql + more),)},
    )
    # Where a set asks for it, visits are made for every window, from its answers alone.
    assert ("visit" in plan.shared, "line" in plan.shared) == (not more, not more)
    assert plan.unknown == (frozenset() if more else {"insured_person"})
    assert ("insured_person" in plan.own(plan.windows[202601, 202602])[1]) == bool(more)
