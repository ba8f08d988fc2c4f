"""One-dimensional k-means: the reference program's two passes, and the exact optimum.

Rules:
- Clusters are numbered from 0 upwards with their scores.
- Seeded passes (as PROC FASTCLUS runs them): a score belongs to the nearest centre, to
  the lower of two equally near; centres become the means of their scores; a pass ends
  when no score changes. Beyond a strict distance a score keeps its cluster but moves no
  centre. The next pass starts from the centres of the last.
- Seeds are the medians of equal parts, cut by nearest-rank quantiles.
- The optimum is found by dynamic programming over the sorted distinct scores, not by
  repeated starts. Of equally good partitions the one with the lowest cuts is taken,
  from the top cluster downwards.

Source:
    SAS/STAT User's Guide, The FASTCLUS Procedure (nearest centroid sorting, STRICT=);
    Wang and Song, Ckmeans.1d.dp, The R Journal 3/2 (2011).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from scoring_kernel.composite.standardising import FloatVector, mean, nearest_rank
from scoring_kernel.errors import KernelInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scoring_kernel.measures import IntVector


@dataclass(frozen=True, slots=True, kw_only=True)
class Clusters:
    """A partition of scores.

    Attributes:
        places: int64, shape (n,): cluster of each score, 0 the lowest.
        centres: Centre of each cluster, ascending.
    """

    places: npt.NDArray[np.int64]
    centres: tuple[float, ...]


def find_seeded_clusters(
    scores: FloatVector, clusters: int, passes: Sequence[float | None], most_rounds: int
) -> Clusters | None:
    """Cluster scores from the medians of equal parts, pass after pass.

    Args:
        scores: Finite scores, shape (n,), in any order.
        clusters: Clusters wanted, at least 2.
        passes: Strict distance of each pass, None for none.
        most_rounds: Rounds of one pass.

    Returns:
        The partition of the last pass; None where the scores do not give so many
        clusters: seeds coincide, or a cluster loses all its scores.

    Raises:
        KernelInputError: A pass does not end within ``most_rounds``.
    """
    centres = _medians_of_parts(scores, clusters)
    found: Clusters | None = None
    for strict in passes:
        if centres is None:
            return None
        found = _run_pass(scores, centres, strict, most_rounds)
        centres = None if found is None else np.array(found.centres)
    return found


def _medians_of_parts(scores: FloatVector, clusters: int) -> FloatVector | None:
    if len(scores) < clusters:
        return None
    ordered = np.sort(scores)
    cuts = [nearest_rank(ordered, Fraction(part, clusters)) for part in range(1, clusters)]
    ends = [0, *np.searchsorted(ordered, cuts, side="right").tolist(), len(ordered)]
    if any(start == end for start, end in pairwise(ends)):
        return None
    parts = (ordered[start:end] for start, end in pairwise(ends))
    return np.array([(part[(len(part) - 1) // 2] + part[len(part) // 2]) / 2 for part in parts])


def _run_pass(
    scores: FloatVector, seeds: FloatVector, strict: float | None, most_rounds: int
) -> Clusters | None:
    centres = seeds
    signed = np.zeros(len(scores), np.int64)
    for _ in range(most_rounds):
        distances = np.abs(scores[:, None] - centres)
        places = distances.argmin(axis=1)
        near = distances.min(axis=1) <= (np.inf if strict is None else strict)
        latest = np.where(near, places + 1, -(places + 1))
        if np.array_equal(latest, signed):
            return Clusters(places=places, centres=tuple(centres.tolist()))
        signed = latest
        members = [scores[signed == place + 1] for place in range(len(centres))]
        if any(len(one) == 0 for one in members):
            return None
        centres = np.array([mean(one) for one in members])
    raise KernelInputError(
        f"k-means: scores still move after {most_rounds} rounds: raise most_rounds of the model"
    )


def find_optimal_clusters(scores: FloatVector, clusters: int) -> Clusters | None:
    """Cluster scores with the least sum of squared distances from their centres.

    Args:
        scores: Finite scores, shape (n,), in any order.
        clusters: Clusters wanted, at least 2.

    Returns:
        The partition; equal scores are never parted. None where there are fewer
        distinct scores than clusters. Exact up to float64 in the sums of squares,
        in n * log n steps per cluster.

    >>> find_optimal_clusters(np.array([1.0, 2.0, 9.0, 9.0, 8.0]), 2).places.tolist()
    [0, 0, 1, 1, 1]
    """
    distinct, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    if len(distinct) < clusters:
        return None
    costs = _Costs.of(distinct - mean(distinct), counts)
    ends = np.arange(len(distinct))
    least = costs.between(np.zeros_like(ends), ends)
    starts: list[IntVector] = []
    for layer in range(1, clusters):
        least, start = _next_layer(least, layer, costs)
        starts.append(start)
    places = np.zeros(len(distinct), np.int64)
    last = len(distinct) - 1
    for layer in range(clusters - 1, 0, -1):
        first = int(starts[layer - 1][last])
        places[first : last + 1] = layer
        last = first - 1
    by_score = places[inverse]
    centres = tuple(mean(scores[by_score == place]) for place in range(clusters))
    return Clusters(places=by_score, centres=centres)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Costs:
    """Running sums, shape (m + 1,), from which any interval's sum of squares follows."""

    weight: FloatVector
    first: FloatVector
    second: FloatVector

    @classmethod
    def of(cls, values: FloatVector, counts: IntVector) -> _Costs:
        weights = counts.astype(np.float64)
        parts = (weights, weights * values, weights * values * values)
        sums = [np.concatenate(([0.0], np.cumsum(part))) for part in parts]
        return cls(weight=sums[0], first=sums[1], second=sums[2])

    def between(self, first: IntVector, last: IntVector) -> FloatVector:
        """Sum of squared distances from the mean over [first, last], both inclusive."""
        sums = self.first[last + 1] - self.first[first]
        weight = self.weight[last + 1] - self.weight[first]
        squares = self.second[last + 1] - self.second[first]
        return np.maximum(squares - sums * sums / weight, 0.0)


