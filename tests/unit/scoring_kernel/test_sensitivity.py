"""Sensitivity against an oracle that redistributes every subject's weights with fractions."""

from __future__ import annotations

import dataclasses
import math
from datetime import date
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest

from scoring_kernel.bands import NOT_RATED
from scoring_kernel.catalog_loader import load_catalog
from scoring_kernel.inputs import InputTable
from scoring_kernel.reference import build_reference
from scoring_kernel.scoring import score
from scoring_kernel.sensitivity import FINE, sensitivity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scoring_kernel.model import RatingModel
    from scoring_kernel.scoring import ScoreResult

DAY: Final = date(2026, 6, 30)
MODEL: Final = load_catalog().models["employer"]
HALF: Final = Fraction(1, 2)


def _score(
    model: RatingModel, *, rows: int, gone: float, capped: float = 0.0, seed: int = 3
) -> ScoreResult:
    rng = np.random.default_rng(seed)  # noqa: TID251 - the seed is the argument
    shape = (rows, len(model.input_columns))
    values = rng.integers(12, 30, shape)
    capping = {column for one in model.overrides for column in one.columns}
    for place, column in enumerate(model.input_columns):
        if column in capping:
            values[:, place] = rng.random(rows) < capped
        elif column.startswith("item.e03") or "gap" in column:
            values[:, place] = rng.random(rows) < 0.1
        elif column.startswith("item.e04"):
            values[:, place] = rng.integers(50_000, 100_000, rows)
    present = rng.random(shape) >= gone
    inputs = InputTable(
        subjects=tuple(f"E{row:05d}" for row in range(rows)),
        levels=tuple(rng.choice(model.levels, rows).tolist()),
        types=tuple(rng.choice(model.types, rows).tolist()),
        columns=model.input_columns,
        values=np.where(present, values, 0),
        present=present,
    )
    return score(model, inputs, build_reference(model, inputs, DAY), DAY)


def _shares(total: int, weights: Mapping[str, int]) -> dict[str, int]:
    """Divide by largest remainder, ties to the earlier."""
    whole = sum(weights.values())
    exact = {name: Fraction(total * weight, whole) for name, weight in weights.items() if weight}
    found = {name: math.floor(share) for name, share in exact.items()}
    order = sorted(exact, key=lambda name: found[name] - exact[name])
    for name in order[: total - sum(found.values())]:
        found[name] += 1
    return found


def _weights(model: RatingModel, nominal: Mapping[str, int], gone: set[str]) -> dict[str, int]:
    """Weights after redistribution of one subject, group by group."""
    by_level1: dict[str, dict[str, list[str]]] = {}
    for one in model.indicators:
        by_level1.setdefault(one.level1.id, {}).setdefault(one.level2.id, []).append(one.id)
    found: dict[str, int] = {}

    def left(names: Sequence[str]) -> int:
        return 0 if set(names) <= gone else sum(nominal[name] for name in names)

    top = {
        level1: sum(nominal[name] for names in below.values() for name in names)
        if any(left(names) for names in below.values())
        else 0
        for level1, below in by_level1.items()
    }
    if not any(top.values()):
        return found
    for level1, part in _shares(sum(nominal.values()), top).items():
        inner = {level2: left(names) for level2, names in by_level1[level1].items()}
        for level2, share in _shares(part, inner).items():
            own = {name: nominal[name] for name in by_level1[level1][level2] if name not in gone}
            found |= _shares(share, own)
    return found


