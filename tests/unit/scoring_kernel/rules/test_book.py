"""The packaged rule book: every statement binds in DuckDB, every relation is what it declares."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
import sqlglot

from node.domain.records import record_schemas
from scoring_kernel.catalog_loader import (
    catalog_digest,
    is_rule_file,
    load_catalog,
    parse_catalog,
    read_catalog_files,
)
from scoring_kernel.rules import RESULT_COLUMNS, load_rules, parse_rules
from scoring_kernel.rules.relations import AS_WRITTEN, OPENING, OPTIMISED
from scoring_kernel.rules.sql_subset import to_spark
from tests.support.rule_engine import empty_engine, open_engine
from tests.support.rule_facts import RuleFacts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import duckdb

    from scoring_kernel.rules import Rule

BOOK = load_rules()
TYPES = {
    "string": "VARCHAR",
    "bool": "BOOLEAN",
    "int8": "TINYINT",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "timestamp[s]": "TIMESTAMP_S",
    "date": "DATE",
}
MONTHS = (202602, 202603)


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    found = open_engine(BOOK, BOOK.runnable, RuleFacts())
    yield found
    found.close()


@pytest.mark.parametrize("rule", BOOK.runnable, ids=lambda rule: rule.id)
def test_a_statement_binds_on_empty_relations(
    rule: Rule, engine: duckdb.DuckDBPyConnection
) -> None:
    for statement in BOOK.statements(rule):
        described = engine.execute(f"describe {statement.sql}").fetchall()
        assert [row[0] for row in described] == [*RESULT_COLUMNS]
        types = [row[1] for row in described]
        assert types == [*["VARCHAR"] * 5, "TIMESTAMP", "VARCHAR", "VARCHAR", "INTEGER", "BIGINT"]
        assert engine.execute(statement.sql).fetchall() == []


@pytest.mark.parametrize("rule", BOOK.runnable, ids=lambda rule: rule.id)
def test_a_statement_is_said_in_spark(rule: Rule) -> None:
    said = to_spark(BOOK.statements(rule)[0].sql)
    assert "INT128" not in said
    found = sqlglot.parse_one(said, read="spark")
    assert isinstance(found, sqlglot.exp.Select)
    assert found.named_selects == [*RESULT_COLUMNS]


@pytest.mark.parametrize("name", BOOK.relations)
def test_a_relation_has_the_columns_that_it_declares(
    name: str, engine: duckdb.DuckDBPyConnection
) -> None:
    described = engine.execute(f"describe {name}").fetchall()
    found = {row[0]: row[1] for row in described}
    assert found == {one: TYPES[word] for one, word in BOOK.relations[name].columns.items()}


def test_relations_made_by_month_are_those_made_at_once() -> None:
    facts = RuleFacts.of(
        {
            "persons": {"P1": {"gender": "2", "born": "1980-01-01"}},
            "visits": {
                "V1": {"begins": "2026-02-27 09:00", "inpatient": True, "settled": "2026-03-04"},
                "V2": {"begins": "2026-03-02 09:00"},
            },
            "lines": [
                {"visit": "V1", "item": "XA", "amount": 3, "at": "2026-02-28"},
                {"visit": "V1", "item": "XA", "amount": 4, "at": "2026-03-01"},
                {"visit": "V1", "item": "XA", "amount": -1, "refund_of": "L2", "at": "2026-03-02"},
                {"visit": "V2", "item": "XB", "amount": 5},
            ],
        }
    )
    facts.settle()
    names = (*BOOK.relations,)
    at_once = open_engine(BOOK, BOOK.runnable, facts)
    by_month = empty_engine(BOOK, BOOK.runnable, facts)
    for sql in (*OPENING, AS_WRITTEN, *BOOK.prepare(months=MONTHS), OPTIMISED):
        by_month.execute(sql)
    for name in names:
        query = f"select * from {name} order by all"  # noqa: S608 - a name of the book
        assert by_month.execute(query).fetchall() == at_once.execute(query).fetchall(), name
    assert by_month.execute("select count(*) from line").fetchall() == [(3,)]
    assert sum("INSERT INTO line" in sql for sql in BOOK.prepare(months=MONTHS)) == len(MONTHS)
    at_once.close()
    by_month.close()


def test_only_what_rules_read_is_made() -> None:
    profile = [rule for rule in BOOK.runnable if rule.relations == ("profile",)]
    line = BOOK.rules["M01"]
    assert BOOK.prepare(profile) == ((BOOK.relations["profile"].statement,) if profile else ())
    made = [sql.split()[2] for sql in BOOK.prepare((line,))]
    assert made.index("claim_settlement") < made.index("visit") < made.index("line")
    assert "profile" not in made
    assert "fee_detail" in BOOK.kinds((line,))
    assert "stock_movement" not in BOOK.kinds((line,))
    assert BOOK.tables((line,)) == ("k_drug_gender",)
    assert "M01" in BOOK.readers("k_drug_gender")


def test_every_knowledge_table_serves_a_rule() -> None:
    assert [name for name in BOOK.knowledge if not BOOK.readers(name)] == []


def test_every_rule_that_needs_unpublished_knowledge_ships_a_proposal() -> None:
    national = {
        *("k_drug_gender", "k_item_gender", "k_drug_child", "k_item_child", "k_drug_insutype"),
        *("k_drug_hosplevel", "k_drug_setting", "k_drug_course", "k_item_mutex", "k_item_freq"),
        *("k_item_cycle", "k_item_course", "k_op_group"),
    }
    shipped = {name for name, table in BOOK.knowledge.items() if table.rows}
    assert national.isdisjoint(shipped)
    assert {name for name in BOOK.knowledge if name not in national} == shipped


def test_the_book_is_complete() -> None:
    expected = {f"M{number:02d}" for number in (*range(1, 43), *range(45, 49))}
    expected |= {f"W{number:02d}" for number in range(1, 12)}
    assert {*BOOK.rules} == expected
    assert {rule.id for rule in BOOK.rules.values() if rule.set == "core"} == {
        f"M{number:02d}" for number in range(1, 42)
    }


def test_the_packaged_book_is_read_once_and_named_by_its_files() -> None:
    files = {name: one for name, one in read_catalog_files().items() if is_rule_file(name)}
    assert load_rules() is BOOK
    assert load_rules(load_catalog()) is BOOK
    assert BOOK.digest == catalog_digest(files)
    assert BOOK.cited_sources <= load_catalog().legal_basis.keys()


def test_another_folder_is_read_instead(tmp_path: Path) -> None:
    files = {
        "knowledge/tables.yaml": b"tables: {}\n",
        "rules/relations/spent.yaml": (
            b"name: spent\nname_zh: x\nrelations: [fee_detail]\ncolumns: {mdtrt_id: [string]}\n"
            b"sql: SELECT mdtrt_id FROM fee_detail\n"
        ),
        "CHANGES.md": b"not of the book",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    book = load_rules(directory=tmp_path)
    assert [*book.relations] == ["spent"]
    assert book.digest != BOOK.digest
    assert book.prepare() == ()
    other = dataclasses.replace(load_catalog(), digest=bytes(32))
    assert [*load_rules(other, tmp_path).relations] == ["spent"]


def test_rules_belong_to_the_catalogues_digest_and_are_not_read_with_it() -> None:
    files = read_catalog_files()
    changed = parse_catalog(files | {"rules/M01.yaml": b"\xff no rule at all"})
    assert changed.digest != load_catalog().digest
    assert len(parse_rules({"knowledge/tables.yaml": b"tables: {}\n"}, changed).rules) == 0


def test_schemas_of_relations_agree_with_the_nodes() -> None:
    schemas = record_schemas(load_catalog().records)
    for kind in BOOK.kinds():
        assert isinstance(schemas[kind], pa.Schema)
