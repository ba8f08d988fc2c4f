"""Tables of the hub: members, custody, intake, transparency log and the index of statements.

Rules of this module:

- Moments are milliseconds since the epoch, UTC, in columns that end in ``_ms``.
- ``log_index`` is the place in the transparency log; envelope, leaf and receipt share it.
- Raw envelopes stay encrypted to the hub; measure rows are encrypted under the hub's vault.
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

MEMBER_LENGTH: Final = 96
"""Longest member id, in characters."""

_ID = BigInteger().with_variant(Integer, "sqlite")

member: Final = Table(
    "member",
    metadata,
    Column("member", String(MEMBER_LENGTH), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("division", String(6), nullable=False),
    Column("code", String(64), nullable=False),
    Column("status", String(16), nullable=False),
    Column("joined_at_ms", BigInteger),
    Column("confirmed_at_ms", BigInteger),
    Column("revoked_at_ms", BigInteger),
    Column("reason", Text),
)

key_certificate: Final = Table(
    "key_certificate",
    metadata,
    Column("serial", _ID, primary_key=True, autoincrement=False),
    Column("member", String(MEMBER_LENGTH), nullable=False, index=True),
    Column("key_id", String(32), nullable=False),
    Column("use", SmallInteger, nullable=False),
    Column("not_before_ms", BigInteger, nullable=False),
    Column("not_after_ms", BigInteger, nullable=False),
    Column("revoked_at_ms", BigInteger),
    Column("certificate", LargeBinary, nullable=False),
)

token: Final = Table(
    "token",
    metadata,
    Column("secret_digest", LargeBinary(32), primary_key=True),
    Column("member", String(MEMBER_LENGTH), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("expires_at_ms", BigInteger, nullable=False),
    Column("keys_digest", LargeBinary(32)),
    Column("response", LargeBinary),
    Column("consumed_at_ms", BigInteger),
    Column("approved_at_ms", BigInteger),
)

custody: Final = Table(
    "custody",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("institution", String(12), nullable=False, index=True),
    Column("measure_set", String(64), nullable=False),
    Column("member", String(MEMBER_LENGTH), nullable=False, index=True),
    Column("from_month", Integer, nullable=False),
    Column("to_month", Integer, nullable=False),
    Column("name", String(200), nullable=False),
    Column("level", String(1), nullable=False),
    Column("type", String(16), nullable=False),
    Column("division", String(6), nullable=False),
    Column("active", Boolean, nullable=False),
)

counter: Final = Table(
    "counter",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", BigInteger, nullable=False),
)
"""Counters that only grow: ``certificate_serial``, ``custody_version``."""

envelope: Final = Table(
    "envelope",
    metadata,
    Column("log_index", _ID, primary_key=True, autoincrement=False),
    Column("sender", String(MEMBER_LENGTH), nullable=False),
    Column("lane", SmallInteger, nullable=False),
    Column("incarnation", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Index("uq_envelope_place", "sender", "lane", "incarnation", "seq", unique=True),
)
"""Accepted envelopes as received. The place in the chain is the de-duplication key."""

chain_head: Final = Table(
    "chain_head",
    metadata,
    Column("sender", String(MEMBER_LENGTH), primary_key=True),
    Column("lane", SmallInteger, primary_key=True),
    Column("incarnation", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
)

log_leaf: Final = Table(
    "log_leaf",
    metadata,
    Column("log_index", _ID, primary_key=True, autoincrement=False),
    Column("kind", SmallInteger, nullable=False),
    Column("leaf", LargeBinary, nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
    Column("period", String(6), nullable=False),
)

log_state: Final = Table(
    "log_state",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("size", BigInteger, nullable=False),
    Column("frontier", LargeBinary, nullable=False),
    Column("number", Integer, nullable=False, server_default="1"),
    Column("conflict", Text, nullable=False, server_default=""),
)
"""One row: the size of the log, the compact range of its leaves, the number in its origin, and
what somebody saw of it that it does not hold."""

delivery: Final = Table(
    "delivery",
    metadata,
    Column("log_index", _ID, primary_key=True, autoincrement=False),
    Column("recipient", String(MEMBER_LENGTH), nullable=False, index=True),
    Column("raw", LargeBinary, nullable=False),
)
"""Envelopes the hub sealed for members, as sent; the audit bundle takes them from here."""

receipt_group: Final = Table(
    "receipt_group",
    metadata,
    Column("id", _ID, primary_key=True, autoincrement=False),
    Column("key_id", String(32), nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("pq_signature", LargeBinary, nullable=False),
    Column("sm2_signature", LargeBinary, nullable=True),
)
"""One signature over a commit group, and an SM2 one where an envelope of suite GM is in it; its id
is the log index of its first envelope."""

receipt: Final = Table(
    "receipt",
    metadata,
    Column("log_index", _ID, primary_key=True, autoincrement=False),
    Column("group_id", BigInteger, nullable=False, index=True),
    Column("leaf_index", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

refusal: Final = Table(
    "refusal",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("peer", String(MEMBER_LENGTH), nullable=False, index=True),
    Column("method", String(32), nullable=False),
    Column("code", String(48), nullable=False),
    Column("cause", Text, nullable=False),
    Column("envelope_hash", LargeBinary(32)),
    Column("evidence", LargeBinary),
)
"""Refused attempts. ``evidence`` holds the second envelope of a fork, which its sender signed."""

slot: Final = Table(
    "slot",
    metadata,
    Column("measure_set", String(64), primary_key=True),
    Column("institution", String(12), primary_key=True),
    Column("month", Integer, primary_key=True),
    Column("collecting", Boolean, primary_key=True),
    Column("member", String(MEMBER_LENGTH), nullable=False),
    Column("incarnation", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("ledger_size", BigInteger, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("parts", Integer, nullable=False),
    Column("log_index", BigInteger),
)
"""Statement that counts (``collecting`` false) and a newer one that lacks parts (true).

