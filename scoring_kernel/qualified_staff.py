"""Payment qualification as measures of an item: decisions in its rows, state per subject.

Rules:
- Points left are those of the period's last day, 0 while the person is suspended or
  terminated. Barred is who was suspended or terminated on any day of the period.
- Who has no decision has all points. A day before the rules were in force states nothing.
- An ``act_id`` is unique in the city, whoever decides; a decision without one is about
  an act of its own.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from scoring_kernel.errors import KernelInputError
from scoring_kernel.item_values import day_of
from scoring_kernel.qualification import PointsDecision, is_barred_within, state_on

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scoring_kernel.information import InformationItem, ItemMeasure
    from scoring_kernel.item_values import Found, Row
    from scoring_kernel.periods import Period


def qualification_values(
    item: InformationItem,
    measure: ItemMeasure,
    rows: Iterable[Row],
    subjects: Sequence[str],
    period: Period,
) -> Found:
    """Points left, or whether barred, of every subject in a period.

    Args:
        item: The item of points decisions, with its rules.
        measure: Derives one of ``QUALIFICATIONS``.
        rows: Decisions about the subjects, of any day.
        subjects: Subject ids.
        period: The rating period.

    Returns:
        Value by subject; empty where the rules are not in force on the period's last day.

    Raises:
        KernelInputError: The item has no rules, or a decision breaks them.
    """
    rules = item.qualification
    if rules is None:
        raise KernelInputError(
            f"item {item.number}: {measure.id} needs the rules of qualification.yaml: load the "
            "item with the catalogue"
        )
    day = period.last_day
    if day < rules.since:
        return {}
    decisions: defaultdict[str, list[PointsDecision]] = defaultdict(list)
    for row in rows:
        decisions[str(row[item.subject_field])].append(_decision(item, row))
    if measure.derive == "qualification_points_left":
        unmarked = state_on((), day, rules).points_left
        return {
            one: state_on(decisions[one], day, rules).points_left if one in decisions else unmarked
            for one in subjects
        }
    return {
        one: int(
            one in decisions and is_barred_within(decisions[one], period.first_day, day, rules)
        )
        for one in subjects
    }


def _decision(item: InformationItem, row: Row) -> PointsDecision:
    points, months = row.get("points"), row.get("suspended_months")
    restored = row.get("restored_day")
    if not isinstance(points, int) or not isinstance(months, int | None):
        raise KernelInputError(
            f"item {item.number}: points {type(points).__name__}, suspended_months "
            f"{type(months).__name__}, expected whole numbers: parse the row with parse_row"
        )
    act = row.get("act_id")
    own = ("act", act) if act else ("document", *_key(item, row))
    return PointsDecision(
        day=day_of(item, row, "event_day"),
        points=points,
        act=repr(own),
        suspended_months=months,
        restored=None if restored is None else day_of(item, row, "restored_day"),
    )


def _key(item: InformationItem, row: Row) -> tuple[object, ...]:
    return tuple(row[column] for column in item.primary_key)
