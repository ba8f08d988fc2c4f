"""Tables of operators, approvals, the operator log and incidents.

Rules of this module:

- Rows of ``operator_log`` are added and read; triggers of the migration refuse everything else.
- A key belongs to one person for ever: retired operators keep theirs.
"""

from typing import Final

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, String, Table

from hub.store.metadata import metadata
from hub.store.tables import MEMBER_LENGTH

NAME_LENGTH: Final = 64
"""Longest name of an operator, in characters."""
_ID = BigInteger().with_variant(Integer, "sqlite")

operator: Final = Table(
    "operator",
    metadata,
    Column("name", String(NAME_LENGTH), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("public_key", LargeBinary(32), nullable=False, unique=True),
    Column("added_at_ms", BigInteger, nullable=False),
    Column("retired_at_ms", BigInteger),
)

approval: Final = Table(
    "approval",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("job", String(64), nullable=False),
    Column("arguments", LargeBinary, nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("asked_by", String(NAME_LENGTH), nullable=False),
    Column("asked_key", LargeBinary(32), nullable=False),
    Column("asked_at_ms", BigInteger, nullable=False),
    Column("expires_at_ms", BigInteger, nullable=False),
    Column("decided_by", String(NAME_LENGTH)),
    Column("decided_at_ms", BigInteger),
)

operator_log: Final = Table(
    "operator_log",
    metadata,
    Column("number", _ID, primary_key=True, autoincrement=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("operator", String(NAME_LENGTH), nullable=False),
    Column("role", String(16), nullable=False),
    Column("job", String(64), nullable=False),
    Column("outcome", String(64), nullable=False),
    Column("subject", String(128), nullable=False),
    Column("arguments_digest", LargeBinary(32), nullable=False),
    Column("nonce", LargeBinary(16), nullable=False, index=True),
    Column("previous", LargeBinary(32), nullable=False),
    Column("hash", LargeBinary(32), nullable=False, unique=True),
    Column("log_index", BigInteger),
)
"""``log_index`` is the place of the row's leaf; empty where the log was read-only just then."""

incident: Final = Table(
    "incident",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("member", String(MEMBER_LENGTH), nullable=False, index=True),
    Column("since_ms", BigInteger, nullable=False),
    Column("since_index", BigInteger, nullable=False),
    Column("reason", String(400), nullable=False),
    Column("opened_at_ms", BigInteger, nullable=False),
    Column("opened_by", String(NAME_LENGTH), nullable=False),
    Column("lifted_at_ms", BigInteger),
    Column("lifted_by", String(NAME_LENGTH)),
    Column("until_index", BigInteger),
)
"""What a member stated from ``since_index`` on is suspect until the incident is lifted.

``until_index`` is set where the member was marked, not frozen: what it states from there on counts.
"""
