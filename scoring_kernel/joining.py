"""Joining across nodes (跨节点关联): what nodes report for it, for how long, and what is found.

Rules:
- Everything is data (``catalog/joining.yaml``): kinds of join records with their days of
  retention, years of retention of clues, watched classes of drugs, the joins with dated
  parameters, the score of a clue.
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
from scoring_kernel.subject_ids import STAFF, is_subject_id

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from scoring_kernel.legal_basis import LegalBasis
    from scoring_kernel.yaml_section import Section

FILE: Final = "joining.yaml"
MAX_SCORE: Final = 1_000
MAX_DAYS: Final = 1_096
"""Longest retention, days."""
MAX_CLUE_YEARS: Final = 30
MARK_BYTES: Final = 16
"""Bytes of what join records of one person, pack or physician have in common."""
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
    SESSION = "session"
    """A time during which a physician saw patients at an institution (接诊时段); no person."""

    @property
    def has_token(self) -> bool:
        """Whether its records are about an insured person, who goes as a link token."""
        return self not in {JoinKind.TRACE, JoinKind.SESSION}


class Join(StrEnum):
    """What a hub finds by joining."""

    OVERLAPPING_STAYS = "overlapping_stays"
    IMPOSSIBLE_TRAVEL = "impossible_travel"
    SHARED_TRACE_CODE = "shared_trace_code"
    DOCTOR_SHOPPING = "doctor_shopping"
    STAFF_IN_TWO_PLACES = "staff_in_two_places"
    STAFF_AT_SEVERAL_NODES = "staff_at_several_nodes"


PARAMETERS: Final[Mapping[Join, tuple[str, ...]]] = {
    Join.OVERLAPPING_STAYS: ("min_overlap_hours",),
    Join.IMPOSSIBLE_TRAVEL: ("min_gap_minutes", "speed_kmh"),
    Join.SHARED_TRACE_CODE: ("min_institutions",),
    Join.DOCTOR_SHOPPING: ("window_days", "min_institutions"),
    Join.STAFF_IN_TWO_PLACES: ("min_overlap_minutes",),
    Join.STAFF_AT_SEVERAL_NODES: ("window_months", "min_institutions", "least_score"),
}
"""Whole numbers that each join needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinRule:
    """One join."""

    id: str
    """Id of its clues' source, for example ``J01``."""
    name_zh: str
    name_en: str
    like: str | None
    """The rule that a single node runs for the same act; None where there is none."""
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
class ClueRetention:
    """How long clues are kept somewhere (线索保存期限)."""

    years: int
    """Whole years after the last day of the clue's month."""
    basis: str
    """Key of its source."""

    def is_over(self, month: int, today: date) -> bool:
        """Whether a clue of a month (yyyymm) may be kept no longer on a day.

        >>> kept = ClueRetention(years=3, basis="-")
        >>> kept.is_over(202601, date(2029, 1, 31)), kept.is_over(202601, date(2029, 2, 1))
        (False, True)
        """
        return month + 100 * self.years < today.year * 100 + today.month

    def last_over(self, today: date) -> int:
        """The last month, yyyymm, of which no clue may be kept on a day.

        >>> ClueRetention(years=3, basis="-").last_over(date(2029, 1, 31))
        202512
        """
        months = (today.year - self.years) * 12 + today.month - 2
        return months // 12 * 100 + months % 12 + 1

    def expires(self, month: int) -> date:
        """First day on which a clue of a month is kept no longer.

        >>> ClueRetention(years=3, basis="-").expires(202612)
        datetime.date(2030, 1, 1)
        """
        after = month // 100 * 12 + month % 100
        return date(after // 12 + self.years, after % 12 + 1, 1)


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
    hub_clues: ClueRetention
    """How long a hub keeps clues, and what it found by joining."""
    node_clues: ClueRetention
    """How long a node keeps hits of rules and findings of topics."""
    session_gap_minutes: int
    """Longest time between two patients of one session."""
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


def staff_mark(code: str) -> bytes:
    r"""The mark of staff in join records: their national code, with zeros after it, 16 bytes.

    >>> staff_mark("D330302000001")
    b'D330302000001\x00\x00\x00'
    """
    return code.encode("ascii").ljust(MARK_BYTES, b"\0")


def staff_of(mark: bytes) -> str | None:
    """The national code that a mark stands for; None where it is none.

    >>> staff_of(staff_mark("N330302000001")), staff_of(bytes(16))
    ('N330302000001', None)
    """
    code = mark.rstrip(b"\0").decode("latin-1")
    return code if is_subject_id(STAFF, code) else None


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
            *("clues", "session_gap_minutes", "presence_med_types", "watched_classes", "joins"),
            *("score", "institution_score"),
        )
    )
    document.text("name_zh")
    document.text("name_en")
    joins = document.section("joins")
    joins.refuse_unknown(tuple(Join))
    kept = document.section("clues")
    kept.refuse_unknown(("hub", "node"))
    return Joining(
        key_retention_days=document.integer("key_retention_days", least=0, most=MAX_DAYS),
        border_days=document.integer("border_days", least=0, most=92),
        basis=document.choice("basis", legal_basis),
        retention_days=_parse_records(document.section("records")),
        hub_clues=_parse_clue_retention(kept.section("hub"), legal_basis),
        node_clues=_parse_clue_retention(kept.section("node"), legal_basis),
        session_gap_minutes=document.integer("session_gap_minutes", least=1, most=1_439),
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


def _parse_clue_retention(entry: Section, legal_basis: Mapping[str, LegalBasis]) -> ClueRetention:
    entry.refuse_unknown(("name_zh", "retention"))
    entry.text("name_zh")
    retention = entry.section("retention")
    retention.refuse_unknown(("years", "basis"))
    return ClueRetention(
        years=retention.integer("years", least=1, most=MAX_CLUE_YEARS),
        basis=retention.choice("basis", legal_basis),
    )


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
        like=entry.find_text("like", pattern=_RULE_ID),
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
