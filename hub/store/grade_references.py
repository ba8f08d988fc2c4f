"""Peer references (同类参照): one per period and model; a frozen one is never replaced.

A grading that went ahead without every statement keeps its reference only until the next one, so
that its results can be explained and recomputed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from hub.store.grading_tables import grade_reference
from security.moments import day_number

if TYPE_CHECKING:
    from datetime import date

    from sqlalchemy import Connection


def find_reference(
    connection: Connection, period: str, model_digest: bytes, *, frozen_only: bool = False
) -> bytes | None:
    """Serialised reference that is held for a period and model; None before the first run.

    Args:
        connection: Any transaction.
        period: Name of the rating period.
        model_digest: SHA-256 of the model.
        frozen_only: Leave out one that the next grading replaces.
    """
    query = select(grade_reference.c.content).where(
        grade_reference.c.period == period, grade_reference.c.model_digest == model_digest
    )
    if frozen_only:
        query = query.where(grade_reference.c.provisional.is_(False))
    found = connection.execute(query).scalar()
    return None if found is None else bytes(found)


def keep_reference(
    connection: Connection,
    *,
    period: str,
    model_digest: bytes,
    content: bytes,
    digest: bytes,
    day: date,
    now_ms: int,
    frozen: bool,
) -> None:
    """Keep a reference in place of a provisional one; beside a frozen one the key refuses it."""
    connection.execute(
        delete(grade_reference).where(
            grade_reference.c.period == period,
            grade_reference.c.model_digest == model_digest,
            grade_reference.c.provisional,
        )
    )
    connection.execute(
        insert(grade_reference).values(
            period=period,
            model_digest=model_digest,
            digest=digest,
            content=content,
            day=day_number(day),
            frozen_at_ms=now_ms,
            provisional=not frozen,
        )
    )
