"""Frozen peer references (同类参照): one per period and model, never replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from hub.store.grading_tables import grade_reference
from hub.store.item_rows import day_number

if TYPE_CHECKING:
    from datetime import date

    from sqlalchemy import Connection


def find_reference(connection: Connection, period: str, model_digest: bytes) -> bytes | None:
    """Serialised reference that was frozen for a period and model; None before the first run."""
    found = connection.execute(
        select(grade_reference.c.content).where(
            grade_reference.c.period == period, grade_reference.c.model_digest == model_digest
        )
    ).scalar()
    return None if found is None else bytes(found)


def freeze_reference(
    connection: Connection,
    *,
    period: str,
    model_digest: bytes,
    content: bytes,
    digest: bytes,
    day: date,
    now_ms: int,
) -> None:
    """Freeze a reference; a second one for the period and model violates the primary key."""
    connection.execute(
        insert(grade_reference).values(
            period=period,
            model_digest=model_digest,
            digest=digest,
            content=content,
            day=day_number(day),
            frozen_at_ms=now_ms,
        )
    )
