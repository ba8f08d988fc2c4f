"""What is needed to seal, and what comes out of it.

Rules:
    1. Sealing happens under current keys: the context is made anew whenever a link comes up.
    2. An envelope lives longer than any outage a member comes back from.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from protos.yixin.v1 import envelope_pb2
from security.chain import LANES
from security.envelope import OutgoingEnvelope

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

    from security.certificates import CertifiedKey
    from security.chain import ChainPosition
    from security.exchange.chains import ChainState
    from security.keys import SigningKey

ENVELOPE_LIFETIME_MS: Final = 400 * 86_400_000
"""Last moment of logging after sealing: a year of keys and a month to come back."""

_WORD: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_PERIOD: Final = re.compile(r"(?:[0-9]{4}H[12])?")
_AGREEMENT: Final = re.compile(r"(?:[a-z][a-z0-9_]{0,63}@[1-9][0-9]{0,5})?")
_MAX_SCHEMA_VERSION: Final = 1_000_000


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
    sm2_key: SigningKey | None = field(default=None, repr=False)
    """Key that countersigns, of a hub; taken where the recipient's suite is GM."""
    lifetime_ms: int = ENVELOPE_LIFETIME_MS
    """How long the first hub may log the envelope, milliseconds."""


class SealingGate(Protocol):
    """Says what may be sealed: the sharing agreements of a hub."""

    def permits(self, conn: Connection, outgoing: OutgoingEnvelope) -> bool:
        """Whether an envelope may be sealed now; what is not is logged by the gate."""
        ...


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

    @property
    def suite(self) -> str:
        """Name of the suite it was sealed under."""
        return envelope_pb2.EnvelopeHeader.FromString(self.message().header).suite


def next_envelope(
    state: ChainState, context: SealingContext, row: Row[tuple[object, ...]], payload: bytes
) -> OutgoingEnvelope:
    """The envelope that continues a chain with an outbox row.

    Args:
        state: Where the chain stands.
        context: Keys and moment.
        row: Row of the outbox.
        payload: Its payload, decrypted.
    """
    cites = state.head.seq == 0
    return OutgoingEnvelope(
        suite=context.recipient_key.suite,
        sender=context.sender,
        sender_key=context.signing_key,
        recipient=state.recipient,
        recipient_key_id=context.recipient_key.key_id,
        recipient_public_key=context.recipient_key.public_key,
        purpose=row.purpose,
        data_class=row.data_class,
        payload_type=row.payload_type,
        schema_version=row.schema_version,
        period=row.period,
        lane=envelope_pb2.Lane.ValueType(state.lane),
        incarnation=state.head.incarnation,
        seq=state.head.seq + 1,
        previous_hash=state.previous_hash,
        created_at_ms=context.now_ms,
        expires_at_ms=context.now_ms + context.lifetime_ms,
        pack_digest=row.pack_digest,
        cited_incarnation=state.base.incarnation if cites else 0,
        cited_seq=state.base.seq if cites else 0,
        agreement=row.agreement,
        sm2_key=context.sm2_key,
        payload=payload,
    )


def check_sealable(
    words: tuple[str, ...],
    period: str,
    schema_version: int,
    pack_digest: bytes,
    *,
    lane: int,
    agreement: str,
) -> None:
    """Refuse early what would block the chain when it is sealed.

    Args:
        words: Payload type, purpose and data class.
        period: Rating period, or empty.
        schema_version: Version of the payload's schema, from 1.
        pack_digest: SHA-256 of a catalogue, or empty.
        lane: Lane of the chain.
        agreement: Sharing agreement ``id@version``, or empty.

    Raises:
        ValueError: A field would make a header that every receiver refuses.
    """
    if not all(_WORD.fullmatch(word) for word in words):
        raise ValueError(f"{words}: lower-case words of letters, digits and '_' are expected")
    if not _PERIOD.fullmatch(period):
        raise ValueError(f"period {period[:20]!r}: such as '2026H1', or empty")
    if not 0 < schema_version <= _MAX_SCHEMA_VERSION or len(pack_digest) not in {0, 32}:
        raise ValueError(f"schema version {schema_version}, {len(pack_digest)} bytes of digest")
    if lane not in LANES:
        raise ValueError(f"lane {lane} does not exist: 1 control, 2 urgent, 3 bulk")
    if not _AGREEMENT.fullmatch(agreement):
        raise ValueError(
            f"agreement {agreement[:80]!r}: id and version such as 'police@1', or empty"
        )
