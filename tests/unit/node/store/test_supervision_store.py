"""Hits, runs and knowledge as the store keeps them: sealed, whole, within small transactions."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from node.domain.rule_hits import Evidence, HitBody, decode_body, encode_body, hit_id
from node.errors import StoreError
from node.store import NodeStore
from node.store.hits import HitFilter, SealedHit
from node.store.rule_runs import NewRun, RuleOutcome
from node.store.supervision_store import KEPT_ROWS
from security.errors import VaultError
from tests.support.node_messages import open_store
from tests.support.rule_facts import moment

PERSON: Final = "33030200000000000000000001"
STAFF: Final = "D330302000001"
NEW: Final = NewRun(
    started_at="2026-11-22T00:00:00+00:00",
    book_digest=bytes(32),
    knowledge_digest=bytes(32),
    first_month=190_001,
    last_month=999_912,
)


def body(visit: str = "V1") -> HitBody:
    return HitBody(
        persons=(PERSON,),
        visits=(visit,),
        staff=(STAFF,),
        keys=("X1",),
        evidence=(
            Evidence(
                role=1,
                at=moment("2026-03-02 09:00"),
                kind="fee_detail",
                record_id="R1",
                amount_fen=5,
            ),
        ),
        records=1,
    )


def hit(store: NodeStore, number: int = 1, amount: int = 5) -> SealedHit:
    name = hit_id(store.supervision.secret(), "M01", [str(number)])
    return SealedHit(
        id=name,
        version="-",
        institution="H33030200001",
        month=202603,
        at="2026-03-02T09:00:00",
        amount_fen=amount,
        verdict="violation",
        digest=amount.to_bytes(8, "big"),
        body=store.supervision.seal(name, encode_body(body())),
    )


def test_a_body_comes_back_as_it_was() -> None:
    assert decode_body(encode_body(body())) == body()


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"persons": 1}', b"\xff"])
def test_a_body_of_another_form_is_refused(content: bytes) -> None:
    with pytest.raises(StoreError, match="run the rule again"):
        decode_body(content)


def test_nothing_personal_is_in_the_database_in_clear(store: NodeStore, tmp_path: Path) -> None:
    run = store.supervision.begin(NEW)
    store.supervision.keep(run, "M01", [hit(store)], [])
    store.close()
    content = b"".join(path.read_bytes() for path in (tmp_path / "node").glob("node.db*"))
    assert b"H33030200001" in content
    assert PERSON.encode() not in content
    assert STAFF.encode() not in content
    assert b"R1" not in content.split(b"H33030200001", 1)[1][:64]


def test_ids_differ_between_nodes(tmp_path: Path) -> None:
    with open_store(tmp_path / "a") as one, open_store(tmp_path / "b") as other:
        assert hit(one).id != hit(other).id


def test_a_body_does_not_open_in_another_hits_place(store: NodeStore, tmp_path: Path) -> None:
    run = store.supervision.begin(NEW)
    one, other = hit(store, 1), hit(store, 2)
    store.supervision.keep(run, "M01", [one, other], [])
    with closing(sqlite3.connect(tmp_path / "node" / "node.db")) as database:
        database.execute("update rule_hit set body = ? where id = ?", (one.body, other.id))
        database.commit()
    assert store.supervision.body(one.id) == body()
    with pytest.raises(VaultError):
        store.supervision.body(other.id)


def test_hits_are_listed_by_amount_and_found_by_their_first_digits(store: NodeStore) -> None:
    run = store.supervision.begin(NEW)
    store.supervision.keep(run, "M01", [hit(store, n, n) for n in range(1, 6)], [])
    assert [one.amount_fen for one in store.supervision.hits(limit=2, offset=1)] == [4, 3]
    (row,) = store.supervision.hits(limit=1)
    (found,) = store.supervision.find(row.id.hex()[:12])
    assert found == row
    assert len(store.supervision.find("")) == 2
    assert store.supervision.totals() == (("M01", "violation", 5, 15),)
    assert store.supervision.totals(HitFilter(institution="H33030200002")) == ()
    with pytest.raises(StoreError, match="is not in this node"):
        store.supervision.body(bytes(16))


def test_a_crowd_of_hits_in_one_transaction_is_refused(store: NodeStore) -> None:
    run = store.supervision.begin(NEW)
    with pytest.raises(StoreError, match="restart the daemon"):
        store.supervision.keep(run, "M01", [], [bytes(16)] * (KEPT_ROWS + 1))


def test_a_run_that_was_cut_off_shows_what_it_had_found(store: NodeStore, tmp_path: Path) -> None:
    run = store.supervision.begin(NEW)
    outcome = RuleOutcome(rule="M01", hits=1, new=1, gone=0, ms=7, error="")
    store.supervision.keep(run, "M01", [hit(store)], [])
    store.supervision.note(run, outcome)
    store.close()
    with open_store(tmp_path / "node") as again:
        (kept,) = again.supervision.runs()
        assert (kept.id, kept.ended_at) == (run, None)
        assert kept.outcomes == {"M01": outcome}
        assert len(again.supervision.hits()) == 1
        again.supervision.end(run, "2026-11-22T00:01:00+00:00")
        assert again.supervision.runs()[0].ended_at is not None


def test_a_terminals_signs_in_an_error_are_not_kept(store: NodeStore) -> None:
    run = store.supervision.begin(NEW)
    outcome = RuleOutcome(rule="M01", hits=0, new=0, gone=0, ms=0, error="a\x1b[2Jb")
    store.supervision.note(run, outcome)
    assert store.supervision.runs()[0].outcomes["M01"].error == "a?[2Jb"
