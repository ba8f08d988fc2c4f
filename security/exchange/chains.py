"""Rows of ``x_chains``: where each chain this member sends on stands.

Rules:
    1. A chain row states the head of what was sealed and the base its incarnation cites.
    2. Incarnations only grow; the hub issues them (heads.issue_incarnations).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from security.chain import GENESIS, ZERO_HASH, ChainPosition
from security.exchange.tables import chains

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainState:
    """One chain as its sender knows it."""

    recipient: str
    """Member id of the recipient."""
    lane: int
    """Lane of the chain."""
    head: ChainPosition
    """Head of what was sealed; at seq 0 its hash is 32 zero bytes."""
    base: ChainPosition
    """Last position before the incarnation; the first envelope cites it."""

    @property
    def previous_hash(self) -> bytes:
        """Hash that the next envelope names."""
        return self.head.hash if self.head.seq else self.base.hash


def new_chain(recipient: str, lane: int) -> ChainState:
    """A chain in its first incarnation, with nothing sealed."""
    first = ChainPosition(incarnation=1, seq=0, hash=ZERO_HASH)
    return ChainState(recipient=recipient, lane=lane, head=first, base=GENESIS)


def find_chain(conn: Connection, recipient: str, lane: int) -> ChainState | None:
    """The chain, or None when nothing was ever sealed on it."""
    query = select(chains).where(chains.c.recipient == recipient, chains.c.lane == lane)
    row = conn.execute(query.with_for_update()).one_or_none()
    return None if row is None else _state(row)


def list_chains(conn: Connection, recipient: str) -> tuple[ChainState, ...]:
    """All chains to a recipient, in lane order."""
    query = select(chains).where(chains.c.recipient == recipient).order_by(chains.c.lane)
    return tuple(_state(row) for row in conn.execute(query))


def save_chain(conn: Connection, state: ChainState) -> None:
    """Write the chain's row."""
    conn.execute(
        delete(chains).where(chains.c.recipient == state.recipient, chains.c.lane == state.lane)
    )
    conn.execute(
        insert(chains).values(
            recipient=state.recipient,
            lane=state.lane,
            incarnation=state.head.incarnation,
            seq=state.head.seq,
            hash=state.head.hash,
            base_incarnation=state.base.incarnation,
            base_seq=state.base.seq,
            base_hash=state.base.hash,
        )
    )


def _state(row: Row[tuple[object, ...]]) -> ChainState:
    return ChainState(
        recipient=row.recipient,
        lane=row.lane,
        head=ChainPosition(incarnation=row.incarnation, seq=row.seq, hash=row.hash),
        base=ChainPosition(incarnation=row.base_incarnation, seq=row.base_seq, hash=row.base_hash),
    )
