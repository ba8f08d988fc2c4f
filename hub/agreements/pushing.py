"""The push to the parent hub (推送省级平台) as a product: it stands under an agreement, or stays.

Rules: the agreement is with the parent itself, in force, and names every field that a push holds;
its classes bound what is pushed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hub.errors import AgreementRefusedError
from hub.store import agreements
from security.sharing.agreement import GRADE_PUSH

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from security.sharing import Agreement

PUSHED_FIELDS: Final = frozenset(
    {
        "subject",
        "subject_class",
        "period",
        "version",
        "total",
        "grade",
        "basis",
        "model_sha256",
        "statement_sha256",
    }
)
"""What a pushed grade says of a subject."""


def push_agreement(connection: Connection, parent: str, now_ms: int) -> Agreement:
    """The agreement under which grades are pushed to the parent now.

    Args:
        connection: Any transaction.
        parent: Member id of the parent hub.
        now_ms: Present moment, milliseconds since the epoch, UTC.

    Raises:
        AgreementRefusedError: None is in force with this parent, or it leaves out a field.
    """
    for held in agreements.current_versions(connection):
        agreement = held.agreement
        if (agreement.payload_type, agreement.recipient) != (GRADE_PUSH, parent):
            continue
        missing = sorted(PUSHED_FIELDS - {*agreement.fields})
        if missing:
            raise AgreementRefusedError(
                f"field: agreement {agreement.reference} does not cover {', '.join(missing)}, "
                "which a push holds; sign a version that does."
            )
        if held.is_in_force(now_ms):
            return agreement
    raise AgreementRefusedError(
        f"No agreement to push grades to {parent} is in force; sign it with "
        "`yixin hub agreements sign provincial_push`."
    )
