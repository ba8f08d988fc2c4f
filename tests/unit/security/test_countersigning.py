"""What a member of suite GM takes of its hub, and what everybody else makes of it."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import pytest

from protos.yixin.v1 import envelope_pb2, exchange_pb2
from security.certificates import CLOCK_SKEW_MS, SIGNING, Keyring
from security.countersigning import countersign_group, find_countersigner
from security.envelope import envelope_hash, parse_header, seal, verify_delivery, verify_envelope
from security.errors import (
    BadSignatureError,
    RemoteSyncError,
    UnknownSuiteError,
    UntrustedCertificateError,
    UntrustedEnvelopeError,
    UntrustedReceiptError,
)
from security.exchange.heads import open_heads, sign_heads
from security.exchange.receipts import verify_receipt
from security.group_signature import sign_group
from security.keys import EncryptionKey, SigningKey
from security.signatures import SignatureScheme
from tests.support.members import HUB, NODE, NOW_MS, PROVINCE, make_hub, outgoing
from tests.support.national import without_tongsuopy

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.members import HubUnderTest

RECEIPT_TYPE = "yixin/receipt-group/v1"


def new_sm2() -> SigningKey:
    return SigningKey.generate(post_quantum=False, scheme=SignatureScheme.SM2_SM3)


@lru_cache(maxsize=1)
def city() -> tuple[HubUnderTest, SigningKey, SigningKey, Keyring]:
    """A hub, its SM2 key, the SM2 key of a member, and the member's ring."""
    hub, own, member = make_hub(), new_sm2(), new_sm2()
    hub.certify(HUB, own, suite="GM")
    hub.certify(NODE, member, suite="GM")
    return hub, own, member, hub.keyring()


def delivery(sm2_key: SigningKey | None, **changes: Any) -> envelope_pb2.SealedEnvelope:  # noqa: ANN401
    hub, *_ = city()
    key = EncryptionKey.generate("GM")
    parts: dict[str, Any] = {
        "suite": "GM",
        "sender": HUB,
        "sender_key": hub.signing,
        "recipient": NODE,
        "recipient_key_id": key.key_id,
        "recipient_public_key": key.public_bytes,
        "sm2_key": sm2_key,
    }
    return seal(outgoing(hub, hub.enrol(NODE), **(parts | changes)))


def prove(envelope: envelope_pb2.SealedEnvelope, ring: Keyring | None = None) -> bytes:
    ring = ring or city()[-1]
    return verify_delivery(envelope, recipient=NODE, keyring=ring, now_ms=NOW_MS).hash


def receipt(
    sm2_key: SigningKey | None, *, named: str | None = None, logged_at_ms: int = NOW_MS
) -> exchange_pb2.Receipt:
    hub, *_ = city()
    body = exchange_pb2.ReceiptBody(
        format=1,
        hub=HUB,
        sender=NODE,
        lane=envelope_pb2.LANE_BULK,
        incarnation=1,
        seq=1,
        envelope_hash=bytes(32),
        logged_at_ms=logged_at_ms,
        status=exchange_pb2.RECEIPT_STATUS_STORED,
        sm2_key_id=named if named is not None else sm2_key.key_id if sm2_key else "",
    ).SerializeToString(deterministic=True)
    _, (proof,), signature = sign_group(hub.signing, RECEIPT_TYPE, [body])
    return exchange_pb2.Receipt(
        body=body,
        key_id=hub.signing.key_id,
        leaf_index=0,
        group_size=proof.group_size,
        path=proof.path,
        signature=signature.classical,
        pq_signature=signature.post_quantum,
        sm2_signature=countersign_group(sm2_key, RECEIPT_TYPE, [body]),
    )


def settle(one: exchange_pb2.Receipt, suite: str = "GM", ring: Keyring | None = None) -> None:
    verify_receipt(one, ring or city()[-1], hub=HUB, sender=NODE, suite=suite)


