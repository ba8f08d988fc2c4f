"""Sentences of finding (结论语句): a template with numbers of a topic's table.

Rules:
- A placeholder is ``{rows}``, ``{alerts}``, ``{month}``, ``{lacks}`` (what nobody has), or
  ``{how.column}`` with how one of
  first (the first row), sum, max, min and names (the first three, joined). Nothing is computed
  in a template.
- Where the table is empty another sentence stands; a cell without a value reads 无数据 / no data.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scoring_kernel.supervision.values import decimal_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scoring_kernel.supervision.steps import Cell, Row
    from scoring_kernel.supervision.topics import Column
    from scoring_kernel.yaml_section import Section

WAYS: Final = ("first", "sum", "max", "min", "names")
NAMED: Final = 3
"""Names that a sentence lists."""

_WORD: Final = re.compile(r"\{([a-z]+)(?:\.([a-z][a-z0-9_]*))?\}")
_PLAIN: Final = ("rows", "alerts", "month", "lacks")
_NONE: Final = {"zh": "无数据", "en": "no data"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Templates in both languages."""

    zh: str
    en: str
    none_zh: str
    none_en: str


def parse_finding(section: Section, columns: Mapping[str, Column]) -> Finding:
    """Read the ``finding`` of a topic.

    Raises:
        CatalogError: A placeholder is none, or sums a text.
    """
    section.refuse_unknown(("zh", "en", "none_zh", "none_en"))
    found = {key: section.text(key, max_chars=400) for key in ("zh", "en", "none_zh", "none_en")}
    for key, text in found.items():
        for way, column in _WORD.findall(text):
            known = way in _PLAIN if not column else way in WAYS and column in columns
            if known and way in ("sum", "max", "min"):
                known = columns[column].unit is not None
            if not known:
                raise section.error(f"{key}: found {{{way}.{column}}}, expected a column", key)
        if "{" in _WORD.sub("", text):
            raise section.error(f"{key}: found a brace outside of a placeholder", key)
    return Finding(**found)


def shown_cell(cell: Cell, column: Column, language: str = "zh") -> str:
    """A cell as a table shows it.

    Args:
        cell: Its value.
        column: Its column.
        language: ``zh`` or ``en``, for a cell without a value.
    """
    if cell is None:
        return _NONE[language]
    if column.unit is None or isinstance(cell, str):
        return str(cell)
    return decimal_text(cell, column.scale, column.places)


def sentence(
    finding: Finding,
    language: str,
    rows: Sequence[Row],
    columns: Mapping[str, Column],
    *,
    month: int,
    alerts: int,
    lacks: Sequence[str],
) -> str:
    """Write the sentence of a table.

    Args:
        finding: The templates.
        language: ``zh`` or ``en``.
        rows: All rows, in order.
        columns: The table's columns.
        month: Month of the table, yyyymm.
        alerts: Rows that are alerts.
        lacks: What the topic asks for and nobody has.
    """
    plain = {
        "rows": str(len(rows)),
        "alerts": str(alerts),
        "month": f"{month // 100}-{month % 100:02d}",
        "lacks": "；".join(lacks),
    }
    texts = {"zh": (finding.zh, finding.none_zh), "en": (finding.en, finding.none_en)}[language]

    def put(found: re.Match[str]) -> str:
        way, name = found[1], found[2]
        if name is None:
            return plain[way]
        return _told(way, [row[name] for row in rows], columns[name], language)

    return _WORD.sub(put, texts[0] if rows else texts[1])


def _told(way: str, cells: Sequence[Cell], column: Column, language: str) -> str:
    if not cells:
        return _NONE[language]
    if way == "first":
        return shown_cell(cells[0], column, language)
    if way == "names":
        names = list(dict.fromkeys(shown_cell(cell, column, language) for cell in cells))
        return ("、" if language == "zh" else ", ").join(names[:NAMED])
    numbers = [cell for cell in cells if isinstance(cell, int)]
    if not numbers:
        return _NONE[language]
    if way == "sum":
        return shown_cell(sum(numbers), column, language)
    return shown_cell(max(numbers) if way == "max" else min(numbers), column, language)
