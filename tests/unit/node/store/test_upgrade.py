"""A store of an earlier version is taken over whole: messages, waiting ones, records."""

import sqlite3
from pathlib import Path

import pyarrow as pa
import pytest
from sqlite_utils import Database

from node.errors import StoreError
from node.store import Commit, MessageKey, NodeStore
from node.store.database import FILE_NAME
from node.store.migrations import MIGRATIONS
from node.store.staging import staged_context
from security.at_rest import Vault
from security.at_rest.segments import SegmentStore
from tests.support import node_messages as m
from tests.support.node_records import fee_details, kept_fees

VAULT = Vault(m.VAULT_KEY)
ROWS = [("a:1", "F1", 100), ("a:2", "F2", 100), ("a:3", "F3", 100), ("a:3", "F3", 200)]
MSGID = f"{m.HOSPITAL}202603180950390001"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A store as the fourth migration left it: three rows in a segment, one staged."""
    directory = tmp_path / "node"
    with m.open_store(tmp_path / "schemas") as store:
        fees = fee_details(store, ROWS)
    directory.mkdir()
    connection = sqlite3.connect(directory / FILE_NAME, isolation_level=None)
    database = Database(connection)
    MIGRATIONS.apply(database, stop_before="0005_keys_and_leaves")
    segment = SegmentStore(directory / "records", VAULT).write(fees.slice(0, 3), "fees-old")
    connection.execute(
        "insert into segment values(?, 'fee_detail', 202603, ?, ?, ?, ?)",
        (segment.name, segment.rows, segment.sha256, segment.wrapped_key, segment.bytes),
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, fees.schema) as writer:
        writer.write_table(fees.slice(3))
    sealed = VAULT.seal(bytes(sink.getvalue()), staged_context("fee_detail", 202603))
    connection.execute(
        "insert into staged(kind, month, rows, body) values('fee_detail', 202603, 1, ?)", (sealed,)
    )
    for msgid, infno in ((MSGID, "2204"), ("set:1", "csv")):
        connection.execute(
            "insert into message values(?, ?, ?, 202603, null, ?, null)",
            (msgid, infno, m.HOSPITAL, b"d" * 16),
        )
    connection.execute(
        "insert into pending values(?, ?)", (MSGID, VAULT.seal(b"body", f"pending:{MSGID}"))
    )
    connection.close()
    return directory


def test_an_earlier_store_is_taken_over(old: Path) -> None:
    for _ in range(2):
        with m.open_store(old) as store:
            assert kept_fees(store) == sorted([*ROWS[:2], ROWS[3]])
            assert (store.counts().messages, store.counts().pending) == (1, 1)
            assert store.ledger_size() == 4
            key = MessageKey(institution=m.HOSPITAL, infno="2204", msgid=MSGID)
            assert store.known_messages([key])[key].request_digest == b"d" * 16
    assert not list((old / "records").iterdir())
    with m.open_store(old) as store:
        done = store.commit(
            Commit(records={"fee_detail": fee_details(store, [*ROWS[:2], ROWS[3]])})
        )
        assert done.unchanged == {"fee_detail": 3}


def test_an_upgrade_goes_on_where_it_was_interrupted(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("node.store.record_store.RecordStore.flush_if_large", broken)
        with pytest.raises(KeyboardInterrupt):
            m.open_store(old)
    with pytest.raises(StoreError, match="of an earlier version"):
        NodeStore(old, VAULT, writer=False)
    with m.open_store(old) as store:
        assert kept_fees(store) == sorted([*ROWS[:2], ROWS[3]])
        assert store.ledger_size() == 4


def test_a_store_that_is_read_takes_nothing(old: Path) -> None:
    m.open_store(old).close()
    with NodeStore(old, VAULT, writer=False) as store:
        assert len(kept_fees(store)) == 3
        with pytest.raises(StoreError, match="opened for reading"):
            store.commit(Commit(records={"fee_detail": fee_details(store, ROWS)}))
