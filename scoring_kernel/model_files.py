"""Model files (``catalog/models/``): one rating model each, read strictly.

Rules:
- Weights add up at every level; indicators are numbered from 1.
- From the model's first day on every parameter has its amounts.
- A model is never trusted further than its indicators: ``final`` needs every indicator
  final and every source it cites checked.
- Whether the columns, items and aliases it names exist is checked with the whole catalogue
  (``model_references.py``).
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from scoring_kernel.amounts import points_text
from scoring_kernel.bands import parse_band_sets
from scoring_kernel.groups import ID, parse_groups, weight_centi
from scoring_kernel.indicators import Status, parse_indicator
from scoring_kernel.model import MAX_INDICATORS, PeerLabel, RatingModel
from scoring_kernel.overrides import parse_overrides
from scoring_kernel.register_spec import parse_register

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scoring_kernel.legal_basis import LegalBasis
    from scoring_kernel.units import Unit
    from scoring_kernel.yaml_section import Section

_LABEL: Final = r"[0-9a-z_]{1,20}"
_ALIAS: Final = r"[a-z][a-z_]{0,31}"
_RANK: Final = {Status.DRAFT: 0, Status.PROPOSAL: 1, Status.FINAL: 2}
_KEYS: Final = frozenset(
    (
        "id",
        "alias",
        "subject_class",
        "name_zh",
        "name_en",
        "status",
        "since",
        "until",
        "basis",
        "total",
        "min_coverage",
        "min_peer",
        "peers",
        "register",
        "pushed",
        "levels",
        "types",
        "band_sets",
        "overrides",
        "groups",
        "indicators",
    )
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
    total = weight_centi(document, "total")
    band_sets = parse_band_sets(document.section("band_sets"), legal_basis, total)
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
        alias=document.find_text("alias", pattern=_ALIAS),
        subject_class=document.text("subject_class", pattern=ID),
        name_zh=document.text("name_zh", max_chars=80),
        name_en=document.text("name_en", max_chars=120),
        status=Status(document.choice("status", tuple(Status))),
        since=document.day("since"),
        until=None if document.values.get("until") is None else document.day("until"),
        basis=document.choice("basis", legal_basis),
        digest=digest,
        register=parse_register(document.section("register")),
        pushed=document.flag("pushed", default=True),
        levels=levels,
        types=types,
        total_centi=total,
        min_coverage=weight_centi(document, "min_coverage"),
        min_peer=document.integer("min_peer", least=1, most=100_000),
        peers=PeerLabel(
            document.choice("peers", tuple(PeerLabel))
            if "peers" in document.values
            else PeerLabel.LEVEL
        ),
        groups=tuple(groups.values()),
        indicators=indicators,
        band_sets=band_sets,
        overrides=parse_overrides(
            document.sections("overrides") if "overrides" in document.values else (),
            band_sets,
            legal_basis,
        ),
    )
    if parsed.until is not None and parsed.until <= parsed.since:
        raise document.error(
            f"until: found {parsed.until.isoformat()}, not after since "
            f"{parsed.since.isoformat()}: order the days upwards",
            "until",
        )
    _verify_numbers(parsed, entries)
    _verify_days(parsed, entries)
    _verify_weights(parsed, document)
    _verify_status(parsed, document, entries, legal_basis)
    return parsed


def _verify_numbers(model: RatingModel, entries: tuple[Section, ...]) -> None:
    seen: set[str] = set()
    for place, (indicator, entry) in enumerate(zip(model.indicators, entries, strict=True), 1):
        if indicator.number != place:
            raise entry.error(f"number: found {indicator.number}, expected {place}", "number")
        if indicator.id in seen:
            raise entry.error(f"id: indicator {indicator.id} appears twice: rename one", "id")
        seen.add(indicator.id)


def _verify_days(model: RatingModel, entries: tuple[Section, ...]) -> None:
    for indicator, entry in zip(model.indicators, entries, strict=True):
        for parameter in indicator.parameters.values():
            first = parameter.values[0].since
            if first > model.since:
                raise entry.section("parameters").error(
                    f"{parameter.name}: holds from {first.isoformat()}, the model from "
                    f"{model.since.isoformat()}: date it from there, or the model later",
                    parameter.name,
                )


def _verify_weights(model: RatingModel, document: Section) -> None:
    for group in model.groups:
        if group.parent is None:
            continue
        total = sum(one.weight_centi for one in model.indicators if one.level2.id == group.id)
        if total != group.weight_centi:
            raise document.error(
                f"group {group.id}: weight {points_text(group.weight_centi)}, its indicators add "
                f"up to {points_text(total)} points: make them agree",
                "indicators",
            )
    total = sum(group.weight_centi for group in model.groups if group.parent is None)
    if total != model.total_centi or model.min_coverage > total:
        raise document.error(
            f"total: found {points_text(model.total_centi)}, groups add up to "
            f"{points_text(total)} points, least coverage {points_text(model.min_coverage)}: make "
            "them agree",
            "total",
        )


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
    cited = [one.basis for one in model.band_sets.values()]
    cited += [source for one in model.overrides for source in one.sources]
    for source in (model.basis, *cited):
        if model.status is Status.FINAL and not legal_basis[source].is_checked:
            raise document.error(f"status: final, but source {source} is unchecked", "status")
