"""Tables of the exchange, for SQLite and PostgreSQL alike.

Rules:
    1. Names start with ``x_``, so that a hub can keep them beside its own tables.
    2. Payloads are stored as the vault sealed them; envelopes as they travel.
    3. A place of a chain (peer, lane, incarnation, seq) exists once; the database enforces it.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

MEMBER_ID_CHARS: Final = 200

QUEUED: Final = 0
"""State of an outbox row: not sealed yet."""
SEALED: Final = 1
"""State of an outbox row: sealed, no receipt yet."""
RECEIPTED: Final = 2
"""State of an outbox row: the recipient has it."""

metadata = MetaData()

# SQLite numbers rows by itself only in a column of type INTEGER.
_RowId = BigInteger().with_variant(Integer(), "sqlite")

chains = Table(
    "x_chains",
    metadata,
    Column("recipient", String(MEMBER_ID_CHARS), primary_key=True),
    Column("lane", Integer, primary_key=True),
    # Head of what was sealed.
    Column("incarnation", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    # Position the incarnation starts from: what its first envelope cites.
    Column("base_incarnation", BigInteger, nullable=False),
    Column("base_seq", BigInteger, nullable=False),
    Column("base_hash", LargeBinary, nullable=False),
)
"""Chains this member sends on, one row per recipient and lane."""

outbox = Table(
    "x_outbox",
    metadata,
    Column("id", _RowId, primary_key=True, autoincrement=True),
    Column("token", String(32), nullable=False),
    Column("recipient", String(MEMBER_ID_CHARS), nullable=False),
    Column("lane", Integer, nullable=False),
    Column("state", Integer, nullable=False),
    Column("payload_type", String(64), nullable=False),
    Column("schema_version", Integer, nullable=False),
    Column("purpose", String(64), nullable=False),
    Column("data_class", String(64), nullable=False),
    Column("period", String(16), nullable=False),
    Column("pack_digest", LargeBinary, nullable=False),
    # Sharing agreement "id@version" it is made under, or empty.
    Column("agreement", String(80), nullable=False, server_default=""),
    Column("restatable", Boolean, nullable=False),
    Column("payload", LargeBinary),
    Column("payload_bytes", Integer, nullable=False),
    # Empty until sealed.
    Column("incarnation", BigInteger),
    Column("seq", BigInteger),
    Column("hash", LargeBinary),
    Column("envelope", LargeBinary),
    Column("envelope_bytes", Integer),
    Column("expires_at_ms", BigInteger),
    UniqueConstraint("recipient", "lane", "incarnation", "seq", name="uq_x_outbox_place"),
    Index("ix_x_outbox_queue", "recipient", "lane", "state", "id"),
)
"""Payloads to send and the envelopes made of them; kept until the recipient has a backup."""

receipts = Table(
    "x_receipts",
    metadata,
    Column("id", _RowId, primary_key=True, autoincrement=True),
    Column("hub", String(MEMBER_ID_CHARS), nullable=False),
    Column("lane", Integer, nullable=False),
    Column("incarnation", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("body_hash", LargeBinary, nullable=False),
    Column("envelope_hash", LargeBinary, nullable=False),
    Column("log_index", BigInteger, nullable=False),
    Column("logged_at_ms", BigInteger, nullable=False),
    Column("status", Integer, nullable=False),
    Column("quarantined_parts", BigInteger, nullable=False),
    Column("receipt", LargeBinary, nullable=False),
    UniqueConstraint("hub", "lane", "incarnation", "seq", "body_hash", name="uq_x_receipts_body"),
)
"""Verified receipts, as received; a restored hub may state a second one for the same place."""

inbox = Table(
    "x_inbox",
    metadata,
    Column("id", _RowId, primary_key=True, autoincrement=True),
    Column("token", String(32), nullable=False),
    Column("sender", String(MEMBER_ID_CHARS), nullable=False),
    Column("lane", Integer, nullable=False),
    Column("incarnation", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("payload_type", String(64), nullable=False),
    Column("schema_version", Integer, nullable=False),
    Column("purpose", String(64), nullable=False),
    Column("period", String(16), nullable=False),
    Column("pack_digest", LargeBinary, nullable=False),
    Column("payload", LargeBinary),
    Column("received_at_ms", BigInteger, nullable=False),
    Column("processed", Boolean, nullable=False),
    UniqueConstraint("sender", "lane", "incarnation", "seq", name="uq_x_inbox_place"),
    Index("ix_x_inbox_queue", "payload_type", "processed", "id"),
)
"""Opened payloads that peers addressed to this member."""

heads = Table(
    "x_heads",
    metadata,
    Column("sender", String(MEMBER_ID_CHARS), primary_key=True),
    Column("lane", Integer, primary_key=True),
    Column("incarnation", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)
"""Heads of the chains this member receives on."""

marks = Table(
    "x_marks",
    metadata,
    Column("key", String(300), primary_key=True),
    Column("recipient", String(MEMBER_ID_CHARS), nullable=False),
    Column("lane", Integer, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Index("ix_x_marks_lane", "recipient", "lane"),
)
"""What was stated last, written in the transaction that appended the statement."""

seen_logs = Table(
    "x_seen_logs",
    metadata,
    Column("origin", String(128), primary_key=True),
    Column("hub", String(MEMBER_ID_CHARS), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("note", Text, nullable=False),
    Column("seen_at_ms", BigInteger, nullable=False),
)
"""The newest verified checkpoint of each log of a hub that this member saw."""

log_contradictions = Table(
    "x_log_contradictions",
    metadata,
    Column("id", _RowId, primary_key=True, autoincrement=True),
    Column("origin", String(128), nullable=False),
    Column("held", Text, nullable=False),
    Column("stated", Text, nullable=False),
    Column("path", LargeBinary, nullable=False),
    Column("found_at_ms", BigInteger, nullable=False),
)
"""Two signed checkpoints of one log that contradict each other: evidence against the hub."""
