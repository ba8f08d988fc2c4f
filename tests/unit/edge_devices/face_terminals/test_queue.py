"""The queue: durable, in order, without gaps, bounded, sealed."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from edge_devices.errors import QueueError
from edge_devices.face_terminals.events import sign_again, sign_event
from edge_devices.face_terminals.queue import EventQueue
from protos.yixin.v1 import edge_pb2
from security.at_rest import Vault
from security.devices.signed_events import verify_event
from security.keys import SigningKey
from tests.support.terminals import NOW, PERSON, event

if TYPE_CHECKING:
    from pathlib import Path

KEY = SigningKey.generate(post_quantum=False)
VAULT = Vault(bytes(32))


def opened(directory: Path, **limits: int) -> EventQueue:
    return EventQueue(directory / "queue.db", VAULT, **limits)


def put(queue: EventQueue, person: str = PERSON) -> int:
    return queue.put(lambda of, seq: sign_event(event(person), of, seq, KEY))


def fill(queue: EventQueue) -> int:
    """Put events until one is refused; the last that was taken."""
    last = 0
    with suppress(QueueError):
        for _ in range(1000):
            last = put(queue)
    with pytest.raises(QueueError, match="full"):
        put(queue)
    return last


def bodies(queue: EventQueue, after: int = 0) -> list[edge_pb2.PresenceEvent]:
    found = queue.after(after, max_events=1000, max_bytes=1 << 30)
    return [
        edge_pb2.PresenceEvent.FromString(edge_pb2.SignedEvent.FromString(one.signed).body)
        for one in found
    ]


def test_events_get_numbers_from_one_and_are_there_after_reopening(tmp_path: Path) -> None:
    queue = opened(tmp_path)
    assert [put(queue) for _ in range(3)] == [1, 2, 3]
    queue.close()
    again = opened(tmp_path)
    assert again.id == queue.id
    assert [(one.queue, one.seq) for one in bodies(again)] == [(queue.id, n) for n in (1, 2, 3)]
    assert put(again) == 4
    signed = edge_pb2.SignedEvent.FromString(again.after(3, max_events=1, max_bytes=1)[0].signed)
    verify_event(KEY.verifying.public_key, signed.body, signed.signature)


def test_a_batch_is_bounded_and_gives_one_in_any_case(tmp_path: Path) -> None:
    queue = opened(tmp_path)
    for _ in range(5):
        put(queue)
    assert [one.seq for one in queue.after(0, max_events=3, max_bytes=1 << 20)] == [1, 2, 3]
    assert [one.seq for one in queue.after(2, max_events=3, max_bytes=1)] == [3]


def test_what_failed_to_be_made_leaves_no_gap(tmp_path: Path) -> None:
    queue = opened(tmp_path)
    put(queue)

    def broken(_queue: bytes, _seq: int) -> bytes:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        queue.put(broken)
    assert put(queue) == 2


def test_a_full_queue_takes_nothing_and_loses_nothing(tmp_path: Path) -> None:
    queue = opened(tmp_path, max_bytes=2000)
    last = fill(queue)
    assert queue.span.waiting == queue.span.newest == last
    queue.settle(2, NOW)
    assert put(queue) == last + 1
    assert queue.span.oldest == 3


def test_the_bound_holds_after_reopening(tmp_path: Path) -> None:
    queue = opened(tmp_path, max_bytes=2000)
    fill(queue)
    queue.close()
    with pytest.raises(QueueError, match="full"):
        put(opened(tmp_path, max_bytes=2000))


def test_delivered_events_are_kept_for_a_restored_node_and_then_go(tmp_path: Path) -> None:
    queue = opened(tmp_path)
    for _ in range(3):
        put(queue)
    queue.settle(2, NOW)
    assert (queue.span.oldest, queue.span.waiting) == (1, 1)
    queue.settle(2, NOW + timedelta(hours=73))
    assert (queue.span.oldest, queue.span.newest) == (3, 3)
    assert put(queue) == 4


def test_a_node_that_holds_less_again_gets_them_again(tmp_path: Path) -> None:
    queue = opened(tmp_path)
    for _ in range(3):
        put(queue)
    queue.settle(3, NOW)
    queue.settle(1, NOW)
    assert queue.span.waiting == 2
    queue.settle(1, NOW + timedelta(hours=100))
    assert [one.seq for one in bodies(queue)] == [2, 3]


def test_an_older_copy_begins_another_queue_with_what_waits(tmp_path: Path) -> None:
    queue = opened(tmp_path)
    for number in range(4):
        put(queue, f"person{number}")
    queue.settle(2, NOW)
    before = queue.id
    fresh = queue.begin_anew(lambda signed, of, seq: sign_again(signed, of, seq, KEY))
    assert queue.id == fresh != before
    assert [(one.queue, one.seq, one.person) for one in bodies(queue)] == [
        (fresh, 1, "person2"),
        (fresh, 2, "person3"),
    ]
    assert put(queue) == 3
    queue.close()
    assert opened(tmp_path).id == fresh


def test_nothing_of_an_event_stands_in_the_file_in_clear(tmp_path: Path) -> None:
    queue = opened(tmp_path)
    put(queue)
    queue.close()
    for path in tmp_path.iterdir():
        assert PERSON.encode() not in path.read_bytes()
        assert path.stat().st_mode & 0o077 == 0, path


def test_an_event_of_another_key_is_a_clear_error(tmp_path: Path) -> None:
    queue = opened(tmp_path)
    put(queue)
    queue.close()
    other = EventQueue(tmp_path / "queue.db", Vault(b"\x01" * 32))
    with pytest.raises(QueueError, match=r"device\.key"):
        other.after(0, max_events=1, max_bytes=1)


@pytest.mark.parametrize(
    "content", [b"no database at all" * 100, b"SQLite format 3\x00" + b"x" * 90]
)
def test_a_damaged_file_is_a_clear_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "queue.db").write_bytes(content)
    with pytest.raises(QueueError, match="moved away"):
        opened(tmp_path)


def test_a_full_disk_takes_nothing_and_loses_nothing(tmp_path: Path) -> None:
    queue = opened(tmp_path)
    put(queue)
    disk = queue._connection  # noqa: SLF001 - the bound is the connection's own
    pages = disk.execute("pragma page_count").fetchone()[0]
    disk.execute(f"pragma max_page_count={pages}")
    last = fill(queue)
    disk.execute("pragma max_page_count=100000")
    assert put(queue) == last + 1
    assert [one.seq for one in bodies(queue)] == list(range(1, last + 2))


_CHILD = """
import sys
from pathlib import Path
from edge_devices.face_terminals.events import sign_event
from edge_devices.face_terminals.queue import EventQueue
from security.at_rest import Vault
from security.keys import SigningKey
from tests.support.terminals import event
queue = EventQueue(Path(sys.argv[1]), Vault(bytes(32)))
key = SigningKey.generate(post_quantum=False)
while True:
    seq = queue.put(lambda of, seq: sign_event(event(), of, seq, key))
    sys.stdout.write(f"{seq}\\n")
    sys.stdout.flush()
"""


def test_what_was_answered_for_survives_a_kill(tmp_path: Path) -> None:
    answered = 0
    for round_ in range(4):
        child = subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, "-c", _CHILD, str(tmp_path / "queue.db")],
            stdout=subprocess.PIPE,
            env=dict(os.environ),
        )
        assert child.stdout is not None
        for _ in range(3 + round_):
            answered = int(child.stdout.readline())
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read().split(b"\n")
        child.wait()
        answered = max([answered, *(int(one) for one in rest[:-1] if one)])
        queue = opened(tmp_path)
        newest = queue.span.newest
        assert newest >= answered
        assert [one.seq for one in bodies(queue)] == list(range(1, newest + 1))
        queue.close()


def test_a_reader_beside_does_not_hinder(tmp_path: Path) -> None:
    queue = opened(tmp_path)
    put(queue)
    reader = sqlite3.connect(tmp_path / "queue.db", isolation_level=None)
    reader.execute("begin")
    reader.execute("select * from event").fetchall()
    assert put(queue) == 2
    reader.close()
