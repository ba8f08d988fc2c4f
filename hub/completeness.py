"""Completeness of a hub's items (信息完整性): who owes which by when, what came, what is late.

Rules:

- An item is owed for a half-year by its source department, until the deadline that the
  catalogue's ``due`` gives; it came with the first file of it that was read to its end,
  also one without rows.
- It is late from the day after the deadline, in Asia/Shanghai, until it comes; what
  came after its deadline stays marked.
- A register is for no half-year: it is late where it never came. Handed in again
  unchanged it leaves no trace, so its age alone says nothing; its day is shown.
- What is due on change has no deadline and is never late.
- Of an item with one row per subject it is told how many subjects of the register
  have their row; of every item, how many of its lines stay refused.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from hub.store.item_imports import first_imports, refused_by_item
from hub.store.item_rows import count_subjects
from scoring_kernel.periods import Period
from security.moments import SHANGHAI

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from scoring_kernel import Catalog
    from scoring_kernel.information import InformationItem


class Standing(StrEnum):
    """How an item stands, in the order in which it wants attention."""

    LATE = "late"
    AWAITED = "awaited"
    CAME_LATE = "came_late"
    CAME = "came"


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemStanding:
    """How one item stands for one half-year.

    Attributes:
        item: Number of the information item.
        name_zh: Its name.
        owed_by: Department that hands it in.
        period: Half-year; empty for a register.
        every: How often it is due, a word of the catalogue.
        deadline: Last day on which it is in time; None where it is due on change.
        came_on: Day of the first file that was read to its end, Asia/Shanghai; None before.
        days_late: Days after the deadline on which it came, or since then; 0 in time.
        standing: How it stands.
        subjects: Subjects with a row, of an item with one row per subject; else None.
        registered: Subjects of its register, where ``subjects`` is told; else None.
        refused: Its lines and files that stay refused, of any half-year.
    """

    item: str
    name_zh: str
    owed_by: str
    period: str
    every: str
    deadline: date | None
    came_on: date | None
    days_late: int
    standing: Standing
    subjects: int | None
    registered: int | None
    refused: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Completeness:
    """All items of one half-year, late ones first.

    Attributes:
        period: The half-year.
        rows: One per item.
    """

    period: str
    rows: tuple[ItemStanding, ...]

    @property
    def figures(self) -> dict[str, str | int]:
        """Half-year, items owed, and how many stand how, as a status shows them."""
        counts = Counter(row.standing for row in self.rows)
        return {
            "period": self.period,
            "owed": len(self.rows),
            **{str(standing): counts[standing] for standing in Standing},
        }


def completeness(
    connection: Connection, catalog: Catalog, *, now: datetime, period: Period | None = None
) -> Completeness:
    """Hold what came against what is owed.

    Args:
        connection: A transaction.
        catalog: Information items with their deadlines.
        now: The moment, UTC.
        period: The half-year; the last one that has ended when None.

    Returns:
        Every item of the catalogue, late ones first, then by number.
    """
    today = now.astimezone(SHANGHAI).date()
    asked = period or _period_of(today).prior()
    came = first_imports(connection)
    refused = refused_by_item(connection)
    rows = []
    for item in catalog.items.values():
        name = asked.name if item.has_period else ""
        moment = came.get((item.number, name))
        subjects, registered = _subjects(connection, item, asked)
        rows.append(
            _standing(
                item,
                asked,
                came_on=None if moment is None else _day_of(moment),
                today=today,
                counts=(subjects, registered),
                refused=refused.get(item.number, 0),
            )
        )
    order = list(Standing)
    rows.sort(key=lambda row: (order.index(row.standing), row.item))
    return Completeness(period=asked.name, rows=tuple(rows))


def _standing(
    item: InformationItem,
    period: Period,
    *,
    came_on: date | None,
    today: date,
    counts: tuple[int | None, int | None],
    refused: int,
) -> ItemStanding:
    deadline = item.due.deadline(period)
    counted = came_on or today
    days = 0 if deadline is None else max((counted - deadline).days, 0)
    if came_on is None:
        standing = Standing.LATE if days else Standing.AWAITED
    else:
        # A register that came once is here; which half-year it came in says nothing.
        days = days if item.has_period else 0
        standing = Standing.CAME_LATE if days else Standing.CAME
    return ItemStanding(
        item=item.number,
        name_zh=item.name_zh,
        owed_by=item.source_department,
        period=period.name if item.has_period else "",
        every=item.due.every,
        deadline=deadline,
        came_on=came_on,
        days_late=days,
        standing=standing,
        subjects=counts[0],
        registered=counts[1],
        refused=refused,
    )


def _subjects(
    connection: Connection, item: InformationItem, period: Period
) -> tuple[int | None, int | None]:
    if item.kind != "row" or item.register is None:
        return None, None
    return (
        count_subjects(connection, item.number, period.name),
        count_subjects(connection, item.register, ""),
    )


def _period_of(day: date) -> Period:
    return Period(year=day.year, half=1 if day.month <= 6 else 2)


def _day_of(moment_ms: int) -> date:
    return datetime.fromtimestamp(moment_ms / 1000, UTC).astimezone(SHANGHAI).date()


def as_rows(found: Completeness) -> list[Mapping[str, str | int | None]]:
    """Write the items as rows of a table, days as ``yyyy-mm-dd``.

    Args:
        found: Result of ``completeness``.
    """
    return [
        {
            "standing": str(row.standing),
            "item": row.item,
            "name": row.name_zh,
            "owed_by": row.owed_by,
            "period": row.period,
            "deadline": None if row.deadline is None else row.deadline.isoformat(),
            "came_on": None if row.came_on is None else row.came_on.isoformat(),
            "days_late": row.days_late,
            "subjects": row.subjects,
            "registered": row.registered,
            "refused": row.refused,
        }
        for row in found.rows
    ]
