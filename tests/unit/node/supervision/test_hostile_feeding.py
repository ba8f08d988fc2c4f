"""Whatever is in the records and whatever becomes of the file, the live state goes on."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from node.errors import StoreError
from node.store import live_tables
from node.store.live_state import LiveWriter
from node.supervision import feeding
from security.at_rest import Vault
from tests.support.node_messages import PERSON, VAULT_KEY, answered, envelope, settlement
from tests.unit.node.supervision.test_feeding import Fed, feedback, run, told

PRIVATE = "330302199001011234"
ASKED = {"data": {"syscode": "EDGE"}}


@pytest.fixture
def fed(tmp_path: Path) -> Iterator[Fed]:
    opened = Fed(tmp_path / "node")
    yield opened
    opened.close()


@pytest.mark.parametrize(
    "output",
    [
        {"result": [PRIVATE]},
        {"result": [None, 1, [], {}]},
        {"result": [{"jr_id": 1, "warn_id": "W08", "rule_id": "M01", "answer": "warn"}]},
        {"result": PRIVATE},
        {"result": {"jr_id": PRIVATE}},
        {"result": [[{"jr_id": PRIVATE}]]},
        [],
        PRIVATE,
        None,
    ],
    ids=repr,
)
def test_answers_of_another_form_do_not_stop_the_state(fed: Fed, output: object) -> None:
    document = answered(envelope("3101", 1, ASKED), {})
    document["response"]["output"] = output
    fed.put(document, settlement(2), told(3, "a-W08-1"))
    fed.feed.turn()
    assert fed.visits() == 1
    assert fed.reader.feedback()["W08"]["told"] == 1


def test_a_question_without_an_answer_does_not_stop_the_state(fed: Fed) -> None:
    fed.put(envelope("3101", 1, ASKED), envelope("3102", 2, ASKED), settlement(3))
    fed.feed.turn()
    assert fed.visits() == 1
    assert fed.reader.feedback() == {}


@pytest.mark.parametrize(
    "data",
    [
        {"warns": [PRIVATE, None, 1, {}]},
        {"warns": PRIVATE},
        {"warns": {"warn_rslt_id": "a-W08-1", "dspo_way": "9"}},
        {"warns": [{"warn_rslt_id": "a" * 100_000, "dspo_way": "1"}]},
        {"warns": [{"warn_rslt_id": "a-W08-1", "dspo_way": ["1"]}]},
        {"warns": [{"warn_rslt_id": "a-W08-1", "dspo_way": "1" * 500}]},
        {"warns": [{"warn_rslt_id": "'; drop table told; --", "dspo_way": "1"}]},
        None,
    ],
    ids=range(8),
)
def test_feedback_of_another_form_does_not_stop_the_state(fed: Fed, data: object) -> None:
    fed.put(told(1, "a-W08-1"), answered(envelope("3103", 2, {"data": data}), {}), settlement(3))
    fed.feed.turn()
    assert fed.visits() == 1
    assert fed.reader.feedback()["W08"]["told"] == 1


def test_feedback_twice_and_of_nothing_counts_once(fed: Fed) -> None:
    fed.put(told(1, "a-W08-1"))
    fed.put(feedback(2, ("a-W08-1", "1"), ("a-W08-1", "1"), ("unknown", "2")))
    fed.put(feedback(3, ("a-W08-1", "1")))
    fed.feed.turn()
    assert fed.reader.feedback() == {
        "W08": {"told": 1, "accepted": 0, "justified": 1, "ignored": 0}
    }


def garbage(path: Path) -> None:
    path.write_bytes(os.urandom(8_192))


def truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def emptied(path: Path) -> None:
    os.truncate(path, 0)


def deleted(path: Path) -> None:
    path.unlink()


def without_tables(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("drop table fact")


def with_another_secret(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("update meta set value = zeroblob(60) where key = 'secret'")


@pytest.mark.parametrize(
    "harm", [garbage, truncated, emptied, deleted, without_tables, with_another_secret]
)
def test_a_file_that_is_harmed_is_made_anew_and_its_reader_errs_clearly(
    fed: Fed, harm: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeding, "CHORES_S", 0.1)
    fed.put(settlement(1))
    fed.feed.turn()
    fed.feed.chores()
    fed.writer.close()
    fed.reader.close()
    for name in ("live.db-wal", "live.db-shm"):
        (fed.directory / name).unlink(missing_ok=True)
    path = fed.directory / "live.db"
    harm(path)
    with pytest.raises(StoreError) as caught:
        fed.visits()
    assert PERSON not in str(caught.value)
    fed.reader.close()
    fed.open()
    run(fed, lambda: fed.visits() == 1)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_locked_file_delays_and_loses_nothing(fed: Fed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_tables, "_BUSY_TIMEOUT_S", 0.05)
    fed.writer.close()
    fed.open()
    fed.put(settlement(1))
    fed.feed.turn()
    other = sqlite3.connect(fed.directory / "live.db", isolation_level=None)
    other.execute("begin immediate")
    fed.put(settlement(2))
    with pytest.raises(StoreError, match="refused a write"):
        fed.feed.turn()
    assert fed.visits() == 1
    other.execute("rollback")
    other.close()
    fed.feed.turn()
    assert fed.visits() == 2


def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    # Mode bits do not hold back the administrator; a file in its place does.
    (tmp_path / "node").write_bytes(b"")
    with pytest.raises(StoreError, match="cannot be written"):
        LiveWriter(tmp_path / "node", Vault(VAULT_KEY))


@pytest.mark.parametrize("is_replaced", [False, True], ids=["taken away", "replaced"])
def test_a_file_that_goes_while_it_is_written_is_made_anew(
    fed: Fed, monkeypatch: pytest.MonkeyPatch, *, is_replaced: bool
) -> None:
    monkeypatch.setattr(feeding, "CHORES_S", 0.1)
    fed.ticks.step = 0.05
    fed.put(settlement(1))
    fed.feed.turn()
    fed.feed.chores()
    path = fed.directory / "live.db"
    path.unlink()
    if is_replaced:
        path.write_bytes(b"no database")
    # Nothing new comes in: the chores notice it.
    run(fed, lambda: fed.visits() == 1 and fed.reader.is_built)
    assert path.stat().st_mode & 0o777 == 0o600
