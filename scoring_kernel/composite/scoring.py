"""Composite scores (综合评分): from measured values to summary scores and bands.

Order of operations, all in float64:
    1. A value with fewer cases than the model asks for is not reported.
    2. A measure that too few subjects report, or whose values have no spread, is
       dropped (or refused) and listed.
    3. A measure is winsorised where the model says so, standardised over all subjects
       that report it, and its sign set so that more is better.
    4. A group's mean adds a subject's measures in the order of the measure table, then
       divides by their number; the means are standardised over all subjects that have one.
    5. Weights of missing groups go to the others in proportion: exact fractions,
       rounded once.
    6. The summary score adds weight times score in the order of the model's groups.
    7. A subject with too few reported groups, or none of the required ones, is not
       rated; the others are banded among their peers.
- Sums over subjects are exactly rounded, so the order of subjects changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from scoring_kernel.composite.measuring import (
    Dropped,
    drop_without_spread,
    members_of_groups,
    reported_values,
    standardise_measures,
)
from scoring_kernel.composite.rating import PeerGroup, band_subjects
from scoring_kernel.composite.standardising import standardise
from scoring_kernel.model import NOT_RATED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scoring_kernel.composite.measure_table import MeasureTable
    from scoring_kernel.composite.model import CompositeModel
    from scoring_kernel.composite.standardising import FloatMatrix, FloatVector
    from scoring_kernel.composite.table import CompositeTable
    from scoring_kernel.measures import BoolVector


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositeResult:
    """Scores of n subjects by k measures in g groups.

    Attributes:
        model: The model.
        measures: The measure table.
        input_digest: Digest of the input table, 32 bytes.
        subjects: Subject ids, n of them.
        values: float64, shape (n, k): values as measured, in the order of the measure
            table; NaN not reported (too few cases included).
        standardised: float64, shape (n, k): standard scores, more is better; NaN where
            not reported or dropped.
        counts: int64, shape (n, g): measures behind each group score.
        scores: float64, shape (n, g): standardised group scores, NaN missing.
        weights: float64, shape (n, g): weights after redistribution, 0 where missing.
        summary: float64, shape (n,): summary scores, NaN without any group.
        reported: bool, shape (n, g): groups with enough measures.
        rated: bool, shape (n,): whether the reporting rules are met.
        bands: Band ids, ``NOT_RATED`` without one.
        dropped: Measures and groups that count for nobody, in order.
        peers: What was found in each peer group.
    """

    model: CompositeModel
    measures: MeasureTable
    input_digest: bytes
    subjects: tuple[str, ...]
    values: npt.NDArray[np.float64]
    standardised: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float64]
    weights: npt.NDArray[np.float64]
    summary: npt.NDArray[np.float64]
    reported: npt.NDArray[np.bool_]
    rated: npt.NDArray[np.bool_]
    bands: tuple[str, ...]
    dropped: tuple[Dropped, ...]
    peers: tuple[PeerGroup, ...]

    @property
    def basis(self) -> str:
        """Status of the model, to be shown with every score."""
        return str(self.model.status)


def score_composite(
    model: CompositeModel, table: CompositeTable, measures: MeasureTable
) -> CompositeResult:
    """Score and band all subjects of a table.

    Args:
        model: The model.
        table: Values of n subjects; its columns are exactly the measures, in any order.
        measures: The measure table; its groups are exactly the model's.

    Returns:
        The result, subjects in the order of the table.

    Raises:
        DraftModelError: The model is a draft.
        KernelInputError: A measure or group is unknown or absent, cases are asked for
            and not given, a measure or group has no spread and the model refuses that,
            or a peer group cannot be banded.
    """
    model.refuse_draft()
    members = members_of_groups(model, measures)
    values = reported_values(model, table, measures)
    standardised, dropped = standardise_measures(model, values, measures)
    counts = np.zeros((len(values), len(model.groups)), np.int64)
    scores = np.full(counts.shape, np.nan)
    for at, group in enumerate(model.groups):
        total = np.zeros(len(values))
        for measure in members[at]:
            known = ~np.isnan(standardised[:, measure])
            total += np.where(known, standardised[:, measure], 0.0)
            counts[:, at] += known
        means = np.where(counts[:, at] > 0, total / np.maximum(counts[:, at], 1), np.nan)
        # Standard scores are of size 1; means of theirs may cancel to rounding alone.
        spread = standardise(means, sample=model.sample_deviation, scale=1.0)
        if spread is not None:
            scores[:, at] = spread
        elif counts[:, at].any():
            dropped.append(drop_without_spread(model, f"group {group.id}", group.id))
    weights = redistribute([group.weight for group in model.groups], ~np.isnan(scores))
    reported = (counts >= model.least_measures) & ~np.isnan(scores)
    rated = _rated(model, reported)
    summary = _summary(weights, scores)
    places, peers = band_subjects(model, summary, rated, reported.sum(axis=1))
    names = (*(band.id for band in model.bands), NOT_RATED)
    return CompositeResult(
        model=model,
        measures=measures,
        input_digest=table.digest(),
        subjects=table.subjects,
        values=values,
        standardised=standardised,
        counts=counts,
        scores=scores,
        weights=weights,
        summary=summary,
        reported=reported,
        rated=rated,
        bands=tuple(names[place] for place in places),
        dropped=tuple(dropped),
        peers=peers,
    )


def redistribute(nominal: Sequence[Fraction], present: npt.NDArray[np.bool_]) -> FloatMatrix:
    """Hand the weights of missing groups to the others, in proportion.

    Args:
        nominal: Weight of each group, g of them, above 0.
        present: Whether a subject has the group's score, shape (n, g).

    Returns:
        Weights, shape (n, g): each the exact share rounded once, 0 where missing.

    >>> half = Fraction(1, 2)
    >>> redistribute([half, half], np.array([[True, True], [False, True]])).tolist()
    [[0.5, 0.5], [0.0, 1.0]]
    """
    patterns, which = np.unique(present, axis=0, return_inverse=True)
    shares = np.zeros(patterns.shape)
    for row, pattern in enumerate(patterns):
        left = sum((one for one, live in zip(nominal, pattern, strict=True) if live), Fraction(0))
        for at in np.flatnonzero(pattern):
            shares[row, at] = float(nominal[int(at)] / left)
    return shares[which.reshape(-1)]


def _rated(model: CompositeModel, reported: npt.NDArray[np.bool_]) -> BoolVector:
    enough: BoolVector = reported.sum(axis=1) >= model.least_groups
    required = [at for at, one in enumerate(model.groups) if one.id in model.required_groups]
    if required:
        enough &= reported[:, required].any(axis=1)
    return enough


def _summary(weights: FloatMatrix, scores: FloatMatrix) -> FloatVector:
    missing = np.isnan(scores)
    total = np.zeros(len(scores))
    for at in range(scores.shape[1]):
        total += np.where(missing[:, at], 0.0, weights[:, at] * scores[:, at])
    return np.where(missing.all(axis=1), np.nan, total)
