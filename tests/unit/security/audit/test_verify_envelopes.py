from __future__ import annotations

from typing import Any

import pytest

from protos.yixin.v1 import (
    envelope_pb2,
    transparency_pb2,
)
from security.audit import Verdict
from tests.support.auditor import HUB_UNDER_TEST, NODE_UNDER_TEST, Auditor, checks, judged
from tests.support.logs import LogUnderTest, sample_log
from tests.support.members import (
    DAY_MS,
    HUB,
    NODE,
    NOW_MS,
    OTHER_NODE,
    PROVINCE,
)


def test_a_missing_envelope_is_indeterminate_not_invalid(
    log: LogUnderTest, auditor: Auditor
) -> None:
    del log.envelopes[1]
    report = auditor.verify(log.parts())
    assert judged(report) == ["valid", "indeterminate", "valid", "valid", "valid", "valid"]
    assert checks(report, 1) == ["envelope_missing"]
    assert report.verdict is Verdict.INDETERMINATE


def test_a_replaced_envelope_is_invalid(log: LogUnderTest, auditor: Auditor) -> None:
    other = sample_log(HUB_UNDER_TEST, NODE_UNDER_TEST)
    log.envelopes[1] = other.envelopes[1]
    report = auditor.verify(log.parts())
    assert checks(report, 1) == ["envelope_replaced"]
    assert checks(report) == ["envelopes.pb"]
    assert judged(report)[2:] == ["valid"] * 4


def test_a_flipped_bit_in_any_part_of_an_envelope_is_invalid(
    log: LogUnderTest, auditor: Auditor
) -> None:
    for part in ("header", "ciphertext", "signature"):
        envelope = envelope_pb2.SealedEnvelope.FromString(log.envelopes[1])
        value = getattr(envelope, part)
        setattr(envelope, part, value[:-1] + bytes([value[-1] ^ 1]))
        envelopes = list(log.envelopes)
        envelopes[1] = envelope.SerializeToString()
        report = auditor.verify(log.parts(envelopes=envelopes))
        assert checks(report, 1) == ["envelope_replaced"]


@pytest.mark.parametrize("stranger", [b"\xff", b""])
def test_added_messages_are_counted_as_strangers(
    log: LogUnderTest, auditor: Auditor, stranger: bytes
) -> None:
    parts = log.parts(envelopes=[*log.envelopes, stranger], receipts=[b"\xff", *log.receipts])
    report = auditor.verify(parts)
    assert checks(report) == ["envelopes.pb", "receipts.pb"]
    assert judged(report) == ["valid"] * 6


def test_envelopes_in_another_order_show(log: LogUnderTest, auditor: Auditor) -> None:
    log.envelopes[1], log.envelopes[2] = log.envelopes[2], log.envelopes[1]
    report = auditor.verify(log.parts())
    assert checks(report, 1) == ["envelope_missing"]
    assert checks(report) == ["envelopes.pb"]


def test_an_envelope_logged_after_its_expiry_shows(
    empty_log: LogUnderTest, auditor: Auditor
) -> None:
    sent = empty_log.next_outgoing(NODE_UNDER_TEST, expires_at_ms=NOW_MS)
    empty_log.accept(sent, logged_at_ms=NOW_MS + 1)
    assert checks(auditor.verify(empty_log.parts()), 0) == ["expired"]


def test_an_envelope_logged_before_it_was_sealed_shows(
    empty_log: LogUnderTest, auditor: Auditor
) -> None:
    sent = empty_log.next_outgoing(NODE_UNDER_TEST, created_at_ms=NOW_MS + DAY_MS + 1)
    empty_log.accept(sent)
    assert checks(auditor.verify(empty_log.parts()), 0) == ["from_the_future"]


