"""Measure sets: which integers a node counts from its records, and how they merge.

Rules:
- Integers only: counts, sums in fen, maxima, minima, exact distinct counts of one
  custodian, and histograms. The kind fixes the law of merging; ratios, quantiles and
  growth are derived later, from merged measures.
- A histogram's edges stand in the catalogue and nowhere else: the SQL says
  ``@histogram(id, column)``, which becomes one column per bin, ``id_0`` below the first
  edge to ``id_n`` from the last edge on; every bin is a measure of its own.
- A set is about institutions, or about staff, who have no row in months without work.
- The SQL returns ``institution``, ``month``, ``subject`` and one BIGINT per measure,
  in the order of the file, one row per (institution, month, subject). It reads the
  relations it names and nothing else.
- A measure says whose day decides its month: the event's or the booking's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from scoring_kernel.subject_ids import INSTITUTION, STAFF

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from scoring_kernel.yaml_section import Section

KINDS: Final[Mapping[str, str]] = {
    "count": "sum",
    "sum": "sum",
    "max": "max",
    "min": "min",
    "distinct": "sum",
    "histogram": "sum",
}
"""Kind of a measure, and the law by which its rows of several slots become one number.

Distinct persons are counted exactly by the custodian, per month: sums of them count a person
once for every custodian and month.
"""
NEVER_NEGATIVE: Final = frozenset(("count", "distinct", "histogram"))
"""Kinds whose values cannot be negative; a sum can, where reversals outweigh."""
SUBJECTS: Final = (INSTITUTION, STAFF)
"""Subject types that a set can be about."""
DAYS: Final = ("event", "booking")
"""Whose day decides the month."""
KEY_COLUMNS: Final = ("institution", "month", "subject")
"""First columns of every measure table."""

WINDOWS: Final = ("current", "base", "prior")
"""Windows for which a measure is an input column: the period, a year and half a year before."""

MAX_MEASURES: Final = 64
MAX_EDGES: Final = 15

_ID: Final = r"[a-z][a-z0-9_]{0,39}"
_RELATION: Final = re.compile(r"\b(?:FROM|JOIN)\s+([a-z_][a-z0-9_]*)", re.IGNORECASE)
_FORBIDDEN: Final = re.compile(
    r";|\b(?:attach|copy|create|delete|drop|export|import|insert|install|load|pragma|set|update"
    r"|random|now|today|current_date|current_timestamp|read_\w+|getenv|glob)\b",
    re.IGNORECASE,
)
_HISTOGRAM: Final = re.compile(r"@histogram\(\s*([a-z0-9_]+)\s*,\s*([a-z_][a-z0-9_.]*)\s*\)")
_EDGE: Final = r"-?(?:0|[1-9][0-9]{0,12})"
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
    kind: str
    """One of ``KINDS``."""
    day: str
    """``event`` or ``booking``."""

    @property
    def merge(self) -> str:
        """Law of merging: ``sum``, ``max`` or ``min``."""
        return KINDS[self.kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """An integer histogram (直方图): one measure per bin.

    Attributes:
        id: Id; its bins are the measures ``<id>_0`` to ``<id>_<n>``.
        edges: Least values of the bins after the first, n of them, ascending.
    """

    id: str
    edges: tuple[int, ...]

    @property
    def bins(self) -> tuple[str, ...]:
        """Ids of the bins, from the lowest values up."""
        return tuple(f"{self.id}_{at}" for at in range(len(self.edges) + 1))

    def select(self, column: str) -> str:
        """Columns of the SQL that count a column's values by bin; nulls are in none.

        >>> for line in Histogram(id="stay", edges=(7,)).select("days").splitlines():
        ...     print(line.strip())
        CAST(count(*) FILTER (WHERE days < 7) AS BIGINT) AS stay_0,
        CAST(count(*) FILTER (WHERE days >= 7) AS BIGINT) AS stay_1
        """
        inner = (f"{column} >= {low} AND {column} < {high}" for low, high in pairwise(self.edges))
        tests = (f"{column} < {self.edges[0]}", *inner, f"{column} >= {self.edges[-1]}")
        return ",\n    ".join(
            f"CAST(count(*) FILTER (WHERE {test}) AS BIGINT) AS {name}"
            for test, name in zip(tests, self.bins, strict=True)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureSet:
    """Measures that one SQL statement computes together."""

    id: str
    name_zh: str
    name_en: str
    subject: str
    """Type of the subject, one of ``SUBJECTS``."""
    relations: tuple[str, ...]
    """Record kinds the SQL reads."""
    measures: tuple[Measure, ...]
    histograms: Mapping[str, Histogram] = field(repr=False)
    """Histograms by id; their bins are among the measures."""
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

    @property
    def never_negative(self) -> frozenset[str]:
        """Ids of the measures whose values cannot be negative."""
        return frozenset(one.id for one in self.measures if one.kind in NEVER_NEGATIVE)

    @property
    def any_month(self) -> bool:
        """Whether one month with a row states a window; else every month must have one."""
        return self.subject != INSTITUTION

    @property
    def input_columns(self) -> tuple[str, ...]:
        """Input columns of the kernel that the set states."""
        return tuple(
            f"{self.id}.{measure.id}@{window}" for measure in self.measures for window in WINDOWS
        )


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
            is unknown; edges do not ascend; the SQL reads more or less than it declares,
            counts a histogram not once, or is not one SELECT.
    """
    document.refuse_unknown(("id", "name_zh", "name_en", "subject", "relations", "measures", "sql"))
    declared = document.texts("relations")
    for relation in declared:
        if relation not in relations:
            expected = ", ".join(sorted(relations))
            problem = f"relations: found {relation!r}, expected record kinds: {expected}"
            raise document.error(problem, "relations")
    listed = document.section("measures")
    measures: list[Measure] = []
    histograms: dict[str, Histogram] = {}
    for key in listed.values:
        measure, histogram = _parse_measure(key, listed, units)
        if histogram is None:
            measures.append(measure)
        else:
            histograms[key] = histogram
            measures.extend(replace(measure, id=name) for name in histogram.bins)
    if not 1 <= len(measures) <= MAX_MEASURES:
        raise document.error(f"expected 1 to {MAX_MEASURES} measures", "measures")
    if len({one.id for one in measures}) != len(measures):
        raise document.error("a bin of a histogram has the name of a measure", "measures")
    subject = document.choice("subject", SUBJECTS) if "subject" in document.values else INSTITUTION
    return MeasureSet(
        id=document.text("id", pattern=_ID),
        name_zh=document.text("name_zh", max_chars=40),
        name_en=document.text("name_en", max_chars=80),
        subject=subject,
        relations=declared,
        measures=tuple(measures),
        histograms=histograms,
        sql=_checked_sql(document, declared, histograms),
    )


