"""Why a grade moves: the very thing that moved it, and nothing else."""

from __future__ import annotations

import dataclasses
from datetime import date
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest

from scoring_kernel.bands import NOT_RATED, Band
from scoring_kernel.move_reasons import reasons_of
from scoring_kernel.reference import build_reference
from scoring_kernel.scoring import score
from scoring_kernel.what_if import moves
from tests.support.kernel_models import Subject, table, tiny_model

if TYPE_CHECKING:
    from scoring_kernel.model import RatingModel
    from scoring_kernel.scoring import ScoreResult

MODEL: Final = tiny_model()
DAY: Final = date(2026, 6, 30)


def _bands(*cuts: tuple[str, int]) -> tuple[Band, ...]:
    return tuple(
        Band(id=name, name_zh=name, name_en=name, letter=None, at_least_centi=cut)
        for name, cut in cuts
    )


OLD_BANDS: Final = (("high", 6_000), ("middle", 3_000), ("low", 0))


def _model(*bands: tuple[str, int], cap: str = "low", least: int = 4_000) -> RatingModel:
    first, *others = MODEL.band_sets.items()
    own = dataclasses.replace(first[1], bands=_bands(*(bands or OLD_BANDS)))
    overrides = tuple(
        dataclasses.replace(one, caps={**one.caps, "grades": cap}) for one in MODEL.overrides
    )
    return dataclasses.replace(
        MODEL,
        band_sets={first[0]: own, **dict(others)},
        overrides=overrides,
        min_coverage=least,
    )


def _result(
    total: int, model: RatingModel | None = None, *, coverage: int = 9_000, hit: bool = False
) -> ScoreResult:
    """One subject, whose total, coverage and override are set by hand; graded by the rules."""
    own = model or _model()
    inputs = table(MODEL, [Subject(inputs={}, level=MODEL.levels[0], type=MODEL.types[0])])
    empty = score(MODEL, inputs, build_reference(MODEL, inputs, DAY), DAY)
    overridden = np.zeros(empty.overridden.shape, np.bool_)
    overridden[:, 0] = hit
    place = sum(total < band.at_least_centi for band in own.bands[:-1])
    order = [band.id for band in own.bands]
    grade = order[place] if coverage >= own.min_coverage else NOT_RATED
    if hit:
        rated = place if coverage >= own.min_coverage else 0
        grade = order[max(order.index(own.overrides[0].caps["grades"]), rated)]
    points = np.zeros(empty.points_centi.shape, np.int32)
    points[0, 0] = total
    return dataclasses.replace(
        empty,
        model=own,
        points_centi=points,
        total_centi=np.array([total], np.int32),
        coverage_centi=np.array([coverage], np.int32),
        overridden=overridden,
        grades=(grade,),
    )


STRICT: Final = (("high", 7_000), ("middle", 3_000), ("low", 0))
NAMED: Final = (("best", 6_000), ("middle", 3_000), ("low", 0))
FOUR: Final = (("top", 9_000), ("high", 6_000), ("middle", 3_000), ("low", 0))
TWO: Final = (("high", 6_000), ("low", 0))


@pytest.mark.parametrize(
    ("old", "new", "reasons"),
    [
        (_result(6_500), _result(5_500), ("points",)),
        (_result(6_500), _result(6_500, _model(*STRICT)), ("cut",)),
        (_result(6_500), _result(6_600, _model(*STRICT)), ("cut",)),
        (_result(6_500), _result(5_900, _model(*STRICT)), ("points", "cut")),
        (_result(6_900), _result(6_500, _model(("high", 6_600), *STRICT[1:])), ("points", "cut")),
        (_result(6_500), _result(6_500, coverage=3_000), ("coverage",)),
        (_result(6_500), _result(6_400, _model(least=9_500)), ("coverage",)),
        (_result(6_500, coverage=3_000), _result(6_500), ("coverage",)),
        (_result(6_500, coverage=3_000), _result(5_000), ("points", "coverage")),
        (_result(6_500), _result(6_400, hit=True), ("override",)),
        (_result(6_500, hit=True), _result(6_500, _model(cap="middle"), hit=True), ("override",)),
        (_result(6_500), _result(6_500, coverage=3_000, hit=True), ("override",)),
        (_result(6_500), _result(6_600, _model(*NAMED)), ("name",)),
        (_result(9_500), _result(9_500, _model(*FOUR)), ("cut",)),
        (_result(5_000), _result(5_000, _model(*TWO)), ("cut",)),
        (_result(6_500), _result(6_500, _model(*FOUR), hit=True), ("override",)),
        (_result(9_500, _model(*FOUR, cap="middle")),
         _result(9_500, _model(*TWO, cap="low"), hit=True), ("override",)),
        (_result(9_500, _model(*FOUR, cap="middle"), hit=True),
         _result(9_500, _model(*TWO)), ("cut", "override")),
    ],
)  # fmt: skip
def test_a_move_names_what_moved_it(
    old: ScoreResult, new: ScoreResult, reasons: tuple[str, ...]
) -> None:
    assert old.grades != new.grades
    assert reasons_of(old, new, [0, 0]) == [reasons, reasons]
    (move,) = moves(old, new)
    assert move.reasons == reasons
    assert bool(move.causes) == ("points" in reasons)
