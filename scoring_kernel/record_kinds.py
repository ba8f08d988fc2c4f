"""Kinds of record a node keeps: the relations that measure SQL reads.

Rules:
- A kind's columns are data (``catalog/records.yaml``); the node maps the type words
  to Arrow, the kernel knows only the words.
- ``month`` of a record is the month, Asia/Shanghai, of the kind's own day.
- A record is known by its primary key: same values change nothing, other values are a
  new version. A cancellation can free a key: what comes under it later is new.
- Retention is counted from the last day of the record's month; where no law sets a
  term, the basis is a proposal and says so.
- What stands in a register until something else is stated belongs to the month of its intake:
  it is read whole, and stating it anew keeps it.
- Personal columns are named: they never enter a message, a log line or a statement.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from scoring_kernel.yaml_section import Section

COLUMN_TYPES: Final = ("string", "bool", "int8", "int32", "int64", "timestamp[s]")
"""Words for column types; ``timestamp[s]`` is wall clock, Asia/Shanghai."""

INTAKE: Final = "intake"
"""Day of a kind whose records belong to the month they are taken in: registers."""

MAX_KINDS: Final = 64
MAX_COLUMNS: Final = 64

MAX_RETENTION_YEARS: Final = 100
MAX_FRESHNESS_DAYS: Final = 366

_FLAGS: Final = frozenset(("nullable", "personal"))
_DEFAULT_KEY: Final = ("record_id",)
_ID: Final = r"[a-z][a-z0-9_]{0,39}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopening:
    """Records that free a key: a later record under it is new, even with equal values."""

    kind: str
    """Kind of the records that free keys."""
    what: str
    """Their value in the column ``what``."""


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
    primary_key: tuple[str, ...]
    """Columns that identify a record; none of them is nullable."""
    reopened_by: Reopening | None
    """What frees a key of this kind; None where nothing does."""
    retention_years: int
    """Full years a record is kept after the last day of its month."""
    retention_basis: str
    """Key of ``legal_basis.yaml`` for the term."""
    freshness_days: int | None
    """Days after its day by which a record should be here; None where none is owed."""


def parse_record_kinds(document: Section, legal_basis: Collection[str]) -> dict[str, RecordKind]:
    """Read ``records.yaml``.

    Args:
        document: The file's top mapping: one mapping per kind under ``kinds``.
        legal_basis: Known keys of ``legal_basis.yaml``.

    Returns:
        Kinds by id, in the order of the file.

    Raises:
        CatalogError: A key is missing, unknown or of the wrong form, a primary key names
            no column or one that may be null, or what frees a key is no record.
    """
    document.refuse_unknown(("kinds",))
    kinds = document.section("kinds")
    if len(kinds.values) > MAX_KINDS:
        raise kinds.error(f"found {len(kinds.values)} kinds, expected at most {MAX_KINDS}")
    found = {key: _parse_kind(key, kinds, legal_basis) for key in kinds.values}
    for key, kind in found.items():
        freeing = kind.reopened_by
        if freeing is not None and ("what", "string") not in _schema_of(found, freeing.kind):
            problem = f"reopened_by: {freeing.kind!r} is no kind with a column what: name one"
            raise kinds.section(key).error(problem, "reopened_by")
    return found


def _schema_of(found: Mapping[str, RecordKind], key: str) -> tuple[tuple[str, str], ...]:
    return found[key].schema if key in found else ()


def _parse_kind(key: str, kinds: Section, legal_basis: Collection[str]) -> RecordKind:
    kinds.refuse_name_unless(key, _ID)
    section = kinds.section(key)
    section.refuse_unknown(
        (
            *("name_zh", "stored", "day", "columns", "primary_key", "reopened_by"),
            *("retention", "freshness_days"),
        )
    )
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
    retention = section.section("retention")
    retention.refuse_unknown(("years", "basis"))
    return RecordKind(
        id=key,
        name_zh=section.text("name_zh", max_chars=40),
        stored=section.choice("stored", ("segment", "ledger")),
        day=section.text("day", max_chars=80),
        schema=tuple(schema),
        nullable=frozenset(nullable),
        personal=frozenset(personal),
        primary_key=_parse_key(section, {name for name, _ in schema} - nullable),
        reopened_by=_parse_reopening(section),
        retention_years=retention.integer("years", least=1, most=MAX_RETENTION_YEARS),
        retention_basis=retention.choice("basis", legal_basis),
        freshness_days=(
            section.integer("freshness_days", least=0, most=MAX_FRESHNESS_DAYS)
            if "freshness_days" in section.values
            else None
        ),
    )


def _parse_key(section: Section, possible: Collection[str]) -> tuple[str, ...]:
    given = "primary_key" in section.values
    names = section.texts("primary_key") if given else _DEFAULT_KEY
    for name in names:
        if name not in possible:
            problem = f"primary_key: {name!r} is no column of the kind, or may be null"
            raise section.error(problem, "primary_key")
    if not names or len(set(names)) != len(names):
        problem = "primary_key: expected one or more columns, each once"
        raise section.error(problem, "primary_key")
    return names


def _parse_reopening(section: Section) -> Reopening | None:
    found = section.find_section("reopened_by")
    if found is None:
        return None
    found.refuse_unknown(("kind", "what"))
    return Reopening(kind=found.text("kind", pattern=_ID), what=found.text("what", pattern=_ID))
