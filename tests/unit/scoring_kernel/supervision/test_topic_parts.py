"""Steps, sentences and charts of topics."""

from __future__ import annotations

import pytest

from scoring_kernel import load_catalog
from scoring_kernel.errors import KernelInputError
from scoring_kernel.supervision import conclude
from scoring_kernel.supervision.loading import load_supervision
from scoring_kernel.supervision.steps import Exceeds, RobustZ, Row, Stability
from scoring_kernel.supervision.telling import told_topic

TOPICS = load_supervision().topics
MONTH = 202603


def test_robust_z_of_logarithms_by_group() -> None:
    step = RobustZ(into="z", of="fee", by=("disease",), least=3, is_log=True)
    fees = {"I10": (1000, 10_000, 100_000, 0), "J18": (5,)}
    rows: list[Row] = [
        {"disease": disease, "fee": fee} for disease, each in fees.items() for fee in each
    ]
    step.apply(rows, {})
    # Logarithms lie ln 10 apart: median in the middle, MAD ln 10.
    assert [row["z"] for row in rows] == [-674_491, 0, 674_491, None, None]


def test_thresholds_are_in_the_unit_of_the_column() -> None:
    step = Exceeds(into="alert", of="fee", scale=100, threshold="most", is_size=True)
    rows: list[Row] = [{"fee": 499}, {"fee": -500}, {"fee": None}]
    step.apply(rows, {"most": 5_000_000})
    assert [row["alert"] for row in rows] == [0, 1, 0]


def test_stability_needs_both_sides() -> None:
    step = Stability(into="psi", expected="before", actual="now", by=("class",))
    rows: list[Row] = [
        {"class": "a", "before": 50, "now": 50},
        {"class": "a", "before": 50, "now": 50},
        {"class": "b", "before": 0, "now": 9},
    ]
    step.apply(rows, {})
    assert [row["psi"] for row in rows] == [0, 0, None]


def day(institution: str, number: int, settlements: int) -> Row:
    return {
        "institution": institution,
        "day": f"2026-03-{number:02d}",
        "kind": "工作日",
        "settlements": settlements,
        "night": 0,
        "night_share": 0,
    }


def test_a_topic_is_concluded() -> None:
    rows = [day("H1", number, 10 + number % 3) for number in range(1, 10)]
    found = conclude(TOPICS["T17"], MONTH, [*rows, day("H1", 10, 90)])
    assert (found.found, found.alerts) == (10, 1)
    assert found.rows[0]["day"] == "2026-03-10"
    assert "10 个机构日，1 个异常；首位 H1 在 2026-03-10" in found.finding_zh
    assert "1 are out of the ordinary; first H1 on 2026-03-10 with 90" in found.finding_en
    (threshold,) = found.thresholds
    assert (threshold.name, threshold.value, threshold.unit) == ("z_alert", "3.5", "1")
    assert threshold.since.isoformat() == "2021-05-01"
    series = found.option["series"][0]
    assert series["encode"] == {"x": "day", "y": "institution", "value": "settlements"}
    assert found.option["dataset"]["source"][0]["settlements"] == "90"
    assert found.option["visualMap"] == {"min": "10", "max": "90"}


def test_the_same_rows_in_another_order_conclude_the_same() -> None:
    rows = [day(name, number, number * 7 % 13) for name in ("H1", "H2") for number in range(1, 12)]
    sources = load_catalog().legal_basis
    first = told_topic(conclude(TOPICS["T17"], MONTH, rows), sources)
    assert told_topic(conclude(TOPICS["T17"], MONTH, rows[::-1]), sources) == first


def test_an_empty_table_has_its_own_sentence() -> None:
    found = conclude(TOPICS["T17"], MONTH, [])
    assert found.finding_zh == "2026-03 止三个月没有结算。"
    assert found.option["visualMap"] == {"min": "0", "max": "0"}


def test_persons_are_masked_after_what_reads_them() -> None:
    pair: Row = {"person": "a", "other": "b", "institution": "H1", "days": 4, "fund": 1000}
    chain: Row = {**pair, "person": "b", "other": "c"}
    found = conclude(TOPICS["T12"], MONTH, [pair, chain], lambda text: f"#{text}")
    assert [row["members"] for row in found.rows] == [3, 3]
    assert {row["person"] for row in found.rows} == {"#a", "#b"}
    links = found.option["series"][0]["links"]
    assert {"source": "#a", "target": "→ #b", "value": "4"} in links
    # Two of three possible pairs, twenty yuan: 0.666667 of 20.00.
    assert {row["score"] for row in found.rows} == {1333}


def test_other_columns_are_refused() -> None:
    with pytest.raises(KernelInputError, match="expected \\['institution'"):
        conclude(TOPICS["T17"], MONTH, [{"institution": "H1"}])


def test_a_cell_without_a_value_reads_so() -> None:
    row: Row = dict.fromkeys(TOPICS["T01"].queried)
    row |= {"month": "2026-03", "fund": 12_345, "settlements": 3, "alert": 0}
    found = conclude(TOPICS["T01"], MONTH, [row])
    assert "基金支付 123.45 元，3 人次，同比 无数据" in found.finding_zh
    assert "no data on the year before" in found.finding_en
    assert found.option["dataset"]["source"][0]["yoy"] == "-"
