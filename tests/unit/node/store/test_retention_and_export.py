"""Months that are deleted leave nothing behind; what is kept comes out as it went in."""

from pathlib import Path

import pyarrow as pa
import pytest

from node.errors import StoreError
from node.store import Commit, NodeStore
from tests.support import node_messages as m
from tests.support.node_records import fee_details, kept_fees

ROWS = [(f"a:{number}", f"F{number}", 100 * number) for number in range(1, 5)]
MONTHS = [202601, 202602, 202602, 202603]


def _filled(store: NodeStore) -> pa.Table:
    fees = fee_details(store, ROWS, months=MONTHS)
    store.commit(Commit(records={"fee_detail": fees}))
    return fees


@pytest.mark.parametrize("flushed", [False, True])
def test_deleted_months_are_gone_with_their_keys_salts_and_files(
    tmp_path: Path, *, flushed: bool
) -> None:
    with m.open_store(tmp_path) as store:
        _filled(store)
        if flushed:
            store.flush()
        assert store.drop_months("fee_detail", [202601, 202602]) == 3
        assert kept_fees(store) == [ROWS[3]]
        assert store.counts().records == {"fee_detail": 1}
        assert store.frozen_months() == {"fee_detail": {202601, 202602}}
        assert len(list((tmp_path / "records").iterdir())) == int(flushed)
        months = store._connection.execute("select distinct month from salt").fetchall()  # noqa: SLF001 - a hidden table
        assert months == [(202603,)]
        # The leaves stay: the tree never shrinks.
        assert store.ledger_size() == 4
        assert store.drop_months("fee_detail", [202601]) == 0


def test_the_database_and_its_log_hold_no_bytes_of_deleted_months(tmp_path: Path) -> None:
    with m.open_store(tmp_path) as store:
        _filled(store)
        connection = store._connection  # noqa: SLF001 - what lies in the file
        staged = [row[0] for row in connection.execute("select body from staged")]
        store.flush()
        keys = [row[0] for row in connection.execute("select wrapped_key from segment")]
        salts = [row[0] for row in connection.execute("select secret from salt")]
        store.drop_months("fee_detail", [202601, 202602, 202603])
        on_disk = b"".join(path.read_bytes() for path in tmp_path.glob("node.db*"))
        assert all(secret[-16:] not in on_disk for secret in (*staged, *keys, *salts))


def test_records_of_a_deleted_month_are_not_taken_in_again(tmp_path: Path) -> None:
    with m.open_store(tmp_path) as store:
        fees = _filled(store)
        store.drop_months("fee_detail", [202602])
    with m.open_store(tmp_path) as store:
        done = store.commit(Commit(records={"fee_detail": fees}))
        assert (done.unchanged, done.expired) == ({"fee_detail": 2}, {"fee_detail": 2})
        assert [row[0] for row in kept_fees(store)] == ["a:1", "a:4"]
        # Under a key of the deleted month, a record of another month is a new one.
        later = fee_details(store, [ROWS[1]], months=[202604])
        assert store.commit(Commit(records={"fee_detail": later})).added == {"fee_detail": 1}


def test_a_deletion_that_was_interrupted_is_finished_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyboardInterrupt

    with m.open_store(tmp_path) as store:
        _filled(store)
        with monkeypatch.context() as patch:
            patch.setattr("node.store.keys.KeyIndex.drop", broken)
            with pytest.raises(KeyboardInterrupt):
                store.drop_months("fee_detail", [202602])
        assert len(kept_fees(store)) == 2
    with m.open_store(tmp_path) as store:
        index = store._records._index  # noqa: SLF001 - what is left of the keys
        assert index is not None
        assert index.count("fee_detail") == 2


def test_an_unknown_kind_has_no_months(store: NodeStore) -> None:
    with pytest.raises(StoreError, match="expected one of the catalogue's"):
        store.drop_months("strange", [202601])


def test_what_is_exported_is_what_went_in(store: NodeStore) -> None:
    fees = _filled(store)
    assert _exported(store, store.schemas["fee_detail"]) == fees.to_pylist()
    store.flush()
    assert _exported(store, store.schemas["fee_detail"]) == fees.to_pylist()
    batches = store.export("fee_detail", [202602])
    assert [row["line"] for batch in batches for row in batch.to_pylist()] == ["F2", "F3"]
    assert list(store.export("settlement")) == []


def _exported(store: NodeStore, schema: pa.Schema) -> list[dict[str, object]]:
    batches = list(store.export("fee_detail"))
    assert all(batch.schema.equals(schema) for batch in batches)
    return sorted(
        (row for batch in batches for row in batch.to_pylist()), key=lambda row: str(row["line"])
    )


def test_stores_of_the_same_records_have_one_digest(tmp_path: Path) -> None:
    digests = set()
    for name, batches in (("a", (ROWS,)), ("b", (ROWS[2:], ROWS[:2]))):
        with m.open_store(tmp_path / name) as store:
            digests.add(store.digest())
            for batch in batches:
                fees = fee_details(store, batch)
                store.commit(Commit(records={"fee_detail": fees}))
                store.flush()
            digests.add(store.digest())
    with m.open_store(tmp_path / "c") as store:
        store.commit(Commit(records={"fee_detail": fee_details(store, ROWS[:3])}))
        digests.add(store.digest())
    # Of nothing, of four records, of three.
    assert len(digests) == 3


def test_relations_of_some_months_hold_no_others(store: NodeStore) -> None:
    _filled(store)
    engine = store.relations(["fee_detail"], [202601, 202603])
    try:
        assert engine.execute("select line from fee_detail order by 1").fetchall() == [
            ("F1",),
            ("F4",),
        ]
        names = [column[0] for column in engine.execute("describe fee_detail").fetchall()]
    finally:
        engine.close()
    assert names == store.schemas["fee_detail"].names
