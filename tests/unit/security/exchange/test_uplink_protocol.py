"""The protocol class without any I/O: its table, its window, its order."""

from __future__ import annotations

from itertools import product

import pytest

from protos.yixin.v1 import envelope_pb2, exchange_pb2
from security.chain import GENESIS, ChainPosition
from security.errors import LocalSyncError, RemoteSyncError, UntrustedReceiptError
from security.exchange.heads import open_heads, sign_heads, to_chain_head
from security.exchange.receipts import PAYLOAD_TYPE, VerifiedReceipt
from security.exchange.sealing import SealedRow
from security.exchange.uplink_protocol import (
    TRANSITIONS,
    Accepted,
    Uplink,
    UplinkEvent,
    UplinkState,
)
from security.group_signature import sign_group
from tests.support.members import HUB, NODE, NOW_MS, OTHER_NODE, city

HEAD = ChainPosition(incarnation=1, seq=2, hash=bytes([2]) * 32)


def new_uplink(window_bytes: int = 1_000) -> Uplink:
    hub, node = city()
    return Uplink(
        member=NODE,
        hub=HUB,
        signing_key=node.signing,
        keyring=hub.keyring(),
        window_bytes=window_bytes,
    )


def accepted(**changes: object) -> exchange_pb2.SubmitResponse:
    hub, _ = city()
    message = exchange_pb2.StreamAccepted(
        heads=sign_heads(
            hub.signing, signer=HUB, peer=NODE, heads={3: HEAD}, at_ms=NOW_MS, downlink=False
        ),
        incarnations=[to_chain_head(3, HEAD)],
    )
    for name, value in changes.items():
        message.ClearField(name)  # type: ignore[arg-type]  # the test names fields that exist
        getattr(message, name).extend(value)
    return exchange_pb2.SubmitResponse(accepted=message)


def rows(*sizes: int) -> list[SealedRow]:
    return [
        SealedRow(
            outbox_id=number,
            lane=3,
            position=ChainPosition(incarnation=1, seq=number, hash=bytes([number]) * 32),
            envelope=bytes([0x0A, size - 2]) + bytes(size - 2),
        )
        for number, size in enumerate(sizes, start=1)
    ]


def receipt(row: SealedRow) -> exchange_pb2.SubmitResponse:
    hub, _ = city()
    body = exchange_pb2.ReceiptBody(
        format=1,
        hub=HUB,
        sender=NODE,
        lane=envelope_pb2.LANE_BULK,
        incarnation=1,
        seq=row.position.seq,
        envelope_hash=row.position.hash,
        logged_at_ms=NOW_MS,
        status=exchange_pb2.RECEIPT_STATUS_STORED,
    ).SerializeToString()
    _, (proof,), signature = sign_group(hub.signing, PAYLOAD_TYPE, [body])
    return exchange_pb2.SubmitResponse(
        receipt=exchange_pb2.Receipt(
            body=body,
            key_id=hub.signing.key_id,
            leaf_index=proof.leaf_index,
            group_size=proof.group_size,
            path=proof.path,
            signature=signature.classical,
            pq_signature=signature.post_quantum,
        )
    )


def ready(window_bytes: int = 1_000) -> Uplink:
    uplink = new_uplink(window_bytes)
    uplink.open({}, NOW_MS)
    uplink.accept(accepted(), NOW_MS)
    return uplink


def test_the_opening_states_signed_heads() -> None:
    hub, _ = city()
    frame = new_uplink().open({3: HEAD}, NOW_MS)
    heads = open_heads(
        frame.open, hub.keyring(), signer=NODE, peer=HUB, downlink=False, now_ms=NOW_MS
    )
    assert heads == {3: HEAD}


def test_a_verified_answer_makes_ready() -> None:
    uplink = new_uplink()
    uplink.open({}, NOW_MS)
    answer = uplink.accept(accepted(), NOW_MS)
    assert answer == Accepted(held={3: HEAD}, issued={3: HEAD}, hub_keys=())
    assert uplink.state is UplinkState.READY


