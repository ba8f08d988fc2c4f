"""Register the people who command the hub, and let them retire.

Rules: the first one is an officer, who ends the single-operator mode; one key is one person's for
ever; the last officer in office does not retire.
"""

import re
from typing import Final

from sqlalchemy import Connection

from hub.domain.roles import REGISTERED, Role
from hub.errors import ConfigurationError, RoleError
from hub.store import operators
from hub.store.operators import OperatorRow
from security.operator.person_keys import parse_public_key

__all__ = ["register", "retire"]

_NAME: Final = re.compile(r"[A-Za-z0-9_.\u3400-\u4dbf\u4e00-\u9fff-]{1,64}")
"""Latin letters and Chinese characters: a letter of another alphabet can look like one of these."""


def register(
    connection: Connection, *, name: str, role: str, public_line: str, now_ms: int
) -> OperatorRow:
    """Register a person.

    Args:
        connection: A writing transaction.
        name: 1 to 64 Latin letters, Chinese characters, digits, ``.``, ``_``, ``-``.
        role: ``operator``, ``officer``, ``reviewer`` or ``auditor``.
        public_line: The line that ``yixin hub operators key new`` printed.
        now_ms: Now, milliseconds since the epoch, UTC.

    Raises:
        ConfigurationError: Name or role is malformed, or name or key is already somebody's.
        KeyFileError: The line is no public key.
        RoleError: The first person registered is no officer.
    """
    if _NAME.fullmatch(name) is None:
        raise ConfigurationError(
            f"Found the name {name[:64]!a}, expected 1 to 64 Latin letters, Chinese characters, "
            "digits, '.', '_' or '-'."
        )
    if role not in REGISTERED:
        raise ConfigurationError(
            f"Found the role {role[:16]!r}, expected one of {', '.join(sorted(REGISTERED))}."
        )
    key = parse_public_key(public_line)
    if operators.is_taken(connection, name, key):
        raise ConfigurationError(
            f"The name {name!r} or its key is already somebody's, or was: one key is one person. "
            "Make another one with: yixin hub operators key new --out FILE"
        )
    if role != Role.OFFICER and not operators.any_registered(connection):
        raise RoleError(
            f"The first person registered is an officer, found {role}: from then on commands "
            "are signed, and officers register the others."
        )
    row = OperatorRow(name=name, role=Role(role), public_key=key, added_at_ms=now_ms)
    operators.add_operator(connection, row)
    return row


def retire(connection: Connection, *, name: str, now_ms: int) -> None:
    """Let a person retire: what he or she signs is refused from now on, what waits is void.

    Raises:
        ConfigurationError: Nobody of this name is in office.
        RoleError: It is the last officer.
    """
    if not operators.retire_operator(connection, name, now_ms):
        raise ConfigurationError(
            f"Nobody of the name {name[:64]!r} is in office; see: yixin hub operators list"
        )
    if not operators.count_active(connection, [Role.OFFICER]):
        raise RoleError(
            f"{name!r} is the last officer in office; register another one first, "
            "or nobody could register anybody any more."
        )
