"""Tables of model packs: releases, groups of members, orders, reports, and roll-outs that stopped.

Rules of this module:

- A digest is that of a pack's file. Days are yyyymmdd, moments milliseconds since the epoch, UTC.
- Orders and reports are never changed or removed; a later report of an order replaces its state.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
)

from hub.store.metadata import metadata
from hub.store.tables import MEMBER_LENGTH

_ID = BigInteger().with_variant(Integer, "sqlite")
GROUP_LENGTH: Final = 40

pack_release: Final = Table(
    "pack_release",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("target", String(64), nullable=False),
    Column("log_index", BigInteger, nullable=False),
    Column("released_at_ms", BigInteger, nullable=False),
)
"""Packs (模型包) that were ordered here, with the leaf of their release."""

pack_group: Final = Table(
    "pack_group",
    metadata,
    Column("name", String(GROUP_LENGTH), primary_key=True),
    Column("rank", Integer, nullable=False),
)
"""Groups of members (灰度分组), in the order in which a pack reaches them."""

pack_member: Final = Table(
    "pack_member",
    metadata,
    Column("member", String(MEMBER_LENGTH), primary_key=True),
    Column("group_name", String(GROUP_LENGTH), ForeignKey(pack_group.c.name), nullable=False),
)
"""The group of a member."""

pack_order: Final = Table(
    "pack_order",
    metadata,
    Column("version", _ID, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary(32), ForeignKey(pack_release.c.digest), nullable=False),
    Column("group_name", String(GROUP_LENGTH), nullable=False),
    Column("from_day", Integer, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)
"""Orders: a group is to use a pack from a day on."""

pack_ordered: Final = Table(
    "pack_ordered",
    metadata,
    Column("version", BigInteger, ForeignKey(pack_order.c.version), primary_key=True),
    Column("member", String(MEMBER_LENGTH), primary_key=True),
)
"""Who was given an order."""

pack_report: Final = Table(
    "pack_report",
    metadata,
    Column("version", BigInteger, primary_key=True),
    Column("member", String(MEMBER_LENGTH), primary_key=True),
    Column("passed", Boolean, nullable=False),
    Column("vectors", Integer, nullable=False),
    Column("failures", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("log_index", BigInteger, nullable=False),
)
"""What became of an order at a member, as it said last."""

pack_stop: Final = Table(
    "pack_stop",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("member", String(MEMBER_LENGTH), nullable=False),
    Column("reason", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)
"""Packs whose roll-out stopped, and the member whose report stopped it."""