def heads(sm2_key: SigningKey | None) -> exchange_pb2.SignedHeads:
    return sign_heads(
        city()[0].signing,
        signer=HUB,
        peer=NODE,
        heads={},
        at_ms=NOW_MS,
        downlink=False,
        sm2_key=sm2_key,
    )


def accept(signed: exchange_pb2.SignedHeads, *, is_national: bool = True) -> None:
    open_heads(
        signed,
        city()[-1],
        signer=HUB,
        peer=NODE,
        downlink=False,
        now_ms=NOW_MS,
        is_national=is_national,
    )


def flipped(message: Any) -> Any:  # noqa: ANN401 - any of the three
    message.sm2_signature = bytes([message.sm2_signature[0] ^ 1]) + message.sm2_signature[1:]
    return message


def stripped(message: Any) -> Any:  # noqa: ANN401
    message.sm2_signature = b""
    return message


def shortened(message: Any) -> Any:  # noqa: ANN401
    message.sm2_signature = message.sm2_signature[:-1]
    return message


CHANGES: tuple[Callable[[Any], Any], ...] = (flipped, stripped, shortened)


def test_a_member_of_gm_takes_what_its_hub_signed_with_sm2_too() -> None:
    own = city()[1]
    envelope = delivery(own)
    assert parse_header(envelope).sm2_key_id == own.key_id
    assert prove(envelope) == envelope_hash(envelope)
    settle(receipt(own))
    accept(heads(own))


def test_a_member_of_gm_takes_nothing_that_its_hub_did_not_sign_with_sm2() -> None:
    with pytest.raises(UntrustedEnvelopeError) as caught:
        prove(delivery(None))
    assert "did not countersign" in caught.value.cause
    with pytest.raises(UntrustedReceiptError, match="members of suite GM require"):
        settle(receipt(None))
    with pytest.raises(RemoteSyncError, match="members of suite GM require"):
        accept(heads(None))
    # Members of the other suites need none, and an auditor judges what it is shown.
    settle(receipt(None), suite="INTL-PQ")
    settle(receipt(None), suite="")
    accept(heads(None), is_national=False)


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_or_missing_countersignature_is_refused_by_everybody(
    change: Callable[[Any], Any],
) -> None:
    own = city()[1]
    with pytest.raises(UntrustedEnvelopeError):
        prove(change(delivery(own)))
    for suite in ("GM", ""):
        with pytest.raises(UntrustedReceiptError):
            settle(change(receipt(own)), suite=suite)
    for is_national in (True, False):
        with pytest.raises(RemoteSyncError):
            accept(change(heads(own)), is_national=is_national)


def test_a_countersignature_that_nothing_names_is_refused() -> None:
    own = city()[1]
    extra = receipt(own, named="")
    with pytest.raises(UntrustedReceiptError, match="names no SM2 key"):
        settle(extra, suite="")
    signed = heads(None)
    signed.sm2_signature = own.sign("yixin/heads/v1", signed.body).classical
    with pytest.raises(RemoteSyncError, match="names no SM2 key"):
        accept(signed)
    envelope = delivery(None)
    parts = (envelope.header, envelope.ciphertext)
    envelope.sm2_signature = own.sign("yixin/envelope/v1", *parts).classical
    with pytest.raises(UntrustedEnvelopeError):
        prove(envelope)


@pytest.mark.parametrize("name", ["a member", "a stranger", "the hub's other key"])
def test_only_an_sm2_key_that_the_hub_certified_for_itself_countersigns(name: str) -> None:
    hub, own, member, ring = city()
    key = {"a member": member, "a stranger": new_sm2()}.get(name, own)
    key_id = hub.signing.key_id if name == "the hub's other key" else key.key_id
    with pytest.raises((UntrustedCertificateError, BadSignatureError)):
        find_countersigner(ring, HUB, key_id, bytes(64), at_ms=NOW_MS)
    one = receipt(key, named=key_id)
    with pytest.raises(UntrustedReceiptError):
        settle(one)


