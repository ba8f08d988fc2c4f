"""Advice (提升建议): what would lift a subject to the next grade.

Rules:
- Only indicators that the model lets a subject influence move, and only as far as is still
  reachable in what is left of the period.
- Fewest indicators first, then the least declared effort (``cheapest_sets``).
- The advice is scored again before it is given: it reaches the grade, or it is not given.
- An override holds whatever the points are, and says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from scoring_kernel.amounts import amount_zh, points_text
from scoring_kernel.cheapest_sets import cheapest_set
from scoring_kernel.errors import KernelError, KernelInputError
from scoring_kernel.plan import ScoringPlan
from scoring_kernel.scoring import thresholds
from scoring_kernel.shapes import MEDIAN, LinearShape
from scoring_kernel.sweep import sweep_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from scoring_kernel.bands import Band
    from scoring_kernel.scoring import ScoreResult
    from scoring_kernel.sweep import Sweep


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One indicator to move.

    Attributes:
        indicator: Indicator id.
        name_zh: Chinese name.
        name_en: English name.
        from_micro: Value now, millionths of its unit.
        to_micro: Value to reach, millionths.
        from_text: Value now with its unit, for reading.
        to_text: Value to reach with its unit, for reading.
        gain_centi: Points it gains, hundredths.
        effort: Declared effort.
    """

    indicator: str
    name_zh: str
    name_en: str
    from_micro: int
    to_micro: int
    from_text: str
    to_text: str
    gain_centi: int
    effort: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """The way to the next grade.

    Attributes:
        next_grade: Grade to reach; None where there is none above.
        need_centi: Points that are wanting, hundredths.
        changes: What to move, in the model's order; empty where nothing is needed or
            everything reachable is too little.
        total_centi: Total after the changes, hundredths.
        text_zh: The advice in a sentence, Chinese.
        text_en: The same in English.
    """

    next_grade: str | None
    need_centi: int
    changes: tuple[Change, ...]
    total_centi: int
    text_zh: str
    text_en: str


def advise(result: ScoreResult, row: int, remaining: Fraction = Fraction(1)) -> Advice:
    """Say what would lift one subject to the next grade.

    Args:
        result: Scores.
        row: Position of the subject, from 0.
        remaining: Share of the period in which something can still be done, 0 to 1.

    Returns:
        The advice; where there is nothing to advise, its words say why.

    Raises:
        KernelInputError: There is no such row, or ``remaining`` is out of bounds.
    """
    if not 0 <= row < len(result.subjects) or not 0 <= remaining <= 1:
        raise KernelInputError(
            f"advice: row {row} of {len(result.subjects)}, remaining {remaining}: expected a row "
            "of the result and a share of 0 to 1"
        )
    total = int(result.total_centi[row])
    if int(result.coverage_centi[row]) < result.model.min_coverage:
        return _unrated(result, row, total)
    above = _band_above(result, row)
    if above is None:
        return Advice(
            next_grade=None,
            need_centi=0,
            changes=(),
            total_centi=total,
            text_zh="按得分已达最高等级。" + _capped(result, row, result.model.bands[0])[0],
            text_en="The points already earn the best grade."
            + _capped(result, row, result.model.bands[0])[1],
        )
    need = above.at_least_centi - total
    options = reachable_changes(result, row, remaining)
    chosen = cheapest_set(
        [one.gain_centi for one in options], [one.effort for one in options], need
    )
    if chosen is None:
        return _too_little(result, row, above, need, options)
    changes = tuple(options[at] for at in chosen)
    after = _verified_total(result, row, changes, above)
    words_zh, words_en = _capped(result, row, above)
    return Advice(
        next_grade=above.id,
        need_centi=need,
        changes=changes,
        total_centi=after,
        text_zh=(
            f"距{above.name_zh}（{points_text(above.at_least_centi)} 分）还差 {points_text(need)} "
            f"分：改进以下 {len(changes)} 项可达 {points_text(after)} 分。{words_zh}"
        ),
        text_en=(
            f"{points_text(need)} points are wanting for {above.name_en} "
            f"({points_text(above.at_least_centi)}): moving these {len(changes)} indicators gives "
            f"{points_text(after)}.{words_en}"
        ),
    )


def reachable_changes(
    result: ScoreResult, row: int, remaining: Fraction = Fraction(1)
) -> tuple[Change, ...]:
    """Every indicator that can still gain points, moved as far as it goes.

    Args:
        result: Scores.
        row: Position of the subject.
        remaining: Share of the period that is left, 0 to 1.

    Returns:
        Changes in the model's order, each with what it gains alone; gains add up, because
        every indicator earns its own points.
    """
    moved: list[tuple[int, int]] = []
    for index, indicator in enumerate(result.model.indicators):
        if indicator.improve is None or bool(result.missing[row, index]):
            continue
        value = int(result.values_micro[row, index])
        target = indicator.improve.reach(
            value, indicator.shape, _median(result, row, index), remaining
        )
        target = _no_farther_than_full(result, row, index, value, target)
        if target != value:
            moved.append((index, target))
    if not moved:
        return ()
    values = np.repeat(result.values_micro[row : row + 1], len(moved), axis=0)
    for place, (index, target) in enumerate(moved):
        values[place, index] = target
    points = _rescored(result, row, values).points
    found: list[Change] = []
    for place, (index, target) in enumerate(moved):
        gain = int(points[index, place]) - int(result.points_centi[row, index])
        indicator = result.model.indicators[index]
        if gain > 0 and indicator.improve is not None:
            found.append(
                Change(
                    indicator=indicator.id,
                    name_zh=indicator.name_zh,
                    name_en=indicator.name_en,
                    from_micro=int(result.values_micro[row, index]),
                    to_micro=target,
                    from_text=amount_zh(int(result.values_micro[row, index]), indicator.unit),
                    to_text=amount_zh(target, indicator.unit),
                    gain_centi=gain,
                    effort=indicator.improve.effort,
                )
            )
    return tuple(found)


