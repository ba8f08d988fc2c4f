"""Sensitivity (敏感性): how many grades hang on one percent of a weight.

Rules:
- One weight becomes 1 % larger or smaller, the other nominal weights stay, and all of them are
  one whole again: the indicator's neighbours carry the difference in proportion.
- Weights of missing indicators are handed on anew, from the changed weights, in hundredths of
  hundredths; every indicator keeps the share of its weight that it earns.
- Coverage is measured by the changed weights too, and overrides hold: whoever is capped does
  not move below the cap's grade. A change is one from the unchanged weights, computed alike.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from scoring_kernel.redistribution import effective_weights

if TYPE_CHECKING:
    import numpy.typing as npt

    from scoring_kernel.measures import IntVector
    from scoring_kernel.model import RatingModel
    from scoring_kernel.scoring import ScoreResult

FINE: Final = 100
"""Fine steps in a hundredth of a point: a percent of any weight is a whole number of them."""

_BLOCK: Final = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """How many grades hang on one indicator's weight.

    Attributes:
        indicator: Indicator id.
        up_bp: Share of rated subjects that move when its weight grows by 1 %, hundredths of
            a percent.
        down_bp: The same when it shrinks by 1 %.
    """

    indicator: str
    up_bp: int
    down_bp: int


def sensitivity(result: ScoreResult) -> tuple[Sensitivity, ...]:
    """Share of rated subjects whose grade changes per ±1 % of each weight.

    Args:
        result: Scores.

    Returns:
        One entry per indicator, in the model's order; 0 where nobody is rated.
    """
    rows = np.flatnonzero(result.coverage_centi >= result.model.min_coverage)
    indicators = result.model.indicators
    if not len(rows):
        return tuple(Sensitivity(indicator=one.id, up_bp=0, down_bp=0) for one in indicators)
    seen = _Seen.of(result, rows)
    held = seen.places(0, 0)
    found: list[Sensitivity] = []
    for index, indicator in enumerate(indicators):
        moved = [int(np.count_nonzero(seen.places(index, sign) != held)) for sign in (1, -1)]
        up, down = ((2 * 10_000 * one + len(rows)) // (2 * len(rows)) for one in moved)
        found.append(Sensitivity(indicator=indicator.id, up_bp=up, down_bp=down))
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """Rated subjects, and the patterns of missing indicators that occur among them.

    Attributes:
        model: The model.
        points: Points, hundredths, shape (n, k).
        pattern: Pattern of each subject, shape (n,).
        missing: Where an indicator is missing, by pattern, shape (p, k).
        weights: Weights after redistribution as scored, by pattern, shape (p, k).
        caps: Place of the worst cap that applies, -1 without one, shape (n,).
    """

    model: RatingModel
    points: npt.NDArray[np.int64]
    pattern: npt.NDArray[np.intp]
    missing: npt.NDArray[np.bool_]
    weights: npt.NDArray[np.int64]
    caps: IntVector

    @classmethod
    def of(cls, result: ScoreResult, rows: npt.NDArray[np.intp]) -> _Seen:
        """Gather some subjects of a result."""
        # At most 52 indicators: a pattern is one exact integer.
        bits = np.left_shift(np.int64(1), np.arange(len(result.model.indicators), dtype=np.int64))
        codes = result.missing[rows].astype(np.int64) @ bits
        _, first, pattern = np.unique(codes, return_index=True, return_inverse=True)
        return cls(
            model=result.model,
            points=result.points_centi[rows].astype(np.int64),
            pattern=pattern.reshape(-1),
            missing=result.missing[rows[first]],
            weights=result.weights_centi[rows[first]].astype(np.int64),
            caps=cap_places(result)[rows],
        )

    def places(self, index: int, sign: int) -> IntVector:
        """Place of each subject's grade where one weight is 1 % larger or smaller.

        Args:
            index: The indicator.
            sign: 1, -1, or 0 for the weights as they are.

        Returns:
            0 for the best band, the number of bands for not rated, shape (n,).
        """
        model = self.model
        changed = _changed(model, index, sign)
        whole = changed.total_centi
        fresh = effective_weights(changed, (self.weights == 0).T).T.astype(np.int64)
        nominal = np.array([one.weight_centi for one in changed.indicators], np.int64)
        covered = np.where(self.missing, 0, nominal).sum(axis=1)
        rated = covered * model.total_centi >= model.min_coverage * whole
        cuts = np.array([band.at_least_centi for band in reversed(model.bands)], np.int64)
        last = len(cuts)
        found = np.empty(len(self.points), np.int64)
        for start in range(0, len(found), _BLOCK):
            rows = slice(start, start + _BLOCK)
            at = self.pattern[rows]
            weights = np.maximum(self.weights[at], 1)
            earned = (2 * self.points[rows] * fresh[at] + weights) // (2 * weights)
            scaled = 2 * earned.sum(axis=1) * model.total_centi + whole
            places = last - np.searchsorted(cuts, scaled // (2 * whole), side="right")
            capped = np.maximum(np.where(rated[at], places, 0), self.caps[rows])
            free = np.where(rated[at], places, last)
            found[rows] = np.where(self.caps[rows] >= 0, capped, free)
        return found


def cap_places(result: ScoreResult) -> IntVector:
    """Place, among the grades, of the worst cap that applies; -1 without one, shape (n,)."""
    order = [band.id for band in result.model.bands]
    name = next(iter(result.model.band_sets))
    worst = np.full(len(result.subjects), -1, np.int64)
    for at, override in enumerate(result.model.overrides):
        place = order.index(override.caps[name])
        worst = np.maximum(worst, np.where(result.overridden[:, at], place, -1))
    return worst


def _changed(model: RatingModel, index: int, sign: int) -> RatingModel:
    """The model in fine steps, one weight 1 % larger (1) or smaller (-1)."""
    chosen = model.indicators[index]
    step = sign * chosen.weight_centi
    grown = {chosen.level2.id, chosen.level1.id}
    return replace(
        model,
        total_centi=FINE * model.total_centi + step,
        groups=tuple(
            replace(one, weight_centi=FINE * one.weight_centi + (step if one.id in grown else 0))
            for one in model.groups
        ),
        indicators=tuple(
            replace(one, weight_centi=FINE * one.weight_centi + (step if one is chosen else 0))
            for one in model.indicators
        ),
    )
