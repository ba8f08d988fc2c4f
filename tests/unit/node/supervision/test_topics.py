"""Topics over rows that were put by hand: each SQL, by numbers counted by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from node.store.month_rows import MonthRows, SetMonth
from node.supervision.topics import GradeRow, TopicDesk
from scoring_kernel.supervision.loading import load_supervision
from security.at_rest import Vault
from tests.support.node_messages import VAULT_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from scoring_kernel.supervision import TopicResult

SUPERVISION = load_supervision()
MARCH = 202603
Rows = dict[tuple[str, ...], dict[str, int]]


class Bench:
    """Rows by set and month, and topics over them."""

    def __init__(self, kept: MonthRows) -> None:
        self.kept = kept
        self.grades: list[GradeRow] = []

    def put(self, name: str, month: int, rows: Rows) -> None:
        one = SUPERVISION.sets[name]
        columns: dict[str, pa.Array] = {
            key: pa.array([row[at] for row in rows], pa.string()) for at, key in enumerate(one.keys)
        }
        for measure in one.measures:
            given = [row.get(measure.id, 0) for row in rows.values()]
            columns[measure.id] = pa.array(given, pa.int64())
        self.kept.replace(
            SetMonth(measure_set=name, month=month, inputs=b"x", rows=pa.table(columns))
        )

    def run(self, topic: str) -> TopicResult:
        desk = TopicDesk(
            kept=self.kept,
            supervision=SUPERVISION,
            peers={f"H{number}": "3/general" for number in range(1, 10)},
            grades=self.grades,
            mask=lambda text: f"#{text}",
        )
        (found,) = desk.run([SUPERVISION.topics[topic]], MARCH)
        return found


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with MonthRows(tmp_path, Vault(VAULT_KEY)) as kept:
        yield Bench(kept)


def column(found: TopicResult, name: str) -> Sequence[object]:
    return [row[name] for row in found.rows]


@pytest.mark.parametrize("topic", SUPERVISION.topics)
def test_every_topic_says_something_of_nothing(bench: Bench, topic: str) -> None:
    found = bench.run(topic)
    assert found.rows == ()
    assert found.finding_zh
    assert found.finding_en


def test_growth_above_the_budget_is_an_alert(bench: Bench) -> None:
    for month, fund in ((202503, 1000), (202602, 1000), (MARCH, 1101)):
        row = {"settlements": 2, "medfee_fen": 3000, "fund_fen": fund}
        row |= {"pooled_fen": fund - 100, "pooled_untold": int(month == 202602)}
        bench.put("care", month, {("H1",): row, ("H2",): {"settlements": 1, "fund_fen": 0}})
    found = bench.run("T01")
    assert column(found, "month") == ["2026-03", "2026-02", "2025-03"]
    assert column(found, "pooled") == [1001, None, 900]
    assert column(found, "yoy") == [101_000, None, None]
    assert column(found, "mom") == [101_000, None, None]
    assert column(found, "per_visit") == [367, 333, 333]
    assert found.alerts == 1
    assert [one.value for one in found.thresholds] == ["0.05", "0.05"]


def test_growth_is_shared_between_volume_and_price(bench: Bench) -> None:
    bench.put("care", 202503, {("H1",): {"inpatient": 10, "inpatient_medfee_fen": 100_000}})
    bench.put("care", MARCH, {("H1",): {"inpatient": 12, "inpatient_medfee_fen": 132_000}})
    found = bench.run("T02")
    (row,) = found.rows
    assert (row["growth"], row["by_volume"], row["by_price"]) == (32_000, 20_000, 12_000)
    assert "其中人次影响 200.00 元、次均影响 120.00 元" in found.finding_zh


def test_the_funnel_needs_more_than_chance(bench: Bench) -> None:
    rows: Rows = {
        (f"H{number}",): {"discharges": 1000, "readmissions_15d": 50} for number in range(2, 8)
    }
    rows[("H1",)] = {"discharges": 1000, "readmissions_15d": 80}
    rows[("H8",)] = {"discharges": 10, "readmissions_15d": 2}
    bench.put("stay", MARCH, rows)
    found = bench.run("T04")
    # Three standard errors of 0.0545 are 0.0216 at a thousand and 0.2155 at ten discharges.
    assert [row["institution"] for row in found.rows if row["alert"]] == ["H1"]
    assert found.rows[0]["overall"] == 54_494


def test_stays_are_compared_within_their_disease(bench: Bench) -> None:
    rows: Rows = {
        ("H1", "I10", f"v{number}"): {"medfee_fen": 10_000 + 10 * number, "bed_days": 5}
        for number in range(40)
    }
    rows["H1", "I10", "dear"] = {"medfee_fen": 900_000, "bed_days": 5}
    rows["H1", "J18", "alone"] = {"medfee_fen": 900_000, "bed_days": 5}
    bench.put("case_cost", MARCH, rows)
    found = bench.run("T06")
    assert (found.found, found.alerts) == (42, 1)
    assert found.rows[0]["visit"] == "#dear"
    assert [row["z"] for row in found.rows if row["disease"] == "J18"] == [None]


def test_a_physician_is_told_what_sets_him_apart(bench: Bench) -> None:
    rows: Rows = {}
    for number in range(1, 8):
        busy = {"visits": 20 + number, "persons": 20, "work_days": 10, "busiest_day": 5 + number}
        money = {"lines": 50, "amount_fen": 10_000 + 100 * number, "drug_fen": 4000 + 50 * number}
        rows["H1", f"D{number}"] = busy | money | {"patient_squares": 30 + number}
    rows["H1", "D1"] |= {"drug_fen": 9900, "amount_fen": 99_000, "busiest_day": 90}
    bench.put("practice", MARCH, rows)
    found = bench.run("T07")
    assert found.rows[0]["staff"] == "D1"
    assert found.rows[0]["alert"] == 1
    assert found.rows[0]["first_name"] in {"最大单日接诊量", "次均费用", "药占比"}


def test_the_first_in_a_hundred_users(bench: Bench) -> None:
    rows: Rows = {
        (f"p{number:03d}",): {"visits": 4 + number % 3, "institutions": 1, "fee_days": 1}
        for number in range(100)
    }
    rows[("much",)] = {"visits": 30, "institutions": 9, "diseases": 9, "fee_days": 1}
    rows[("few",)] = {"visits": 3, "institutions": 3}
    bench.put("patient", MARCH, rows)
    found = bench.run("T08")
    assert (found.found, found.alerts) == (101, 1)
    assert found.rows[0]["person"] == "#much"


def test_stockpiling_needs_days_and_institutions(bench: Bench) -> None:
    bench.put("supply", 202510, {("a", "X", "H1"): {"supply_days": 91}})
    bench.put("supply", 202509, {("a", "X", "H1"): {"supply_days": 500}})
    bench.put(
        "supply",
        MARCH,
        {
            ("a", "X", "H2"): {"supply_days": 100},
            ("a", "X", "H3"): {"supply_days": 80},
            ("b", "X", "H1"): {"supply_days": 271},
            ("c", "X", "H1"): {"supply_days": 270},
        },
    )
    found = bench.run("T09")
    assert [(row["person"], row["alert"]) for row in found.rows] == [("#a", 1), ("#b", 0)]
    assert column(found, "ratio") == [1_505_556, 1_505_556]


def test_lift_of_a_prescriber_at_a_pharmacy(bench: Bench) -> None:
    bench.put(
        "link",
        MARCH,
        {
            ("S1", "Dr A"): {"lines": 18},
            ("S2", "Dr A"): {"lines": 2},
            ("S2", "Dr B"): {"lines": 180},
        },
    )
    found = bench.run("T10")
    first = found.rows[0]
    # 18/20 of the doctor's, 18/200 of all: lift 10.
    assert (first["doctor"], first["share"], first["lift"]) == ("#Dr A", 900_000, 10_000_000)
    assert found.alerts == 1


def test_trace_codes_across_institutions(bench: Bench) -> None:
    one = {"sales": 1, "purchases": 1}
    bench.put(
        "trace_flow", MARCH, {("t", "S1"): one, ("t", "S2"): one, ("u", "S1"): one | {"sales": 2}}
    )
    found = bench.run("T11")
    assert [(row["code"], row["alert"]) for row in found.rows] == [("#t", 1), ("#t", 1), ("#u", 0)]


def test_a_circle_of_four(bench: Bench) -> None:
    pairs: Rows = {
        (one, other, "H1"): {"days": 3, "fund_fen": 100}
        for one, other in (("a", "b"), ("b", "c"), ("c", "d"), ("x", "y"))
    }
    bench.put("together", MARCH, pairs)
    found = bench.run("T12")
    assert [row["members"] for row in found.rows] == [4, 4, 4, 2]
    assert found.alerts == 3


def test_a_shift_of_the_mix_within_the_year(bench: Bench) -> None:
    for number in range(1, 13):
        month = 202500 + number
        drug = 300 if number < 7 else 500
        bench.put("cost_mix", month, {("H1",): {"amount_fen": 1000, "drug_fen": drug}})
    bench.put("cost_mix", MARCH, {("H1",): {"amount_fen": 1000, "drug_fen": 500}})
    found = bench.run("T13")
    (row,) = found.rows
    assert (row["turned"], row["shift"], row["alert"]) == ("202506", 200_000, 1)


def test_items_by_what_they_add(bench: Bench) -> None:
    bench.put("item_use", 202503, {("H1", "X1"): {"amount_fen": 100_000}})
    bench.put(
        "item_use",
        MARCH,
        {
            ("H1", "X1"): {"amount_fen": 150_000, "visits": 3},
            ("H2", "X1"): {"amount_fen": 50_000, "visits": 1},
            ("H1", "X2"): {"amount_fen": 100_000, "visits": 1},
        },
    )
    found = bench.run("T14")
    first, second = found.rows
    assert (first["item"], first["rate"], first["contribution"]) == ("X1", 1_000_000, 500_000)
    assert first["concentration"] == 625_000
    assert (second["rate"], second["contribution"]) == (None, 500_000)
    assert [row["alert"] for row in found.rows] == [1, 0]


def test_items_without_a_year_before_are_not_compared(bench: Bench) -> None:
    used = {"amount_fen": 100_000, "visits": 3}
    bench.put("item_use", MARCH, {("H1", "X1"): used, ("H1", "X2"): used})
    found = bench.run("T14")
    assert [(row["growth"], row["contribution"]) for row in found.rows] == [(None, None)] * 2
    assert found.finding_zh.endswith("金额 2000.00 元。无上年同期数据，不能比较增减。")


def test_flows_from_elsewhere(bench: Bench) -> None:
    home, away = "H33030200001", "3705"
    bench.put(
        "origin_flow",
        MARCH,
        {
            (home, "3303"): {"visits": 9, "persons": 9, "medfee_fen": 900},
            (home, away): {"visits": 3, "persons": 1, "medfee_fen": 100, "frequent": 1},
        },
    )
    (row,) = bench.run("T16").rows
    assert (row["place"], row["visit_share"], row["fee_share"]) == (away, 250_000, 100_000)
    assert row["alert"] == 1


def test_rules_that_jump(bench: Bench) -> None:
    bench.put("rule_month", 202602, {("H1", "M01"): {"hits": 5}, ("H1", "M09"): {"hits": 5}})
    bench.put("rule_month", MARCH, {("H1", "M01"): {"hits": 9}, ("H1", "M09"): {"hits": 10}})
    found = bench.run("T18")
    assert [(row["rule"], row["alert"]) for row in found.rows] == [("M09", 1), ("M01", 0)]


def test_grades_move(bench: Bench) -> None:
    for subject, before, now in (("a", 900, 700), ("b", 700, 700), ("c", 700, 910)):
        for period, points in (("2025H2", before), ("2026H1", now)):
            grade = "A" if points > 800 else "B"
            bench.grades.append((period, "physician", subject, grade, points * 100))
    bench.grades.append(("2024H1", "physician", "a", "B", 1))
    found = bench.run("T19")
    rows = {row["grade"]: row for row in found.rows}
    assert [(rows[one]["earlier"], rows[one]["now"]) for one in "AB"] == [(1, 1), (2, 2)]
    assert [(rows[one]["risen"], rows[one]["fallen"]) for one in "AB"] == [(1, 0), (0, 1)]
    assert {row["psi"] for row in found.rows} == {0}


def test_what_nobody_has_is_told_by_reason(bench: Bench) -> None:
    bench.put("care", MARCH, {("H1",): {"settlements": 1}})
    found = bench.run("T05")
    reasons = {row["id"]: row["reason"] for row in found.rows}
    assert reasons["I109"] == "没有 DRG 分组结果与权重"
    assert set(column(found, "valued")) == {0}
