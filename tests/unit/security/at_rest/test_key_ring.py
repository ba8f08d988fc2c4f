from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from security.at_rest import Vault
from security.at_rest.key_ring import MAX_EPOCH, SETTLED_MS, EpochKey, KeyRing
from security.at_rest.vault import OVERHEAD_BYTES, epoch_of
from security.errors import KeyFileError, KeyRotationError, VaultError

if TYPE_CHECKING:
    from pathlib import Path

AT_MS = 1_793_500_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    Vault.create(tmp_path / "node.key")
    return tmp_path / "node.key"


def grow(path: Path, now_ms: int = AT_MS) -> KeyRing:
    ring = KeyRing.load(path).grown(now_ms)
    ring.save(path)
    return ring


def test_every_machine_begins_with_one_key_of_32_bytes(path: Path) -> None:
    ring = KeyRing.load(path)

    assert len(path.read_bytes()) == 32
    assert [one.epoch for one in ring.keys] == [0]
    assert ring.mark == hashlib.sha256(b"yixin/backup/owner/v1\n" + path.read_bytes()).hexdigest()


def test_a_grown_ring_is_read_back_and_keeps_its_mark(path: Path) -> None:
    first = KeyRing.load(path)
    grown = grow(path)

    assert KeyRing.load(path) == grown
    assert path.stat().st_mode & 0o777 == 0o600
    assert (grown.newest, grown.mark, grown.keys[0]) == (1, first.mark, first.keys[0])
    assert str(grown.keys[1].key) not in repr(grown)


def test_the_bytes_of_the_old_file_are_overwritten(path: Path) -> None:
    old = os.open(path, os.O_RDONLY)
    try:
        grow(path)
        assert os.pread(old, 100, 0) == bytes(32)
    finally:
        os.close(old)


def test_a_copy_by_a_second_name_keeps_its_key(path: Path) -> None:
    copy = path.with_name("copy.key")
    copy.hardlink_to(path)
    before = copy.read_bytes()
    grow(path)

    assert copy.read_bytes() == before
    assert KeyRing.load(copy).keys[0] == KeyRing.load(path).keys[0]


def test_old_values_open_and_new_ones_are_of_the_newest_epoch(path: Path) -> None:
    before = Vault.load(path)
    old = before.seal(b"then", "place")
    grow(path)
    after = Vault.load(path)
    new = after.seal(b"now", "place")

    assert (epoch_of(old), epoch_of(new)) == (0, 1)
    assert (len(old), len(new)) == (4 + OVERHEAD_BYTES, 3 + OVERHEAD_BYTES + 2)
    assert (after.open(old, "place"), after.open(new, "place")) == (b"then", b"now")
    again = after.rewrap(before.wrap(b"k" * 32, "segment/a"), "segment/a")
    assert (epoch_of(again), after.unwrap(again, "segment/a")) == (1, b"k" * 32)


def test_a_process_that_was_there_before_follows_the_ring(path: Path) -> None:
    """The gateway and the night's child keep their vault: they seal under the newest as well."""
    running = Vault.load(path)
    grow(path)
    newest = Vault.load(path).seal(b"now", "place")

    assert running.open(newest, "place") == b"now"
    assert epoch_of(running.seal(b"x", "place")) == 1
    assert running.newest == 1


def test_an_epoch_that_is_gone_opens_nothing(path: Path) -> None:
    old = Vault.load(path).seal(b"then", "place")
    grow(path)
    KeyRing.load(path).without(0, AT_MS + SETTLED_MS).save(path)

    with pytest.raises(VaultError, match="under epoch 0, which the key ring does not hold"):
        Vault.load(path).open(old, "place")


def test_the_newest_and_what_is_too_young_to_be_followed_stay(path: Path) -> None:
    ring = grow(path)
    with pytest.raises(KeyRotationError, match="rotate first"):
        ring.without(1, AT_MS + SETTLED_MS)
    with pytest.raises(KeyRotationError, match="rotate first"):
        ring.without(7, AT_MS + SETTLED_MS)
    with pytest.raises(KeyRotationError, match="younger than an hour"):
        ring.without(0, AT_MS + SETTLED_MS - 1)


def test_there_is_a_last_epoch() -> None:
    last = EpochKey(epoch=MAX_EPOCH, made_at_ms=0, key=bytes(32))
    with pytest.raises(KeyRotationError, match="last one"):
        KeyRing(keys=(last,), mark="00" * 32).grown(AT_MS)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"yixin-key-ring-1", b"yixin-key-ring-2"),
        (b"master file", b"master none"),
        (b"epoch 1 ", b"epoch 0 "),
        (b"epoch 1 ", b"epoch 65536 "),
        (b"epoch 1 ", b"epoch -1 "),
        (b"epoch 1 ", b"epoch x "),
        (b"epoch 0 0 ", b"epoch 0 0 00"),
        (b"mark ", b"mark zz"),
        (b"epoch", b"epoch\xff"),
    ],
)
def test_a_damaged_ring_is_refused(path: Path, old: bytes, new: bytes) -> None:
    grow(path)
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))

    with pytest.raises(KeyFileError):
        KeyRing.load(path)


def test_no_cut_of_a_ring_is_a_ring(path: Path) -> None:
    grow(path)
    content = path.read_bytes()
    for size in range(len(content)):
        path.write_bytes(content[:size])
        with pytest.raises(KeyFileError):
            KeyRing.load(path)


@given(st.binary(max_size=64))
def test_whatever_stands_in_its_place_is_no_value(blob: bytes) -> None:
    with pytest.raises(VaultError):
        Vault(bytes(32)).open(blob, "place")


@given(st.integers(0, 33), st.integers(1, 255))
def test_any_changed_byte_of_a_value_is_refused(at: int, flip: int) -> None:
    vault = Vault(bytes(range(32)))
    blob = bytearray(vault.seal(b"12345", "place"))
    blob[at] ^= flip

    with pytest.raises(VaultError):
        vault.open(bytes(blob), "place")
