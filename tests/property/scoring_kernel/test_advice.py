"""Advice equals looking at every set of changes, and scoring it again gives the grade."""

from __future__ import annotations

import dataclasses
from datetime import date
from fractions import Fraction
from itertools import combinations
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring_kernel.advice import Advice, advise, reachable_changes
from scoring_kernel.catalog_loader import load_catalog
from scoring_kernel.errors import KernelInputError
from scoring_kernel.formulas import GatedRatio, Growth, Ratio, Scaled, Tally
from scoring_kernel.inputs import InputTable
from scoring_kernel.plan import ScoringPlan
from scoring_kernel.reference import build_reference
from scoring_kernel.scoring import ScoreResult, score
from scoring_kernel.sweep import sweep_values

if TYPE_CHECKING:
    from scoring_kernel.model import RatingModel

DAY: Final = date(2026, 6, 30)
MOVABLE: Final = 12
ROWS: Final = 12


def _with_twelve(model: RatingModel) -> RatingModel:
    """The model with no more than twelve indicators that can be moved."""
    movable = [one.id for one in model.indicators if one.improve is not None][:MOVABLE]
    return dataclasses.replace(
        model,
        indicators=tuple(
            one if one.id in movable else dataclasses.replace(one, improve=None)
            for one in model.indicators
        ),
    )


MODEL: Final = _with_twelve(load_catalog().models["designated_retail_pharmacy"])


def _cells(draw: st.DrawFn) -> dict[str, list[int]]:
    """Figures of institutions that do well in most things, so that grades lie close together."""
    found: dict[str, list[int]] = {}

    def some(least: int, most: int) -> list[int]:
        rng = np.random.default_rng(draw(st.integers(0, 10**6)))  # noqa: TID251 - the seed is drawn
        return [int(one) for one in rng.integers(least, most + 1, ROWS)]

    for one in MODEL.indicators:
        higher = getattr(one.shape, "higher_is_better", False)
        match one.derivation:
            case Ratio(numerator=numerator, denominator=str(denominator)):
                found[numerator] = some(600, 1_000) if higher else some(0, 100)
                found.setdefault(denominator, [1_000] * ROWS)
            case Scaled(column=column, divisor=divisor):
                found[column] = [divisor * share // 1_000 for share in some(600, 1_000)]
            case GatedRatio(gate=gate, numerator=numerator, denominator=denominator):
                found |= {gate: some(0, 1), numerator: some(500, 1_000)}
                found[denominator] = [1_000] * ROWS
            case Growth(columns=columns):
                found |= {column: some(900, 1_100) for column in columns}
            case Tally(columns=columns):
                found |= {column: [one // 12 for one in some(0, 12)] for column in columns}
            case _:
                pytest.fail(f"no figures for {one.id}")
    return found


@st.composite
def _results(draw: st.DrawFn) -> ScoreResult:
    columns = MODEL.input_columns
    cells = _cells(draw)
    values = np.array([cells.get(column, [0] * ROWS) for column in columns], np.int64)
    present = np.ones_like(values, np.bool_)
    for at in draw(st.lists(st.integers(0, len(columns) - 1), max_size=3)):
        present[at] = False
    inputs = InputTable(
        subjects=tuple(f"P3303020000{row}" for row in range(10, 10 + ROWS)),
        levels=("0",) * ROWS,
        types=("pharmacy",) * ROWS,
        columns=columns,
        values=np.where(present, values, 0).T,
        present=present.T,
    )
    return score(MODEL, inputs, build_reference(MODEL, inputs, DAY), DAY)


def _every_set(result: ScoreResult, row: int, need_total: int) -> tuple[int, int] | None:
    """Score every set of changes again; fewest changes and least effort of those that reach."""
    options = reachable_changes(result, row)
    places = {one.id: index for index, one in enumerate(result.model.indicators)}
    sets = [
        chosen
        for count in range(len(options) + 1)
        for chosen in combinations(range(len(options)), count)
    ]
    values = np.repeat(result.values_micro[row : row + 1], len(sets), axis=0)
    for line, chosen in enumerate(sets):
        for at in chosen:
            values[line, places[options[at].indicator]] = options[at].to_micro
    plan = ScoringPlan.of(result.model, result.reference, result.day)
    swept = sweep_values(
        plan,
        values,
        np.repeat(~result.missing[row : row + 1], len(sets), axis=0),
        np.full(len(sets), plan.groups.index(("0", "pharmacy")), np.int64),
    )
    reached = [
        (len(chosen), sum(options[at].effort for at in chosen))
        for chosen, total in zip(sets, swept.total.tolist(), strict=True)
        if total >= need_total
    ]
    return min(reached) if reached else None


def _cut(advice: Advice) -> int:
    return next(band.at_least_centi for band in MODEL.bands if band.id == advice.next_grade)


@settings(max_examples=25)
@given(_results(), st.integers(0, ROWS - 1))
def test_the_advice_equals_brute_force_over_twelve_indicators(
    result: ScoreResult, row: int
) -> None:
    assert sum(one.improve is not None for one in MODEL.indicators) == MOVABLE
    advice = advise(result, row)
    if advice.next_grade is None:
        assert not advice.changes
        return
    best = _every_set(result, row, _cut(advice))
    if best is None:
        assert not advice.changes
        return
    assert (len(advice.changes), sum(one.effort for one in advice.changes)) == best
    assert advice.total_centi >= _cut(advice)


@settings(max_examples=25)
@given(_results(), st.integers(0, ROWS - 1), st.fractions(0, 1))
def test_less_time_reaches_no_farther(result: ScoreResult, row: int, remaining: Fraction) -> None:
    whole = {one.indicator: one.gain_centi for one in reachable_changes(result, row)}
    for one in reachable_changes(result, row, remaining):
        assert one.gain_centi <= whole[one.indicator]


@pytest.mark.parametrize(("row", "remaining"), [(-1, 1), (ROWS, 1), (0, 2), (0, -1)])
def test_a_row_or_share_out_of_bounds_is_refused(row: int, remaining: int) -> None:
    inputs = InputTable(
        subjects=("P33030200001",),
        levels=("0",),
        types=("pharmacy",),
        columns=MODEL.input_columns,
        values=np.zeros((1, len(MODEL.input_columns)), np.int64),
        present=np.zeros((1, len(MODEL.input_columns)), np.bool_),
    )
    result = score(MODEL, inputs, None, DAY)
    with pytest.raises(KernelInputError, match="expected a row"):
        advise(result, row, Fraction(remaining))
    assert "数据不足" in advise(result, 0).text_zh


@settings(max_examples=25)
@given(_results(), st.integers(0, ROWS - 1), st.integers(0, len(MODEL.overrides) - 1))
def test_only_a_cap_below_the_next_grade_stands_in_its_way(
    result: ScoreResult, row: int, place: int
) -> None:
    overridden = np.zeros_like(result.overridden)
    overridden[row, place] = True
    capped = advise(dataclasses.replace(result, overridden=overridden), row)
    order = [band.id for band in MODEL.bands]
    target = capped.next_grade or order[0]
    cap = MODEL.overrides[place].caps["grades"]
    told = MODEL.overrides[place].name_zh in capped.text_zh
    assert told == (order.index(cap) > order.index(target))
