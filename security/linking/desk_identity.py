"""How a desk and a node know each other: by their TLS keys, which people compared.

Rules:
    1. A desk has a P-256 certificate that signs itself. Nodes hold it in the desk's card (名片),
       which travels by a trusted way, and trust nothing else on that line.
    2. A node is known by the SHA-256 of its TLS public key. The certificate above it may be
       renewed; the key stays. A hub that certifies a second key for the same name gains nothing.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from security.errors import KeyFileError, MembershipError, UntrustedCertificateError
from security.members import is_member_id, parse_member_id
from security.tls import load_certificate
from security.x509_parts import CLOCK_SKEW

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from cryptography.hazmat.primitives.asymmetric import ec

DESK_DAYS: Final = 3650
MAX_CARD_BYTES: Final = 16 * 1024
_FORMAT: Final = 1
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_ADDRESS: Final = re.compile(r"[A-Za-z0-9.\[\]:-]{1,253}:[0-9]{1,5}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskCard:
    """What a node must hold to ask a desk."""

    desk: str
    """Member id of who runs the desk."""
    address: str
    """host:port of its LinkDesk service."""
    certificate_pem: bytes = field(repr=False)
    """Its TLS certificate."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the desk's TLS key, for people to compare."""
        return key_fingerprint(self.certificate_pem)

    def to_json(self) -> str:
        """The card as a file."""
        return json.dumps(
            {
                "format": _FORMAT,
                "desk": self.desk,
                "address": self.address,
                "certificate": self.certificate_pem.decode("ascii"),
            },
            indent=1,
        )


def read_card(data: bytes) -> DeskCard:
    """Read a desk's card.

    Raises:
        MembershipError: It is too long, is no card, or its certificate does not name its desk.
    """
    try:
        return _parse_card(data)
    except (ValueError, RecursionError, UntrustedCertificateError) as error:
        raise MembershipError(
            f"this is no card of a desk ({error}); ask the desk's officer for the file that "
            "`yixin hub desk card` writes"
        ) from error


def _parse_card(data: bytes) -> DeskCard:
    if len(data) > MAX_CARD_BYTES:
        raise ValueError(f"{len(data)} bytes")
    found = json.loads(data)
    if not isinstance(found, dict) or found.keys() != _KEYS or found["format"] != _FORMAT:
        raise ValueError(f"expected the keys {', '.join(sorted(_KEYS))} in format {_FORMAT}")
    desk, address, text = (found[key] for key in ("desk", "address", "certificate"))
    if not all(isinstance(part, str) for part in (desk, address, text)):
        raise ValueError("a value is no text")
    if not is_member_id(desk) or not _ADDRESS.fullmatch(address):
        raise ValueError("the desk or its address is malformed")
    certificate = load_certificate(text.encode("ascii"))
    if _named(certificate) != desk:
        raise ValueError("the certificate names another desk")
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    return DeskCard(desk=desk, address=address, certificate_pem=pem)


_KEYS: Final = frozenset({"format", "desk", "address", "certificate"})


def make_desk_certificate(
    key_pem: bytes, desk: str, now: datetime, *, hosts: Sequence[str] = ()
) -> bytes:
    """Make a desk's own certificate, PEM.

    Args:
        key_pem: Its P-256 TLS key.
        desk: Member id of who runs it.
        now: Moment of issue, UTC-aware.
        hosts: Names and addresses under which nodes reach it, beside the loopback ones.

    Raises:
        ValueError: The member id is malformed.
        KeyFileError: The key is unreadable.
    """
    parse_member_id(desk)
    key = _load_key(key_pem)
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, desk)])
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(desk)]
    names.extend(_host(host) for host in dict.fromkeys((*_LOOPBACK, *hosts)))
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + timedelta(days=DESK_DAYS))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=True)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )


def key_fingerprint(certificate: bytes) -> str:
    """SHA-256 over the public key of a certificate, 64 hex digits; outlives the certificate.

    Raises:
        UntrustedCertificateError: The bytes are not a certificate.
    """
    key = load_certificate(certificate).public_key()
    der = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(der).hexdigest()


def _named(certificate: x509.Certificate) -> str | None:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return None
    uris = names.value.get_values_for_type(x509.UniformResourceIdentifier)
    return uris[0] if len(uris) == 1 else None


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _load_key(key_pem: bytes) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(key_pem, password=None)
    except (ValueError, TypeError) as error:
        raise KeyFileError("not a private key in PEM") from error
    return key  # type: ignore[return-value]  # `security.tls` made it, a P-256 key
