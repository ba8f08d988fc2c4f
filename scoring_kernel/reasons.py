"""Reasons (扣分原因): what one indicator's points rest on, in Chinese and English.

Rules:
- A tally names what was counted, how often and for how many points, and says where
  it stopped at nothing or at the weight.
- No data, no peer statistic, and a denominator of zero are three different reasons.
- Every number comes from the result and its inputs; nothing is scored here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from scoring_kernel.amounts import amount_en, amount_zh, decimal_text, points_text
from scoring_kernel.formulas import GatedRatio, MeanOfRatios, Tally
from scoring_kernel.indicators import MissingPolicy
from scoring_kernel.parameters import MICRO
from scoring_kernel.reference import EVERYBODY, peer_groups
from scoring_kernel.scoring import thresholds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scoring_kernel.formulas import Formula
    from scoring_kernel.indicators import Indicator
    from scoring_kernel.scoring import ScoreResult

Words: TypeAlias = tuple[str, str]
"""The same in Chinese and in English."""

_TIMES: Final = "\N{MULTIPLICATION SIGN}"
_POLICY: Final[Mapping[MissingPolicy, Words]] = {
    MissingPolicy.ZERO: ("按 0 分计", "counted as nothing"),
    MissingPolicy.FULL: ("按满分计", "counted in full"),
    MissingPolicy.EXCLUDE: (
        "不计分，权重分摊给其他指标",
        "left out, its weight goes to other indicators",
    ),
}
_PEERS: Final[Mapping[str, Words]] = {
    "level/type": ("同级同类机构", "peers of the same level and type"),
    "level": ("同级机构", "institutions of the same level"),
    "all": ("全部机构", "all institutions"),
}
_STEP: Final[Mapping[bool, Words]] = {
    True: (
        "零分值不低于满分值，低于满分值即不得分",
        "there is no range between them: any value below full earns nothing",
    ),
    False: (
        "零分值不高于满分值，高于满分值即不得分",
        "there is no range between them: any value beyond full earns nothing",
    ),
}


def reason_of(result: ScoreResult, row: int, index: int) -> Words:
    """Say what the points of one indicator rest on.

    Args:
        result: Scores.
        row: Position of the subject, from 0.
        index: Position of the indicator, from 0.

    Returns:
        One or two sentences in each language.
    """
    indicator = result.model.indicators[index]
    ends = thresholds(
        indicator, result.reference, result.day, result.levels[row], result.types[row]
    )
    if ends is None or bool(result.missing[row, index]):
        return _absence(result, row, index, indicator)
    if isinstance(indicator.derivation, Tally):
        basis = _counted(result, row, index, indicator.derivation)
    elif isinstance(indicator.derivation, GatedRatio):
        basis = _gated(result, row, index, indicator.derivation, ends)
    else:
        basis = _measured(result, row, index, ends)
    return _loss(result, row, index, indicator, basis)


def _absence(result: ScoreResult, row: int, index: int, indicator: Indicator) -> Words:
    policy_zh, policy_en = _POLICY[indicator.missing]
    if bool(result.provisional[row, index]):
        return f"暂缺同类参照值：{policy_zh}。", f"No peer reference yet: {policy_en}."
    if _has_all_inputs(result, row, indicator.derivation):
        return (
            f"分母或基期为零，无法计算：{policy_zh}。",
            f"Cannot be computed, the denominator or the base is zero: {policy_en}.",
        )
    return f"无数据：{policy_zh}。", f"No data: {policy_en}."


def _has_all_inputs(result: ScoreResult, row: int, formula: Formula) -> bool:
    """Whether nothing but a division stood in the way of a value."""
    if isinstance(formula, MeanOfRatios):
        return any(_are_present(result, row, ratio.columns) for ratio in formula.ratios)
    return _are_present(result, row, formula.columns)


def _are_present(result: ScoreResult, row: int, columns: tuple[str, ...]) -> bool:
    inputs = result.inputs
    return all(bool(inputs.present[row, inputs.position(column)]) for column in columns)


def _input(result: ScoreResult, row: int, column: str) -> int:
    return int(result.inputs.values[row, result.inputs.position(column)])


def _gated(
    result: ScoreResult, row: int, index: int, formula: GatedRatio, ends: tuple[int, int]
) -> Words:
    if _input(result, row, formula.gate) <= 0:
        zh, en = formula.shut
        return zh, en[:1].upper() + en[1:]
    zh, en = _measured(result, row, index, ends)
    if int(result.values_micro[row, index]) == MICRO:
        return zh, en
    factor = decimal_text(formula.partial.at(result.day))
    return (
        f"{zh}；{formula.partly[0]}（系数 {factor}）",
        f"{en}; {formula.partly[1]} (factor {factor})",
    )


def _counted(result: ScoreResult, row: int, index: int, tally: Tally) -> Words:
    parts_zh: list[str] = []
    parts_en: list[str] = []
    for term in tally.terms:
        count = _input(result, row, term.column)
        if count <= 0:
            continue
        points = decimal_text(tally.parameter.at(result.day, term.key))
        parts_zh.append(f"{term.name_zh} {count} {term.unit.name_zh} {_TIMES} {points} 分")
        parts_en.append(f"{term.name_en} {count} {_TIMES} {points} points")
    if not parts_zh:
        return (
            ("无扣分事项", "Nothing to take points for")
            if tally.sign < 0
            else ("无加分事项", "Nothing to give points for")
        )
    zh, en = "、".join(parts_zh), ", ".join(parts_en)
    value = int(result.values_micro[row, index])
    # The weight of a tally is its full value: the loader sees to it.
    full = result.model.indicators[index].weight_centi * 10_000
    moved = decimal_text(abs(value - tally.start))
    if tally.sign < 0:
        zh, en = f"{zh}，应扣 {moved} 分", f"{en}: {moved} points to take"
    else:
        zh, en = f"{zh}，合计 {moved} 分", f"{en}: {moved} points"
    if value < 0:
        return f"{zh}，扣至 0 分为止", f"{en}, floored at 0"
    if value > full:
        return f"{zh}，以 {decimal_text(full)} 分为限", f"{en}, capped at {decimal_text(full)}"
    return zh, en


def _measured(result: ScoreResult, row: int, index: int, ends: tuple[int, int]) -> Words:
    indicator = result.model.indicators[index]
    zero, full = ends
    value = int(result.values_micro[row, index])
    unit = indicator.unit
    zh = (
        f"实际值 {amount_zh(value, unit)}；满分值 {amount_zh(full, unit)}，"
        f"零分值 {amount_zh(zero, unit)}"
    )
    en = (
        f"Value {amount_en(value, unit)}; full at {amount_en(full, unit)}, "
        f"nothing at {amount_en(zero, unit)}"
    )
    for statistic in indicator.shape.statistics:
        group_zh, group_en = _peer_names(result, row, indicator.id, statistic)
        zh += f"（参照{group_zh}第 {statistic[1:]} 百分位）"
        en += f" (percentile {statistic[1:]} of {group_en})"
    higher = indicator.shape.higher_is_better
    if (full <= zero) if higher else (zero <= full):
        step_zh, step_en = _STEP[higher]
        zh, en = f"{zh}；{step_zh}", f"{en}; {step_en}"
    return zh, en


def _loss(result: ScoreResult, row: int, index: int, indicator: Indicator, basis: Words) -> Words:
    zh, en = basis
    weight = int(result.weights_centi[row, index])
    lost = weight - int(result.points_centi[row, index])
    if weight != indicator.weight_centi:
        zh += f"；权重由 {points_text(indicator.weight_centi)} 调整为 {points_text(weight)} 分"
        en += f"; weight {points_text(indicator.weight_centi)} became {points_text(weight)}"
    if lost == 0:
        return (
            f"{zh}；得满分 {points_text(weight)} 分。",
            f"{en}; all {points_text(weight)} points.",
        )
    return (
        f"{zh}；满分 {points_text(weight)} 分，失 {points_text(lost)} 分。",
        f"{en}; {points_text(lost)} of {points_text(weight)} points lost.",
    )


def _peer_names(result: ScoreResult, row: int, indicator: str, statistic: str) -> Words:
    groups = peer_groups(result.levels[row], result.types[row])
    entries = result.reference.entries if result.reference is not None else {}
    group = next((one for one in groups if (indicator, statistic, one) in entries), EVERYBODY)
    return _PEERS["/".join(part.partition(":")[0] for part in group.split("/"))]
