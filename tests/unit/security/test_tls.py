from __future__ import annotations

import ssl
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID

from security.errors import KeyFileError, UntrustedCertificateError
from security.private_files import write_private
from security.tls import (
    certificate_der,
    certificate_pem,
    create_ca,
    csr_der,
    issue_member_certificate,
    load_certificate,
    load_tls_key,
    member_id_of,
    new_tls_key,
    not_after,
    save_tls_key,
    verify_member_certificate,
)
from security.x509_parts import MAX_CSR_BYTES
from tests.support.members import HUB, NODE, NOW, PROVINCE, city

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

HUB_UNDER_TEST, NODE_UNDER_TEST = city()

ExtensionT = TypeVar("ExtensionT", bound=x509.ExtensionType)


def issue(
    member: str = NODE, *, request: bytes | None = None, hosts: tuple[str, ...] = ()
) -> bytes:
    return issue_member_certificate(
        HUB_UNDER_TEST.ca_key_pem,
        HUB_UNDER_TEST.ca_certificate_pem,
        csr_der(new_tls_key()) if request is None else request,
        member,
        NOW,
        hosts=hosts,
    )


def extension(certificate: bytes, kind: type[ExtensionT]) -> ExtensionT:
    return load_certificate(certificate).extensions.get_extension_for_class(kind).value


