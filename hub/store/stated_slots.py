"""Which slots of a measure set are stated: institutions by month, rows or none."""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from hub.store.incidents import is_trusted
from hub.store.tables import slot

__all__ = ["stated_institutions", "stated_months"]


def stated_institutions(
    connection: Connection, measure_set: str, months: Sequence[int]
) -> dict[int, frozenset[str]]:
    """Institutions with a complete statement of a set, by month; a month without any is absent.

    Args:
        connection: A reading transaction.
        measure_set: Measure set.
        months: Months wanted, yyyymm.
    """
    query = select(slot.c.month, slot.c.institution).where(
        slot.c.measure_set == measure_set,
        slot.c.month.in_(list(months)),
        slot.c.collecting.is_(False),
        is_trusted(),
    )
    found: dict[int, set[str]] = {}
    for month, institution in connection.execute(query):
        found.setdefault(int(month), set()).add(institution)
    return {month: frozenset(codes) for month, codes in found.items()}


def stated_months(connection: Connection, measure_sets: Sequence[str]) -> tuple[int, ...]:
    """Months for which anybody stated one of some sets, ascending.

    Args:
        connection: A reading transaction.
        measure_sets: Measure sets.
    """
    query = (
        select(slot.c.month)
        .where(
            slot.c.measure_set.in_(list(measure_sets)),
            slot.c.collecting.is_(False),
            is_trusted(),
        )
        .distinct()
        .order_by(slot.c.month)
    )
    return tuple(int(month) for month in connection.execute(query).scalars())
