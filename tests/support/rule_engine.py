"""Rules run over facts: DuckDB with the relations made, and the hits gathered by short names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import duckdb
import pyarrow as pa

from node.domain.records import record_schemas
from scoring_kernel.catalog_loader import load_catalog
from scoring_kernel.rules import VIOLATING, load_rules
from scoring_kernel.rules.knowledge import DATES
from tests.support.rule_facts import EVER, moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from scoring_kernel.rules import KnowledgeTable, Rule, RuleBook
    from tests.support.rule_facts import Facts, RuleFacts

__all__ = ["FoundHit", "empty_engine", "find_all_hits", "find_hits", "open_engine"]

ENGINE: Final = {
    "enable_external_access": "false",
    "autoload_known_extensions": "false",
    "autoinstall_known_extensions": "false",
    "temp_directory": "",
    "threads": "1",
}
_ARROW: Final = {
    "string": pa.string(),
    "bool": pa.bool_(),
    "int64": pa.int64(),
    "timestamp[s]": pa.timestamp("s"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundHit:
    """One hit, in the short names of the case."""

    institution: str
    person: str | None
    visit: str | None
    staff: frozenset[str]
    key: str | None
    at: datetime
    amount_fen: int
    evidence: frozenset[tuple[str, str, int]]
    """(kind, record id, role)."""


def open_engine(
    book: RuleBook, rules: Sequence[Rule], facts: RuleFacts
) -> duckdb.DuckDBPyConnection:
    """Open DuckDB over the facts, with what the rules read made; the caller closes it."""
    engine = empty_engine(book, rules, facts)
    for made in book.prepare(rules):
        engine.execute(made)
    return engine


def empty_engine(
    book: RuleBook, rules: Sequence[Rule], facts: RuleFacts
) -> duckdb.DuckDBPyConnection:
    """Open DuckDB over the facts, no relation made; the caller closes it."""
    engine = duckdb.connect(config=dict(ENGINE))
    schemas = record_schemas(load_catalog().records)
    for kind in book.kinds(rules):
        engine.register(kind, pa.Table.from_pylist(facts.records.get(kind, []), schemas[kind]))
    for name in book.tables(rules):
        table = book.knowledge[name]
        if name in facts.knowledge:
            rows = [_known(row, table) for row in facts.knowledge[name]]
            engine.register(name, pa.Table.from_pylist(rows, _schema(table)))
        else:
            engine.register(name, _content(table))
    return engine


_CONTENTS: Final[dict[int, tuple[KnowledgeTable, pa.Table]]] = {}
"""Tables that were made, by identity of what they were made of, which is kept alive with them."""


def _content(table: KnowledgeTable) -> pa.Table:
    if id(table) not in _CONTENTS:
        rows: list[Facts] = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
        _CONTENTS[id(table)] = table, pa.Table.from_pylist(rows, _schema(table))
    return _CONTENTS[id(table)][1]


def _schema(table: KnowledgeTable) -> pa.Schema:
    return pa.schema([(column, _ARROW[word]) for column, word in table.columns.items()])


def _known(row: Facts, table: KnowledgeTable) -> Facts:
    if unknown := row.keys() - table.columns.keys():
        raise AssertionError(f"{table.id}: unknown column {sorted(unknown)}")
    found: Facts = {"begins_at": EVER, **row}
    return found | {name: moment(found[name]) for name in DATES if found.get(name) is not None}


def find_hits(rule: str, facts: RuleFacts) -> list[FoundHit]:
    """Run one rule over facts and gather its hits, in order of their moments."""
    book = load_rules()
    one = book.rules[rule]
    facts.settle()
    engine = open_engine(book, (one,), facts)
    try:
        rows = [
            row
            for statement in book.statements(one)
            for row in engine.execute(statement.sql).fetchall()
        ]
    finally:
        engine.close()
    return sorted(_gathered(one, rows, facts), key=lambda hit: (hit.at, hit.key or ""))


def find_all_hits(
    book: RuleBook, rules: Sequence[str], facts: RuleFacts
) -> dict[str, list[FoundHit]]:
    """Run some rules over the same facts, in one engine."""
    chosen = [book.rules[name] for name in rules]
    facts.settle()
    engine = open_engine(book, chosen, facts)
    try:
        rows = {
            one.id: [
                row
                for statement in book.statements(one)
                for row in engine.execute(statement.sql).fetchall()
            ]
            for one in chosen
        }
    finally:
        engine.close()
    return {one.id: _gathered(one, rows[one.id], facts) for one in chosen}


def _gathered(rule: Rule, rows: Iterable[tuple[Any, ...]], facts: RuleFacts) -> list[FoundHit]:
    named = ("institution", "person", "mdtrt_id", "staff", "key")
    groups: dict[tuple[Any, ...], list[tuple[Any, ...]]] = {}
    for row in rows:
        groups.setdefault(tuple(row[named.index(one)] for one in rule.hit), []).append(row)

    def short(values: Iterable[str | None]) -> str | None:
        found = {one for one in values if one is not None}
        code = found.pop() if len(found) == 1 else None
        return None if code is None else facts.names.get(code, code)

    return [
        FoundHit(
            institution=short(row[0] for row in group) or "",
            person=short(row[1] for row in group),
            visit=short(row[2] for row in group),
            staff=frozenset(facts.names.get(row[3], row[3]) for row in group if row[3]),
            key=short(row[4] for row in group),
            at=min(row[5] for row in group if row[8] == VIOLATING),
            amount_fen=sum(row[9] for row in group),
            evidence=frozenset((row[6], row[7], row[8]) for row in group),
        )
        for group in groups.values()
    ]
