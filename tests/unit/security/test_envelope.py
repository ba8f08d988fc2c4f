from __future__ import annotations

from dataclasses import replace

import pytest

from protos.yixin.v1 import envelope_pb2
from security.certificates import SIGNING, verify_key_certificate
from security.envelope import (
    MAX_ENVELOPE_BYTES,
    OpenedEnvelope,
    decrypt_envelope,
    envelope_hash,
    open_envelope,
    parse_envelope,
    parse_header,
    seal,
    verify_addressed_envelope,
    verify_envelope,
)
from security.errors import (
    UNTRUSTED_WORDING,
    UnknownSuiteError,
    UnreadableEnvelopeError,
    UntrustedEnvelopeError,
)
from security.keys import EncryptionKey, SigningKey
from security.members import MemberId
from tests.support.members import (
    DAY_MS,
    HUB,
    NODE,
    NOW_MS,
    OTHER_NODE,
    PROVINCE,
    HubUnderTest,
    MemberUnderTest,
    city,
    make_hub,
    outgoing,
)

HUB_UNDER_TEST, NODE_UNDER_TEST = city()


@pytest.fixture
def sealed() -> envelope_pb2.SealedEnvelope:
    return seal(outgoing(HUB_UNDER_TEST, NODE_UNDER_TEST, payload=b"content"))


def opened(
    envelope: envelope_pb2.SealedEnvelope,
    *,
    hub: HubUnderTest = HUB_UNDER_TEST,
    now_ms: int = NOW_MS,
) -> OpenedEnvelope:
    return open_envelope(
        envelope,
        recipient=hub.hub_id,
        decryption_keys=hub.decryption_keys,
        keyring=hub.keyring(),
        now_ms=now_ms,
    )


def refused(
    envelope: envelope_pb2.SealedEnvelope,
    *,
    hub: HubUnderTest = HUB_UNDER_TEST,
    now_ms: int = NOW_MS,
) -> str:
    """The cause of a refusal; the wording is checked to be the one that tells nothing."""
    with pytest.raises(UntrustedEnvelopeError) as caught:
        opened(envelope, hub=hub, now_ms=now_ms)
    assert str(caught.value) == UNTRUSTED_WORDING
    return caught.value.cause


def test_what_is_sealed_opens(sealed: envelope_pb2.SealedEnvelope) -> None:
    found = opened(sealed)
    assert found.payload == b"content"
    assert found.header.sender == NODE
    assert found.header.suite == "INTL-PQ"
    assert found.hash == envelope_hash(sealed)


def test_a_hub_seals_with_both_halves_and_its_member_opens() -> None:
    hub, node = city()
    down = replace(
        outgoing(hub, node),
        sender=HUB,
        sender_key=hub.signing,
        recipient=NODE,
        recipient_key_id=node.encryption.key_id,
        recipient_public_key=node.encryption.public_bytes,
    )
    envelope = seal(down)
    assert len(envelope.pq_signature) == 3309
    found = open_envelope(
        envelope,
        recipient=NODE,
        decryption_keys=node.decryption_keys,
        keyring=hub.keyring(),
        now_ms=NOW_MS,
    )
    assert found.payload == b"statement"
    envelope.pq_signature = b""
    with pytest.raises(UntrustedEnvelopeError):
        open_envelope(
            envelope,
            recipient=NODE,
            decryption_keys=node.decryption_keys,
            keyring=hub.keyring(),
            now_ms=NOW_MS,
        )


def test_a_hub_without_post_quantum_keys_receives_the_plain_suite() -> None:
    hub = make_hub(post_quantum=False)
    hub.encryption = EncryptionKey.generate("INTL")
    node = hub.enrol(NODE, suite="INTL")
    assert opened(seal(outgoing(hub, node)), hub=hub).payload == b"statement"


