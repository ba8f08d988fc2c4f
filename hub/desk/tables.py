"""Tables of a link desk, in a database of its own: nothing of a hub lies beside them.

Rules of this module: moments are milliseconds since the epoch, UTC; no column holds a point, a
token or anything of a person. A half of a key is no column: it is a file (``security.linking``).
"""

from pathlib import Path
from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Engine,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
)

from hub.errors import ConfigurationError
from hub.store.engine import open_engine, writing

MEMBER_LENGTH: Final = 96
VERSION: Final = 2
"""Schema of this program; a desk of a newer one is refused."""

_metadata: Final = MetaData()
_ID = BigInteger().with_variant(Integer(), "sqlite")

allowed: Final = Table(
    "allowed",
    _metadata,
    Column("member", String(MEMBER_LENGTH), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("quota", BigInteger, nullable=False),
    Column("allowed_at_ms", BigInteger, nullable=False),
    Column("ended_at_ms", BigInteger),
)
"""Nodes that may ask: the digest of the TLS key, and points per period."""

period: Final = Table(
    "period",
    _metadata,
    Column("period", String(6), primary_key=True),
    Column("check_value", LargeBinary(32), nullable=False),
    Column("made_at_ms", BigInteger, nullable=False),
    Column("destroy_at_ms", BigInteger, nullable=False),
    Column("destroyed_at_ms", BigInteger),
)
"""Periods whose half was made. A row stays for ever: a period has one half and no second."""

used: Final = Table(
    "used",
    _metadata,
    Column("member", String(MEMBER_LENGTH), primary_key=True),
    Column("period", String(6), primary_key=True),
    Column("points", BigInteger, nullable=False),
)
"""Points evaluated for a node in a period."""

request: Final = Table(
    "request",
    _metadata,
    Column("member", String(MEMBER_LENGTH), primary_key=True),
    Column("period", String(6), primary_key=True),
    Column("request_id", LargeBinary(16), primary_key=True),
    Column("digest", LargeBinary(32), nullable=False),
)
"""Requests that counted, by their ids: the digest of their points tells a repeat from a replay."""

line: Final = Table(
    "line",
    _metadata,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("member", String(MEMBER_LENGTH), nullable=False),
    Column("period", String(16), nullable=False),
    Column("points", BigInteger, nullable=False),
    Column("outcome", String(16), nullable=False),
    Index("ix_line_member", "member", "outcome", "id"),
)
"""The desk's log (审计日志): who had how many points evaluated when, and what was refused."""

revocation_list: Final = Table(
    "revocation_list",
    _metadata,
    Column("hub", String(MEMBER_LENGTH), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("next_ms", BigInteger, nullable=False),
)
"""The newest revocation list that was taken of each hub."""

revoked: Final = Table(
    "revoked",
    _metadata,
    Column("hub", String(MEMBER_LENGTH), primary_key=True),
    Column("tls_sha256", LargeBinary(32), primary_key=True),
)
"""TLS certificates on those lists."""

_schema: Final = Table("schema_version", _metadata, Column("version", Integer, primary_key=True))


def open_desk_database(path: Path) -> Engine:
    """Open the database of a desk, and make it when it is not there.

    Raises:
        ConfigurationError: It cannot be made, or belongs to a newer program.
        HubStoreError: The database refuses.
    """
    engine = open_engine(f"sqlite:///{path.resolve()}")
    with writing(engine) as connection:
        _metadata.create_all(connection)
        versions = connection.execute(_schema.select()).scalars().all()
        if VERSION not in versions:
            connection.execute(_schema.insert().values(version=VERSION))
    if versions and max(versions) > VERSION:
        raise ConfigurationError(
            f"{path} has schema {max(versions)}, this program knows {VERSION}; install the newer "
            "program that wrote it."
        )
    return engine


__all__ = [
    "allowed",
    "line",
    "open_desk_database",
    "period",
    "request",
    "revocation_list",
    "revoked",
    "used",
]
