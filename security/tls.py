"""TLS identities: a hub's small X.509 authority and the P-256 certificates of its members.

Rules: TLS keys are P-256, because gRPC's TLS refuses Ed25519 certificates; a member is named by
exactly one URI in the certificate's alternative names; a certificate is issued only against a
request that proves possession of its key; root and member certificates cannot sign for each
other (path length 0). Source: RFC 5280; RFC 2986 for requests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from security.errors import CertificateEndedError, KeyFileError, UntrustedCertificateError
from security.members import MemberId, MemberKind, is_member_id, parse_member_id
from security.private_files import read_private, write_private
from security.x509_parts import (
    LOOPBACK,
    certificate_builder,
    host_name,
    key_usage,
    load_private,
    private_pem,
    requested_key,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

MAX_CERTIFICATE_BYTES: Final = 8 * 1024
CA_DAYS: Final = 3650
MEMBER_DAYS: Final = 30

_MAX_PEM_BYTES: Final = 16 * 1024


def new_tls_key() -> bytes:
    """Make a P-256 private key, PKCS#8 in PEM."""
    return private_pem(ec.generate_private_key(ec.SECP256R1()))


def create_ca(hub_id: str, now: datetime) -> tuple[bytes, bytes]:
    """Make a hub's authority.

    Args:
        hub_id: Member id of the hub.
        now: Moment of issue, UTC-aware.

    Returns:
        Private key and root certificate, both PEM.

    Raises:
        ValueError: The id is not that of a hub.
    """
    if parse_member_id(hub_id).kind is not MemberKind.HUB:
        raise ValueError(f"{hub_id} is not a hub; only hubs certify")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, hub_id)])
    certificate = (
        certificate_builder(name, name, key.public_key(), now, CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return private_pem(key), certificate.public_bytes(serialization.Encoding.PEM)


def authority_of(ca_certificate: bytes) -> str:
    """The hub that an authority was made for, PEM or DER; empty when it names none.

    Raises:
        UntrustedCertificateError: The bytes are not a certificate.
    """
    names = load_certificate(ca_certificate).subject.get_attributes_for_oid(
        NameOID.ORGANIZATION_NAME
    )
    return str(names[0].value) if len(names) == 1 else ""


def csr_der(key_pem: bytes) -> bytes:
    """Make a certificate request that proves possession of a TLS key; the hub sets the name.

    Raises:
        KeyFileError: The key is not a P-256 private key.
    """
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return request.sign(load_private(key_pem), hashes.SHA256()).public_bytes(
        serialization.Encoding.DER
    )


def issue_member_certificate(
    ca_key_pem: bytes,
    ca_certificate_pem: bytes,
    request_der: bytes,
    member_id: str,
    now: datetime,
    *,
    days: int = MEMBER_DAYS,
    hosts: Sequence[str] = (),
) -> bytes:
    """Certify the TLS key of a request for a member.

    Args:
        ca_key_pem: Private key of the authority.
        ca_certificate_pem: Root certificate of the authority.
        request_der: Certificate request, DER; only its key is taken from it.
        member_id: Member to name.
        now: Moment of issue, UTC-aware.
        days: Validity, days.
        hosts: Host names and addresses of a hub, beside the loopback ones; hubs only.

    Returns:
        The certificate, DER. Members may call, hubs may also serve.

    Raises:
        UntrustedCertificateError: The request is malformed, not signed by its key or not P-256.
        ValueError: The member id is malformed, or hosts are given for a member that is no hub.
    """
    kind = parse_member_id(member_id).kind
    if hosts and kind is not MemberKind.HUB:
        raise ValueError(f"{member_id} is not a hub and serves no hosts")
    authority = load_certificate(ca_certificate_pem)
    usages = [ExtendedKeyUsageOID.CLIENT_AUTH]
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(member_id)]
    if kind is MemberKind.HUB:
        usages.append(ExtendedKeyUsageOID.SERVER_AUTH)
        names.extend(host_name(host) for host in dict.fromkeys((*LOOPBACK, *hosts)))
    return (
        certificate_builder(x509.Name([]), authority.subject, requested_key(request_der), now, days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=True)
        .sign(load_private(ca_key_pem), hashes.SHA256())
        .public_bytes(serialization.Encoding.DER)
    )


def requested_public_key(request_der: bytes) -> bytes:
    """The P-256 key of a certificate request, as a SubjectPublicKeyInfo, DER.

    Raises:
        UntrustedCertificateError: The request is malformed, not signed by its key or not P-256.
    """
    return requested_key(request_der).public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def load_certificate(certificate: bytes) -> x509.Certificate:
    """Parse one certificate, PEM or DER.

    Raises:
        UntrustedCertificateError: The bytes are not a certificate.
    """
    if len(certificate) > _MAX_PEM_BYTES:
        raise UntrustedCertificateError(f"{len(certificate)} bytes are no TLS certificate")
    try:
        if certificate.lstrip().startswith(b"-----BEGIN"):
            return x509.load_pem_x509_certificate(certificate)
        return x509.load_der_x509_certificate(certificate)
    except ValueError as error:
        raise UntrustedCertificateError("not an X.509 certificate") from error


def certificate_pem(certificate: bytes) -> bytes:
    """A certificate, PEM or DER, as PEM."""
    return load_certificate(certificate).public_bytes(serialization.Encoding.PEM)


def certificate_der(certificate: bytes) -> bytes:
    """A certificate, PEM or DER, as DER."""
    return load_certificate(certificate).public_bytes(serialization.Encoding.DER)


def tls_digest(certificate: bytes) -> bytes:
    """SHA-256 of a certificate's DER; registers and revocation lists know it by this.

    Args:
        certificate: PEM or DER.
    """
    return load_certificate(certificate).fingerprint(hashes.SHA256())


def member_id_of(certificate: bytes) -> MemberId:
    """The member a TLS certificate names; says nothing about who issued it.

    Raises:
        UntrustedCertificateError: Not a certificate, or it does not name exactly one member.
    """
    return _named_member(load_certificate(certificate))


def not_after(certificate: bytes) -> datetime:
    """Last moment of a certificate's validity, UTC-aware.

    Raises:
        UntrustedCertificateError: The bytes are not a certificate.
    """
    return load_certificate(certificate).not_valid_after_utc


def validity(certificate: bytes) -> tuple[datetime, datetime]:
    """First and last moment of a certificate's validity, UTC-aware.

    Raises:
        UntrustedCertificateError: The bytes are not a certificate.
    """
    found = load_certificate(certificate)
    return found.not_valid_before_utc, found.not_valid_after_utc


def verify_member_certificate(certificate: bytes, ca_certificate: bytes, now: datetime) -> MemberId:
    """Verify that an authority certified this TLS key for a member, and that it is valid now.

    Connections outlive certificates, so this runs again for every call and commit group.

    Args:
        certificate: The member's certificate, PEM or DER.
        ca_certificate: Root certificate of the authority, PEM or DER.
        now: Moment to judge at, UTC-aware.

    Returns:
        The member.

    Raises:
        UntrustedCertificateError: Issued by someone else, not begun, or not naming exactly one
            member.
        CertificateEndedError: Expired; a subclass.
    """
    leaf = load_certificate(certificate)
    try:
        leaf.verify_directly_issued_by(load_certificate(ca_certificate))
    except (InvalidSignature, ValueError, TypeError) as error:
        raise UntrustedCertificateError("the TLS certificate is of another authority") from error
    if not leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc:
        ended = now > leaf.not_valid_after_utc
        raise (CertificateEndedError if ended else UntrustedCertificateError)(
            f"the TLS certificate is valid from {leaf.not_valid_before_utc.isoformat()} to "
            f"{leaf.not_valid_after_utc.isoformat()}, now is {now.isoformat()}"
        )
    return _named_member(leaf)


def save_tls_key(path: Path, key_pem: bytes) -> None:
    """Write a private TLS key to a new file of mode 0600.

    Raises:
        KeyFileError: Not a P-256 key, or the file is already there or cannot be written.
    """
    load_private(key_pem)
    write_private(path, key_pem)


def load_tls_key(path: Path) -> bytes:
    """Read a private TLS key, PEM.

    Raises:
        KeyFileError: The file is missing, damaged or open to others.
    """
    key_pem = read_private(path, _MAX_PEM_BYTES)
    try:
        load_private(key_pem)
    except KeyFileError as error:
        raise KeyFileError(f"{path}: {error}") from error
    return key_pem


def _named_member(certificate: x509.Certificate) -> MemberId:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        uris = names.value.get_values_for_type(x509.UniformResourceIdentifier)
    except (x509.ExtensionNotFound, ValueError) as error:
        raise UntrustedCertificateError("the TLS certificate names no member") from error
    if len(uris) != 1 or not is_member_id(uris[0]):
        raise UntrustedCertificateError(
            f"the TLS certificate names {len(uris)} URIs; exactly one member id is expected"
        )
    return MemberId(uris[0])