@pytest.mark.parametrize("part", ["header", "ciphertext", "signature"])
def test_a_flipped_bit_anywhere_is_refused(part: str, sealed: envelope_pb2.SealedEnvelope) -> None:
    original = getattr(sealed, part)
    step = max(1, len(original) // 60)
    for at in range(0, len(original), step):
        for bit in (1, 128):
            flipped = bytearray(original)
            flipped[at] ^= bit
            changed = envelope_pb2.SealedEnvelope()
            changed.CopyFrom(sealed)
            setattr(changed, part, bytes(flipped))
            assert refused(changed)


@pytest.mark.parametrize("part", ["header", "ciphertext", "signature"])
def test_a_truncated_or_lengthened_part_is_refused(
    part: str, sealed: envelope_pb2.SealedEnvelope
) -> None:
    original = getattr(sealed, part)
    for value in (b"", original[: len(original) // 2], original[:-1], original + b"\x00"):
        changed = envelope_pb2.SealedEnvelope()
        changed.CopyFrom(sealed)
        setattr(changed, part, value)
        assert refused(changed)


def test_a_header_cannot_be_moved_to_another_ciphertext(
    sealed: envelope_pb2.SealedEnvelope,
) -> None:
    other = seal(outgoing(HUB_UNDER_TEST, NODE_UNDER_TEST, payload=b"another"))
    for part in ("header", "ciphertext", "signature"):
        mixed = envelope_pb2.SealedEnvelope()
        mixed.CopyFrom(sealed)
        setattr(mixed, part, getattr(other, part))
        assert refused(mixed).startswith("signature: ")


def test_a_ciphertext_resigned_by_another_member_does_not_open(
    sealed: envelope_pb2.SealedEnvelope,
) -> None:
    # A certified member copies a stranger's ciphertext under its own header (surreptitious
    # forwarding): the signature is good, but the ciphertext is bound to the first header.
    hub = make_hub()
    hub.encryption = HUB_UNDER_TEST.encryption
    thief = hub.enrol(OTHER_NODE)
    own = seal(outgoing(hub, thief))
    signature = thief.signing.sign("yixin/envelope/v1", own.header, sealed.ciphertext)
    stolen = envelope_pb2.SealedEnvelope(
        header=own.header, ciphertext=sealed.ciphertext, signature=signature.classical
    )
    assert refused(stolen, hub=hub) == "the ciphertext does not open"


def test_an_envelope_for_another_member_is_refused() -> None:
    envelope = seal(outgoing(HUB_UNDER_TEST, NODE_UNDER_TEST, recipient=PROVINCE))
    assert refused(envelope) == "the envelope is addressed to another member"


def test_a_signature_by_an_uncertified_key_is_refused() -> None:
    envelope = seal(
        outgoing(
            HUB_UNDER_TEST,
            NODE_UNDER_TEST,
            sender_key=SigningKey.generate(post_quantum=False),
        )
    )
    assert refused(envelope).startswith("sender: no certified key")


def test_a_member_cannot_send_in_anothers_name() -> None:
    envelope = seal(outgoing(HUB_UNDER_TEST, NODE_UNDER_TEST, sender=OTHER_NODE))
    assert refused(envelope).startswith("sender: no certified key")


def test_a_key_certified_by_a_third_hub_is_refused(
    sealed: envelope_pb2.SealedEnvelope,
) -> None:
    hub, node = city()
    key = verify_key_certificate(node.certificates[0], hub.anchor)
    header = parse_header(sealed)
    ring = hub.keyring()
    verify_envelope(sealed, header, key, keyring=ring, at_ms=NOW_MS)
    foreign = replace(key, issuer=MemberId(PROVINCE))
    with pytest.raises(UntrustedEnvelopeError) as caught:
        verify_envelope(sealed, header, foreign, keyring=ring, at_ms=NOW_MS)
    assert caught.value.cause == f"the sender's key is certified by {PROVINCE}"


def test_a_key_that_the_header_does_not_name_is_refused(
    sealed: envelope_pb2.SealedEnvelope,
) -> None:
    hub, node = city()
    header = parse_header(sealed)
    for key in (
        verify_key_certificate(node.certificates[1], hub.anchor),
        hub.keyring().find(HUB, hub.signing.key_id, SIGNING, NOW_MS),
    ):
        with pytest.raises(UntrustedEnvelopeError) as caught:
            verify_envelope(sealed, header, key, keyring=hub.keyring(), at_ms=NOW_MS)
        assert caught.value.cause == "the key is not the sender's signing key"


def test_an_expired_envelope_is_refused(sealed: envelope_pb2.SealedEnvelope) -> None:
    assert opened(sealed, now_ms=NOW_MS + 30 * DAY_MS).payload == b"content"
    assert refused(sealed, now_ms=NOW_MS + 30 * DAY_MS + 1) == "the envelope has expired"


def test_a_clock_may_be_ahead_by_a_day_and_no_more(
    sealed: envelope_pb2.SealedEnvelope,
) -> None:
    assert opened(sealed, now_ms=NOW_MS - DAY_MS).payload == b"content"
    assert refused(sealed, now_ms=NOW_MS - DAY_MS - 1) == "the envelope is from the future"


def test_a_sender_whose_certificate_expired_is_refused() -> None:
    hub = make_hub()
    signing = SigningKey.generate(post_quantum=False)
    node = replace(NODE_UNDER_TEST, signing=signing)
    hub.certify(NODE, signing, not_after_ms=NOW_MS)
    envelope = seal(outgoing(hub, node))
    assert opened(envelope, hub=hub).payload == b"statement"
    assert refused(envelope, hub=hub, now_ms=NOW_MS + 1).startswith("sender: no key is valid")


def test_content_that_does_not_open_is_told_apart_from_an_untrusted_sender(
    sealed: envelope_pb2.SealedEnvelope,
) -> None:
    hub, _ = city()
    verified = verify_addressed_envelope(
        sealed, recipient=HUB, keyring=hub.keyring(), now_ms=NOW_MS
    )
    assert verified.hash == envelope_hash(sealed)
    with pytest.raises(UnreadableEnvelopeError) as caught:
        decrypt_envelope(sealed, verified, {})
    assert caught.value.cause == f"decryption key {hub.encryption.key_id} is not held"
    wrong: dict[str, EncryptionKey] = {hub.encryption.key_id: EncryptionKey.generate("INTL-PQ")}
    with pytest.raises(UnreadableEnvelopeError) as caught:
        decrypt_envelope(sealed, verified, wrong)
    assert str(caught.value) == UNTRUSTED_WORDING


@pytest.mark.parametrize("part", ["header", "ciphertext", "signature", "pq_signature"])
def test_the_hash_covers_every_part(part: str, sealed: envelope_pb2.SealedEnvelope) -> None:
    before = envelope_hash(sealed)
    setattr(sealed, part, getattr(sealed, part) + b"\x00")
    assert envelope_hash(sealed) != before


def test_the_largest_payload_that_senders_cut_fits() -> None:
    envelope = seal(outgoing(HUB_UNDER_TEST, NODE_UNDER_TEST, payload=bytes(512 * 1024)))
    assert len(opened(envelope).payload) == 512 * 1024


def test_sealing_refuses_what_every_receiver_would_refuse() -> None:
    with pytest.raises(ValueError, match=r"would refuse .*: the envelope is too"):
        seal(outgoing(HUB_UNDER_TEST, NODE_UNDER_TEST, payload=bytes(MAX_ENVELOPE_BYTES)))
    with pytest.raises(ValueError, match="header: seq"):
        seal(outgoing(HUB_UNDER_TEST, NODE_UNDER_TEST, seq=0))
    with pytest.raises(UnknownSuiteError):
        seal(outgoing(HUB_UNDER_TEST, NODE_UNDER_TEST, suite="NULL"))
    with pytest.raises(ValueError, match="has 1216 bytes, found 32"):
        seal(outgoing(HUB_UNDER_TEST, NODE_UNDER_TEST, recipient_public_key=bytes(32)))


def test_serialised_envelopes_are_bounded_before_they_are_parsed(
    sealed: envelope_pb2.SealedEnvelope,
) -> None:
    assert parse_envelope(sealed.SerializeToString()) == sealed
    for data in (bytes(MAX_ENVELOPE_BYTES + 1), b"\xff\xff"):
        with pytest.raises(UntrustedEnvelopeError):
            parse_envelope(data)


def test_reprs_show_no_payload(sealed: envelope_pb2.SealedEnvelope) -> None:
    sender: MemberUnderTest = NODE_UNDER_TEST
    shown = repr(outgoing(HUB_UNDER_TEST, sender, payload=b"secret")) + repr(opened(sealed))
    assert "secret" not in shown
    assert "content" not in shown
