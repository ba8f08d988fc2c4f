"""Kinds of record a node keeps: the relations that measure SQL reads.

Rules:
- A kind's columns are data (``catalog/records.yaml``); the node maps the type words
  to Arrow, the kernel knows only the words.
- ``month`` of a record is the month, Asia/Shanghai, of the kind's own day.
- Personal columns are named: they never enter a message, a log line or a statement.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from scoring_kernel.yaml_section import Section

COLUMN_TYPES: Final = ("string", "bool", "int8", "int32", "int64", "timestamp[s]")
"""Words for column types; ``timestamp[s]`` is wall clock, Asia/Shanghai."""

MAX_KINDS: Final = 32
MAX_COLUMNS: Final = 64

_FLAGS: Final = frozenset(("nullable", "personal"))
_ID: Final = r"[a-z][a-z0-9_]{0,39}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordKind:
    """One kind of record (记录), for example settlement (结算)."""

    id: str
    """Name of the kind and of its relation in measure SQL."""
    name_zh: str
    stored: str
    """``segment`` (Parquet segments) or ``ledger`` (rows of the node's message ledger)."""
    day: str
    """What the record's month is the month of."""
    schema: tuple[tuple[str, str], ...]
    """(column, type word) in order."""
    nullable: frozenset[str]
    """Columns that may be null."""
    personal: frozenset[str]
    """Columns with personal data."""


def parse_record_kinds(document: Section) -> dict[str, RecordKind]:
    """Read ``records.yaml``.

    Args:
        document: The file's top mapping: one mapping per kind under ``kinds``.

    Returns:
        Kinds by id, in the order of the file.

    Raises:
        CatalogError: A key is missing, unknown or of the wrong form.
    """
    document.refuse_unknown(("kinds",))
    kinds = document.section("kinds")
    if len(kinds.values) > MAX_KINDS:
        raise kinds.error(f"found {len(kinds.values)} kinds, expected at most {MAX_KINDS}")
    return {key: _parse_kind(key, kinds) for key in kinds.values}


def _parse_kind(key: str, kinds: Section) -> RecordKind:
    kinds.refuse_name_unless(key, _ID)
    section = kinds.section(key)
    section.refuse_unknown(("name_zh", "stored", "day", "columns"))
    columns = section.section("columns")
    if len(columns.values) > MAX_COLUMNS:
        raise section.error(f"more than {MAX_COLUMNS} columns: split the kind", "columns")
    schema: list[tuple[str, str]] = []
    nullable: set[str] = set()
    personal: set[str] = set()
    for name in columns.values:
        columns.refuse_name_unless(name, _ID)
        word, *flags = columns.texts(name) or ("",)
        if word not in COLUMN_TYPES:
            expected = ", ".join(COLUMN_TYPES)
            raise columns.error(f"{name}: found type {word!r}, expected one of {expected}", name)
        for flag in flags:
            if flag not in _FLAGS:
                problem = f"{name}: found flag {flag!r}, expected nullable or personal"
                raise columns.error(problem, name)
        schema.append((name, word))
        nullable.update({name} if "nullable" in flags else ())
        personal.update({name} if "personal" in flags else ())
    for needed, word in (("institution", "string"), ("month", "int32")):
        if (needed, word) not in schema:
            raise section.error(f"column {needed} of type {word} is missing: add it", "columns")
    return RecordKind(
        id=key,
        name_zh=section.text("name_zh", max_chars=40),
        stored=section.choice("stored", ("segment", "ledger")),
        day=section.text("day", max_chars=80),
        schema=tuple(schema),
        nullable=frozenset(nullable),
        personal=frozenset(personal),
    )
