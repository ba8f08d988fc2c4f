"""Signed heads, issued incarnations, receipts and custody: what is refused, and why."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from protos.yixin.v1 import exchange_pb2, statement_pb2
from security.chain import GENESIS, ChainPosition
from security.errors import RemoteSyncError, UntrustedReceiptError
from security.exchange.custody import open_custody, sign_custody
from security.exchange.heads import (
    MAX_COUNTER,
    issue_incarnation,
    next_incarnation,
    open_heads,
    read_chain_heads,
    sign_heads,
)
from security.exchange.receipts import PAYLOAD_TYPE, verify_receipt
from security.exchange.resume import Continue, Demand, LaneView, Restart, plan_lane
from security.group_signature import sign_group
from tests.support.members import HUB, NODE, NOW_MS, OTHER_NODE, PROVINCE, YEAR_MS, city

if TYPE_CHECKING:
    from collections.abc import Callable

HEAD = ChainPosition(incarnation=2, seq=7, hash=bytes([7]) * 32)


def signed() -> exchange_pb2.SignedHeads:
    _, node = city()
    return sign_heads(
        node.signing, signer=NODE, peer=HUB, heads={3: HEAD}, at_ms=NOW_MS, downlink=False
    )


def opened(heads: exchange_pb2.SignedHeads, **changes: Any) -> dict[int, ChainPosition]:  # noqa: ANN401
    hub, _ = city()
    expected: dict[str, Any] = {
        "signer": NODE,
        "peer": HUB,
        "downlink": False,
        "now_ms": NOW_MS,
    }
    return open_heads(heads, hub.keyring(), **(expected | changes))


def test_signed_heads_come_back() -> None:
    assert opened(signed()) == {3: HEAD}


@pytest.mark.parametrize(
    "changes",
    [
        {"signer": HUB},
        {"peer": PROVINCE},
        {"downlink": True},
        {"now_ms": NOW_MS + 2 * YEAR_MS},
    ],
)
def test_heads_for_somebody_else_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(RemoteSyncError, match="the heads of"):
        opened(signed(), **changes)


def _flip(heads: exchange_pb2.SignedHeads) -> None:
    heads.body = heads.body[:-1] + bytes([heads.body[-1] ^ 1])


def _lengthen(heads: exchange_pb2.SignedHeads) -> None:
    heads.body += bytes(5_000)


def _garble(heads: exchange_pb2.SignedHeads) -> None:
    heads.signature = bytes(64)


@pytest.mark.parametrize("change", [_flip, _lengthen, _garble])
def test_changed_heads_are_refused(change: Callable[[exchange_pb2.SignedHeads], None]) -> None:
    heads = signed()
    change(heads)
    with pytest.raises(RemoteSyncError, match="not trusted"):
        opened(heads)


@pytest.mark.parametrize(
    "heads",
    [
        [{"lane": 0, "hash": bytes(32)}],
        [{"lane": 3, "hash": bytes(32)}, {"lane": 3, "hash": bytes(32)}],
        [{"lane": 3, "incarnation": MAX_COUNTER + 1, "hash": bytes(32)}],
        [{"lane": 3, "incarnation": 1, "seq": MAX_COUNTER + 1, "hash": bytes(32)}],
        [{"lane": 3, "hash": bytes(31)}],
        [{"lane": 3, "incarnation": 0, "seq": 1, "hash": bytes(32)}],
    ],
)
def test_malformed_heads_are_refused(heads: list[dict[str, Any]]) -> None:
    with pytest.raises(RemoteSyncError):
        read_chain_heads([exchange_pb2.ChainHead(**head) for head in heads])


@pytest.mark.parametrize(
    ("held", "stated", "incarnation"),
    [
        (GENESIS, None, 1),
        (GENESIS, HEAD, 1),
        (HEAD, HEAD, 2),
        (HEAD, replace(HEAD, seq=9), 2),
        (HEAD, replace(HEAD, seq=6), 3),
        (HEAD, replace(HEAD, hash=bytes(32)), 3),
        (HEAD, None, 3),
        (HEAD, replace(HEAD, incarnation=1, seq=90), 3),
        (HEAD, replace(HEAD, incarnation=3, seq=0), 3),
        (HEAD, replace(HEAD, incarnation=3, seq=5), 3),
        (HEAD, replace(HEAD, incarnation=9, seq=1), 3),
    ],
)
def test_the_hub_issues_incarnations(
    held: ChainPosition, stated: ChainPosition | None, incarnation: int
) -> None:
    issued = issue_incarnation(held, stated)
    assert issued == ChainPosition(incarnation=incarnation, seq=held.seq, hash=held.hash)


def test_only_held_and_issued_incarnations_reach_the_chain_check() -> None:
    assert next_incarnation(HEAD, issued=3, received=2) == 2
    assert next_incarnation(HEAD, issued=3, received=3) == 3
    assert next_incarnation(HEAD, issued=3, received=4) == 3


def view(**changes: Any) -> LaneView:  # noqa: ANN401
    plain: dict[str, Any] = {
        "lane": 3,
        "held": HEAD,
        "issued": 2,
        "own_incarnation": 2,
        "is_known": True,
        "has_expired": False,
        "first_unreceipted": None,
        "demanded": False,
    }
    return LaneView(**(plain | changes))


@pytest.mark.parametrize(
    ("changes", "plan"),
    [
        ({}, Continue(after=HEAD)),
        ({"first_unreceipted": replace(HEAD, seq=8)}, Continue(after=HEAD)),
        (
            {"first_unreceipted": replace(HEAD, seq=3)},
            Continue(after=replace(HEAD, seq=2, hash=bytes(32))),
        ),
        ({"issued": 3}, Restart(incarnation=3, base=HEAD)),
        ({"issued": 3, "own_incarnation": 0}, Restart(incarnation=3, base=HEAD)),
        (
            {"held": GENESIS, "issued": 1, "own_incarnation": 0},
            Continue(after=GENESIS),
        ),
        ({"is_known": False}, Demand()),
        ({"has_expired": True}, Demand()),
        (
            {"has_expired": True, "demanded": True, "issued": 3, "own_incarnation": 3},
            Restart(incarnation=3, base=HEAD),
        ),
    ],
)
def test_a_lane_goes_on_where_both_sides_agree(changes: dict[str, Any], plan: object) -> None:
    assert plan_lane(view(**changes)) == plan


@pytest.mark.parametrize("own", [2, 5])
def test_a_lane_without_common_history_is_left_to_a_person(own: int) -> None:
    with pytest.raises(RemoteSyncError, match="joins again"):
        plan_lane(view(is_known=False, demanded=True, own_incarnation=own))


def receipt(**changes: Any) -> exchange_pb2.Receipt:  # noqa: ANN401
    hub, _ = city()
    fields: dict[str, Any] = {
        "format": 1,
        "hub": HUB,
        "sender": NODE,
        "lane": 3,
        "incarnation": 1,
        "seq": 4,
        "envelope_hash": bytes(32),
        "log_index": 9,
        "logged_at_ms": NOW_MS,
        "status": exchange_pb2.RECEIPT_STATUS_QUARANTINED,
        "quarantined_parts": 2,
    }
    body = exchange_pb2.ReceiptBody(**(fields | changes)).SerializeToString()
    _, proofs, signature = sign_group(hub.signing, PAYLOAD_TYPE, [b"another", body, b"third"])
    return exchange_pb2.Receipt(
        body=body,
        key_id=hub.signing.key_id,
        leaf_index=1,
        group_size=3,
        path=proofs[1].path,
        signature=signature.classical,
        pq_signature=signature.post_quantum,
    )


def verified(given: exchange_pb2.Receipt) -> object:
    hub, _ = city()
    return verify_receipt(given, hub.keyring(), hub=HUB, sender=NODE)


def test_a_receipt_of_a_group_is_read() -> None:
    hub, _ = city()
    given = receipt()
    found = verify_receipt(given, hub.keyring(), hub=HUB, sender=NODE)
    assert found.position == ChainPosition(incarnation=1, seq=4, hash=bytes(32))
    assert (found.log_index, found.quarantined_parts, found.is_quarantined) == (9, 2, True)
    assert exchange_pb2.Receipt.FromString(found.receipt) == given


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": 2}, "format 2"),
        ({"hub": PROVINCE}, "it is by"),
        ({"sender": OTHER_NODE}, "it is for"),
        ({"lane": 0}, "does not exist"),
        ({"status": 0}, "does not exist"),
        ({"incarnation": 0}, "no place of a chain"),
        ({"seq": MAX_COUNTER + 1}, "no place of a chain"),
        ({"envelope_hash": b"short"}, "no place of a chain"),
        ({"log_index": MAX_COUNTER + 1}, "out of bounds"),
        ({"backed_up_through": MAX_COUNTER + 1}, "out of bounds"),
        ({"logged_at_ms": -1}, "out of bounds|valid at"),
        ({"signed_at_ms": -1}, "out of bounds"),
        ({"signed_at_ms": 1}, "out of bounds"),
        ({"hub": "x" * 2_000}, "bytes"),
    ],
)
def test_a_signed_but_impossible_receipt_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UntrustedReceiptError, match=words):
        verified(receipt(**changes))


def test_a_receipt_of_an_unknown_key_or_an_endless_path_is_refused() -> None:
    unknown = receipt()
    unknown.key_id = "0" * 32
    with pytest.raises(UntrustedReceiptError, match="no certified key"):
        verified(unknown)
    endless = receipt()
    endless.path.extend(bytes(32) for _ in range(40))
    with pytest.raises(UntrustedReceiptError, match="its path has"):
        verified(endless)
    wrong = receipt()
    wrong.leaf_index = 0
    with pytest.raises(UntrustedReceiptError):
        verified(wrong)


def test_a_custody_register_comes_back_and_a_changed_one_does_not() -> None:
    hub, _ = city()
    register = statement_pb2.CustodyRegister(
        hub=HUB, version=3, rows=[statement_pb2.CustodyRow(institution="H1", member=NODE)]
    )
    given = sign_custody(hub.signing, register)
    ring = hub.keyring()
    assert open_custody(given, ring, hub=HUB, member=NODE, at_ms=NOW_MS) == register
    given.body += b"\x10\x04"
    with pytest.raises(RemoteSyncError, match="not trusted"):
        open_custody(given, ring, hub=HUB, member=NODE, at_ms=NOW_MS)
