from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hub.errors import ConfigurationError, LogReadOnlyError
from hub.exchange.opening import Opening
from hub.exchange.revoking import revoke_member
from hub.store import log, members, revocations
from hub.store.engine import reading, writing
from hub.store.revocation_lists import current_list, refresh_list
from protos.yixin.v1 import exchange_pb2, identity_pb2, transparency_pb2
from security.certificates import SIGNING, open_revocations
from security.errors import RevokedError
from security.exchange.heads import sign_heads
from security.tls import tls_digest
from security.transparency import parse_leaf
from tests.support.hub_city import CITY, FIRST, NODE, OTHER, THIRD, City, Sender, Slot, batch

if TYPE_CHECKING:
    from pathlib import Path

    from security.certificates import Revocations


def listed_tls(held: Revocations) -> set[bytes]:
    return {row.tls_sha256 for row in held.rows}


def revoke(city: City, member: str = NODE, reason: str = "theft") -> int:
    with writing(city.parts.engine) as connection:
        return revoke_member(connection, city.parts.identity, member, reason, city.clock.ms)


def held(city: City, version: int = 0) -> Revocations:
    with reading(city.parts.engine) as connection:
        signed = current_list(connection)
    assert signed is not None
    return open_revocations(signed, city.parts.identity.anchor, held_version=version)


def logged(city: City) -> list[bytes]:
    with reading(city.parts.engine) as connection:
        leaves = [parse_leaf(leaf.leaf) for leaf in log.leaves(connection, 0, 1_000)]
    wanted = transparency_pb2.LOG_KIND_REVOCATION
    return [leaf.envelope_hash for leaf in leaves if leaf.kind == wanted]


def tls_of(sender: Sender) -> bytes:
    return tls_digest(sender.membership.joined.tls_certificate_der)


def test_a_revoked_members_certificates_are_on_the_signed_list(city: City, node: Sender) -> None:
    assert revoke(city) == 3

    found = held(city, 1)
    ring = node.membership.keyring
    found.apply(ring)

    assert [row.member for row in found.rows] == [NODE] * 3
    assert tls_of(node) in listed_tls(found)
    with pytest.raises(RevokedError):
        ring.find(NODE, node.keys.signing.key_id, SIGNING, city.clock.ms)
    ring.find(NODE, node.keys.signing.key_id, SIGNING, city.clock.ms - 1)
    assert len(logged(city)) == 1


def test_every_change_makes_the_next_version_and_no_change_makes_none(
    city: City, node: Sender, tmp_path: Path
) -> None:
    city.enrol(tmp_path / "other", OTHER, THIRD)
    revoke(city, node.member)
    city.clock.advance(minutes=1)
    revoke(city, OTHER)

    assert revoke(city, OTHER, "again") == 0

    assert held(city).version == 2
    assert {row.member for row in held(city).rows} == {NODE, OTHER}
    assert len(logged(city)) == 2
    assert not refresh_list(city.parts.engine, city.parts.identity, city.clock.ms)


def test_the_list_goes_with_every_opening_and_every_join(
    city: City, node: Sender, tmp_path: Path
) -> None:
    revoke(city)
    other = city.enrol(tmp_path / "other", OTHER, THIRD)
    assert other.membership.joined.revocations.body
    heads = sign_heads(
        other.keys.signing, signer=OTHER, peer=CITY, heads={}, at_ms=city.clock.ms, downlink=False
    )
    parts = city.parts
    opening = Opening(engine=parts.engine, identity=parts.identity, keys=parts.keys)

    accepted = opening.answer(OTHER, exchange_pb2.SubmitRequest(open=heads), city.clock.ms)

    found = open_revocations(accepted.revocations, parts.identity.anchor, held_version=1)
    assert tls_of(node) in listed_tls(found)


def test_a_revoked_certificate_stays_on_the_list_and_tls_only_until_it_ends(
    city: City, node: Sender
) -> None:
    revoke(city)
    city.clock.advance(days=16)

    assert refresh_list(city.parts.engine, city.parts.identity, city.clock.ms)
    assert len(held(city, 2).rows) == 3

    city.clock.advance(days=16)
    assert refresh_list(city.parts.engine, city.parts.identity, city.clock.ms)
    assert [bool(row.serial) for row in held(city, 3).rows] == [True, True]
    assert tls_of(node) not in listed_tls(held(city))


def test_what_is_revoked_while_the_log_takes_no_leaf_counts_and_is_listed_later(
    city: City, node: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: Any) -> int:  # noqa: ANN401 - of any type
        raise LogReadOnlyError("not now")

    sealed = node.seal(batch(Slot()))
    with monkeypatch.context() as patch:
        patch.setattr(log, "append_leaves", refuse)
        revoke(city)
    with reading(city.parts.engine) as connection:
        assert current_list(connection) is None
        state = revocations.tls_state(connection, NODE, tls_of(node))
    assert state is revocations.TlsState.REVOKED
    assert not isinstance(city.submit(sealed)[0], exchange_pb2.Receipt)

    assert refresh_list(city.parts.engine, city.parts.identity, city.clock.ms)
    assert len(held(city).rows) == 3


def test_the_hubs_own_epoch_is_revoked_and_replaced(city: City, node: Sender) -> None:
    before = city.parts.identity.signing.key_id

    assert revoke(city, CITY) == 2

    assert city.parts.identity.signing.key_id != before
    held(city).apply(node.membership.keyring)
    (receipt,) = city.submit(node.seal(batch(Slot())))
    assert isinstance(receipt, exchange_pb2.Receipt)
    assert receipt.key_id == city.parts.identity.signing.key_id
    with pytest.raises(RevokedError):
        node.membership.keyring.find(CITY, before, SIGNING, city.clock.ms)


def test_nobody_is_revoked_without_a_reason_or_without_being_known(
    city: City, node: Sender
) -> None:
    with pytest.raises(ConfigurationError, match="reason"):
        revoke(city, node.member, " ")
    with pytest.raises(ConfigurationError, match="no member"):
        revoke(city, "yixin://330302/node/nobody")
    with reading(city.parts.engine) as connection:
        row = members.find_member(connection, NODE)
        assert current_list(connection) is None
    assert row is not None
    assert row.status == "active"


def test_a_later_join_revokes_what_was_certified_before(
    city: City, node: Sender, tmp_path: Path
) -> None:
    again = city.enrol(tmp_path / "again", NODE, FIRST)

    with reading(city.parts.engine) as connection:
        states = [revocations.tls_state(connection, NODE, tls_of(one)) for one in (node, again)]
        unknown = revocations.tls_state(connection, NODE, bytes(32))
        other = revocations.tls_state(connection, OTHER, tls_of(again))
    assert states == [revocations.TlsState.REVOKED, revocations.TlsState.ISSUED]
    # A certificate that is in nobody's register: of a member with others, and of one without any.
    assert unknown is revocations.TlsState.REVOKED
    assert other is revocations.TlsState.ISSUED
    assert tls_of(node) in listed_tls(held(city))
    body = identity_pb2.KeyCertificateBody.FromString(
        again.membership.joined.signing_certificate.body
    )
    assert body.serial not in {row.serial for row in held(city).rows}