def _next_layer(least: FloatVector, layer: int, costs: _Costs) -> tuple[FloatVector, IntVector]:
    """Add one cluster on top: the best start of the top cluster for every end.

    The best start never moves down as the end moves up, so ends are halved: each
    level of halving looks at about m starts, all of them at once.

    Args:
        least: Least cost of ``layer`` clusters up to each end, shape (m,).
        layer: Clusters below; ends before it cannot be reached.
        costs: Costs of intervals.

    Returns:
        Least cost with one more cluster, infinite where it cannot be, and its start.
    """
    size = len(least)
    cost = np.full(size, np.inf)
    start = np.zeros(size, np.int64)
    # Each row: first end, last end, least start, greatest start.
    open_ends = np.array([[layer, size - 1, layer, size - 1]])
    while len(open_ends):
        low, high, least_start, most_start = open_ends.T
        middle = (low + high) // 2
        lengths = np.minimum(most_start, middle) - least_start + 1
        heads = np.cumsum(lengths) - lengths
        owner = np.repeat(np.arange(len(middle)), lengths)
        tried = np.arange(lengths.sum()) - heads[owner] + least_start[owner]
        total = least[tried - 1] + costs.between(tried, middle[owner])
        best = np.minimum.reduceat(total, heads)
        hits = np.flatnonzero(total == best[owner])
        chosen = tried[hits[np.unique(owner[hits], return_index=True)[1]]]
        cost[middle], start[middle] = best, chosen
        below = np.column_stack((low, middle - 1, least_start, chosen))
        above = np.column_stack((middle + 1, high, chosen, most_start))
        both = np.concatenate((below, above))
        open_ends = both[both[:, 0] <= both[:, 1]]
    return cost, start
