"""Reasons (扣分原因): what one indicator's points rest on, in Chinese and English.

Rules:
- A tally names what was counted, how often and for how many points, and says where
  it stopped at nothing or at the weight.
- No data, no peer statistic, a value out of range, and a denominator of zero are four
  different reasons.
- A value that few cases moved towards its peers says so, with the number of cases.
- Every number comes from the result and its inputs; nothing is scored here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scoring_kernel.amounts import decimal_text, points_text
from scoring_kernel.formulas import GatedRatio, MeanOfRatios, Ratio, Tally
from scoring_kernel.indicators import MissingPolicy
from scoring_kernel.parameters import MICRO
from scoring_kernel.shape_reasons import Place, Words, words_of_shape
from scoring_kernel.shapes import MEDIAN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scoring_kernel.scoring import ScoreResult

_TIMES: Final = "\N{MULTIPLICATION SIGN}"
_POLICY: Final[Mapping[MissingPolicy, Words]] = {
    MissingPolicy.ZERO: ("按 0 分计", "counted as nothing"),
    MissingPolicy.FULL: ("按满分计", "counted in full"),
    MissingPolicy.EXCLUDE: (
        "不计分，权重分摊给其他指标",
        "left out, its weight goes to other indicators",
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
    place = Place(result=result, row=row, index=index)
    if bool(result.missing[row, index]):
        return _absence(place)
    formula = place.indicator.derivation
    if isinstance(formula, Tally):
        basis = _counted(place, formula)
    elif isinstance(formula, GatedRatio):
        basis = _gated(place, formula)
    else:
        basis = _measured(place)
    return _loss(place, basis)


def _absence(place: Place) -> Words:
    result, row, index = place.result, place.row, place.index
    policy_zh, policy_en = _POLICY[place.indicator.missing]
    if bool(result.provisional[row, index]):
        return f"暂缺同类参照值：{policy_zh}。", f"No peer reference yet: {policy_en}."
    if bool(result.out_of_range[row, index]):
        return (
            f"数值超出可计算范围，请核对报送数据：{policy_zh}。",
            f"The value is out of range, check what was reported: {policy_en}.",
        )
    if _has_all_inputs(place):
        return (
            f"分母或基期为零，无法计算：{policy_zh}。",
            f"Cannot be computed, the denominator or the base is zero: {policy_en}.",
        )
    return f"无数据：{policy_zh}。", f"No data: {policy_en}."


def _has_all_inputs(place: Place) -> bool:
    """Whether nothing but a division stood in the way of a value."""
    formula, shrink = place.indicator.derivation, place.indicator.shrink
    if shrink is not None and not _are_present(place, (shrink.sample,)):
        return False
    if isinstance(formula, MeanOfRatios):
        return any(_are_present(place, ratio.columns) for ratio in formula.ratios)
    return _are_present(place, formula.columns)


def _are_present(place: Place, columns: tuple[str, ...]) -> bool:
    inputs = place.result.inputs
    return all(bool(inputs.present[place.row, inputs.position(column)]) for column in columns)


def _input(place: Place, column: str) -> int:
    inputs = place.result.inputs
    return int(inputs.values[place.row, inputs.position(column)])


def _gated(place: Place, formula: GatedRatio) -> Words:
    if _input(place, formula.gate) <= 0:
        zh, en = formula.shut
        return zh, en[:1].upper() + en[1:]
    zh, en = _measured(place)
    if place.value == MICRO:
        return zh, en
    factor = decimal_text(formula.partial.at(place.result.day))
    return (
        f"{zh}；{formula.partly[0]}（系数 {factor}）",
        f"{en}; {formula.partly[1]} (factor {factor})",
    )


def _measured(place: Place) -> Words:
    zh, en = words_of_shape(place)
    formula, shrink = place.indicator.derivation, place.indicator.shrink
    if isinstance(formula, Ratio) and formula.empty is not None and _is_empty(place, formula):
        empty_zh, empty_en = place.amount(formula.empty)
        zh += f"；分母为零，按规定取 {empty_zh}"
        en += f"; the denominator is zero, which counts as {empty_en}"
    if shrink is not None and bool(place.result.shrunk[place.row, place.index]):
        cases = max(_input(place, shrink.sample), 0)
        (whose_zh, whose_en), _ = place.peer(MEDIAN)
        zh += (
            f"；样本量 {cases}，不足 {shrink.least}，实际值按自身占 {cases}/{shrink.least}、"
            f"其余取{whose_zh}中位数折算"
        )
        en += (
            f"; only {cases} of {shrink.least} cases: {cases}/{shrink.least} of the value is its "
            f"own, the rest is the median of {whose_en}"
        )
    return zh, en


def _is_empty(place: Place, formula: Ratio) -> bool:
    return isinstance(formula.denominator, str) and _input(place, formula.denominator) == 0


def _counted(place: Place, tally: Tally) -> Words:
    parts_zh: list[str] = []
    parts_en: list[str] = []
    for term in tally.terms:
        count = _input(place, term.column)
        if count <= 0:
            continue
        points = decimal_text(tally.parameter.at(place.result.day, term.key))
        parts_zh.append(f"{term.name_zh} {count} {term.unit.name_zh} {_TIMES} {points} 分")
        parts_en.append(f"{term.name_en} {count} {_TIMES} {points} points")
    if not parts_zh:
        return (
            ("无扣分事项", "Nothing to take points for")
            if tally.sign < 0
            else ("无加分事项", "Nothing to give points for")
        )
    zh, en = "、".join(parts_zh), ", ".join(parts_en)
    value = place.value
    # The weight of a tally is its full value: the loader sees to it.
    full = place.indicator.weight_centi * 10_000
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


def _loss(place: Place, basis: Words) -> Words:
    zh, en = basis
    nominal = place.indicator.weight_centi
    weight = int(place.result.weights_centi[place.row, place.index])
    lost = weight - int(place.result.points_centi[place.row, place.index])
    if weight != nominal:
        zh += f"；权重由 {points_text(nominal)} 调整为 {points_text(weight)} 分"
        en += f"; weight {points_text(nominal)} became {points_text(weight)}"
    if lost == 0:
        return (
            f"{zh}；得满分 {points_text(weight)} 分。",
            f"{en}; all {points_text(weight)} points.",
        )
    return (
        f"{zh}；满分 {points_text(weight)} 分，失 {points_text(lost)} 分。",
        f"{en}; {points_text(lost)} of {points_text(weight)} points lost.",
    )
