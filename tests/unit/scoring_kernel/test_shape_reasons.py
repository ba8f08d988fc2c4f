"""Words of shapes, of few cases and of values out of range."""

from __future__ import annotations

from datetime import date
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import pytest

from scoring_kernel.explanation import explain
from scoring_kernel.reference import EVERYBODY, Reference, ReferenceValue
from scoring_kernel.scoring import score
from tests.support.kernel_models import TINY_FILE, TINY_MODEL, Subject, model_of, table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scoring_kernel.explanation import IndicatorExplanation

DAY: Final = date(2026, 6, 30)
FULL: Final = {
    "physician.days@current": 450,
    "physician.stays@current": 50,
    "physician.stays@prior": 50,
    "physician.fen@current": 5_100_000,
    "physician.fen@prior": 5_000_000,
    "item.s02.credits_centi@current": 2_100,
    "item.s01.committed@current": 1,
    "item.s03.points@year": 3,
    "item.s03.repaired@current": 1,
    "item.r05.refunded_fen@current": 80,
    "item.r05.due_fen@current": 100,
}
STATISTICS: Final = {
    "days": {"p50": 8_000_000, "mad": 1_000_000},
    "cost": {"p25": 10_000, "p50": 20_000, "p90": 50_000},
}


def told(
    *absent: str,
    replaced: tuple[str, str] = ("", ""),
    group: str = "level:3/type:general",
    changes: Mapping[str, int] = MappingProxyType({}),
) -> dict[str, IndicatorExplanation]:
    """Explain ``FULL`` with changes, with a part of the model replaced."""
    old, new = replaced
    assert old in TINY_MODEL
    model = model_of(TINY_MODEL.replace(old, new) if old else TINY_MODEL, TINY_FILE)
    inputs = {name: value for name, value in FULL.items() if name not in absent} | dict(changes)
    values = [
        ReferenceValue(indicator=one, statistic=name, peer_group=group, value_micro=value)
        for one, known in STATISTICS.items()
        for name, value in known.items()
        if name in model.indicators[0 if one == "days" else 2].statistics
    ]
    reference = Reference.from_values(values, model_digest=model.digest, day=DAY)
    result = score(model, table(model, [Subject(inputs=inputs)]), reference, DAY)
    return {found.indicator: found for found in explain(result, 0)}


def test_robust_deviations_name_the_median_and_both_ends() -> None:
    found = told()["days"]
    assert found.reason_zh == (
        "实际值 9.00 日；同级同类主体中位数 8.00 日，满分值 9.48 日，零分值 13.93 日"
        "（高出中位数 1 与 4 个稳健标准差）；得满分 30.00 分。"
    )
    assert found.reason_en == (
        "Value 9.00 days; median of peers of the same level and type 8.00 days, full at 9.48 days, "
        "nothing at 13.93 days (1 and 4 robust deviations above the median); all 30.00 points."
    )


@pytest.mark.parametrize(
    ("side", "zh", "en"),
    [
        (
            "below",
            "满分值 6.52 日，零分值 2.07 日（低于中位数 1 与 4 个稳健标准差）",
            "full at 6.52 days, nothing at 2.07 days (1 and 4 robust deviations below the median)",
        ),
        (
            "both",
            "相差 1.48 日以内得满分，达到 5.93 日不得分（偏离中位数 1 与 4 个稳健标准差）",
            "up to 1.48 days away from it earns everything, 5.93 days nothing (1 and 4 robust",
        ),
    ],
)
def test_robust_deviations_name_their_side(side: str, zh: str, en: str) -> None:
    found = told(replaced=("side: above", f"side: {side}"))["days"]
    assert zh in found.reason_zh
    assert en in found.reason_en


@pytest.mark.parametrize(
    ("group", "zh", "en"),
    [
        ("level:3", "同级主体中位数", "median of subjects of the same level"),
        ("type:general", "同类主体中位数", "median of subjects of the same type"),
        (EVERYBODY, "全部主体中位数", "median of all subjects"),
    ],
)
def test_the_words_say_who_the_peers_are(group: str, zh: str, en: str) -> None:
    found = told(group=group)["days"]
    assert zh in found.reason_zh
    assert en in found.reason_en


@pytest.mark.parametrize(
    ("credits_", "zh", "en"),
    [
        (
            2_500,
            "实际值 25.00 分；达到第 1 档：不低于 25.00 分，得权重的 100%；得满分 20.00 分。",
            "step 1 is reached: at least 25.00 points for 100% of the weight; all 20.00 points.",
        ),
        (
            2_100,
            "达到第 2 档：不低于 20.00 分，得权重的 80%；上一档：不低于 25.00 分，得权重的 100%；",
            "the next better step: at least 25.00 points for 100% of the weight; 4.00 of 20.00",
        ),
        (
            900,
            "未达到任何一档，得权重的 0%；上一档：不低于 10.00 分，得权重的 40%；",
            "no step is reached: 0% of the weight; the next better step: at least 10.00 points",
        ),
    ],
    ids=["best", "second", "none"],
)
def test_steps_say_which_one_is_reached_and_the_next(credits_: int, zh: str, en: str) -> None:
    found = told(changes={"item.s02.credits_centi@current": credits_})["credits"]
    assert zh in found.reason_zh
    assert en in found.reason_en


COST: Final = TINY_MODEL[TINY_MODEL.index("    shape:\n      kind: steps\n      better: lower") :]
COST_SHAPE: Final = COST[: COST.index("  - id: committed")]


def floored(shape: str, floor: str) -> tuple[str, str]:
    """The place of the cost by another shape, with a parameter ``floor``."""
    return COST_SHAPE, (
        f"{shape}    missing: exclude\n    status: proposal\n    basis: scoring_formula_proposal\n"
        f'    parameters:\n      floor:\n        unit: "1"\n        values:\n'
        f'          2024-01-01: {{value: "{floor}", basis: scoring_formula_proposal}}\n'
    )


