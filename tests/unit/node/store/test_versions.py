"""What a record means to the one under its key: nothing, a new version, or too late."""

from itertools import permutations
from pathlib import Path

import pytest

from node.store import Commit, Committed, MessageKey, NodeStore
from tests.support import node_messages as m
from tests.support.node_records import FeeRow, fee_details, kept_fees, sent

_LISTS = "settlement_list"


def _put(store: NodeStore, *rows: FeeRow, month: int = 202603) -> Committed:
    fees = fee_details(store, rows, months=[month] * len(rows))
    return store.commit(Commit(records={"fee_detail": fees}))


def _told(done: Committed) -> tuple[int, int, int, int]:
    parts = (done.added, done.replaced, done.unchanged, done.expired)
    return tuple(part.get("fee_detail", 0) for part in parts)  # type: ignore[return-value]


def test_the_same_values_are_nothing_and_others_a_new_version(store: NodeStore) -> None:
    assert _told(_put(store, ("a:1", "F1", 100), ("a:2", "F2", 100))) == (2, 0, 0, 0)
    assert _told(_put(store, ("a:1", "F1", 100), ("a:2", "F2", 200))) == (0, 1, 1, 0)
    assert kept_fees(store) == [("a:1", "F1", 100), ("a:2", "F2", 200)]
    assert store.counts().records == {"fee_detail": 2}
    assert store.ledger_size() == 3
    # A record that moves to another month is a new version too, and one that moves back.
    assert _told(_put(store, ("a:1", "F1", 100), month=202604)) == (0, 1, 0, 0)
    assert _told(_put(store, ("a:1", "F1", 100))) == (0, 1, 0, 0)
    assert len(kept_fees(store)) == 2


def test_the_id_of_a_record_is_no_value(store: NodeStore) -> None:
    _put(store, ("a:1", "F1", 100))
    assert _told(_put(store, ("b:7", "F1", 100))) == (0, 0, 1, 0)
    assert kept_fees(store) == [("a:1", "F1", 100)]


def test_a_deleted_version_is_gone_wherever_it_lies(store: NodeStore) -> None:
    _put(store, ("a:1", "F1", 100), ("a:2", "F2", 100))
    store.flush()
    _put(store, ("a:1", "F1", 200))
    assert kept_fees(store) == [("a:1", "F1", 200), ("a:2", "F2", 100)]
    _put(store, ("a:1", "F1", 300))
    store.flush()
    assert kept_fees(store) == [("a:1", "F1", 300), ("a:2", "F2", 100)]
    # The version that was replaced while it was staged is in no segment.
    assert store.counts().records == {"fee_detail": 2}


def test_months_of_which_much_is_deleted_are_written_anew(store: NodeStore) -> None:
    _put(store, *[(f"a:{line}", f"F{line}", 100) for line in range(8)])
    store.flush()
    _put(store, *[(f"a:{line}", f"F{line}", 200) for line in range(2)])
    store.flush()
    assert _deleted(store) == 2
    _put(store, ("a:2", "F2", 200))
    store.flush()
    assert _deleted(store) == 0
    assert [row[2] for row in kept_fees(store)] == [200] * 3 + [100] * 5
    _put(store, *[(f"a:{line}", f"F{line}", 300) for line in range(8)])
    store.flush()
    assert _deleted(store) == 0
    assert store.counts().records == {"fee_detail": 8}


def _deleted(store: NodeStore) -> int:
    query = "select count(*) from deleted_record"
    return int(store._connection.execute(query).fetchone()[0])  # noqa: SLF001 - a hidden table


@pytest.mark.parametrize("flushed", [False, True])
def test_messages_that_arrive_in_any_order_leave_the_version_that_was_sent_last(
    store: NodeStore, *, flushed: bool
) -> None:
    for turn, order in enumerate(permutations(range(1, 4))):
        line = f"F{turn}"
        for number in order:
            _put(store, (sent(10 * turn + number, line), line, 100 * number))
            if flushed:
                store.flush()
        again = [(sent(10 * turn + number, line), line, 100 * number) for number in order]
        _put(store, *again)
    assert kept_fees(store) == [
        (sent(10 * turn + 3, f"F{turn}"), f"F{turn}", 300) for turn in range(6)
    ]


