"""Lists of what a hub recorded, newest first, as an operator reads them."""

from typing import Any, TypeAlias

from sqlalchemy import Engine

from hub.store import refusals
from hub.store.engine import reading
from security.moments import to_text

Result: TypeAlias = dict[str, Any]
"""JSON object of a job."""


def listed_refusals(engine: Engine, limit: int) -> Result:
    """Refused attempts: who, what, and why."""
    with reading(engine) as connection:
        rows = refusals.recent(connection, limit)
        total = refusals.count(connection)
    return {
        "total": total,
        "rows": [
            {
                "at": moment_text(row.at_ms),
                "peer": row.peer,
                "method": row.method,
                "code": row.code,
                "cause": row.cause,
                "envelope": row.envelope_hash.hex() if row.envelope_hash else None,
            }
            for row in rows
        ],
    }


def moment_text(at_ms: int | None) -> str | None:
    """A moment as ISO 8601 in UTC; None where there is none."""
    return None if at_ms is None else to_text(at_ms)
