"""The words of an explanation: what was counted, what is missing, and why."""

from __future__ import annotations

from datetime import date
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import pytest

from scoring_kernel.amounts import amount_en, amount_zh
from scoring_kernel.errors import KernelInputError
from scoring_kernel.explanation import explain
from scoring_kernel.formulas import Tally
from scoring_kernel.reference import build_reference
from scoring_kernel.scoring import score
from tests.support.kernel_models import (
    Subject,
    institution_model,
    small_model,
    table,
    units,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scoring_kernel.explanation import IndicatorExplanation

MODEL = small_model()
INSTITUTION = institution_model()
X: Final = "\N{MULTIPLICATION SIGN}"
DAY = date(2026, 6, 30)
FULL: Final = {
    "work.done@current": 90,
    "work.planned@current": 100,
    "work.done@base": 90,
    "work.planned@base": 100,
    "work.lists@current": 9,
    "work.stays@current": 10,
    "work.accepted@current": 7,
    "work.messages@current": 10,
    "item.08.reports@current": 2,
    "item.08.refunded_fen@current": 100,
    "item.08.found_fen@current": 100,
    "item.03.minor@current": 1,
    "item.03.major@age1": 0,
    "item.12.city@current": 1,
    "item.01.experts@current": 3,
    "item.05.rejected@current": 0,
}


def told(
    *absent: str,
    level: str = "3",
    kind: str = "general",
    peers: int = 3,
    changes: Mapping[str, int] = MappingProxyType({}),
    **changed: int,
) -> dict[str, IndicatorExplanation]:
    """Explain ``FULL`` with changes; ``minor=2`` stands for the column that has that name."""
    inputs = {name: value for name, value in FULL.items() if name not in absent} | dict(changes)
    for word, value in changed.items():
        (column,) = (name for name in FULL if word in name)
        inputs[column] = value
    everybody = [Subject(inputs=FULL)] * peers
    reference = build_reference(MODEL, table(MODEL, everybody), DAY)
    one = Subject(inputs=inputs, level=level, type=kind)
    result = score(MODEL, table(MODEL, [one]), reference, DAY)
    return {found.indicator: found for found in explain(result, 0)}


def test_a_tally_lists_what_was_counted() -> None:
    found = told("item.01.experts@current", level="2", minor=2)
    assert found["penalties"].reason_zh == (
        f"轻微处罚 2 件 {X} 2.5 分，应扣 5 分；权重由 10.00 调整为 12.00 分；"
        "满分 12.00 分，失 6.00 分。"
    )
    assert found["penalties"].reason_en == (
        f"minor penalty 2 {X} 2.5 points: 5 points to take; weight 10.00 became 12.00; "
        "6.00 of 12.00 points lost."
    )
    assert found["honours"].reason_zh.startswith(f"市级表彰 1 次 {X} 3 分，合计 3 分；")
    assert found["honours"].reason_en.startswith(f"city honour 1 {X} 3 points: 3 points; ")
    assert found["penalties"].level2_zh == "事件"


def test_a_tally_of_several_kinds_stops_at_nothing_and_says_so() -> None:
    found = told(minor=2, major=1)["penalties"]
    assert found.reason_zh == (
        f"轻微处罚 2 件 {X} 2.5 分、重大处罚 1 件 {X} 15 分，应扣 20 分，扣至 0 分为止；"
        "满分 10.00 分，失 10.00 分。"
    )
    assert found.reason_en == (
        f"minor penalty 2 {X} 2.5 points, major penalty 1 {X} 15 points: 20 points to take, "
        "floored at 0; 10.00 of 10.00 points lost."
    )


def test_a_tally_stops_at_its_weight_and_says_so() -> None:
    found = told(city=2)["honours"]
    assert found.reason_zh == f"市级表彰 2 次 {X} 3 分，合计 6 分，以 5 分为限；得满分 5.00 分。"
    assert found.reason_en == f"city honour 2 {X} 3 points: 6 points, capped at 5; all 5.00 points."


def test_a_tally_of_nothing_says_so() -> None:
    found = told(minor=0, city=0)
    assert found["penalties"].reason_zh == "无扣分事项；得满分 10.00 分。"
    assert found["penalties"].reason_en == "Nothing to take points for; all 10.00 points."
    assert found["honours"].reason_zh == "无加分事项；满分 5.00 分，失 5.00 分。"


def test_every_tally_of_the_institutions_lists_each_of_its_terms() -> None:
    columns = dict.fromkeys(INSTITUTION.input_columns, 1)
    result = score(INSTITUTION, table(INSTITUTION, [Subject(inputs=columns)]), None, DAY)
    numbers = []
    for indicator, found in zip(INSTITUTION.indicators, explain(result, 0), strict=True):
        if not isinstance(indicator.derivation, Tally):
            continue
        numbers.append(indicator.number)
        for term in indicator.derivation.terms:
            assert f"{term.name_zh} 1 {term.unit.name_zh} {X} " in found.reason_zh
            assert f"{term.name_en} 1 {X} " in found.reason_en
    assert numbers == [7, 14, 15, 27, 28, 30, 31, 32, 33, 34]


def test_a_shut_gate_says_what_was_not_handed_in() -> None:
    found = told(reports=0)["refunded"]
    assert found.reason_zh == "未报送报告；满分 11.11 分，失 11.11 分。"
    assert found.reason_en == "No report; 11.11 of 11.11 points lost."
    gates = [one.derivation for one in INSTITUTION.indicators if one.number == 3]
    assert [getattr(one, "shut", None) for one in gates] == [
        ("未报送自查报告", "no self-check report")
    ]


@pytest.mark.parametrize(
    ("reports", "refunded_fen", "value"),
    [(2, 50, 300_000), (1, 100, 600_000), (1, 50, 300_000)],
    ids=["not_all", "too_few", "neither"],
)
def test_a_part_of_a_share_says_why(reports: int, refunded_fen: int, value: int) -> None:
    found = told(reports=reports, refunded_fen=refunded_fen)["refunded"]
    assert found.value_micro == value
    assert "；报告不足或未全部退回，按退回比例折算（系数 0.6）；" in found.reason_zh
    assert "not all was refunded, a part of the share counts (factor 0.6);" in found.reason_en


def test_enough_reports_and_all_refunded_is_full() -> None:
    for found in (told()["refunded"], told(found_fen=0, refunded_fen=0)["refunded"]):
        assert (found.value_micro, found.lost_centi) == (1_000_000, 0)
        assert "折算" not in found.reason_zh


def test_more_than_all_of_one_share_does_not_make_up_for_another() -> None:
    assert told(lists=30)["interface"].value_micro == 850_000
    assert told(accepted=-5)["interface"].value_micro == 450_000


def test_where_both_ends_are_equal_anything_beyond_earns_nothing() -> None:
    found = told(rejected=1)["rejected"]
    assert found.reason_zh == (
        "实际值 1.00%；满分值 0.00%，零分值 0.00%（参照同级同类主体第 90 百分位）；"
        "零分值不高于满分值，高于满分值即不得分；满分 10.00 分，失 10.00 分。"
    )
    assert found.reason_en.startswith(
        "Value 1.00%; full at 0.00%, nothing at 0.00% (percentile 90 of peers of the same level "
        "and type); there is no range between them: any value beyond full earns nothing; "
    )
    assert "低于满分值即不得分" in told(experts=2)["experts"].reason_zh
    assert "即不得分" not in told()["share_growth"].reason_zh


def test_ratios_are_shown_as_exactly_as_they_are_kept() -> None:
    one, person = units()["1"], units()["person"]
    assert [amount_zh(micro, one) for micro in (0, 1, 666_667, 123_450, -50_000)] == [
        "0.00%",
        "0.0001%",
        "66.6667%",
        "12.345%",
        "-5.00%",
    ]
    assert amount_en(1_234_567, person) == "1.23 persons"
    assert (
        "Value 83.3333%;" in told("work.messages@current", lists=5, stays=6)["interface"].reason_en
    )


def test_an_explanation_names_the_peers() -> None:
    assert "参照同级同类主体第 50 百分位" in told()["volume_growth"].reason_zh
    found = told(kind="tcm")["volume_growth"]
    assert "(percentile 50 of subjects of the same level)" in found.reason_en
    assert "参照全部主体第 50 百分位" in told(level="2")["volume_growth"].reason_zh


def test_no_data_no_peers_and_no_denominator_are_three_reasons() -> None:
    policy = "不计分，权重分摊给其他指标"
    assert told(peers=2)["volume_growth"].reason_zh == f"暂缺同类参照值：{policy}。"
    assert told(peers=2)["volume_growth"].provisional
    found = told("work.done@base")["volume_growth"]
    assert found.reason_zh == f"无数据：{policy}。"
    assert found.reason_en == "No data: left out, its weight goes to other indicators."
    assert (found.missing, found.provisional) == (True, False)
    found = told("work.done@base", peers=2)["volume_growth"]
    assert found.reason_zh == f"无数据：{policy}。"


@pytest.mark.parametrize(
    ("changed", "indicator"),
    [
        ({"work.done@base": 0}, "volume_growth"),
        ({"work.done@base": 0}, "share_growth"),
        ({"work.planned@base": 0}, "share_growth"),
        ({"work.planned@current": 0}, "done_share"),
    ],
)
def test_a_denominator_or_base_of_zero_is_not_called_no_data(
    changed: dict[str, int], indicator: str
) -> None:
    found = told(changes=changed)[indicator]
    assert found.missing
    assert found.reason_zh == "分母或基期为零，无法计算：不计分，权重分摊给其他指标。"
    assert found.reason_en == (
        "Cannot be computed, the denominator or the base is zero: "
        "left out, its weight goes to other indicators."
    )


def test_of_several_ratios_one_denominator_of_zero_is_reason_enough() -> None:
    found = told("work.lists@current", messages=0)["interface"]
    assert found.reason_zh == "分母或基期为零，无法计算：按满分计。"
    found = told("work.lists@current", "work.messages@current")["interface"]
    assert found.reason_zh == "无数据：按满分计。"


def test_without_a_reference_the_peers_are_missing() -> None:
    result = score(MODEL, table(MODEL, [Subject(inputs=FULL)]), None, DAY)
    assert explain(result, 0)[3].reason_en.startswith("No peer reference yet: ")


def test_every_explanation_carries_the_basis() -> None:
    assert {found.basis for found in told().values()} == {"proposal"}


@pytest.mark.parametrize("row", [-1, 1])
def test_there_is_no_explanation_of_nobody(row: int) -> None:
    result = score(MODEL, table(MODEL, [Subject(inputs=FULL)]), None, DAY)
    with pytest.raises(KernelInputError, match=f"row {row}"):
        explain(result, row)
