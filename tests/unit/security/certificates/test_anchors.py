from __future__ import annotations

import hashlib
from typing import Any

import pytest

from protos.yixin.v1 import identity_pb2
from security.certificates import anchor_bytes, anchor_digest, anchor_key, make_anchor, parse_anchor
from security.errors import UntrustedCertificateError
from security.keys import SigningKey
from tests.support.members import HUB, NODE, city


def changed(**parts: Any) -> bytes:  # noqa: ANN401 - parts of any type
    anchor = identity_pb2.TrustAnchor()
    anchor.CopyFrom(city()[0].anchor)
    for name, value in parts.items():
        setattr(anchor, name, value)
    return anchor_bytes(anchor)


def test_an_anchor_round_trips_and_is_named_by_its_bytes() -> None:
    hub, _ = city()
    data = anchor_bytes(hub.anchor)
    assert parse_anchor(data) == hub.anchor
    assert anchor_key(hub.anchor) == hub.signing.verifying
    assert anchor_digest(data) == hashlib.sha256(data).digest()


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"format": 2}, "format 2 of 'yixin://330300/hub/city'; expected format 1 of a hub"),
        ({"hub": NODE}, "expected format 1 of a hub"),
        ({"hub": "city"}, "is not a member id"),
        ({"key_id": "0" * 32}, "names key '0{32}', holds"),
        ({"public_key": bytes(31)}, "has 32 bytes, found 31"),
        ({"pq_public_key": b""}, "names key"),
        ({"ca_certificate_der": b""}, "TLS root missing or too long"),
        ({"ca_certificate_der": bytes(9000)}, "TLS root missing or too long"),
        ({"log_origin": ""}, "log origin missing or too long"),
        ({"log_origin": "x" * 129}, "log origin missing or too long"),
    ],
)
def test_an_anchor_that_contradicts_itself_is_refused(parts: dict[str, Any], words: str) -> None:
    with pytest.raises(UntrustedCertificateError, match=words):
        parse_anchor(changed(**parts))


@pytest.mark.parametrize("data", [b"\xff", bytes(20_000)], ids=["garbage", "oversized"])
def test_bytes_that_are_no_anchor_are_refused(data: bytes) -> None:
    with pytest.raises(UntrustedCertificateError, match="anchor: "):
        parse_anchor(data)


def test_only_a_hub_makes_an_anchor() -> None:
    key = SigningKey.generate(post_quantum=False)
    with pytest.raises(UntrustedCertificateError):
        make_anchor(NODE, key, b"der", "origin")
    assert make_anchor(HUB, key, b"der", "origin").pq_public_key == b""
