"""Tables of sharing agreements: what is in force, what was shared, asked and refused.

Rules: a version of an agreement is written once and only retired; products, queries and refusals
are never changed or removed; what names a subject is sealed by the hub's vault. Moments are
milliseconds since the epoch, UTC.
"""

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, String, Table

from hub.store.metadata import metadata

_MEMBER_LENGTH: Final = 200
_PERIOD_LENGTH: Final = 6
_REFERENCE_LENGTH: Final = 80

agreement: Final = Table(
    "agreement",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("recipient", String(_MEMBER_LENGTH), nullable=False),
    # Serialised SignedAgreement.
    Column("signed", LargeBinary, nullable=False),
    Column("officer", String(64), nullable=False),
    Column("signed_at_ms", BigInteger, nullable=False),
    Column("retired_at_ms", BigInteger, nullable=True),
    Column("log_index", BigInteger, nullable=False),
    comment="Versions of sharing agreements (共享协议) that were signed.",
)

product: Final = Table(
    "product",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("agreement_id", String(64), nullable=False),
    Column("agreement", String(_REFERENCE_LENGTH), nullable=False),
    Column("recipient", String(255), nullable=False),
    Column("period", String(_PERIOD_LENGTH), nullable=False),
    # Stretch of time of which the agreement's frequency allows one product; empty on request.
    Column("slot", String(8), nullable=False),
    Column("request_id", LargeBinary, nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("suppressed", BigInteger, nullable=False),
    Column("parts", Integer, nullable=False),
    Column("correction", Boolean, nullable=False),
    Column("officer", String(64), nullable=False),
    Column("made_at_ms", BigInteger, nullable=False),
    Index("ix_product_slot", "agreement_id", "slot"),
    comment="Products that were handed to the outbox, one row each.",
)

sharing_query: Final = Table(
    "sharing_query",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("agreement", String(_REFERENCE_LENGTH), nullable=False),
    Column("asker", String(_MEMBER_LENGTH), nullable=False),
    Column("period", String(_PERIOD_LENGTH), nullable=False),
    # Empty for what was answered, else the rule that refused.
    Column("rule", String(32), nullable=False),
    # Question, answer and salt: what opens the digest in the log's leaf.
    Column("sealed", LargeBinary, nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("log_index", BigInteger, nullable=False),
    Column("asked_at_ms", BigInteger, nullable=False),
    comment="Questions under agreements, answered and refused.",
)

sharing_task: Final = Table(
    "sharing_task",
    metadata,
    # Leaf of the envelope that brought it.
    Column("log_index", BigInteger, primary_key=True, autoincrement=False),
    Column("sender", String(_MEMBER_LENGTH), nullable=False),
    Column("payload_type", String(64), nullable=False),
    Column("handled_at_ms", BigInteger, nullable=True, index=True),
    comment="Received requests and envelopes to pass on, until they are handled.",
)

directory: Final = Table(
    "directory",
    metadata,
    Column("hub", String(_MEMBER_LENGTH), primary_key=True),
    Column("version", BigInteger, nullable=False),
    # Serialised MemberDirectory.
    Column("content", LargeBinary, nullable=False),
    comment="Keys of another hub's members, as that hub certified them.",
)
