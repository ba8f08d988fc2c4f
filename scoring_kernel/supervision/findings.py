"""Sentences of finding (结论语句): a template with numbers of a topic's table.

Rules:
- A placeholder is ``{rows}``, ``{alerts}``, ``{month}``, ``{lacks}`` (what nobody has),
  ``{ranked}`` (rows that are ranked), or ``{how.column}`` with how one of first (the first row),
  top (the highest row), sum, max, min and names (the first three, joined). Nothing is computed in
  a template.
- The first row is the first of the table's order, which puts alerts first: who is said to be the
  highest is ``top``. It says by which column; rows without a value there are not ranked, nor are
  those not above zero in ``among``. Of equals the first stands.
- Where the table is empty, or no row is ranked and that has words, another sentence stands; a
  cell without a value reads 无数据 / no data.
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

WAYS: Final = ("first", "top", "sum", "max", "min", "names")
NAMED: Final = 3
"""Names that a sentence lists."""

_WORD: Final = re.compile(r"\{([a-z]+)(?:\.([a-z][a-z0-9_]*))?\}")
_PLAIN: Final = ("rows", "alerts", "month", "lacks", "ranked")
_TEXTS: Final = ("zh", "en", "none_zh", "none_en")
_UNRANKED: Final = ("unranked_zh", "unranked_en")
_NONE: Final = {"zh": "无数据", "en": "no data"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Top:
    """Which row is the highest."""

    by: str
    """Column whose greatest number is looked for."""
    among: str | None
    """Column that has to be above zero; None where all rows are ranked."""

    def ranked(self, rows: Sequence[Row]) -> list[Row]:
        """Rows that are ranked, the highest first; of equals in the order they had."""
        kept = [
            (value, row)
            for row in rows
            if isinstance(value := row[self.by], int)
            if self.among is None or _is_positive(row[self.among])
        ]
        return [row for _, row in sorted(kept, key=lambda one: -one[0])]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Templates in both languages."""

    zh: str
    en: str
    none_zh: str
    """Where there are no rows."""
    none_en: str
    top: Top | None
    unranked_zh: str | None
    """Where there are rows and none is ranked; None where ``zh`` stands there too."""
    unranked_en: str | None

    def template(self, language: str, *, rows: int, ranked: int) -> str:
        """The template for so many rows, so many of them ranked."""
        is_zh = language == "zh"
        if not rows:
            return self.none_zh if is_zh else self.none_en
        unranked = self.unranked_zh if is_zh else self.unranked_en
        if unranked is not None and not ranked:
            return unranked
        return self.zh if is_zh else self.en


def parse_finding(section: Section, columns: Mapping[str, Column]) -> Finding:
    """Read the ``finding`` of a topic.

    Raises:
        CatalogError: A placeholder is none, or sums a text.
    """
    section.refuse_unknown((*_TEXTS, "top", *_UNRANKED))
    top = _parse_top(section.find_section("top"), columns)
    found = {key: section.text(key, max_chars=400) for key in _TEXTS}
    if any(key in section.values for key in _UNRANKED):
        found |= {key: section.text(key, max_chars=400) for key in _UNRANKED}
    for key, text in found.items():
        for way, column in _WORD.findall(text):
            known = way in _PLAIN if not column else way in WAYS and column in columns
            if known and way in ("sum", "max", "min"):
                known = columns[column].unit is not None
            if known and way in ("top", "ranked"):
                known = top is not None
            if not known:
                raise section.error(f"{key}: found {{{way}.{column}}}, expected a column", key)
        if "{" in _WORD.sub("", text):
            raise section.error(f"{key}: found a brace outside of a placeholder", key)
    if top is None and found.keys() & set(_UNRANKED):
        raise section.error("unranked_zh: nothing is ranked: state top", "unranked_zh")
    return Finding(
        **{key: found[key] for key in _TEXTS},
        top=top,
        unranked_zh=found.get("unranked_zh"),
        unranked_en=found.get("unranked_en"),
    )


def _parse_top(section: Section | None, columns: Mapping[str, Column]) -> Top | None:
    if section is None:
        return None
    section.refuse_unknown(("by", "among"))
    numbers = [name for name, column in columns.items() if column.unit is not None]
    return Top(
        by=section.choice("by", numbers),
        among=section.choice("among", numbers) if "among" in section.values else None,
    )


def shown_cell(cell: Cell, column: Column, language: str = "zh") -> str:
    """A cell as a table shows it.

    Args:
        cell: Its value.
        column: Its column.
        language: ``zh`` or ``en``, for a cell without a value and for names with words in both.
    """
    if cell is None:
        return _NONE[language]
    if column.unit is None or isinstance(cell, str):
        return column.english.get(str(cell), str(cell)) if language == "en" else str(cell)
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
        lacks: What the topic asks for and nobody has, in that language.
    """
    ranked = [] if finding.top is None else finding.top.ranked(rows)
    plain = {
        "rows": str(len(rows)),
        "alerts": str(alerts),
        "month": f"{month // 100}-{month % 100:02d}",
        "lacks": ("；" if language == "zh" else "; ").join(lacks),
        "ranked": str(len(ranked)),
    }

    def put(found: re.Match[str]) -> str:
        way, name = found[1], found[2]
        if name is None:
            return plain[way]
        told = ranked if way == "top" else rows
        return _told(way, [row[name] for row in told], columns[name], language)

    return _WORD.sub(put, finding.template(language, rows=len(rows), ranked=len(ranked)))


def _told(way: str, cells: Sequence[Cell], column: Column, language: str) -> str:
    if not cells:
        return _NONE[language]
    if way in ("first", "top"):
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


def _is_positive(cell: Cell) -> bool:
    return isinstance(cell, int) and cell > 0
