"""Trust anchors: what a member or an auditor must already hold to check a hub.

Rules: an anchor is compared by the SHA-256 of its serialised bytes, reaches a member pinned by
its join token and an auditor by a file, and is never taken from the data it is meant to check.
"""

from __future__ import annotations

import hashlib
from typing import Final

from protos.yixin.v1 import identity_pb2
from security.encoding import parse_exactly
from security.errors import UntrustedCertificateError
from security.keys import SigningKey, VerifyingKey
from security.members import MemberKind, parse_member_id

MAX_ANCHOR_BYTES: Final = 16 * 1024
MAX_CA_CERTIFICATE_BYTES: Final = 8 * 1024
MAX_ORIGIN_CHARS: Final = 128
FORMAT: Final = 1


def make_anchor(
    hub: str, signing_key: SigningKey, ca_certificate_der: bytes, log_origin: str
) -> identity_pb2.TrustAnchor:
    """State a hub's identity key, TLS root and log origin.

    Args:
        hub: Member id of the hub.
        signing_key: The hub's identity key; only its public half is used.
        ca_certificate_der: X.509 root of the hub's TLS certificates, DER.
        log_origin: Origin line of the hub's transparency log.

    Raises:
        UntrustedCertificateError: The parts do not make a valid anchor.
    """
    anchor = identity_pb2.TrustAnchor(
        format=FORMAT,
        hub=hub,
        key_id=signing_key.key_id,
        public_key=signing_key.verifying.public_key,
        pq_public_key=signing_key.verifying.pq_public_key,
        ca_certificate_der=ca_certificate_der,
        log_origin=log_origin,
    )
    return parse_anchor(anchor_bytes(anchor))


def anchor_bytes(anchor: identity_pb2.TrustAnchor) -> bytes:
    """Serialise an anchor; one anchor always gives the same bytes."""
    return anchor.SerializeToString(deterministic=True)


def anchor_digest(anchor: bytes) -> bytes:
    """SHA-256 of a serialised anchor: what join tokens pin."""
    return hashlib.sha256(anchor).digest()


def anchor_key(anchor: identity_pb2.TrustAnchor) -> VerifyingKey:
    """The hub's identity key.

    Raises:
        UntrustedCertificateError: The anchor's key is malformed or is not the one it names.
    """
    try:
        key = VerifyingKey(public_key=anchor.public_key, pq_public_key=anchor.pq_public_key)
    except ValueError as error:
        raise UntrustedCertificateError(f"anchor of {anchor.hub[:120]!r}: {error}") from error
    if key.key_id != anchor.key_id:
        raise UntrustedCertificateError(
            f"anchor of {anchor.hub[:120]!r} names key {anchor.key_id[:40]!r}, holds {key.key_id}"
        )
    return key


def parse_anchor(data: bytes) -> identity_pb2.TrustAnchor:
    """Read a serialised anchor that the caller has reason to trust.

    Raises:
        UntrustedCertificateError: The bytes are not an anchor, or its parts contradict each other.
    """
    try:
        anchor = parse_exactly(identity_pb2.TrustAnchor, data, MAX_ANCHOR_BYTES)
        kind = parse_member_id(anchor.hub).kind
    except ValueError as error:
        raise UntrustedCertificateError(f"anchor: {error}") from error
    if anchor.format != FORMAT or kind is not MemberKind.HUB:
        raise UntrustedCertificateError(
            f"anchor: format {anchor.format} of {anchor.hub!r}; expected format {FORMAT} of a hub"
        )
    if not 0 < len(anchor.ca_certificate_der) <= MAX_CA_CERTIFICATE_BYTES:
        raise UntrustedCertificateError(f"anchor of {anchor.hub!r}: TLS root missing or too long")
    if not 0 < len(anchor.log_origin) <= MAX_ORIGIN_CHARS:
        raise UntrustedCertificateError(f"anchor of {anchor.hub!r}: log origin missing or too long")
    anchor_key(anchor)
    return anchor
