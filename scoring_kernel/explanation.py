"""Explanations (评分说明): where each point went, in Chinese and English.

Rules:
- Every indicator says its value, the values that earn nothing and everything, and
  what was lost; a missing value says which policy applied.
- Numbers are formatted from integers, rounded half up to two places for reading;
  the points themselves are exact.
- An explanation of a proposal is headed by its ``basis``: callers show both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scoring_kernel.errors import KernelInputError
from scoring_kernel.indicators import MissingPolicy
from scoring_kernel.parameters import MICRO
from scoring_kernel.reference import EVERYBODY, peer_groups
from scoring_kernel.scoring import thresholds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scoring_kernel.indicators import Indicator
    from scoring_kernel.scoring import ScoreResult
    from scoring_kernel.units import Unit

_POLICY: Final[Mapping[MissingPolicy, tuple[str, str]]] = {
    MissingPolicy.ZERO: ("按 0 分计", "counted as nothing"),
    MissingPolicy.FULL: ("按满分计", "counted in full"),
    MissingPolicy.EXCLUDE: (
        "不计分，权重分摊给其他指标",
        "left out, its weight goes to other indicators",
    ),
}
_PEERS: Final[Mapping[str, tuple[str, str]]] = {
    "level/type": ("同级同类机构", "peers of the same level and type"),
    "level": ("同级机构", "institutions of the same level"),
    "all": ("全部机构", "all institutions"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class IndicatorExplanation:
    """What one indicator earned, and why not more.

    Attributes:
        indicator: Id of the indicator.
        number: Number in the model's table.
        name_zh: Chinese name.
        name_en: English name.
        level1_zh: Chinese name of the group of level 1.
        level2_zh: Chinese name of the group of level 2.
        value_micro: Value, millionths of the unit, 0 where missing.
        points_centi: Points earned, hundredths.
        weight_centi: Weight after redistribution, hundredths.
        lost_centi: Weight minus points, hundredths.
        missing: Whether the missing policy applied.
        provisional: Whether it applied because a peer statistic was missing.
        reason_zh: Reason in Chinese.
        reason_en: Reason in English.
    """

    indicator: str
    number: int
    name_zh: str
    name_en: str
    level1_zh: str
    level2_zh: str
    value_micro: int
    points_centi: int
    weight_centi: int
    lost_centi: int
    missing: bool
    provisional: bool
    reason_zh: str
    reason_en: str


def explain(result: ScoreResult, row: int) -> tuple[IndicatorExplanation, ...]:
    """Explain one subject's score, indicator by indicator.

    Args:
        result: Scores.
        row: Position of the subject, from 0.

    Returns:
        One explanation per indicator, in the model's order; their points add up to
        the total, their points and losses to the weights.

    Raises:
        KernelInputError: There is no such row.
    """
    if not 0 <= row < len(result.subjects):
        raise KernelInputError(f"row {row}: expected 0 to {len(result.subjects) - 1}")
    found: list[IndicatorExplanation] = []
    for index, indicator in enumerate(result.model.indicators):
        points = int(result.points_centi[row, index])
        weight = int(result.weights_centi[row, index])
        zh, en = _reason(result, row, index, indicator)
        found.append(
            IndicatorExplanation(
                indicator=indicator.id,
                number=indicator.number,
                name_zh=indicator.name_zh,
                name_en=indicator.name_en,
                level1_zh=indicator.level1.name_zh,
                level2_zh=indicator.level2.name_zh,
                value_micro=int(result.values_micro[row, index]),
                points_centi=points,
                weight_centi=weight,
                lost_centi=weight - points,
                missing=bool(result.missing[row, index]),
                provisional=bool(result.provisional[row, index]),
                reason_zh=zh,
                reason_en=en,
            )
        )
    return tuple(found)


def _reason(result: ScoreResult, row: int, index: int, indicator: Indicator) -> tuple[str, str]:
    ends = thresholds(
        indicator, result.reference, result.day, result.levels[row], result.types[row]
    )
    policy_zh, policy_en = _POLICY[indicator.missing]
    if ends is None and bool(result.provisional[row, index]):
        return f"暂缺同类参照值：{policy_zh}。", f"No peer reference yet: {policy_en}."
    if ends is None or bool(result.missing[row, index]):
        return f"无数据：{policy_zh}。", f"No data: {policy_en}."
    zero, full = ends
    value = int(result.values_micro[row, index])
    weight = int(result.weights_centi[row, index])
    lost = weight - int(result.points_centi[row, index])
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


def _peer_names(result: ScoreResult, row: int, indicator: str, statistic: str) -> tuple[str, str]:
    groups = peer_groups(result.levels[row], result.types[row])
    entries = result.reference.entries if result.reference is not None else {}
    group = next((one for one in groups if (indicator, statistic, one) in entries), EVERYBODY)
    return _PEERS["/".join(part.partition(":")[0] for part in group.split("/"))]


def points_text(centi: int) -> str:
    """Format hundredths of a point.

    >>> points_text(1371), points_text(-5)
    ('13.71', '-0.05')
    """
    sign = "-" if centi < 0 else ""
    return f"{sign}{abs(centi) // 100}.{abs(centi) % 100:02d}"


def amount_zh(micro: int, unit: Unit) -> str:
    """Format a value with its unit in Chinese; a ratio is shown in percent."""
    return f"{_number(micro, unit)}{'' if unit.id == '1' else ' ' + unit.name_zh}"


def amount_en(micro: int, unit: Unit) -> str:
    """Format a value with its unit in English; a ratio is shown in percent."""
    return f"{_number(micro, unit)}{'' if unit.id == '1' else ' ' + unit.name_en}"


def _number(micro: int, unit: Unit) -> str:
    scaled = micro * 100 if unit.id == "1" else micro
    step = MICRO // 100
    return points_text((2 * scaled + step) // (2 * step)) + ("%" if unit.id == "1" else "")