def test_a_signature_that_the_hub_logged_unverified_shows(
    empty_log: LogUnderTest, auditor: Auditor
) -> None:
    # The hub itself logs an envelope whose signature is not the sender's.
    sent = empty_log.next_outgoing(NODE_UNDER_TEST)
    empty_log.accept(sent)
    envelope = envelope_pb2.SealedEnvelope.FromString(empty_log.envelopes[0])
    envelope.signature = bytes(64)
    relogged = LogUnderTest(hub=HUB_UNDER_TEST)
    header = envelope_pb2.EnvelopeHeader.FromString(envelope.header)
    assert header.seq == 1
    relogged._log(envelope, transparency_pb2.LOG_KIND_ENVELOPE, NOW_MS, {})  # noqa: SLF001 - a hub that cheats
    assert checks(auditor.verify(relogged.parts()), 0) == ["signature", "receipt"]


def test_an_envelope_that_does_not_parse_shows(empty_log: LogUnderTest, auditor: Auditor) -> None:
    sent = empty_log.next_outgoing(NODE_UNDER_TEST)
    empty_log.accept(sent)
    leaf = transparency_pb2.LogLeaf.FromString(empty_log.leaves[0])
    broken = envelope_pb2.SealedEnvelope(header=b"\xff", signature=bytes(64))
    from security.envelope import envelope_hash  # noqa: PLC0415 - used here only

    leaf.envelope_hash = envelope_hash(broken)
    empty_log.leaves[0] = leaf.SerializeToString()
    empty_log.envelopes[0] = broken.SerializeToString()
    assert checks(auditor.verify(empty_log.parts()), 0) == ["envelope_format", "receipt_differs"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"purpose": "research"}, ["leaf_differs"]),
        ({"payload_type": "custody"}, ["leaf_differs"]),
        ({"period": "2025H2"}, ["leaf_differs"]),
        ({"ciphertext_hash": bytes(32)}, ["leaf_differs"]),
        ({"lane": envelope_pb2.LANE_URGENT}, ["leaf_differs"]),
        ({"seq": 2}, ["leaf_differs", "chain_gap"]),
        ({"incarnation": 2, "seq": 1}, ["leaf_differs"]),
        ({"sender": OTHER_NODE}, ["leaf_differs"]),
        ({"recipient": PROVINCE}, ["leaf", "leaf_differs", "receipt"]),
    ],
)
def test_a_leaf_that_misstates_its_envelope_shows(
    empty_log: LogUnderTest, auditor: Auditor, changes: dict[str, Any], expected: list[str]
) -> None:
    empty_log.accept(empty_log.next_outgoing(NODE_UNDER_TEST), **changes)
    assert checks(auditor.verify(empty_log.parts()), 0) == expected


def test_a_delivery_in_anothers_name_shows(empty_log: LogUnderTest, auditor: Auditor) -> None:
    sent = empty_log.next_delivery(
        NODE_UNDER_TEST,
        sender=NODE,
        sender_key=NODE_UNDER_TEST.signing,
        recipient=HUB,
        recipient_key_id=HUB_UNDER_TEST.encryption.key_id,
        recipient_public_key=HUB_UNDER_TEST.encryption.public_bytes,
    )
    empty_log.deliver(sent)
    report = auditor.verify(empty_log.parts())
    assert checks(report, 0) == ["leaf"]
    assert "sender is" in report.exchanges[0].failures[0].detail


def test_every_failure_is_listed_not_only_the_first(
    empty_log: LogUnderTest, auditor: Auditor
) -> None:
    sent = empty_log.next_outgoing(NODE_UNDER_TEST, expires_at_ms=NOW_MS)
    empty_log.accept(sent, logged_at_ms=NOW_MS + 400 * DAY_MS, purpose="research", seq=3)
    empty_log.receipts.clear()
    report = auditor.verify(empty_log.parts())
    assert checks(report, 0) == [
        "leaf_differs",
        "leaf_differs",
        "expired",
        "sender_key",
        "receipt",
        "chain_gap",
    ]
