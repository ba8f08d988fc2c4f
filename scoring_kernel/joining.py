"""Joining across nodes (跨节点关联): what nodes report for it, for how long, and what is found.

Rules:
- Everything is data (``catalog/joining.yaml``): kinds of join records with their days of
  retention, watched classes of drugs, the joins with dated parameters, the score of a clue.
- A number has its days in force; on a day before them the join finds nothing.
- A score is a whole number from 0 to 1000, and never falls when the amount grows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from scoring_kernel.institution_clues import COMPONENTS, InstitutionScore
from scoring_kernel.parameters import MICRO, Parameter, parse_parameters
from scoring_kernel.periods import Period

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from scoring_kernel.legal_basis import LegalBasis
    from scoring_kernel.yaml_section import Section

FILE: Final = "joining.yaml"
MAX_SCORE: Final = 1_000
MAX_DAYS: Final = 1_096
"""Longest retention, days."""
VERDICTS: Final = ("violation", "suspicion", "warning")
SEVERITIES: Final = ("high", "mid", "low")
_FEN_PER_YUAN: Final = 100
_MAX_YUAN: Final = 10**9
_CLASS: Final = r"[XZ][A-Z0-9]{2,9}"
_MED_TYPE: Final = r"[0-9]{2,6}"
_JOIN_ID: Final = r"J[0-9]{2}"
_RULE_ID: Final = r"[MW][0-9]{2}"


class JoinKind(StrEnum):
    """Kinds of join records (关联记录)."""

    STAY = "stay"
    """An inpatient stay (住院起止)."""
    PRESENCE = "presence"
    """A settlement for which the person stood there (现场结算)."""
    DISPENSE = "dispense"
    """A drug of a watched class (重点药品配药)."""
    TRACE = "trace"
    """A sold pack by its trace code (追溯码); no person."""


class Join(StrEnum):
    """What a hub finds by joining."""

    OVERLAPPING_STAYS = "overlapping_stays"
    IMPOSSIBLE_TRAVEL = "impossible_travel"
    SHARED_TRACE_CODE = "shared_trace_code"
    DOCTOR_SHOPPING = "doctor_shopping"


PARAMETERS: Final[Mapping[Join, tuple[str, ...]]] = {
    Join.OVERLAPPING_STAYS: ("min_overlap_hours",),
    Join.IMPOSSIBLE_TRAVEL: ("min_gap_minutes", "speed_kmh"),
    Join.SHARED_TRACE_CODE: ("min_institutions",),
    Join.DOCTOR_SHOPPING: ("window_days", "min_institutions"),
}
"""Whole numbers that each join needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinRule:
    """One join."""

    id: str
    """Id of its clues' source, for example ``J01``."""
    name_zh: str
    name_en: str
    like: str
    """The rule that a single node runs for the same act."""
    verdict: str
    """violation (违规) or suspicion (可疑)."""
    score: int
    """Score of its clues, 0 to 1000."""
    parameters: Mapping[str, Parameter] = field(repr=False)
    """Dated numbers by name."""

    def on(self, day: date) -> dict[str, int] | None:
        """The numbers in force on a day; None before them all are."""
        if day < max(one.values[0].since for one in self.parameters.values()):
            return None
        return {name: one.at(day) // MICRO for name, one in self.parameters.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClueScore:
    """How the score of a node's clue is made."""

    verdict: Mapping[str, int]
    """Points by verdict."""
    severity: Mapping[str, int]
    """Points by severity of the rule."""
    amounts: tuple[tuple[int, int], ...]
    """Ascending: from this amount in fen on, these points."""

    def of(self, verdict: str, severity: str, amount_fen: int) -> int:
        """Score of a clue, 0 to 1000.

        Raises:
            KeyError: The verdict or severity is unknown.
        """
        added = max((points for least, points in self.amounts if amount_fen >= least), default=0)
        return min(MAX_SCORE, self.verdict[verdict] + self.severity[severity] + added)


@dataclass(frozen=True, slots=True, kw_only=True)
class Joining:
    """The whole file."""

    key_retention_days: int
    """Days after a period on which its key is still there."""
    border_days: int
    """Records this near to another period are reported for it too."""
    basis: str
    """Key of the source of all undated numbers."""
    retention_days: Mapping[JoinKind, int]
    """Days a hub keeps a record, from the record's day on."""
    presence_med_types: frozenset[str]
    """Types of visit for which the person stands there."""
    watched_classes: Mapping[str, str]
    """Classes of drugs that are reported, with their names: first letters of the national code."""
    joins: Mapping[Join, JoinRule] = field(repr=False)
    """The joins."""
    score: ClueScore = field(repr=False)
    """How clues are scored."""
    institution_score: InstitutionScore = field(repr=False)
    """How institutions are scored by their stays."""

    def periods_of(self, begins: date, ends: date) -> tuple[str, ...]:
        """Periods whose tokens a record of these days is reported under, in order."""
        margin = timedelta(days=self.border_days)
        period = _period_of(begins - margin)
        found = []
        while period.first_day <= ends + margin:
            found.append(period.name)
            period = _period_of(period.last_day + timedelta(days=1))
        return tuple(found)

    def expires(self, kind: JoinKind, day: date) -> date:
        """First day on which a record of a kind and day is kept no longer."""
        return day + timedelta(days=self.retention_days[kind])

    def watched_class(self, item_code: str) -> str | None:
        """The watched class that a national drug code belongs to; the longest one where two do."""
        fitting = [one for one in self.watched_classes if item_code.startswith(one)]
        return max(fitting, key=len, default=None)


def parse_joining(
    document: Section, *, units: Collection[str], legal_basis: Mapping[str, LegalBasis]
) -> Joining:
    """Read ``joining.yaml``.

    Args:
        document: The file's top mapping.
        units: Known unit ids.
        legal_basis: Known sources.

    Raises:
        CatalogError: A key is missing, unknown or of the wrong form, or a number is out of its
            bounds or undated.
    """
    document.refuse_unknown(
        (
            *("name_zh", "name_en", "key_retention_days", "border_days", "basis", "records"),
            *("presence_med_types", "watched_classes", "joins", "score"),
            "institution_score",
        )
    )
    document.text("name_zh")
    document.text("name_en")
    joins = document.section("joins")
    joins.refuse_unknown(tuple(Join))
    return Joining(
        key_retention_days=document.integer("key_retention_days", least=0, most=MAX_DAYS),
        border_days=document.integer("border_days", least=0, most=92),
        basis=document.choice("basis", legal_basis),
        retention_days=_parse_records(document.section("records")),
        presence_med_types=frozenset(document.texts("presence_med_types", pattern=_MED_TYPE)),
        watched_classes=_parse_classes(document),
        joins={
            join: _parse_join(join, joins.section(join), units=units, legal_basis=legal_basis)
            for join in Join
        },
        score=_parse_score(document.section("score")),
        institution_score=_parse_institution_score(document.section("institution_score")),
    )


def _parse_records(section: Section) -> dict[JoinKind, int]:
    section.refuse_unknown(tuple(JoinKind))
    found: dict[JoinKind, int] = {}
    for kind in JoinKind:
        entry = section.section(kind)
        entry.refuse_unknown(("name_zh", "retention_days"))
        entry.text("name_zh")
        found[kind] = entry.integer("retention_days", least=1, most=MAX_DAYS)
    return found


def _parse_classes(document: Section) -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in document.sections("watched_classes"):
        entry.refuse_unknown(("class", "name_zh"))
        name = entry.text("class", pattern=_CLASS)
        if name in found:
            raise entry.error(f"class {name} stands twice: keep one", "class")
        found[name] = entry.text("name_zh")
    return found


def _parse_join(
    join: Join, entry: Section, *, units: Collection[str], legal_basis: Mapping[str, LegalBasis]
) -> JoinRule:
    entry.refuse_unknown(("id", "name_zh", "name_en", "like", "verdict", "score", "parameters"))
    section = entry.section("parameters")
    section.refuse_unknown(PARAMETERS[join])
    for name in PARAMETERS[join]:
        section.section(name)
    parameters = parse_parameters(
        section, owner=join, levels=(), units=units, legal_basis=legal_basis
    )
    for name, parameter in parameters.items():
        amounts = [value.amounts for value in parameter.values]
        if parameter.by is not None or any(
            one is None or min(one.values()) < MICRO or any(each % MICRO for each in one.values())
            for one in amounts
        ):
            raise section.error(f"{name}: expected whole numbers from 1 on, never repealed", name)
    return JoinRule(
        id=entry.text("id", pattern=_JOIN_ID),
        name_zh=entry.text("name_zh"),
        name_en=entry.text("name_en"),
        like=entry.text("like", pattern=_RULE_ID),
        verdict=entry.choice("verdict", VERDICTS),
        score=entry.integer("score", least=0, most=MAX_SCORE),
        parameters=parameters,
    )


def _parse_institution_score(section: Section) -> InstitutionScore:
    section.refuse_unknown(("least_cases", "weights"))
    weights = _parse_points(section.section("weights"), COMPONENTS)
    if not any(weights.values()):
        raise section.error("all weights are 0: give one component a weight", "weights")
    least = section.integer("least_cases", least=1, most=1_000_000)
    return InstitutionScore(weights=weights, least_cases=least)


def _parse_score(section: Section) -> ClueScore:
    section.refuse_unknown(("verdict", "severity", "amount"))
    amounts: list[tuple[int, int]] = []
    for entry in section.sections("amount"):
        entry.refuse_unknown(("from_yuan", "points"))
        least = entry.integer("from_yuan", least=0, most=_MAX_YUAN) * _FEN_PER_YUAN
        points = entry.integer("points", least=0, most=MAX_SCORE)
        if amounts and (least <= amounts[-1][0] or points < amounts[-1][1]):
            raise entry.error("amounts and points go upwards: order them", "from_yuan")
        amounts.append((least, points))
    return ClueScore(
        verdict=_parse_points(section.section("verdict"), VERDICTS),
        severity=_parse_points(section.section("severity"), SEVERITIES),
        amounts=tuple(amounts),
    )


def _parse_points(section: Section, names: tuple[str, ...]) -> dict[str, int]:
    section.refuse_unknown(names)
    return {name: section.integer(name, least=0, most=MAX_SCORE) for name in names}


def _period_of(day: date) -> Period:
    return Period(year=day.year, half=1 if day.month <= 6 else 2)
