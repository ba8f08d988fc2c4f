from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from hub.exchange.downlink import MAX_ENVELOPES, Downlink, limits
from hub.exchange.opening import Opening
from hub.store import collected_heads, envelopes, log
from hub.store.certifying import certify
from hub.store.engine import reading, writing
from hub.store.tables import key_certificate
from protos.yixin.v1 import envelope_pb2, exchange_pb2, transparency_pb2
from security.certificates import ENCRYPTION
from security.chain import GENESIS, ChainPosition
from security.envelope import envelope_hash, open_envelope
from security.errors import UntrustedCertificateError
from security.exchange.heads import open_heads, sign_heads
from security.headers import parse_header
from security.keys import EncryptionKey
from security.transparency import parse_leaf
from tests.support.hub_city import FIRST, NODE, SECOND, City, Sender

if TYPE_CHECKING:
    from pathlib import Path

BULK = envelope_pb2.LANE_BULK


@pytest.fixture
def downlink(city: City, node: Sender) -> Downlink:
    assert node.member == NODE
    return Downlink(
        engine=city.parts.engine,
        identity=city.parts.identity,
        outbox=city.parts.outbox,
        keyring=city.parts.keys.keyring,
    )


def queue(city: City, *payloads: bytes, lane: int = BULK) -> None:
    with writing(city.parts.engine) as connection:
        for payload in payloads:
            city.parts.outbox.append(
                connection,
                recipient=NODE,
                lane=lane,
                payload_type="grade_statements",
                schema_version=1,
                purpose="credit_rating",
                data_class="grade",
                period="2026H1",
                payload=payload,
            )


def collect(
    city: City, downlink: Downlink, heads: dict[int, ChainPosition] | None = None
) -> list[envelope_pb2.SealedEnvelope]:
    """One whole collection of a member that holds ``heads``."""
    downlink.acknowledge(NODE, heads or {}, city.clock.ms)
    cursors = {lane: (heads or {}).get(lane, GENESIS) for lane in (1, 2, 3)}
    found: list[envelope_pb2.SealedEnvelope] = []
    while sealed := downlink.next_round(NODE, cursors, 2, city.clock.ms):
        found += sealed
    return found


def opened(city: City, node: Sender, envelope: envelope_pb2.SealedEnvelope) -> bytes:
    return open_envelope(
        envelope,
        recipient=NODE,
        decryption_keys=node.membership.decryption_keys,
        keyring=node.membership.keyring,
        now_ms=city.clock.ms,
    ).payload


def head(envelope: envelope_pb2.SealedEnvelope, seq: int, incarnation: int = 1) -> ChainPosition:
    return ChainPosition(incarnation=incarnation, seq=seq, hash=envelope_hash(envelope))


def test_control_comes_before_bulk_and_every_envelope_is_a_logged_delivery(
    city: City, node: Sender, downlink: Downlink
) -> None:
    queue(city, b"one", b"two", b"three")
    queue(city, b"urgent", lane=envelope_pb2.LANE_CONTROL)

    found = collect(city, downlink)

    assert [opened(city, node, one) for one in found] == [b"urgent", b"one", b"two", b"three"]
    with reading(city.parts.engine) as connection:
        leaves = [parse_leaf(leaf.leaf) for leaf in log.leaves(connection, 0, 20)][-4:]
        assert envelopes.count(connection) == (0, 4)
    assert [leaf.kind for leaf in leaves] == [transparency_pb2.LOG_KIND_DELIVERY] * 4
    assert [leaf.envelope_hash for leaf in leaves] == [envelope_hash(one) for one in found]


def test_what_was_not_acknowledged_is_given_again_byte_for_byte_and_logged_once(
    city: City, downlink: Downlink
) -> None:
    queue(city, b"one", b"two")
    with reading(city.parts.engine) as connection:
        before = log.size(connection)
    first = collect(city, downlink)

    again = collect(city, downlink)
    behind = collect(city, downlink, {BULK: head(first[0], 1)})
    nothing = collect(city, downlink, {BULK: head(first[1], 2)})

    assert again == first
    assert behind == first[1:]
    assert nothing == []
    with reading(city.parts.engine) as connection:
        assert log.size(connection) == before + 2
        assert city.parts.outbox.pending(connection, NODE).total == 0


def test_a_member_restored_from_an_old_copy_gets_everything_behind_its_head_again(
    city: City, downlink: Downlink
) -> None:
    queue(city, b"one", b"two")
    first = collect(city, downlink)
    collect(city, downlink, {BULK: head(first[1], 2)})

    assert collect(city, downlink, {BULK: head(first[0], 1)}) == first[1:]


