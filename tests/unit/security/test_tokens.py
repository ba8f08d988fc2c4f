from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest

from security.errors import TokenError
from security.members import MemberId
from security.tokens import JoinToken, secret_digest
from tests.support.members import HUB, NODE, NOW_MS, city

GOOD: dict[str, Any] = {
    "hub": MemberId(HUB),
    "enrolment_address": "hub.example:7443",
    "anchor_digest": bytes(range(32)),
    "ca_certificate_der": city()[0].anchor.ca_certificate_der,
    "secret": bytes(range(32, 64)),
    "expires_at_ms": NOW_MS + 600_000,
}


def token(**parts: Any) -> JoinToken:  # noqa: ANN401 - parts of any type
    return JoinToken(**(GOOD | parts))


@pytest.mark.parametrize("address", ["hub.example:7443", "127.0.0.1:1", "[::1]:65535"])
def test_a_token_is_one_line_that_round_trips(address: str) -> None:
    made = token(enrolment_address=address)
    text = made.encode()
    assert text.startswith("yixin1.")
    assert len(text.split()) == 1
    assert JoinToken.decode(f"  {text}\n") == made


def test_a_token_may_pin_the_root_of_the_packs() -> None:
    made = token(pack_root_digest=bytes(range(64, 96)))
    assert JoinToken.decode(made.encode()) == made
    assert len(token().encode()) < len(made.encode())


def test_the_hub_keeps_only_a_digest_of_the_secret() -> None:
    made = token()
    assert made.secret_digest == secret_digest(made.secret)
    assert made.secret_digest == hashlib.sha256(made.secret).digest()


def test_a_repr_shows_no_secret() -> None:
    assert repr(GOOD["secret"]) not in repr(token())


def test_every_changed_character_is_noticed() -> None:
    text = token().encode()
    for at in range(len("yixin1."), len(text), 5):
        changed = text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
        with pytest.raises(TokenError, match="join token"):
            JoinToken.decode(changed)


def test_a_truncated_token_is_noticed() -> None:
    text = token().encode()
    for length in (7, 8, 20, len(text) // 2, len(text) - 1):
        with pytest.raises(TokenError, match="copy the whole line again"):
            JoinToken.decode(text[:length])


@pytest.mark.parametrize("text", ["", "yixin2.AAAA", "hello", "yixin1." + "A" * 20_000])
def test_text_that_is_no_token_is_refused_with_the_command(text: str) -> None:
    with pytest.raises(TokenError, match="The hub prints it with: yixin hub token"):
        JoinToken.decode(text)


def encoded(body: bytes) -> str:
    check = hashlib.sha256(body).digest()[:4]
    return "yixin1." + base64.urlsafe_b64encode(body + check).decode().rstrip("=")


def fields(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(2) + part for part in parts)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00",
        fields(b"a", b"b"),
        fields(b"a", b"b", b"c", b"d", b"e", b"f", b""),
        fields(b"a", b"b", b"c", b"d", b"e", b"f", b"g", b"h"),
        fields(b"a", b"b", b"c", b"d", b"e") + b"\x00\x09f",
        fields(b"a", b"b", b"c", b"d", b"e") + b"\x00",
        fields(b"\xff", b"b", b"c", b"d", b"e", b"f"),
    ],
    ids=["empty", "half", "few", "no_pin", "many", "cut_field", "cut_length", "no_ascii"],
)
def test_a_token_with_other_fields_is_refused(body: bytes) -> None:
    with pytest.raises(TokenError, match="is damaged"):
        JoinToken.decode(encoded(body))


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"hub": NODE}, "is not a hub"),
        ({"hub": "city"}, "names no hub"),
        ({"enrolment_address": "hub.example"}, "is not host:port"),
        ({"enrolment_address": "hub.example:0"}, "is not host:port"),
        ({"enrolment_address": "hub.example:65536"}, "is not host:port"),
        ({"enrolment_address": "http://hub:80/"}, "is not host:port"),
        ({"anchor_digest": bytes(31)}, "digest is not 32 bytes"),
        ({"pack_root_digest": bytes(31)}, "packs' root is not 32 bytes"),
        ({"secret": bytes(31)}, "secret is not 32 bytes"),
        ({"ca_certificate_der": b""}, "TLS root is missing"),
        ({"expires_at_ms": 0}, "expiry is out of range"),
        ({"expires_at_ms": 2**63}, "expiry is out of range"),
    ],
)
def test_a_malformed_token_is_refused(parts: dict[str, Any], words: str) -> None:
    with pytest.raises(TokenError, match=words):
        token(**parts)


def test_a_token_too_long_to_read_is_not_made() -> None:
    with pytest.raises(TokenError, match="use a shorter TLS root"):
        token(ca_certificate_der=bytes(15_000)).encode()


def test_an_expired_token_says_by_how_much() -> None:
    made = token()
    made.verify_unexpired(made.expires_at_ms)
    with pytest.raises(TokenError, match="expired 5 s ago; tokens live 600 s"):
        made.verify_unexpired(made.expires_at_ms + 5_000)