def test_every_pair_outside_the_table_is_our_own_fault() -> None:
    outside = set(product(UplinkState, UplinkEvent)) - set(TRANSITIONS)
    assert (UplinkState.OFFLINE, UplinkEvent.PEER_VERIFIED) in outside
    uplink = new_uplink()
    with pytest.raises(LocalSyncError, match="nothing may be sent"):
        uplink.frames_to_send()
    with pytest.raises(LocalSyncError, match="drained cannot happen"):
        uplink.drained()
    uplink.open({}, NOW_MS)
    with pytest.raises(LocalSyncError, match="link_up cannot happen while the stream is handshake"):
        uplink.open({}, NOW_MS)


def test_the_window_lets_one_envelope_through_and_no_more_than_its_bytes() -> None:
    uplink = ready(window_bytes=100)
    offered = rows(120, 60, 30, 30)
    uplink.offer(offered)
    assert not uplink.has_room
    assert len(uplink.frames_to_send()) == 1
    assert uplink.frames_to_send() == []
    assert isinstance(uplink.receive(receipt(offered[0])), VerifiedReceipt)
    assert len(uplink.frames_to_send()) == 2
    assert uplink.in_flight == 2
    with pytest.raises(LocalSyncError, match="2 envelopes still await"):
        uplink.drained()
    uplink.receive(receipt(offered[1]))
    assert len(uplink.frames_to_send()) == 1
    assert uplink.has_room
    uplink.receive(receipt(offered[2]))
    uplink.receive(receipt(offered[3]))
    assert uplink.is_idle
    uplink.drained()
    assert uplink.state is UplinkState.OFFLINE


def test_receipts_out_of_order_or_unasked_for_are_refused() -> None:
    uplink = ready()
    offered = rows(20, 20)
    with pytest.raises(UntrustedReceiptError, match="no envelope awaits one"):
        uplink.receive(receipt(offered[0]))
    uplink.offer(offered)
    uplink.frames_to_send()
    with pytest.raises(UntrustedReceiptError, match=r"the next one due is for \(1, 1\)"):
        uplink.receive(receipt(offered[1]))


def test_a_lost_link_forgets_what_was_in_flight() -> None:
    uplink = ready()
    uplink.offer(rows(20))
    uplink.frames_to_send()
    uplink.link_lost()
    uplink.link_lost()
    assert uplink.is_idle
    assert uplink.has_room
    assert uplink.state is UplinkState.OFFLINE


def test_a_refusal_in_the_handshake_ends_the_stream() -> None:
    uplink = new_uplink()
    uplink.open({}, NOW_MS)
    refusal = exchange_pb2.Refusal(
        code=exchange_pb2.REFUSAL_CODE_BUSY,
        expected=exchange_pb2.ChainHead(lane=9),  # type: ignore[arg-type]  # a malformed hint
    )
    with pytest.raises(Exception, match="busy") as caught:
        uplink.accept(exchange_pb2.SubmitResponse(refusal=refusal), NOW_MS)
    assert getattr(caught.value, "expected", 0) is None
    assert uplink.state is UplinkState.OFFLINE


def test_an_answer_after_the_handshake_breaks_the_order() -> None:
    with pytest.raises(RemoteSyncError, match="sent accepted while the stream was ready"):
        ready().accept(accepted(), NOW_MS)


def test_incarnations_that_contradict_the_signed_heads_are_refused() -> None:
    uplink = new_uplink()
    uplink.open({}, NOW_MS)
    other = ChainPosition(incarnation=2, seq=9, hash=HEAD.hash)
    with pytest.raises(RemoteSyncError, match="but its signed head is"):
        uplink.accept(accepted(incarnations=[to_chain_head(3, other)]), NOW_MS)
    with pytest.raises(RemoteSyncError, match="but its signed head is"):
        uplink.accept(accepted(incarnations=[to_chain_head(1, GENESIS)]), NOW_MS)


def test_presented_keys_are_bounded_and_belong_to_the_hub() -> None:
    hub, _ = city()
    foreign = hub.certify(OTHER_NODE, hub.encryption)
    uplink = new_uplink()
    uplink.open({}, NOW_MS)
    with pytest.raises(RemoteSyncError, match="presents 33 keys"):
        uplink.accept(accepted(hub_keys=[foreign] * 33), NOW_MS)
    with pytest.raises(RemoteSyncError, match=f"a key of {OTHER_NODE} was presented"):
        uplink.accept(accepted(hub_keys=[foreign]), NOW_MS)
