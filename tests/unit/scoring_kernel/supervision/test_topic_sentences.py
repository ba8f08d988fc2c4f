"""Sentences of topics: who is said to be the highest is it; what nobody has is no number."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING

import pytest

from scoring_kernel.supervision import TopicResult, conclude
from scoring_kernel.supervision.findings import shown_cell
from scoring_kernel.supervision.loading import load_supervision

if TYPE_CHECKING:
    from scoring_kernel.supervision.steps import Cell, Row

TOPICS = load_supervision().topics
MONTH = 202603
CHINESE = re.compile(r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]")
SUPERLATIVE = re.compile(r"最(?!近)|\b(?:highest|largest|greatest|most)\b")
PLACEHOLDER = re.compile(r"\{([a-z]+)\.([a-z0-9_]+)\}")
NAMING = [name for name, topic in TOPICS.items() if topic.finding.top is not None]


def table(topic: str, *rows: Row) -> TopicResult:
    """Conclude a topic over rows, with the alert on the first and nothing in what is not named."""
    blank: Row = {
        name: f"{name}?" if TOPICS[topic].columns[name].unit is None else 0
        for name in TOPICS[topic].queried
    }
    return conclude(TOPICS[topic], MONTH, [blank | row for row in rows])


def clauses(topic: str) -> list[str]:
    """Parts of a topic's templates in both languages."""
    finding = TOPICS[topic].finding
    texts = (finding.zh, finding.en, finding.unranked_zh or "", finding.unranked_en or "")
    return [clause for text in texts for clause in re.split("[；;。]", text)]


@pytest.mark.parametrize("topic", TOPICS)
def test_what_is_said_to_be_the_highest_is_no_first_row(topic: str) -> None:
    top = TOPICS[topic].finding.top
    for clause in clauses(topic):
        if SUPERLATIVE.search(clause):
            told = PLACEHOLDER.findall(clause)
            ways = {way for way, _ in told}
            assert ways & {"top", "max", "min"}, clause
            assert not ways & {"first", "names"}, clause
            if "top" in ways:
                assert top is not None
                assert ("top", top.by) in told, clause