``log_index`` names the envelope of a statement in one part; those in several are in ``slot_part``.
"""

slot_part: Final = Table(
    "slot_part",
    metadata,
    Column("measure_set", String(64), primary_key=True),
    Column("institution", String(12), primary_key=True),
    Column("month", Integer, primary_key=True),
    Column("collecting", Boolean, primary_key=True),
    Column("part", Integer, primary_key=True),
    Column("log_index", BigInteger, nullable=False),
)

slot_quarantine: Final = Table(
    "slot_quarantine",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("log_index", BigInteger, nullable=False, index=True),
    Column("member", String(MEMBER_LENGTH), nullable=False),
    Column("measure_set", String(64), nullable=False),
    Column("institution", String(64), nullable=False),
    Column("month", BigInteger, nullable=False),
    Column("rule", String(48), nullable=False),
    Column("mend", Text, nullable=False),
)
"""Slots, or whole payloads, that were refused although their envelope was accepted."""

staged: Final = Table(
    "staged",
    metadata,
    Column("log_index", _ID, primary_key=True, autoincrement=False),
    Column("measure_set", String(64), nullable=False, index=True),
    Column("body", LargeBinary, nullable=False),
)
"""Measure rows of one envelope, encrypted, until a flush moves them into a segment."""

segment: Final = Table(
    "segment",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("measure_set", String(64), nullable=False, index=True),
    Column("rows", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("sha256", LargeBinary(32), nullable=False),
    Column("wrapped_key", LargeBinary, nullable=False),
)

ledger_checkpoint: Final = Table(
    "ledger_checkpoint",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("member", String(MEMBER_LENGTH), nullable=False),
    Column("incarnation", BigInteger, nullable=False),
    Column("day", Integer, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary(32), nullable=False),
    Column("note", Text, nullable=False),
    Column("counts", Boolean, nullable=False),
    Column("lost", BigInteger, nullable=False),
    Column("log_index", BigInteger, nullable=False),
    Index("ix_ledger_checkpoint_member", "member", "size"),
)
"""Checkpoints of the trees over the nodes' records (检查点).

``lost`` is the number of leaves that a restored node's tree lost when it began anew here.
"""

pushed_grade: Final = Table(
    "pushed_grade",
    metadata,
    Column("sender", String(MEMBER_LENGTH), primary_key=True),
    Column("subject", String(64), primary_key=True),
    Column("period", String(6), primary_key=True),
    Column("subject_class", String(64), primary_key=True),
    Column("version", BigInteger, primary_key=True),
    Column("total_centi", Integer, nullable=False),
    Column("grade", String(32), nullable=False),
    Column("basis", String(16), nullable=False),
    Column("model_digest", LargeBinary(32), nullable=False),
    Column("statement_digest", LargeBinary(32), nullable=False),
    Column("publication_root", LargeBinary(32), nullable=False),
    Column("log_index", BigInteger, nullable=False),
)
"""Grades that a lower hub pushed (推送)."""
