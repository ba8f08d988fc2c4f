"""Deliveries: every event exactly once, in order, with its record; what is not sound stays out."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from node.errors import DeviceRefusedError, PresenceError, StoreError
from node.presence.events import MAX_EVENTS
from node.store.operator_log import OperatorLog
from protos.yixin.v1 import edge_pb2
from security.devices.signed_events import sign_event
from security.moments import to_ms
from tests.support.node_messages import HOSPITAL, PERSON, PHARMACY
from tests.support.presence_desk import AT, THRESHOLD, Desk, Terminal, announce, join

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    opened = Desk(tmp_path / "node")
    yield opened
    opened.close()


def seqs(desk: Desk) -> list[int]:
    return [int(row["record_id"].rsplit(":")[-1]) for row in desk.rows()]


def test_an_event_becomes_a_record_with_the_node_s_own_verdict(desk: Desk) -> None:
    delivered = desk.deliver(desk.window.event(1, visit="V1", threshold_e4=9000))
    assert (delivered.through, delivered.refused) == (1, ())
    (row,) = desk.rows()
    assert row == {
        "record_id": row["record_id"],
        "institution": HOSPITAL,
        "month": 202607,
        "person": PERSON,
        "mdtrt_id": "V1",
        "at": (AT + timedelta(hours=8, seconds=-59)).replace(tzinfo=None),
        "place": "window",
        "result": "match",
        "score_e4": 5300,
        "override_reason": None,
        "staff": None,
        "threshold_e4": THRESHOLD,
        "liveness": "live",
        "model": "07" * 8,
        "reason_code": None,
        "device": f"yixin-device://{HOSPITAL}/window/w1",
    }
    # The display had another threshold and said otherwise.
    assert desk.events() == [(1, "match", "", "", "differs")]


def test_what_comes_again_is_skipped_and_what_comes_late_waits(desk: Desk) -> None:
    events = {seq: desk.window.event(seq) for seq in range(1, 8)}
    assert desk.deliver(events[1], events[2]).through == 2
    assert desk.deliver(events[1], events[2], events[3]).through == 3
    # Behind a gap nothing is taken, and nothing before it is given up.
    assert desk.deliver(events[5], events[6]).through == 3
    assert desk.deliver(events[5], events[4]).through == 3
    assert desk.deliver(events[4], events[6]).through == 4
    assert desk.deliver(events[4], events[5], events[5], events[7]).through == 5
    assert desk.deliver(events[6], events[7]).through == 7
    assert seqs(desk) == [1, 2, 3, 4, 5, 6, 7]
    assert [one[0] for one in desk.events()] == [1, 2, 3, 4, 5, 6, 7]


def test_every_queue_of_every_device_goes_on_its_own(desk: Desk) -> None:
    other = join(desk.store, name="w2")
    desk.deliver(desk.window.event(1), desk.window.event(2))
    later = to_ms(AT) - 5_000
    assert desk.deliver(other.event(1, at_ms=later), terminal=other).through == 1
    # A device that lost its disk begins another queue.
    anew = Terminal(row=desk.window.row, key=desk.window.key, queue=secrets.token_bytes(16))
    announce(desk.store, anew)
    assert desk.deliver(anew.event(1, at_ms=later + 1000), terminal=anew).through == 1
    assert len(desk.rows()) == 4


def test_a_device_that_takes_the_queue_of_another_names_no_record_of_it(desk: Desk) -> None:
    other = join(desk.store, name="w2")
    other.queue = desk.window.queue
    announce(desk.store, other)
    desk.deliver(desk.window.event(1, score_e4=100))
    desk.deliver(other.event(1, person="P9"), terminal=other)
    assert {row["result"] for row in desk.rows()} == {"mismatch", "match"}
    assert len({row["record_id"] for row in desk.rows()}) == 2


def test_a_queue_that_nobody_announced_is_refused(desk: Desk) -> None:
    stranger = Terminal(row=desk.window.row, key=desk.window.key)
    with pytest.raises(DeviceRefusedError, match="did not announce"):
        desk.deliver(stranger.event(1), terminal=stranger)
    assert desk.rows() == []


def test_what_was_refused_stays_refused_and_is_told_again(desk: Desk) -> None:
    ahead = desk.window.event(1, at_ms=to_ms(AT + timedelta(minutes=6)))
    first = desk.deliver(ahead, desk.window.event(2))
    assert (first.through, [(one.seq, one.code) for one in first.refused]) == (2, [(1, "clock")])
    assert "set the device's clock" in first.refused[0].detail
    again = desk.deliver(ahead, desk.window.event(2), now=AT + timedelta(hours=1))
    assert (again.through, [(one.seq, one.code) for one in again.refused]) == (2, [(1, "clock")])
    assert seqs(desk) == [2]
    log = OperatorLog(desk.store._connection)  # noqa: SLF001 - the log as it stands
    told = [(one.action, one.detail) for one in log.entries(10)]
    assert ("presence_refused", "clock 1") in told


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"at_ms": to_ms(AT + timedelta(minutes=5, seconds=1))}, "clock"),
        ({"at_ms": to_ms(AT + timedelta(minutes=5))}, ""),
        ({"at_ms": to_ms(AT - timedelta(days=30))}, ""),
        ({"at_ms": to_ms(AT - timedelta(days=30, seconds=1))}, "age"),
        ({"at_ms": -1}, "form"),
        ({"at_ms": 2**62}, "form"),
        ({"purpose": edge_pb2.PRESENCE_PURPOSE_BED_CHECK}, "place"),
        ({"purpose": edge_pb2.PRESENCE_PURPOSE_DUTY}, "place"),
        ({"purpose": edge_pb2.PRESENCE_PURPOSE_UNSPECIFIED}, "form"),
        ({"person": ""}, "form"),
        ({"person": "9" * 31}, "form"),
        ({"person": "张三"}, "form"),
        ({"visit": "a b"}, "form"),
        ({"result": edge_pb2.PRESENCE_RESULT_UNSPECIFIED}, "form"),
        ({"score_e4": 10_001}, "form"),
        ({"score_e4": -10_001}, "form"),
        ({"model": b"\x07"}, "form"),
        ({"model": b""}, "form"),
        ({"liveness": edge_pb2.LIVENESS_UNSPECIFIED}, "form"),
        ({"liveness": 17}, "form"),
        ({"cause": edge_pb2.UNJUDGED_CAUSE_DARK}, "form"),
        ({"result": edge_pb2.PRESENCE_RESULT_UNJUDGED}, "form"),
        ({"reason": 9}, "form"),
        ({"reason": edge_pb2.REASON_CODE_MANUAL, "staff": "N1", "reason_text": "x" * 201}, "form"),
        ({"reason": edge_pb2.REASON_CODE_MANUAL, "staff": "N1", "reason_text": "a\nbcd"}, "form"),
        ({"crop": b"no picture"}, "form"),
        ({"crop": b"\xff\xd8\xff" + bytes(48 * 1024)}, "form"),
        ({"round": "../../x"}, "form"),
    ],
)
def test_an_event_that_breaks_a_rule_is_refused_and_the_queue_goes_on(
    desk: Desk, changes: dict[str, Any], code: str
) -> None:
    assert desk.one(**changes) == code
    assert len(desk.rows()) == (0 if code else 1)
    assert desk.one() == ""


def test_what_the_device_did_not_sign_is_not_taken_nor_given_up(desk: Desk) -> None:
    body, signature = desk.window.event(2)
    forger = join(desk.store, name="w9")
    forged = forger.event(2, queue=desk.window.queue)
    for event in (
        forged,
        (body, bytes(64)),
        (body, b""),
        (body, signature + b"\0"),
        (body + b"\0", signature),
        (b"", signature),
    ):
        with pytest.raises(PresenceError, match="not signed"):
            desk.deliver(desk.window.event(1), event)
    assert (desk.rows(), desk.events()) == ([], [])
    assert desk.deliver(desk.window.event(1), (body, signature)).through == 2


def test_a_delivery_that_cannot_be_read_is_refused_whole(desk: Desk) -> None:
    window = desk.window
    with pytest.raises(PresenceError, match="expected 1 to 256"):
        desk.deliver()
    with pytest.raises(PresenceError, match="found 257"):
        desk.deliver(*[window.event(1)] * (MAX_EVENTS + 1))
    with pytest.raises(PresenceError, match="format 2"):
        desk.deliver(window.event(1, format=2))
    with pytest.raises(PresenceError, match="place in a queue"):
        desk.deliver(window.event(0))
    with pytest.raises(PresenceError, match="place in a queue"):
        desk.deliver(window.event(1, queue=b"short"))
    with pytest.raises(PresenceError, match="2 queues"):
        desk.deliver(window.event(1), window.event(2, queue=bytes(16)))
    with pytest.raises(PresenceError, match="expected at most"):
        desk.deliver(window.event(1, crop=b"\xff\xd8\xff" + bytes(70_000)))
    assert desk.rows() == []


def test_nothing_rides_along_with_an_event(desk: Desk) -> None:
    """A picture in a field of no form, one that was written twice, a text without end."""
    window = desk.window
    body, _ = window.event(1)
    pictured, _ = window.event(1, crop=b"\xff\xd8\xff" + b"Q" * 3_000)
    long, _ = window.event(1, person="9" * 50_000)
    riders = (body + b"\xfa\x3f\x05photo", pictured + b"\xb2\x01\x00", long)
    for rider, problem in zip(
        riders, ("twice or unknown", "twice or unknown", "beside"), strict=True
    ):
        with pytest.raises(PresenceError, match=problem):
            desk.deliver((rider, sign_event(window.key, rider)))
    assert desk.events() == []
    assert desk.deliver(window.event(1)).through == 1


def test_an_institution_that_is_not_of_this_node_delivers_nothing(desk: Desk) -> None:
    other = join(desk.store, institution="H99999999999")
    with pytest.raises(PresenceError, match="no institution of this node"):
        desk.deliver(other.event(1), terminal=other)


def test_records_and_the_queue_move_together_or_not_at_all(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = [desk.window.event(seq) for seq in (1, 2)]
    records = desk.store._records  # noqa: SLF001 - where a write can fail

    def fail(_batch: object) -> None:
        raise StoreError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(records, "add", fail)
        with pytest.raises(StoreError, match="disk"):
            desk.deliver(*events)
    with monkeypatch.context() as patched:
        patched.setattr(desk.store.edge.presence, "put", fail)
        with pytest.raises(StoreError, match="disk"):
            desk.deliver(*events)
    assert (desk.rows(), desk.events()) == ([], [])
    assert desk.store.edge.devices.queue_mark(desk.window.row.id, desk.window.queue) == 0
    assert desk.deliver(*events).through == 2
    assert seqs(desk) == [1, 2]


def test_a_queue_that_moved_meanwhile_is_not_moved_twice(desk: Desk) -> None:
    taken = desk.window.event(1)
    desk.deliver(taken)
    devices = desk.store.edge.devices
    mark = devices.queue_mark
    devices.queue_mark = lambda *_: 0  # type: ignore[method-assign]  # as if it had been read before
    with pytest.raises(StoreError, match="moved meanwhile"):
        desk.deliver(taken)
    devices.queue_mark = mark  # type: ignore[method-assign]
    assert len(desk.rows()) == 1


def test_a_node_restored_from_an_older_backup_gets_its_events_again(tmp_path: Path) -> None:
    first, second = Desk(tmp_path / "one"), Desk(tmp_path / "two")
    events = [first.window.event(seq) for seq in range(1, 6)]
    assert first.deliver(*events).through == 5
    # The second node is the first one as it was before the third event.
    row = replace(second.window.row, signing_key=first.window.row.signing_key)
    terminal = Terminal(row=row, key=first.window.key, queue=first.window.queue)
    announce(second.store, terminal)
    second.deliver(*events[:2], terminal=terminal)
    assert announce(second.store, terminal, oldest=1, newest=5) == 2
    assert second.deliver(*events[2:], terminal=terminal).through == 5
    assert second.rows() == first.rows()
    for one in (first, second):
        one.close()


def test_nothing_of_a_person_stands_in_clear(desk: Desk, tmp_path: Path) -> None:
    desk.one(visit="VISIT-IN-CLEAR", staff="N-IN-CLEAR")
    content = b"".join(path.read_bytes() for path in (tmp_path / "node").glob("node.db*"))
    for text in (PERSON, "VISIT-IN-CLEAR", "N-IN-CLEAR"):
        assert text.encode() not in content
    digest = desk.store.edge.templates.digest(PERSON)
    ((held, signed, crop),) = desk.store.edge.presence.of_person(digest)
    assert (held.verdict, crop) == ("match", None)
    event = edge_pb2.PresenceEvent.FromString(edge_pb2.SignedEvent.FromString(signed).body)
    assert event.person == PERSON


@pytest.mark.parametrize(
    ("days", "score", "kept"), [(0, 4000, False), (30, 4000, True), (30, 5300, False)]
)
def test_a_picture_is_kept_of_a_mismatch_where_it_is_wanted(
    tmp_path: Path, *, days: int, score: int, kept: bool
) -> None:
    desk = Desk(tmp_path / "node", crop_days=days)
    picture = b"\xff\xd8\xff picture"
    desk.one(score_e4=score, crop=picture)
    presence = desk.store.edge.presence
    ((_, _, crop),) = presence.of_person(desk.store.edge.templates.digest(PERSON))
    assert crop == (picture if kept else None)
    day = AT.date()
    assert bool(presence.due(day + timedelta(days=30), 2000)["face_crop"]) == kept
    assert presence.due(day + timedelta(days=29), 2000)["face_crop"] == {}
    desk.close()


def test_a_pharmacist_on_duty_is_a_record_of_its_own(desk: Desk) -> None:
    counter = join(desk.store, "pharmacy", "p1", PHARMACY)
    duty = {"purpose": edge_pb2.PRESENCE_PURPOSE_DUTY, "person": "D330302000101"}
    assert desk.one(counter, **duty) == ""
    assert desk.one(counter, **duty, reason=edge_pb2.REASON_CODE_MANUAL, staff="N1") == "reason"
    (row,) = desk.rows("duty_event")
    # No calibration at the pharmacy: nothing is judged there.
    assert (row["institution"], row["staff"], row["result"]) == (
        *(PHARMACY, "D330302000101", "unjudged"),
    )
