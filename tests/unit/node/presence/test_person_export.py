"""What a person gets: everything that terminals, asks and operators left here of their face."""

from __future__ import annotations

import json
from base64 import b64decode
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from node.domain.presence import Reason
from node.presence.overriding import Override, let_pass
from node.presence.person_export import export_person
from node.store.presence import Ask
from protos.yixin.v1 import edge_pb2
from security.devices.signed_events import verify_event
from security.moments import to_ms
from tests.support.node_messages import HOSPITAL, PERSON
from tests.support.presence_desk import AT, BY, Desk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OTHER = "33030000000000000000100002"
PICTURE = b"\xff\xd8\xff" + bytes(range(200)) * 3


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A window that saw two people, both mismatches with a picture."""
    made = Desk(tmp_path / "node", crop_days=30)
    for person in (PERSON, OTHER):
        made.one(person=person, score_e4=1200, crop=PICTURE)
    made.one(person=PERSON)
    until_ms = to_ms(AT + timedelta(hours=1))
    asks = [
        Ask(
            id=f"ask-{person}",
            device=made.window.row.id,
            purpose="bed_check",
            person=person,
            visit="V1",
            label="3-12",
            until_ms=until_ms,
        )
        for person in (PERSON, OTHER)
    ]
    made.store.edge.presence.add_asks(asks)
    for person in (PERSON, OTHER):
        asked = Override(
            institution=HOSPITAL,
            person=person,
            visit="",
            reason=Reason.MANUAL,
            words="摄像头损坏",
        )
        let_pass(made.store, asked, BY)
    yield made
    made.close()


def exported(desk: Desk, path: Path) -> dict[str, Any]:
    export_person(desk.store, PERSON, path, BY)
    return dict(json.loads(path.read_text()))


def test_what_terminals_saw_is_there_as_it_was_signed(desk: Desk, tmp_path: Path) -> None:
    content = exported(desk, tmp_path / "person.json")
    mismatch, match = content["events"]

    assert (mismatch["verdict"], match["verdict"]) == ("mismatch", "match")
    assert b64decode(mismatch["picture_jpeg_base64"]) == PICTURE
    assert match["picture_jpeg_base64"] is None
    signed = edge_pb2.SignedEvent.FromString(b64decode(match["signed_event_base64"]))
    verify_event(desk.window.key.verifying.public_key, signed.body, signed.signature)
    event = edge_pb2.PresenceEvent.FromString(signed.body)
    assert event.person == PERSON
    # And in words that the person can read.
    read = match["event"]
    assert (read["person"], read["score_e4"]) == (PERSON, event.score_e4)
    assert (read["result"], read["liveness"]) == (
        "PRESENCE_RESULT_COMPARED",
        edge_pb2.Liveness.Name(event.liveness),
    )
    assert read["model"] == event.model.hex()
    assert [one["id"] for one in content["asks"]] == [f"ask-{PERSON}"]
    assert [one["told"]["person"] for one in content["overrides"]] == [PERSON]
    assert len(content["identity_event"]) == 3
    assert OTHER not in json.dumps(content)


def test_pictures_that_were_deleted_are_not_given_out(desk: Desk, tmp_path: Path) -> None:
    presence, digest = desk.store.edge.presence, desk.store.edge.templates.digest
    assert presence.drop_pictures(digest(PERSON), BY) == 1
    assert presence.drop_pictures(digest(PERSON), BY) == 0
    content = exported(desk, tmp_path / "person.json")
    assert [one["picture_jpeg_base64"] for one in content["events"]] == [None, None]
    assert presence.due(date(2027, 1, 1), 4_000)["face_crop"] == {202608: 1}
    assert desk.store.desk.entries(2)[1].action == "crop_delete"


def test_a_picture_stands_only_where_it_can_be_deleted(desk: Desk, tmp_path: Path) -> None:
    content = exported(desk, tmp_path / "person.json")
    signed = edge_pb2.SignedEvent.FromString(b64decode(content["events"][0]["signed_event_base64"]))
    assert PICTURE not in signed.body
    # With the picture, while it is kept, it is what the device signed.
    event = edge_pb2.PresenceEvent.FromString(signed.body)
    event.crop = b64decode(content["events"][0]["picture_jpeg_base64"])
    key = desk.window.key.verifying.public_key
    verify_event(key, event.SerializeToString(), signed.signature)


def test_a_picture_that_nobody_asked_for_is_not_kept(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "node", crop_days=0)
    desk.one(score_e4=1200, crop=PICTURE)
    content = exported(desk, tmp_path / "person.json")
    desk.close()
    assert PICTURE not in b64decode(content["events"][0]["signed_event_base64"])
    assert content["events"][0]["picture_jpeg_base64"] is None
