"""Key certificates: a hub's statement that a key belongs to a member.

Rules: the body's bytes are verified as received, against the anchor of the issuer; what is
issued passes the same checks as what is received; no certificate lasts for ever. A key whose
suite needs an extra that is not installed is held, and cannot be used.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from protos.yixin.v1 import identity_pb2
from security.certificates.anchors import anchor_key
from security.encoding import parse_exactly
from security.errors import BadSignatureError, UnknownSuiteError, UntrustedCertificateError
from security.keys import (
    MLDSA65_SIGNATURE_BYTES,
    KeyId,
    Signature,
    SigningKey,
    VerifyingKey,
    key_id_of,
)
from security.members import MemberId, MemberKind, parse_member_id
from security.suites import get_suite, load_public_key, named_suite

if TYPE_CHECKING:
    from typing import TypeAlias

    KeyUse: TypeAlias = identity_pb2.KeyUse.ValueType

PAYLOAD_TYPE: Final = "yixin/key-certificate/v1"
FORMAT: Final = 1
MAX_BODY_BYTES: Final = 8 * 1024
MAX_VALIDITY_MS: Final = 400 * 24 * 3600 * 1000
"""A year and its overlap: certificates that never end are refused."""
CLOCK_SKEW_MS: Final = 300_000
"""So long before it is issued a certificate begins: clocks may be wrong."""

SIGNING: Final = identity_pb2.KEY_USE_SIGNING
ENCRYPTION: Final = identity_pb2.KEY_USE_ENCRYPTION


@dataclass(frozen=True, slots=True, kw_only=True)
class CertifiedKey:
    """A public key that a trusted hub certified."""

    member: MemberId
    """Owner of the key."""
    kind: MemberKind
    """Kind of the owner."""
    use: KeyUse
    """Signing or encryption."""
    suite: str
    """Suite the key belongs to."""
    key_id: KeyId
    """Name of the key."""
    public_key: bytes
    """Ed25519 (32 bytes) or SM2 (65), or the suite's encryption key."""
    pq_public_key: bytes
    """ML-DSA-65 (1952 bytes) of hubs; empty otherwise."""
    not_before_ms: int
    """First moment of validity, milliseconds since the epoch, UTC."""
    not_after_ms: int
    """Last moment of validity, same unit."""
    serial: int
    """Serial of the certificate; 0 for an anchor's own key."""
    issuer: MemberId
    """Hub that certified the key."""

    @property
    def verifying(self) -> VerifyingKey:
        """The key, ready to verify with.

        Raises:
            UnknownSuiteError: Its suite needs an extra that is not installed.
        """
        return _verifying_key(self.suite, self.public_key, self.pq_public_key)

    def is_valid_at(self, at_ms: int) -> bool:
        """Whether the moment lies within the validity, ends included."""
        return self.not_before_ms <= at_ms <= self.not_after_ms


@lru_cache(maxsize=4096)
def _verifying_key(suite: str, public_key: bytes, pq_public_key: bytes) -> VerifyingKey:
    return VerifyingKey(
        public_key=public_key, pq_public_key=pq_public_key, scheme=get_suite(suite).signature
    )


def issue_key_certificate(
    issuer_key: SigningKey,
    *,
    issuer: str,
    member: str,
    kind: str,
    use: KeyUse,
    suite: str,
    public_key: bytes,
    pq_public_key: bytes,
    not_before_ms: int,
    not_after_ms: int,
    serial: int,
) -> identity_pb2.KeyCertificate:
    """Certify a key of a member.

    Args:
        issuer_key: Identity key of the certifying hub.
        issuer: Member id of the certifying hub.
        member: Member id of the key's owner.
        kind: ``node``, ``hub`` or ``department``; must be the kind in the member id.
        use: Signing or encryption.
        suite: Name of the suite.
        public_key: Public key of that use.
        pq_public_key: ML-DSA-65 half of a signing key, or empty.
        not_before_ms: First moment of validity, milliseconds since the epoch, UTC.
        not_after_ms: Last moment of validity, same unit; at most 400 days later.
        serial: Unique per issuer, from 1.

    Returns:
        The signed certificate.

    Raises:
        UntrustedCertificateError: The parts do not make a valid certificate.
    """
    body = identity_pb2.KeyCertificateBody(
        format=FORMAT,
        issuer=issuer,
        member=member,
        kind=kind,
        use=use,
        suite=suite,
        key_id=key_id_of(public_key, pq_public_key),
        public_key=public_key,
        pq_public_key=pq_public_key,
        not_before_ms=not_before_ms,
        not_after_ms=not_after_ms,
        serial=serial,
    )
    _certified(body)
    data = body.SerializeToString(deterministic=True)
    signature = issuer_key.sign(PAYLOAD_TYPE, data)
    return identity_pb2.KeyCertificate(
        body=data, signature=signature.classical, pq_signature=signature.post_quantum
    )


