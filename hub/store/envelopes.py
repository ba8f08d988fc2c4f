"""Accepted envelopes, heads of chains and receipts.

Port rules: envelope, leaf, receipt and head of a commit group are written in one transaction; a
place of a chain holds one envelope for ever, and always answers with the same receipt.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, func, insert, select

from hub.store.slot_index import upsert
from hub.store.tables import chain_head, delivery, envelope, receipt, receipt_group
from protos.yixin.v1 import exchange_pb2
from security.chain import GENESIS, ChainPosition
from security.group_signature import Proof
from security.keys import Signature
from security.merkle import Tree, leaf_hash


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedEnvelope:
    """An envelope with its place in the chain and in the log.

    Attributes:
        log_index: Index of its leaf.
        sender: Member id of the sender.
        lane: Lane of the chain.
        position: Place in the chain, and hash.
        raw: Serialised envelope as received.
        receipt_body: Serialised ReceiptBody.
    """

    log_index: int
    sender: str
    lane: int
    position: ChainPosition
    raw: bytes = field(repr=False)
    receipt_body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSeal:
    """The signature over the receipts of one commit group.

    Attributes:
        key_id: Key that signed.
        signature: Its signature.
        sm2_signature: SM2 over the same, by the key that bodies for suite GM name; else empty.
    """

    key_id: str
    signature: Signature = field(repr=False)
    sm2_signature: bytes = field(default=b"", repr=False)


def heads(connection: Connection, senders: Iterable[str]) -> dict[tuple[str, int], ChainPosition]:
    """Heads of the chains of some senders, by sender and lane."""
    query = select(chain_head).where(chain_head.c.sender.in_(list(senders)))
    return {
        (row.sender, row.lane): ChainPosition(
            incarnation=row.incarnation, seq=row.seq, hash=row.hash
        )
        for row in connection.execute(query)
    }


def heads_of(connection: Connection, sender: str) -> dict[int, ChainPosition]:
    """Heads of the chains of one sender, by lane; absent where nothing was received."""
    return {lane: position for (_, lane), position in heads(connection, [sender]).items()}


def hash_at(
    connection: Connection, sender: str, lane: int, incarnation: int, seq: int
) -> bytes | None:
    """Hash of the envelope that stands at a place; None when none does."""
    query = select(envelope.c.hash).where(
        envelope.c.sender == sender,
        envelope.c.lane == lane,
        envelope.c.incarnation == incarnation,
        envelope.c.seq == seq,
    )
    found: bytes | None = connection.execute(query).scalar()
    return found


def find_log_index(connection: Connection, sender: str, lane: int, position: ChainPosition) -> int:
    """Log index of the envelope at a place with the position's hash.

    Raises:
        LookupError: Another envelope, or none, stands there.
    """
    query = select(envelope.c.log_index).where(
        envelope.c.sender == sender,
        envelope.c.lane == lane,
        envelope.c.incarnation == position.incarnation,
        envelope.c.seq == position.seq,
        envelope.c.hash == position.hash,
    )
    found = connection.execute(query).scalar()
    if found is None:
        raise LookupError(f"{sender}, lane {lane}: no such envelope at seq {position.seq}")
    return int(found)


def add_group(
    connection: Connection,
    accepted: Sequence[AcceptedEnvelope],
    group_seal: GroupSeal,
) -> None:
    """Write the envelopes of a commit group, their receipts and the new heads."""
    group_id = accepted[0].log_index
    connection.execute(
        insert(envelope),
        [
            {
                "log_index": item.log_index,
                "sender": item.sender,
                "lane": item.lane,
                "incarnation": item.position.incarnation,
                "seq": item.position.seq,
                "hash": item.position.hash,
                "raw": item.raw,
            }
            for item in accepted
        ],
    )
    connection.execute(
        insert(receipt_group).values(
            id=group_id,
            key_id=group_seal.key_id,
            signature=group_seal.signature.classical,
            pq_signature=group_seal.signature.post_quantum,
            sm2_signature=group_seal.sm2_signature or None,
        )
    )
    connection.execute(
        insert(receipt),
        [
            {
                "log_index": item.log_index,
                "group_id": group_id,
                "leaf_index": index,
                "body": item.receipt_body,
            }
            for index, item in enumerate(accepted)
        ],
    )
    newest = {(item.sender, item.lane): item.position for item in accepted}
    connection.execute(
        upsert(connection, chain_head),
        [
            {
                "sender": sender,
                "lane": lane,
                "incarnation": position.incarnation,
                "seq": position.seq,
                "hash": position.hash,
            }
            for (sender, lane), position in newest.items()
        ],
    )


def load_receipts(
    connection: Connection, log_indexes: Sequence[int]
) -> dict[int, exchange_pb2.Receipt]:
    """The receipts of some envelopes, as they were first given, by log index."""
    wanted = set(log_indexes)
    groups = set(
        connection.execute(
            select(receipt.c.group_id).where(receipt.c.log_index.in_(sorted(wanted)))
        ).scalars()
    )
    found: dict[int, exchange_pb2.Receipt] = {}
    for group_id in sorted(groups):
        group = connection.execute(
            select(receipt_group).where(receipt_group.c.id == group_id)
        ).one()
        rows = connection.execute(
            select(receipt.c.log_index, receipt.c.body)
            .where(receipt.c.group_id == group_id)
            .order_by(receipt.c.leaf_index)
        ).all()
        tree = Tree(leaf_hash(row.body) for row in rows)
        group_seal = GroupSeal(
            key_id=group.key_id,
            signature=Signature(classical=group.signature, post_quantum=group.pq_signature),
            sm2_signature=group.sm2_signature or b"",
        )
        for index, row in enumerate(rows):
            if row.log_index in wanted:
                proof = Proof(
                    leaf_index=index, group_size=len(rows), path=tree.inclusion_path(index)
                )
                found[row.log_index] = receipt_message(row.body, proof, group_seal)
    return found


def receipt_message(body: bytes, proof: Proof, group_seal: GroupSeal) -> exchange_pb2.Receipt:
    """A receipt as it travels; it carries the second signature where its body names an SM2 key."""
    is_second = bool(group_seal.sm2_signature) and bool(
        exchange_pb2.ReceiptBody.FromString(body).sm2_key_id
    )
    return exchange_pb2.Receipt(
        body=body,
        key_id=group_seal.key_id,
        leaf_index=proof.leaf_index,
        group_size=proof.group_size,
        path=proof.path,
        signature=group_seal.signature.classical,
        pq_signature=group_seal.signature.post_quantum,
        sm2_signature=group_seal.sm2_signature if is_second else b"",
    )


def load_raw(connection: Connection, log_indexes: Sequence[int]) -> dict[int, bytes]:
    """Envelopes received and sealed, by log index."""
    found: dict[int, bytes] = {}
    for table in (envelope, delivery):
        query = select(table.c.log_index, table.c.raw).where(table.c.log_index.in_(log_indexes))
        found.update((row.log_index, row.raw) for row in connection.execute(query))
    return found


def add_deliveries(
    connection: Connection, recipient: str, rows: Sequence[tuple[int, bytes]]
) -> None:
    """Keep envelopes that were sealed for a member, by log index."""
    connection.execute(
        insert(delivery),
        [{"log_index": log_index, "recipient": recipient, "raw": raw} for log_index, raw in rows],
    )


def count(connection: Connection) -> tuple[int, int]:
    """Number of envelopes received and of envelopes sealed."""
    received = connection.execute(select(func.count()).select_from(envelope)).scalar_one()
    sealed = connection.execute(select(func.count()).select_from(delivery)).scalar_one()
    return int(received), int(sealed)


__all__ = [
    "GENESIS",
    "AcceptedEnvelope",
    "GroupSeal",
    "add_deliveries",
    "add_group",
    "count",
    "find_log_index",
    "hash_at",
    "heads",
    "heads_of",
    "load_raw",
    "load_receipts",
    "receipt_message",
]
