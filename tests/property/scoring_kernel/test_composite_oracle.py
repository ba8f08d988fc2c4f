"""Composite scores against the slow scorer in fractions, and the laws they keep."""

from __future__ import annotations

from fractions import Fraction
from functools import reduce
from operator import add
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from scoring_kernel.composite import CompositeTable, explain_composite, score_composite
from scoring_kernel.composite.scoring import redistribute
from tests.support.composite_models import (
    SMALL_MEASURES,
    composite_table,
    small_composite,
    with_banding,
)
from tests.support.composite_oracle import Row, summaries

if TYPE_CHECKING:
    from random import Random

    from scoring_kernel.composite import CompositeModel

CUTS = with_banding("kind: cuts", "0.5", "-0.5")
DROP = ("zero_variance: refuse", "zero_variance: drop")
SAMPLE = small_composite(CUTS, DROP)
POPULATION = small_composite(CUTS, DROP, ("deviation: sample", "deviation: population"))
NAMES = [one.id for one in SMALL_MEASURES.measures]

VALUES = (
    st.none()
    | st.integers(-4, 4).map(float)
    | st.integers(-(10**6), 10**6).map(lambda thousandth: thousandth / 1000)
)
ROWS = st.lists(st.lists(VALUES, min_size=4, max_size=4), min_size=1, max_size=12)


def fractions(rows: list[list[float | None]]) -> list[Row]:
    return [
        {name: Fraction(one) for name, one in zip(NAMES, row, strict=True) if one is not None}
        for row in rows
    ]


@given(rows=ROWS, model=st.sampled_from([SAMPLE, POPULATION]))
def test_scores_are_those_of_exact_arithmetic(
    rows: list[list[float | None]], model: CompositeModel
) -> None:
    result = score_composite(model, composite_table(rows), SMALL_MEASURES)
    expected, counts = summaries(model, SMALL_MEASURES, fractions(rows))
    for at, score in enumerate(expected):
        if np.isnan(result.summary[at]):
            assert score is None
        else:
            assert score is not None
            assert abs(result.summary[at] - float(score)) < 1e-9
        found = dict(zip([one.id for one in model.groups], result.counts[at], strict=True))
        assert found == counts[at]


@given(rows=ROWS)
def test_contributions_add_up_to_the_last_bit(rows: list[list[float | None]]) -> None:
    result = score_composite(SAMPLE, composite_table(rows), SMALL_MEASURES)
    for at in range(len(rows)):
        said = explain_composite(result, at)
        total = reduce(add, (group.contribution for group in said.groups), 0.0)
        if said.summary is None:
            assert all(group.weight == 0 for group in said.groups)
        else:
            assert total == said.summary
            assert abs(sum(group.weight for group in said.groups) - 1) < 1e-15


@given(rows=ROWS, order=st.randoms())
def test_the_order_of_subjects_and_columns_changes_no_bit(
    rows: list[list[float | None]], order: Random
) -> None:
    table = composite_table(rows)
    result = score_composite(SAMPLE, table, SMALL_MEASURES)
    at, columns = list(range(len(rows))), list(range(4))
    order.shuffle(at)
    order.shuffle(columns)
    other = CompositeTable(
        subjects=tuple(table.subjects[row] for row in at),
        measures=tuple(table.measures[column] for column in columns),
        values=table.values[at][:, columns],
    )
    again = score_composite(SAMPLE, other, SMALL_MEASURES)
    assert again.summary.tobytes() == result.summary[at].tobytes()
    assert again.bands == tuple(result.bands[row] for row in at)


@given(
    weights=st.lists(st.integers(1, 100), min_size=1, max_size=6),
    rows=st.lists(st.lists(st.booleans(), min_size=6, max_size=6), min_size=1, max_size=8),
)
def test_weights_of_missing_groups_go_to_the_others_in_proportion(
    weights: list[int], rows: list[list[bool]]
) -> None:
    nominal = [Fraction(one, sum(weights)) for one in weights]
    present = [row[: len(weights)] for row in rows]
    found = redistribute(nominal, np.array(present))
    for shares, pattern in zip(found.tolist(), present, strict=True):
        left = sum(one for one, live in zip(weights, pattern, strict=True) if live)
        expected = [one / left if live else 0.0 for one, live in zip(weights, pattern, strict=True)]
        assert shares == expected
