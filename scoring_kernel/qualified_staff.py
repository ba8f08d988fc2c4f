"""Payment qualification as measures of an item: decisions in its rows, state per subject.

Rules:
- The state is that of the period's last day; points left are 0 while the person is
  suspended or terminated.
- Who has no decision has all points. A day before the rules were in force states nothing.
- A decision without an ``act_id`` is about an act of its own.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from scoring_kernel.errors import KernelInputError
from scoring_kernel.item_values import day_of
from scoring_kernel.qualification import PointsDecision, state_on

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from scoring_kernel.information import InformationItem, ItemMeasure
    from scoring_kernel.item_values import Found, Row


def qualification_values(
    item: InformationItem,
    measure: ItemMeasure,
    rows: Iterable[Row],
    subjects: Sequence[str],
    day: date,
) -> Found:
    """Points left, or whether barred, of every subject on a day.

    Args:
        item: The item of points decisions, with its rules.
        measure: Derives one of ``QUALIFICATIONS``.
        rows: Decisions about the subjects, of any day.
        subjects: Subject ids.
        day: The day asked for.

    Returns:
        Value by subject; empty where the rules are not in force on the day.

    Raises:
        KernelInputError: The item has no rules, or a decision breaks them.
    """
    rules = item.qualification
    if rules is None:
        raise KernelInputError(
            f"item {item.number}: {measure.id} needs the rules of qualification.yaml: load the "
            "item with the catalogue"
        )
    if day < rules.since:
        return {}
    decisions: defaultdict[str, list[PointsDecision]] = defaultdict(list)
    for row in rows:
        decisions[str(row[item.subject_field])].append(_decision(item, row))
    unmarked = state_on((), day, rules)
    found: Found = {}
    for subject in subjects:
        own = decisions.get(subject)
        state = unmarked if own is None else state_on(own, day, rules)
        left = measure.derive == "qualification_points_left"
        found[subject] = state.points_left if left else int(state.is_barred)
    return found


def _decision(item: InformationItem, row: Row) -> PointsDecision:
    points, months = row.get("points"), row.get("suspended_months")
    if not isinstance(points, int) or not isinstance(months, int | None):
        raise KernelInputError(
            f"item {item.number}: points {type(points).__name__}, suspended_months "
            f"{type(months).__name__}, expected whole numbers: parse the row with parse_row"
        )
    # An act is an authority's own number; a decision without one is known by its document.
    act = row.get("act_id")
    own = ("act", row["authority"], act) if act else ("document", *_key(item, row))
    return PointsDecision(
        day=day_of(item, row, "event_day"), points=points, act=repr(own), suspended_months=months
    )


def _key(item: InformationItem, row: Row) -> tuple[object, ...]:
    return tuple(row[column] for column in item.primary_key)