def test_heads_outside_the_hubs_history_start_a_new_incarnation(
    city: City, node: Sender, downlink: Downlink
) -> None:
    queue(city, b"one")
    collect(city, downlink)
    strange = ChainPosition(incarnation=1, seq=7, hash=bytes(31) + b"x")

    (found,) = collect(city, downlink, {BULK: strange})

    header = envelope_pb2.EnvelopeHeader.FromString(found.header)
    assert (header.incarnation, header.seq) == (2, 1)
    assert (header.cited_incarnation, header.cited_seq) == (1, 7)
    assert header.previous_hash == strange.hash
    assert opened(city, node, found) == b"one"


def test_what_waits_is_sealed_anew_for_a_member_that_joined_with_new_keys(
    city: City, downlink: Downlink, tmp_path: Path
) -> None:
    queue(city, b"one")
    collect(city, downlink)
    city.clock.advance(minutes=10)
    again = city.enrol(tmp_path / "again", NODE, FIRST, SECOND)

    (found,) = collect(city, downlink)

    assert opened(city, again, found) == b"one"


def test_what_waits_for_an_earlier_epoch_that_still_holds_is_given_byte_for_byte(
    city: City, node: Sender, downlink: Downlink
) -> None:
    queue(city, b"one")
    first = collect(city, downlink)
    key = EncryptionKey.generate("INTL-PQ")
    city.clock.advance(days=30)
    with writing(city.parts.engine) as connection:
        certify(
            connection,
            city.parts.identity,
            member=NODE,
            use=ENCRYPTION,
            suite="INTL-PQ",
            public_key=key.public_bytes,
            pq_public_key=b"",
            now_ms=city.clock.ms,
            days=365,
            approved="renewal",
        )
    city.learn(NODE)

    assert collect(city, downlink) == first
    queue(city, b"two")
    old, new = collect(city, downlink)
    assert parse_header(old).recipient_key_id == node.keys.encryption.key_id
    assert parse_header(new).recipient_key_id == key.key_id

    # The earlier epoch has ended: what is still there is sealed to the new one.
    city.clock.advance(days=340)
    anew = collect(city, downlink)
    assert {parse_header(one).recipient_key_id for one in anew} == {key.key_id}
    assert {parse_header(one).incarnation for one in anew} == {2}
    assert len(anew) == 2


def test_what_waits_under_a_key_of_the_hub_that_was_revoked_is_sealed_anew(
    city: City, node: Sender, downlink: Downlink
) -> None:
    queue(city, b"one")
    (first,) = collect(city, downlink)
    signed_by = parse_header(first).sender_key_id
    assert collect(city, downlink) == [first]

    with writing(city.parts.engine) as connection:
        connection.execute(
            update(key_certificate)
            .where(key_certificate.c.key_id == signed_by)
            .values(revoked_at_ms=city.clock.ms)
        )
    (anew,) = collect(city, downlink)

    assert parse_header(anew).incarnation == 2
    assert opened(city, node, first) == b"one"


def test_signed_heads_that_acknowledge_something_new_are_kept_once(
    city: City, node: Sender, downlink: Downlink
) -> None:
    opening = Opening(engine=city.parts.engine, identity=city.parts.identity, keys=city.parts.keys)

    def state(*heads: ChainPosition) -> None:
        signed = sign_heads(
            node.keys.signing,
            signer=NODE,
            peer=city.parts.identity.hub,
            heads=dict(zip((BULK, envelope_pb2.LANE_CONTROL), heads, strict=False)),
            at_ms=city.clock.ms,
            downlink=True,
        )
        opening.downlink_heads(NODE, signed, city.clock.ms)

    queue(city, b"one", b"two")
    first = collect(city, downlink)
    strange = ChainPosition(incarnation=1, seq=9, hash=bytes(31) + b"x")
    for position in (GENESIS, head(first[0], 1), head(first[0], 1), strange, head(first[1], 2)):
        state(position)
    state(head(first[0], 1), head(first[1], 2))

    with reading(city.parts.engine) as connection:
        kept = list(collected_heads.list_heads(connection, NODE))
    assert [(one.lane, one.position.seq) for one in kept] == [(BULK, 1), (BULK, 2)]
    last = exchange_pb2.SignedHeads.FromString(kept[1].heads)
    assert open_heads(
        last,
        city.parts.keys.keyring,
        signer=NODE,
        peer=city.parts.identity.hub,
        downlink=True,
        now_ms=city.clock.ms,
    ) == {BULK: head(first[1], 2)}


def test_a_member_whose_keys_expired_is_not_served(city: City, downlink: Downlink) -> None:
    queue(city, b"one")
    city.clock.advance(days=400)

    with pytest.raises(UntrustedCertificateError):
        collect(city, downlink)


def test_a_collection_is_bounded() -> None:
    assert sum(limits(0)) == sum(limits(10**6)) == MAX_ENVELOPES
    assert list(limits(3)) == [3]
