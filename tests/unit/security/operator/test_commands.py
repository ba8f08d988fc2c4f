from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from hypothesis import given
from hypothesis import strategies as st

from security.errors import BadSignatureError
from security.operator.commands import (
    EARLIEST_MS,
    LATEST_MS,
    SIGNED,
    arguments_digest,
    sign_command,
    split_signed,
)

HUB = "yixin://330300/hub/city"
AT_MS = 1_793_500_000_000
KEY = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()
ARGUMENTS: dict[str, Any] = {"period": "2026H1", "class": None}


def given_command(**changes: Any) -> dict[str, Any]:  # noqa: ANN401
    told: dict[str, Any] = {
        "hub": HUB,
        "name": "li",
        "job": "publish",
        "arguments": ARGUMENTS,
        "now_ms": AT_MS,
    }
    return sign_command(KEY, **told | changes)


def verify(command: dict[str, Any], **changes: Any) -> None:  # noqa: ANN401
    bare, signed = split_signed(command)
    assert signed is not None
    told: dict[str, Any] = {
        "hub": HUB,
        "job": "publish",
        "digest": arguments_digest(bare),
        "now_ms": AT_MS,
    }
    signed.verify(changes.pop("public_key", PUBLIC), **told | changes)


def test_a_command_is_verified_and_its_job_sees_no_signature() -> None:
    bare, signed = split_signed(given_command())

    assert bare == ARGUMENTS
    assert signed is not None
    assert signed.name == "li"
    verify(given_command())


def test_what_is_not_signed_has_no_signature() -> None:
    assert split_signed(ARGUMENTS) == (ARGUMENTS, None)


@pytest.mark.parametrize(
    "changes",
    [
        {"hub": "yixin://330000/hub/province"},
        {"job": "revoke"},
        {"digest": arguments_digest({"period": "2026H2", "class": None})},
        {"public_key": ed25519.Ed25519PrivateKey.generate().public_key().public_bytes_raw()},
        {"public_key": b"short"},
    ],
)
def test_a_signature_over_anything_else_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BadSignatureError, match="does not fit"):
        verify(given_command(), **changes)


def test_another_name_cannot_be_put_on_a_signature() -> None:
    command = given_command()
    command[SIGNED]["name"] = "wang"

    with pytest.raises(BadSignatureError, match="wang"):
        verify(command)


@pytest.mark.parametrize("late_ms", [LATEST_MS + 1, -EARLIEST_MS - 1])
def test_old_and_future_commands_are_refused(late_ms: int) -> None:
    verify(given_command(), now_ms=AT_MS + LATEST_MS)
    verify(given_command(), now_ms=AT_MS - EARLIEST_MS)
    with pytest.raises(BadSignatureError, match="set both clocks right"):
        verify(given_command(), now_ms=AT_MS + late_ms)


@pytest.mark.parametrize(
    "found",
    [
        None,
        "li",
        {},
        {"name": "li", "at_ms": AT_MS, "nonce": "00" * 16},
        {"name": "", "at_ms": AT_MS, "nonce": "00" * 16, "signature": "00" * 64},
        {"name": "l" * 65, "at_ms": AT_MS, "nonce": "00" * 16, "signature": "00" * 64},
        {"name": "li", "at_ms": True, "nonce": "00" * 16, "signature": "00" * 64},
        {"name": "li", "at_ms": AT_MS, "nonce": "00" * 15, "signature": "00" * 64},
        {"name": "li", "at_ms": AT_MS, "nonce": "00" * 16, "signature": "00" * 63},
        {"name": "li", "at_ms": AT_MS, "nonce": "xy" * 16, "signature": "00" * 64},
        {"name": "li", "at_ms": AT_MS, "nonce": "医" * 16, "signature": "00" * 64},
        {"name": "li", "at_ms": AT_MS, "nonce": "00" * 16, "signature": "00" * 64, "more": 1},
    ],
)
def test_a_malformed_signature_is_refused(found: object) -> None:
    with pytest.raises(BadSignatureError):
        split_signed({**ARGUMENTS, SIGNED: found})


@given(st.integers(0, 63), st.integers(1, 255))
def test_any_changed_byte_of_a_signature_is_refused(at: int, flip: int) -> None:
    command = given_command()
    raw = bytearray.fromhex(command[SIGNED]["signature"])
    raw[at] ^= flip
    command[SIGNED]["signature"] = raw.hex()

    with pytest.raises(BadSignatureError):
        verify(command)