def _rescored(result: ScoreResult, row: int, values: npt.NDArray[np.int64]) -> Sweep:
    """Points of the subject with other values; what is missing stays missing."""
    plan = ScoringPlan.of(result.model, result.reference, result.day)
    group = plan.groups.index((result.levels[row], result.types[row]))
    present = np.repeat(~result.missing[row : row + 1], len(values), axis=0)
    return sweep_values(plan, values, present, np.full(len(values), group, np.int64))


def _verified_total(result: ScoreResult, row: int, changes: Sequence[Change], above: Band) -> int:
    places = {one.id: index for index, one in enumerate(result.model.indicators)}
    values = result.values_micro[row : row + 1].copy()
    for change in changes:
        values[0, places[change.indicator]] = change.to_micro
    swept = _rescored(result, row, values)
    total = int(swept.total[0])
    if total < above.at_least_centi:
        raise KernelError(
            f"advice for {result.subjects[row]}: scoring it again gives {points_text(total)}, "
            f"expected at least {points_text(above.at_least_centi)}: report this as a defect"
        )
    return total


def _band_above(result: ScoreResult, row: int) -> Band | None:
    """The next better band than the one the points earn."""
    bands = result.model.bands
    place = [band.id for band in bands].index(result.earned_grades[row])
    return bands[place - 1] if place else None


def _median(result: ScoreResult, row: int, index: int) -> int | None:
    if result.reference is None:
        return None
    indicator = result.model.indicators[index].id
    return result.reference.lookup(indicator, MEDIAN, result.levels[row], result.types[row])[1]


def _no_farther_than_full(
    result: ScoreResult, row: int, index: int, value: int, target: int
) -> int:
    """Stop a target where a linear shape gives everything already."""
    indicator = result.model.indicators[index]
    if not isinstance(indicator.shape, LinearShape):
        return target
    ends = thresholds(
        indicator, result.reference, result.day, result.levels[row], result.types[row]
    )
    if ends is None:
        return target
    full = ends[1]
    return max(value, min(target, full)) if target > value else min(value, max(target, full))


def _capped(result: ScoreResult, row: int, target: Band) -> tuple[str, str]:
    """A sentence about the overrides that stand before a grade, empty without one."""
    name, bands = next(iter(result.model.band_sets.items()))
    order = [band.id for band in bands.bands]
    hits = result.overridden[row].tolist()
    names = [
        one
        for one, hit in zip(result.model.overrides, hits, strict=True)
        if hit and order.index(one.caps[name]) > order.index(target.id)
    ]
    if not names:
        return "", ""
    zh = "、".join(one.name_zh for one in names)
    en = ", ".join(one.name_en for one in names)
    return (
        f"但等级受限（{zh}），限制解除前不随得分上升。",
        f" But an override holds the grade down ({en}), whatever the points, until it ends.",
    )


def _unrated(result: ScoreResult, row: int, total: int) -> Advice:
    covered = int(result.coverage_centi[row])
    missing = result.model.total_centi - covered
    least = points_text(result.model.min_coverage)
    words_zh, words_en = _capped(result, row, result.model.bands[0])
    return Advice(
        next_grade=None,
        need_centi=0,
        changes=(),
        total_centi=total,
        text_zh=(
            f"数据不足，不予评级：有数据的指标合计 {points_text(covered)} 分，须达 {least} 分；"
            f"缺 {points_text(missing)} 分的数据，先补齐数据。{words_zh}"
        ),
        text_en=(
            f"Not rated for want of data: indicators worth {points_text(covered)} points have "
            f"data, {least} are needed; hand in the missing data first.{words_en}"
        ),
    )


def _too_little(
    result: ScoreResult, row: int, above: Band, need: int, options: Sequence[Change]
) -> Advice:
    most = sum(one.gain_centi for one in options)
    words_zh, words_en = _capped(result, row, above)
    return Advice(
        next_grade=above.id,
        need_centi=need,
        changes=(),
        total_centi=int(result.total_centi[row]),
        text_zh=(
            f"距{above.name_zh}还差 {points_text(need)} 分；在剩余时间内可改进的指标最多再得 "
            f"{points_text(most)} 分，尚不足。{words_zh}"
        ),
        text_en=(
            f"{points_text(need)} points are wanting for {above.name_en}; everything that can "
            f"still be moved in the time left gives {points_text(most)}, which is not enough."
            f"{words_en}"
        ),
    )
