"""A node's small authority: it certifies the devices that stand under the node, and itself.

Rules: P-256 and path length 0, as for a hub's authority; a device is named by exactly one URI in
its certificate and may only call, the node's own server certificate names hosts and may only serve;
a certificate is issued only against a request that proves possession of its key. Source: RFC 5280.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from security.devices.device_id import DeviceName, is_device_id, parse_device_id
from security.errors import CertificateEndedError, UntrustedCertificateError
from security.tls import certificate_der, load_certificate, new_tls_key
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

__all__ = ["AUTHORITY_DAYS", "DEVICE_DAYS", "SERVER_DAYS", "DeviceAuthority", "verify_device"]

AUTHORITY_DAYS: Final = 3_650
SERVER_DAYS: Final = 1_825
"""Long, because the servers present it while the daemon runs; renewed at a start after half."""
DEVICE_DAYS: Final = 30
_SUBJECT: Final = "yixin devices"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceAuthority:
    """Keys and certificates of a node towards its devices."""

    key_pem: bytes = field(repr=False)
    """Private key of the authority, PEM."""
    certificate_pem: bytes
    """Its self-signed certificate, PEM; tokens pin it."""
    server_key_pem: bytes = field(repr=False)
    """Private key of the node's servers, PEM."""
    server_pem: bytes
    """Certificate of the node's servers, PEM."""

    @classmethod
    def create(cls, now: datetime, hosts: Sequence[str] = ()) -> DeviceAuthority:
        """Make an authority.

        Args:
            now: Moment of issue, UTC-aware.
            hosts: Names and addresses by which devices reach the node, beside the loopback ones.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _SUBJECT)])
        certificate = (
            certificate_builder(name, name, key.public_key(), now, AUTHORITY_DAYS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(key_usage(signs_certificates=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        made = cls(
            key_pem=private_pem(key),
            certificate_pem=certificate.public_bytes(serialization.Encoding.PEM),
            server_key_pem=new_tls_key(),
            server_pem=b"",
        )
        return made.with_server(now, hosts)

    @property
    def certificate_der(self) -> bytes:
        """The authority's certificate, DER."""
        return certificate_der(self.certificate_pem)

    def serves(self, now: datetime, hosts: Sequence[str]) -> bool:
        """Whether the server certificate names the hosts and is in the first half of its time."""
        found = load_certificate(self.server_pem)
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        middle = found.not_valid_before_utc + timedelta(days=SERVER_DAYS) / 2
        return now < middle and {host_name(host) for host in hosts} <= set(names)

    def with_server(self, now: datetime, hosts: Sequence[str]) -> DeviceAuthority:
        """The same authority with a new server certificate, for the server key that is there."""
        names = [host_name(host) for host in dict.fromkeys((*LOOPBACK, *hosts))]
        key = load_private(self.server_key_pem).public_key()
        issued = self._issue(key, names, now, SERVER_DAYS, ExtendedKeyUsageOID.SERVER_AUTH)
        return replace(self, server_pem=issued.public_bytes(serialization.Encoding.PEM))

    def issue(
        self, csr_der: bytes, name: DeviceName, now: datetime, *, days: int = DEVICE_DAYS
    ) -> bytes:
        """Certify the TLS key of a request for a device.

        Args:
            csr_der: Certificate request, DER; only its key is taken from it.
            name: The device to name.
            now: Moment of issue, UTC-aware.
            days: Validity, days.

        Returns:
            The certificate, DER.

        Raises:
            UntrustedCertificateError: The request is malformed, not signed by its key or not P-256.
        """
        names = [x509.UniformResourceIdentifier(name.device_id)]
        key = requested_key(csr_der)
        issued = self._issue(key, names, now, days, ExtendedKeyUsageOID.CLIENT_AUTH)
        return issued.public_bytes(serialization.Encoding.DER)

    def verify(self, certificate: bytes, now: datetime) -> DeviceName:
        """Verify that this authority certified a device, and that it holds now.

        Connections outlive certificates, so this runs for every call.

        Args:
            certificate: The device's certificate, PEM or DER.
            now: Moment to judge at, UTC-aware.

        Returns:
            The device.

        Raises:
            UntrustedCertificateError: Issued by someone else, not begun, or not naming exactly one
                device.
            CertificateEndedError: Expired; a subclass.
        """
        return verify_device(certificate, self.certificate_pem, now)

    def _issue(
        self,
        key: ec.EllipticCurvePublicKey,
        names: Sequence[x509.GeneralName],
        now: datetime,
        days: int,
        usage: x509.ObjectIdentifier,
    ) -> x509.Certificate:
        issuer = load_certificate(self.certificate_pem).subject
        return (
            certificate_builder(x509.Name([]), issuer, key, now, days)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=True)
            .sign(load_private(self.key_pem), hashes.SHA256())
        )


def verify_device(certificate: bytes, ca_certificate: bytes, now: datetime) -> DeviceName:
    """Verify that an authority certified a device; see ``DeviceAuthority.verify``.

    Args:
        certificate: The device's certificate, PEM or DER.
        ca_certificate: Certificate of the authority, PEM or DER.
        now: Moment to judge at, UTC-aware.

    Raises:
        UntrustedCertificateError: Issued by someone else, not begun, or not naming exactly one
            device.
        CertificateEndedError: Expired; a subclass.
    """
    leaf = load_certificate(certificate)
    try:
        leaf.verify_directly_issued_by(load_certificate(ca_certificate))
    except (InvalidSignature, ValueError, TypeError) as error:
        raise UntrustedCertificateError("the device's certificate is of another node") from error
    if not leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc:
        ended = now > leaf.not_valid_after_utc
        raise (CertificateEndedError if ended else UntrustedCertificateError)(
            f"the device's certificate is valid from {leaf.not_valid_before_utc.isoformat()} to "
            f"{leaf.not_valid_after_utc.isoformat()}, now is {now.isoformat()}"
        )
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    except (x509.ExtensionNotFound, ValueError) as error:
        raise UntrustedCertificateError("the certificate names no device") from error
    if len(uris) != 1 or len(list(names)) != 1 or not is_device_id(uris[0]):
        raise UntrustedCertificateError(
            f"the certificate names {len(list(names))} subjects; exactly one device id is expected"
        )
    return parse_device_id(uris[0])
