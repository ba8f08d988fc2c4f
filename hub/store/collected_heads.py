"""Signed heads by which members acknowledged what this hub sent: its proof of delivery.

Port rules: one row for each lane and place that a collection moved on to, as it was signed; rows
are added and read, nothing changes or removes one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, insert, select

from hub.store.proof_tables import collected_head
from hub.store.tables import key_certificate
from security.chain import ChainPosition, place

__all__ = ["CollectedHead", "add_heads", "certificates_of", "find_new", "list_heads"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectedHead:
    """A head of a downlink that its member signed."""

    lane: int
    """Lane of the chain."""
    position: ChainPosition
    """Place and hash that the member holds."""
    heads: bytes = field(repr=False)
    """Serialised SignedHeads that say so."""


def find_new(
    connection: Connection, member: str, stated: Mapping[int, ChainPosition]
) -> dict[int, ChainPosition]:
    """Of stated heads, those behind which no kept one of their lane stands."""
    columns = collected_head.c
    found: dict[int, ChainPosition] = {}
    for lane, position in stated.items():
        query = (
            select(columns.incarnation, columns.seq)
            .where(columns.member == member, columns.lane == lane)
            .order_by(columns.incarnation.desc(), columns.seq.desc())
            .limit(1)
        )
        held = connection.execute(query).first()
        if position.seq and (held is None or place(position) > (held.incarnation, held.seq)):
            found[lane] = position
    return found


def add_heads(
    connection: Connection,
    member: str,
    new: Mapping[int, ChainPosition],
    signed: bytes,
    at_ms: int,
) -> None:
    """Keep verified heads of a collection.

    Args:
        connection: A writing transaction.
        member: Who signed them.
        new: The positions that are new and of this hub's chains, by lane (``find_new``).
        signed: Serialised SignedHeads that state them.
        at_ms: Moment of the collection, milliseconds since the epoch, UTC.
    """
    if not new:
        return
    connection.execute(
        insert(collected_head),
        [
            {
                "member": member,
                "lane": lane,
                "incarnation": position.incarnation,
                "seq": position.seq,
                "hash": position.hash,
                "at_ms": at_ms,
                "heads": signed,
            }
            for lane, position in new.items()
        ],
    )


def list_heads(connection: Connection, member: str) -> Iterator[CollectedHead]:
    """Heads that a member signed, lane by lane, in chain order."""
    columns = collected_head.c
    query = (
        select(collected_head)
        .where(columns.member == member)
        .order_by(columns.lane, columns.incarnation, columns.seq)
    )
    for row in connection.execute(query):
        yield CollectedHead(
            lane=row.lane,
            position=ChainPosition(incarnation=row.incarnation, seq=row.seq, hash=row.hash),
            heads=row.heads,
        )


def certificates_of(connection: Connection, *members: str) -> tuple[bytes, ...]:
    """Serialised key certificates of some members, ended and revoked ones included."""
    query = (
        select(key_certificate.c.certificate)
        .where(key_certificate.c.member.in_(members))
        .order_by(key_certificate.c.serial)
    )
    return tuple(bytes(one) for one in connection.execute(query).scalars())
