"""The live state follows the records: caught up, begun again, and told what became of warnings."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from node.errors import StoreError
from node.store.live_facts import FactKind
from node.store.live_reader import LiveReader
from node.store.live_state import LiveWriter
from node.store.news import NO_MARK
from node.supervision import feeding
from node.supervision.feeding import LiveFeed
from security.at_rest import Vault
from tests.support.live_checks import Ticks, book
from tests.support.node_messages import (
    PERSON,
    VAULT_KEY,
    answered,
    envelope,
    ingest_documents,
    open_store,
    settlement,
)

NOW = datetime(2026, 3, 20, tzinfo=UTC)


class Fed:
    """A store with its feed."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.store = open_store(directory)
        self.beside = open_store(directory, writer=False)
        self.vault = Vault(VAULT_KEY)
        self.ticks = Ticks()
        self.counts: dict[str, int] = {}
        self.open()

    def open(self) -> None:
        self.writer = LiveWriter(self.directory, self.vault)
        self.reader = LiveReader(self.directory, self.vault)
        self.feed = LiveFeed(
            self.beside,
            self.writer,
            book(),
            now=lambda: NOW,
            ticks=self.ticks,
            take_counts=lambda: self.counts,
        )

    def put(self, *documents: dict[str, Any]) -> None:
        name = f"{self.store.ledger_size()}-{len(documents)}.jsonl"
        ingest_documents(self.store, self.directory / name, documents)

    def visits(self) -> int:
        self.reader.look()
        found = self.reader.person(self.reader.digests.person(PERSON))
        return sum(fact.kind == FactKind.SETTLEMENT for fact in found)

    def close(self) -> None:
        for one in (self.reader, self.writer, self.beside, self.store):
            one.close()


@pytest.fixture
def fed(tmp_path: Path) -> Iterator[Fed]:
    opened = Fed(tmp_path / "node")
    yield opened
    opened.close()


def told(number: int, *warnings: str) -> dict[str, Any]:
    """A call that was told warnings, as it is kept."""
    result = [
        {"jr_id": one, "warn_id": "W08", "rule_id": "M01", "answer": "warn", "vola_amt": 25.0}
        for one in warnings
    ]
    return answered(envelope("3101", number, {"data": {"syscode": "EDGE"}}), {"result": result})


def feedback(number: int, *ways: tuple[str, str]) -> dict[str, Any]:
    warns = [
        {"warn_rslt_id": one, "dspo_way": way, "dspo_way_rea": "病情需要"} for one, way in ways
    ]
    body = {"data": {"warn_type": "1", "warns": warns}}
    return answered(envelope("3103", number, body), {})


def test_records_are_followed(fed: Fed) -> None:
    assert fed.feed.turn() is False
    fed.put(settlement(1))
    assert fed.feed.turn() is False
    assert fed.visits() == 1
    fed.put(settlement(2))
    fed.feed.turn()
    assert fed.visits() == 2
    assert fed.writer.applied.size == fed.store.ledger_size()


def test_a_start_catches_up_from_the_mark(fed: Fed) -> None:
    fed.put(settlement(1))
    fed.feed.turn()
    fed.feed.chores()
    fed.writer.close()
    fed.put(settlement(2))
    fed.store.flush()
    fed.open()
    assert fed.writer.applied.size == 1
    assert fed.feed.turn() is True
    assert fed.visits() == 2


def test_much_is_applied_in_pieces(fed: Fed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeding, "APPLY_ROWS", 1)
    fed.put(*[settlement(number) for number in range(1, 6)])
    fed.store.flush()
    assert fed.feed.turn() is True
    assert fed.visits() == 5
    assert fed.writer.applied.size == 5


def test_a_state_that_is_lost_is_made_of_the_records_again(fed: Fed) -> None:
    fed.put(settlement(1), told(2, "a-W08-1"), feedback(3, ("a-W08-1", "2")))
    fed.feed.turn()
    before = fed.reader.feedback()
    fed.writer.close()
    for path in fed.directory.glob("live.db*"):
        path.unlink()
    fed.open()
    assert fed.writer.applied == NO_MARK
    fed.feed.turn()
    assert fed.visits() == 1
    assert (
        fed.reader.feedback()
        == before
        == {"W08": {"told": 1, "accepted": 1, "justified": 0, "ignored": 0}}
    )


