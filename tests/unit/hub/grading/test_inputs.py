from __future__ import annotations

from datetime import date

import numpy as np

from hub.grading.inputs import _Source, _wanted, _withhold
from scoring_kernel import load_catalog
from scoring_kernel.periods import Period
from security.moments import day_number


def test_figures_of_part_of_a_window_are_missing_in_that_window_only() -> None:
    values, present = np.array([1, 2, 3]), np.array([True, True, False])
    found = {
        "physician.visits@current": (values, present),
        "physician.visits@base": (values, present),
    }
    codes = ("D330302000001", "D330302000002", "D330302000003")
    _withhold(found, "current", codes, frozenset((codes[1], codes[2], "D330302000009")))
    assert found["physician.visits@current"][1].tolist() == [True, False, False]
    assert found["physician.visits@base"][1].tolist() == [True, True, False]


def test_nothing_is_withheld_without_gaps() -> None:
    column = (np.array([1]), np.array([True]))
    found = {"physician.visits@current": column}
    _withhold(found, "current", ("D330302000001",), frozenset())
    assert found["physician.visits@current"] is column


def test_points_are_read_from_the_first_day_of_their_rules_and_other_events_for_years() -> None:
    period = Period.parse("2031H1")
    for number, first in (("s03", date(2024, 9, 27)), ("s04", date(2027, 1, 1))):
        source = _Source(name=number, is_item=True, windows=frozenset({"current"}))
        (condition,) = _wanted(load_catalog().items[number], source, period)
        days = set(condition.compile().params.values())
        assert days == {day_number(first), day_number(date(2031, 6, 30))}
