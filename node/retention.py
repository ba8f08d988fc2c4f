"""Retention (保存期限): records whose time is over are deleted, and their months are frozen.

Rules:
- a month of a kind goes as a whole, when its last day lies back as many years as the kind says;
- a record is deleted with its salt and its key; its leaf stays, so the tree still proves how many
  records there were, and nobody can find out what they were;
- what was stated of such a month stays stated: a frozen month is not stated again, nor are the
  two months after it, whose figures look back into it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from node.store import NodeStore
from scoring_kernel import Catalog
from security.moments import SHANGHAI
from security.progress import ProgressReporter

__all__ = ["DueMonths", "due_months", "frozen_by_set", "frozen_through", "retain"]

LOOKING_BACK_MONTHS: Final = 2
"""Months after a frozen one whose figures need records of it: 60 days at most."""
_STAGE: Final = "retention"


@dataclass(frozen=True, slots=True, kw_only=True)
class DueMonths:
    """Months of one kind whose time is over."""

    kind: str
    months: tuple[int, ...]
    """yyyymm, ascending."""
    records: int
    years: int = 0
    """Years that the kind is kept."""
    days: int = 0
    """Or days, where the operator's settings say so."""
    basis: str
    """Legal basis of that."""


def due_months(store: NodeStore, catalog: Catalog, now: datetime) -> tuple[DueMonths, ...]:
    """Find the months whose records may be kept no longer.

    Args:
        store: The node's store.
        catalog: Says how many years each kind is kept.
        now: The time, UTC-aware.
    """
    today = now.astimezone(SHANGHAI).date()
    found = []
    for kind, months in store.months_held().items():
        rule = catalog.records.get(kind)
        if rule is None:
            continue
        years = rule.retention_years
        due = {month: count for month, count in months.items() if _is_due(month, years, today)}
        if due:
            found.append(
                DueMonths(
                    kind=kind,
                    months=tuple(sorted(due)),
                    records=sum(due.values()),
                    years=years,
                    basis=rule.retention_basis,
                )
            )
    return tuple(found)


def retain(
    store: NodeStore, due: Iterable[DueMonths], progress: ProgressReporter
) -> Mapping[str, int]:
    """Delete what is due, month by month.

    Returns:
        Number of deleted records by kind.

    Raises:
        StoreError: The disk failed; months that were told are gone, the others stay.
    """
    deleted: dict[str, int] = {}
    work = [(one.kind, month) for one in due for month in one.months]
    for done, (kind, month) in enumerate(work, start=1):
        deleted[kind] = deleted.get(kind, 0) + store.drop_months(kind, [month])
        progress(_STAGE, done, len(work), "months")
    return deleted


def frozen_through(frozen: Iterable[int]) -> int:
    """Say through which month figures are no longer stated; 0 when none is frozen.

    >>> frozen_through([201911, 201912])
    202002
    >>> frozen_through([])
    0
    """
    last = max(frozen, default=0)
    if not last:
        return 0
    months = last // 100 * 12 + last % 100 - 1 + LOOKING_BACK_MONTHS
    return months // 12 * 100 + months % 12 + 1


def frozen_by_set(store: NodeStore, catalog: Catalog) -> dict[str, int]:
    """Month through which figures are no longer stated, by measure set; 0 when none is frozen."""
    frozen = store.frozen_months()
    return {
        name: frozen_through(month for kind in one.relations for month in frozen.get(kind, ()))
        for name, one in catalog.measure_sets.items()
    }


def _is_due(month: int, years: int, today: date) -> bool:
    """Whether the last day of a month lies back so many years."""
    year, number = divmod(month, 100)
    after = date(year + years + number // 12, number % 12 + 1, 1)
    return today >= after
