"""What the tree commits a node to: versions by leaf, months as of a size, every leaf accounted."""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from node.store import Commit, NodeStore
from node.store.committed import Committed
from scoring_kernel import load_catalog
from tests.support import node_messages as m

DAY = datetime(2026, 7, 2, 4, tzinfo=UTC)
RAW = [load_catalog().records["raw"]]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[NodeStore]:
    with m.open_store(tmp_path / "node") as opened:
        yield opened


def keep(store: NodeStore, *ids: str, body: str = "{}", month: int = 202607) -> None:
    size = len(ids)
    table = pa.table(
        {
            "record_id": list(ids),
            "institution": [m.HOSPITAL] * size,
            "month": [month] * size,
            "infno": ["1101"] * size,
            "body": [body] * size,
        },
        schema=store.schemas["raw"],
    )
    store.commit(Commit(records={"raw": table}))


def standing(opened: Committed, size: int) -> list[tuple[str, str]]:
    rows = opened.stand_as_of(size).execute("select record_id, body from raw order by record_id")
    return [(row[0], row[1]) for row in rows.fetchall()]


@pytest.mark.parametrize("flushes", [(), (1,), (1, 2), (0, 1, 2)])
def test_a_month_is_seen_as_it_was_when_the_tree_had_a_size(
    store: NodeStore, flushes: tuple[int, ...]
) -> None:
    for step, (ids, body) in enumerate(((("a", "b"), "1"), (("a",), "2"), (("a", "c"), "3"))):
        keep(store, *ids, body=body)
        if step in flushes:
            store.flush()
    with store.record_ledger.committed(RAW) as opened:
        assert opened.size == 5
        assert standing(opened, 2) == [("a", "1"), ("b", "1")]
        assert standing(opened, 3) == [("a", "2"), ("b", "1")]
        assert standing(opened, 5) == [("a", "3"), ("b", "1"), ("c", "3")]
        assert standing(opened, 0) == []


def test_a_record_that_moved_to_another_month_stands_once(store: NodeStore) -> None:
    keep(store, "a", month=202606)
    keep(store, "a", month=202607, body="2")
    store.flush()
    with store.record_ledger.committed(RAW) as opened:
        assert standing(opened, 1) == [("a", "{}")]
        assert standing(opened, 2) == [("a", "2")]


@pytest.mark.parametrize("flushed", [False, True])
def test_every_leaf_is_accounted_for(store: NodeStore, *, flushed: bool) -> None:
    keep(store, "a", "b", "c")
    keep(store, "b", body="2")
    keep(store, "old", month=202001)
    keep(store, "old", month=202001, body="2")
    if flushed:
        store.flush()
    keep(store, "d")
    store.drop_months("raw", [202001])
    with store.record_ledger.committed(RAW) as opened:
        found = opened.accounts(6)
    assert (found.standing, found.replaced, found.missing, found.forgotten) == (3, 1, 2, 2)
    assert (found.doubled, found.later, found.unexplained) == (0, 1, 0)


def test_a_record_taken_out_behind_the_stores_back_is_missing(
    store: NodeStore, tmp_path: Path
) -> None:
    keep(store, "a")
    keep(store, "b", month=202606)
    with sqlite3.connect(tmp_path / "node" / "node.db") as database:
        database.execute("delete from staged where month = 202606")
    with store.record_ledger.committed(RAW) as opened:
        found = opened.accounts(2)
    assert (found.standing, found.missing, found.unexplained) == (1, 1, 1)


def test_a_leaf_leads_to_its_version_and_the_one_after_it(store: NodeStore) -> None:
    keep(store, "a", "b")
    keep(store, "a", body="2")
    store.flush()
    keep(store, "a", body="3")
    with store.record_ledger.committed(RAW) as opened:
        found = opened.find([0, 1, 2, 3, 9])
        assert {seq: one.record["body"] for seq, one in found.items()} == {
            0: "{}",
            1: "{}",
            2: "2",
            3: "3",
        }
        assert {seq: one.successor for seq, one in found.items()} == {0: 2, 1: None, 2: 3, 3: None}
        proof = store.record_ledger.prove_version(found[0], 4)
    assert (proof.seq, proof.size) == (0, 4)
