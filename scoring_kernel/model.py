"""The rating model (评级模型): indicators, weights, bands and what it may be used for.

Rules:
- A model is one file; its digest is the SHA-256 of the file's bytes, and every
  score names it.
- ``draft`` cannot grade; ``proposal`` grades and says so; ``final`` needs every
  source checked and every indicator final.
- Weights add up at every level; bands start at 0 and their cuts belong to the
  upper grade.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from scoring_kernel.errors import DraftModelError
from scoring_kernel.indicators import (
    ID,
    MAX_WEIGHT_CENTI,
    Group,
    Indicator,
    Status,
    parse_groups,
    parse_indicator,
    weight_centi,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scoring_kernel.legal_basis import LegalBasis
    from scoring_kernel.units import Unit
    from scoring_kernel.yaml_section import Section

MAX_INDICATORS: Final = 64
"""Most indicators of a model: a missing pattern is one 64-bit word."""
NOT_RATED: Final = "not_rated"
"""Grade of a subject whose coverage is below the model's least."""

_LABEL: Final = r"[0-9a-z_]{1,20}"
_RANK: Final = {Status.DRAFT: 0, Status.PROPOSAL: 1, Status.FINAL: 2}
_KEYS: Final = frozenset(
    (
        "id",
        "subject_class",
        "name_zh",
        "name_en",
        "status",
        "basis",
        "grades_basis",
        "total",
        "min_coverage",
        "min_peer",
        "levels",
        "types",
        "grades",
        "groups",
        "indicators",
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """One grade (信用等级) and the least points that earn it.

    Attributes:
        id: Id, for example ``excellent``.
        name_zh: Chinese name.
        name_en: English name.
        letter: Letter, where the region uses letters.
        at_least_centi: Least points, hundredths, inclusive.
    """

    id: str
    name_zh: str
    name_en: str
    letter: str | None
    at_least_centi: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RatingModel:
    """A complete model.

    Attributes:
        id: Id; also the file's name.
        subject_class: Class of subjects it rates (主体类别).
        name_zh: Chinese name.
        name_en: English name.
        status: Draft, proposal or final.
        basis: Key of the source of groups and weights.
        grades_basis: Key of the source of the bands.
        digest: SHA-256 of the model file, 32 bytes.
        levels: Levels of subject, as inputs name them.
        types: Types of subject, as inputs name them.
        total_centi: Sum of all weights, hundredths.
        min_coverage: Least weight of present indicators for a grade, hundredths.
        min_peer: Least members of a peer group, of all subjects too.
        groups: All groups, each of level 1 before its own.
        indicators: Indicators in order of their numbers.
        bands: Grades, best first.
    """

    id: str
    subject_class: str
    name_zh: str
    name_en: str
    status: Status
    basis: str
    grades_basis: str
    digest: bytes
    levels: tuple[str, ...]
    types: tuple[str, ...]
    total_centi: int
    min_coverage: int
    min_peer: int
    groups: tuple[Group, ...]
    indicators: tuple[Indicator, ...]
    bands: tuple[Band, ...]

    @property
    def input_columns(self) -> tuple[str, ...]:
        """Input columns of all indicators, sorted, each once."""
        return tuple(
            sorted({column for one in self.indicators for column in one.derivation.columns})
        )

    def refuse_draft(self) -> None:
        """Refuse to grade with a draft.

        Raises:
            DraftModelError: The model's status is ``draft``.
        """
        if self.status is Status.DRAFT:
            raise DraftModelError(
                f"model {self.id} is a draft and cannot grade: raise its status to proposal first"
            )


def parse_model(
    document: Section,
    file: str,
    *,
    units: Mapping[str, Unit],
    legal_basis: Mapping[str, LegalBasis],
    digest: bytes,
) -> RatingModel:
    """Parse a model file.

    Args:
        document: The file's top mapping.
        file: The file's path; its stem must be the model's id.
        units: Known units.
        legal_basis: Known sources.
        digest: SHA-256 of the file's bytes.

    Returns:
        The model.

    Raises:
        CatalogError: Anything is missing, unknown, malformed, or does not add up.
    """
    document.refuse_unknown(_KEYS)
    model = document.text("id", pattern=ID)
    if PurePosixPath(file).stem != model:
        raise document.error(f"id: found {model!r}, expected the file's name", "id")
    levels = document.texts("levels", pattern=_LABEL)
    types = document.texts("types", pattern=_LABEL)
    if not levels or not types or len({*levels}) < len(levels) or len({*types}) < len(types):
        raise document.error("levels, types: expected at least one of each, none twice", "levels")
    groups = parse_groups(document.section("groups"))
    entries = document.sections("indicators")
    if not 1 <= len(entries) <= MAX_INDICATORS:
        raise document.error(
            f"indicators: found {len(entries)}, expected 1 to {MAX_INDICATORS}", "indicators"
        )
    indicators = tuple(
        parse_indicator(
            entry, model=model, groups=groups, levels=levels, units=units, legal_basis=legal_basis
        )
        for entry in entries
    )
    parsed = RatingModel(
        id=model,
        subject_class=document.text("subject_class", pattern=ID),
        name_zh=document.text("name_zh", max_chars=80),
        name_en=document.text("name_en", max_chars=120),
        status=Status(document.choice("status", tuple(Status))),
        basis=document.choice("basis", legal_basis),
        grades_basis=document.choice("grades_basis", legal_basis),
        digest=digest,
        levels=levels,
        types=types,
        total_centi=weight_centi(document, "total"),
        min_coverage=weight_centi(document, "min_coverage"),
        min_peer=document.integer("min_peer", least=1, most=100_000),
        groups=tuple(groups.values()),
        indicators=indicators,
        bands=_parse_bands(document),
    )
    _verify_numbers(parsed, entries)
    _verify_weights(parsed, document)
    _verify_status(parsed, document, entries, legal_basis)
    return parsed


def _parse_bands(document: Section) -> tuple[Band, ...]:
    bands: list[Band] = []
    for entry in document.sections("grades"):
        entry.refuse_unknown(("id", "name_zh", "name_en", "letter", "at_least"))
        cut = entry.decimal("at_least") * 100
        if cut.denominator != 1 or not 0 <= cut.numerator <= MAX_WEIGHT_CENTI:
            raise entry.error("at_least: expected 0 to 1000 points, two places", "at_least")
        band = Band(
            id=entry.text("id", pattern=ID),
            name_zh=entry.text("name_zh", max_chars=20),
            name_en=entry.text("name_en", max_chars=40),
            letter=entry.find_text("letter", pattern=r"[A-Z]{1,3}"),
            at_least_centi=cut.numerator,
        )
        if band.id == NOT_RATED or any(band.id == other.id for other in bands):
            raise entry.error(f"id: grade {band.id} is taken: rename it", "id")
        if bands and band.at_least_centi >= bands[-1].at_least_centi:
            raise entry.error("at_least: order grades from best to worst", "at_least")
        bands.append(band)
    if not bands or bands[-1].at_least_centi != 0:
        raise document.error("grades: the last grade must start at 0 points", "grades")
    return tuple(bands)


def _verify_numbers(model: RatingModel, entries: tuple[Section, ...]) -> None:
    seen: set[str] = set()
    for place, (indicator, entry) in enumerate(zip(model.indicators, entries, strict=True), 1):
        if indicator.number != place:
            raise entry.error(f"number: found {indicator.number}, expected {place}", "number")
        if indicator.id in seen:
            raise entry.error(f"id: indicator {indicator.id} appears twice: rename one", "id")
        seen.add(indicator.id)


def _verify_weights(model: RatingModel, document: Section) -> None:
    for group in model.groups:
        if group.parent is None:
            continue
        total = sum(one.weight_centi for one in model.indicators if one.level2.id == group.id)
        if total != group.weight_centi:
            raise document.error(
                f"group {group.id}: weight {group.weight_centi}, its indicators add up to "
                f"{total} hundredths",
                "indicators",
            )
    total = sum(group.weight_centi for group in model.groups if group.parent is None)
    if total != model.total_centi or model.min_coverage > total:
        raise document.error(
            f"total: found {model.total_centi}, groups add up to {total} hundredths, "
            f"least coverage {model.min_coverage}",
            "total",
        )
    if model.bands[0].at_least_centi > total:
        raise document.error("grades: the best grade cannot be reached", "grades")


def _verify_status(
    model: RatingModel,
    document: Section,
    entries: tuple[Section, ...],
    legal_basis: Mapping[str, LegalBasis],
) -> None:
    for indicator, entry in zip(model.indicators, entries, strict=True):
        if _RANK[indicator.status] < _RANK[model.status]:
            raise entry.error(
                f"status: indicator {indicator.id} is {indicator.status}, the model "
                f"{model.status}: lower the model's status",
                "status",
            )
        if indicator.status is Status.FINAL:
            for source in indicator.sources:
                if not legal_basis[source].is_checked:
                    raise entry.error(f"status: final, but source {source} is unchecked", "status")
    for source in (model.basis, model.grades_basis):
        if model.status is Status.FINAL and not legal_basis[source].is_checked:
            raise document.error(f"status: final, but source {source} is unchecked", "status")
