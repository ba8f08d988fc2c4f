"""The register of devices: what is durable, who is admitted, how far queues are held."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from node.errors import DeviceRefusedError
from node.store.device_queues import MAX_QUEUES
from node.store.device_rows import (
    NO_HEALTH,
    DeviceHealth,
    DeviceKind,
    DeviceRow,
    DeviceState,
    Greeting,
    TokenRow,
)
from node.store.operator_log import LogEntry
from security.at_rest import Vault
from security.devices import DeviceName, Place
from tests.support.node_messages import HOSPITAL, open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from node.store import NodeStore

NOW = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
NAME = DeviceName(institution=HOSPITAL, place=Place.WINDOW, name="w3")
QUEUE = bytes(range(16))
ENTRY = LogEntry(at="2026-11-20T02:00:00+00:00", operator="li", action="test", subject="w3")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[NodeStore]:
    with open_store(tmp_path / "node") as made:
        yield made


def expect(store: NodeStore, name: DeviceName = NAME, secret: bytes = b"a", most: int = 9) -> None:
    token = TokenRow(secret_digest=secret * 32, device=name, expires_at_ms=1)
    store.edge.devices.expect(token, DeviceKind.FACE_TERMINAL, NOW, ENTRY, most=most)


def activate(store: NodeStore, tls_digest: bytes = b"t" * 32) -> DeviceRow:
    expect(store)
    devices = store.edge.devices
    row = devices.find(NAME.device_id)
    token = devices.find_token(b"a" * 32)
    assert row is not None
    assert token is not None
    joined = DeviceRow(
        id=row.id,
        institution=row.institution,
        place=row.place,
        kind=row.kind,
        name=row.name,
        state=row.state,
        signing_key=b"s" * 32,
        tls_digest=tls_digest,
        certified_until="2026-12-20T02:00:00+00:00",
        made_at=row.made_at,
    )
    answered = TokenRow(
        secret_digest=token.secret_digest,
        device=NAME,
        expires_at_ms=1,
        keys_digest=b"k" * 32,
        response=b"an answer of the node",
    )
    devices.activate(answered, joined, ENTRY)
    return joined


def greeting(oldest: int = 0, newest: int = 0, queue: bytes = QUEUE) -> Greeting:
    return Greeting(
        queue=queue, oldest=oldest, newest=newest, version="1", pipeline=b"", health=NO_HEALTH
    )


def test_the_authority_is_made_once_and_stays(tmp_path: Path) -> None:
    with open_store(tmp_path / "node") as store:
        made = store.edge.devices.authority(NOW, ["node.example"])
    with open_store(tmp_path / "node") as again:
        assert again.edge.devices.authority(NOW, ["node.example"]) == made
        moved = again.edge.devices.authority(NOW, ["other.example"])
    assert moved.certificate_pem == made.certificate_pem
    assert moved.server_pem != made.server_pem
    raw = b"".join(path.read_bytes() for path in (tmp_path / "node").glob("node.db*"))
    assert b"PRIVATE KEY" not in raw


def test_the_authority_follows_a_rotation_of_the_nodes_key(tmp_path: Path) -> None:
    from node.store import NodeStore  # noqa: PLC0415
    from node.store.sealed_places import sealed_epochs  # noqa: PLC0415
    from security.at_rest.rotation import add_epoch  # noqa: PLC0415

    Vault.create(tmp_path / "node.key")
    with NodeStore(tmp_path, Vault.load(tmp_path / "node.key")) as store:
        made = store.edge.devices.authority(NOW, [])
        add_epoch(tmp_path / "node.key", 1)
        assert store.edge.devices.authority(NOW, []) == made
    counted = dict(sealed_epochs(tmp_path))
    assert counted["device_authority.key"] == counted["device_authority.server_key"] == {1: 1}


def test_a_token_is_kept_as_a_digest_and_its_answer_sealed(
    store: NodeStore, tmp_path: Path
) -> None:
    activate(store)
    found = store.edge.devices.find_token(b"a" * 32)
    assert found is not None
    assert (found.device, found.response, found.is_consumed) == (
        NAME,
        b"an answer of the node",
        False,
    )
    assert store.edge.devices.find_token(b"b" * 32) is None
    raw = b"".join(path.read_bytes() for path in (tmp_path / "node").glob("node.db*"))
    assert b"an answer of the node" not in raw


def test_a_new_token_ends_the_one_before(store: NodeStore) -> None:
    expect(store, secret=b"a")
    expect(store, secret=b"b")
    assert store.edge.devices.find_token(b"a" * 32) is None
    assert store.edge.devices.find_token(b"b" * 32) is not None


def test_hello_uses_the_token_up(store: NodeStore) -> None:
    row = activate(store)
    store.edge.devices.note_hello(row.id, greeting(), NOW)
    found = store.edge.devices.find_token(b"a" * 32)
    assert found is not None
    assert (found.is_consumed, found.response) == (True, b"")


def test_a_token_that_ended_long_ago_is_forgotten(store: NodeStore) -> None:
    activate(store)
    ended = datetime.fromtimestamp(0, UTC)
    assert store.edge.devices.sweep_tokens(ended + timedelta(days=30)) == 0
    assert store.edge.devices.sweep_tokens(ended + timedelta(days=31)) == 1
    assert store.edge.devices.find_token(b"a" * 32) is None
    assert store.edge.devices.admit(b"t" * 32, NAME).state is DeviceState.ACTIVE


def test_devices_are_bounded_in_number(store: NodeStore) -> None:
    beds = [DeviceName(institution=HOSPITAL, place=Place.BED, name=one) for one in "abc"]
    for bed in beds:
        expect(store, bed, bed.name.encode() + b"-", most=3)
    with pytest.raises(DeviceRefusedError, match="or raise edge"):
        expect(store, most=3)
    expect(store, beds[1], b"again", most=3)
    gone = store.edge.devices.rows()[0]
    store.edge.devices.revoke(gone.id, NOW, ENTRY)
    expect(store, most=3)


@pytest.mark.parametrize("state", [DeviceState.EXPECTED, DeviceState.REVOKED])
def test_only_an_active_device_is_admitted(store: NodeStore, state: DeviceState) -> None:
    if state is DeviceState.EXPECTED:
        expect(store)
    else:
        row = activate(store)
        assert store.edge.devices.admit(b"t" * 32, NAME).id == row.id
        store.edge.devices.revoke(row.id, NOW, ENTRY)
    with pytest.raises(DeviceRefusedError, match=f"is {state}, expected active"):
        store.edge.devices.admit(b"t" * 32, NAME)


def test_an_unknown_device_and_another_key_are_refused(store: NodeStore) -> None:
    with pytest.raises(DeviceRefusedError, match="not in the register"):
        store.edge.devices.admit(b"t" * 32, NAME)
    activate(store)
    with pytest.raises(DeviceRefusedError, match="with another key"):
        store.edge.devices.admit(b"u" * 32, NAME)


def test_a_row_tells_what_the_device_said(store: NodeStore) -> None:
    row = activate(store)
    health = DeviceHealth(model=bytes(32), memory_mib=157, faults=("no_source",))
    said = Greeting(
        queue=QUEUE, oldest=0, newest=0, version="0.1.0", pipeline=b"p" * 32, health=health
    )
    store.edge.devices.note_hello(row.id, said, NOW + timedelta(hours=1))
    (found,) = store.edge.devices.rows()
    assert (found.version, found.pipeline, found.health) == ("0.1.0", b"p" * 32, health)
    assert found.seen_at == "2026-11-20T03:00:00+00:00"


@pytest.mark.parametrize(
    ("hellos", "through", "lost"),
    [
        ([(0, 0)], 0, 0),
        ([(1, 5)], 0, 0),
        ([(4, 5)], 3, 3),
        ([(0, 5)], 5, 5),
        ([(4, 5), (4, 9)], 3, 3),
        ([(4, 5), (8, 9)], 7, 7),
        ([(4, 5), (1, 5)], 3, 3),
        ([(0, 5), (0, 2)], 5, 5),
    ],
)
def test_a_mark_passes_over_what_neither_side_has(
    store: NodeStore, hellos: list[tuple[int, int]], through: int, lost: int
) -> None:
    row = activate(store)
    told = [store.edge.devices.note_hello(row.id, greeting(*one), NOW) for one in hellos]
    assert told[-1] == store.edge.devices.queue_mark(row.id, QUEUE) == through
    (queue,) = store.edge.devices.queues(row.id)
    assert queue.lost == lost


def test_queues_are_announced_and_bounded_in_number(store: NodeStore) -> None:
    row = activate(store)
    with pytest.raises(DeviceRefusedError, match="did not announce"):
        store.edge.devices.queue_mark(row.id, QUEUE)
    for number in range(MAX_QUEUES):
        store.edge.devices.note_hello(row.id, greeting(queue=number.to_bytes(16)), NOW)
    with pytest.raises(DeviceRefusedError, match="give it another name"):
        store.edge.devices.note_hello(row.id, greeting(queue=b"f" * 16), NOW)
    store.edge.devices.note_hello(row.id, greeting(queue=bytes(16)), NOW)
    assert len(store.edge.devices.queues(row.id)) == MAX_QUEUES


def test_what_was_done_to_a_device_is_in_the_log(store: NodeStore) -> None:
    row = activate(store)
    store.edge.devices.revoke(row.id, NOW, ENTRY)
    assert store.desk.verify_log()[0] == 3
