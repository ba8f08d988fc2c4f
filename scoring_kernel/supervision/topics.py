"""Analysis topics (专题): a question as data: a query, a chart, a sentence of finding, an alert.

Rules:
- A topic's SQL reads measure sets, the relation ``indicator`` (indicators of the month) and the
  relation ``grade`` (published grades or pre-scores); it returns the declared columns. Steps that
  SQL cannot say exactly (robust z, groups, stability) follow it, from a closed list.
- A column without a unit is text; else a whole number, shown as ``value / scale`` with ``places``.
  A text that names an indicator (``indicator``) is told in English by the indicator's words.
- An alert is a column that is 1 where a dated threshold is passed; the threshold and its source
  are told with it.
- Every chart is a view of the topic's table: it names columns and holds no number of its own.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from scoring_kernel.parameters import parse_parameters
from scoring_kernel.supervision.charts import Chart, parse_chart
from scoring_kernel.supervision.findings import Finding, parse_finding
from scoring_kernel.supervision.sets import (
    fill,
    month_values,
    parameter_values,
    verify_placeholders,
)
from scoring_kernel.supervision.steps import Step, parse_steps
from scoring_kernel.supervision.topic_clues import TopicClue, parse_topic_clue

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from scoring_kernel.legal_basis import LegalBasis
    from scoring_kernel.parameters import Parameter
    from scoring_kernel.supervision.indicators import SubjectIndicators
    from scoring_kernel.yaml_section import Section

INDICATOR: Final = "indicator"
GRADE: Final = "grade"
INDICATOR_COLUMNS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("id", "name", "kind", "subject"), "string"),
    "month": "int32",
    **dict.fromkeys(("value", "yoy", "mom", "z"), "int64"),
    "reason": "string",
}
"""Type words of the relation ``indicator``: one row per base indicator and subject, values in
millionths, null with the reason in words where there is none."""
GRADE_COLUMNS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("period", "class", "subject", "grade"), "string"),
    "total_centi": "int64",
}
"""Type words of the relation ``grade``."""
MAX_MONTHS: Final = 36
MAX_ROWS: Final = 2_000
"""Most rows a topic tells; its alerts are counted before."""

_BUILT_IN: Final = frozenset(("month", "month_before", "year_before", "days"))
_COLUMN: Final = r"[a-z][a-z0-9_]{0,39}"
_KEYS: Final = (
    *("id", "name_zh", "name_en", "question_zh", "question_en", "sets", "indicators", "grades"),
    *("months", "parameters", "sql", "steps", "columns", "order", "limit", "alert", "chart"),
    *("finding", "clue", "lacks", "lacks_en", "note"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a topic's table."""

    name_zh: str
    unit: str | None
    """Unit of ``units.yaml``; None for text."""
    scale: int
    places: int
    personal: bool
    """Whether it is a person, a visit or a trace code, which is shown masked."""
    english: Mapping[str, str] = field(repr=False, default_factory=dict)
    """English words for its texts: those of indicators, where it names these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """When a row is an alert (预警)."""

    column: str
    """Column that is 1 there."""
    name_zh: str
    name_en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One file of ``supervision/topics/``."""

    id: str
    name_zh: str
    name_en: str
    question_zh: str
    question_en: str
    sets: tuple[str, ...]
    """Measure sets the SQL reads."""
    indicators: tuple[str, ...]
    """Kinds of subject whose indicators it reads."""
    grades: bool
    """Whether it reads grades."""
    months: int
    """Months that it sees of its sets, its own included."""
    parameters: Mapping[str, Parameter] = field(repr=False)
    sql: str = field(repr=False)
    sql_line: int
    steps: tuple[Step, ...]
    columns: Mapping[str, Column]
    order: tuple[str, ...]
    """Columns by which rows are ordered; ``-`` before a name for descending."""
    limit: int
    alert: Alert | None
    clue: TopicClue | None
    """How its alerts become clues; None where they are about nobody."""
    chart: Chart
    finding: Finding
    lacks: tuple[str, ...]
    """What the question asks for and nobody has, in words."""
    lacks_en: tuple[str, ...]
    """The same in English, where the English sentence tells it."""
    note: str | None
    digest: bytes = field(repr=False)
    """SHA-256 of the file."""

    def sql_of(self, month: int) -> str:
        """SQL for one month, its placeholders filled.

        Raises:
            ParameterNotInForceError: A threshold has no value on the month's last day.
        """
        values = {
            "month": str(month),
            "month_before": str(_earlier(month, 1)),
            "year_before": str(month - 100),
            "days": month_values(month)["days"],
        }
        return fill(self.sql, values | parameter_values(self.parameters, month))

    @property
    def queried(self) -> tuple[str, ...]:
        """Columns that the SQL returns: all but those that steps make."""
        made = {name for step in self.steps for name in step.made}
        return tuple(name for name in self.columns if name not in made)


