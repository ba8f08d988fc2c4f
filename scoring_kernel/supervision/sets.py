"""Measure sets of supervision (监管度量集): what a node counts per month to watch, not to grade.

Rules:
- Integers only, each with its law of merging, as in ``measures/``; but a set may be about
  persons, items or pairs of them. Such a set never leaves the node: only a set whose keys are
  the institution, or the institution and a member of staff, may say ``travels: true``.
- The SQL returns the keys, then one BIGINT per measure, one row per combination of keys, for
  one month: ``$begins`` and ``$ends`` are its first moment and the first after it, ``$days`` its
  days, ``$looks_back`` the first moment of the months of ``reach`` before it. It reads the
  relations it names and nothing else.
- What a month's rows may rest on: all records of every visit that has a record in the month, or
  in the months of ``reach`` before and after it; of records that name no visit those of these
  months. So a month has to be counted again only when one of these changed.
- A parameter is dated; a month is counted with the value of its last day.
"""

from __future__ import annotations

import hashlib
import re
from calendar import monthrange
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Final

from scoring_kernel.errors import CatalogError
from scoring_kernel.measure_sets import KINDS, Measure, MeasureSet
from scoring_kernel.parameters import MICRO, parse_parameters
from scoring_kernel.subject_ids import INSTITUTION, STAFF

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from scoring_kernel.legal_basis import LegalBasis
    from scoring_kernel.parameters import Parameter
    from scoring_kernel.yaml_section import Section

KEYS: Final = (
    *("institution", "staff", "person", "other", "item", "generic", "disease"),
    *("visit", "day", "place", "code", "rule", "origin"),
)
"""Names that a set's keys can have."""
PERSONAL: Final = frozenset(("person", "other", "visit", "code"))
"""Keys that are, or lead to, a person."""
MAX_REACH: Final = 12
MAX_MEASURES: Final = 64

