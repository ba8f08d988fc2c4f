"""A store holds the last version of every record, whatever is in which batch, file or process."""

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from node.store import Commit, NodeStore
from tests.support import node_messages as m
from tests.support.node_records import FeeRow, fee_details, kept_fees, sent

MONTHS = (202602, 202603)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One fee detail."""

    line: str
    fen: int
    month: int
    message: int
    """Number of its message; 0 for a row of a mapped file."""

    @property
    def fee(self) -> FeeRow:
        return (sent(self.message, self.line) if self.message else "a:1", self.line, self.fen)


REPEATED = Row(line="F3", fen=200, month=202603, message=0)
"""Of a mapped file; a message repeats it, and one that was sent before that comes too late."""

rows = st.builds(
    Row,
    line=st.sampled_from(("F1", "F2", "F3")),
    fen=st.sampled_from((100, 200)),
    month=st.sampled_from(MONTHS),
    message=st.sampled_from((0, 0, 1, 2, 3)),
)
steps = st.one_of(
    st.lists(rows, min_size=1, max_size=5),
    st.sampled_from(("flush", "reopen", "drop")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What stands under a key, and the last message that said so."""

    row: Row
    message: int


def _take(model: dict[str, Kept], row: Row, frozen: set[int]) -> None:
    """Do to one record what the rules of versions say."""
    if row.month in frozen:
        return
    held = model.get(row.line)
    if held is None:
        model[row.line] = Kept(row=row, message=row.message)
        return
    other = (held.row.fen, held.row.month) != (row.fen, row.month)
    sent_both = bool(held.message and row.message)
    if sent_both and row.message < held.message:
        return
    if other or (sent_both and row.message > held.message):
        model[row.line] = Kept(row=row, message=row.message)
    elif row.message > held.message:
        model[row.line] = Kept(row=held.row, message=row.message)


def _commit(store: NodeStore, batch: list[Row]) -> None:
    fees = fee_details(store, [row.fee for row in batch], months=[row.month for row in batch])
    done = store.commit(Commit(records={"fee_detail": fees}))
    parts = (done.added, done.replaced, done.unchanged, done.expired)
    assert sum(sum(part.values()) for part in parts) == len(batch)


def follow(walk: list[list[Row] | str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Go a walk with a store of small sizes, and compare it after each step."""
    monkeypatch.setattr("node.store.staging.BULK_ROWS", 3)
    monkeypatch.setattr("node.store.staging.MAX_SMALL_SEGMENTS", 2)
    monkeypatch.setattr("node.store.record_store.RUN_KEYS", 1)
    model: dict[str, Kept] = {}
    frozen: set[int] = set()
    alone: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        store = m.open_store(Path(folder) / "node")
        for step in walk:
            if step == "flush":
                store.flush()
            elif step == "reopen":
                store.close()
                store = m.open_store(Path(folder) / "node")
            elif step == "drop":
                gone = [line for line, kept in model.items() if kept.row.month == MONTHS[0]]
                assert store.drop_months("fee_detail", MONTHS[:1]) == len(gone)
                model = {line: kept for line, kept in model.items() if line not in gone}
                frozen.add(MONTHS[0])
            else:
                assert isinstance(step, list)
                _commit(store, step)
                for row in step:
                    _take(model, row, frozen)
                alone += step
            assert kept_fees(store) == sorted(kept.row.fee for kept in model.values())
            assert sum(store.counts().records.values()) == len(model)
        digest = store.digest()
        store.close()
        if not frozen:
            # One record at a time leaves the same.
            with m.open_store(Path(folder) / "alone") as one_by_one:
                for row in alone:
                    _commit(one_by_one, [row])
                assert one_by_one.digest() == digest


WALKS = st.lists(steps, min_size=1, max_size=8)


@example(walk=[[REPEATED, replace(REPEATED, message=2), replace(REPEATED, fen=100, message=1)]])
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(walk=WALKS)
def test_a_store_holds_the_last_version_of_every_record(
    walk: list[list[Row] | str], monkeypatch: pytest.MonkeyPatch
) -> None:
    follow(walk, monkeypatch)


@pytest.mark.faults
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(walk=WALKS)
def test_many_walks_leave_the_last_version_of_every_record(
    walk: list[list[Row] | str], monkeypatch: pytest.MonkeyPatch
) -> None:
    follow(walk, monkeypatch)
