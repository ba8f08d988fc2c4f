"""Sealed envelopes (信封): everything that crosses an organisation's border.

Encrypt first, then sign. The signature covers the pre-authentication encoding of
("yixin/envelope/v1", header, ciphertext); the header's hash goes into the encryption's ``info``,
so that neither part fits another. Received bytes are verified, never a re-serialisation.

Opening, in order; each step below carries its number:

0. Bounds and formats of every part, before anything is used.
1. The envelope is addressed to this member.
2. It is logged before it expires, and its clock is not ahead by more than a day.
3. The sender's key is certified by one of the two parties' hubs and valid at the logged time. The
   one exception: what a hub passed on inside another envelope, under a key which it certified.
4. The signature fits, both halves where the key has two, and the countersignature where the
   header names an SM2 key; a member of suite GM requires it of its hub.
5. The named decryption key is held and opens the ciphertext.

Not done here, and left to the caller: the chain (``security.chain``), the sender's right to this
payload type, revocation lists, and everything about the content.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from protos.yixin.v1 import envelope_pb2
from security.certificates import SIGNING
from security.countersigning import countersign, find_countersigner, is_countersigning, sm2_key_id
from security.encoding import pae, parse_exactly
from security.errors import (
    BadSignatureError,
    BrokenRule,
    CertificateEndedError,
    RevokedError,
    UnreadableEnvelopeError,
    UntrustedCertificateError,
    UntrustedEnvelopeError,
    cause_of,
)
from security.headers import (
    FORMAT,
    MAX_CLOCK_AHEAD_MS,
    MAX_ENVELOPE_BYTES,
    MAX_HEADER_BYTES,
    PAYLOAD_TARGET_BYTES,
    parse_header,
)
from security.keys import EncryptionKey, Signature, SigningKey
from security.suites import get_suite

if TYPE_CHECKING:
    from collections.abc import Mapping

    from security.certificates import CertifiedKey, Keyring

__all__ = [
    "MAX_ENVELOPE_BYTES",
    "MAX_HEADER_BYTES",
    "PAYLOAD_TARGET_BYTES",
    "OpenedEnvelope",
    "OutgoingEnvelope",
    "VerifiedEnvelope",
    "decrypt_envelope",
    "envelope_hash",
    "open_envelope",
    "parse_envelope",
    "parse_header",
    "seal",
    "verify_addressed_envelope",
    "verify_delivery",
    "verify_envelope",
]

PAYLOAD_TYPE: Final = "yixin/envelope/v1"
HASH_TYPE: Final = "yixin/envelope-hash/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingEnvelope:
    """What a sender puts into an envelope."""

    suite: str
    """Suite of the recipient's key."""
    sender: str
    """Member id of the sender."""
    sender_key: SigningKey
    """Key that signs."""
    recipient: str
    """Member id of the addressee."""
    recipient_key_id: str
    """Key the payload is encrypted to."""
    recipient_public_key: bytes
    """That key's public bytes."""
    purpose: str
    """Declared purpose, for example ``supervision``."""
    data_class: str
    """Data class, for example ``aggregate``."""
    payload_type: str
    """For example ``statements``."""
    schema_version: int
    """Version of the payload's schema, from 1."""
    period: str
    """Rating period such as ``2026H1``, or empty."""
    lane: envelope_pb2.Lane.ValueType
    """Lane of the chain."""
    incarnation: int
    """Incarnation of the chain, from 1."""
    seq: int
    """Gapless within the incarnation, from 1."""
    previous_hash: bytes
    """Hash of the previous envelope; 32 zero bytes for the very first."""
    created_at_ms: int
    """Sealing time, milliseconds since the epoch, UTC."""
    expires_at_ms: int
    """Last moment of logging, same unit."""
    pack_digest: bytes
    """SHA-256 of the catalogue the payload was made with, or empty."""
    cited_incarnation: int = 0
    """At seq 1 of a later incarnation, the one before; else 0."""
    cited_seq: int = 0
    """Last receipted seq of the cited incarnation; else 0."""
    agreement: str = ""
    """Sharing agreement ``id@version`` it is made under, or empty."""
    sm2_key: SigningKey | None = field(default=None, repr=False)
    """Key that countersigns: of a hub, for a member of suite GM."""
    payload: bytes = field(repr=False)
    """What is encrypted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedEnvelope:
    """An envelope whose sender and header are proved; its content is still closed."""

    header: envelope_pb2.EnvelopeHeader
    """The signed header."""
    hash: bytes
    """SHA-256 of the envelope."""
    sender_key: CertifiedKey
    """Key that signed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedEnvelope:
    """An envelope that is proved and decrypted."""

    header: envelope_pb2.EnvelopeHeader
    """The signed header."""
    hash: bytes
    """SHA-256 of the envelope."""
    payload: bytes = field(repr=False)
    """The content."""


