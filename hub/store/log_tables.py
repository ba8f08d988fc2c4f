"""Tables around the transparency log (透明日志): compact ranges, peers, cosignatures, evidence.

Rules of this module: the leaves and the log's state are in ``tables``; moments are milliseconds
since the epoch, UTC; what proves a contradiction is kept as it came.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
)

from hub.store.metadata import metadata
from hub.store.tables import MEMBER_LENGTH

_ID = BigInteger().with_variant(Integer, "sqlite")
_NAME_LENGTH: Final = 128

log_frontier: Final = Table(
    "log_frontier",
    metadata,
    Column("size", _ID, primary_key=True, autoincrement=False),
    Column("frontier", LargeBinary, nullable=False),
)
"""Compact range of every so many leaves: from the nearest one, any other is soon made."""

log_recovered: Final = Table(
    "log_recovered",
    metadata,
    Column("envelope_hash", LargeBinary(32), primary_key=True),
    Column("log_index", BigInteger, nullable=False),
)
"""Leaves that came back from a mirror, and whose envelope has not come again yet."""

log_recovery: Final = Table(
    "log_recovery",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("first", BigInteger, nullable=False),
    Column("end", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("pq_signature", LargeBinary, nullable=False),
)
"""Ranges of leaves that came back from a mirror, as the hub's identity key signed them."""

log_peer: Final = Table(
    "log_peer",
    metadata,
    Column("hub", String(MEMBER_LENGTH), primary_key=True),
    Column("anchor", LargeBinary, nullable=False),
    Column("witness", Text, nullable=False),
    Column("added_at_ms", BigInteger, nullable=False),
    Column("answered_at_ms", BigInteger),
    Column("trouble", Text),
)
"""Hubs that witness this log and whose log this hub witnesses."""

log_cosignature: Final = Table(
    "log_cosignature",
    metadata,
    Column("origin", String(_NAME_LENGTH), primary_key=True),
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("witness", String(_NAME_LENGTH), primary_key=True),
    Column("root", LargeBinary(32), nullable=False),
    Column("lines", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)

log_witnessed: Final = Table(
    "log_witnessed",
    metadata,
    Column("origin", String(_NAME_LENGTH), primary_key=True),
    Column("hub", String(MEMBER_LENGTH), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary(32), nullable=False),
    Column("note", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)
"""The newest checkpoint of another log that this hub cosigned."""

log_evidence: Final = Table(
    "log_evidence",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("hub", String(MEMBER_LENGTH), nullable=False),
    Column("origin", String(_NAME_LENGTH), nullable=False),
    Column("cause", Text, nullable=False),
    Column("held", Text, nullable=False),
    Column("shown", Text, nullable=False),
    Index("ix_log_evidence_origin", "origin"),
)
"""Signed checkpoints that contradict each other, or this hub's own log."""
