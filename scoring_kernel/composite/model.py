"""The composite model (综合评分模型): standardised measures, weighted groups, bands.

Rules:
- A model is one file and carries the SHA-256 of its bytes; status and basis mean what
  they mean in a points model.
- Which measures there are, to which group each belongs and whether less is better is
  not in the model: the measure table is an input of every scoring.
- Group weights add up to 1 exactly; the weight of a missing group goes to the others
  in proportion.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from scoring_kernel.composite.banding import BandRule, CompositeBand, parse_banding
from scoring_kernel.errors import DraftModelError
from scoring_kernel.groups import ID
from scoring_kernel.indicators import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scoring_kernel.legal_basis import LegalBasis
    from scoring_kernel.yaml_section import Section

MAX_GROUPS: Final = 20
MAX_COUNT: Final = 1_000_000
"""Largest number of cases, subjects or measures that a rule may ask for."""

_KEYS: Final = frozenset(
    (
        "id",
        "name_zh",
        "name_en",
        "status",
        "basis",
        "standardise",
        "measures",
        "groups",
        "reporting",
        "peers",
        "banding",
        "bands",
    )
)


class PeerGroups(StrEnum):
    """Who is banded together."""

    NONE = "none"
    """All rated subjects."""
    REPORTED_GROUPS = "reported_groups"
    """Subjects with the same number of reported groups."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositeGroup:
    """A group of measures.

    Attributes:
        id: Id in results and messages.
        in_table: The group's name in measure tables.
        name_zh: Chinese name.
        name_en: English name.
        weight: Weight in the summary score, above 0; all add up to 1.
    """

    id: str
    in_table: str
    name_zh: str
    name_en: str
    weight: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Winsor:
    """Values beyond two nearest-rank quantiles are set to them (缩尾).

    Attributes:
        low: Share of the lower quantile, above 0.
        high: Share of the upper quantile, above ``low``, below 1.
    """

    low: Fraction
    high: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositeModel:
    """A complete composite model.

    Attributes:
        id: Id; also the file's name.
        name_zh: Chinese name.
        name_en: English name.
        status: Draft, proposal or final.
        basis: Key of the source of the method.
        digest: SHA-256 of the model file, 32 bytes.
        sample_deviation: Whether standard deviations divide by n - 1, else by n.
        refuse_zero_variance: Whether a measure or group without spread is an error;
            else it is dropped, and the result says so.
        least_cases: Fewer cases behind a value make it not reported; 0 asks for none.
        least_subjects: Fewer subjects that report a measure drop it.
        winsor: Bounds of each measure before it is standardised; None for none.
        groups: Groups in the order in which scores are added.
        least_measures: Measures that make a group reported.
        least_groups: Reported groups that make a subject rated.
        required_groups: Ids of groups of which one at least must be reported; empty
            for no such rule.
        peers: Who is banded together.
        rule: How scores become bands.
        bands: Bands, best first.
    """

    id: str
    name_zh: str
    name_en: str
    status: Status
    basis: str
    digest: bytes
    sample_deviation: bool
    refuse_zero_variance: bool
    least_cases: int
    least_subjects: int
    winsor: Winsor | None
    groups: tuple[CompositeGroup, ...]
    least_measures: int
    least_groups: int
    required_groups: tuple[str, ...]
    peers: PeerGroups
    rule: BandRule
    bands: tuple[CompositeBand, ...]

    def refuse_draft(self) -> None:
        """Refuse to score with a draft.

        Raises:
            DraftModelError: The model's status is ``draft``.
        """
        if self.status is Status.DRAFT:
            raise DraftModelError(
                f"composite model {self.id} is a draft and cannot score: raise its status to "
                "proposal first"
            )


