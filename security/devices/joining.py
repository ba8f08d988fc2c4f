"""Joining and renewing of a device: what both sides write, and what each believes of the other.

The device's steps:
    1. The token is read; keys are made, or kept where an earlier try made them.
    2. The request is written down before it is sent, and sent again identically: a lost answer
       costs nothing, because the node answers the same request in the same way.
    3. The TLS channel is verified against the authority in the token before the secret is sent.
    4. The certificate must be for our key, by the pinned authority, and name the device.
    5. The answer is kept durably; the request, which holds the secret, is removed.

The node's steps:
    0. Sizes are bounded and the request parses exactly.
    1. It is signed by the signing key it names, and its certificate request by the TLS key.
    2. The token exists and is bound to no other keys; the clocks are close (``verify_clock``).
    3. The same keys get the same answer until the device spoke with its certificate; then the
       token is used up.

A renewal carries no token: the signing key of the register signs it, also when the certificate
has ended (less than ``RENEW_DAYS`` ago). The TLS key stays, so that a lost answer costs nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from protos.yixin.v1 import edge_pb2
from security.devices.authority import verify_device
from security.devices.device_id import DeviceId, is_device_id
from security.encoding import pae, parse_exactly
from security.errors import JoinRefusedError, SecurityError, UntrustedCertificateError
from security.exchange.key_files import certificate_public_key, tls_public_key
from security.keys import Signature, SigningKey, VerifyingKey
from security.tls import csr_der, requested_public_key
from security.token_lines import is_address
from security.tokens import secret_digest

if TYPE_CHECKING:
    from datetime import datetime

    from security.devices.token import DeviceToken

__all__ = [
    "MAX_CLOCK_DIFFERENCE_MS",
    "MAX_REQUEST_BYTES",
    "RENEW_DAYS",
    "DeviceKeys",
    "JoinAsked",
    "RenewalAsked",
    "join_request",
    "open_join",
    "open_renewal",
    "renewal_request",
    "tls_key_digest",
    "verify_answer",
    "verify_clock",
]

JOIN_TYPE: Final = "yixin/device-join/v1"
RENEW_TYPE: Final = "yixin/device-renew/v1"
FORMAT: Final = 1
MAX_REQUEST_BYTES: Final = 16 * 1024
MAX_CLOCK_DIFFERENCE_MS: Final = 24 * 3600 * 1000
RENEW_DAYS: Final = 90
"""So long after its end a certificate is renewed without a new token."""
_KEYS: Final = "yixin/device-keys/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceKeys:
    """The private keys of a device; a repr never shows them."""

    signing: SigningKey = field(repr=False)
    """Signs events and renewals; Ed25519."""
    tls_key_pem: bytes = field(repr=False)
    """Private key of the TLS certificate, P-256, PEM."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinAsked:
    """A join whose sender proved that it holds its keys."""

    secret_digest: bytes
    """SHA-256 of the token's secret, 32 bytes."""
    csr_der: bytes
    """Certificate request, DER."""
    signing_key: bytes
    """Ed25519, 32 bytes."""
    tls_digest: bytes
    """SHA-256 of the TLS public key, 32 bytes."""
    at_ms: int
    """Moment of the request by the device's clock, milliseconds since the epoch, UTC."""

    @property
    def keys_digest(self) -> bytes:
        """SHA-256 over both public keys: what a token is bound to."""
        return hashlib.sha256(pae(_KEYS, self.signing_key, self.tls_digest)).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewalAsked:
    """A renewal; whose key signed it says the register."""

    device: DeviceId
    csr_der: bytes
    tls_digest: bytes
    """SHA-256 of the TLS public key, 32 bytes."""
    at_ms: int
    _request: edge_pb2.DeviceRenewRequest = field(repr=False)

    def verify(self, signing_key: bytes) -> None:
        """Verify that the device of the register asks.

        Args:
            signing_key: Its Ed25519 key, 32 bytes.

        Raises:
            BadSignatureError: Somebody else signed.
        """
        _verify(signing_key, RENEW_TYPE, self._request.body, self._request.signature)


def join_request(token: DeviceToken, keys: DeviceKeys, at_ms: int) -> edge_pb2.DeviceJoinRequest:
    """Ask to become the device that a token names."""
    body = edge_pb2.DeviceJoinBody(
        format=FORMAT,
        token_secret=token.secret,
        tls_csr_der=csr_der(keys.tls_key_pem),
        signing_public_key=keys.signing.verifying.public_key,
        at_ms=at_ms,
    ).SerializeToString(deterministic=True)
    signature = keys.signing.sign(JOIN_TYPE, body).classical
    return edge_pb2.DeviceJoinRequest(body=body, signature=signature)


def renewal_request(device: DeviceId, keys: DeviceKeys, at_ms: int) -> edge_pb2.DeviceRenewRequest:
    """Ask for a new certificate for the TLS key that is there."""
    body = edge_pb2.DeviceRenewBody(
        format=FORMAT, device=device, tls_csr_der=csr_der(keys.tls_key_pem), at_ms=at_ms
    ).SerializeToString(deterministic=True)
    signature = keys.signing.sign(RENEW_TYPE, body).classical
    return edge_pb2.DeviceRenewRequest(body=body, signature=signature)


