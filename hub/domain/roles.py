"""Roles of the people who command a hub (角色)."""

from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What a person may do; a row of the authorisation table names the roles of a job."""

    OPERATOR = "operator"
    """Keeps the hub running: imports, grades, invites members (操作员)."""
    OFFICER = "officer"
    """Business or security officer: asks for what binds the hub (业务、安全负责人)."""
    REVIEWER = "reviewer"
    """Second pair of eyes: approves, and reads (复核员)."""
    AUDITOR = "auditor"
    """Reads only (审计员)."""
    PUBLIC = "public"
    """Whoever reaches the command socket without a signature (公众)."""


SINGLE: Final = "single"
"""In the place of the role while no operators are registered."""
REGISTERED: Final = frozenset(Role) - {Role.PUBLIC}
"""Roles that a registered person can have."""