def _parse_measure(
    key: str, measures: Section, units: Collection[str]
) -> tuple[Measure, Histogram | None]:
    measures.refuse_name_unless(key, _ID)
    section = measures.section(key)
    section.refuse_unknown(("name_zh", "name_en", "unit", "kind", "edges", "day"))
    measure = Measure(
        id=key,
        name_zh=section.text("name_zh", max_chars=40),
        name_en=section.text("name_en", max_chars=80),
        unit=section.choice("unit", units),
        kind=section.choice("kind", KINDS),
        day=section.choice("day", DAYS),
    )
    if measure.kind != "histogram":
        if "edges" in section.values:
            raise section.error("edges belong to a histogram only", "edges")
        return measure, None
    edges = tuple(int(text) for text in section.texts("edges", pattern=_EDGE))
    if not 1 <= len(edges) <= MAX_EDGES or list(edges) != sorted(set(edges)):
        problem = f"edges: found {list(edges)}, expected 1 to {MAX_EDGES} ascending whole numbers"
        raise section.error(problem, "edges")
    return measure, Histogram(id=key, edges=edges)


def _checked_sql(
    document: Section, declared: Collection[str], histograms: Mapping[str, Histogram]
) -> str:
    written = document.text("sql").strip()
    counted = sorted(name for name, _ in _HISTOGRAM.findall(written))
    if counted != sorted(histograms):
        problem = (
            f"sql: counts the histograms {counted}, expected each of {sorted(histograms)} once"
        )
        raise document.error(problem, "sql")
    sql = _HISTOGRAM.sub(lambda found: histograms[found[1]].select(found[2]), written)
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