def _grade(result: ScoreResult, row: int, changed: str, sign: int) -> str:
    """Grade of one subject with one weight 1 % larger or smaller, in fractions."""
    model = result.model
    nominal = {
        one.id: FINE * one.weight_centi + (sign * one.weight_centi if one.id == changed else 0)
        for one in model.indicators
    }
    whole = sum(nominal.values())
    scored = dict(
        zip((one.id for one in model.indicators), result.weights_centi[row].tolist(), strict=True)
    )
    points = dict(zip(scored, result.points_centi[row].tolist(), strict=True))
    missing = dict(zip(scored, result.missing[row].tolist(), strict=True))
    gone = {name for name, weight in scored.items() if weight == 0}
    covered = sum(nominal[name] for name in nominal if not missing[name])
    total = sum(
        math.floor(Fraction(points[name] * weight, scored[name]) + HALF)
        for name, weight in _weights(model, nominal, gone).items()
    )
    centi = math.floor(Fraction(total * model.total_centi, whole) + HALF)
    order = [band.id for band in model.bands]
    reached = next(band.id for band in model.bands if centi >= band.at_least_centi)
    rated = Fraction(covered * model.total_centi, whole) >= model.min_coverage
    hits = result.overridden[row].tolist()
    caps = [
        order.index(one.caps["grades"])
        for one, hit in zip(model.overrides, hits, strict=True)
        if hit
    ]
    if not caps:
        return reached if rated else NOT_RATED
    return order[max(*caps, order.index(reached) if rated else 0, 0)]


@pytest.mark.parametrize(
    ("rows", "gone", "capped"),
    [(500, 0.0, 0.0), (150, 0.08, 0.0), (150, 0.2, 0.05)],
    ids=["whole", "gaps", "caps"],
)
def test_sensitivity_equals_an_oracle_of_fractions(rows: int, gone: float, capped: float) -> None:
    result = _score(MODEL, rows=rows, gone=gone, capped=capped)
    rated = np.flatnonzero(result.coverage_centi >= MODEL.min_coverage).tolist()
    held = {row: _grade(result, row, "", 0) for row in rated}
    if not gone:
        assert held == {row: result.grades[row] for row in rated}
    seen = 0
    for found in sensitivity(result):
        for sign, share in ((1, found.up_bp), (-1, found.down_bp)):
            moved = sum(_grade(result, row, found.indicator, sign) != held[row] for row in rated)
            assert share == math.floor(Fraction(10_000 * moved, len(rated)) + HALF)
            seen += moved
    assert seen


def test_the_oracle_redistributes_as_the_kernel_does() -> None:
    result = _score(MODEL, rows=60, gone=0.2)
    nominal = {one.id: one.weight_centi for one in MODEL.indicators}
    for row in range(60):
        scored = dict(zip(nominal, result.weights_centi[row].tolist(), strict=True))
        gone = {name for name, weight in scored.items() if not weight}
        expected = _weights(MODEL, nominal, gone)
        assert {name: weight for name, weight in scored.items() if weight} == expected


def test_whoever_is_capped_does_not_move() -> None:
    lowest = MODEL.bands[-1].id
    worst = dataclasses.replace(MODEL.overrides[0], caps={"grades": lowest, "letters": "d"})
    model = dataclasses.replace(MODEL, overrides=(worst, *MODEL.overrides[1:]))
    free = sensitivity(_score(model, rows=200, gone=0.0))
    assert any(one.up_bp or one.down_bp for one in free)
    held = sensitivity(_score(model, rows=200, gone=0.0, capped=1.1))
    assert {(one.up_bp, one.down_bp) for one in held} == {(0, 0)}


def test_a_weight_can_cost_the_rating() -> None:
    # Everybody lacks one indicator and is covered exactly: a larger weight of it is too much.
    indicator = next(one for one in MODEL.indicators if one.missing == "exclude")
    model = dataclasses.replace(MODEL, min_coverage=MODEL.total_centi - indicator.weight_centi)
    rows = _score(model, rows=40, gone=0.0)
    own = set(indicator.columns)
    for one in model.indicators:
        own -= set(one.columns) if one is not indicator else set()
    assert own
    present = rows.inputs.present.copy()
    for column in own:
        present[:, model.input_columns.index(column)] = False
    inputs = dataclasses.replace(
        rows.inputs, present=present, values=np.where(present, rows.inputs.values, 0)
    )
    result = score(model, inputs, build_reference(model, inputs, DAY), DAY)
    assert (result.coverage_centi == model.min_coverage).all()
    found = next(one for one in sensitivity(result) if one.indicator == indicator.id)
    assert found.up_bp == 10_000


def test_sensitivity_of_nobody_is_nothing() -> None:
    result = _score(MODEL, rows=0, gone=0.0)
    assert {(one.up_bp, one.down_bp) for one in sensitivity(result)} == {(0, 0)}