def seal(outgoing: OutgoingEnvelope) -> envelope_pb2.SealedEnvelope:
    """Encrypt a payload to its recipient and sign it.

    Returns:
        The envelope; it passes the checks of any receiver's ``parse_header``.

    Raises:
        UnknownSuiteError: The suite is not known.
        ValueError: A header field or the recipient's key is malformed, or the payload too long.
    """
    header = envelope_pb2.EnvelopeHeader(
        format=FORMAT,
        suite=outgoing.suite,
        envelope_id=secrets.token_hex(16),
        sender=outgoing.sender,
        sender_key_id=outgoing.sender_key.key_id,
        recipient=outgoing.recipient,
        recipient_key_id=outgoing.recipient_key_id,
        purpose=outgoing.purpose,
        data_class=outgoing.data_class,
        payload_type=outgoing.payload_type,
        schema_version=outgoing.schema_version,
        period=outgoing.period,
        lane=outgoing.lane,
        incarnation=outgoing.incarnation,
        seq=outgoing.seq,
        previous_hash=outgoing.previous_hash,
        created_at_ms=outgoing.created_at_ms,
        expires_at_ms=outgoing.expires_at_ms,
        pack_digest=outgoing.pack_digest,
        cited_incarnation=outgoing.cited_incarnation,
        cited_seq=outgoing.cited_seq,
        agreement=outgoing.agreement,
        sm2_key_id=sm2_key_id(outgoing.sm2_key),
    ).SerializeToString(deterministic=True)
    ciphertext = get_suite(outgoing.suite).seal(
        outgoing.recipient_public_key, outgoing.payload, _info(header)
    )
    signature = outgoing.sender_key.sign(PAYLOAD_TYPE, header, ciphertext)
    envelope = envelope_pb2.SealedEnvelope(
        header=header,
        ciphertext=ciphertext,
        signature=signature.classical,
        pq_signature=signature.post_quantum,
        sm2_signature=countersign(outgoing.sm2_key, PAYLOAD_TYPE, header, ciphertext),
    )
    try:
        parse_header(envelope)
    except UntrustedEnvelopeError as error:
        raise ValueError(f"every receiver would refuse this envelope: {error.cause}") from error
    return envelope


def envelope_hash(envelope: envelope_pb2.SealedEnvelope) -> bytes:
    """SHA-256 over all parts of an envelope: its name in chains, receipts and logs.

    The countersignature is a fifth part where there is one.
    """
    countersignature = (envelope.sm2_signature,) if envelope.sm2_signature else ()
    return hashlib.sha256(
        pae(
            HASH_TYPE,
            envelope.header,
            envelope.ciphertext,
            envelope.signature,
            envelope.pq_signature,
            *countersignature,
        )
    ).digest()


def parse_envelope(data: bytes) -> envelope_pb2.SealedEnvelope:
    """Read a serialised envelope; its size is checked before it is parsed.

    Raises:
        UntrustedEnvelopeError: Too long, or not an envelope.
    """
    try:
        return parse_exactly(envelope_pb2.SealedEnvelope, data, MAX_ENVELOPE_BYTES)
    except ValueError as error:
        raise UntrustedEnvelopeError(str(error)) from error


def verify_envelope(
    envelope: envelope_pb2.SealedEnvelope,
    header: envelope_pb2.EnvelopeHeader,
    key: CertifiedKey,
    *,
    keyring: Keyring,
    at_ms: int,
    carrier: str = "",
) -> None:
    """Verify that a certified key signed this envelope; needs no decryption key.

    Args:
        envelope: The envelope as received.
        header: Its header, from ``parse_header``.
        key: The sender's key, found for the logged time.
        keyring: Certified keys; holds the SM2 key where the header names one.
        at_ms: Logged time, milliseconds since the epoch, UTC.
        carrier: Hub that passed the envelope on inside another one, and whose certificates count
            therefore (``security.sharing.forwarded``); empty for every other envelope.

    Raises:
        UntrustedEnvelopeError: The key is not the one the header names, was certified by neither
            party, or did not sign these bytes; or the countersignature does not hold.
    """
    if (key.member, key.key_id, key.use) != (header.sender, header.sender_key_id, SIGNING):
        raise UntrustedEnvelopeError("the key is not the sender's signing key")
    if key.issuer not in {header.sender, header.recipient, carrier}:
        raise UntrustedEnvelopeError(f"the sender's key is certified by {key.issuer}")
    signature = Signature(classical=envelope.signature, post_quantum=envelope.pq_signature)
    try:
        key.verifying.verify(signature, PAYLOAD_TYPE, envelope.header, envelope.ciphertext)
        countersigner = find_countersigner(
            keyring, header.sender, header.sm2_key_id, envelope.sm2_signature, at_ms=at_ms
        )
        if countersigner is not None:
            second = Signature(classical=envelope.sm2_signature)
            countersigner.verify(second, PAYLOAD_TYPE, envelope.header, envelope.ciphertext)
    except (BadSignatureError, UntrustedCertificateError) as error:
        raise UntrustedEnvelopeError(f"signature: {cause_of(error)}") from error


