"""Measure sets: which integers a node counts from its records, and how they merge.

Rules:
- Integers only: counts and sums in fen, with a law of merging (``sum``, ``max``,
  ``min``). Ratios and growth are derived later, from merged measures.
- The SQL returns ``institution``, ``month``, ``subject`` and one BIGINT per measure,
  in the order of the file, one row per (institution, month, subject). It reads the
  relations it names and nothing else.
- A measure says whose day decides its month: the event's or the booking's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection

    from scoring_kernel.yaml_section import Section

MERGES: Final = ("sum", "max", "min")
"""Laws by which rows of several slots become one number."""
DAYS: Final = ("event", "booking")
"""Whose day decides the month."""
KEY_COLUMNS: Final = ("institution", "month", "subject")
"""First columns of every measure table."""

WINDOWS: Final = ("current", "base")
"""Windows for which a measure is an input column: the period, and a year before."""

MAX_MEASURES: Final = 64

_ID: Final = r"[a-z][a-z0-9_]{0,39}"
_RELATION: Final = re.compile(r"\b(?:FROM|JOIN)\s+([a-z_][a-z0-9_]*)", re.IGNORECASE)
_FORBIDDEN: Final = re.compile(
    r";|\b(?:attach|copy|create|delete|drop|export|import|insert|install|load|pragma|set|update"
    r"|random|now|today|current_date|current_timestamp|read_\w+|getenv|glob)\b",
    re.IGNORECASE,
)
_COMMENT: Final = re.compile(r"--[^\n]*")
_WITH_NAME: Final = re.compile(r"(?:\bWITH\s+|,\s*)([a-z_][a-z0-9_]*)\s+AS\s*\(", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One integer of a measure set (度量)."""

    id: str
    name_zh: str
    name_en: str
    unit: str
    """Unit of ``units.yaml``."""
    merge: str
    """``sum``, ``max`` or ``min``."""
    day: str
    """``event`` or ``booking``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureSet:
    """Measures that one SQL statement computes together."""

    id: str
    name_zh: str
    name_en: str
    relations: tuple[str, ...]
    """Record kinds the SQL reads."""
    measures: tuple[Measure, ...]
    sql: str
    """One SELECT in DuckDB's dialect; see the module's rules for its columns."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the result: the three keys, then the measures."""
        return (*KEY_COLUMNS, *(measure.id for measure in self.measures))

    @property
    def merges(self) -> dict[str, str]:
        """Law of merging per measure id."""
        return {measure.id: measure.merge for measure in self.measures}


def parse_measure_set(
    document: Section, *, units: Collection[str], relations: Collection[str]
) -> MeasureSet:
    """Read one file of ``measures/``.

    Args:
        document: The file's top mapping.
        units: Known unit ids.
        relations: Known record kinds.

    Returns:
        The measure set.

    Raises:
        CatalogError: A key is missing, unknown or of the wrong form; a unit or relation
            is unknown; the SQL reads more or less than it declares, or is not one SELECT.
    """
    document.refuse_unknown(("id", "name_zh", "name_en", "relations", "measures", "sql"))
    declared = document.texts("relations")
    for relation in declared:
        if relation not in relations:
            expected = ", ".join(sorted(relations))
            problem = f"relations: found {relation!r}, expected record kinds: {expected}"
            raise document.error(problem, "relations")
    measures = document.section("measures")
    if not 1 <= len(measures.values) <= MAX_MEASURES:
        raise document.error(f"expected 1 to {MAX_MEASURES} measures", "measures")
    return MeasureSet(
        id=document.text("id", pattern=_ID),
        name_zh=document.text("name_zh", max_chars=40),
        name_en=document.text("name_en", max_chars=80),
        relations=declared,
        measures=tuple(_parse_measure(key, measures, units) for key in measures.values),
        sql=_checked_sql(document, declared),
    )


def _parse_measure(key: str, measures: Section, units: Collection[str]) -> Measure:
    measures.refuse_name_unless(key, _ID)
    section = measures.section(key)
    section.refuse_unknown(("name_zh", "name_en", "unit", "merge", "day"))
    return Measure(
        id=key,
        name_zh=section.text("name_zh", max_chars=40),
        name_en=section.text("name_en", max_chars=80),
        unit=section.choice("unit", units),
        merge=section.choice("merge", MERGES),
        day=section.choice("day", DAYS),
    )


def _checked_sql(document: Section, declared: Collection[str]) -> str:
    sql = document.text("sql").strip()
    bare = _COMMENT.sub("", sql)
    if not re.match(r"(?:WITH|SELECT)\b", bare.lstrip(), re.IGNORECASE):
        raise document.error("sql: expected one statement that starts with SELECT or WITH", "sql")
    if forbidden := _FORBIDDEN.search(bare):
        problem = f"sql: found {forbidden.group()!r}: a measure only reads its relations"
        raise document.error(problem, "sql")
    read = {name.lower() for name in _RELATION.findall(bare)}
    read -= {name.lower() for name in _WITH_NAME.findall(bare)}
    if read != set(declared):
        problem = (
            f"sql: reads {sorted(read)}, but relations says {sorted(declared)}: make them agree"
        )
        raise document.error(problem, "sql")
    return sql
