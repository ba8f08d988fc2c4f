"""A slow scorer of composite models in fractions and plain loops, for comparison.

It shares no arithmetic with the kernel: means and variances are exact fractions, square
roots have fifty digits, and clusters are found by trying every partition or by plain loops.
"""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import combinations, pairwise
from statistics import fmean, median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from scoring_kernel.composite import CompositeModel, MeasureTable

Row = dict[str, Fraction]
"""Reported values of one subject by name."""


def root(value: Fraction) -> Fraction:
    with localcontext() as context:
        context.prec = 50
        return Fraction((Decimal(value.numerator) / Decimal(value.denominator)).sqrt())


def standard_scores(rows: Sequence[Row], name: str, *, sample: bool) -> list[Fraction | None]:
    known = [row[name] for row in rows if name in row]
    # Square roots have fifty digits: a spread beyond thirty is none.
    if not known or max(known) - min(known) < Fraction(1, 10**30):
        return [None] * len(rows)
    centre = sum(known, Fraction(0)) / len(known)
    squares = sum(((one - centre) ** 2 for one in known), Fraction(0))
    spread = root(squares / (len(known) - 1 if sample else len(known)))
    return [(row[name] - centre) / spread if name in row else None for row in rows]


def summaries(
    model: CompositeModel, measures: MeasureTable, rows: Sequence[Row]
) -> tuple[list[Fraction | None], list[dict[str, int]]]:
    """Summary score and measures per group of each subject; nothing is ever refused."""
    scores: list[Row] = [{} for _ in rows]
    counts: list[dict[str, int]] = [{} for _ in rows]
    for group in model.groups:
        standard: list[list[Fraction]] = [[] for _ in rows]
        for one in measures.measures:
            reporting = sum(one.id in row for row in rows)
            if one.group != group.in_table or reporting < model.least_subjects:
                continue
            found = standard_scores(rows, one.id, sample=model.sample_deviation)
            for mine, score in zip(standard, found, strict=True):
                if score is not None:
                    mine.append(score * one.sign)
        means = [{group.id: sum(one, Fraction(0)) / len(one)} if one else {} for one in standard]
        again = standard_scores(means, group.id, sample=model.sample_deviation)
        for at, score in enumerate(again):
            counts[at][group.id] = len(standard[at])
            if score is not None:
                scores[at][group.id] = score
    return [_weighted(model, row) for row in scores], counts


def _weighted(model: CompositeModel, row: Mapping[str, Fraction]) -> Fraction | None:
    left = sum((group.weight for group in model.groups if group.id in row), Fraction(0))
    total = Fraction(0)
    for group in model.groups:
        if group.id in row:
            total += group.weight / left * row[group.id]
    return total if row else None


def partitions(count: int, clusters: int) -> Iterator[list[int]]:
    """Every way of cutting ``count`` ordered scores into so many runs, as places."""
    for cuts in combinations(range(1, count), clusters - 1):
        ends = (0, *cuts, count)
        yield [place for place, (low, high) in enumerate(pairwise(ends)) for _ in range(high - low)]


def cost(scores: Sequence[float], places: Sequence[int]) -> Fraction:
    """Sum of squared distances from the means of the clusters, exactly."""
    total = Fraction(0)
    for place in set(places):
        mine = [Fraction(one) for one, at in zip(scores, places, strict=True) if at == place]
        centre = sum(mine, Fraction(0)) / len(mine)
        total += sum(((one - centre) ** 2 for one in mine), Fraction(0))
    return total


def least_cost(scores: Sequence[float], clusters: int) -> Fraction:
    ordered = sorted(scores)
    return min(cost(ordered, one) for one in partitions(len(ordered), clusters))


def lloyd(
    scores: Sequence[float], clusters: int, passes: Sequence[float | None]
) -> list[int] | None:
    """Places by passes of nearest-centre sorting; None where a cluster is empty."""
    ordered = sorted(scores)
    limits = [
        ordered[math.ceil(Fraction(k, clusters) * len(ordered)) - 1] for k in range(1, clusters)
    ]
    parts: list[list[float]] = [[] for _ in range(clusters)]
    for one in ordered:
        parts[sum(one > limit for limit in limits)].append(one)
    if not all(parts):
        return None
    centres = [median(part) for part in parts]
    places: list[int] = []
    for strict in passes:
        before: list[tuple[int, bool]] = []
        while True:
            labels: list[tuple[int, bool]] = []
            for one in scores:
                distances = [abs(one - centre) for centre in centres]
                place = distances.index(min(distances))
                labels.append((place, strict is None or distances[place] <= strict))
            if labels == before:
                break
            before = labels
            groups = [
                [one for one, at in zip(scores, labels, strict=True) if at == (place, True)]
                for place in range(clusters)
            ]
            if not all(groups):
                return None
            centres = [fmean(group) for group in groups]
        places = [place for place, _ in before]
    return places
