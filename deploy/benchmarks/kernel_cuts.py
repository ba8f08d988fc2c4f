"""Subjects exactly on a cut, or one hundredth below: how many get a wrong grade.

Each subject's points are chosen so that they add up to its total, and its values so that they
give those points; the right grade is known before anything is scored. The same points, added up
from the left as floats of points, show what a scorer in floats would have said. Cost grows
linearly with subjects.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from deploy.benchmarks.kernel_world import SEED, World
from deploy.benchmarks.measuring import Bound, Row
from deploy.errors import BenchmarkError
from scoring_kernel.curves import LinearCurve
from scoring_kernel.plan import ScoringPlan
from scoring_kernel.sweep import sweep_values

GROWTH: Final = "linear in subjects"


def measure_cuts(world: World, *, subjects: int) -> tuple[Row, ...]:
    """Count wrong grades of subjects at the cuts.

    Args:
        world: Its plan is used, and the peer group of its first subject.
        subjects: Number of subjects.

    Returns:
        Wrong grades of the kernel, against those of sums in float64 and in float32.

    Raises:
        BenchmarkError: A subject could not be placed on its cut.
    """
    rng = np.random.default_rng(SEED)
    group = int(world.groups[0])
    bands = world.model.bands
    cuts = np.array([band.at_least_centi for band in bands[:-1]], np.int64)
    place = rng.integers(0, len(cuts), subjects)
    below = rng.integers(0, 2, subjects)
    total = cuts[place] - below
    expected = place + below
    points = _points(world.plan, group, total, rng)
    values = _values(world.plan, group, points)
    found = sweep_values(
        world.plan, values.T, np.ones(values.T.shape, np.bool_), np.full(subjects, group, np.int64)
    )
    if not np.array_equal(found.points, points):
        raise BenchmarkError("subjects at the cuts have other points than they were made for")
    wrong = int((found.grade != expected).sum())
    return tuple(
        _row(kind, wrong, _wrong_in_floats(points, cuts, expected, kind))
        for kind in (np.float64, np.float32)
    )


def _row(kind: type[np.floating[Any]], ours: int, theirs: int) -> Row:
    return Row(
        name=f"P1 wrong grades at the cuts vs sums in {kind.__name__}",
        unit="subjects",
        ours=ours,
        reference=theirs,
        ratio=ours / max(theirs, 1),
        bound=Bound.AT_MOST,
        target=0.0,
        growth=GROWTH,
    )


def _points(
    plan: ScoringPlan, group: int, total: npt.NDArray[np.int64], rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Points of k indicators that add up to the totals, shape (k, n).

    An indicator that is not linear keeps what the value 0 earns.
    """
    k, n = len(plan.indicators), len(total)
    zero = sweep_values(
        plan, np.zeros((1, k), np.int64), np.ones((1, k), np.bool_), np.array([group], np.int64)
    )
    points = np.repeat(zero.points.astype(np.int64), n, axis=1)
    lines = [
        at for at, one in enumerate(plan.indicators) if isinstance(one.curves[group], LinearCurve)
    ]
    for at in lines:
        points[at] = rng.integers(0, plan.indicators[at].indicator.weight_centi + 1, n)
    left = total - points.sum(axis=0)
    for at in rng.permutation(lines).tolist():
        weight = plan.indicators[at].indicator.weight_centi
        moved = np.clip(points[at] + left, 0, weight)
        left -= moved - points[at]
        points[at] = moved
    if left.any():
        raise BenchmarkError(
            f"{int((left != 0).sum())} subjects cannot reach a cut with {len(lines)} linear "
            "indicators; expected every one to"
        )
    return points


def _values(plan: ScoringPlan, group: int, points: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Values that earn the points, shape (k, n)."""
    values = np.zeros(points.shape, np.int64)
    for at, one in enumerate(plan.indicators):
        curve = one.curves[group]
        if isinstance(curve, LinearCurve):
            weight = one.indicator.weight_centi
            values[at] = curve.zero + points[at] * (curve.full - curve.zero) // weight
    return values


def _wrong_in_floats(
    points: npt.NDArray[np.int64],
    cuts: npt.NDArray[np.int64],
    expected: npt.NDArray[np.int64],
    kind: type[np.floating[Any]],
) -> int:
    """Wrong grades when points are added up as floats, the first indicator first."""
    total = np.zeros(points.shape[1], kind)
    for row in points:
        total += row.astype(kind) / kind(100)
    grade = np.zeros(len(total), np.int64)
    for cut in cuts:
        grade += total < kind(cut) / kind(100)
    return int((grade != expected).sum())