def pem_of(key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def test_a_member_certificate_names_its_member_and_may_only_call() -> None:
    certificate = issue()
    assert member_id_of(certificate) == member_id_of(certificate_pem(certificate)) == NODE
    assert list(extension(certificate, x509.ExtendedKeyUsage)) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not extension(certificate, x509.BasicConstraints).ca
    assert not_after(certificate) == NOW + timedelta(days=30)
    assert verify_member_certificate(certificate, HUB_UNDER_TEST.ca_certificate_pem, NOW) == NODE


def test_a_hub_certificate_may_serve_on_loopback_and_named_hosts() -> None:
    certificate = issue(HUB, hosts=("hub.example", "10.0.0.1", "localhost"))
    names = extension(certificate, x509.SubjectAlternativeName)
    assert names.get_values_for_type(x509.DNSName) == ["localhost", "hub.example"]
    addresses = [str(found) for found in names.get_values_for_type(x509.IPAddress)]
    assert addresses == ["127.0.0.1", "::1", "10.0.0.1"]
    assert ExtendedKeyUsageOID.SERVER_AUTH in extension(certificate, x509.ExtendedKeyUsage)


def test_a_node_serves_no_hosts() -> None:
    with pytest.raises(ValueError, match="is not a hub and serves no hosts"):
        issue(NODE, hosts=("node.example",))


def test_only_a_hub_has_an_authority() -> None:
    with pytest.raises(ValueError, match="only hubs certify"):
        create_ca(NODE, NOW)


def test_a_tls_library_accepts_the_chain() -> None:
    context = ssl.create_default_context(cadata=HUB_UNDER_TEST.ca_certificate_pem.decode())
    assert context.cert_store_stats()["x509_ca"] == 1


@pytest.mark.parametrize(
    "moment", [NOW - timedelta(minutes=6), NOW + timedelta(days=30, seconds=1)]
)
def test_a_certificate_outside_its_validity_is_refused(moment: datetime) -> None:
    certificate = issue()
    with pytest.raises(UntrustedCertificateError, match="the TLS certificate is valid from"):
        verify_member_certificate(certificate, HUB_UNDER_TEST.ca_certificate_pem, moment)


def test_a_certificate_of_another_authority_is_refused() -> None:
    _, stranger = create_ca(HUB, NOW)
    with pytest.raises(UntrustedCertificateError, match="is of another authority"):
        verify_member_certificate(issue(), stranger, NOW)
    _, province = create_ca(PROVINCE, NOW)
    with pytest.raises(UntrustedCertificateError, match="is of another authority"):
        verify_member_certificate(issue(), province, NOW)


def test_a_member_cannot_certify_others() -> None:
    forged = issue_member_certificate(
        NODE_UNDER_TEST.tls_key_pem,
        certificate_pem(NODE_UNDER_TEST.tls_certificate_der),
        csr_der(new_tls_key()),
        HUB,
        NOW,
    )
    with pytest.raises(UntrustedCertificateError):
        verify_member_certificate(forged, HUB_UNDER_TEST.ca_certificate_pem, NOW)


def test_a_flipped_bit_in_a_certificate_is_refused() -> None:
    certificate = issue()
    for at in range(0, len(certificate), 7):
        changed = bytearray(certificate)
        changed[at] ^= 1
        with pytest.raises(UntrustedCertificateError):
            verify_member_certificate(bytes(changed), HUB_UNDER_TEST.ca_certificate_pem, NOW)


@pytest.mark.parametrize(
    "names",
    [
        [],
        [x509.DNSName("node.example")],
        [x509.UniformResourceIdentifier("https://example.org")],
        [x509.UniformResourceIdentifier(NODE), x509.UniformResourceIdentifier(HUB)],
    ],
    ids=["none", "no_uri", "no_member", "two_members"],
)
def test_a_certificate_that_does_not_name_exactly_one_member_is_refused(
    names: list[x509.GeneralName],
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(x509.Name([]))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    certificate = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    with pytest.raises(UntrustedCertificateError, match="the TLS certificate names"):
        member_id_of(certificate)


def test_a_request_signed_by_another_key_is_refused() -> None:
    # The signature is the last field of the request; the key inside is not the signer's.
    request = bytearray(csr_der(new_tls_key()))
    request[-1] ^= 1
    with pytest.raises(UntrustedCertificateError, match="not signed by its own key"):
        issue(request=bytes(request))


@pytest.mark.parametrize(
    ("request_der", "words"),
    [
        (b"", "not a PKCS#10"),
        (b"garbage", "not a PKCS#10"),
        (bytes(MAX_CSR_BYTES + 1), f"request of {MAX_CSR_BYTES + 1} bytes"),
    ],
)
def test_bytes_that_are_no_request_are_refused(request_der: bytes, words: str) -> None:
    with pytest.raises(UntrustedCertificateError, match=words):
        issue(request=request_der)


def test_keys_that_grpc_cannot_use_are_refused() -> None:
    for key in (ed25519.Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP384R1())):
        algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
        request = (
            x509.CertificateSigningRequestBuilder()
            .subject_name(x509.Name([]))
            .sign(key, algorithm)
            .public_bytes(serialization.Encoding.DER)
        )
        with pytest.raises(UntrustedCertificateError, match="not for a P-256 key"):
            issue(request=request)
        with pytest.raises(KeyFileError, match="not a P-256 key"):
            csr_der(pem_of(key))


@pytest.mark.parametrize("data", [b"", b"-----BEGIN CERTIFICATE-----\n", b"0" * 20_000])
def test_bytes_that_are_no_certificate_are_refused(data: bytes) -> None:
    with pytest.raises(UntrustedCertificateError):
        load_certificate(data)


def test_a_certificate_converts_both_ways() -> None:
    certificate = issue()
    assert certificate_der(certificate_pem(certificate)) == certificate


def test_a_saved_tls_key_is_read_back(tmp_path: Path) -> None:
    key = new_tls_key()
    save_tls_key(tmp_path / "tls.key", key)
    assert load_tls_key(tmp_path / "tls.key") == key


def test_a_damaged_tls_key_file_is_refused_by_name(tmp_path: Path) -> None:
    write_private(tmp_path / "tls.key", b"garbage")
    with pytest.raises(KeyFileError, match=r"tls\.key: not a private key in PEM"):
        load_tls_key(tmp_path / "tls.key")
    with pytest.raises(KeyFileError, match="not a private key in PEM"):
        save_tls_key(tmp_path / "other.key", b"garbage")
