"""Derived relations (派生关系): what rules read, made once from the records of a node.

Rules:
- One file of ``rules/relations/`` each, named after the relation: the relations it reads, its
  columns with their types, its SQL in the subset. The SQL returns exactly these columns.
- A relation reads record kinds and other derived relations, never in a circle.
- ``order`` is the order in which they are made; only what is asked for, and what that reads.
- How an engine makes them at millions of lines: in a database of its own that compresses
  (``OPENING``), with joins as they are written (``AS_WRITTEN``: the larger side stands first, and
  a scan of records tells the optimiser nothing about its size), a large relation month by
  month, each part compressed by a checkpoint. Rules then run with the optimiser (``OPTIMISED``):
  relations that were made have statistics.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from scoring_kernel.errors import RuleError
from scoring_kernel.record_kinds import COLUMN_TYPES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from scoring_kernel.record_kinds import RecordKind
    from scoring_kernel.yaml_section import Section

OPENING: Final = ("ATTACH ':memory:' AS made (COMPRESS)", "USE made")
"""Statements that open the database of the relations, before any is made."""
AS_WRITTEN: Final = "SET disabled_optimizers = 'join_order,build_side_probe_side'"
"""Before relations are made; an engine whose configuration is locked takes it when it is opened."""
OPTIMISED: Final = "SET disabled_optimizers = ''"
"""Before rules run."""
CHECKPOINT: Final = "CHECKPOINT"
"""Compresses what was made."""

WORDS: Final = (*COLUMN_TYPES, "date")
"""Words for the types of a relation's columns."""
MAX_COLUMNS: Final = 64

_ID: Final = r"[a-z][a-z0-9_]{0,39}"
_FLAGS: Final = frozenset(("nullable", "personal"))
_KEPT: Final = ("table", "view")


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """One derived relation."""

    name: str
    name_zh: str
    reads: tuple[str, ...]
    """Record kinds and derived relations."""
    columns: Mapping[str, str]
    """Type word by column, in order."""
    nullable: frozenset[str]
    personal: frozenset[str]
    kept: str
    """``table`` where it is made once, ``view`` where every reader computes what it needs."""
    by_month: bool
    """Whether it can be made month by month."""
    sql: str = field(repr=False)
    sql_line: int
    note: str | None = field(default=None, repr=False)

    @property
    def statement(self) -> str:
        """The statement that makes it at once."""
        return f"CREATE {self.kept.upper()} {self.name} AS\n{self.sql.rstrip()}"

    def statements(self, months: Iterable[int] = ()) -> tuple[str, ...]:
        """Statements that make it, in parts and compressed where months are given.

        Args:
            months: Months (yyyymm) of the records; none to make it at once.

        Returns:
            Statements in order.
        """
        parts = tuple(months)
        if not parts or self.kept == "view":
            return (self.statement,)
        if not self.by_month:
            return (self.statement, CHECKPOINT)
        columns = ", ".join(self.columns)
        part = f"SELECT {columns} FROM (\n{self.sql.rstrip()}\n) AS part"  # noqa: S608 - SQL of the catalogue
        made = [f"CREATE TABLE {self.name} AS\n{part}\nWHERE FALSE"]
        for month in parts:
            filled = f"INSERT INTO {self.name}\n{part}\nWHERE month = {month:d}"
            made += [filled, CHECKPOINT]
        return tuple(made)


def parse_relation(document: Section) -> Relation:
    """Read one file of ``rules/relations/``; its SQL is checked by ``sql_checks``.

    Raises:
        CatalogError: A key is missing, unknown or of the wrong form.
        RuleError: A column has an unknown type or flag.
    """
    document.refuse_unknown(
        ("name", "name_zh", "relations", "columns", "kept", "parts", "sql", "note")
    )
    listed = document.section("columns")
    if not 1 <= len(listed.values) <= MAX_COLUMNS:
        raise _error(document, f"expected 1 to {MAX_COLUMNS} columns", "columns")
    columns: dict[str, str] = {}
    flagged: dict[str, set[str]] = {flag: set() for flag in _FLAGS}
    for name in listed.values:
        listed.refuse_name_unless(name, _ID)
        word, *flags = listed.texts(name) or ("",)
        if word not in WORDS:
            problem = f"{name}: found type {word!r}, expected one of {', '.join(WORDS)}"
            raise _error(listed, problem, name)
        for flag in flags:
            if flag not in _FLAGS:
                problem = f"{name}: found flag {flag!r}, expected nullable or personal"
                raise _error(listed, problem, name)
            flagged[flag].add(name)
        columns[name] = word
    return Relation(
        name=document.text("name", pattern=_ID),
        name_zh=document.text("name_zh", max_chars=60),
        reads=document.texts("relations", pattern=_ID),
        columns=columns,
        nullable=frozenset(flagged["nullable"]),
        personal=frozenset(flagged["personal"]),
        kept=document.choice("kept", _KEPT) if "kept" in document.values else "table",
        by_month=_parse_parts(document, columns),
        sql=document.text("sql"),
        sql_line=document.line_of("sql") + 1,
        note=document.find_text("note"),
    )


def _parse_parts(document: Section, columns: Mapping[str, str]) -> bool:
    if "parts" not in document.values:
        return False
    document.choice("parts", ("month",))
    if columns.get("month") != "int32" or document.values.get("kept") == "view":
        problem = "parts: month is for a table with a column month of type int32"
        raise _error(document, problem, "parts")
    return True


def columns_by_relation(
    relations: Mapping[str, Relation], files: Mapping[str, str], kinds: Mapping[str, RecordKind]
) -> dict[str, dict[str, str]]:
    """Name the columns of all that a rule may read.

    Args:
        relations: Derived relations by name.
        files: File of each, for messages.
        kinds: Record kinds.

    Returns:
        Type words by column of every relation: record kinds, then derived relations.

    Raises:
        RuleError: A relation has the name of a record kind.
    """
    columns = {kind.id: dict(kind.schema) for kind in kinds.values() if kind.stored == "segment"}
    for name, relation in relations.items():
        if name in columns:
            raise RuleError(files[name], 0, f"{name} is a record kind: name the relation otherwise")
        columns[name] = dict(relation.columns)
    return columns


def order(
    relations: Mapping[str, Relation], wanted: Iterable[str], files: Mapping[str, str]
) -> tuple[str, ...]:
    """Names of wanted relations and of what they read, each after what it reads.

    Names that are no derived relation are left out: they are record kinds.

    Raises:
        RuleError: Relations read each other in a circle.
    """
    found: list[str] = []
    open_: list[str] = []

    def visit(name: str) -> None:
        if name in found or name not in relations:
            return
        if name in open_:
            circle = " reads ".join((*open_[open_.index(name) :], name))
            raise RuleError(files.get(name, name), 0, f"{circle}: cut the circle")
        open_.append(name)
        for one in relations[name].reads:
            visit(one)
        open_.pop()
        found.append(name)

    for name in wanted:
        visit(name)
    return tuple(found)


def refuse_unknown_reads(
    names: Iterable[str], known: Collection[str], section: Section, key: str
) -> None:
    """Refuse relations that nobody makes.

    Raises:
        RuleError: A name is neither a record kind nor a derived relation.
    """
    for name in names:
        if name not in known:
            expected = ", ".join(sorted(known))
            raise _error(section, f"{key}: found {name!r}, expected one of {expected}", key)


def _error(section: Section, problem: str, key: str | None = None) -> RuleError:
    return RuleError(section.file, section.line_of(key), problem)