@pytest.mark.parametrize(
    ("floor", "zh", "en"),
    [
        (
            "0.08",
            (
                "满分值 1.00%（参照同级同类主体第 25 百分位），"
                "零分值 8.00%（取下限：同级同类主体第 90 百分位仅 5.00%）；"
            ),
            (
                "full at 1.00% (percentile 25 of peers of the same level and type), nothing at "
                "8.00% (the floor: percentile 90 of peers of the same level and type gives only "
                "5.00%);"
            ),
        ),
        (
            "0.05",
            "零分值 5.00%（参照同级同类主体第 90 百分位，不低于下限 5.00%）；",
            (
                "nothing at 5.00% (percentile 90 of peers of the same level and type, "
                "not below the floor of 5.00%);"
            ),
        ),
        ("0.02", "第 90 百分位，不低于下限 2.00%）；", "not below the floor of 2.00%);"),
    ],
    ids=["used", "met", "not_used"],
)
def test_a_floor_says_whether_it_or_the_peers_decide(floor: str, zh: str, en: str) -> None:
    line = (
        "    shape: {kind: linear, better: lower, zero: {peer: p90, least: floor}, "
        "full: {peer: p25}}\n"
    )
    found = told(replaced=floored(line, floor))["cost"]
    assert zh in found.reason_zh
    assert en in found.reason_en


def test_a_floor_is_compared_with_all_that_is_added_to_the_peers() -> None:
    line = (
        "    shape: {kind: linear, better: lower, zero: {peer: p90, plus: floor, least: floor}, "
        'full: "0"}\n'
    )
    found = told(replaced=floored(line, "0.06"))["cost"]
    assert "零分值 11.00%（参照同级同类主体第 90 百分位，不低于下限 6.00%）" in found.reason_zh


def test_steps_on_their_floor_say_so() -> None:
    steps = (
        "    shape:\n      kind: steps\n      better: lower\n      steps:\n"
        '        - {at: "0.001", share: "1"}\n'
        '        - {at: {peer: p50, least: floor}, share: "0.5"}\n      rest: "0"\n'
    )
    found = told(replaced=floored(steps, "0.03"))["cost"]
    assert (
        "达到第 2 档：不高于 3.00%（取下限：同级同类主体第 50 百分位仅 2.00%），得权重的 50%；"
    ) in found.reason_zh
    assert "at most 3.00% (the floor: percentile 50 of peers of the" in found.reason_en


def test_steps_of_peers_name_their_percentile() -> None:
    found = told()["cost"]
    assert (
        "实际值 2.00%；达到第 2 档：不高于 2.00%（参照同级同类主体第 50 百分位），得权重的 80%；"
        "上一档：不高于 1.00%（参照同级同类主体第 25 百分位），得权重的 100%；"
    ) in found.reason_zh
    assert "at most 2.00% (percentile 50 of peers of the same level and type)" in found.reason_en


@pytest.mark.parametrize(
    ("good", "zh", "en"),
    [
        ("true", "大于 0 得满分，否则不得分；得满分", "above 0 earns everything"),
        ("false", "大于 0 不得分，否则得满分；满分 10.00 分，失 10.00 分", "above 0 earns nothing"),
    ],
)
def test_a_boolean_says_what_is_good(good: str, zh: str, en: str) -> None:
    found = told(replaced=("good: true", f"good: {good}"))["committed"]
    assert zh in found.reason_zh
    assert en in found.reason_en


def test_few_cases_say_how_much_of_the_value_is_its_own() -> None:
    found = told(changes={"physician.stays@current": 10, "physician.days@current": 110})["days"]
    assert found.value_micro == 9_000_000
    assert (
        "；样本量 10，不足 30，实际值按自身占 10/30、其余取同级同类主体中位数折算；"
    ) in found.reason_zh
    assert (
        "; only 10 of 30 cases: 10/30 of the value is its own, the rest is the median of peers"
    ) in found.reason_en
    assert "样本量" not in told()["days"].reason_zh


def test_a_denominator_of_zero_may_count_as_a_value() -> None:
    found = told(changes={"item.r05.due_fen@current": 0})["refunds"]
    assert found.points_centi == 1_000
    assert "；分母为零，按规定取 100.00%；得满分" in found.reason_zh
    assert "; the denominator is zero, which counts as 100.00%; all" in found.reason_en
    assert "分母" not in told()["refunds"].reason_zh


def test_a_number_as_denominator_is_never_zero() -> None:
    part = ('denominator: item.r05.due_fen@current, empty: "1"}', 'denominator: "100"}')
    assert told(replaced=part)["refunds"].points_centi == 800


def test_a_value_out_of_range_is_missing_and_says_so() -> None:
    changes = {"item.r05.refunded_fen@current": 10**13, "item.r05.due_fen@current": 1}
    found = told(changes=changes)["refunds"]
    assert found.missing
    assert found.reason_zh == ("数值超出可计算范围，请核对报送数据：不计分，权重分摊给其他指标。")
    assert found.reason_en == (
        "The value is out of range, check what was reported: left out, its weight goes to other "
        "indicators."
    )


def test_without_the_number_of_cases_there_is_no_data() -> None:
    sample = ("shrink: {sample: physician.stays@current", "shrink: {sample: physician.stays@base")
    assert told(replaced=sample)["days"].reason_en.startswith("No data: ")


def test_without_a_median_a_distance_has_no_reference() -> None:
    found = told(group="level:2")["days"]
    assert found.provisional
    assert found.reason_en.startswith("No peer reference yet: ")
