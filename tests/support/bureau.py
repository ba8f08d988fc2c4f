"""A bureau's own CA: a root, and what it certifies, with every part open to change."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from datetime import datetime

    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

NO_LIMIT = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """An authority: its key and its certificate."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)


def certified(
    subject: x509.Name,
    key: CertificatePublicKeyTypes,
    issuer: x509.Name,
    signer: ec.EllipticCurvePrivateKey,
    now: datetime,
    *,
    path_length: int = NO_LIMIT,
    is_ca: bool = True,
    signs: bool = True,
    days: int = 1000,
) -> x509.Certificate:
    """A CA certificate, sound by default."""
    usage = x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    length = path_length if is_ca and path_length != NO_LIMIT else None
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=length), critical=True)
        .add_extension(usage, critical=True)
        .sign(signer, hashes.SHA256())
    )


def make_root(now: datetime, name: str = "bureau", *, path_length: int = NO_LIMIT) -> Authority:
    """A bureau's root."""
    key = ec.generate_private_key(ec.SECP384R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = certified(subject, key.public_key(), subject, key, now, path_length=path_length)
    return Authority(key=key, certificate=certificate)


def answer(root: Authority, request_pem: bytes, now: datetime, **changes: int) -> bytes:
    """What the bureau gives for a request: the chain, PEM."""
    request = x509.load_pem_x509_csr(request_pem)
    issued = certified(
        request.subject,
        request.public_key(),
        root.certificate.subject,
        root.key,
        now,
        **changes,  # type: ignore[arg-type]  # truth values are whole numbers
    )
    return issued.public_bytes(serialization.Encoding.PEM) + root.pem
