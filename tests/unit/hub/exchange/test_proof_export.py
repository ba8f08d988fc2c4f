"""Exported deliveries and forks hold for somebody who has the anchor and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from hub.errors import ConfigurationError
from hub.exchange.downlink import Downlink
from hub.exchange.opening import Opening
from hub.exchange.proof_export import export_deliveries, export_forks
from hub.exchange.revoking import revoke_member
from hub.intake.committing import Refused
from hub.store.engine import reading, writing
from protos.yixin.v1 import envelope_pb2, exchange_pb2, identity_pb2
from security.certificates import Keyring, read_revocations
from security.chain import GENESIS, ChainPosition
from security.envelope import envelope_hash, parse_envelope, verify_envelope
from security.exchange.heads import open_heads, sign_heads
from security.exchange.tables import outbox
from security.headers import parse_header
from security.proof_files import (
    DeliveredProof,
    ForkProof,
    HeadsProof,
    ProofKind,
    read_proofs,
)
from tests.support.hub_city import NODE, OTHER

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.hub_city import City, Sender

BULK = envelope_pb2.LANE_BULK


def ring_of(city: City, certificates: tuple[bytes, ...]) -> Keyring:
    """What a third party builds: the anchor it holds, and the file's certificates."""
    ring = Keyring([city.parts.identity.anchor])
    for raw in certificates:
        ring.add(identity_pb2.KeyCertificate.FromString(raw))
    return ring


def deliver(city: City, node: Sender, *payloads: bytes) -> None:
    """Queue payloads, let the member collect them, and let its next collection say so."""
    parts = city.parts
    downlink = Downlink(
        engine=parts.engine,
        identity=parts.identity,
        outbox=parts.outbox,
        keyring=parts.keys.keyring,
    )
    opening = Opening(engine=parts.engine, identity=parts.identity, keys=parts.keys)
    with writing(parts.engine) as connection:
        for payload in payloads:
            parts.outbox.append(
                connection,
                recipient=NODE,
                lane=BULK,
                payload_type="grade_statements",
                schema_version=1,
                purpose="credit_rating",
                data_class="grade",
                period="2026H1",
                payload=payload,
            )
    head = node.head
    cursors: dict[int, ChainPosition] = {BULK: head}
    downlink.acknowledge(NODE, {BULK: head} if head.seq else {}, city.clock.ms)
    while sealed := downlink.next_round(NODE, cursors, 64, city.clock.ms):
        header = parse_header(sealed[-1])
        head = ChainPosition(
            incarnation=header.incarnation, seq=header.seq, hash=envelope_hash(sealed[-1])
        )
    node.head = head
    signed = sign_heads(
        node.keys.signing,
        signer=NODE,
        peer=parts.identity.hub,
        heads={BULK: head},
        at_ms=city.clock.ms,
        downlink=True,
    )
    heads, _ = opening.downlink_heads(NODE, signed, city.clock.ms)
    downlink.acknowledge(NODE, heads, city.clock.ms)


def test_signed_heads_prove_a_delivery(city: City, node: Sender, tmp_path: Path) -> None:
    deliver(city, node, b"one", b"two", b"three")
    city.clock.advance(hours=1)
    deliver(city, node, b"four")
    out = tmp_path / "deliveries"

    with reading(city.parts.engine) as connection:
        made = export_deliveries(connection, city.parts.identity.hub, NODE, out, now=city.clock())

    head, proofs = read_proofs(out)
    found = list(proofs)
    assert (head.kind, head.member, made.proofs) == (ProofKind.DELIVERIES, NODE, 4)
    assert [type(one) for one in found] == [
        *(HeadsProof, DeliveredProof, DeliveredProof, DeliveredProof),
        *(HeadsProof, DeliveredProof),
    ]
    ring = ring_of(city, head.certificates)
    wanted = b""
    seqs = []
    for one in found:
        if isinstance(one, HeadsProof):
            signed = exchange_pb2.SignedHeads.FromString(one.heads)
            stated = open_heads(
                signed, ring, signer=NODE, peer=head.hub, downlink=True, now_ms=city.clock.ms
            )
            wanted = stated[one.lane].hash
            continue
        assert isinstance(one, DeliveredProof)
        assert one.envelope is not None
        envelope = parse_envelope(one.envelope)
        header = parse_header(envelope)
        assert envelope_hash(envelope) == one.hash == wanted
        assert (header.sender, header.recipient) == (head.hub, NODE)
        wanted = header.previous_hash
        seqs.append(header.seq)
    assert seqs == [3, 2, 1, 4]