@pytest.mark.parametrize("together", [False, True])
def test_what_was_sent_last_stands_also_where_it_repeats_an_earlier_version(
    store: NodeStore, tmp_path: Path, *, together: bool
) -> None:
    for turn, order in enumerate(permutations(range(1, 5))):
        versions = [
            m.settlement_list(10 * turn + number, setl_id=f"S{turn}", days_rinp_flag_31=flag)
            for number, flag in zip(range(1, 5), "2121", strict=True)
        ]
        sent_as = [versions[number - 1] for number in order]
        for part in [sent_as] if together else [[one] for one in sent_as]:
            m.ingest_documents(store, tmp_path / "a.jsonl", part)
    planned = {row["setl_id"]: row["planned_readmission"] for row in m.rows_of(store, _LISTS)}
    assert planned == dict.fromkeys([f"S{turn}" for turn in range(24)], False)


def test_a_key_that_a_cancellation_may_free_takes_the_later_message(store: NodeStore) -> None:
    _put(store, (sent(2, "#1"), "F1", 100))
    assert _told(_put(store, (sent(1, "#1"), "F1", 100))) == (0, 0, 1, 0)
    assert _told(_put(store, (sent(3, "#1"), "F1", 100))) == (0, 1, 0, 0)
    assert _told(_put(store, (sent(3, "#1"), "F1", 100))) == (0, 0, 1, 0)
    assert kept_fees(store) == [(sent(3, "#1"), "F1", 100)]


@pytest.mark.parametrize(
    ("before", "batch"),
    [
        ((), (100, 100, 200)),
        ((), (100, 200, 100)),
        ((100,), (100, 100)),
        ((100,), (200, 100)),
        ((100,), (200, 300, 300)),
    ],
)
@pytest.mark.parametrize("ids", ["mapped", "sent"])
def test_a_batch_leaves_what_its_records_would_one_by_one(
    store: NodeStore, before: tuple[int, ...], batch: tuple[int, ...], ids: str
) -> None:
    rows: dict[str, list[FeeRow]] = {}
    for line in ("F1", "F2"):
        rows[line] = [
            (f"a:{line}" if ids == "mapped" else sent(number, line), line, fen)
            for number, fen in enumerate((*before, *batch))
        ]
    for row in (*rows["F1"][: len(before)], *rows["F2"][: len(before)]):
        _put(store, row)
    one_by_one = [_put(store, row) for row in rows["F1"][len(before) :]]
    together = _put(store, ("a:9", "F9", 1), *rows["F2"][len(before) :])
    left = {line: [row[2] for row in kept_fees(store) if row[1] == line] for line in rows}
    assert left["F1"] == left["F2"]
    told = tuple(map(sum, zip(*map(_told, one_by_one), strict=True)))
    assert _told(together) == (told[0] + 1, *told[1:])


def test_many_records_of_a_month_are_a_segment_at_once(
    store: NodeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.store.staging.BULK_ROWS", 3)
    _put(store, *[(f"a:{line}", f"F{line}", 100) for line in range(4)])
    assert store.counts().segments == 1
    _put(store, *[(f"a:{line}", f"F{line}", 200) for line in range(2)])
    assert store.counts().segments == 1
    assert [row[2] for row in kept_fees(store)] == [200, 200, 100, 100]


def test_a_bulk_commit_that_fails_leaves_no_file(
    store: NodeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.store.staging.BULK_ROWS", 1)
    fees = fee_details(store, [("a:1", "F1", 100)])
    key = MessageKey(institution=m.HOSPITAL, infno="2204", msgid=sent(1))
    with pytest.raises(Exception, match="FOREIGN KEY"):
        store.commit(Commit(records={"fee_detail": fees}, pending={key: b"waits for nothing"}))
    assert store.counts().segments == store.ledger_size() == 0
    assert not [path for path in _directory(store).iterdir() if path.suffix == ".parquet"]
    assert _told(_put(store, ("a:1", "F1", 100))) == (1, 0, 0, 0)


def _directory(store: NodeStore) -> Path:
    path = store._connection.execute("pragma database_list").fetchone()[2]  # noqa: SLF001 - where it lies
    return Path(path).parent / "records"
