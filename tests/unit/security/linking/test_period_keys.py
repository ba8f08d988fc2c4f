from __future__ import annotations

import os
from pathlib import Path

import pytest

from security.at_rest import Vault
from security.errors import KeyFileError
from security.linking import PeriodKeys

PERIOD = "2026H1"


@pytest.fixture
def keys(tmp_path: Path) -> PeriodKeys:
    return PeriodKeys(tmp_path / "keys", Vault(bytes(range(32))))


def test_a_half_is_kept_sealed_and_destroyed_in_its_place(
    keys: PeriodKeys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = keys.create(PERIOD)
    path = tmp_path / "keys" / f"{PERIOD}.key"
    assert half.to_bytes() not in path.read_bytes()
    assert keys.load(PERIOD).to_bytes() == half.to_bytes()
    left: list[bytes] = []
    unlink = Path.unlink

    def watched(file: Path, *, missing_ok: bool = False) -> None:
        if file == path:
            left.append(file.read_bytes())
        unlink(file, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", watched)
    assert keys.destroy(PERIOD)
    assert left == [bytes(len(left[0]))], "overwritten before it is removed"
    assert not keys.has(PERIOD)
    assert not keys.destroy(PERIOD)


def test_what_cannot_be_destroyed_is_said(keys: PeriodKeys, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"another file")
    (tmp_path / "keys" / f"{PERIOD}.key").symlink_to(elsewhere)
    with pytest.raises(KeyFileError, match="cannot be destroyed"):
        keys.destroy(PERIOD)
    assert elsewhere.read_bytes() == b"another file"


def test_a_disk_that_fails_while_destroying_is_said(
    keys: PeriodKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys.create(PERIOD)

    def broken(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(KeyFileError, match="Input/output error"):
        keys.destroy(PERIOD)
    assert keys.has(PERIOD)
