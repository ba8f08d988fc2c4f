"""An inspector's view: a record is proved, by its values, to have been stored on its day."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from node.errors import StoreError
from node.store import Commit, DayCheckpoint, NodeStore, RecordProof, verify_record
from security.errors import LogCorruptError
from security.merkle import verify_consistency
from tests.support import node_messages as m

DAY = datetime(2026, 7, 2, 4, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[NodeStore]:
    with m.open_store(tmp_path / "node") as opened:
        opened.record_ledger.close_days(DAY)
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


def closed(store: NodeStore, days: int = 1) -> DayCheckpoint:
    checkpoint = store.record_ledger.close_days(DAY + timedelta(days=days))
    assert checkpoint is not None
    return checkpoint


@pytest.mark.parametrize("flushed", [False, True])
def test_a_stored_record_is_proved(store: NodeStore, *, flushed: bool) -> None:
    keep(store, *(f"r{number}" for number in range(300)))
    if flushed:
        store.flush()
    first = closed(store)
    keep(store, "later")
    closed(store, 2)
    proof = store.record_ledger.prove("raw", "r77")
    assert proof.checkpoint == first
    assert (proof.record["record_id"], proof.leaf.size) == ("r77", 300)
    verify_record(proof.record, store.schemas["raw"], proof.leaf, first)
    assert "r77" not in repr(proof.leaf)


def test_another_value_place_or_tree_is_not_proved(store: NodeStore) -> None:
    keep(store, "a", "b", "c")
    checkpoint = closed(store)
    proof = store.record_ledger.prove("raw", "b")
    schema = store.schemas["raw"]
    with pytest.raises(LogCorruptError, match="leaf 1 is not in the tree of 3 leaves"):
        verify_record(dict(proof.record) | {"body": "[]"}, schema, proof.leaf, checkpoint)
    other = store.record_ledger.prove("raw", "c")
    with pytest.raises(LogCorruptError, match="leaf 2 is not in the tree"):
        verify_record(proof.record, schema, other.leaf, checkpoint)
    keep(store, "d")
    larger = closed(store, 2)
    with pytest.raises(LogCorruptError, match="tree of 3 leaves, checkpoint of 4"):
        verify_record(proof.record, schema, proof.leaf, larger)


def test_a_corrected_record_is_proved_as_it_is_now(store: NodeStore) -> None:
    keep(store, "a", "b")
    closed(store)
    keep(store, "a", body='{"corrected": 1}')
    with pytest.raises(StoreError, match="in no checkpoint yet"):
        store.record_ledger.prove("raw", "a")
    checkpoint = closed(store, 2)
    proof = store.record_ledger.prove("raw", "a")
    assert (proof.leaf.seq, proof.checkpoint) == (2, checkpoint)
    assert proof.record["body"] == '{"corrected": 1}'


def test_what_is_not_there_or_not_closed_yet_is_told(store: NodeStore) -> None:
    keep(store, "a")
    with pytest.raises(StoreError, match="record a of kind 'raw' is in no checkpoint yet"):
        store.record_ledger.prove("raw", "a")
    with pytest.raises(StoreError, match="record x of kind 'raw' is not in the store"):
        store.record_ledger.prove("raw", "x")
    with pytest.raises(StoreError, match="relation 'nonsense' found"):
        store.record_ledger.prove("nonsense", "x")


def test_a_deleted_month_has_no_proofs_but_keeps_its_leaves(store: NodeStore) -> None:
    keep(store, "a", month=202001)
    keep(store, "b")
    checkpoint = closed(store)
    assert store.drop_months("raw", [202001]) == 1
    with pytest.raises(StoreError, match="not in the store"):
        store.record_ledger.prove("raw", "a")
    assert store.record_ledger.prove("raw", "b").checkpoint == checkpoint
    assert store.ledger_size() == 2


def test_checkpoints_continue_each_other(store: NodeStore) -> None:
    for day in range(1, 4):
        keep(store, *(f"{day}-{number}" for number in range(day * 3)))
        closed(store, day)
    first, second, third = store.record_ledger.checkpoints_after(0)
    assert store.record_ledger.checkpoints_after(first.size) == (second, third)
    path = store.record_ledger.consistency(first.size, third.size)
    verify_consistency(first.size, third.size, path, first.root, third.root)


def test_a_reader_proves_what_the_writer_stored(store: NodeStore, tmp_path: Path) -> None:
    keep(store, "a", "b")
    closed(store)
    with m.open_store(tmp_path / "node", writer=False) as reader:
        proof: RecordProof = reader.record_ledger.prove("raw", "b")
    assert proof.leaf.seq == 1