def test_what_retention_emptied_is_named_by_its_hash(
    city: City, node: Sender, tmp_path: Path
) -> None:
    deliver(city, node, b"one", b"two")
    with writing(city.parts.engine) as connection:
        connection.execute(update(outbox).where(outbox.c.seq == 1).values(envelope=None))
        export_deliveries(
            connection, city.parts.identity.hub, NODE, tmp_path / "out", now=city.clock()
        )

    _, proofs = read_proofs(tmp_path / "out")
    _, second, first = proofs
    assert isinstance(first, DeliveredProof)
    assert isinstance(second, DeliveredProof)
    assert first.envelope is None
    assert second.envelope is not None
    assert parse_header(parse_envelope(second.envelope)).previous_hash == first.hash


def fork(city: City, node: Sender, *, same_place: bool) -> None:
    """Have a member sign two histories, and the hub refuse the second."""
    first = node.seal(b"one")
    other = GENESIS if same_place else ChainPosition(incarnation=1, seq=1, hash=bytes(31) + b"x")
    taken = node.head
    node.head = other
    second = node.seal(b"another")
    node.head = taken
    checked = [city.check(envelope) for envelope in (first, second)]
    results = city.committer().commit(checked, city.clock.ms)
    refused = results[1]
    assert isinstance(refused, Refused)
    city.committer().log_refusal(checked[1], refused.error, city.clock.ms)


@pytest.mark.parametrize("same_place", [True, False])
def test_two_histories_by_one_key_are_shown_to_anybody(
    city: City, node: Sender, tmp_path: Path, *, same_place: bool
) -> None:
    fork(city, node, same_place=same_place)

    with reading(city.parts.engine) as connection:
        made = export_forks(
            connection, city.parts.identity.hub, NODE, tmp_path / "forks", now=city.clock()
        )

    head, proofs = read_proofs(tmp_path / "forks")
    (found,) = proofs
    assert isinstance(found, ForkProof)
    assert (made.proofs, head.kind) == (1, ProofKind.FORKS)
    ring = ring_of(city, head.certificates)
    headers = []
    for raw in (found.first, found.second):
        envelope = parse_envelope(raw)
        header = parse_header(envelope)
        at_ms = header.created_at_ms
        key = ring.find(NODE, header.sender_key_id, identity_pb2.KEY_USE_SIGNING, at_ms)
        verify_envelope(envelope, header, key, keyring=ring, at_ms=at_ms)
        headers.append((header, envelope_hash(envelope)))
    (first, first_hash), (second, second_hash) = headers
    if same_place:
        assert (first.incarnation, first.seq) == (second.incarnation, second.seq)
        assert first_hash != second_hash
    else:
        assert second.seq == first.seq + 1
        assert second.previous_hash != first_hash


def test_the_newest_revocation_list_goes_with_the_proofs(
    city: City, node: Sender, tmp_path: Path
) -> None:
    with writing(city.parts.engine) as connection:
        revoke_member(connection, city.parts.identity, NODE, "stolen", city.clock.ms)
    with reading(city.parts.engine) as connection:
        for export in (export_deliveries, export_forks):
            export(connection, city.parts.identity.hub, NODE, tmp_path / "f", now=city.clock())
            head, _ = read_proofs(tmp_path / "f")
            anchor = city.parts.identity.anchor
            found = read_revocations(head.revocations, {anchor.hub: anchor})
            assert {row.member for row in found.rows} == {node.member}


def test_a_member_without_proofs_gets_an_empty_file_and_an_unknown_one_none(
    city: City, node: Sender, tmp_path: Path
) -> None:
    assert node.member == NODE
    hub = city.parts.identity.hub
    with reading(city.parts.engine) as connection:
        forks = export_forks(connection, hub, NODE, tmp_path / "forks", now=city.clock())
        assert forks.proofs == 0
        assert list(read_proofs(tmp_path / "forks")[1]) == []
        for export in (export_forks, export_deliveries):
            with pytest.raises(ConfigurationError, match="Found no member"):
                export(connection, hub, OTHER, tmp_path / "none", now=city.clock())
    assert not (tmp_path / "none").exists()
