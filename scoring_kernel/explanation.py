"""Explanations (评分说明): where each point went, in Chinese and English.

Rules:
- Every indicator says its value, the values that earn nothing and everything, and
  what was lost (``reasons``); a missing value says why and which policy applied.
- Every explanation carries the ``basis`` of the model: what a proposal says is shown
  as a proposal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scoring_kernel.errors import KernelInputError
from scoring_kernel.reasons import reason_of
from scoring_kernel.shapes import MEDIAN

if TYPE_CHECKING:
    from scoring_kernel.scoring import ScoreResult


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
        peer_median_micro: Median of the peers, millionths; None where there is none.
        points_centi: Points earned, hundredths.
        weight_centi: Weight after redistribution, hundredths.
        lost_centi: Weight minus points, hundredths.
        missing: Whether the missing policy applied.
        provisional: Whether it applied because a peer statistic was missing.
        basis: ``proposal`` or ``final``, to be shown with the reason.
        sources: Keys of the legal basis of its formula, shape and parameters, and of the
            articles the matter itself rests on.
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
    peer_median_micro: int | None
    points_centi: int
    weight_centi: int
    lost_centi: int
    missing: bool
    provisional: bool
    basis: str
    sources: tuple[str, ...]
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
        zh, en = reason_of(result, row, index)
        found.append(
            IndicatorExplanation(
                indicator=indicator.id,
                number=indicator.number,
                name_zh=indicator.name_zh,
                name_en=indicator.name_en,
                level1_zh=indicator.level1.name_zh,
                level2_zh=indicator.level2.name_zh,
                value_micro=int(result.values_micro[row, index]),
                peer_median_micro=_median(result, row, indicator.id),
                points_centi=points,
                weight_centi=weight,
                lost_centi=weight - points,
                missing=bool(result.missing[row, index]),
                provisional=bool(result.provisional[row, index]),
                basis=result.basis,
                sources=indicator.sources,
                reason_zh=zh,
                reason_en=en,
            )
        )
    return tuple(found)


def _median(result: ScoreResult, row: int, indicator: str) -> int | None:
    if result.reference is None:
        return None
    return result.reference.lookup(indicator, MEDIAN, result.levels[row], result.types[row])[1]
