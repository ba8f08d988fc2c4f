"""Who is at the other end of a call, judged whenever it is asked."""

from __future__ import annotations

from datetime import timedelta

import pytest

from security.channels import peer_certificate
from security.errors import UntrustedCertificateError
from security.tls import certificate_pem, verify_member_certificate
from tests.support.members import NODE, NOW, city, make_hub


class Call:
    """A call's TLS properties."""

    def __init__(self, *certificates: bytes) -> None:
        self._certificates = certificates

    def auth_context(self) -> dict[str, list[bytes]]:
        return {"x509_pem_cert": list(self._certificates)} if self._certificates else {}


def test_the_peer_is_the_member_its_certificate_names() -> None:
    hub, node = city()
    call = Call(certificate_pem(node.tls_certificate_der))
    assert verify_member_certificate(peer_certificate(call), hub.ca_certificate_pem, NOW) == NODE


def test_a_call_without_exactly_one_certificate_is_refused() -> None:
    hub, node = city()
    pem = certificate_pem(node.tls_certificate_der)
    for call in (Call(), Call(pem, pem)):
        with pytest.raises(UntrustedCertificateError, match="exactly one is expected"):
            verify_member_certificate(peer_certificate(call), hub.ca_certificate_pem, NOW)


def test_a_certificate_is_judged_at_the_moment_of_the_call() -> None:
    hub, node = city()
    call = Call(certificate_pem(node.tls_certificate_der))
    with pytest.raises(UntrustedCertificateError, match="is valid from"):
        verify_member_certificate(
            peer_certificate(call), hub.ca_certificate_pem, NOW + timedelta(days=31)
        )
    with pytest.raises(UntrustedCertificateError, match="another authority"):
        verify_member_certificate(peer_certificate(call), make_hub().ca_certificate_pem, NOW)
