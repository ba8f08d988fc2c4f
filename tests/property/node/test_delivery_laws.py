"""Laws of deliveries: whatever comes in whatever order, every event is held once, and in order."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.errors import PresenceError
from node.presence.events import Event, read_events
from protos.yixin.v1 import edge_pb2
from security.devices.signed_events import sign_event
from security.keys import SigningKey
from tests.support.presence_desk import Desk

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = SigningKey.generate(post_quantum=False)
NEWEST = 12


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    with TemporaryDirectory() as directory:
        yield Path(directory)


calls = st.lists(st.lists(st.integers(1, NEWEST), min_size=1, max_size=6), min_size=1, max_size=8)


@settings(max_examples=15, deadline=None)
@given(drawn=calls, broken=st.sets(st.integers(1, NEWEST), max_size=3))
def test_every_event_is_held_once_and_in_order(
    home: Path, drawn: list[list[int]], broken: set[int]
) -> None:
    with TemporaryDirectory(dir=home) as directory:
        desk = Desk(Path(directory) / "node")
        events = {
            seq: desk.window.event(seq, **({"person": ""} if seq in broken else {}))
            for seq in range(1, NEWEST + 1)
        }
        through = 0
        for call in drawn:
            delivered = desk.deliver(*(events[seq] for seq in call))
            for seq in call:
                if seq > through + 1:
                    break
                through = max(through, seq)
            assert delivered.through == through
            assert {one.seq for one in delivered.refused} <= broken & set(call)
        # What a device does after all of it: from where the node is, in order.
        delivered = desk.deliver(*(events[seq] for seq in range(1, NEWEST + 1)))
        assert delivered.through == NEWEST
        assert {one.seq for one in delivered.refused} == broken
        assert [one[0] for one in desk.events()] == list(range(1, NEWEST + 1))
        held = [int(row["record_id"].rsplit(":")[-1]) for row in desk.rows()]
        assert held == [seq for seq in range(1, NEWEST + 1) if seq not in broken]
        desk.close()


@given(body=st.binary(max_size=200), signature=st.binary(max_size=80))
def test_any_bytes_are_no_event_of_a_device(body: bytes, signature: bytes) -> None:
    with pytest.raises(PresenceError, match="not signed"):
        read_events([(body, signature)], KEY.verifying.public_key)


@given(body=st.binary(max_size=200))
def test_any_bytes_that_are_signed_are_an_event_or_refused(body: bytes) -> None:
    try:
        queue, read = read_events([(body, sign_event(KEY, body))], KEY.verifying.public_key)
    except PresenceError:
        return
    assert (len(queue), len(read)) == (16, 1)


fields = st.fixed_dictionaries(
    {"format": st.just(1), "queue": st.binary(min_size=16, max_size=16)},
    optional={
        "seq": st.integers(0, 2**64 - 1),
        "at_ms": st.integers(-(2**63), 2**63 - 1),
        "purpose": st.integers(0, 5),
        "person": st.text(max_size=40),
        "visit": st.text(max_size=40),
        "result": st.integers(0, 6),
        "score_e4": st.integers(-(2**31), 2**31 - 1),
        "threshold_e4": st.integers(-(2**31), 2**31 - 1),
        "model": st.binary(max_size=40),
        "liveness": st.integers(0, 5),
        "cause": st.integers(0, 20),
        "reason": st.integers(0, 7),
        "reason_text": st.text(max_size=220),
        "staff": st.text(max_size=40),
        "proxy": st.text(max_size=40),
        "round": st.text(max_size=70),
        "crop": st.binary(max_size=40),
    },
)


@given(drawn=fields)
def test_a_signed_event_of_any_values_is_judged_or_refused(drawn: dict[str, object]) -> None:
    body = edge_pb2.PresenceEvent(**drawn).SerializeToString()  # type: ignore[arg-type]  # values of its fields
    try:
        _, (one,) = read_events([(body, sign_event(KEY, body))], KEY.verifying.public_key)
    except PresenceError:
        assert not 1 <= int(str(drawn.get("seq", 0))) < 2**63
        return
    if isinstance(one, Event):
        assert one.person.isascii()
        assert one.moment.year >= 2000
        assert one.found.score_e4 is None or abs(one.found.score_e4) <= 10_000
