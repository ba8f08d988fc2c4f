"""Rows for jobs: which roles may have them run, once operators are registered.

Whoever adds a job adds its row here; one that binds the hub also gets a row in
``hub.operators.four_eyes``.
"""

from collections.abc import Mapping
from typing import Final

from hub.domain.roles import REGISTERED, Role
from hub.errors import RoleError

__all__ = ["JOB_ROLES", "roles_of"]

_READ: Final = REGISTERED
"""Everybody in office."""
_WORK: Final = frozenset({Role.OPERATOR, Role.OFFICER})
_OFFICER: Final = frozenset({Role.OFFICER})
_SECOND: Final = frozenset({Role.OFFICER, Role.REVIEWER})
_PERSONS: Final = REGISTERED - {Role.AUDITOR}
"""Reading what names subjects one by one: no business of an auditor."""
_ALL: Final = frozenset(Role)

JOB_ROLES: Final[Mapping[str, frozenset[Role]]] = {
    # Grading.
    "import": _WORK,
    "completeness": _READ,
    "grade": _WORK,
    "grades": _READ,
    "publish": _OFFICER,
    "explain": _PERSONS,
    "inputs": _PERSONS,
    "push": _WORK,
    # What the hub holds.
    "status": _ALL,
    "refusals": _READ,
    "quarantine": _READ,
    # Members.
    "token": _WORK,
    "token-approved": _OFFICER,
    "ca-request": _READ,
    "ca-import": _OFFICER,
    "members-pending": _READ,
    "approve-member": _OFFICER,
    "reject-member": _OFFICER,
    "members": _READ,
    "revoke": _OFFICER,
    "suites": _READ,
    "require-suite": _OFFICER,
    "join": _OFFICER,
    # Model packs.
    "packs-fetch": _WORK,
    "packs-groups": _OFFICER,
    "packs-order": _OFFICER,
    "packs-use": _OFFICER,
    "packs-withdraw": _OFFICER,
    "packs-status": _READ,
    # Sharing.
    "agreements": _READ,
    "agreement": _READ,
    "agreement-check": _READ,
    "agreement-sign": _OFFICER,
    "agreement-retire": _OFFICER,
    "deliver": _OFFICER,
    "deliveries": _READ,
    "sharing-queries": _READ,
    "query": _WORK,
    "sharing-sync": _WORK,
    # The transparency log.
    "log-status": _READ,
    "log-verify": _WORK,
    "log-witness-add": _OFFICER,
    "log-witness-remove": _OFFICER,
    "log-recover": _OFFICER,
    "log-new-origin": _OFFICER,
    # Clues.
    "clues": _PERSONS,
    "clue": _PERSONS,
    "clues-join": _WORK,
    # Evidence.
    "spot-file": _OFFICER,
    "delivery-proofs": _OFFICER,
    "fork-proofs": _OFFICER,
    "backup-done": _WORK,
    "export-trust": _ALL,
    "export-revocations": _ALL,
    "audit-export": _OFFICER,
    # Incidents.
    "incident": _OFFICER,
    "incident-lift": _OFFICER,
    "incidents": _READ,
    "exposure": _READ,
    # Keys at rest.
    "keys": _READ,
    "keys-rotate": _OFFICER,
    "keys-destroy": _OFFICER,
    "keys-protect": _OFFICER,
    # People and what they did.
    "operators": _READ,
    "operator-add": _OFFICER,
    "operator-retire": _OFFICER,
    "approvals": _READ,
    "approve": _SECOND,
    "operations": _READ,
}
"""Roles by job; the public needs no signature."""


def roles_of(job: str) -> frozenset[Role]:
    """Roles that may have a job run.

    Raises:
        RoleError: The table has no row for it.
    """
    try:
        return JOB_ROLES[job]
    except KeyError:
        raise RoleError(
            f"The authorisation table has no row for the job {job[:64]!r}, so nobody may have it "
            "run; a row belongs into hub/api/authorisation/jobs.py."
        ) from None
