"""What a hub under test holds, and how it is made to misbehave."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from security.chain import GENESIS, ChainPosition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from protos.yixin.v1 import envelope_pb2, exchange_pb2


@dataclass(kw_only=True)
class Stored:
    """An envelope the hub accepted."""

    header: envelope_pb2.EnvelopeHeader
    hash: bytes
    payload: bytes
    log_index: int


@dataclass(kw_only=True)
class Chain:
    """What the hub holds of one member's lane, over all incarnations."""

    stored: list[Stored] = field(default_factory=list)

    @property
    def head(self) -> ChainPosition:
        if not self.stored:
            return GENESIS
        last = self.stored[-1]
        return ChainPosition(
            incarnation=last.header.incarnation, seq=last.header.seq, hash=last.hash
        )

    def known_hash_at(self, incarnation: int, seq: int) -> bytes | None:
        found = self.find(incarnation, seq)
        return found.hash if found else None

    def find(self, incarnation: int, seq: int) -> Stored | None:
        for one in self.stored:
            if (one.header.incarnation, one.header.seq) == (incarnation, seq):
                return one
        return None


@dataclass(kw_only=True)
class Faults:
    """How the hub misbehaves; the default is not at all."""

    break_after_received: int | None = None
    """Break the line when that many envelopes arrived, before storing the last one."""
    break_after_stored: int | None = None
    """Break the line when that many envelopes were stored, before their receipt."""
    answer_after: int = 0
    """Hold receipts back until that many envelopes arrived."""
    silent: bool = False
    """Never answer an envelope."""
    refusals: Iterator[exchange_pb2.Refusal | None] = field(default_factory=lambda: iter(()))
    """What to answer the next envelopes with; None takes one in."""
    tamper_receipt: Callable[[exchange_pb2.Receipt], exchange_pb2.Receipt] | None = None
    """Change a receipt after it was signed."""
    change_body: Callable[[exchange_pb2.ReceiptBody], None] | None = None
    """Change a receipt before it is signed."""
    change_accepted: Callable[[exchange_pb2.StreamAccepted], None] | None = None
    """Change the answer to an opening."""
    first_message: exchange_pb2.SubmitResponse | None = None
    """Send this in place of the answer to an opening."""
    close_early: bool = False
    """End the stream well after the opening although envelopes are due."""