def verify_key_certificate(
    certificate: identity_pb2.KeyCertificate, anchor: identity_pb2.TrustAnchor
) -> CertifiedKey:
    """Verify a certificate against the anchor of its issuer; validity in time is not judged.

    Raises:
        UntrustedCertificateError: Malformed, issued by another hub, or not signed by the anchor.
    """
    if len(certificate.pq_signature) not in {0, MLDSA65_SIGNATURE_BYTES}:
        raise UntrustedCertificateError("the post-quantum signature has a wrong length")
    try:
        body = parse_exactly(identity_pb2.KeyCertificateBody, certificate.body, MAX_BODY_BYTES)
    except ValueError as error:
        raise UntrustedCertificateError(f"key certificate: {error}") from error
    if body.issuer != anchor.hub:
        raise UntrustedCertificateError(
            f"key certificate issued by {body.issuer[:120]!r}, the anchor is of {anchor.hub!r}"
        )
    signature = Signature(classical=certificate.signature, post_quantum=certificate.pq_signature)
    try:
        anchor_key(anchor).verify(signature, PAYLOAD_TYPE, certificate.body)
    except BadSignatureError as error:
        raise UntrustedCertificateError(f"key certificate of {body.member[:120]!r}") from error
    return _certified(body)


def _certified(body: identity_pb2.KeyCertificateBody) -> CertifiedKey:
    try:
        owner = parse_member_id(body.member)
        issuer = parse_member_id(body.issuer)
        named_suite(body.suite)
        _check_key(body)
    except (ValueError, UnknownSuiteError) as error:
        raise UntrustedCertificateError(f"key certificate: {error}") from error
    faults = {
        f"format {body.format}, expected {FORMAT}": body.format != FORMAT,
        f"{body.issuer} is not a hub": issuer.kind is not MemberKind.HUB,
        f"kind {body.kind[:40]!r} of {body.member}": owner.kind.value != body.kind,
        f"key id {body.key_id[:40]!r} does not name the key": body.key_id
        != key_id_of(body.public_key, body.pq_public_key),
        "validity ends before it begins or lasts more than 400 days": not 0
        <= body.not_after_ms - body.not_before_ms
        <= MAX_VALIDITY_MS,
        "serial 0": body.serial == 0,
    }
    for fault, found in faults.items():
        if found:
            raise UntrustedCertificateError(f"key certificate: {fault}")
    return CertifiedKey(
        member=owner.member_id,
        kind=owner.kind,
        use=body.use,
        suite=body.suite,
        key_id=KeyId(body.key_id),
        public_key=body.public_key,
        pq_public_key=body.pq_public_key,
        not_before_ms=body.not_before_ms,
        not_after_ms=body.not_after_ms,
        serial=body.serial,
        issuer=issuer.member_id,
    )


def _check_key(body: identity_pb2.KeyCertificateBody) -> None:
    if body.use not in {SIGNING, ENCRYPTION}:
        raise ValueError(f"key use {body.use}")
    if body.use == ENCRYPTION and body.pq_public_key:
        raise ValueError("an encryption key has no ML-DSA-65 half")
    # Without its extra the key is not parsed: its issuer did that, and it is not used here.
    with suppress(UnknownSuiteError):
        if body.use == SIGNING:
            _verifying_key(body.suite, body.public_key, body.pq_public_key)
        else:
            load_public_key(body.suite, body.public_key)
