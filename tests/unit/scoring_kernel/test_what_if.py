from __future__ import annotations

import dataclasses
import math
from datetime import date
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest

from scoring_kernel.catalog_loader import load_catalog
from scoring_kernel.errors import KernelInputError
from scoring_kernel.inputs import InputTable
from scoring_kernel.reference import build_reference
from scoring_kernel.scoring import score
from scoring_kernel.what_if import (
    PUBLISHED_SHARES_BP,
    distribution,
    grades_matrix,
    moves,
    rated_only,
    stability_index,
)

if TYPE_CHECKING:
    from scoring_kernel.model import RatingModel
    from scoring_kernel.scoring import ScoreResult

DAY: Final = date(2026, 6, 30)
ROWS: Final = 60
MODEL: Final = load_catalog().models["employer"]


def _score(model: RatingModel, *, seed: int = 3, rows: int = ROWS) -> ScoreResult:
    rng = np.random.default_rng(seed)  # noqa: TID251 - the seed is the argument
    shape = (rows, len(model.input_columns))
    values = rng.integers(12, 30, shape)
    # Few have events that cost points, and nobody one that caps the grade.
    capping = {column for one in model.overrides for column in one.columns}
    for place, column in enumerate(model.input_columns):
        if column in capping:
            values[:, place] = 0
        elif column.startswith("item.e03") or "gap" in column:
            values[:, place] = rng.random(rows) < 0.1
        elif column.startswith("item.e04"):
            values[:, place] = rng.integers(50_000, 100_000, rows)
    inputs = InputTable(
        subjects=tuple(f"E{row:05d}" for row in range(rows)),
        levels=tuple(rng.choice(model.levels, rows).tolist()),
        types=tuple(rng.choice(model.types, rows).tolist()),
        columns=model.input_columns,
        values=values,
        present=np.ones(shape, np.bool_),
    )
    # Reference and digest belong to a model file; the edits below keep the file's digest.
    return score(model, inputs, build_reference(model, inputs, DAY), DAY)


def _stricter(model: RatingModel, at_least_centi: int) -> RatingModel:
    """The model with another cut for its best grade."""
    name, first = next(iter(model.band_sets.items()))
    best = dataclasses.replace(first.bands[0], at_least_centi=at_least_centi)
    edited = dataclasses.replace(first, bands=(best, *first.bands[1:]))
    return dataclasses.replace(model, band_sets={**model.band_sets, name: edited})


def test_the_same_model_moves_nobody() -> None:
    result = _score(MODEL)
    assert moves(result, result) == ()
    assert all(old == new for old, new in grades_matrix(result, result))
    assert sum(grades_matrix(result, result).values()) == ROWS


def test_a_higher_cut_moves_those_between_the_two_cuts_and_nobody_else() -> None:
    totals = {*_score(MODEL, rows=600).total_centi.tolist()}
    ranked = sorted(total for total in totals if total > 80_000)
    old, cut = _score(_stricter(MODEL, ranked[-6]), rows=600), ranked[-3]
    new = _score(_stricter(MODEL, cut), rows=600)
    expected = {
        subject
        for subject, total, grade in zip(old.subjects, old.total_centi, old.grades, strict=True)
        if grade == "excellent" and total < cut
    }
    assert len(expected) >= 3
    assert {one.subject for one in moves(old, new)} == expected
    assert all((one.before, one.causes) == ("excellent", ()) for one in moves(old, new))


def test_causes_name_the_indicators_whose_points_changed() -> None:
    twice = dataclasses.replace(
        MODEL.indicators[0], weight_centi=MODEL.indicators[0].weight_centi - 6_000
    )
    more = dataclasses.replace(
        MODEL.indicators[2], weight_centi=MODEL.indicators[2].weight_centi + 6_000
    )
    edited = dataclasses.replace(
        MODEL, indicators=(twice, MODEL.indicators[1], more, *MODEL.indicators[3:])
    )
    found = moves(_score(MODEL, rows=400), _score(edited, rows=400))
    assert found
    changed = {MODEL.indicators[0].id, MODEL.indicators[2].id}
    for one in found:
        assert {name for name, _ in one.causes} <= changed
        assert sum(points for _, points in one.causes) == one.after_centi - one.before_centi
    losses = [one.after_centi - one.before_centi for one in found]
    assert losses == sorted(losses)


def test_a_distribution_counts_every_subject_once_in_every_view() -> None:
    result = _score(MODEL)
    whole = distribution(result)["all"]
    for labels in (result.levels, result.types):
        by_label = distribution(result, labels)
        assert set(by_label) == set(labels)
        for grade, count in whole.items():
            assert sum(one.get(grade, 0) for one in by_label.values()) == count
    assert sum(whole.values()) == ROWS


def test_the_distribution_of_nobody_is_nothing() -> None:
    assert distribution(_score(MODEL, rows=0)) == {}


def test_other_subjects_cannot_be_compared() -> None:
    with pytest.raises(KernelInputError, match="expected the same subjects"):
        moves(_score(MODEL), _score(MODEL, rows=3))


def test_the_stability_index_reads_a_shift() -> None:
    before, after = {"good": 80, "bad": 20}, {"good": 50, "bad": 50}
    expected = (0.5 - 0.8) * math.log(0.5 / 0.8) + (0.5 - 0.2) * math.log(0.5 / 0.2)
    assert stability_index(before, after) == pytest.approx(expected, abs=1e-15)
    assert stability_index({"good": 5}, {"bad": 5}) > 1
    with pytest.raises(KernelInputError, match="expected subjects in both"):
        stability_index({}, after)


def test_those_not_rated_stay_out_of_the_index() -> None:
    assert rated_only({"good": 3, "not_rated": 2}) == {"good": 3}


def test_the_published_shares_are_a_whole() -> None:
    assert sum(PUBLISHED_SHARES_BP) == 10_000
