"""Exports of scores (信用分互认) in the database: who took which file out, and when.

Rules: a row is written once, before the file appears, and never changed or removed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, insert, select

from hub.store.grading_tables import score_export

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreExport:
    """One export.

    Attributes:
        period: Rating period.
        officer: Who exported.
        file_name: Name of the file, without its directory.
        rows: Number of grades in it.
        sha256: SHA-256 of the file.
        exported_at_ms: Moment, milliseconds since the epoch, UTC.
    """

    period: str
    officer: str
    file_name: str
    rows: int
    sha256: bytes
    exported_at_ms: int


def record_export(connection: Connection, export: ScoreExport) -> None:
    """Store the row of an export."""
    connection.execute(
        insert(score_export).values(
            period=export.period,
            officer=export.officer,
            file_name=export.file_name[:255],
            rows=export.rows,
            sha256=export.sha256,
            exported_at_ms=export.exported_at_ms,
        )
    )


def recent_exports(connection: Connection, limit: int) -> Sequence[ScoreExport]:
    """The newest exports, newest first.

    Args:
        connection: A reading transaction.
        limit: Most rows.
    """
    query = select(score_export).order_by(score_export.c.id.desc()).limit(limit)
    return [
        ScoreExport(
            period=row["period"],
            officer=row["officer"],
            file_name=row["file_name"],
            rows=row["rows"],
            sha256=row["sha256"],
            exported_at_ms=row["exported_at_ms"],
        )
        for row in connection.execute(query).mappings()
    ]


def count_exports(connection: Connection) -> int:
    """Number of exports so far."""
    return int(connection.execute(select(func.count()).select_from(score_export)).scalar_one())
