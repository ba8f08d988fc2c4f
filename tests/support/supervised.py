"""Measure sets of supervision over facts: run by DuckDB, or counted in a real node's store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import duckdb
import pyarrow as pa

from node.domain.records import record_schemas
from node.supervision.counting import CountReport, count_months
from node.supervision.hit_tables import hits_of
from node.supervision.month_inputs import classes_of
from scoring_kernel import load_catalog
from scoring_kernel.supervision.hit_relations import HIT_RELATIONS
from scoring_kernel.supervision.loading import load_supervision
from security.progress import no_progress
from tests.support.rule_facts import RuleFacts

if TYPE_CHECKING:
    from node.store import NodeStore
    from node.store.month_rows import MonthRows

__all__ = ["TODAY", "count", "kept_rows", "measured", "windowed"]

TODAY: Final = 202_612
"""Month of the tests: nothing after it is counted."""
_ARROW: Final = {"string": pa.string(), "int64": pa.int64(), "timestamp[s]": pa.timestamp("s")}

Key = tuple[str, ...]


def measured(
    facts: RuleFacts, name: str, month: int, hits: dict[str, list[dict[str, Any]]] | None = None
) -> dict[Key, dict[str, int]]:
    """Rows of a set and month, by the short names of its keys."""
    supervision = load_supervision()
    one = supervision.sets[name]
    schemas = record_schemas(load_catalog().records)
    engine = duckdb.connect(config={"threads": "1"})
    try:
        for kind in supervision.kinds([name]):
            rows = facts.records.get(kind, [])
            engine.register(kind, pa.Table.from_pylist(rows, schemas[kind]))
        for relation, columns in HIT_RELATIONS.items():
            schema = pa.schema([(column, _ARROW[word]) for column, word in columns.items()])
            rows = (hits or {}).get(relation, [])
            engine.register(relation, pa.Table.from_pylist(rows, schema))
        for statement in supervision.prepare([name]):
            engine.execute(statement)
        found = engine.execute(one.sql_of(month)).fetchall()
    finally:
        engine.close()
    size = len(one.keys)
    names = [measure.id for measure in one.measures]
    told = {
        tuple(facts.names.get(key, key) for key in row[:size]): dict(
            zip(names, row[size:], strict=True)
        )
        for row in found
    }
    assert len(told) == len(found), "two rows of one key"
    return told


def count(store: NodeStore, kept: MonthRows, *, today: int = TODAY, frozen: int = 0) -> CountReport:
    """Bring a node's measures up to date."""
    return count_months(
        store,
        kept,
        load_supervision(),
        load_catalog().records,
        hits_of(store.supervision),
        this_month=today,
        frozen=frozen,
        progress=no_progress,
    )


def kept_rows(kept: MonthRows, name: str, month: int) -> list[dict[str, Any]]:
    """Rows that are kept of a set and month."""
    return [row for one in kept.read({name}, {month}) for row in one.rows.to_pylist()]


def windowed(facts: RuleFacts, name: str, month: int) -> RuleFacts:
    """Of some facts what a set may read of a month, as ``supervision.sets`` says it."""
    supervision = load_supervision()
    one = supervision.sets[name]
    at = month // 100 * 12 + month % 100 - 1
    window = {
        each // 12 * 100 + each % 12 + 1 for each in range(at - one.before, at + one.after + 1)
    }
    classes = classes_of(supervision.kinds(supervision.sets), load_catalog().records)
    touched = {
        (row["institution"], row["mdtrt_id"])
        for kind in classes.visits
        for row in facts.records.get(kind, ())
        if row["month"] in window
    }
    found = RuleFacts(names=facts.names)
    paid = {
        (row["institution"], row["setl_id"])
        for row in facts.records.get("settlement", ())
        if (row["institution"], row["mdtrt_id"]) in touched
    }
    for kind, rows in facts.records.items():
        if kind in classes.visits:
            held = [
                row
                for row in rows
                if (row["institution"], row["mdtrt_id"]) in touched
                or (kind == "settlement" and (row["institution"], row["setl_id"]) in paid)
            ]
        elif kind in classes.dated:
            held = [row for row in rows if row["month"] in window]
        else:
            held = rows
        found.records[kind] = held
    return found
