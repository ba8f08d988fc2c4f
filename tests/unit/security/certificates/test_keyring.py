from __future__ import annotations

import pytest

from protos.yixin.v1 import identity_pb2
from security.certificates import ENCRYPTION, SIGNING, Keyring, verify_key_certificate
from security.errors import UntrustedCertificateError
from security.keys import SigningKey
from tests.support.members import DAY_MS, HUB, NODE, NOW_MS, OTHER_NODE, PROVINCE, city, make_hub


def test_a_certified_key_is_found_by_member_id_and_use() -> None:
    hub, node = city()
    ring = hub.keyring()
    assert ring.find(NODE, node.signing.key_id, SIGNING, NOW_MS).key_id == node.signing.key_id
    assert ring.current(NODE, ENCRYPTION, NOW_MS).key_id == node.encryption.key_id


@pytest.mark.parametrize(
    ("member", "use"), [(OTHER_NODE, SIGNING), (NODE, ENCRYPTION), (HUB, SIGNING)]
)
def test_a_key_of_another_member_or_use_is_not_found(
    member: str, use: identity_pb2.KeyUse.ValueType
) -> None:
    hub, node = city()
    with pytest.raises(UntrustedCertificateError, match="no certified key"):
        hub.keyring().find(member, node.signing.key_id, use, NOW_MS)


@pytest.mark.parametrize("days", [-2, 366])
def test_a_key_outside_its_validity_is_refused(days: int) -> None:
    hub, node = city()
    with pytest.raises(UntrustedCertificateError, match="no key is valid at"):
        hub.keyring().find(NODE, node.signing.key_id, SIGNING, NOW_MS + days * DAY_MS)
    with pytest.raises(UntrustedCertificateError, match="no key is valid at"):
        hub.keyring().current(NODE, SIGNING, NOW_MS + days * DAY_MS)


def test_the_newest_valid_key_is_current_and_the_old_one_still_verifies() -> None:
    hub = make_hub()
    node = hub.enrol(NODE)
    successor = SigningKey.generate(post_quantum=False)
    hub.certify(NODE, successor, not_before_ms=NOW_MS, not_after_ms=NOW_MS + 300 * DAY_MS)
    ring = hub.keyring()
    assert ring.current(NODE, SIGNING, NOW_MS - 1).key_id == node.signing.key_id
    assert ring.current(NODE, SIGNING, NOW_MS).key_id == successor.key_id
    assert ring.find(NODE, node.signing.key_id, SIGNING, NOW_MS).key_id == node.signing.key_id


def test_a_renewed_certificate_of_one_key_extends_it() -> None:
    hub = make_hub()
    node = hub.enrol(NODE)
    later = NOW_MS + 380 * DAY_MS
    hub.certify(NODE, node.signing, not_before_ms=NOW_MS, not_after_ms=NOW_MS + 400 * DAY_MS)
    assert hub.keyring().find(NODE, node.signing.key_id, SIGNING, later).serial == hub.serial


def test_a_revoked_certificate_is_refused_from_that_moment_on() -> None:
    hub, node = city()
    ring = hub.keyring()
    serial = verify_key_certificate(node.certificates[0], hub.anchor).serial
    ring.revoke(HUB, serial, NOW_MS)
    ring.revoke(HUB, serial, NOW_MS + DAY_MS)
    assert ring.find(NODE, node.signing.key_id, SIGNING, NOW_MS - 1).serial == serial
    for moment in (NOW_MS, NOW_MS + DAY_MS):
        with pytest.raises(UntrustedCertificateError, match="revoked"):
            ring.find(NODE, node.signing.key_id, SIGNING, moment)


def test_the_anchors_own_key_signs_for_its_hub() -> None:
    hub, _ = city()
    found = Keyring([hub.anchor]).find(HUB, hub.signing.key_id, SIGNING, NOW_MS)
    assert (found.issuer, found.serial, found.suite) == (HUB, 0, "INTL-PQ")


def test_a_hub_without_a_post_quantum_half_anchors_too() -> None:
    hub = make_hub(post_quantum=False)
    assert Keyring([hub.anchor]).current(HUB, SIGNING, NOW_MS).suite == "INTL"


def test_a_certificate_without_an_anchor_is_refused() -> None:
    _, node = city()
    with pytest.raises(UntrustedCertificateError, match="for which no anchor is held"):
        Keyring([make_hub(PROVINCE).anchor]).add(node.certificates[0])


def test_a_certificate_that_does_not_verify_is_not_held() -> None:
    hub, node = city()
    ring = Keyring([hub.anchor])
    forged = identity_pb2.KeyCertificate(
        body=node.certificates[0].body, signature=bytes(64), pq_signature=bytes(3309)
    )
    with pytest.raises(UntrustedCertificateError):
        ring.add(forged)
    with pytest.raises(UntrustedCertificateError, match="key certificate: "):
        ring.add(identity_pb2.KeyCertificate(body=b"\xff"))
    with pytest.raises(UntrustedCertificateError, match="no certified key"):
        ring.find(NODE, node.signing.key_id, SIGNING, NOW_MS)


def test_adding_twice_changes_nothing() -> None:
    hub, node = city()
    ring = Keyring([hub.anchor])
    assert ring.add(node.certificates[0]) == ring.add(node.certificates[0])
    assert ring.current(NODE, SIGNING, NOW_MS).key_id == node.signing.key_id
