"""Lists of what a hub recorded, newest first, as an operator reads them."""

from datetime import UTC, datetime
from typing import Any, TypeAlias

from sqlalchemy import Engine

from hub.store import refusals
from hub.store.engine import reading

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
    if at_ms is None:
        return None
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds")
