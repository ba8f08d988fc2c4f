"""The store: what is committed is whole and durable, what is read is a snapshot, sealed on disk."""

import dataclasses
import sqlite3
from pathlib import Path

import pyarrow as pa
import pytest

from node.domain.institutions import Institution, foreign_code
from node.errors import StoreError
from node.store import Commit, LedgerRow, MessageKey, NodeStore, QuarantineRow
from node.store.transactions import transaction
from scoring_kernel import load_catalog
from scoring_kernel.measure_sets import MeasureSet
from security.at_rest import Vault
from tests.support import node_messages as m

KEY = MessageKey(institution=m.HOSPITAL, infno="2204", msgid="M1")
NULLS = (
    "select institution, month, infno as subject, 1 as messages, null::bigint"
    " as messages_accepted from message"
)


def _row(msgid: str = "M1", digest: bytes = b"d" * 16, *, pending: bool = False) -> LedgerRow:
    return LedgerRow(
        msgid=msgid,
        infno="2204",
        institution=m.HOSPITAL,
        month=202603,
        accepted=None if pending else True,
        request_digest=digest,
        response_digest=None if pending else digest,
    )


def _raw(store: NodeStore, *ids: str, month: int = 202603) -> pa.Table:
    size = len(ids)
    return pa.table(
        {
            "record_id": list(ids),
            "institution": [m.HOSPITAL] * size,
            "month": [month] * size,
            "infno": ["1101"] * size,
            "body": ["hidden patient"] * size,
        },
        schema=store.schemas["raw"],
    )


def test_a_commit_is_whole_or_not_at_all(store: NodeStore) -> None:
    store.commit(Commit(messages=[_row()]))

    with pytest.raises(StoreError, match="2 messages were to be added, 1 could be"):
        store.commit(Commit(messages=[_row("M2"), _row("M1")], records={"raw": _raw(store, "a")}))

    assert (store.counts().messages, store.ledger_size()) == (1, 0)


def test_a_waiting_message_is_completed_by_its_own_request_only(store: NodeStore) -> None:
    store.commit(Commit(messages=[_row(pending=True)], pending={KEY: b"body"}))

    with pytest.raises(StoreError, match="another process writes"):
        store.commit(Commit(messages=[_row(digest=b"e" * 16)], completed=[KEY]))
    store.commit(Commit(messages=[_row()], completed=[KEY]))

    assert store.counts().pending == 0
    assert store.known_messages([KEY, KEY._replace(msgid="M2")])[KEY].accepted is True


def test_messages_are_known_by_institution_transaction_and_msgid(store: NodeStore) -> None:
    others = [KEY._replace(infno="2301"), KEY._replace(institution=m.PHARMACY)]
    again = dataclasses.replace(_row(), infno="2301")
    store.commit(Commit(messages=[_row(), again]))

    assert list(store.known_messages([*others, KEY])) == [others[0], KEY]


def test_a_disk_that_fails_is_an_error_with_what_to_do(store: NodeStore) -> None:
    store._connection.execute("pragma query_only=on")  # noqa: SLF001 - stands for a full disk

    with pytest.raises(StoreError, match="check the disk's free space"):
        store.commit(Commit(messages=[_row()]))

    store._connection.execute("pragma query_only=off")  # noqa: SLF001 - as above
    assert store.counts().messages == 0


def test_records_of_another_shape_are_refused(store: NodeStore) -> None:
    table = _raw(store, "a")

    with pytest.raises(StoreError, match="have columns"):
        store.commit(Commit(records={"raw": table.drop_columns(["body"])}))
    with pytest.raises(StoreError, match="expected one of the catalogue's"):
        store.commit(Commit(records={"strange": table}))
    holed = table.set_column(4, store.schemas["raw"].field("body"), pa.nulls(1, pa.string()))
    with pytest.raises(StoreError, match="lack body in 1 rows"):
        store.commit(Commit(records={"raw": holed}))


def test_a_flush_moves_records_without_changing_what_is_read(store: NodeStore) -> None:
    store.commit(Commit(records={"raw": _raw(store, "a", "b")}))
    store.commit(Commit(records={"raw": _raw(store, "c", month=202604)}))
    before = m.rows_of(store, "raw")

    assert store.flush(min_rows=2) == 1
    assert m.rows_of(store, "raw") == before
    assert store.flush() == 1

    assert m.rows_of(store, "raw") == before
    assert (store.counts().segments, store.ledger_size()) == (2, 3)
    assert store.flush() == 0


