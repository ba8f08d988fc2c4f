"""Tables of what proves the exchange: heads that members signed, signs of life, backups.

Rules of this module:

- Signed heads are kept as they came, one row for each lane that a collection moved on.
- Of heartbeats only the newest of a member is kept; every one of them is in the log.
- A backup counts for a chain up to a seq of an incarnation; it only grows.
- Moments are milliseconds since the epoch, UTC.
"""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table

from hub.store.metadata import metadata
from hub.store.tables import MEMBER_LENGTH

_ID = BigInteger().with_variant(Integer, "sqlite")

collected_head: Final = Table(
    "collected_head",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("member", String(MEMBER_LENGTH), nullable=False),
    Column("lane", Integer, nullable=False),
    Column("incarnation", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("heads", LargeBinary, nullable=False),
    Index("uq_collected_head_place", "member", "lane", "incarnation", "seq", unique=True),
)
"""Signed heads by which members acknowledged their downlink."""

heartbeat: Final = Table(
    "heartbeat",
    metadata,
    Column("member", String(MEMBER_LENGTH), primary_key=True),
    Column("log_index", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("ledger_size", BigInteger, nullable=False),
    Column("pack_digest", LargeBinary(32), nullable=False),
    Column("program", String(64), nullable=False),
    Column("operator_log_head", LargeBinary(32), nullable=False),
    Column("operator_log_size", BigInteger, nullable=False),
)
"""What each member said of itself last."""

backup_mark: Final = Table(
    "backup_mark",
    metadata,
    Column("log_size", BigInteger, primary_key=True, autoincrement=False),
    Column("at_ms", BigInteger, nullable=False),
)
"""Backups of this hub, by the size of the log that is in them."""

backup_chain: Final = Table(
    "backup_chain",
    metadata,
    Column("sender", String(MEMBER_LENGTH), primary_key=True),
    Column("lane", Integer, primary_key=True),
    Column("incarnation", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
)
"""Last place of each chain that is in a backup."""
