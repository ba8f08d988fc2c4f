"""Laws of payment qualification, against a day-by-day reading of the rules."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from scoring_kernel.catalog_loader import load_catalog
from scoring_kernel.qualification import (
    PointsDecision,
    Qualification,
    add_months,
    is_barred_within,
    state_on,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

RULES = load_catalog().qualification
FIRST, LAST = date(2025, 1, 1), date(2028, 12, 31)
DECISIONS = st.lists(
    st.builds(
        PointsDecision,
        day=st.dates(FIRST, date(2027, 12, 31)),
        points=st.integers(1, 12) | st.integers(1, 4),
        act=st.sampled_from("abcdef"),
        suspended_months=st.none() | st.integers(1, 6),
        restored=st.none() | st.dates(FIRST, LAST),
    ),
    max_size=8,
)
DAYS = st.dates(FIRST, LAST)


def walked(decisions: Sequence[PointsDecision], until: date) -> tuple[str, int, date | None]:
    """The same rules, walked day by day over the calendar."""
    state, points, free, highest = "normal", 0, None, dict.fromkeys("abcdef", 0)
    day, registered = FIRST, False
    restored = {one.restored for one in decisions if one.day <= until}
    while day <= until:
        if (day.month, day.day) == (1, 1):
            points = 0
        registered = registered or day in restored
        if free is not None and day >= free and (state == "suspended" or registered):
            state, free = "normal", None
        today = [one for one in decisions if one.day == day]
        before = dict(highest)
        for one in today:
            highest[one.act] = max(highest[one.act], one.points)
        added = {act: highest[act] - before[act] for act in highest if highest[act] > before[act]}
        if added:
            full, points = points, min(12, points + sum(added.values()))
            named = [one.suspended_months for one in today if one.suspended_months]
            most = max(points, *(highest[act] for act in added))
            if any(highest[act] == 12 for act in added):
                state, ends, registered = "terminated", add_months(day, 36), False
            elif full < 12 == points:
                state, ends, registered = "terminated", add_months(day, 12), False
            elif 9 <= most < 12 and state != "terminated":
                months = max(named) if named else {9: 2, 10: 4, 11: 6}[most]
                state, ends = "suspended", add_months(day, months)
            else:
                ends = free or day
            if state != "normal":
                free = max(ends, free or day)
        day += timedelta(days=1)
    return state, points, free


@given(DECISIONS, DAYS, st.randoms(use_true_random=False))
def test_any_order_gives_the_state_of_a_walk_over_the_calendar(
    decisions: list[PointsDecision], day: date, random: Random
) -> None:
    shuffled = decisions * 2
    random.shuffle(shuffled)
    found = state_on(shuffled, day, RULES)
    assert (str(found.state), found.points, found.until) == walked(decisions, day)


@given(DECISIONS, DAYS)
def test_points_and_terms_keep_within_the_rules(decisions: list[PointsDecision], day: date) -> None:
    found = state_on(decisions, day, RULES)
    assert 0 <= found.points <= 12
    assert found.points_left == (0 if found.is_barred else 12 - found.points)
    assert (found.until is None) == (found.state is Qualification.NORMAL)
    assert found.until is None or found.until <= add_months(day, 36)
    if found.state is Qualification.SUSPENDED:
        assert found.until is not None
        assert day < found.until


@given(DECISIONS, DAYS, st.integers(1, 12))
def test_one_more_decision_never_frees_anybody(
    decisions: list[PointsDecision], day: date, points: int
) -> None:
    more = PointsDecision(day=day, points=points, act="another")
    before, after = state_on(decisions, day, RULES), state_on([*decisions, more], day, RULES)
    assert after.points >= before.points
    assert after.is_barred >= before.is_barred
    assert (after.until or day) >= (before.until or day)


@given(DECISIONS, DAYS)
def test_new_year_clears_points_and_shortens_no_term(
    decisions: list[PointsDecision], day: date
) -> None:
    new_year = date(day.year + 1, 1, 1)
    past = [one for one in decisions if one.day < new_year]
    eve, first = (state_on(past, one, RULES) for one in (new_year - timedelta(days=1), new_year))
    assert first.points == 0
    over = eve.state is Qualification.SUSPENDED and eve.until == new_year
    if eve.state is Qualification.TERMINATED:
        over = not first.is_barred
    assert first.until == (None if over else eve.until)


@given(DECISIONS, DAYS)
def test_a_lower_decision_on_a_known_act_changes_nothing(
    decisions: list[PointsDecision], day: date
) -> None:
    again = [
        PointsDecision(day=min(one.day + timedelta(days=30), LAST), points=1, act=one.act)
        for one in decisions
    ]
    assert state_on(decisions, day, RULES) == state_on([*decisions, *again], day, RULES)


@given(DECISIONS, DAYS, st.integers(0, 200))
def test_barred_within_a_span_is_barred_on_one_of_its_days(
    decisions: list[PointsDecision], first: date, days: int
) -> None:
    span = [first + timedelta(days=one) for one in range(days + 1)]
    every = any(state_on(decisions, day, RULES).is_barred for day in span)
    assert is_barred_within(decisions, span[0], span[-1], RULES) == every