def test_small_segments_are_merged_and_their_files_swept_at_the_next_start(
    tmp_path: Path,
) -> None:
    with m.open_store(tmp_path) as store:
        for name in "abcde":
            store.commit(Commit(records={"raw": _raw(store, name)}))
            store.flush()
        assert store.counts().segments == 1
        assert len(list((tmp_path / "records").iterdir())) == 6

    with m.open_store(tmp_path, writer=False) as store:
        assert len(list((tmp_path / "records").iterdir())) == 6
    with m.open_store(tmp_path) as store:
        assert len(list((tmp_path / "records").iterdir())) == 1
        assert [row["record_id"] for row in m.rows_of(store, "raw")] == list("abcde")


def test_files_that_were_merged_away_go_at_the_second_sweep_of_a_running_store(
    tmp_path: Path,
) -> None:
    with m.open_store(tmp_path) as store:
        for name in "abcde":
            store.commit(Commit(records={"raw": _raw(store, name)}))
            store.flush()
        assert store.sweep_merged() == 0
        assert len(list((tmp_path / "records").iterdir())) == 6
        assert store.sweep_merged() == 5
        assert len(list((tmp_path / "records").iterdir())) == 1
        assert store.sweep_merged() == 0
        assert [row["record_id"] for row in m.rows_of(store, "raw")] == list("abcde")


def test_a_merge_is_bounded(store: NodeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.store.staging.COMPACT_ROWS", 3)
    for name in "abcde":
        store.commit(Commit(records={"raw": _raw(store, name, f"{name}2")}))
        store.flush()

    # Five segments of two rows: three are merged, at which twice the aim is reached.
    assert store.counts().segments == 3
    assert store.ledger_size() == 10


def test_much_staged_is_flushed_in_the_middle(
    store: NodeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.store.record_store.FLUSH_ROWS", 2)
    store.commit(Commit(records={"raw": _raw(store, "a")}))
    assert store.flush_if_large() == 0
    store.commit(Commit(records={"raw": _raw(store, "b")}))
    assert store.flush_if_large() == 1


def test_few_large_records_are_flushed_and_not_merged(
    store: NodeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.store.record_store.FLUSH_BYTES", 1)
    monkeypatch.setattr("node.store.staging.COMPACT_BYTES", 1)
    for name in "abcdef":
        store.commit(Commit(records={"raw": _raw(store, name)}))
        assert store.flush_if_large() == 1
    assert store.counts().segments == 6


def test_nothing_personal_is_on_disk_in_clear(tmp_path: Path) -> None:
    refused = QuarantineRow(
        digest=b"q" * 32,
        source="a.jsonl",
        line=1,
        msgid="",
        infno="",
        rule="json_broken",
        field="",
        value="",
        reason="",
        mend="",
        seen_at="",
        body=b"hidden patient",
    )
    with m.open_store(tmp_path) as store:
        store.commit(
            Commit(
                messages=[_row(pending=True)],
                pending={KEY: b"hidden patient"},
                records={"raw": _raw(store, "a", "b")},
                quarantine=[refused],
            )
        )
        store.flush()
        store.commit(Commit(records={"raw": _raw(store, "c")}))
        assert "hidden" not in repr(refused)
    content = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())

    assert b"hidden patient" not in content
    assert b"patient" not in content


def test_a_changed_staged_row_does_not_open(store: NodeStore) -> None:
    store.commit(Commit(records={"raw": _raw(store, "a")}))
    store._connection.execute("update staged set month = 202604")  # noqa: SLF001 - tampering

    with pytest.raises(Exception, match="damaged"):
        m.rows_of(store, "raw")


def test_the_database_is_private_and_of_one_kind(tmp_path: Path) -> None:
    with m.open_store(tmp_path):
        assert (tmp_path / "node.db").stat().st_mode & 0o777 == 0o600

    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "node.db").write_bytes(b"no database at all, but long enough" * 40)
    with pytest.raises(StoreError, match="cannot be opened"):
        m.open_store(tmp_path / "other")


def test_the_engine_reads_nothing_but_what_is_registered(store: NodeStore) -> None:
    engine = store.relations(["raw"])
    try:
        with pytest.raises(Exception, match="disabled by configuration"):
            engine.execute("select * from read_csv('/etc/hostname')")
        with pytest.raises(Exception, match="locked"):
            engine.execute("set enable_external_access = true")
    finally:
        engine.close()
    with pytest.raises(StoreError, match="expected a record kind"):
        store.relations(["strange"])


def _measure_set(sql: str) -> MeasureSet:
    return dataclasses.replace(load_catalog().measure_sets["interface"], sql=sql)


def test_measures_are_sorted_and_of_the_declared_columns(store: NodeStore) -> None:
    rows = [
        LedgerRow(
            msgid=f"M{month}",
            infno="2204",
            institution=m.HOSPITAL,
            month=month,
            accepted=month != 202603,
            request_digest=b"d",
            response_digest=b"d",
        )
        for month in (202604, 202603, 202605)
    ]
    store.commit(Commit(messages=[*rows, _row("M4", pending=True)]))

    table = store.measure_rows(load_catalog().measure_sets["interface"])

    assert table.column("month").to_pylist() == [202603, 202604, 202605]
    assert table.column("messages_accepted").to_pylist() == [0, 1, 1]
    assert table.schema.field("month").type == pa.int32()


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("select nothing from message", "cannot be computed"),
        ("select institution, month, institution as subject from message", "returns columns"),
        (NULLS, "returns nulls"),
    ],
)
def test_measures_that_break_their_declaration_are_refused(
    store: NodeStore, sql: str, problem: str
) -> None:
    store.commit(Commit(messages=[_row()]))

    with pytest.raises(StoreError, match=problem):
        store.measure_rows(_measure_set(sql))


