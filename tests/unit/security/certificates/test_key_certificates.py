from __future__ import annotations

from typing import Any

import pytest

from protos.yixin.v1 import identity_pb2
from security.certificates import ENCRYPTION, SIGNING, issue_key_certificate, verify_key_certificate
from security.errors import UntrustedCertificateError
from security.keys import EncryptionKey, SigningKey
from tests.support.members import HUB, NODE, NOW_MS, PROVINCE, city, make_hub

YEAR_AND_MORE_MS = 401 * 24 * 3600 * 1000


def resigned(body: identity_pb2.KeyCertificateBody) -> identity_pb2.KeyCertificate:
    """A certificate that the hub itself signed over a body its software would not issue."""
    data = body.SerializeToString()
    signature = city()[0].signing.sign("yixin/key-certificate/v1", data)
    return identity_pb2.KeyCertificate(
        body=data, signature=signature.classical, pq_signature=signature.post_quantum
    )


def body_of(certificate: identity_pb2.KeyCertificate) -> identity_pb2.KeyCertificateBody:
    return identity_pb2.KeyCertificateBody.FromString(certificate.body)


def test_a_certificate_verifies_and_keeps_its_parts() -> None:
    hub, node = city()
    signing, encryption = (verify_key_certificate(c, hub.anchor) for c in node.certificates)
    assert signing.member == encryption.member == NODE
    assert (signing.use, encryption.use) == (SIGNING, ENCRYPTION)
    assert signing.verifying == node.signing.verifying
    assert encryption.public_key == node.encryption.public_bytes
    assert signing.key_id == node.signing.key_id
    assert signing.issuer == HUB
    assert signing.serial != encryption.serial


def test_validity_includes_both_ends() -> None:
    hub, node = city()
    key = verify_key_certificate(node.certificates[0], hub.anchor)
    moments = (key.not_before_ms - 1, key.not_before_ms, key.not_after_ms, key.not_after_ms + 1)
    assert [key.is_valid_at(moment) for moment in moments] == [False, True, True, False]


def test_a_flipped_bit_anywhere_is_refused() -> None:
    hub, node = city()
    good = node.certificates[0]
    for name in ("body", "signature", "pq_signature"):
        part = getattr(good, name)
        for at in range(0, len(part), 11):
            changed = identity_pb2.KeyCertificate()
            changed.CopyFrom(good)
            flipped = bytearray(part)
            flipped[at] ^= 1
            setattr(changed, name, bytes(flipped))
            with pytest.raises(UntrustedCertificateError):
                verify_key_certificate(changed, hub.anchor)


def test_stripping_the_post_quantum_signature_is_refused() -> None:
    hub, node = city()
    stripped = identity_pb2.KeyCertificate(
        body=node.certificates[0].body, signature=node.certificates[0].signature
    )
    with pytest.raises(UntrustedCertificateError, match="key certificate of 'yixin://330302"):
        verify_key_certificate(stripped, hub.anchor)


def test_a_certificate_of_another_hub_is_refused() -> None:
    _, node = city()
    with pytest.raises(UntrustedCertificateError, match=r"issued by .*city', the anchor is of"):
        verify_key_certificate(node.certificates[0], make_hub(PROVINCE).anchor)


def test_an_impostor_with_the_hubs_name_is_refused() -> None:
    _, node = city()
    with pytest.raises(UntrustedCertificateError, match="key certificate of"):
        verify_key_certificate(node.certificates[0], make_hub(HUB).anchor)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"format": 2}, "format 2, expected 1"),
        ({"member": "node"}, "is not a member id"),
        ({"kind": "hub"}, "kind 'hub' of yixin://330302/node"),
        ({"use": 0}, "key use 0"),
        ({"use": 9}, "key use 9"),
        ({"suite": "NULL"}, "suite 'NULL' is not known"),
        ({"key_id": "0" * 32}, "does not name the key"),
        ({"public_key": bytes(32)}, "point of small order"),
        ({"public_key": b"short"}, "has 32 bytes, found 5"),
        ({"not_after_ms": NOW_MS - YEAR_AND_MORE_MS}, "ends before it begins"),
        ({"not_after_ms": NOW_MS + YEAR_AND_MORE_MS}, "lasts more than 400 days"),
        ({"serial": 0}, "serial 0"),
    ],
)
def test_even_a_signed_body_is_refused_when_it_makes_no_sense(
    parts: dict[str, Any], words: str
) -> None:
    hub, node = city()
    body = body_of(node.certificates[0])
    for name, value in parts.items():
        setattr(body, name, value)
    with pytest.raises(UntrustedCertificateError, match=words):
        verify_key_certificate(resigned(body), hub.anchor)


def test_an_encryption_key_with_a_signing_half_is_refused() -> None:
    hub, node = city()
    body = body_of(node.certificates[1])
    body.pq_public_key = hub.signing.verifying.pq_public_key
    with pytest.raises(UntrustedCertificateError, match="has no ML-DSA-65 half"):
        verify_key_certificate(resigned(body), hub.anchor)


@pytest.mark.parametrize("body", [b"\xff", bytes(9000)], ids=["garbage", "oversized"])
def test_a_body_that_is_none_is_refused(body: bytes) -> None:
    hub, _ = city()
    with pytest.raises(UntrustedCertificateError, match="key certificate: "):
        verify_key_certificate(identity_pb2.KeyCertificate(body=body), hub.anchor)


def test_an_oversized_post_quantum_signature_is_refused_before_parsing() -> None:
    hub, node = city()
    padded = identity_pb2.KeyCertificate(body=node.certificates[0].body, pq_signature=bytes(9999))
    with pytest.raises(UntrustedCertificateError, match="a wrong length"):
        verify_key_certificate(padded, hub.anchor)


def test_a_node_cannot_certify() -> None:
    _, node = city()
    key = SigningKey.generate(post_quantum=False).verifying
    with pytest.raises(UntrustedCertificateError, match="is not a hub"):
        issue_key_certificate(
            node.signing,
            issuer=NODE,
            member=NODE,
            kind="node",
            use=SIGNING,
            suite="INTL-PQ",
            public_key=key.public_key,
            pq_public_key=b"",
            not_before_ms=0,
            not_after_ms=1,
            serial=1,
        )


def test_a_key_of_another_suite_is_not_certified() -> None:
    hub = make_hub()
    with pytest.raises(UntrustedCertificateError, match="has 1216 bytes, found 32"):
        hub.certify(NODE, EncryptionKey.generate("INTL"), suite="INTL-PQ")
