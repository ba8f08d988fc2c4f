from __future__ import annotations

from typing import Any

import pytest

from protos.yixin.v1 import envelope_pb2
from security.chain import ZERO_HASH
from security.errors import UNTRUSTED_WORDING, UntrustedEnvelopeError
from security.headers import MAX_ENVELOPE_BYTES, MAX_LIFETIME_MS, parse_header
from tests.support.members import HUB, NODE, NOW_MS

GOOD: dict[str, Any] = {
    "format": 1,
    "suite": "INTL-PQ",
    "envelope_id": "0123456789abcdef" * 2,
    "sender": NODE,
    "sender_key_id": "a" * 32,
    "recipient": HUB,
    "recipient_key_id": "b" * 32,
    "purpose": "supervision",
    "data_class": "aggregate",
    "payload_type": "statements",
    "schema_version": 1,
    "period": "2026H1",
    "lane": envelope_pb2.LANE_BULK,
    "incarnation": 1,
    "seq": 1,
    "previous_hash": ZERO_HASH,
    "created_at_ms": NOW_MS,
    "expires_at_ms": NOW_MS + 1,
    "pack_digest": bytes(32),
}


def envelope(**parts: Any) -> envelope_pb2.SealedEnvelope:  # noqa: ANN401 - parts of any type
    header = envelope_pb2.EnvelopeHeader(**(GOOD | parts))
    return envelope_pb2.SealedEnvelope(
        header=header.SerializeToString(), ciphertext=bytes(1136), signature=bytes(64)
    )


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"period": ""},
        {"pack_digest": b""},
        {"suite": "INTL"},
        {"seq": 2, "previous_hash": bytes([1]) * 32},
        {"incarnation": 3},
        {
            "incarnation": 3,
            "cited_incarnation": 1,
            "cited_seq": 9,
            "previous_hash": bytes([1]) * 32,
        },
    ],
)
def test_a_well_formed_header_is_read(parts: dict[str, Any]) -> None:
    assert parse_header(envelope(**parts)).payload_type == "statements"


@pytest.mark.parametrize(
    ("parts", "cause"),
    [
        ({"format": 0}, "format"),
        ({"format": 2}, "format"),
        ({"suite": "NULL"}, "suite 'NULL' is not known"),
        ({"envelope_id": ""}, "an id is not 32 hex digits"),
        ({"envelope_id": "A" * 32}, "an id is not 32 hex digits"),
        ({"sender_key_id": "a" * 33}, "an id is not 32 hex digits"),
        ({"recipient_key_id": "../../../../etc/passwd__________"}, "an id is not 32 hex digits"),
        ({"sender": "node"}, "sender"),
        ({"recipient": "hub"}, "recipient"),
        ({"recipient": NODE}, "sender is recipient"),
        ({"purpose": ""}, "is not a word"),
        ({"purpose": "Supervision"}, "is not a word"),
        ({"data_class": "张三"}, "is not a word"),
        ({"payload_type": "x" * 65}, "is not a word"),
        ({"period": "2026H3"}, "period"),
        ({"period": "2026H1\n"}, "period"),
        ({"schema_version": 0}, "schema version"),
        ({"schema_version": 1_000_001}, "schema version"),
        ({"lane": 0}, "lane"),
        ({"lane": 4}, "lane"),
        ({"pack_digest": bytes(31)}, "pack digest"),
        ({"created_at_ms": 0}, "creation and expiry"),
        ({"created_at_ms": NOW_MS + 2}, "creation and expiry"),
        ({"created_at_ms": 1}, "creation and expiry"),
        ({"expires_at_ms": NOW_MS + MAX_LIFETIME_MS + 1}, "creation and expiry"),
        ({"created_at_ms": 2**53 - 2, "expires_at_ms": 2**53}, "creation and expiry"),
        ({"incarnation": 0}, "incarnation"),
        ({"incarnation": 2**63}, "incarnation"),
        ({"seq": 0}, "seq"),
        ({"seq": 2**63}, "seq"),
        ({"previous_hash": bytes(31)}, "previous hash"),
        ({"previous_hash": bytes([1]) * 32}, "citation"),
        ({"seq": 2, "cited_seq": 1}, "citation"),
        ({"seq": 2, "cited_incarnation": 1}, "citation"),
        ({"incarnation": 2, "cited_incarnation": 1}, "citation"),
        ({"incarnation": 2, "cited_seq": 1}, "citation"),
        ({"incarnation": 2, "cited_incarnation": 2, "cited_seq": 1}, "citation"),
        ({"incarnation": 2, "cited_incarnation": 1, "cited_seq": 2**63}, "citation"),
    ],
)
def test_a_malformed_header_is_refused_with_one_wording(parts: dict[str, Any], cause: str) -> None:
    with pytest.raises(UntrustedEnvelopeError) as caught:
        parse_header(envelope(**parts))
    assert cause in caught.value.cause
    assert str(caught.value) == UNTRUSTED_WORDING


@pytest.mark.parametrize(
    ("part", "value", "cause"),
    [
        ("ciphertext", bytes(MAX_ENVELOPE_BYTES), "the envelope is too long"),
        ("header", b"\xff" * 4097, "header: 4097 bytes, at most 4096 are read"),
        ("header", b"\xff", "header: not a serialised EnvelopeHeader"),
        ("header", b"", "header: suite '' is not known"),
        ("signature", bytes(63), "the signature has a wrong length"),
        ("signature", b"", "the signature has a wrong length"),
        ("pq_signature", bytes(3308), "the post-quantum signature has a wrong length"),
        ("ciphertext", bytes(1135), "the ciphertext is truncated"),
    ],
)
def test_parts_out_of_bounds_are_refused_before_anything_is_used(
    part: str, value: bytes, cause: str
) -> None:
    changed = envelope()
    setattr(changed, part, value)
    with pytest.raises(UntrustedEnvelopeError) as caught:
        parse_header(changed)
    assert caught.value.cause.startswith(cause)
