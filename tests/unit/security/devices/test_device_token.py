from __future__ import annotations

from typing import Any

import pytest

from security.devices import DeviceAuthority, DeviceToken
from security.devices.device_id import DeviceId
from security.errors import TokenError
from security.token_lines import write_line
from security.tokens import JoinToken
from tests.support.members import NOW, NOW_MS

DEVICE = DeviceId("yixin-device://H33030200001/window/w3")
GOOD: dict[str, Any] = {
    "device": DEVICE,
    "enrolment_address": "node.example:9444",
    "ca_certificate_der": DeviceAuthority.create(NOW).certificate_der,
    "secret": bytes(range(32)),
    "expires_at_ms": NOW_MS + 600_000,
}


def token(**parts: Any) -> DeviceToken:  # noqa: ANN401 - parts of any type
    return DeviceToken(**(GOOD | parts))


@pytest.mark.parametrize("address", ["node.example:9444", "10.0.0.7:1", "[::1]:65535"])
def test_a_token_is_one_line_that_round_trips(address: str) -> None:
    made = token(enrolment_address=address)
    text = made.encode()
    assert text.startswith("yixin-device1.")
    assert len(text.split()) == 1
    assert DeviceToken.decode(f"  {text}\n") == made


def test_a_repr_shows_no_secret() -> None:
    assert repr(GOOD["secret"]) not in repr(token())


def test_every_changed_or_missing_character_is_noticed() -> None:
    text = token().encode()
    for at in range(len("yixin-device1."), len(text), 7):
        changed = text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
        for spoiled in (changed, text[:at]):
            with pytest.raises(TokenError, match="The device token is damaged"):
                DeviceToken.decode(spoiled)


@pytest.mark.parametrize("text", ["", "hello", "yixin1.AAAA", "yixin-device1." + "A" * 20_000])
def test_text_that_is_no_token_is_refused_with_the_command(text: str) -> None:
    with pytest.raises(TokenError, match="The node prints it with: yixin node device token"):
        DeviceToken.decode(text)


def test_a_device_token_is_no_join_token() -> None:
    with pytest.raises(TokenError, match="not a join token"):
        JoinToken.decode(token().encode())


@pytest.mark.parametrize("at", [0, 1])
def test_parts_that_are_no_ascii_are_damaged(at: int) -> None:
    parts = [DEVICE.encode(), b"node.example:9444", b"der", bytes(32), bytes(7) + b"1"]
    parts[at] = "医院".encode()
    with pytest.raises(TokenError, match="The device token is damaged"):
        DeviceToken.decode(write_line("yixin-device1.", parts, "device token"))


@pytest.mark.parametrize(
    "parts",
    [
        {"device": DeviceId("yixin://330302/node/H33030200001")},
        {"enrolment_address": "node.example"},
        {"enrolment_address": "node.example:0"},
        {"enrolment_address": "node.example:65536"},
        {"secret": b"short"},
        {"ca_certificate_der": b""},
        {"expires_at_ms": 0},
    ],
)
def test_malformed_parts_are_refused(parts: dict[str, Any]) -> None:
    with pytest.raises(TokenError, match="The device token is malformed"):
        token(**parts)


def test_an_expired_token_says_so() -> None:
    made = token()
    made.verify_unexpired(NOW_MS + 600_000)
    with pytest.raises(TokenError, match="expired 1 s ago"):
        made.verify_unexpired(NOW_MS + 601_000)