def parse_topic(
    document: Section,
    content: bytes,
    *,
    units: Collection[str],
    legal_basis: Mapping[str, LegalBasis],
    sets: Collection[str],
    subjects: Mapping[str, SubjectIndicators],
) -> Topic:
    """Read one file of ``supervision/topics/``; its SQL is checked by the loader.

    Args:
        document: The file's top mapping.
        content: Its bytes.
        units: Known unit ids.
        legal_basis: Known sources.
        sets: Ids of measure sets.
        subjects: Indicators by kind of subject.

    Raises:
        CatalogError: A key is missing, unknown or of the wrong form, or names what is not there.
    """
    document.refuse_unknown(_KEYS)
    indicators = _among(document, "indicators", subjects)
    named = {one.name_zh: one.name_en for kind in indicators for one in subjects[kind].bases}
    columns = _parse_columns(document.section("columns"), units, named)
    name = document.text("id", pattern=r"T[0-9]{2}")
    listed = document.find_section("parameters")
    parameters = (
        {}
        if listed is None
        else parse_parameters(listed, owner=name, levels=(), units=units, legal_basis=legal_basis)
    )
    steps = parse_steps(document, columns)
    stepped = frozenset(parameter for step in steps for parameter in step.thresholds)
    verify_placeholders(document, parameters, _BUILT_IN, stepped)
    return Topic(
        id=name,
        name_zh=document.text("name_zh", max_chars=40),
        name_en=document.text("name_en", max_chars=80),
        question_zh=document.text("question_zh", max_chars=200),
        question_en=document.text("question_en", max_chars=200),
        sets=_among(document, "sets", sets),
        indicators=indicators,
        grades=document.flag("grades", default=False),
        months=document.integer("months", least=1, most=MAX_MONTHS)
        if "months" in document.values
        else 1,
        parameters=parameters,
        sql=document.text("sql"),
        sql_line=document.line_of("sql") + 1,
        steps=steps,
        columns=columns,
        order=_parse_order(document, columns),
        limit=document.integer("limit", least=1, most=MAX_ROWS)
        if "limit" in document.values
        else MAX_ROWS,
        alert=_parse_alert(document, columns),
        clue=parse_topic_clue(document, columns, legal_basis),
        chart=parse_chart(document.section("chart"), columns),
        finding=parse_finding(document.section("finding"), columns),
        lacks=document.texts("lacks") if "lacks" in document.values else (),
        lacks_en=_parse_lacks_en(document),
        note=document.find_text("note"),
        digest=hashlib.sha256(content).digest(),
    )


def _among(document: Section, key: str, known: Collection[str]) -> tuple[str, ...]:
    found = document.texts(key) if key in document.values else ()
    for one in found:
        if one not in known:
            expected = ", ".join(sorted(known))
            raise document.error(f"{key}: found {one[:40]!r}, expected some of {expected}", key)
    return found


def _parse_lacks_en(document: Section) -> tuple[str, ...]:
    found = document.texts("lacks_en") if "lacks_en" in document.values else ()
    english = (text for key, text in document.section("finding").values.items() if "en" in key)
    is_told = any("{lacks}" in str(text) for text in english)
    expected = len(document.texts("lacks")) if is_told else 0
    if len(found) != expected:
        raise document.error(
            f"lacks_en: found {len(found)}, expected {expected}: state it for every one of lacks "
            "where the English sentence tells it, else leave it out",
            "finding",
        )
    return found


def _parse_columns(
    listed: Section, units: Collection[str], indicators: Mapping[str, str]
) -> dict[str, Column]:
    found: dict[str, Column] = {}
    for name in listed.keys():  # noqa: SIM118 - a section is not a mapping
        listed.refuse_name_unless(name, _COLUMN)
        section = listed.section(name)
        section.refuse_unknown(("name_zh", "unit", "scale", "places", "personal", "indicator"))
        is_number = "unit" in section.values
        found[name] = Column(
            name_zh=section.text("name_zh", max_chars=40),
            unit=section.choice("unit", units) if is_number else None,
            scale=section.integer("scale", least=1, most=10**9) if "scale" in section.values else 1,
            places=section.integer("places", least=0, most=6) if "places" in section.values else 0,
            personal=section.flag("personal", default=False),
            english=indicators if section.flag("indicator", default=False) else {},
        )
    return found


def _parse_order(document: Section, columns: Collection[str]) -> tuple[str, ...]:
    found = document.texts("order")
    for one in found:
        if one.removeprefix("-") not in columns:
            raise document.error(f"order: found {one[:40]!r}, expected columns", "order")
    return found


def _parse_alert(document: Section, columns: Collection[str]) -> Alert | None:
    section = document.find_section("alert")
    if section is None:
        return None
    section.refuse_unknown(("column", "name_zh", "name_en"))
    return Alert(
        column=section.choice("column", columns),
        name_zh=section.text("name_zh", max_chars=120),
        name_en=section.text("name_en", max_chars=200),
    )


def _earlier(month: int, months: int) -> int:
    count = month // 100 * 12 + month % 100 - 1 - months
    return count // 12 * 100 + count % 12 + 1
