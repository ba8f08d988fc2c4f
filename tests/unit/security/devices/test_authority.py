from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from security.devices import DeviceAuthority, parse_device_id
from security.devices.authority import DEVICE_DAYS, SERVER_DAYS
from security.errors import CertificateEndedError, UntrustedCertificateError
from security.tls import csr_der, load_certificate, new_tls_key, verify_member_certificate
from security.x509_parts import certificate_builder, load_private
from tests.support.members import NOW

if TYPE_CHECKING:
    from collections.abc import Sequence

AUTHORITY = DeviceAuthority.create(NOW, ["node.example"])
NAME = parse_device_id("yixin-device://H33030200001/window/w3")
URI = x509.UniformResourceIdentifier


def issued(**options: int) -> bytes:
    return AUTHORITY.issue(csr_der(new_tls_key()), NAME, NOW, **options)


def by_hand(names: Sequence[x509.GeneralName]) -> bytes:
    """A certificate of the authority with other names than it ever writes."""
    key = load_private(new_tls_key()).public_key()
    issuer = load_certificate(AUTHORITY.certificate_pem).subject
    builder = certificate_builder(x509.Name([]), issuer, key, NOW, 30)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=True)
    made = builder.sign(load_private(AUTHORITY.key_pem), hashes.SHA256())
    return made.public_bytes(Encoding.DER)


def test_a_certificate_names_its_device_and_nothing_else() -> None:
    assert AUTHORITY.verify(issued(), NOW) == NAME
    found = load_certificate(issued())
    (usage,) = found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert usage == x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH


def test_a_device_cannot_certify_others() -> None:
    constraints = load_certificate(issued()).extensions.get_extension_for_class(
        x509.BasicConstraints
    )
    assert constraints.value.ca is False
    root = load_certificate(AUTHORITY.certificate_pem).extensions
    assert root.get_extension_for_class(x509.BasicConstraints).value.path_length == 0


def test_a_certificate_of_another_node_is_refused() -> None:
    with pytest.raises(UntrustedCertificateError, match="of another node"):
        DeviceAuthority.create(NOW).verify(issued(), NOW)


def test_an_ended_certificate_and_one_of_tomorrow_are_refused() -> None:
    made = issued(days=DEVICE_DAYS)
    AUTHORITY.verify(made, NOW + timedelta(days=DEVICE_DAYS))
    with pytest.raises(CertificateEndedError):
        AUTHORITY.verify(made, NOW + timedelta(days=DEVICE_DAYS, seconds=1))
    with pytest.raises(UntrustedCertificateError, match="is valid from"):
        AUTHORITY.verify(made, NOW - timedelta(hours=1))


@pytest.mark.parametrize(
    "names",
    [
        [],
        [URI("yixin://330302/node/H33030200001")],
        [URI(NAME.device_id), URI("yixin-device://H33030200001/window/w4")],
        [URI(NAME.device_id), x509.DNSName("node.example")],
        [x509.DNSName("node.example")],
    ],
)
def test_a_certificate_that_does_not_name_exactly_one_device_is_refused(
    names: list[x509.GeneralName],
) -> None:
    with pytest.raises(UntrustedCertificateError, match="names"):
        AUTHORITY.verify(by_hand(names), NOW)


def test_the_servers_certificate_is_no_devices() -> None:
    with pytest.raises(UntrustedCertificateError, match="names"):
        AUTHORITY.verify(AUTHORITY.server_pem, NOW)


def test_no_hub_takes_a_device_for_a_member() -> None:
    with pytest.raises(UntrustedCertificateError):
        verify_member_certificate(issued(), AUTHORITY.certificate_pem, NOW)


@pytest.mark.parametrize("request_der", [b"", b"\x30\x00", b"x" * 9_000])
def test_a_malformed_request_is_refused(request_der: bytes) -> None:
    with pytest.raises(UntrustedCertificateError):
        AUTHORITY.issue(request_der, NAME, NOW)


def test_the_server_certificate_follows_hosts_and_time() -> None:
    half = NOW + timedelta(days=SERVER_DAYS) / 2
    assert AUTHORITY.serves(NOW, ["node.example", "localhost"])
    assert not AUTHORITY.serves(NOW, ["other.example"])
    assert not AUTHORITY.serves(half, ["node.example"])
    again = AUTHORITY.with_server(half, ["other.example"])
    assert again.serves(half, ["other.example"])
    assert again.certificate_pem == AUTHORITY.certificate_pem
    assert AUTHORITY.verify(issued(), NOW) == again.verify(issued(), NOW)


def test_a_repr_shows_no_key() -> None:
    assert "PRIVATE" not in repr(AUTHORITY)
