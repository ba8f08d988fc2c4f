"""A hub's authority under a bureau's own CA (自带CA): its request, and the chain it gets back.

Rules: the hub keeps key, name and self-signed certificate of its authority, which members pin; the
bureau certifies the very same key and name, so that whoever trusts the bureau's root can verify the
hub and its members too. The chain is verified whole before it is kept. Source: RFC 5280, sections
4.2.1.9 and 6.1; RFC 2986.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from security.errors import UntrustedCertificateError
from security.tls import load_certificate

if TYPE_CHECKING:
    from datetime import datetime

MAX_CHAIN_BYTES: Final = 64 * 1024
MAX_CHAIN: Final = 6
MIN_RSA_BITS: Final = 2048
_PEM: Final = serialization.Encoding.PEM
_HASHES: Final = (hashes.SHA256, hashes.SHA384, hashes.SHA512)


def request_subordination(ca_key_pem: bytes, ca_certificate_pem: bytes) -> bytes:
    """Make the request to certify a hub's authority.

    Args:
        ca_key_pem: Private key of the authority, PEM.
        ca_certificate_pem: Its self-signed certificate, PEM; the name is taken from it.

    Returns:
        PKCS#10 request, PEM.

    Raises:
        UntrustedCertificateError: The parts are not an authority's.
    """
    key = serialization.load_pem_private_key(ca_key_pem, password=None)
    own = load_certificate(ca_certificate_pem)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != own.public_key():
        raise UntrustedCertificateError("the authority's key is not that of its certificate")
    usage = own.extensions.get_extension_for_class(x509.KeyUsage)
    return (
        x509.CertificateSigningRequestBuilder()
        .subject_name(own.subject)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage.value, critical=True)
        .sign(key, hashes.SHA256())
        .public_bytes(_PEM)
    )


def verify_subordination(
    chain_pem: bytes, ca_certificate_pem: bytes, now: datetime
) -> tuple[x509.Certificate, ...]:
    """Verify the chain that a bureau's CA gave to a hub's authority.

    Args:
        chain_pem: Certificates, PEM: the hub's authority first, the bureau's root last.
        ca_certificate_pem: The authority's own self-signed certificate, PEM.
        now: Moment to judge at, UTC-aware.

    Returns:
        The chain, in that order.

    Raises:
        UntrustedCertificateError: It is not a whole valid chain for this very authority.
    """
    if len(chain_pem) > MAX_CHAIN_BYTES:
        raise UntrustedCertificateError(f"a chain of {len(chain_pem)} bytes")
    try:
        chain = tuple(x509.load_pem_x509_certificates(chain_pem))
    except ValueError as error:
        raise UntrustedCertificateError("not a chain of certificates in PEM") from error
    own = load_certificate(ca_certificate_pem)
    if not 2 <= len(chain) <= MAX_CHAIN:
        raise UntrustedCertificateError(
            f"a chain of {len(chain)} certificates; expected 2 to {MAX_CHAIN}, this hub's "
            "authority first and the bureau's root last"
        )
    if (chain[0].subject, chain[0].public_key()) != (own.subject, own.public_key()):
        raise UntrustedCertificateError(
            "the first certificate is not for this hub's authority; send its request again"
        )
    for certificate, issuer in (*pairwise(chain), (chain[-1], chain[-1])):
        try:
            certificate.verify_directly_issued_by(issuer)
        except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise UntrustedCertificateError(
                f"{_name(certificate)} is not issued by {_name(issuer)}; the order is authority, "
                "intermediates, root"
            ) from error
    for below, certificate in enumerate(chain):
        _verify_authority(certificate, below, now)
    return chain


def presented_pem(chain: tuple[x509.Certificate, ...]) -> bytes:
    """What a server sends behind its own certificate: the chain without its root, PEM."""
    return b"".join(certificate.public_bytes(_PEM) for certificate in chain[:-1])


def _verify_authority(certificate: x509.Certificate, below: int, now: datetime) -> None:
    """Whether a certificate may issue, with so many authorities below it, at a moment."""
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = _usage(certificate)
        key = certificate.public_key()
        digest = certificate.signature_hash_algorithm
    except (x509.ExtensionNotFound, ValueError, UnsupportedAlgorithm) as error:
        raise UntrustedCertificateError(f"{_name(certificate)} is no authority") from error
    length = constraints.path_length
    is_strong = isinstance(
        key, ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | ed448.Ed448PublicKey
    ) or (isinstance(key, rsa.RSAPublicKey) and key.key_size >= MIN_RSA_BITS)
    faults = {
        "is no authority": not constraints.ca,
        "may not sign certificates": usage is not None and not usage.key_cert_sign,
        f"allows {length} authorities below it, found {below}": length is not None
        and length < below,
        f"is not valid on {now:%Y-%m-%d}": not certificate.not_valid_before_utc
        <= now
        <= certificate.not_valid_after_utc,
        "has a weak key": not is_strong,
        "is signed over a weak hash": digest is not None and not isinstance(digest, _HASHES),
    }
    for fault, found in faults.items():
        if found:
            raise UntrustedCertificateError(f"{_name(certificate)} {fault}")


def _usage(certificate: x509.Certificate) -> x509.KeyUsage | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return None


def _name(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string()[:120] or "a certificate without a name"


__all__ = ["presented_pem", "request_subordination", "verify_subordination"]
