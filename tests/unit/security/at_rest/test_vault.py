from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from security.at_rest import Vault
from security.errors import KeyFileError, VaultError
from security.private_files import write_private

if TYPE_CHECKING:
    from pathlib import Path

VAULT = Vault(bytes(range(32)))


def test_a_sealed_value_opens_at_its_place_only() -> None:
    blob = VAULT.seal(b"value", "staged/1")
    assert VAULT.open(blob, "staged/1") == b"value"
    with pytest.raises(VaultError, match="the value of staged/2 is damaged, belongs to another"):
        VAULT.open(blob, "staged/2")


def test_equal_values_seal_differently() -> None:
    assert VAULT.seal(b"value", "staged/1") != VAULT.seal(b"value", "staged/1")


def test_another_key_does_not_open() -> None:
    with pytest.raises(VaultError):
        Vault(bytes(32)).open(VAULT.seal(b"value", "staged/1"), "staged/1")


def test_a_wrapped_key_and_a_value_never_open_as_each_other() -> None:
    with pytest.raises(VaultError):
        VAULT.open(VAULT.wrap(b"key", "segment/a"), "segment/a")
    with pytest.raises(VaultError):
        VAULT.unwrap(VAULT.seal(b"key", "segment/a"), "segment/a")
    assert VAULT.unwrap(VAULT.wrap(b"key", "segment/a"), "segment/a") == b"key"


def test_a_flipped_bit_or_a_cut_anywhere_is_refused() -> None:
    blob = VAULT.seal(b"value", "staged/1")
    for at in range(len(blob)):
        changed = bytearray(blob)
        changed[at] ^= 1
        with pytest.raises(VaultError):
            VAULT.open(bytes(changed), "staged/1")
        with pytest.raises(VaultError):
            VAULT.open(blob[:at], "staged/1")


def test_the_key_file_is_private_and_opens_what_it_sealed(tmp_path: Path) -> None:
    path = tmp_path / "node.key"
    blob = Vault.create(path).seal(b"value", "staged/1")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Vault.load(path).open(blob, "staged/1") == b"value"
    with pytest.raises(KeyFileError, match="is already there"):
        Vault.create(path)


def test_a_cut_key_file_is_refused_with_the_remedy(tmp_path: Path) -> None:
    write_private(tmp_path / "node.key", bytes(31))
    with pytest.raises(KeyFileError, match="32 bytes expected, found 31"):
        Vault.load(tmp_path / "node.key")


def test_a_key_of_the_wrong_length_is_a_bug_of_the_caller() -> None:
    with pytest.raises(ValueError, match="a vault key has 32 bytes, found 5"):
        Vault(bytes(5))


def test_a_repr_shows_no_key() -> None:
    assert "\\x01\\x02" not in repr(VAULT)
