"""M08, M10, M11, M12 and M17 against the plainest Python: who is hit, and every fen of it."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.rule_engine import FoundHit, find_hits
from tests.support.rule_facts import RuleFacts

if TYPE_CHECKING:
    from collections.abc import Iterable

FIRST: Final = date(2026, 1, 1)
DRUG: Final = "XC09CAX001A001010100001"
GENERIC: Final = DRUG[:10]
ITEM: Final = "002503020030000"

Charge = tuple[int, int, int, int, int, int]
"""Person, institution, day, hour, fen, count or days; no two agree in the first four."""

charges = st.lists(
    st.tuples(
        st.integers(1, 3),
        st.integers(1, 2),
        st.integers(0, 24),
        st.integers(6, 20),
        st.integers(1, 1_000),
        st.integers(1, 12),
    ),
    min_size=1,
    max_size=24,
    unique_by=lambda one: one[:4],
)


def half_up(amount: int, part: int, whole: int) -> int:
    """Fen of a part of an amount, half up."""
    return (2 * amount * part + whole) // (2 * whole)


def facts_of(rows: Iterable[Charge], item: str, **knowledge: object) -> RuleFacts:
    """One settled visit with one line per charge."""
    facts = RuleFacts()
    for number, (person, institution, day, hour, amount, count) in enumerate(sorted(rows), 1):
        at = datetime.combine(FIRST + timedelta(days=day), time(hour))
        name = f"V{number}"
        facts.visit(name, person=f"P{person}", institution=f"H{institution}", begins=at)
        facts.line(visit=name, item=item, at=at, amount=amount / 100, count=count, days=count)
    for table, row in knowledge.items():
        facts.knowledge[table] = [row]  # type: ignore[list-item]
    return facts


def by_person(rows: Iterable[Charge]) -> dict[int, list[Charge]]:
    """Charges of each person, in order of their moments."""
    found: dict[int, list[Charge]] = defaultdict(list)
    for one in rows:
        found[one[0]].append(one)
    return {
        person: sorted(own, key=lambda one: (one[2], one[3], one[1]))
        for person, own in found.items()
    }


def shares(
    rows: Iterable[Charge], key: str, part: int, whole: int
) -> dict[tuple[str, str, str], int]:
    """What each institution has of the part of an amount that is rounded once."""
    found: dict[tuple[str, str, str], int] = defaultdict(int)
    running = 0
    for person, institution, _, _, amount, _ in rows:
        before, running = running, running + amount
        named = (f"P{person}", f"H{institution}", key)
        found[named] += half_up(running, part, whole) - half_up(before, part, whole)
    return found


def told(hits: Iterable[FoundHit]) -> dict[tuple[str, str, str], int]:
    """Amounts of hits by person, institution and key."""
    return {(hit.person or "", hit.institution, hit.key or ""): hit.amount_fen for hit in hits}


def day_of(number: int) -> str:
    """Day of a number, yyyy-mm-dd."""
    return (FIRST + timedelta(days=number)).isoformat()


@given(charges, st.integers(1, 6))
@settings(max_examples=12)
def test_a_course_is_cut_where_it_pauses_and_its_excess_adds_up(
    rows: list[Charge], limit: int
) -> None:
    expected: dict[tuple[str, str, str], int] = {}
    for own in by_person(rows).values():
        courses: list[list[Charge]] = []
        for one in own:
            if not courses or one[2] - courses[-1][-1][2] > 7:
                courses.append([])
            courses[-1].append(one)
        for course in courses:
            days = len({one[2] for one in course})
            if days > limit:
                key = f"{GENERIC}|{day_of(course[0][2])}"
                expected |= shares(course, key, days - limit, days)
    row = {"code": DRUG, "generic": GENERIC, "limit_days": limit}
    assert told(find_hits("M08", facts_of(rows, DRUG, k_drug_course=row))) == expected


@given(charges, st.integers(1, 24))
@settings(max_examples=12)
def test_the_excess_of_a_day_adds_up_over_institutions(rows: list[Charge], limit: int) -> None:
    expected: dict[tuple[str, str, str], int] = {}
    for own in by_person(rows).values():
        for day in {one[2] for one in own}:
            same = [one for one in own if one[2] == day]
            count = sum(one[5] for one in same)
            if count > limit:
                expected |= shares(same, f"{ITEM}|{day_of(day)}", count - limit, count)
    row = {"code": ITEM, "day_limit": limit, "hourly": False}
    assert told(find_hits("M10", facts_of(rows, ITEM, k_item_freq=row))) == expected


@given(charges, st.integers(1, 20), st.integers(1, 3))
@settings(max_examples=12)
def test_a_period_counts_days_back_over_institutions(
    rows: list[Charge], days: int, times: int
) -> None:
    expected: dict[tuple[str, str, str], int] = defaultdict(int)
    for own in by_person(rows).values():
        found = sorted({one[2] for one in own})
        over = {
            day
            for place, day in enumerate(found)
            if place >= times and day - found[place - times] < days
        }
        for person, institution, day, _, amount, _ in own:
            if day in over:
                expected[f"P{person}", f"H{institution}", f"{ITEM}|{day_of(day)}"] += amount
    row = {"code": ITEM, "days": days, "times": times}
    assert told(find_hits("M11", facts_of(rows, ITEM, k_item_cycle=row))) == expected


@given(charges, st.integers(1, 6), st.one_of(st.none(), st.integers(2, 9)))
@settings(max_examples=12)
def test_a_course_of_treatment_counts_days_and_gaps(
    rows: list[Charge], total: int, gap: int | None
) -> None:
    expected: dict[tuple[str, str, str], int] = defaultdict(int)
    for own in by_person(rows).values():
        found = sorted({one[2] for one in own})
        over = {
            day
            for place, day in enumerate(found)
            if place >= total or (gap and place and day - found[place - 1] < gap)
        }
        for person, institution, day, _, amount, _ in own:
            if day in over:
                expected[f"P{person}", f"H{institution}", f"{ITEM}|{day_of(day)}"] += amount
    row = {"code": ITEM, "total_days": total, "min_gap_days": gap, "per_disease": False}
    assert told(find_hits("M12", facts_of(rows, ITEM, k_item_course=row))) == expected


@given(charges)
@settings(max_examples=12)
def test_supplies_in_hand_are_those_of_all_earlier_dispensings(rows: list[Charge]) -> None:
    expected: dict[tuple[str, str, str, int], int] = {}
    for own in by_person(rows).values():
        for place, (person, institution, day, hour, amount, days) in enumerate(own):
            left = sum(max(0, one[2] + one[5] - day) for one in own[:place])
            if left > 7:
                named = (f"P{person}", f"H{institution}", f"{GENERIC}|{day_of(day)}", hour)
                expected[named] = half_up(amount, min(left, days), days)
    hits = find_hits("M17", facts_of(rows, DRUG))
    assert {
        (hit.person or "", hit.institution, hit.key or "", hit.at.hour): hit.amount_fen
        for hit in hits
        if hit.visit
    } == expected
