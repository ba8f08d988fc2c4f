"""Knowledge tables (知识库): codes and their limits, which rules join by code.

Rules:
- ``knowledge/tables.yaml`` declares every table: columns (the code first), their types, and where
  its rows come from. Every table ends in ``begins_at`` and ``ends_at``
  (nullable): a row holds at a moment when ``at >= begins_at`` and it has not ended.
- ``knowledge/<table>.csv`` holds a small proposal (建议), so that every rule can fire; the
  national points are never shipped, they are imported.
- Where rules read one row of a code, the table says ``once``: ``code`` for each whole code,
  ``prefix`` where a code stands for all that begin with it.
- A cell is empty (null), or exactly of its column's type; a file has exactly the columns. Whole
  numbers are limits, shares and prices: from 1 on, and small enough to be multiplied.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeAlias

from scoring_kernel.errors import RuleError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scoring_kernel.yaml_section import Section

FILE: Final = "knowledge/tables.yaml"
DATES: Final = ("begins_at", "ends_at")
"""Last columns of every table."""
MAX_ROWS: Final = 5_000
"""Most rows of a shipped proposal; more are imported."""

Cell: TypeAlias = "str | int | bool | datetime | None"
Row: TypeAlias = tuple[Cell, ...]

_ID: Final = r"k_[a-z][a-z0-9_]{0,36}"
_COLUMN: Final = r"[a-z][a-z0-9_]{0,39}"
_WORDS: Final = ("string", "bool", "int64", "timestamp[s]")
_WHOLE: Final = re.compile(r"[1-9][0-9]{0,11}")
_MOMENT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}( [0-9]{2}:[0-9]{2}:[0-9]{2})?")
_ONCE: Final = ("code", "prefix")
_BOOLS: Final = {"true": True, "false": False}
_MAX_CELL: Final = 200
_EXPECTED: Final = {
    "string": f"a text of at most {_MAX_CELL} signs that print",
    "bool": "true or false",
    "int64": "a whole number from 1 to 999999999999",
    "timestamp[s]": "a moment such as 2021-05-01 or 2021-05-01 08:00:00",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KnowledgeTable:
    """One knowledge table."""

    id: str
    name_zh: str
    columns: Mapping[str, str]
    """Type word by column, in order: the code, the others, ``begins_at``, ``ends_at``."""
    nullable: frozenset[str]
    source: str
    """Where rows come from, in words."""
    once: str | None = None
    """``code`` or ``prefix``, see above; None where a code may have several rows."""
    rows: tuple[Row, ...] = field(default=(), repr=False)
    """The shipped proposal."""


def parse_knowledge(document: Section, proposals: Mapping[str, bytes]) -> dict[str, KnowledgeTable]:
    """Read ``knowledge/tables.yaml`` and the proposals beside it.

    Args:
        document: The file's top mapping.
        proposals: Bytes of ``knowledge/<table>.csv`` by table.

    Returns:
        Tables by id.

    Raises:
        CatalogError: A key is missing, unknown or of the wrong form.
        RuleError: A column has an unknown type, a proposal is of no table or malformed.
    """
    document.refuse_unknown(("tables",))
    listed = document.section("tables")
    found: dict[str, KnowledgeTable] = {}
    for name in listed.values:
        listed.refuse_name_unless(name, _ID)
        found[name] = _parse_table(name, listed.section(name), proposals)
    for name in proposals:
        if name not in found:
            file = f"knowledge/{name}.csv"
            raise RuleError(file, 0, f"{FILE} declares no table {name}: declare or remove it")
    return found


def _parse_table(name: str, section: Section, proposals: Mapping[str, bytes]) -> KnowledgeTable:
    section.refuse_unknown(("name_zh", "columns", "source", "once"))
    listed = section.section("columns")
    columns: dict[str, str] = {}
    nullable: set[str] = set()
    for column in listed.values:
        listed.refuse_name_unless(column, _COLUMN)
        word, *flags = listed.texts(column) or ("",)
        if word not in _WORDS or not {*flags} <= {"nullable"} or column in DATES:
            problem = (
                f"{column}: expected one of {', '.join(_WORDS)}, nullable or not; begins_at and "
                "ends_at come by themselves"
            )
            raise RuleError(section.file, listed.line_of(column), problem)
        columns[column] = word
        nullable |= {column} if flags else set()
    if not columns or next(iter(columns)) != "code" or "code" in nullable:
        raise RuleError(section.file, section.line_of("columns"), "the first column is code")
    table = KnowledgeTable(
        id=name,
        name_zh=section.text("name_zh", max_chars=60),
        columns={**columns, **dict.fromkeys(DATES, "timestamp[s]")},
        nullable=frozenset((*nullable, "ends_at")),
        source=section.text("source", max_chars=200),
        once=section.choice("once", _ONCE) if "once" in section.values else None,
    )
    if name not in proposals:
        return table
    file = f"knowledge/{name}.csv"
    return replace(table, rows=read_rows(table, proposals[name], file))


def read_rows(table: KnowledgeTable, content: bytes, file: str) -> tuple[Row, ...]:
    """Read rows of a table from a CSV file, UTF-8; lines that begin with ``#`` are remarks.

    Args:
        table: The table.
        content: The file's bytes.
        file: Its name, for messages.

    Returns:
        One tuple per row, in the order of the table's columns.

    Raises:
        RuleError: The header or a cell is wrong, with its line.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RuleError(file, 0, "found bytes that are not UTF-8: save as UTF-8") from error
    header: list[str] | None = None
    rows: list[Row] = []
    for number, line in enumerate(io.StringIO(text), start=1):
        if line.startswith("#") or not line.strip():
            continue
        cells = next(csv.reader([line]))
        if header is None:
            header = cells
            if header != list(table.columns):
                problem = f"found columns {','.join(header)[:200]}, expected "
                raise RuleError(file, number, problem + ",".join(table.columns))
            continue
        if len(cells) != len(header) or len(rows) >= MAX_ROWS:
            problem = f"found {len(cells)} cells, expected {len(header)} in at most {MAX_ROWS} rows"
            raise RuleError(file, number, problem)
        given = zip(table.columns, cells, strict=True)
        rows.append(tuple(read_cell(table, name, cell, (file, number)) for name, cell in given))
    if header is None:
        raise RuleError(file, 0, f"found no header, expected {','.join(table.columns)}")
    return tuple(rows)


def read_cell(table: KnowledgeTable, column: str, text: str, place: tuple[str, int]) -> Cell:
    """Read one cell.

    Args:
        table: The table.
        column: One of its columns.
        text: The cell; empty for null.
        place: File and line, for messages.

    Raises:
        RuleError: The cell is empty where it must not be, or not of its column's type.
    """
    word = table.columns[column]
    if not text:
        if column in table.nullable:
            return None
        raise RuleError(*place, f"{column} is empty: fill it")
    if word == "string" and len(text) <= _MAX_CELL and text.isprintable():
        return text
    if word == "int64" and _WHOLE.fullmatch(text):
        return int(text)
    if word == "bool" and text in _BOOLS:
        return _BOOLS[text]
    if word == "timestamp[s]" and _MOMENT.fullmatch(text):
        try:
            return datetime.fromisoformat(text)
        except ValueError as error:
            raise RuleError(*place, f"{column}: {text} is not in the calendar") from error
    raise RuleError(*place, f"{column}: found {text[:40]!r}, expected {_EXPECTED[word]}")
