"""Chains of envelopes: gapless, ordered, without forks.

A chain is (sender, recipient, lane, incarnation). Rules, in the order they are applied:

0. The hub issues incarnations; a sender never starts one by itself.
1. At or below the head: the same hash is a repetition, another hash is a fork.
2. Directly after the head: the previous envelope's hash must be the head's, else it is a fork.
3. The first envelope of a newly issued incarnation cites the head of the one before it.
4. Everything else leaves a gap: the sender continues after the head held here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias

from security.errors import ChainForkError, ChainGapError

if TYPE_CHECKING:
    from collections.abc import Callable

    from protos.yixin.v1 import envelope_pb2

HASH_BYTES: Final = 32
ZERO_HASH: Final = bytes(HASH_BYTES)
LANES: Final = (1, 2, 3)
"""Control, urgent, bulk: in the order in which they are served."""

Place: TypeAlias = tuple[int, int]
"""Incarnation and seq: the order of a chain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainPosition:
    """One place in a chain, and the hash of the envelope that stands there."""

    incarnation: int
    """Incarnation, from 1; 0 before anything was sent."""
    seq: int
    """Gapless number within the incarnation, from 1; 0 before anything was sent."""
    hash: bytes
    """SHA-256 of the envelope; 32 zero bytes before anything was sent."""


GENESIS: Final = ChainPosition(incarnation=0, seq=0, hash=ZERO_HASH)
"""Where every chain stands before its first envelope."""


def place(position: ChainPosition) -> Place:
    """Incarnation and seq of a position.

    >>> place(GENESIS)
    (0, 0)
    """
    return (position.incarnation, position.seq)


class Step(StrEnum):
    """What an envelope is to the chain that receives it."""

    NEXT = "next"
    """The chain advances by this envelope."""
    SAME = "same"
    """The very envelope that already stands there: answer with the same receipt."""


def check_next(
    held: ChainPosition,
    known_hash_at: Callable[[int, int], bytes | None],
    header: envelope_pb2.EnvelopeHeader,
    envelope_hash: bytes,
    *,
    issued_incarnation: int | None = None,
) -> Step:
    """Judge an envelope against the head of its chain.

    Args:
        held: Head held by the receiver; ``GENESIS`` when it holds nothing.
        known_hash_at: Hash of the envelope held at (incarnation, seq); None when none is held.
        header: Verified header of the envelope.
        envelope_hash: SHA-256 of the envelope.
        issued_incarnation: Incarnation the hub issued to the sender; by default the one held,
            or 1 at the start. A member that receives from its hub passes the header's own.

    Returns:
        Whether the envelope advances the chain or repeats a known one.

    Raises:
        ChainGapError: An earlier envelope is missing or the incarnation was not issued.
        ChainForkError: The place, or the place before it, holds another envelope.
    """
    issued = max(1, held.incarnation) if issued_incarnation is None else issued_incarnation
    place = (header.incarnation, header.seq)
    # 1. At or below the head.
    if place <= (held.incarnation, held.seq):
        known = known_hash_at(*place)
        if known == envelope_hash:
            return Step.SAME
        if known is None:
            raise ChainGapError(held)
        raise ChainForkError(held)
    if header.incarnation != issued:
        raise ChainGapError(held)
    # 2. Directly after the head.
    if header.incarnation == held.incarnation:
        if header.seq != held.seq + 1:
            raise ChainGapError(held)
    # 3. First of a newly issued incarnation. 4. Anything else is a gap.
    elif header.seq != 1 or (header.cited_incarnation, header.cited_seq) != (
        held.incarnation,
        held.seq,
    ):
        raise ChainGapError(held)
    if header.previous_hash != held.hash:
        raise ChainForkError(held)
    return Step.NEXT
