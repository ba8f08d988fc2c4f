"""What came since a mark: nothing missed, whether it is staged, in segments, or both."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from node.store import NodeStore, staging
from node.store.news import NO_MARK, Mark
from tests.support.node_messages import ingest_documents, open_store, registration, settlement

KINDS = ("admission", "settlement", "raw")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[NodeStore]:
    with open_store(tmp_path / "node") as opened:
        yield opened


def put(store: NodeStore, path: Path, first: int, count: int) -> None:
    numbers = range(first, first + count)
    documents = [settlement(number) for number in numbers]
    ingest_documents(store, path / f"{first}.jsonl", documents)


def read(store: NodeStore, since: Mark) -> tuple[Mark, list[str], bool]:
    news = store.news(KINDS, since, lambda _kind: None)
    if news is None:
        return since, [], False
    ids = [one for _, table in news.batches for one in table.column("record_id").to_pylist()]
    return news.mark, ids, news.is_scan


def test_staged_records_are_given_once(store: NodeStore, tmp_path: Path) -> None:
    assert store.news(KINDS, NO_MARK, lambda _kind: None) is None
    put(store, tmp_path, 1, 3)
    mark, ids, is_scan = read(store, NO_MARK)
    assert (mark.size, len(ids), is_scan) == (3, 3, False)
    assert read(store, mark)[1] == []
    put(store, tmp_path, 4, 2)
    again, more, _ = read(store, mark)
    assert (again.size, len(more)) == (5, 2)
    assert not set(ids) & set(more)


def test_a_flush_in_between_loses_nothing(store: NodeStore, tmp_path: Path) -> None:
    put(store, tmp_path, 1, 3)
    mark, first, _ = read(store, NO_MARK)
    put(store, tmp_path, 4, 2)
    store.flush()
    put(store, tmp_path, 6, 2)
    after, rest, is_scan = read(store, mark)
    assert is_scan
    assert (after.size, len(rest)) == (7, 4)
    assert not set(first) & set(rest)
    put(store, tmp_path, 8, 1)
    assert len(read(store, after)[1]) == 1


def test_records_that_are_a_segment_at_once_are_given(
    store: NodeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging, "BULK_ROWS", 2)
    put(store, tmp_path, 1, 5)
    mark, ids, is_scan = read(store, NO_MARK)
    assert (mark.size, len(ids), is_scan) == (5, 5, True)
    assert read(store, mark)[1] == []


def test_other_kinds_and_months_are_left_out(store: NodeStore, tmp_path: Path) -> None:
    ingest_documents(store, tmp_path / "a.jsonl", [settlement(1), registration(2)])
    news = store.news(["settlement"], NO_MARK, lambda _kind: None)
    assert news is not None
    assert {kind for kind, _ in news.batches} == {"settlement"}
    store.flush()
    scanned = store.news(["settlement"], NO_MARK, lambda _kind: {200_001})
    assert scanned is not None
    assert [table.num_rows for _, table in scanned.batches if table.num_rows] == []


def test_a_reader_beside_the_writer_sees_the_same(store: NodeStore, tmp_path: Path) -> None:
    put(store, tmp_path, 1, 3)
    with open_store(tmp_path / "node", writer=False) as beside:
        mark, ids, _ = read(beside, NO_MARK)
        assert len(ids) == 3
        put(store, tmp_path, 4, 1)
        assert len(read(beside, mark)[1]) == 1
