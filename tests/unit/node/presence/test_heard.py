"""A delivered event is heard at the counter: W04 and M35 follow it without a restart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from node.api.his.own_faults import place_of
from node.api.his.prechecks import PreChecks
from node.intake.group import latest_moment
from node.intake.messages import Envelope
from node.store.live_reader import LiveReader
from node.store.live_state import LiveWriter
from node.supervision.feeding import LiveFeed
from node.supervision.judging import Judging
from node.supervision_settings import SupervisionSettings
from protos.yixin.v1 import edge_pb2
from scoring_kernel import load_catalog
from security.at_rest import Vault
from security.moments import to_ms
from tests.support.live_checks import Ticks, book, encounter, request
from tests.support.node_messages import HOSPITAL, PERSON, PHARMACY, VAULT_KEY, open_store
from tests.support.presence_desk import Desk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ASKED = datetime(2026, 3, 18, 1, 50, 39, tzinfo=UTC)
"""Moment of the calls below."""
VISIT = "330302G0000000100001"


class Counter:
    """A node with its desk, its live state as the daemon feeds it, and a counter that asks."""

    def __init__(self, directory: Path) -> None:
        self.desk = Desk(directory)
        self.beside = open_store(directory, writer=False)
        vault = Vault(VAULT_KEY)
        self.ticks = Ticks()
        self.writer = LiveWriter(directory, vault)
        self.reader = LiveReader(directory, vault)
        self.feed = LiveFeed(self.beside, self.writer, book(), now=lambda: ASKED, ticks=self.ticks)
        settings = SupervisionSettings(identity_closed=True)
        judging = Judging(book(), self.reader, settings, ticks=self.ticks, place_of=place_of)
        catalog = load_catalog()
        self.checks = PreChecks(
            judging,
            catalog.legal_basis,
            lambda: Envelope(
                transactions=catalog.transactions,
                institutions=frozenset((HOSPITAL, PHARMACY)),
                latest=latest_moment(ASKED),
            ),
        )
        self.turn()

    def turn(self) -> None:
        """What the daemon does every twentieth of a second."""
        while self.feed.turn():
            pass
        self.feed.chores()
        self.ticks.now += 2

    def verify(self, minutes_ago: float, **changes: Any) -> None:  # noqa: ANN401 - fields
        """Deliver the window's next event."""
        at_ms = to_ms(ASKED - timedelta(minutes=minutes_ago))
        window = self.desk.window
        through = self.desk.store.edge.devices.queue_mark(window.row.id, window.queue)
        event = window.event(through + 1, at_ms=at_ms, visit=VISIT, **changes)
        assert not self.desk.deliver(event, now=ASKED).refused
        self.turn()

    def told(self, infno: str = "3101", trigger: str = "1", **stated: object) -> list[str]:
        """Ask; the rules that are told, with their answers."""
        asked = request(encounter(**stated), infno=infno, trigger=trigger, person=PERSON)
        body = orjson.dumps(asked)
        answer = self.checks.find_answer(orjson.loads(body), body)
        assert answer is not None
        return [f"{one['rule_id']} {one['answer']}" for one in answer.output["result"]]

    def close(self) -> None:
        """Close everything."""
        for one in (self.reader, self.writer, self.beside, self.desk):
            one.close()


@pytest.fixture
def counter(tmp_path: Path) -> Iterator[Counter]:
    opened = Counter(tmp_path / "node")
    yield opened
    opened.close()


def test_a_match_is_heard_without_a_restart(counter: Counter) -> None:
    assert counter.told() == ["W04 block"]
    counter.verify(5)
    assert counter.told() == []
    assert counter.told("3102", "6") == []


def test_another_face_is_heard_and_its_visit_is_suspicious(counter: Counter) -> None:
    counter.verify(5, score_e4=2000)
    assert counter.told() == ["M35 block"]
    assert counter.told("3102", "6") == ["M35 block"]
    counter.verify(4)
    assert counter.told() == []


def test_what_was_not_judged_passes_nothing(counter: Counter) -> None:
    counter.verify(5, liveness=edge_pb2.LIVENESS_NOT_CHECKED)
    counter.verify(4, model=b"\x09" * 32)
    assert counter.told() == ["W04 block"]


def test_somebody_s_reason_is_heard(counter: Counter) -> None:
    counter.verify(
        5,
        result=edge_pb2.PRESENCE_RESULT_ABSENT,
        model=b"",
        liveness=0,
        reason=edge_pb2.REASON_CODE_VOUCHER,
        staff="N1",
    )
    assert counter.told() == []


@pytest.mark.parametrize("med_type", ["13", "120", "210104"])
@pytest.mark.parametrize(("infno", "trigger"), [("3101", "1"), ("3102", "6")])
def test_an_emergency_goes_on_whatever_was_delivered(
    counter: Counter, med_type: str, infno: str, trigger: str
) -> None:
    assert counter.told(infno, trigger, med_type=med_type) == []
    counter.verify(5, result=edge_pb2.PRESENCE_RESULT_SPOOF, model=b"", liveness=0)
    assert counter.told(infno, trigger, med_type=med_type) == []
    assert counter.told(infno, trigger) == ["M35 block"]
