from __future__ import annotations

from datetime import timedelta
from functools import lru_cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from security.certificates.subordinate import (
    MAX_CHAIN_BYTES,
    presented_pem,
    request_subordination,
    verify_subordination,
)
from security.errors import UntrustedCertificateError
from security.tls import csr_der, issue_member_certificate, load_certificate, new_tls_key
from tests.support.bureau import Authority, answer, certified, make_root
from tests.support.members import NODE, NOW, make_hub

PEM = serialization.Encoding.PEM


@lru_cache(maxsize=1)
def hub_ca() -> tuple[bytes, bytes]:
    hub = make_hub()
    return hub.ca_key_pem, hub.ca_certificate_pem


@lru_cache(maxsize=1)
def root() -> Authority:
    return make_root(NOW)


def request() -> bytes:
    return request_subordination(*hub_ca())


def refused(chain: bytes, *, days: int = 0) -> str:
    with pytest.raises(UntrustedCertificateError) as caught:
        verify_subordination(chain, hub_ca()[1], NOW + timedelta(days=days))
    return caught.value.cause


def test_the_request_proves_the_key_and_asks_for_an_authority_of_the_same_name() -> None:
    made = x509.load_pem_x509_csr(request())

    own = load_certificate(hub_ca()[1])
    assert made.is_signature_valid
    assert (made.subject, made.public_key()) == (own.subject, own.public_key())
    constraints = made.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (constraints.ca, constraints.path_length) == (True, 0)
    with pytest.raises(UntrustedCertificateError, match="not trusted"):
        request_subordination(hub_ca()[0], root().pem)


def test_members_certificates_verify_under_the_bureaus_chain_as_under_the_own() -> None:
    chain = verify_subordination(answer(root(), request(), NOW), hub_ca()[1], NOW)

    member = load_certificate(
        issue_member_certificate(*hub_ca(), csr_der(new_tls_key()), NODE, NOW)
    )
    member.verify_directly_issued_by(chain[0])
    member.verify_directly_issued_by(load_certificate(hub_ca()[1]))
    assert presented_pem(chain) == chain[0].public_bytes(PEM)


def test_a_chain_with_an_intermediate_is_taken_in_its_order_only() -> None:
    middle_key = make_root(NOW, "middle").key
    middle = Authority(
        key=middle_key,
        certificate=certified(
            x509.Name.from_rfc4514_string("CN=middle"),
            middle_key.public_key(),
            root().certificate.subject,
            root().key,
            NOW,
            path_length=1,
        ),
    )
    own = answer(middle, request(), NOW).removesuffix(middle.pem)

    assert len(verify_subordination(own + middle.pem + root().pem, hub_ca()[1], NOW)) == 3
    assert "is not issued by" in refused(own + root().pem + middle.pem)
    assert "is not issued by" in refused(own + root().pem)
    assert "is not issued by" in refused(own + middle.pem)
    assert "first certificate" in refused(middle.pem + own + root().pem)


def test_a_root_that_allows_no_authority_below_it_is_refused() -> None:
    narrow = make_root(NOW, path_length=0)

    assert "allows 0 authorities below it, found 1" in refused(answer(narrow, request(), NOW))


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"is_ca": False}, "is no authority"),
        ({"signs": False}, "may not sign certificates"),
        ({"days": 0}, "is not valid"),
    ],
)
def test_a_certificate_that_is_no_authority_is_refused(changes: dict[str, int], cause: str) -> None:
    assert cause in refused(answer(root(), request(), NOW, **changes), days=1)


def test_chains_for_somebody_else_and_spoiled_ones_are_refused() -> None:
    other = make_hub()
    foreign = request_subordination(other.ca_key_pem, other.ca_certificate_pem)
    good = answer(root(), request(), NOW)
    impostor = make_root(NOW)
    own = good.removesuffix(root().pem)

    assert "first certificate" in refused(answer(root(), foreign, NOW))
    assert "is not issued by" in refused(own + impostor.pem)
    assert "expected 2 to 6" in refused(hub_ca()[1])
    assert "expected 2 to 6" in refused(good + root().pem * 6)
    assert "not a chain" in refused(b"")
    assert "not a chain" in refused(good[:300])
    assert "bytes" in refused(bytes(MAX_CHAIN_BYTES + 1))
    assert "is not valid" in refused(good, days=1001)
