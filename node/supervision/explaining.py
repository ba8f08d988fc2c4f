"""Why there is a hit (命中说明): the rule, what was in force on the day, what the hit rests on.

Rules:
- What is told of parameters and knowledge is what held on the day of the hit, under the rule book
  of this release; where the hit was found under another version, that is said.
- Persons and staff are masked; whoever reveals them is noted by the caller before.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

from node.domain.masking import mask
from node.domain.record_words import name_of, told_value
from node.domain.rule_hits import Evidence, HitBody
from node.store.hits import HitRow
from node.store.knowledge import KnowledgeVersion
from node.supervision.evidence import RecordRelations, Values, described, found_records, written
from node.supervision.knowledge import KnowledgeSource, import_of, rows_in_force
from scoring_kernel import Catalog
from scoring_kernel.rules import VIOLATING, ParameterVersion, Rule, RuleBook
from scoring_kernel.rules.knowledge import DATES, KnowledgeTable, Row

__all__ = ["explain_hit"]

MAX_RECORDS: Final = 100
"""Most records that are laid out."""
MAX_KNOWLEDGE: Final = 20
"""Most rows of knowledge."""

_CODE_CHARS: Final = 8
_PURE: Final = "1"
"""Unit of pure numbers."""

Shown = dict[str, Any]


class HitKeeper(KnowledgeSource, Protocol):
    """Where hits and knowledge are kept."""

    def body(self, hit: bytes) -> HitBody:
        """Open the body of a hit."""


def explain_hit(
    records: RecordRelations,
    keeper: HitKeeper,
    book: RuleBook,
    catalog: Catalog,
    hit: HitRow,
    *,
    revealed: bool = False,
) -> Shown:
    """Explain a hit.

    Args:
        records: The node's records.
        keeper: Hits and imported knowledge.
        book: The rule book.
        catalog: Sources, units and record kinds.
        hit: The hit.
        revealed: Persons and staff are shown too.

    Returns:
        A JSON object: the hit, rule, parameters, knowledge and evidence.

    Raises:
        StoreError: The hit's body is of another release.
        VaultError: It was changed.
    """
    body = keeper.body(hit.id)
    rule = book.rules.get(hit.rule)
    at = datetime.fromisoformat(hit.at)
    listed = body.evidence[:MAX_RECORDS]
    found = found_records(records, listed)

    def person(values: Iterable[str]) -> list[str]:
        return [one if revealed else mask(one) for one in values]

    return {
        "id": hit.id.hex(),
        "rule": hit.rule,
        "institution": hit.institution,
        "at": hit.at,
        "amount_fen": hit.amount_fen,
        "verdict": hit.verdict,
        "version": hit.version,
        "first_run": hit.first_run,
        "last_run": hit.last_run,
        "gone_run": hit.gone_run,
        "says": None if rule is None else _says(rule),
        "basis": None if rule is None else _source(catalog, rule.basis),
        "parameters": [] if rule is None else _parameters(rule, catalog, at),
        "knowledge": _knowledge(
            [] if rule is None else [book.knowledge[name] for name in rule.knowledge],
            keeper,
            catalog,
            _codes(found, body),
            at,
        ),
        "persons": person(body.persons),
        "staff": person(body.staff),
        "visits": list(body.visits),
        "keys": list(body.keys),
        "records": body.records,
        "evidence": [
            _evidence(one, found.get((one.kind, one.record_id), ()), catalog, revealed=revealed)
            for one in listed
        ],
    }


def _evidence(one: Evidence, rows: Sequence[Values], catalog: Catalog, *, revealed: bool) -> Shown:
    """Lay one record out: its values by column, and the same in words."""
    values = [described(row, catalog.records[one.kind], revealed=revealed) for row in rows]
    return {
        "kind": one.kind,
        "kind_zh": catalog.records[one.kind].name_zh if one.kind in catalog.records else "",
        "violates": one.role == VIOLATING,
        "at": one.at.isoformat(),
        "amount_fen": one.amount_fen,
        "record": one.record_id,
        "values": values,
        "values_zh": [
            {
                name_of(one.kind, name): told_value(one.kind, name, value, catalog.code_tables)
                for name, value in row.items()
            }
            for row in values
        ],
    }


def _says(rule: Rule) -> Shown:
    return {
        "name_zh": rule.name_zh,
        "name_en": rule.name_en,
        "class": rule.rule_class,
        "severity": rule.severity,
        "unit": rule.unit,
        "amount": rule.amount,
        "exemptions": list(rule.exemptions),
        "note": "".join((rule.note or "").split("\n")),
    }


def _source(catalog: Catalog, key: str) -> Shown:
    source = catalog.legal_basis[key]
    return {
        "key": key,
        "title": source.title,
        "number": source.number,
        "article": source.article,
        "checked_on": None if source.checked_on is None else source.checked_on.isoformat(),
    }


def _parameters(rule: Rule, catalog: Catalog, at: datetime) -> list[Shown]:
    held = rule.find_parameters(at.date()) or {}
    return [
        {
            "name": name,
            "name_zh": rule.parameters[name].name_zh,
            "value": _value(version),
            "unit_zh": _unit(rule, name, version, catalog),
            "begins": version.begins.isoformat(),
            "basis": _source(catalog, version.basis),
        }
        for name, version in held.items()
    ]


def _unit(rule: Rule, name: str, version: ParameterVersion, catalog: Catalog) -> str:
    unit = rule.parameters[name].unit
    pure = isinstance(version.value, tuple) or unit == _PURE
    return "" if pure else catalog.units[unit].name_zh


def _value(version: ParameterVersion) -> str:
    value = version.value
    if isinstance(value, tuple):
        return "、".join(value)
    return str(value) if value is None or isinstance(value, int) else f"{float(value):g}"


def _codes(found: Mapping[tuple[str, str], list[Values]], body: HitBody) -> set[str]:
    """Texts of the records that a hit rests on."""
    values = (value for rows in found.values() for row in rows for value in row.values())
    return {value for value in values if isinstance(value, str)} | {*body.keys}


def _knowledge(
    tables: Sequence[KnowledgeTable],
    keeper: HitKeeper,
    catalog: Catalog,
    codes: Collection[str],
    at: datetime,
) -> list[Shown]:
    """Rows in force on the day of the hit that share a code with what it rests on."""
    rows = rows_in_force(tables, keeper)
    about = [
        (table, row)
        for table in tables
        for row in rows[table.id]
        if _is_about(table, row, codes, at)
    ]
    versions = keeper.knowledge_versions()
    return [_known(table, row, versions, catalog) for table, row in about[:MAX_KNOWLEDGE]]


def _known(
    table: KnowledgeTable, row: Row, versions: Sequence[KnowledgeVersion], catalog: Catalog
) -> Shown:
    """Lay one row of knowledge out: its values by column, the same in words, whence it came."""
    cells = {
        name: _cell(value)
        for name, value in zip(table.columns, row, strict=True)
        if value is not None
    }
    texts = dict(written(name, value) for name, value in cells.items())
    imported = import_of(table, row, versions)
    return {
        "table": table.id,
        "name_zh": table.name_zh,
        "source": table.source
        if imported is None
        else f"导入：{imported.source}，自 {imported.begins_on} 起",
        "row": cells,
        "row_zh": {
            name_of(table.id, name): told_value(table.id, name, text, catalog.code_tables)
            for name, text in texts.items()
        },
    }


def _is_about(table: KnowledgeTable, row: Row, codes: Collection[str], at: datetime) -> bool:
    begins, ends = row[-2:]
    if isinstance(begins, datetime) and begins > at:
        return False
    if isinstance(ends, datetime) and ends <= at:
        return False
    named = list(table.columns).index(DATES[0])
    # Short values are words of the table, not codes of what the hit rests on.
    return row[0] in codes or any(
        isinstance(value, str) and len(value) >= _CODE_CHARS and value in codes
        for value in row[1:named]
    )


def _cell(value: object) -> object:
    return value.date().isoformat() if isinstance(value, datetime) else value
