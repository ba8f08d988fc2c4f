"""Tables of join records, of clues, and of what the hub found by joining.

Rules of this module:

- Persons stand here as link tokens and nowhere else; records as numbers of leaves.
- Join records are deleted when their retention is over; what was found meanwhile stays, as case
  material, until the retention of clues is over. The envelopes that brought either are emptied.
- Days are yyyymmdd, minutes are since 1970 on the wall clock of Asia/Shanghai, moments are
  milliseconds since the epoch, UTC.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
)

from hub.store.metadata import metadata
from hub.store.tables import MEMBER_LENGTH

_ID = BigInteger().with_variant(Integer, "sqlite")

join_part: Final = Table(
    "join_part",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("member", String(MEMBER_LENGTH), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("period", String(6), nullable=False),
    Column("institution", String(12), nullable=False),
    Column("day", Integer, nullable=False),
    Column("part", Integer, nullable=False),
    Column("incarnation", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("keys_digest", LargeBinary(32), nullable=False),
    Column("expires_day", Integer, nullable=False, index=True),
    Column("log_index", BigInteger),
    Index(
        "uq_join_part_place",
        *("member", "kind", "period", "institution", "day", "part"),
        unique=True,
    ),
)
"""One part of the join records of an institution, kind and day; an empty one keeps its version.

``log_index`` is the leaf of the envelope that brought it; empty for what is older than the column.
"""

join_record: Final = Table(
    "join_record",
    metadata,
    Column("part_id", BigInteger, nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("mark", LargeBinary(16), nullable=False),
    Column("institution", String(12), nullable=False),
    Column("begins", BigInteger, nullable=False),
    Column("ends", BigInteger, nullable=False),
    Column("drug_class", String(12), nullable=False),
    Column("leaf", BigInteger, nullable=False),
    Index("ix_join_record_mark", "kind", "mark", "institution"),
)
"""Join records (关联记录) that count. A row is nameless: it comes and goes with its part."""

join_envelope: Final = Table(
    "join_envelope",
    metadata,
    Column("log_index", _ID, primary_key=True, autoincrement=False),
    Column("expires_day", Integer, nullable=False, index=True),
)
"""Envelopes that brought join records or clues, with the day from which none of theirs may be
kept."""

place: Final = Table(
    "place",
    metadata,
    Column("institution", String(12), primary_key=True),
    Column("latitude_e6", Integer, nullable=False),
    Column("longitude_e6", Integer, nullable=False),
    Column("member", String(MEMBER_LENGTH)),
    Column("log_index", BigInteger),
)
"""Where institutions stand, as their custodians last stated it."""

clue_part: Final = Table(
    "clue_part",
    metadata,
    Column("member", String(MEMBER_LENGTH), primary_key=True),
    Column("institution", String(12), primary_key=True),
    Column("month", Integer, primary_key=True),
    Column("part", Integer, primary_key=True),
    Column("incarnation", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("log_index", BigInteger),
)
"""Which version of a node's clues of an institution and month counts, and its envelope's leaf."""

clue: Final = Table(
    "clue",
    metadata,
    Column("member", String(MEMBER_LENGTH), primary_key=True),
    Column("id", LargeBinary(16), primary_key=True),
    Column("institution", String(12), nullable=False, index=True),
    Column("month", Integer, nullable=False, index=True),
    Column("part", Integer, nullable=False),
    Column("source", String(8), nullable=False),
    Column("version", String(64), nullable=False),
    Column("person", LargeBinary(16), index=True),
    Column("score", SmallInteger, nullable=False, index=True),
    Column("amount_fen", BigInteger, nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("evidence", Text, nullable=False),
    Column("evidence_count", BigInteger, nullable=False),
    Column("measures", Text, nullable=False, server_default="[]"),
    Column("first_log_index", BigInteger, nullable=False),
    Column("last_log_index", BigInteger, nullable=False),
    Column("gone", Boolean, nullable=False),
)
"""Clues (线索) that nodes stated; one that is stated no longer is gone, and stays."""

clue_staff: Final = Table(
    "clue_staff",
    metadata,
    Column("member", String(MEMBER_LENGTH), primary_key=True),
    Column("id", LargeBinary(16), primary_key=True),
    Column("staff", String(16), primary_key=True),
    Index("ix_clue_staff_staff", "staff"),
)
"""Staff whom a clue names, by national code."""

joined_clue: Final = Table(
    "joined_clue",
    metadata,
    Column("id", LargeBinary(16), primary_key=True),
    Column("source", String(8), nullable=False),
    Column("mark", LargeBinary(16), nullable=False, index=True),
    Column("is_person", Boolean, nullable=False),
    Column("staff", String(16), index=True),
    Column("begins", BigInteger, nullable=False),
    Column("month", Integer, nullable=False, index=True),
    Column("score", SmallInteger, nullable=False, index=True),
    Column("verdict", String(16), nullable=False),
    Column("sources", Text, nullable=False),
    Column("numbers", Text, nullable=False),
    Column("expires_day", Integer, nullable=False),
    Column("first_at_ms", BigInteger, nullable=False),
    Column("last_at_ms", BigInteger, nullable=False),
    Column("gone", Boolean, nullable=False),
)
"""What the hub found by joining, about a person, a pack or staff; found no longer while its records
are still here, it is gone."""
