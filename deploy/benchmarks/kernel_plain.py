"""The same model in plain Python, one subject at a time: what a table library would call.

It takes the thresholds of the plan and does its own arithmetic, in whole numbers. Cost per
subject grows with the number of indicators; a pattern of missing indicators is divided once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from scoring_kernel.bands import NOT_RATED
from scoring_kernel.curves import Curve, DistanceCurve, LinearCurve, StepCurve
from scoring_kernel.indicators import MissingPolicy
from scoring_kernel.plan import ScoringPlan

GROUP: Final = "group"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainScore:
    """Score of one subject: points of each indicator and total in hundredths, and the grade."""

    points: tuple[int, ...]
    total: int
    grade: str


class PlainScorer:
    """Scores one row: values by indicator, NaN where missing, overrides and the peer group."""

    def __init__(self, plan: ScoringPlan) -> None:
        self._plan: Final = plan
        self._patterns: Final[dict[tuple[bool, ...], list[int]]] = {}
        self._bands: Final = next(iter(plan.model.band_sets.values())).bands
        names = [band.id for band in self._bands]
        first = next(iter(plan.model.band_sets))
        self._caps: Final = {one.id: names.index(one.caps[first]) for one in plan.model.overrides}

    def __call__(self, row: Mapping[str, Any]) -> PlainScore:
        """Score a row of a table.

        Args:
            row: By name: ``GROUP``, every indicator's value in millionths, and every override.
        """
        model, group = self._plan.model, int(row[GROUP])
        points: list[int] = []
        excluded: list[bool] = []
        coverage = 0
        for one in self._plan.indicators:
            indicator, curve = one.indicator, one.curves[group]
            value = row[indicator.id]
            missing = value != value or curve is None  # noqa: PLR0124  # NaN.
            if missing:
                full = indicator.missing is MissingPolicy.FULL
                points.append(indicator.weight_centi if full else 0)
            else:
                coverage += indicator.weight_centi
                points.append(curve_points(curve, int(value), indicator.weight_centi))
            excluded.append(missing and indicator.missing is MissingPolicy.EXCLUDE)
        weights = self._weights(tuple(excluded))
        scaled = tuple(
            (2 * earned * weight + one.indicator.weight_centi) // (2 * one.indicator.weight_centi)
            for earned, weight, one in zip(points, weights, self._plan.indicators, strict=True)
        )
        total = sum(scaled)
        bands = self._bands
        rated = coverage >= model.min_coverage
        place = next(at for at, band in enumerate(bands) if total >= band.at_least_centi)
        caps = [cap for name, cap in self._caps.items() if row[name]]
        if caps:
            place = max(*caps, place) if rated else max(caps)
        grade = bands[place].id if rated or caps else NOT_RATED
        return PlainScore(points=scaled, total=total, grade=grade)

    def _weights(self, excluded: tuple[bool, ...]) -> list[int]:
        if excluded not in self._patterns:
            self._patterns[excluded] = self._redistribute(excluded)
        return self._patterns[excluded]

    def _redistribute(self, excluded: tuple[bool, ...]) -> list[int]:
        model = self._plan.model
        alive = {
            name
            for out, one in zip(excluded, model.indicators, strict=True)
            if not out
            for name in (one.level1.id, one.level2.id)
        }
        tops = [group for group in model.groups if group.parent is None]
        found = [0] * len(excluded)
        shares = divide(
            model.total_centi, [top.weight_centi if top.id in alive else 0 for top in tops]
        )
        for top, share in zip(tops, shares, strict=True):
            inner = [group for group in model.groups if group.parent == top.id]
            parts = divide(share, [one.weight_centi if one.id in alive else 0 for one in inner])
            for group, part in zip(inner, parts, strict=True):
                at = [i for i, one in enumerate(model.indicators) if one.level2.id == group.id]
                kept = [0 if excluded[i] else model.indicators[i].weight_centi for i in at]
                for place, weight in zip(at, divide(part, kept), strict=True):
                    found[place] = weight
        return found


def curve_points(curve: Curve | None, value: int, weight: int) -> int:
    """Points of one value, hundredths, rounded half up.

    >>> curve_points(LinearCurve(zero=0, full=1_000_000), 250_000, 1_001)
    250
    """
    match curve:
        case LinearCurve():
            low, high = sorted((curve.zero, curve.full))
            far = abs(max(low, min(high, value)) - curve.zero)
            return (2 * weight * far + high - low) // (2 * (high - low))
        case DistanceCurve():
            around = LinearCurve(zero=curve.zero, full=curve.full)
            return curve_points(around, abs(value - curve.centre), weight)
        case StepCurve():
            for at, points in zip(curve.at, curve.points, strict=True):
                if value >= at if curve.higher_is_better else value <= at:
                    return points
            return curve.rest
        case None:
            return 0


def divide(total: int, weights: Sequence[int]) -> list[int]:
    """Divide in proportion to weights, by largest remainder, ties to the earlier one.

    >>> divide(10, [1, 1, 1, 0])
    [4, 3, 3, 0]
    """
    whole = sum(weights)
    if not whole:
        return [0] * len(weights)
    shares = [total * weight // whole for weight in weights]
    order = sorted(range(len(weights)), key=lambda at: (-(total * weights[at] % whole), at))
    for at in order[: total - sum(shares)]:
        shares[at] += 1
    return shares
