"""Payment qualification: the supervisor's case table, and what is refused."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scoring_kernel.catalog_loader import load_catalog
from scoring_kernel.errors import KernelInputError, ParameterNotInForceError
from scoring_kernel.qualification import (
    TRANSITIONS,
    PointsDecision,
    Qualification,
    Step,
    state_on,
)
from scoring_kernel.strict_yaml import load_strict

if TYPE_CHECKING:
    from scoring_kernel.yaml_section import Section

FILE = Path(__file__).parents[2] / "cases" / "qualification" / "states.yaml"
CASES = load_strict(FILE.read_bytes(), FILE.name).sections("cases")
RULES = load_catalog().qualification
DAY = date(2026, 6, 30)


def decision(given: Section) -> PointsDecision:
    months = given.values.get("suspended_months")
    return PointsDecision(
        day=given.day("day"),
        points=given.integer("points", least=1, most=12),
        act=given.text("act"),
        suspended_months=months if isinstance(months, int) else None,
        restored=given.day("restored_day") if "restored_day" in given.values else None,
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.text("id"))
def test_the_state_on_a_day_is_the_tables(case: Section) -> None:
    decisions = [decision(one) for one in case.sections("given")]
    expect = case.section("expect")
    for order in (decisions, decisions[::-1]):
        found = state_on(order, case.day("day"), RULES)
        assert str(found.state) == expect.text("state")
        assert (found.points, found.points_left) == (expect.values["points"], expect.values["left"])
        assert found.until == expect.values["until"]
        assert found.is_barred == (found.state is not Qualification.NORMAL)


def test_a_suspension_ends_with_its_term_and_a_termination_by_restoration() -> None:
    every = {(state, step) for state in Qualification for step in Step}
    assert every - TRANSITIONS.keys() == {
        (Qualification.NORMAL, Step.TERM_ENDED),
        (Qualification.NORMAL, Step.RESTORED),
        (Qualification.SUSPENDED, Step.RESTORED),
        (Qualification.TERMINATED, Step.TERM_ENDED),
    }


@pytest.mark.parametrize("points", [0, 13, -1])
def test_points_outside_one_act_are_refused(points: int) -> None:
    wrong = PointsDecision(day=DAY, points=points, act="a")
    with pytest.raises(KernelInputError, match=f"{points} points, expected 1 to 12: correct"):
        state_on([wrong], DAY, RULES)


@pytest.mark.parametrize("months", [0, 7])
def test_months_outside_the_ladder_are_refused(months: int) -> None:
    wrong = PointsDecision(day=DAY, points=9, act="a", suspended_months=months)
    with pytest.raises(KernelInputError, match=f"suspension of {months} months, expected 1 to 6"):
        state_on([wrong], DAY, RULES)


def test_a_day_before_the_rules_has_no_state() -> None:
    with pytest.raises(ParameterNotInForceError, match="first day 2024-09-27"):
        state_on([], date(2024, 9, 26), RULES)


def test_the_numbers_come_from_the_catalogue() -> None:
    numbers = RULES.on(DAY)
    assert (numbers.cap, numbers.suspends_from, numbers.ladder) == (12, 9, {9: 2, 10: 4, 11: 6})
    assert (numbers.cumulative_months, numbers.one_act_months) == (12, 36)
