"""A compiled model grades totals exactly on a cut, and one hundredth below, as they are."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest

from scoring_kernel import load_catalog
from scoring_kernel.formulas import Scaled
from scoring_kernel.indicators import MissingPolicy
from scoring_kernel.onnx_graph import compile_model
from scoring_kernel.onnx_scorer import OnnxScorer
from scoring_kernel.parameters import MICRO
from scoring_kernel.scoring import score
from scoring_kernel.shapes import LinearShape, Threshold
from tests.support.kernel_models import Subject, small_model, table
from tests.support.kernel_oracle import divide
from tests.support.onnx_graphs import run_whole
from tests.support.onnx_models import DAY

if TYPE_CHECKING:
    from scoring_kernel.model import RatingModel

CATALOGUE: Final = load_catalog().models
BAND_SETS: Final = [(name, bands) for name, model in CATALOGUE.items() for bands in model.band_sets]
COLUMNS: Final = ("work.one@current", "work.two@current", "work.three@current", "work.four@current")
TOTAL: Final = 100_000


def counting_model(name: str, first: str) -> RatingModel:
    """A model with the band sets of another, one of them first: inputs are its points.

    Four indicators of odd weights; a column of so many hundredths earns as many.
    """
    sets, plain = CATALOGUE[name].band_sets, small_model()
    one = next(one for one in plain.indicators if isinstance(one.derivation, Scaled))
    weights = divide(TOTAL, [7, 11, 13, 17])
    outer, inner = (
        replace(group, weight_centi=TOTAL)
        for group in plain.groups
        if group.id in {one.level1.id, one.level2.id}
    )
    return replace(
        plain,
        groups=(outer, inner),
        indicators=tuple(
            replace(
                one,
                id=f"part_{place}",
                number=place + 1,
                weight_centi=weight,
                derivation=Scaled(column=column, divisor=100),
                shape=LinearShape(
                    higher_is_better=True,
                    zero=Threshold(constant=0),
                    full=Threshold(constant=weight * MICRO // 100),
                ),
                missing=MissingPolicy.EXCLUDE,
                parameters={},
                level1=outer,
                level2=inner,
            )
            for place, (column, weight) in enumerate(zip(COLUMNS, weights, strict=True))
        ),
        total_centi=TOTAL,
        overrides=(),
        band_sets={first: sets[first], **sets},
        min_coverage=0,
    )


def subject_of(model: RatingModel, total: int, random: Random, *, parts: int = 4) -> Subject:
    """A subject whose first indicators' points add up to a total, in one of many ways."""
    weights = [one.weight_centi for one in model.indicators[:parts]]
    points = [0] * parts
    for place in random.sample(range(parts), parts):
        points[place] = random.randint(0, min(weights[place], total - sum(points)))
    for place, weight in enumerate(weights):
        points[place] += min(weight - points[place], total - sum(points))
    return Subject(inputs=dict(zip(COLUMNS, points, strict=False)))


@pytest.mark.parametrize(("name", "first"), BAND_SETS)
def test_totals_on_a_cut_and_one_hundredth_below(name: str, first: str) -> None:
    model = counting_model(name, first)
    bands = model.bands
    assert model.band_sets[first].bands == bands
    random = Random(7)  # noqa: S311  # Repeatable, not secret.
    expected: list[tuple[int, str]] = []
    for place, band in enumerate(bands[:-1]):
        for _ in range(20):
            expected.append((band.at_least_centi, band.id))
            expected.append((band.at_least_centi - 1, bands[place + 1].id))
    inputs = table(model, [subject_of(model, total, random) for total, _ in expected])
    content = compile_model(model, None, DAY)
    found = OnnxScorer.load(content).score(inputs, DAY)
    assert list(zip(found.total_centi.tolist(), found.grades, strict=True)) == expected
    assert found.earned_grades == found.grades == score(model, inputs, None, DAY).grades
    whole = run_whole(content, inputs)
    names = [band.id for band in bands]
    assert [names[int(grade)] for grade in whole["grade"][0]] == [grade for _, grade in expected]


@pytest.mark.parametrize(("name", "first"), BAND_SETS[:2])
def test_totals_on_a_cut_after_weights_have_moved(name: str, first: str) -> None:
    # Without the last indicator the others carry its weight: halves decide about a hundredth.
    model = counting_model(name, first)
    random = Random(11)  # noqa: S311  # Repeatable, not secret.
    there = sum(one.weight_centi for one in model.indicators[:3])
    subjects = [
        subject_of(model, band.at_least_centi * there // TOTAL + around, random, parts=3)
        for band in model.bands[:-1]
        for around in (-1, 0, 1, 2)
        for _ in range(50)
    ]
    inputs = table(model, subjects)
    found = OnnxScorer.load(compile_model(model, None, DAY)).score(inputs, DAY)
    expected = score(model, inputs, None, DAY)
    assert np.array_equal(found.points_centi, expected.points_centi)
    assert found.grades == expected.grades
    cuts = {band.at_least_centi - below for band in model.bands[:-1] for below in (0, 1)}
    assert cuts <= set(found.total_centi.tolist())
