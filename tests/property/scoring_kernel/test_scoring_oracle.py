"""The kernel against the slow scorer in fractions, on thousands of made-up subjects."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring_kernel.arithmetic import MAX_WHOLE
from scoring_kernel.explanation import explain
from scoring_kernel.inputs import MAX_INPUT
from scoring_kernel.reference import Reference, build_reference, nearest_rank
from scoring_kernel.scoring import score
from tests.support.kernel_models import (
    Subject,
    institution_model,
    small_model,
    table,
    tiny_model,
    wide_model,
)
from tests.support.kernel_oracle import score_one

if TYPE_CHECKING:
    from random import Random

    from scoring_kernel.model import RatingModel

DAY = date(2026, 6, 30)
SMALL = small_model()
INSTITUTION = institution_model()
MODELS = (SMALL, tiny_model(), wide_model())

NUMBERS = st.one_of(
    st.integers(0, 12),
    st.integers(0, 10**4),
    st.integers(0, 10**6),
    st.integers(0, 10**12),
    st.integers(-(10**6), 10**6),
    st.integers(-MAX_INPUT, MAX_INPUT),
    # Both sides of the bounds: of an input, of a value's whole part, of a term of a growth,
    # of a value that shrinks; and halves of a millionth.
    st.sampled_from(
        [
            sign * (bound + step)
            for bound in (MAX_WHOLE, 100 * MAX_WHOLE, 5_000_000, 10**6, 5 * 10**11)
            for step in (-1, 0, 1)
            for sign in (1, -1)
        ]
    ),
    st.sampled_from([MAX_INPUT, -MAX_INPUT, 2 * 10**6, 4 * 10**6, 2 * 10**12]),
)


def subjects(model: RatingModel, most: int) -> st.SearchStrategy[list[Subject]]:
    columns = model.input_columns
    one = st.builds(
        lambda numbers, kept, level, kind: Subject(
            inputs={
                column: number
                for column, number, keep in zip(columns, numbers, kept, strict=True)
                if keep
            },
            level=level,
            type=kind,
        ),
        st.lists(NUMBERS, min_size=len(columns), max_size=len(columns)),
        st.one_of(
            st.just([True] * len(columns)),
            st.lists(st.booleans(), min_size=len(columns), max_size=len(columns)),
        ),
        st.sampled_from(model.levels),
        st.sampled_from(model.types),
    )
    return st.lists(one, max_size=most)


def compare(model: RatingModel, given_subjects: list[Subject], *, with_reference: bool) -> None:
    inputs = table(model, given_subjects)
    reference = build_reference(model, inputs, DAY) if with_reference else None
    result = score(model, inputs, reference, DAY)
    for row, subject in enumerate(given_subjects):
        expected = score_one(model, subject, reference, DAY)
        assert result.values_micro[row].tolist() == expected.values
        assert result.missing[row].tolist() == expected.missing
        assert result.provisional[row].tolist() == expected.provisional
        assert result.out_of_range[row].tolist() == expected.out_of_range
        assert result.shrunk[row].tolist() == expected.shrunk
        assert result.weights_centi[row].tolist() == expected.weights
        assert result.points_centi[row].tolist() == expected.points
        assert int(result.total_centi[row]) == expected.total
        assert int(result.coverage_centi[row]) == expected.coverage
        assert result.overridden[row].tolist() == expected.overridden
        assert result.undetermined[row].tolist() == expected.undetermined
        assert result.earned_grades[row] == expected.earned
        assert result.grades[row] == expected.grade
        told = explain(result, row)
        assert sum(one.points_centi for one in told) == expected.total
        assert all(0 <= one.lost_centi <= one.weight_centi for one in told)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.id)
@settings(max_examples=150, deadline=None)
@given(data=st.data(), with_reference=st.booleans())
def test_the_kernel_equals_the_fraction_oracle(
    data: st.DataObject, model: RatingModel, *, with_reference: bool
) -> None:
    compare(model, data.draw(subjects(model, 8)), with_reference=with_reference)


@settings(max_examples=30, deadline=None)
@given(given_subjects=subjects(INSTITUTION, 3), with_reference=st.booleans())
def test_the_institution_model_equals_the_fraction_oracle(
    given_subjects: list[Subject], *, with_reference: bool
) -> None:
    compare(INSTITUTION, given_subjects, with_reference=with_reference)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.id)
@settings(max_examples=40, deadline=None)
@given(data=st.data(), random=st.randoms(use_true_random=False))
def test_neither_order_nor_company_changes_a_score(
    data: st.DataObject, model: RatingModel, random: Random
) -> None:
    given_subjects = data.draw(subjects(model, 10))
    inputs = table(model, given_subjects)
    reference = build_reference(model, inputs, DAY)
    whole = score(model, inputs, reference, DAY)
    order = list(range(len(given_subjects)))
    random.shuffle(order)
    for row in order:
        alone = table(model, [given_subjects[row]])
        part = Reference.from_values(
            reference.values_for(alone.levels[0], alone.types[0]),
            model_digest=reference.model_digest,
            day=reference.day,
        )
        own = score(model, alone, part, DAY)
        assert own.points_centi[0].tolist() == whole.points_centi[row].tolist()
        assert own.weights_centi[0].tolist() == whole.weights_centi[row].tolist()
        assert own.grades[0] == whole.grades[row]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.id)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_weights_add_up_whatever_is_missing(data: st.DataObject, model: RatingModel) -> None:
    result = score(model, table(model, data.draw(subjects(model, 6))), None, DAY)
    assert set(result.weights_centi.sum(axis=1).tolist()) <= {model.total_centi}


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 400), st.integers(1, 400), st.integers(0, 400), st.integers(0, 400))
def test_more_done_never_lowers_the_points(
    done: int, planned: int, more: int, penalties: int
) -> None:
    def points(inputs: dict[str, int]) -> list[int]:
        result = score(SMALL, table(SMALL, [Subject(inputs=inputs)]), None, DAY)
        found: list[int] = result.points_centi[0].tolist()
        return found

    base = {"work.done@current": done, "work.planned@current": planned}
    better = {**base, "work.done@current": done + more}
    assert points(better)[0] >= points(base)[0]
    tally = {"item.03.minor@current": penalties, "item.03.major@age1": 0}
    worse = {**tally, "item.03.minor@current": penalties + more}
    assert points(worse)[5] <= points(tally)[5]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=40), st.integers(1, 100))
def test_a_nearest_rank_covers_its_percentage(values: list[int], percentage: int) -> None:
    found = nearest_rank(np.sort(np.array(values, np.int64)), percentage)
    assert found in values
    assert 100 * sum(value <= found for value in values) >= percentage * len(values)
    assert 100 * sum(value < found for value in values) < percentage * len(values)
