"""Explanations of overrides (等级限制说明): what caps a grade, and what the points alone give.

Rules:
- Every override in force is told, also one that lowers nothing: the subject must know what
  would cap a better total.
- The reason names the cap, since when the rule is in force, and the sources that state the
  event; it never names the document itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scoring_kernel.errors import KernelInputError
from scoring_kernel.model import NOT_RATED

if TYPE_CHECKING:
    from datetime import date

    from scoring_kernel.catalog_object import Catalog
    from scoring_kernel.overrides import Override
    from scoring_kernel.scoring import ScoreResult

_ITEM: Final = "item"


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideExplanation:
    """One override (一票否决、限级) that is in force for a subject.

    Attributes:
        override: Id of the override.
        name_zh: Chinese name.
        name_en: English name.
        cap: Grade id; the grade is this one at best.
        since: First day in force of the rule.
        lowers: Whether the points alone would give a better grade than the cap, or none.
        evidence: Chinese names of the information items or measure sets that state the event.
        basis: Key of the source of the cap.
        sources: Keys of every source: of the cap, and of the articles the event rests on.
        reason_zh: What it does, in Chinese.
        reason_en: What it does, in English.
    """

    override: str
    name_zh: str
    name_en: str
    cap: str
    since: date
    lowers: bool
    evidence: tuple[str, ...]
    basis: str
    sources: tuple[str, ...]
    reason_zh: str
    reason_en: str


def explain_overrides(
    result: ScoreResult, row: int, catalog: Catalog
) -> tuple[OverrideExplanation, ...]:
    """Explain the overrides that are in force for one subject.

    Args:
        result: Scores.
        row: Position of the subject, from 0.
        catalog: Names the items and measure sets.

    Returns:
        One explanation per override in force, in the model's order.

    Raises:
        KernelInputError: There is no such row.
    """
    if not 0 <= row < len(result.subjects):
        raise KernelInputError(f"row {row}: expected 0 to {len(result.subjects) - 1}")
    flags = result.overridden[row].tolist()
    return tuple(
        _explained(result, row, one, _evidence(result, row, one, catalog))
        for one, in_force in zip(result.model.overrides, flags, strict=True)
        if in_force
    )


def _evidence(
    result: ScoreResult, row: int, override: Override, catalog: Catalog
) -> tuple[str, ...]:
    """Names of the sources whose inputs put the override in force, each once."""
    found: dict[str, None] = {}
    inputs = result.inputs
    for column in override.columns:
        place = inputs.position(column)
        if inputs.present[row, place] and inputs.values[row, place] > 0:
            kind, source = column.split(".")[:2]
            named = catalog.items[source] if kind == _ITEM else catalog.measure_sets[kind]
            found[named.name_zh] = None
    return tuple(found)


def _explained(
    result: ScoreResult, row: int, override: Override, evidence: tuple[str, ...]
) -> OverrideExplanation:
    bands = {band.id: band for band in result.model.bands}
    order = list(bands)
    cap = override.caps[next(iter(result.model.band_sets))]
    # A subject that the points leave unrated is capped all the same: missing data is no refuge.
    earned_grade = result.earned_grades[row]
    earned = None if earned_grade == NOT_RATED else bands[earned_grade]
    lowers = earned is None or order.index(earned.id) < order.index(cap)
    since = override.since.isoformat()
    points_zh = f"按得分应为{earned.name_zh}" if earned else "按得分不予评级"
    points_en = f"the points alone give {earned.name_en}" if earned else "the points give no grade"
    return OverrideExplanation(
        override=override.id,
        name_zh=override.name_zh,
        name_en=override.name_en,
        cap=cap,
        since=override.since,
        lowers=lowers,
        evidence=evidence,
        basis=override.basis,
        sources=override.sources,
        reason_zh=(
            f"{override.name_zh}：等级最高为{bands[cap].name_zh}（规则自{since}起施行，"
            f"依据{'、'.join(evidence)}）；{points_zh}{'' if lowers else '，等级未因此再降低'}。"
        ),
        reason_en=(
            f"{override.name_en}: {bands[cap].name_en} at best (rule in force since {since}); "
            f"{points_en}{'' if lowers else ', so nothing is lowered'}."
        ),
    )