def verify_addressed_envelope(
    envelope: envelope_pb2.SealedEnvelope,
    *,
    recipient: str,
    keyring: Keyring,
    now_ms: int,
    carrier: str = "",
) -> VerifiedEnvelope:
    """Prove sender, header and addressee of a received envelope: steps 0 to 4.

    Args:
        envelope: The envelope as received.
        recipient: Member id of whoever opens it.
        keyring: Keys that the recipient trusts.
        now_ms: Logged time, milliseconds since the epoch, UTC.
        carrier: See ``verify_envelope``.

    Raises:
        UntrustedEnvelopeError: Any step fails; the wording is the same for all.
    """
    # 0. Bounds and formats.
    header = parse_header(envelope)
    # 1. Addressee.
    if header.recipient != recipient:
        raise UntrustedEnvelopeError(
            "the envelope is addressed to another member", BrokenRule.RECIPIENT
        )
    # 2. Times.
    if now_ms > header.expires_at_ms:
        raise UntrustedEnvelopeError("the envelope has expired", BrokenRule.EXPIRED)
    if header.created_at_ms > now_ms + MAX_CLOCK_AHEAD_MS:
        raise UntrustedEnvelopeError("the envelope is from the future", BrokenRule.CLOCK)
    # 3. The sender's key at the logged time.
    try:
        key = keyring.find(header.sender, header.sender_key_id, SIGNING, now_ms)
    except UntrustedCertificateError as error:
        raise UntrustedEnvelopeError(f"sender: {error.cause}", _certificate_rule(error)) from error
    # 4. Signature.
    verify_envelope(envelope, header, key, keyring=keyring, at_ms=now_ms, carrier=carrier)
    return VerifiedEnvelope(header=header, hash=envelope_hash(envelope), sender_key=key)


def verify_delivery(
    envelope: envelope_pb2.SealedEnvelope, *, recipient: str, keyring: Keyring, now_ms: int
) -> VerifiedEnvelope:
    """Prove what a hub delivered to its member: steps 0 to 4, and that it is countersigned in GM.

    Args:
        envelope: The envelope as received.
        recipient: Member id of the member.
        keyring: Keys of the hub and of the member.
        now_ms: Present moment, milliseconds since the epoch, UTC.

    Raises:
        UntrustedEnvelopeError: Any step fails; the wording is the same for all.
    """
    verified = verify_addressed_envelope(
        envelope, recipient=recipient, keyring=keyring, now_ms=now_ms
    )
    if is_countersigning(verified.header.suite) and not verified.header.sm2_key_id:
        raise UntrustedEnvelopeError("signature: the hub did not countersign with SM2")
    return verified


def decrypt_envelope(
    envelope: envelope_pb2.SealedEnvelope,
    verified: VerifiedEnvelope,
    decryption_keys: Mapping[str, EncryptionKey],
) -> OpenedEnvelope:
    """Decrypt a proved envelope: step 5.

    Raises:
        UnreadableEnvelopeError: The named key is not held, or the content does not open.
    """
    # 5. Content.
    header = verified.header
    key = decryption_keys.get(header.recipient_key_id)
    if key is None:
        raise UnreadableEnvelopeError(f"decryption key {header.recipient_key_id} is not held")
    payload = get_suite(header.suite).open(key, envelope.ciphertext, _info(envelope.header))
    return OpenedEnvelope(header=header, hash=verified.hash, payload=payload)


def open_envelope(
    envelope: envelope_pb2.SealedEnvelope,
    *,
    recipient: str,
    decryption_keys: Mapping[str, EncryptionKey],
    keyring: Keyring,
    now_ms: int,
) -> OpenedEnvelope:
    """Prove and decrypt a received envelope: steps 0 to 5.

    Args:
        envelope: The envelope as received.
        recipient: Member id of whoever opens it.
        decryption_keys: Private keys by key id, retired ones included.
        keyring: Keys that the recipient trusts.
        now_ms: Logged time, milliseconds since the epoch, UTC.

    Raises:
        UnreadableEnvelopeError: Steps 0 to 4 hold, but the content does not open.
        UntrustedEnvelopeError: Any other step fails; the wording is the same for all.
    """
    verified = verify_addressed_envelope(
        envelope, recipient=recipient, keyring=keyring, now_ms=now_ms
    )
    return decrypt_envelope(envelope, verified, decryption_keys)


def _certificate_rule(error: UntrustedCertificateError) -> BrokenRule | None:
    if isinstance(error, RevokedError):
        return BrokenRule.REVOKED
    return BrokenRule.CERTIFICATE if isinstance(error, CertificateEndedError) else None


def _info(header: bytes) -> bytes:
    return hashlib.sha256(header).digest()