_TRAVELLING: Final = (("institution",), ("institution", "staff"))
_ID: Final = r"[a-z][a-z0-9_]{0,39}"
_PIECE: Final = re.compile(r"'(?:[^']|'')*'|--[^\n]*|\$([a-z_][a-z0-9_]*)")
_BUILT_IN: Final = frozenset(("begins", "ends", "days", "looks_back"))


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisionSet:
    """One file of ``supervision/measures/``."""

    id: str
    name_zh: str
    name_en: str
    keys: tuple[str, ...]
    """Key columns, in order."""
    travels: bool
    """Whether its rows are stated to the hub."""
    relations: tuple[str, ...]
    """Record kinds and derived relations the SQL reads."""
    before: int
    """Months before its own that a month's rows rest on."""
    after: int
    """Months after its own, likewise."""
    measures: tuple[Measure, ...]
    parameters: Mapping[str, Parameter] = field(repr=False)
    sql: str = field(repr=False)
    """One SELECT with placeholders."""
    sql_line: int
    """Line of the SQL's first line in its file."""
    digest: bytes = field(repr=False)
    """SHA-256 of the file: another text, another count."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the result."""
        return (*self.keys, *(measure.id for measure in self.measures))

    @property
    def merges(self) -> dict[str, str]:
        """Law of merging per measure id."""
        return {measure.id: measure.merge for measure in self.measures}

    @property
    def is_personal(self) -> bool:
        """Whether a key is, or leads to, a person."""
        return not PERSONAL.isdisjoint(self.keys)

    def sql_of(self, month: int) -> str:
        """SQL for one month, its placeholders filled.

        Args:
            month: yyyymm.

        Raises:
            ParameterNotInForceError: A parameter has no value on the month's last day.
        """
        count = month // 100 * 12 + month % 100 - 1 - self.before
        first = month_values(count // 12 * 100 + count % 12 + 1)["begins"]
        values = month_values(month) | {"looks_back": first}
        return fill(self.sql, values | parameter_values(self.parameters, month))

    def stated(self) -> MeasureSet:
        """The set as nodes state it and hubs keep it; it travels."""
        return MeasureSet(
            id=self.id,
            name_zh=self.name_zh,
            name_en=self.name_en,
            subject=STAFF if STAFF in self.keys else INSTITUTION,
            relations=self.relations,
            measures=self.measures,
            histograms={},
            sql=self.sql,
        )


def month_values(month: int) -> dict[str, str]:
    """Literals of a month by placeholder.

    >>> month_values(202602)["ends"], month_values(202602)["days"]
    ("TIMESTAMP '2026-03-01 00:00:00'", '28')
    """
    year, number = divmod(month, 100)
    following = (year + number // 12, number % 12 + 1)
    return {
        "begins": f"TIMESTAMP '{year:04d}-{number:02d}-01 00:00:00'",
        "ends": f"TIMESTAMP '{following[0]:04d}-{following[1]:02d}-01 00:00:00'",
        "days": str(monthrange(year, number)[1]),
    }


def parameter_values(parameters: Mapping[str, Parameter], month: int) -> dict[str, str]:
    """Literals of parameters on a month's last day: ``name`` whole, ``name_e6`` in millionths.

    Raises:
        ParameterNotInForceError: One has no value on that day.
    """
    day = last_day(month)
    found: dict[str, str] = {}
    for name, parameter in parameters.items():
        micro = parameter.at(day)
        found[f"{name}_e6"] = str(micro)
        if micro % MICRO == 0:
            found[name] = str(micro // MICRO)
    return found


def last_day(month: int) -> date:
    """Last day of a month, yyyymm: the day whose parameters hold for it.

    >>> last_day(202602).isoformat()
    '2026-02-28'
    """
    year, number = divmod(month, 100)
    return date(year, number, monthrange(year, number)[1])


def fill(sql: str, values: Mapping[str, str]) -> str:
    """Put literals in the place of placeholders; text in quotes and comments stays.

    >>> fill("SELECT '$a', $a -- $a", {"a": "1"})
    "SELECT '$a', 1 -- $a"
    """
    return _PIECE.sub(
        lambda found: values[found[1]] if found[1] is not None else found[0],
        sql,
    )


def placeholders(sql: str) -> frozenset[str]:
    """Names of the placeholders in a text of SQL."""
    return frozenset(found[1] for found in _PIECE.finditer(sql) if found[1] is not None)


def verify_placeholders(
    document: Section,
    parameters: Mapping[str, Parameter],
    built_in: Collection[str] = _BUILT_IN,
    elsewhere: Collection[str] = (),
) -> None:
    """Refuse a placeholder without a parameter, and a parameter without a placeholder.

    Args:
        document: The file's top mapping, with its SQL.
        parameters: Its parameters.
        built_in: Placeholders that need none.
        elsewhere: Parameters that are read outside of the SQL.

    Raises:
        CatalogError: One has no partner.
    """
    names = placeholders(document.text("sql")) - frozenset(built_in)
    known = {name.removesuffix("_e6") if name not in parameters else name for name in names}
    read = known.union(elsewhere)
    if read != parameters.keys():
        lost = ", ".join(sorted(f"${name}" for name in read ^ parameters.keys()))
        raise document.error(f"sql and parameters do not agree on {lost}: make them agree", "sql")


def parse_set(
    document: Section,
    content: bytes,
    *,
    units: Collection[str],
    legal_basis: Mapping[str, LegalBasis],
) -> SupervisionSet:
    """Read one file of ``supervision/measures/``.

    Args:
        document: The file's top mapping.
        content: Its bytes.
        units: Known unit ids.
        legal_basis: Known sources.

    Returns:
        The set; what its SQL says is not checked yet.

    Raises:
        CatalogError: A key is missing, unknown or of the wrong form; a set travels that may
            not; placeholders and parameters do not agree.
    """
    document.refuse_unknown(
        (
            *("id", "name_zh", "name_en", "keys", "travels", "relations", "reach"),
            *("measures", "parameters", "sql"),
        )
    )
    keys = document.texts("keys")
    if not keys or len({*keys}) < len(keys) or not set(keys) <= set(KEYS):
        raise document.error(
            f"keys: found {list(keys)}, expected some of {', '.join(KEYS)}", "keys"
        )
    travels = document.flag("travels", default=False)
    if travels and keys not in _TRAVELLING:
        problem = f"a set by {', '.join(keys)} stays at the node: only sets by institution, or by "
        raise document.error(f"{problem}institution and staff, travel", "travels")
    reach = document.find_section("reach")
    if reach is not None:
        reach.refuse_unknown(("before", "after"))
    name = document.text("id", pattern=_ID)
    listed = document.find_section("parameters")
    parameters = (
        {}
        if listed is None
        else parse_parameters(listed, owner=name, levels=(), units=units, legal_basis=legal_basis)
    )
    verify_placeholders(document, parameters)
    return SupervisionSet(
        id=name,
        name_zh=document.text("name_zh", max_chars=40),
        name_en=document.text("name_en", max_chars=80),
        keys=keys,
        travels=travels,
        relations=document.texts("relations", pattern=_ID),
        before=_months(reach, "before"),
        after=_months(reach, "after"),
        measures=_parse_measures(document, units),
        parameters=parameters,
        sql=document.text("sql"),
        sql_line=document.line_of("sql") + 1,
        digest=hashlib.sha256(content).digest(),
    )


def _months(reach: Section | None, key: str) -> int:
    if reach is None or key not in reach.values:
        return 0
    return reach.integer(key, least=1, most=MAX_REACH)


def _parse_measures(document: Section, units: Collection[str]) -> tuple[Measure, ...]:
    listed = document.section("measures")
    found: list[Measure] = []
    for key in listed.values:
        listed.refuse_name_unless(key, _ID)
        if key in KEYS:
            raise listed.error(f"measure {key!r} has the name of a key: rename it", key)
        section = listed.section(key)
        section.refuse_unknown(("name_zh", "name_en", "unit", "kind"))
        kinds = [kind for kind in KINDS if kind != "histogram"]
        found.append(
            Measure(
                id=key,
                name_zh=section.text("name_zh", max_chars=40),
                name_en=section.text("name_en", max_chars=80),
                unit=section.choice("unit", units),
                kind=section.choice("kind", kinds),
                day="event",
            )
        )
    if not 1 <= len(found) <= MAX_MEASURES:
        raise CatalogError(
            document.file, document.line_of("measures"), f"expected 1 to {MAX_MEASURES} measures"
        )
    return tuple(found)
