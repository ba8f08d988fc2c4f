"""Table of suite policies.

Rules of this module: a policy is never changed, only followed by one of a higher version; the
version counts over all members of the hub.
"""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, String, Table

from hub.store.metadata import metadata
from hub.store.tables import MEMBER_LENGTH

SUITES_LENGTH: Final = 264

suite_policy: Final = Table(
    "suite_policy",
    metadata,
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("member", String(MEMBER_LENGTH), nullable=False),
    Column("allowed", String(SUITES_LENGTH), nullable=False),
    Column("required", String(32), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Index("ix_suite_policy_member", "member", "version"),
)
"""Every version; ``member`` is empty for the policy of all, ``allowed`` separated by commas."""
