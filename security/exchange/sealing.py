"""What is needed to seal, and what comes out of it.

Rules:
    1. Sealing happens under current keys: the context is made anew whenever a link comes up.
    2. An envelope lives longer than any outage a member comes back from.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from protos.yixin.v1 import envelope_pb2

if TYPE_CHECKING:
    from security.certificates import CertifiedKey
    from security.chain import ChainPosition
    from security.keys import SigningKey

ENVELOPE_LIFETIME_MS: Final = 400 * 86_400_000
"""Last moment of logging after sealing: a year of keys and a month to come back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealingContext:
    """Keys and moment of one sealing round."""

    sender: str
    """Member id of the sender."""
    signing_key: SigningKey = field(repr=False)
    """Key that signs, certified for the sender."""
    recipient_key: CertifiedKey
    """Current encryption key of the recipient; it fixes the suite."""
    now_ms: int
    """Moment of sealing, milliseconds since the epoch, UTC."""
    lifetime_ms: int = ENVELOPE_LIFETIME_MS
    """How long the first hub may log the envelope, milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedRow:
    """A sealed envelope as the outbox keeps it."""

    outbox_id: int
    """Row of the outbox."""
    lane: int
    """Lane of the chain."""
    position: ChainPosition
    """Place in the chain and hash of the envelope."""
    envelope: bytes = field(repr=False)
    """Serialised SealedEnvelope, the very bytes of every sending."""
    resent: bool = False
    """True when it was sealed before this link came up."""

    def message(self) -> envelope_pb2.SealedEnvelope:
        """The envelope as a message; its parts are the stored bytes."""
        return envelope_pb2.SealedEnvelope.FromString(self.envelope)