@pytest.mark.parametrize("topic", NAMING)
@pytest.mark.parametrize("seed", range(5))
def test_the_row_that_is_named_is_the_extreme(topic: str, seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 - not for keys
    of, top = TOPICS[topic], TOPICS[topic].finding.top
    assert top is not None
    numbers = draw.sample(range(1_000, 900_000), 8 * len(of.queried))
    rows: list[Row] = [
        {
            name: f"{name}-{at}" if of.columns[name].unit is None else numbers.pop()
            for name in of.queried
        }
        for at in range(8)
    ]
    if "alert" in of.queried:
        by = top.by if top.by in of.queried else "fund"
        least = min(rows, key=lambda row: number(row[by]))
        for row in rows:
            row["alert"] = int(row is least)
    found = conclude(of, MONTH, rows)
    highest = max(found.rows, key=lambda row: number(row[top.by]))
    for language, text in (("zh", found.finding_zh), ("en", found.finding_en)):
        template = of.finding.template(language, rows=8, ranked=8)
        named = [column for way, column in PLACEHOLDER.findall(template) if way == "top"]
        assert top.by in named
        for name in named:
            assert shown_cell(highest[name], of.columns[name], language) in text, (name, text)


def number(cell: Cell) -> int:
    assert isinstance(cell, int)
    return cell


def test_the_highest_amount_is_no_alert() -> None:
    found = table(
        "T18",
        {"rule": "M12", "hits": 5, "amount": 14_100, "last_hits": 2, "alert": 1},
        {"rule": "M33", "hits": 3, "amount": 195_000, "last_hits": 3},
        {"rule": "M44", "hits": 0, "amount": 0, "last_hits": 4},
    )
    assert found.rows[0]["rule"] == "M12"
    assert (
        "2 条规则共命中 8 次、2091.00 元；金额最大的为 M33（3 次，1950.00 元）；1 条"
        in found.finding_zh
    )
    assert "the largest amount is that of M33 (3 hits, 1950.00 yuan); 1 jumped" in found.finding_en


def test_a_rule_without_a_hit_is_not_named() -> None:
    gone: Row = {"rule": "M01", "last_hits": 4}
    found = table("T18", gone, {"rule": "M33", "hits": 2, "last_hits": 2})
    assert "1 条规则共命中 2 次、0.00 元；金额最大的为 M33" in found.finding_zh
    found = table("T18", gone, gone | {"rule": "M02"})
    assert found.finding_zh == "2026-03 没有规则命中；上月 2 条规则共命中 8 次。"


@pytest.mark.parametrize("topic", ["T02", "T03"])
def test_the_highest_growth_is_no_alert(topic: str) -> None:
    found = table(
        topic,
        {"institution": "H1", "growth": -500, "by_volume": 0, "by_price": -500, "alert": 1},
        {"institution": "H2", "growth": 90_000, "by_volume": 60_000, "by_price": 30_000},
        {"institution": "H3", "growth": None, "by_volume": None, "by_price": None},
    )
    assert found.rows[0]["institution"] == "H1"
    assert "2 家有上年同期数据，同比增减最高的 H2 为 900.00 元" in found.finding_zh
    assert "其中人次影响 600.00 元、次均影响 300.00 元" in found.finding_zh
    assert "the highest change is 900.00 yuan at H2, 300.00 of it" in found.finding_en
    assert "1 家次均偏离同级同类" in found.finding_zh


@pytest.mark.parametrize("topic", ["T02", "T03"])
def test_no_year_before_is_said_in_a_sentence_of_its_own(topic: str) -> None:
    nothing: Row = {"growth": None, "by_volume": None, "by_price": None, "fees": 10_000}
    found = table(topic, nothing | {"institution": "H1", "alert": 1})
    assert found.finding_zh.endswith("1 家次均偏离同级同类。无上年同期数据，不能比较增减。")
    assert "There are no data of a year before" in found.finding_en
    assert "无数据" not in found.finding_zh
    assert "no data" not in found.finding_en.replace("are no data of a year", "")


def test_the_highest_rate_is_no_alert() -> None:
    found = table(
        "T04",
        {"institution": "H1", "discharges": 1000, "rate_15": 80_000, "alert": 1},
        {"institution": "H8", "discharges": 10, "rate_15": 200_000},
    )
    assert "1 家超出漏斗图上限；率最高的 H8 为 0.2000（出院 10 人次）" in found.finding_zh
    assert "the highest rate is 0.2000 at H8, of 10 discharged" in found.finding_en


def test_the_largest_flow_is_no_alert() -> None:
    found = table(
        "T16",
        {"place": "3705", "institution": "H1", "visits": 3, "alert": 1},
        {"place": "3101", "institution": "H2", "visits": 9},
    )
    assert "人次最多的一条自 3101 至 H2（9 人次）；1 条有高频就诊" in found.finding_zh
    assert "the largest from 3101 to H2 (9); 1 have" in found.finding_en


def test_the_highest_score_is_of_no_large_circle() -> None:
    chain: list[Row] = [
        {"person": one, "other": other, "institution": "H1", "days": 3, "fund": 100}
        for one, other in (("a", "b"), ("b", "c"), ("c", "d"))
    ]
    pair: Row = {"person": "x", "other": "y", "institution": "H2", "days": 3, "fund": 90_000}
    found = table("T12", *chain, pair)
    assert found.rows[0]["members"] == 4
    assert "3 对属于达到人数的圈子；得分最高的圈子为 900.00 元，2 人，在 H2" in found.finding_zh


def test_of_equals_the_first_is_named() -> None:
    rows: list[Row] = [{"place": place, "institution": "H1", "visits": 2} for place in "cab"]
    assert "自 a 至 H1（2 人次）" in table("T16", *rows).finding_zh


@pytest.mark.parametrize("topic", TOPICS)
def test_english_is_english(topic: str) -> None:
    of = TOPICS[topic]
    finding = of.finding
    for text in (finding.en, finding.none_en, finding.unranked_en or "", *of.lacks_en):
        assert not CHINESE.search(text), text


def test_indicators_have_english_names() -> None:
    found = table("T07", {"staff": "D1", "first_name": "次均费用", "first_z": 5_000_000})
    assert "次均费用（5.00）" in found.finding_zh
    assert "chiefly by charges per visit (5.00)" in found.finding_en
    days: Row = {"id": "I065", "name": "平均住院日", "institutions": 2, "valued": 2}
    found = table("T05", days, {"id": "I109", "name": "CMI", "institutions": 2})
    assert "有数据的 1 项：平均住院日（2 家）" in found.finding_zh
    assert "average length of stay (2 institutions)" in found.finding_en
    assert not CHINESE.search(found.finding_en)
    none = table("T05", {"id": "I109", "name": "CMI", "institutions": 2})
    assert none.finding_zh.startswith("2026-03 1 项指标均无数据：DRG 分组结果")
    assert not CHINESE.search(none.finding_en)
    assert not CHINESE.search(table("T15", {"id": "I105", "name": "集采药使用占比"}).finding_en)
