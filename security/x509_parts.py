"""Parts of X.509 certificates that every small authority makes in one way.

Rules: keys are P-256, because gRPC's TLS refuses Ed25519 certificates; only the key of a request
is taken from it, and only when the request is signed by that key. Source: RFC 5280; RFC 2986.
"""

from __future__ import annotations

import ipaddress
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from security.errors import KeyFileError, UntrustedCertificateError

if TYPE_CHECKING:
    from datetime import datetime

MAX_CSR_BYTES: Final = 8 * 1024
CLOCK_SKEW: Final = timedelta(minutes=5)
"""Certificates begin a little before they are issued, since clocks differ."""
LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
"""Hosts that every server certificate names."""


def requested_key(request_der: bytes) -> ec.EllipticCurvePublicKey:
    """The key of a certificate request.

    Raises:
        UntrustedCertificateError: The request is malformed, not signed by its key or not P-256.
    """
    if len(request_der) > MAX_CSR_BYTES:
        raise UntrustedCertificateError(f"certificate request of {len(request_der)} bytes")
    try:
        request = x509.load_der_x509_csr(request_der)
        key = request.public_key()
        proved = request.is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UntrustedCertificateError("not a PKCS#10 certificate request") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise UntrustedCertificateError("the certificate request is not for a P-256 key")
    if not proved:
        raise UntrustedCertificateError("the certificate request is not signed by its own key")
    return key


def certificate_builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    now: datetime,
    days: int,
) -> x509.CertificateBuilder:
    """A certificate of so many days for a key, without its usages and alternative names."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    """Usages of an authority's key, or of one that only proves who talks."""
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def host_name(host: str) -> x509.GeneralName:
    """An alternative name for a host name or address."""
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A private key, PKCS#8 in PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def load_private(key_pem: bytes) -> ec.EllipticCurvePrivateKey:
    """Read a private key, PEM.

    Raises:
        KeyFileError: Not a P-256 private key.
    """
    try:
        key = serialization.load_pem_private_key(key_pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyFileError("not a private key in PEM") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise KeyFileError("the TLS key is not a P-256 key, which gRPC's TLS needs")
    return key