def parse_composite(
    document: Section, file: str, *, legal_basis: Mapping[str, LegalBasis], digest: bytes
) -> CompositeModel:
    """Parse a composite model file.

    Args:
        document: The file's top mapping.
        file: The file's path; its stem must be the model's id.
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
    status = Status(document.choice("status", tuple(Status)))
    basis = document.choice("basis", legal_basis)
    if status is Status.FINAL and not legal_basis[basis].is_checked:
        raise document.error(f"status: final, but source {basis} is unchecked", "status")
    standardise = document.section("standardise")
    standardise.refuse_unknown(("deviation", "zero_variance"))
    measures = document.section("measures")
    measures.refuse_unknown(("least_cases", "least_subjects", "winsorise"))
    groups = _parse_groups(document)
    reporting = document.section("reporting")
    reporting.refuse_unknown(("least_measures", "least_groups", "one_of"))
    peers = document.section("peers")
    peers.refuse_unknown(("by",))
    bands, rule = parse_banding(document)
    return CompositeModel(
        id=model,
        name_zh=document.text("name_zh", max_chars=80),
        name_en=document.text("name_en", max_chars=120),
        status=status,
        basis=basis,
        digest=digest,
        sample_deviation=standardise.choice("deviation", ("sample", "population")) == "sample",
        refuse_zero_variance=standardise.choice("zero_variance", ("refuse", "drop")) == "refuse",
        least_cases=measures.integer("least_cases", least=0, most=MAX_COUNT),
        least_subjects=measures.integer("least_subjects", least=1, most=MAX_COUNT),
        winsor=_parse_winsor(measures),
        groups=groups,
        least_measures=reporting.integer("least_measures", least=1, most=MAX_COUNT),
        least_groups=reporting.integer("least_groups", least=1, most=len(groups)),
        required_groups=_parse_required(reporting, groups),
        peers=PeerGroups(peers.choice("by", tuple(PeerGroups))),
        rule=rule,
        bands=bands,
    )


def _parse_groups(document: Section) -> tuple[CompositeGroup, ...]:
    entries = document.sections("groups")
    if not 1 <= len(entries) <= MAX_GROUPS:
        raise document.error(f"groups: found {len(entries)}, expected 1 to {MAX_GROUPS}", "groups")
    groups: list[CompositeGroup] = []
    for entry in entries:
        entry.refuse_unknown(("id", "in_table", "name_zh", "name_en", "weight"))
        group = CompositeGroup(
            id=entry.text("id", pattern=ID),
            in_table=entry.text("in_table", max_chars=80),
            name_zh=entry.text("name_zh", max_chars=40),
            name_en=entry.text("name_en", max_chars=80),
            weight=entry.decimal("weight"),
        )
        if group.weight <= 0:
            raise entry.error("weight: expected more than 0", "weight")
        for other in groups:
            if group.id == other.id:
                raise entry.error(f"id: group {group.id} appears twice: rename one", "id")
            if group.in_table == other.in_table:
                problem = f"in_table: {group.in_table!r} names two groups: rename one"
                raise entry.error(problem, "in_table")
        groups.append(group)
    total = sum((group.weight for group in groups), Fraction(0))
    if total != 1:
        raise document.error(f"groups: weights add up to {float(total)}, expected 1", "groups")
    return tuple(groups)


def _parse_winsor(measures: Section) -> Winsor | None:
    section = measures.find_section("winsorise")
    if section is None:
        return None
    section.refuse_unknown(("low", "high"))
    low, high = section.decimal("low"), section.decimal("high")
    if not 0 < low < high < 1:
        raise section.error("low, high: expected shares with 0 < low < high < 1", "low")
    return Winsor(low=low, high=high)


def _parse_required(reporting: Section, groups: tuple[CompositeGroup, ...]) -> tuple[str, ...]:
    required = reporting.texts("one_of")
    known = [group.id for group in groups]
    for group in required:
        if group not in known:
            raise reporting.error(f"one_of: unknown group {group[:80]!r}", "one_of")
    if len(set(required)) < len(required):
        raise reporting.error("one_of: a group appears twice: keep one", "one_of")
    return required
