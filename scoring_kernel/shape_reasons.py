"""Words of shapes (得分曲线说明): a value beside what earns everything, a part, or nothing.

Rules:
- A reader sees the numbers that decided: ends, the step that was reached and the next
  better one, the peers' median and the distance from it.
- A number that comes from the peers says from whom, and which statistic it is; where a
  floor stands under it, which of the two is used.
- Every number comes from the result and its curve; nothing is scored here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeAlias, assert_never

from scoring_kernel.amounts import amount_en, amount_zh, decimal_text
from scoring_kernel.curves import StepCurve
from scoring_kernel.reference import EVERYBODY
from scoring_kernel.scoring import curve, thresholds
from scoring_kernel.shapes import (
    MEDIAN,
    BooleanShape,
    LinearShape,
    RobustZShape,
    Side,
    StepShape,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scoring_kernel.indicators import Indicator
    from scoring_kernel.scoring import ScoreResult
    from scoring_kernel.shapes import Threshold

Words: TypeAlias = tuple[str, str]
"""The same in Chinese and in English."""

_PEERS: Final[Mapping[str, Words]] = {
    "level/type": ("同级同类主体", "peers of the same level and type"),
    "level": ("同级主体", "subjects of the same level"),
    "type": ("同类主体", "subjects of the same type"),
    "all": ("全部主体", "all subjects"),
}
_NO_RANGE: Final[Mapping[bool, Words]] = {
    True: (
        "零分值不低于满分值，低于满分值即不得分",
        "there is no range between them: any value below full earns nothing",
    ),
    False: (
        "零分值不高于满分值，高于满分值即不得分",
        "there is no range between them: any value beyond full earns nothing",
    ),
}
_REACHED: Final[Mapping[bool, Words]] = {True: ("不低于", "at least"), False: ("不高于", "at most")}
_BOOLEAN: Final[Mapping[bool, Words]] = {
    True: ("大于 0 得满分，否则不得分", "above 0 earns everything, anything else nothing"),
    False: ("大于 0 不得分，否则得满分", "above 0 earns nothing, anything else everything"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One value of a result: row and indicator."""

    result: ScoreResult
    row: int
    index: int

    @property
    def indicator(self) -> Indicator:
        """The indicator."""
        return self.result.model.indicators[self.index]

    @property
    def value(self) -> int:
        """The value, millionths."""
        return int(self.result.values_micro[self.row, self.index])

    def amount(self, micro: int) -> Words:
        """A value with the indicator's unit."""
        unit = self.indicator.unit
        return amount_zh(micro, unit), amount_en(micro, unit)

    def peer(self, statistic: str) -> tuple[Words, int]:
        """Whom the subject is compared with, and their statistic in millionths."""
        reference, row = self.result.reference, self.row
        levels, types = self.result.levels, self.result.types
        group, found = (
            (EVERYBODY, None)
            if reference is None
            else reference.lookup(self.indicator.id, statistic, levels[row], types[row])
        )
        return _PEERS["/".join(part.partition(":")[0] for part in group.split("/"))], found or 0


def words_of_shape(place: Place) -> Words:
    """Say a value that is not missing, and what its shape makes of it.

    Args:
        place: The value.

    Returns:
        One clause in each language, without a full stop.
    """
    zh, en = place.amount(place.value)
    shape = place.indicator.shape
    match shape:
        case LinearShape():
            rest = _linear(place, shape)
        case StepShape():
            rest = _steps(place, shape)
        case RobustZShape():
            rest = _robust_z(place, shape)
        case BooleanShape():
            rest = _BOOLEAN[shape.good]
        case _:  # pragma: no cover - the type checker proves the list complete
            assert_never(shape)
    return f"实际值 {zh}；{rest[0]}", f"Value {en}; {rest[1]}"


def _linear(place: Place, shape: LinearShape) -> Words:
    result, row = place.result, place.row
    ends = thresholds(
        place.indicator, result.reference, result.day, result.levels[row], result.types[row]
    )
    zero, full = ends or (0, 0)
    zero_zh, zero_en = _end(place, shape.zero, zero)
    full_zh, full_en = _end(place, shape.full, full)
    zh = f"满分值 {full_zh}，零分值 {zero_zh}"
    en = f"full at {full_en}, nothing at {zero_en}"
    higher = shape.higher_is_better
    if (full <= zero) if higher else (zero <= full):
        step_zh, step_en = _NO_RANGE[higher]
        zh, en = f"{zh}；{step_zh}", f"{en}; {step_en}"
    return zh, en


