"""Tables of identity: TLS certificates, revocation lists, requests that wait, renewals.

Rules of this module: moments are milliseconds since the epoch, UTC, in columns that end in
``_ms``; a TLS certificate is known by the SHA-256 of its DER; answers are kept as they were sent.
"""

from typing import Final

from sqlalchemy import BigInteger, Column, LargeBinary, String, Table, Text

from hub.store.metadata import metadata
from hub.store.tables import MEMBER_LENGTH

tls_certificate: Final = Table(
    "tls_certificate",
    metadata,
    Column("sha256", LargeBinary(32), primary_key=True),
    Column("member", String(MEMBER_LENGTH), nullable=False, index=True),
    Column("not_before_ms", BigInteger, nullable=False),
    Column("not_after_ms", BigInteger, nullable=False),
    Column("revoked_at_ms", BigInteger),
)
"""TLS certificates this hub issued to members; its own are not in it."""

revocation_list: Final = Table(
    "revocation_list",
    metadata,
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("next_ms", BigInteger, nullable=False),
    Column("list", LargeBinary, nullable=False),
)
"""Every version of the signed list."""

enrolment_request: Final = Table(
    "enrolment_request",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("method", String(8), nullable=False),
    Column("member", String(MEMBER_LENGTH), nullable=False, index=True),
    Column("request_digest", LargeBinary(32), nullable=False, unique=True),
    Column("fingerprint", String(48), nullable=False),
    Column("status", String(16), nullable=False),
    Column("asked_at_ms", BigInteger, nullable=False),
    Column("expires_at_ms", BigInteger, nullable=False),
    Column("decided_at_ms", BigInteger),
    Column("reason", Text),
)
"""Requests to join or to renew that an officer decides; ``method`` is ``join`` or ``renew``."""

renewal: Final = Table(
    "renewal",
    metadata,
    Column("request_digest", LargeBinary(32), primary_key=True),
    Column("member", String(MEMBER_LENGTH), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("response", LargeBinary, nullable=False),
)
"""Answered renewals: the same request gets the same answer."""
