from __future__ import annotations

import numpy as np

from hub.grading.inputs import _withhold


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
