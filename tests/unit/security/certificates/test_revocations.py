from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from protos.yixin.v1 import identity_pb2
from security.certificates import (
    SIGNING,
    Revoked,
    fingerprint,
    keys_digest,
    open_revocations,
    sign_revocations,
    tell_revocations,
)
from security.errors import RevokedError, UntrustedCertificateError
from tests.support.members import DAY_MS, HUB, NODE, NOW_MS, PROVINCE, city, make_hub

if TYPE_CHECKING:
    from tests.support.members import HubUnderTest

TLS = bytes(range(32))


def signed(
    hub: HubUnderTest, *rows: Revoked, version: int = 3, next_ms: int = NOW_MS + DAY_MS
) -> identity_pb2.RevocationList:
    return sign_revocations(
        hub.signing, hub=HUB, version=version, at_ms=NOW_MS, next_ms=next_ms, rows=rows
    )


def test_a_revoked_key_signs_nothing_from_then_on_and_keeps_what_it_signed() -> None:
    hub, node = city()
    body = identity_pb2.KeyCertificateBody.FromString(node.certificates[0].body)
    rows = (
        Revoked(member=NODE, since_ms=NOW_MS, serial=body.serial),
        Revoked(member=NODE, since_ms=NOW_MS, tls_sha256=TLS),
    )
    opened = open_revocations(signed(hub, *rows), hub.anchor, held_version=3)

    ring = hub.keyring()
    opened.apply(ring)
    opened.apply(ring)

    assert (opened.version, len(opened.rows)) == (3, 2)
    assert {row.tls_sha256 for row in opened.rows if not row.serial} == {TLS}
    ring.find(NODE, node.signing.key_id, SIGNING, NOW_MS - 1)
    with pytest.raises(RevokedError, match=node.signing.key_id):
        ring.find(NODE, node.signing.key_id, SIGNING, NOW_MS)
    with pytest.raises(RevokedError):
        ring.current(NODE, SIGNING, NOW_MS)


def test_an_older_list_than_was_seen_is_refused() -> None:
    hub, _ = city()

    with pytest.raises(UntrustedCertificateError, match=r"4 was seen before.*log recover"):
        open_revocations(signed(hub), hub.anchor, held_version=4)


def test_a_list_past_its_time_is_told_until_a_newer_one_comes() -> None:
    hub, _ = city()
    held = open_revocations(signed(hub), hub.anchor, held_version=0)
    newer = signed(hub, version=4, next_ms=NOW_MS + 2 * DAY_MS)
    end = NOW_MS + DAY_MS

    assert tell_revocations(None, NOW_MS).startswith("none: ")
    assert tell_revocations(held, end).startswith("3, good until ")
    told = tell_revocations(held, end + 1)
    assert told.startswith("3, outdated since ")
    assert "tell the hub's officer" in told
    fresh = open_revocations(newer, hub.anchor, held_version=3)
    assert tell_revocations(fresh, end + 1).startswith("4, good until ")


@pytest.mark.parametrize("part", ["body", "signature", "pq_signature"])
def test_a_changed_list_is_refused(part: str) -> None:
    hub, _ = city()
    changed = signed(hub)
    data = bytearray(getattr(changed, part))
    data[len(data) // 2] ^= 1
    setattr(changed, part, bytes(data))

    with pytest.raises(UntrustedCertificateError, match=r"revocation list of .* security officer"):
        open_revocations(changed, hub.anchor, held_version=0)


@pytest.mark.parametrize("cut", [0, 1, 3308, 3310])
def test_a_list_without_a_whole_post_quantum_half_is_refused(cut: int) -> None:
    hub, _ = city()
    changed = signed(hub)
    changed.pq_signature = (changed.pq_signature + bytes(1))[:cut]

    with pytest.raises(UntrustedCertificateError):
        open_revocations(changed, hub.anchor, held_version=0)


def test_a_list_of_another_hub_is_refused() -> None:
    hub, _ = city()
    other = make_hub(PROVINCE)
    foreign = sign_revocations(
        other.signing, hub=PROVINCE, version=1, at_ms=NOW_MS, next_ms=NOW_MS + 1, rows=()
    )

    with pytest.raises(UntrustedCertificateError):
        open_revocations(foreign, hub.anchor, held_version=0)
    renamed = sign_revocations(
        hub.signing, hub=PROVINCE, version=1, at_ms=NOW_MS, next_ms=NOW_MS + 1, rows=()
    )
    with pytest.raises(UntrustedCertificateError, match="it is of"):
        open_revocations(renamed, hub.anchor, held_version=0)


@pytest.mark.parametrize(
    "row",
    [
        Revoked(member=NODE, since_ms=1),
        Revoked(member=NODE, since_ms=1, serial=1, tls_sha256=TLS),
        Revoked(member=NODE, since_ms=1, tls_sha256=b"short"),
        Revoked(member="nobody", since_ms=1, serial=1),
    ],
)
def test_a_row_that_revokes_nothing_definite_is_never_signed(row: Revoked) -> None:
    hub, _ = city()

    with pytest.raises(UntrustedCertificateError):
        signed(hub, row)


def test_a_certificate_is_on_a_list_once() -> None:
    hub, _ = city()
    row = Revoked(member=NODE, since_ms=1, serial=1)

    with pytest.raises(UntrustedCertificateError, match="twice"):
        signed(hub, row, row)
    with pytest.raises(UntrustedCertificateError, match="times"):
        signed(hub, row, next_ms=NOW_MS)
    with pytest.raises(UntrustedCertificateError, match="version 0"):
        signed(hub, row, version=0)


def test_a_list_with_smuggled_fields_is_refused_although_it_is_signed() -> None:
    hub, _ = city()
    data = signed(hub).body + b"\xfa\x06\x01x"
    signature = hub.signing.sign("yixin/revocations/v1", data)
    smuggled = identity_pb2.RevocationList(
        body=data, signature=signature.classical, pq_signature=signature.post_quantum
    )

    with pytest.raises(UntrustedCertificateError, match="unknown fields"):
        open_revocations(smuggled, hub.anchor, held_version=0)


def test_a_fingerprint_changes_with_every_key_and_with_their_borders() -> None:
    digests = {
        keys_digest(b"a", b"", b"c", b"d"),
        keys_digest(b"ab", b"", b"c", b"d"),
        keys_digest(b"a", b"b", b"c", b"d"),
        keys_digest(b"a", b"", b"cd", b""),
        keys_digest(b"a", b"", b"c", b"e"),
    }

    assert len({fingerprint(digest) for digest in digests}) == 5
    assert all(len(fingerprint(digest).split()) == 8 for digest in digests)