def test_custody_is_replaced_whole_and_foreign_institutions_stay(store: NodeStore) -> None:
    code = store.foreign_codes("set", ["X"])["X"]
    foreign = Institution(code=code, name="X", foreign=True, namespace="set", foreign_code="X")
    store.commit(Commit(institutions=[foreign, foreign]))

    store.set_institutions([Institution(code="H33030200005", name="乙", level="3", type="tcm")])

    assert store.institution_codes() == {"H33030200005"}
    assert [one.code for one in store.institutions()] == ["H33030200005", code]
    assert store.institutions()[0].level == "3"
    assert store.foreign_codes("set", ["X", "Y"])["X"] == code
    with pytest.raises(StoreError, match="expected H or P and eleven digits"):
        store.set_institutions([Institution(code="hospital")])
    assert store.institution_codes() == {"H33030200005"}


def test_two_foreign_codes_that_meet_get_different_codes(store: NodeStore) -> None:
    taken = Institution(code=foreign_code("set", "X"), name="first")
    store.set_institutions([taken])

    assert store.foreign_codes("set", ["X"])["X"] == foreign_code("set", "X", 1)


def test_a_space_of_codes_that_is_full_is_an_error(
    store: NodeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.store.register.foreign_code", lambda *_: m.HOSPITAL)

    with pytest.raises(StoreError, match="no free code"):
        store.foreign_codes("set", ["X"])


def test_settings_and_sources_are_kept_once(store: NodeStore) -> None:
    assert store.setting("k") is None
    store.set_setting("k", "1")
    store.set_setting("k", "2")
    store.note_source("a.jsonl", 10, 2, "2026-01-01T00:00:00+00:00")
    store.note_source("a.jsonl", 10, 2, "2026-01-02T00:00:00+00:00")

    assert store.setting("k") == "2"
    rows = store._connection.execute("select finished_at from source").fetchall()  # noqa: SLF001 - no reader yet
    assert rows == [("2026-01-01T00:00:00+00:00",)]


def test_a_reader_sees_one_snapshot_while_a_writer_commits(tmp_path: Path) -> None:
    with m.open_store(tmp_path) as writer:
        writer.commit(Commit(records={"raw": _raw(writer, "a")}))
        with m.open_store(tmp_path, writer=False) as reader:
            engine = reader.relations(["raw"])
            writer.commit(Commit(records={"raw": _raw(writer, "b")}))
            writer.flush()
            count = engine.execute("select count(*) from raw").fetchall()
            engine.close()

    assert count == [(1,)]


def test_a_failed_flush_leaves_the_records_staged_and_can_be_repeated(
    store: NodeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.commit(Commit(records={"raw": _raw(store, "a")}))

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("node.store.staging.Staging._add", full)
        with pytest.raises(StoreError, match="disk is full"):
            store.flush()
    assert m.rows_of(store, "raw")[0]["record_id"] == "a"

    assert store.flush() == 1
    assert len(m.rows_of(store, "raw")) == 1


def test_another_vault_opens_nothing(tmp_path: Path) -> None:
    with m.open_store(tmp_path) as store:
        store.commit(Commit(records={"raw": _raw(store, "a")}))

    with NodeStore(tmp_path, Vault(bytes(32))) as store, pytest.raises(Exception, match="key"):
        m.rows_of(store, "raw")


def test_a_commit_that_fails_leaves_the_store_usable(store: NodeStore) -> None:
    connection = store._connection  # noqa: SLF001 - what fails at the commit only
    connection.execute(
        "create table late(id integer primary key, other integer references late(id)"
        " deferrable initially deferred)"
    )
    with pytest.raises(StoreError, match="refused a write"), transaction(connection):
        connection.execute("insert into late values(1, 2)")
    store.set_setting("a", "b")
    assert store.setting("a") == "b"