def test_feedback_finds_its_warning(fed: Fed) -> None:
    fed.put(told(1, "a-W08-1", "a-W08-2", "a-W08-3"))
    fed.feed.turn()
    fed.put(feedback(2, ("a-W08-1", "1"), ("a-W08-2", "2"), ("elsewhere", "1")))
    fed.feed.turn()
    assert fed.reader.feedback() == {
        "W08": {"told": 3, "accepted": 1, "justified": 1, "ignored": 1}
    }


def test_warnings_of_a_platform_are_not_ours(fed: Fed) -> None:
    request = envelope("3101", 1, {"data": {"syscode": "EDGE"}})
    fed.put(answered(request, {"result": [{"jr_id": "x", "rule_id": "R01"}]}))
    fed.feed.turn()
    assert fed.reader.feedback() == {}


def test_the_state_is_known_to_be_up_to_date(fed: Fed) -> None:
    assert not fed.reader.is_built
    fed.counts = {"asked": 3}
    fed.feed.chores()
    assert fed.reader.is_built
    first = fed.reader.fed
    fed.feed.chores()
    assert fed.reader.fed == first
    fed.ticks.now += feeding.CHORES_S
    fed.feed.chores()
    assert fed.reader.fed != first
    assert fed.reader.counted() == {"asked": 6}
    assert fed.reader.knowledge_digest() is not None
    assert fed.feed.institutions == fed.store.institution_codes()


def test_a_state_of_another_store_is_begun_again(fed: Fed, tmp_path: Path) -> None:
    fed.put(settlement(1))
    fed.feed.turn()
    fed.feed.chores()
    other = Fed(tmp_path / "other")
    try:
        other.put(settlement(2), settlement(3))
        other.writer.close()
        fed.writer.close()
        for path in fed.directory.glob("live.db*"):
            (other.directory / path.name).write_bytes(path.read_bytes())
        other.open()
        assert other.writer.applied.size == 1
        run(other, lambda: other.visits() == 2)
        assert other.writer.applied.size == 2
    finally:
        other.close()
        fed.open()


def run(fed: Fed, is_done: Callable[[], bool], seconds: float = 20) -> None:
    """Let a feed run until something is so."""
    thread = threading.Thread(target=fed.feed.run)
    thread.start()
    waited = threading.Event()
    try:
        for _ in range(int(seconds / 0.05)):
            try:
                if is_done():
                    return
            except Exception:  # noqa: BLE001, S110  # the state may just be made anew
                pass
            waited.wait(0.05)
        raise AssertionError("it did not come to it")
    finally:
        fed.feed.stop()
        thread.join()


def test_a_running_feed_mends_a_state_that_is_taken_away(
    fed: Fed, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(feeding, "CHORES_S", 0.1)
    fed.put(settlement(1))
    fed.ticks.step = 0.05

    fed.feed.turn()
    fed.feed.chores()
    for path in fed.directory.glob("live.db*"):
        path.unlink()
    fed.put(settlement(2))
    monkeypatch.setattr(fed.writer, "apply", _failing(fed.writer))
    run(fed, lambda: fed.visits() == 2)
    assert "could not be fed" in caplog.text
    assert PERSON not in caplog.text


def _failing(writer: LiveWriter) -> Callable[..., int]:
    """Fail as a lost file does, once."""
    apply, failed = writer.apply, list[int]()

    def once(*given: object) -> int:
        if not failed:
            failed.append(1)
            raise StoreError("the live state refused a write (disk I/O error)")
        return apply(*given)  # type: ignore[arg-type]  # as they came

    return once


def test_months_that_were_deleted_are_forgotten(fed: Fed) -> None:
    fed.put(settlement(1))
    fed.feed.turn()
    fed.store.flush()
    fed.store.drop_months("settlement", [202_603])
    fed.feed.chores()
    assert fed.visits() == 0
