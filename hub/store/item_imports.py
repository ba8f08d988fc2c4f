"""Which department files were read to their end, and how many lines stay refused.

An information item is covered for a period as soon as one of its files was read to
the end, also a file without rows: it states that there was nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, insert, select

from hub.store.grading_tables import item_import, item_quarantine

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sqlalchemy import Connection


def record_import(
    connection: Connection,
    *,
    item: str,
    period: str,
    file_name: str,
    sha256: bytes,
    rows: int,
    now_ms: int,
) -> None:
    """Record that a file was read to its end; once per item, period and content."""
    connection.execute(
        insert(item_import).values(
            item=item,
            period=period,
            file_name=file_name,
            sha256=sha256,
            rows=rows,
            imported_at_ms=now_ms,
        )
    )


def is_imported(connection: Connection, item: str, period: str, sha256: bytes) -> bool:
    """Whether a file with this content was read to its end for the item and period."""
    found = connection.execute(
        select(item_import.c.id).where(
            item_import.c.item == item,
            item_import.c.period == period,
            item_import.c.sha256 == sha256,
        )
    )
    return found.first() is not None


def covered_periods(connection: Connection, item: str) -> frozenset[str]:
    """Periods for which a file of the item was read to its end; empty name for a register."""
    return frozenset(
        connection.execute(
            select(item_import.c.period).where(item_import.c.item == item).distinct()
        ).scalars()
    )


def first_imports(connection: Connection) -> Mapping[tuple[str, str], int]:
    """Find when the first file of each item and period was read to its end.

    Returns:
        Milliseconds since the epoch, UTC, by item and period; a register's period is empty.
    """
    columns = item_import.c
    found = connection.execute(
        select(columns.item, columns.period, func.min(columns.imported_at_ms)).group_by(
            columns.item, columns.period
        )
    )
    return {(item, period): int(moment) for item, period, moment in found}


def refused_by_item(connection: Connection) -> Mapping[str, int]:
    """Count refused lines and files that were not mended yet, by item."""
    columns = item_quarantine.c
    found = connection.execute(
        select(columns.item, func.count())
        .where(columns.resolved_at_ms.is_(None))
        .group_by(columns.item)
    )
    return {item: int(count) for item, count in found}


def count_open_faults(connection: Connection, periods: Collection[str] | None = None) -> int:
    """Count refused lines and files that were not mended yet.

    Args:
        connection: A transaction.
        periods: Names of periods, the empty name for a register; all by default.
    """
    query = (
        select(func.count())
        .select_from(item_quarantine)
        .where(item_quarantine.c.resolved_at_ms.is_(None))
    )
    if periods is not None:
        query = query.where(item_quarantine.c.period.in_(list(periods)))
    return int(connection.execute(query).scalar_one())
