"""Lists of what a hub recorded, newest first, as an operator reads them."""

from datetime import UTC, datetime
from typing import Any, TypeAlias

from sqlalchemy import Engine

from hub.store import refusals
from hub.store.engine import reading
from hub.store.score_exports import count_exports, recent_exports

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


def listed_exports(engine: Engine, limit: int) -> Result:
    """Exports to the personal credit office: who, when, what, and the file's digest."""
    with reading(engine) as connection:
        rows = recent_exports(connection, limit)
        total = count_exports(connection)
    return {
        "total": total,
        "rows": [
            {
                "at": moment_text(row.exported_at_ms),
                "officer": row.officer,
                "period": row.period,
                "file": row.file_name,
                "grades": row.rows,
                "sha256": row.sha256.hex(),
            }
            for row in rows
        ],
    }


def moment_text(at_ms: int | None) -> str | None:
    """A moment as ISO 8601 in UTC; None where there is none."""
    if at_ms is None:
        return None
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds")
