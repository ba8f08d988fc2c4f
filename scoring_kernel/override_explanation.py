"""Explanations of overrides (等级限制说明): what caps a grade, and what the points alone give.

Rules:
- Every override in force is told, also one that lowers nothing: the subject must know what
  would cap a better total.
- The reason names the cap, since when the rule is in force, and the sources that state the
  event; it never names the document itself.
- An override that nobody can judge is told too, with what was not imported: that nothing is
  known of an event does not mean that there was none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scoring_kernel.errors import KernelInputError
from scoring_kernel.model import NOT_RATED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    import numpy as np
    import numpy.typing as npt

    from scoring_kernel.catalog_object import Catalog
    from scoring_kernel.information import InformationItem
    from scoring_kernel.inputs import InputTable
    from scoring_kernel.measure_sets import MeasureSet
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


@dataclass(frozen=True, slots=True, kw_only=True)
class UndeterminedOverride:
    """One override that is in force and cannot be judged for a subject.

    Attributes:
        override: Id of the override.
        name_zh: Chinese name.
        name_en: English name.
        cap: Grade id at best, if it applied.
        unknown: Numbers of the information items, or ids of the measure sets, that state
            nothing; each once.
        sources: Keys of every source: of the cap, and of the articles the event rests on.
        reason_zh: What is not known, in Chinese.
        reason_en: What is not known, in English.
    """

    override: str
    name_zh: str
    name_en: str
    cap: str
    unknown: tuple[str, ...]
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
    return tuple(
        _explained(result, row, one, _evidence(result, row, one, catalog))
        for one in _flagged(result, result.overridden, row)
    )


def explain_undetermined(
    result: ScoreResult, row: int, catalog: Catalog
) -> tuple[UndeterminedOverride, ...]:
    """Explain the overrides that cannot be judged for one subject.

    Args:
        result: Scores.
        row: Position of the subject, from 0.
        catalog: Names the items and measure sets.

    Returns:
        One explanation per undetermined override, in the model's order.

    Raises:
        KernelInputError: There is no such row.
    """
    return tuple(
        _undetermined(result, one, unknown_sources(result.inputs, row, one), catalog)
        for one in _flagged(result, result.undetermined, row)
    )


def unknown_sources(inputs: InputTable, row: int, override: Override) -> tuple[str, ...]:
    """Items (by number) and measure sets (by id) of an override that state nothing, each once."""
    gone = (
        column for column in override.columns if not inputs.present[row, inputs.position(column)]
    )
    return tuple(dict.fromkeys(_source_of(column) for column in gone))


def _flagged(result: ScoreResult, flags: npt.NDArray[np.bool_], row: int) -> Iterator[Override]:
    if not 0 <= row < len(result.subjects):
        raise KernelInputError(f"row {row}: expected 0 to {len(result.subjects) - 1}")
    return (
        one for one, hit in zip(result.model.overrides, flags[row].tolist(), strict=True) if hit
    )


def _source_of(column: str) -> str:
    kind, source = column.split(".")[:2]
    return source if kind == _ITEM else kind


def _named(source: str, catalog: Catalog) -> InformationItem | MeasureSet:
    return catalog.items[source] if source in catalog.items else catalog.measure_sets[source]


def _evidence(
    result: ScoreResult, row: int, override: Override, catalog: Catalog
) -> tuple[str, ...]:
    """Names of the sources whose inputs put the override in force, each once."""
    found: dict[str, None] = {}
    inputs = result.inputs
    for column in override.columns:
        place = inputs.position(column)
        if inputs.present[row, place] and inputs.values[row, place] > 0:
            found[_named(_source_of(column), catalog).name_zh] = None
    return tuple(found)


def _undetermined(
    result: ScoreResult, override: Override, unknown: tuple[str, ...], catalog: Catalog
) -> UndeterminedOverride:
    bands = {band.id: band for band in result.model.bands}
    cap = bands[override.caps[next(iter(result.model.band_sets))]]
    named = [_named(source, catalog) for source in unknown]
    return UndeterminedOverride(
        override=override.id,
        name_zh=override.name_zh,
        name_en=override.name_en,
        cap=cap.id,
        unknown=unknown,
        sources=override.sources,
        reason_zh=(
            f"{override.name_zh}：未导入{'、'.join(one.name_zh for one in named)}，"
            f"无法判断是否受限；如有记录，等级最高为{cap.name_zh}。"
        ),
        reason_en=(
            f"{override.name_en}: cannot be judged, nothing was imported of "
            f"{', '.join(one.name_en for one in named)}; with an entry there, {cap.name_en} at "
            "best."
        ),
    )


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