def open_join(request: edge_pb2.DeviceJoinRequest) -> JoinAsked:
    """Open a join, and have both keys proved (steps 0 and 1 of the node).

    Raises:
        UntrustedCertificateError: It is too long, malformed, or its certificate request does not
            hold.
        BadSignatureError: It is not signed by the key that it names.
    """
    raw = request.SerializeToString(deterministic=True)
    try:
        parse_exactly(edge_pb2.DeviceJoinRequest, raw, MAX_REQUEST_BYTES)
        body = parse_exactly(edge_pb2.DeviceJoinBody, request.body, MAX_REQUEST_BYTES)
    except ValueError as error:
        raise UntrustedCertificateError(f"join of a device: {error}") from error
    if body.format != FORMAT:
        raise UntrustedCertificateError(f"join of a device, format {body.format}")
    _verify(body.signing_public_key, JOIN_TYPE, request.body, request.signature)
    return JoinAsked(
        secret_digest=secret_digest(body.token_secret),
        csr_der=body.tls_csr_der,
        signing_key=body.signing_public_key,
        tls_digest=hashlib.sha256(requested_public_key(body.tls_csr_der)).digest(),
        at_ms=body.at_ms,
    )


def open_renewal(request: edge_pb2.DeviceRenewRequest) -> RenewalAsked:
    """Open a renewal; its signature is verified with the key of the register.

    Raises:
        UntrustedCertificateError: It is too long, malformed, or its certificate request does not
            hold.
    """
    raw = request.SerializeToString(deterministic=True)
    try:
        parse_exactly(edge_pb2.DeviceRenewRequest, raw, MAX_REQUEST_BYTES)
        body = parse_exactly(edge_pb2.DeviceRenewBody, request.body, MAX_REQUEST_BYTES)
    except ValueError as error:
        raise UntrustedCertificateError(f"renewal of a device: {error}") from error
    if body.format != FORMAT or not is_device_id(body.device):
        raise UntrustedCertificateError(f"renewal of a device, format {body.format}")
    return RenewalAsked(
        device=DeviceId(body.device),
        csr_der=body.tls_csr_der,
        tls_digest=hashlib.sha256(requested_public_key(body.tls_csr_der)).digest(),
        at_ms=body.at_ms,
        _request=request,
    )


def verify_clock(at_ms: int, now_ms: int) -> None:
    """Refuse a request of another day: it may be a replay, or a clock is wrong.

    Raises:
        UntrustedCertificateError: The moments are more than a day apart.
    """
    if abs(at_ms - now_ms) > MAX_CLOCK_DIFFERENCE_MS:
        raise UntrustedCertificateError(f"the clocks differ by {(at_ms - now_ms) // 1000} s")


def tls_key_digest(certificate: bytes) -> bytes:
    """SHA-256 of the public key that a certificate is for, PEM or DER.

    Raises:
        UntrustedCertificateError: The bytes are not a certificate.
    """
    return hashlib.sha256(certificate_public_key(certificate)).digest()


def verify_answer(
    answer: edge_pb2.DeviceCertificate,
    *,
    device: DeviceId,
    keys: DeviceKeys,
    ca_certificate: bytes,
    now: datetime,
) -> None:
    """Verify the node's answer to a join or renewal (step 4 of the device).

    Args:
        answer: The answer as received.
        device: Who we are to be.
        keys: Our keys.
        ca_certificate: The pinned authority, PEM or DER.
        now: Present moment, UTC-aware.

    Raises:
        JoinRefusedError: The certificate is of another authority, for another key or device, or
            the address of the node is none.
    """
    try:
        named = verify_device(answer.tls_certificate_der, ca_certificate, now).device_id
        is_ours = certificate_public_key(answer.tls_certificate_der) == tls_public_key(
            keys.tls_key_pem
        )
    except SecurityError as error:
        raise JoinRefusedError(
            f"the answer of the node does not hold: {error} Nothing was kept; compare the clocks "
            "of device and node, then make a new token"
        ) from error
    faults = {
        f"its certificate names {named}, expected {device}": named != device,
        f"it calls this device {answer.device[:120]!r}, expected {device}": answer.device != device,
        "its certificate is for another key": not is_ours,
        "the node's address is not host:port": not is_address(answer.intake_address),
    }
    for fault, found in faults.items():
        if found:
            raise JoinRefusedError(
                f"the answer of the node does not hold: {fault}. Nothing was kept; ask the "
                "node's operator for a new token"
            )


def _verify(public_key: bytes, payload_type: str, body: bytes, signature: bytes) -> None:
    try:
        key = VerifyingKey(public_key=public_key)
    except ValueError as error:
        raise UntrustedCertificateError("a device's signing key is no Ed25519 key") from error
    key.verify(Signature(classical=signature), payload_type, body)