def _end(place: Place, threshold: Threshold, end: int) -> Words:
    """A threshold and, where the peers have a say in it, what they say and what the floor."""
    zh, en = place.amount(end)
    if threshold.peer is None:
        return zh, en
    (whose_zh, whose_en), statistic = place.peer(threshold.peer)
    whose_zh = f"{whose_zh}第 {threshold.peer[1:]} 百分位"
    whose_en = f"percentile {threshold.peer[1:]} of {whose_en}"
    result, level = place.result, place.result.levels[place.row]
    floor = threshold.floor(result.day, level)
    if floor is None:
        return f"{zh}（参照{whose_zh}）", f"{en} ({whose_en})"
    alone = replace(threshold, least=None).at(result.day, level, statistic)
    if alone is not None and alone >= floor:
        least_zh, least_en = place.amount(floor)
        return (
            f"{zh}（参照{whose_zh}，不低于下限 {least_zh}）",
            f"{en} ({whose_en}, not below the floor of {least_en})",
        )
    found_zh, found_en = place.amount(alone or 0)
    return (
        f"{zh}（取下限：{whose_zh}仅 {found_zh}）",
        f"{en} (the floor: {whose_en} gives only {found_en})",
    )


def _steps(place: Place, shape: StepShape) -> Words:
    result, row = place.result, place.row
    found = curve(
        place.indicator, result.reference, result.day, result.levels[row], result.types[row]
    )
    ends = found.at if isinstance(found, StepCurve) else ()
    value, higher = place.value, shape.higher_is_better
    reached = next(
        (at for at, end in enumerate(ends) if (value >= end if higher else value <= end)),
        len(shape.steps),
    )
    parts: list[Words] = []
    if reached < len(shape.steps):
        zh, en = _step(place, shape, reached, ends[reached])
        parts.append((f"达到第 {reached + 1} 档：{zh}", f"step {reached + 1} is reached: {en}"))
    else:
        share = _share(shape.rest_e4)
        parts.append(
            (f"未达到任何一档，得权重的 {share}", f"no step is reached: {share} of the weight")
        )
    if reached > 0:
        zh, en = _step(place, shape, reached - 1, ends[reached - 1])
        parts.append((f"上一档：{zh}", f"the next better step: {en}"))
    return "；".join(zh for zh, _ in parts), "; ".join(en for _, en in parts)


def _step(place: Place, shape: StepShape, at: int, end: int) -> Words:
    step = shape.steps[at]
    (word_zh, word_en), (zh, en) = _REACHED[shape.higher_is_better], _end(place, step.at, end)
    share = _share(step.share_e4)
    return f"{word_zh} {zh}，得权重的 {share}", f"{word_en} {en} for {share} of the weight"


def _share(share_e4: int) -> str:
    return f"{decimal_text(share_e4 * 10_000)}%"


def _robust_z(place: Place, shape: RobustZShape) -> Words:
    (whose_zh, whose_en), median = place.peer(MEDIAN)
    median_zh, median_en = place.amount(median)
    full, zero = _robust_ends(place)
    (full_zh, full_en), (zero_zh, zero_en) = place.amount(full), place.amount(zero)
    first, last = (decimal_text(one * 10_000) for one in (shape.full_centi, shape.zero_centi))
    zh, en = f"{whose_zh}中位数 {median_zh}", f"median of {whose_en} {median_en}"
    if shape.side is Side.BOTH:
        zh += f"，相差 {full_zh}以内得满分，达到 {zero_zh}不得分"
        en += f", up to {full_en} away from it earns everything, {zero_en} nothing"
    else:
        zh += f"，满分值 {full_zh}，零分值 {zero_zh}"
        en += f", full at {full_en}, nothing at {zero_en}"
    side_zh, side_en = _SIDES[shape.side]
    return (
        f"{zh}（{side_zh} {first} 与 {last} 个稳健标准差）",
        f"{en} ({first} and {last} robust deviations {side_en} the median)",
    )


def _robust_ends(place: Place) -> tuple[int, int]:
    """Values, or distances where both sides count, that earn everything and nothing."""
    result, row = place.result, place.row
    found = curve(
        place.indicator, result.reference, result.day, result.levels[row], result.types[row]
    )
    # A value that is not missing has a curve, and that of a distance has ends.
    return (0, 0) if found is None or isinstance(found, StepCurve) else (found.full, found.zero)


_SIDES: Final[Mapping[Side, Words]] = {
    Side.BOTH: ("偏离中位数", "away from"),
    Side.ABOVE: ("高出中位数", "above"),
    Side.BELOW: ("低于中位数", "below"),
}