def test_a_key_that_another_hub_certified_does_not_countersign() -> None:
    hub, _, _, _ = city()
    province, foreign = make_hub(PROVINCE), new_sm2()
    province.certify(HUB, foreign, suite="GM")
    ring = Keyring([hub.anchor, province.anchor])
    for certificate in (*hub.certificates, *province.certificates):
        ring.add(certificate)
    with pytest.raises(UntrustedReceiptError, match=f"certified by {PROVINCE}"):
        settle(receipt(foreign), ring=ring)


def test_a_revoked_sm2_key_countersigns_no_more() -> None:
    hub, own, _, _ = city()
    ring = hub.keyring()
    key = ring.find(HUB, own.key_id, SIGNING, NOW_MS)
    ring.revoke(HUB, key.serial, NOW_MS - 1)
    with pytest.raises(UntrustedEnvelopeError):
        prove(delivery(own), ring)
    with pytest.raises(UntrustedReceiptError, match="revoked"):
        settle(receipt(own), ring=ring)


def test_the_sm2_signature_is_part_of_an_envelopes_name() -> None:
    envelope = delivery(city()[1])
    assert envelope_hash(envelope) != envelope_hash(stripped(envelope))


def test_only_suite_gm_has_a_countersignature() -> None:
    key = EncryptionKey.generate("INTL")
    with pytest.raises(ValueError, match="an SM2 key outside suite GM"):
        delivery(
            city()[1],
            suite="INTL",
            recipient_key_id=key.key_id,
            recipient_public_key=key.public_bytes,
        )


def test_a_receipt_from_before_the_hub_had_an_sm2_key_is_taken() -> None:
    ring = city()[-1]
    begun_ms = ring.first_ms(HUB, SIGNING, "GM")
    assert begun_ms is not None
    # Given by an older program, lost on the way, and given again as it was.
    settle(receipt(None, logged_at_ms=begun_ms + CLOCK_SKEW_MS - 1))
    with pytest.raises(UntrustedReceiptError, match="members of suite GM require"):
        settle(receipt(None, logged_at_ms=begun_ms + CLOCK_SKEW_MS))
    # A member that knows no SM2 key of its hub waives nothing.
    hub = city()[0]
    bare = Keyring([hub.anchor])
    with pytest.raises(UntrustedReceiptError, match="members of suite GM require"):
        settle(receipt(None, logged_at_ms=1), ring=bare)


def test_without_the_extra_the_hubs_other_signatures_are_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hub, own, member, ring = city()
    envelope, signed = delivery(own), receipt(own)
    damaged = envelope_pb2.SealedEnvelope()
    damaged.CopyFrom(envelope)
    damaged.signature = bytes([envelope.signature[0] ^ 1]) + envelope.signature[1:]
    by_member = seal(
        outgoing(
            hub,
            hub.enrol(NODE),
            suite="GM",
            sender_key=member,
            recipient_public_key=EncryptionKey.generate("GM").public_bytes,
        )
    )
    with without_tongsuopy(monkeypatch):
        # A ring is made of the same certificates, and holds the keys it cannot use.
        ring = hub.keyring()
        key = ring.find(HUB, hub.signing.key_id, SIGNING, NOW_MS)
        header = parse_header(envelope)
        verify_envelope(envelope, header, key, keyring=ring, at_ms=NOW_MS)
        settle(signed, suite="", ring=ring)
        with pytest.raises(UntrustedEnvelopeError):
            verify_envelope(damaged, header, key, keyring=ring, at_ms=NOW_MS)
        # What SM2 alone signed is named as what it is: not checked.
        header = parse_header(by_member)
        key = ring.find(NODE, header.sender_key_id, SIGNING, NOW_MS)
        with pytest.raises(UnknownSuiteError, match="pip install"):
            verify_envelope(by_member, header, key, keyring=ring, at_ms=NOW_MS)
