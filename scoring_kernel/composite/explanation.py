"""Explanation of a composite score: groups, effective weights and what each contributed.

Rules:
- Contributions, added in order, are the summary score, to the last bit.
- A subject without a band is told why; a missing group is shown with weight 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scoring_kernel.errors import KernelInputError
from scoring_kernel.model import NOT_RATED

if TYPE_CHECKING:
    from scoring_kernel.composite.scoring import CompositeResult


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurePart:
    """One reported measure of a subject.

    Attributes:
        measure: Id of the measure.
        description: What it measures, as the measure table says.
        value: Value as measured.
        standardised: Standard score, more is better; None where the measure was
            dropped for everybody.
    """

    measure: str
    description: str
    value: float
    standardised: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupPart:
    """What one group contributed.

    Attributes:
        group: Id of the group.
        name_zh: Chinese name.
        name_en: English name.
        reported: Whether it has enough measures to count as reported.
        score: Standardised group score; None where missing.
        nominal_weight: Weight in the model.
        weight: Weight after redistribution, 0 where missing.
        contribution: Weight times score, 0 where missing.
        measures: Reported measures, in the order of the measure table.
    """

    group: str
    name_zh: str
    name_en: str
    reported: bool
    score: float | None
    nominal_weight: float
    weight: float
    contribution: float
    measures: tuple[MeasurePart, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositeExplanation:
    """How one subject came to its score and band.

    Attributes:
        subject: Subject id.
        summary: Summary score; None without any group.
        band: Id of the band, or ``NOT_RATED``.
        basis: ``proposal`` or ``final``, to be shown with the score.
        reason_zh: Why this band or none, in Chinese.
        reason_en: The same in English.
        groups: Parts, in the order of the model's groups.
    """

    subject: str
    summary: float | None
    band: str
    basis: str
    reason_zh: str
    reason_en: str
    groups: tuple[GroupPart, ...]


def explain_composite(result: CompositeResult, row: int) -> CompositeExplanation:
    """Explain one subject's summary score and band.

    Args:
        result: Scores.
        row: Position of the subject, from 0.

    Returns:
        The explanation; contributions added from left to right give the summary.

    Raises:
        KernelInputError: There is no such row.
    """
    if not 0 <= row < len(result.subjects):
        raise KernelInputError(f"row {row}: expected 0 to {len(result.subjects) - 1}")
    summary = float(result.summary[row])
    zh, en = _reason(result, row)
    return CompositeExplanation(
        subject=result.subjects[row],
        summary=None if math.isnan(summary) else summary,
        band=result.bands[row],
        basis=result.basis,
        reason_zh=zh,
        reason_en=en,
        groups=tuple(_group_part(result, row, at) for at in range(len(result.model.groups))),
    )


def _group_part(result: CompositeResult, row: int, at: int) -> GroupPart:
    group = result.model.groups[at]
    score, weight = float(result.scores[row, at]), float(result.weights[row, at])
    missing = math.isnan(score)
    return GroupPart(
        group=group.id,
        name_zh=group.name_zh,
        name_en=group.name_en,
        reported=bool(result.reported[row, at]),
        score=None if missing else score,
        nominal_weight=float(group.weight),
        weight=weight,
        contribution=0.0 if missing else weight * score,
        measures=_measure_parts(result, row, group.in_table),
    )


def _measure_parts(result: CompositeResult, row: int, group: str) -> tuple[MeasurePart, ...]:
    parts: list[MeasurePart] = []
    for at, one in enumerate(result.measures.measures):
        value = float(result.values[row, at])
        if one.group != group or math.isnan(value):
            continue
        standardised = float(result.standardised[row, at])
        parts.append(
            MeasurePart(
                measure=one.id,
                description=one.description,
                value=value,
                standardised=None if math.isnan(standardised) else standardised,
            )
        )
    return tuple(parts)


def _reason(result: CompositeResult, row: int) -> tuple[str, str]:
    model, groups = result.model, int(result.reported[row].sum())
    if result.bands[row] != NOT_RATED:
        band = next(one for one in model.bands if one.id == result.bands[row])
        return (
            f"报告 {groups} 组，在同类中定为{band.name_zh}。",
            f"{groups} groups reported; {band.name_en} among its peers.",
        )
    if groups < model.least_groups:
        return (
            (
                f"仅报告 {groups} 组，至少应报告 {model.least_groups} 组"
                f"（每组至少 {model.least_measures} 项指标），不予评级。"
            ),
            (
                f"Not rated: {groups} groups reported, at least {model.least_groups} needed, "
                f"each with {model.least_measures} measures."
            ),
        )
    if not result.rated[row]:
        needed = [one for one in model.groups if one.id in model.required_groups]
        return (
            f"未报告{'、'.join(one.name_zh for one in needed)}中的任何一组，不予评级。",
            f"Not rated: none of {', '.join(one.name_en for one in needed)} is reported.",
        )
    return (
        "同类主体的得分种数少于等级数，无法分级，不予评级。",
        "Not rated: its peers have fewer distinct scores than there are bands.",
    )
