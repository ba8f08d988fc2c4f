from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from security.errors import KeyFileError
from security.operator.person_keys import (
    create_person_key,
    load_person_key,
    parse_public_key,
    public_line,
)

if TYPE_CHECKING:
    from pathlib import Path

WORD = "correct horse battery"


def never() -> str:
    raise AssertionError


def test_a_key_is_private_and_opens_again(tmp_path: Path) -> None:
    path = tmp_path / "li.key"
    public = create_person_key(path)

    assert path.stat().st_mode & 0o777 == 0o600
    assert load_person_key(path, never).public_key().public_bytes_raw() == public
    assert parse_public_key(public_line(public) + "\n") == public


def test_a_key_with_a_passphrase_opens_by_it_alone(tmp_path: Path) -> None:
    path = tmp_path / "li.key"
    public = create_person_key(path, WORD)

    assert load_person_key(path, lambda: WORD).public_key().public_bytes_raw() == public
    for wrong in ("", "correct horse batterz"):
        with pytest.raises(KeyFileError, match="passphrase is wrong"):
            load_person_key(path, lambda word=wrong: word)  # type: ignore[misc]  # bound now


def test_a_short_passphrase_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="at least 12"):
        create_person_key(tmp_path / "li.key", "short")
    assert list(tmp_path.iterdir()) == []


def test_a_key_is_never_overwritten_and_never_read_when_others_can(tmp_path: Path) -> None:
    path = tmp_path / "li.key"
    create_person_key(path)
    with pytest.raises(KeyFileError, match="already there"):
        create_person_key(path)
    path.chmod(0o640)
    with pytest.raises(KeyFileError, match="0640"):
        load_person_key(path, never)


def test_another_kind_of_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ec.key"
    path.touch(0o600)
    path.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    with pytest.raises(KeyFileError, match="expected an Ed25519 key"):
        load_person_key(path, never)
    path.write_bytes(b"no key at all")
    with pytest.raises(KeyFileError, match="damaged or no such key"):
        load_person_key(path, never)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "yixin-operator-1.",
        "yixin-operator-1.AAAA",
        public_line(bytes(32)),  # a point of small order: one signature fits every message
        public_line(b"\x01" + bytes(31)),
        "yixin-operator-2." + "B" * 43,
        "B" * 43,
        "yixin-operator-1." + "医" * 43,
        "x" * 100_000,
    ],
)
def test_what_is_no_public_key_is_refused(line: str) -> None:
    with pytest.raises(KeyFileError, match="not the public key of an operator"):
        parse_public_key(line)


def test_one_key_has_one_writing(tmp_path: Path) -> None:
    """Spare bits of the last base64 digit would give one key several names."""
    line = public_line(create_person_key(tmp_path / "li.key"))
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    other = digits[digits.index(line[-1]) ^ 1]

    with pytest.raises(KeyFileError):
        parse_public_key(line[:-1] + other)
