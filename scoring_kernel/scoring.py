"""Scoring (评分): inputs to points, total and grade, in exact hundredths of a point.

Steps, for blocks of rows:
    1. Derive every indicator's value (``derivation``).
    2. Find the thresholds of its shape; a missing peer statistic makes the indicator
       provisional: it is treated as missing.
    3. Nominal points by the shape (``shapes``).
    4. Missing values by their policy; weights of excluded ones are redistributed once
       per pattern of missing indicators (``redistribution``).
    5. Total, coverage and grade (``grades``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from scoring_kernel.derivation import Block, derive
from scoring_kernel.errors import KernelInputError
from scoring_kernel.grades import grade_of
from scoring_kernel.indicators import MissingPolicy
from scoring_kernel.redistribution import effective_weights
from scoring_kernel.shapes import linear_points

if TYPE_CHECKING:
    from datetime import date

    from scoring_kernel.indicators import Indicator
    from scoring_kernel.inputs import InputTable
    from scoring_kernel.measures import BoolVector, IntVector
    from scoring_kernel.model import RatingModel
    from scoring_kernel.reference import Reference

BLOCK_ROWS: Final = 8_192
"""Rows of one sweep: its columns stay in the processor's cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreResult:
    """Scores of n subjects over k indicators.

    Attributes:
        model: Model that scored.
        day: Day for which parameters were read.
        reference: Peer reference that was used, None without one.
        inputs: What was scored, for explanations.
        subjects: Subject ids.
        levels: Level of each subject.
        types: Type of each subject.
        values_micro: Indicator values, millionths, shape (n, k), 0 where missing.
        missing: Where the missing policy applied, shape (n, k).
        provisional: Where it applied because a peer statistic was missing, shape (n, k).
        weights_centi: Weights after redistribution, hundredths, int32, shape (n, k).
        points_centi: Points, hundredths, int32, shape (n, k).
        total_centi: Totals, hundredths, int32, shape (n,).
        coverage_centi: Nominal weight of the present indicators, int32, shape (n,).
        grades: Grade ids, ``not_rated`` below the model's least coverage.
    """

    model: RatingModel = field(repr=False)
    day: date
    reference: Reference | None = field(repr=False)
    inputs: InputTable = field(repr=False)
    subjects: tuple[str, ...] = field(repr=False)
    levels: tuple[str, ...] = field(repr=False)
    types: tuple[str, ...] = field(repr=False)
    values_micro: npt.NDArray[np.int64] = field(repr=False)
    missing: npt.NDArray[np.bool_] = field(repr=False)
    provisional: npt.NDArray[np.bool_] = field(repr=False)
    weights_centi: npt.NDArray[np.int32] = field(repr=False)
    points_centi: npt.NDArray[np.int32] = field(repr=False)
    total_centi: npt.NDArray[np.int32] = field(repr=False)
    coverage_centi: npt.NDArray[np.int32] = field(repr=False)
    grades: tuple[str, ...] = field(repr=False)

    @property
    def basis(self) -> str:
        """``proposal`` or ``final``: how far the score may be trusted."""
        return self.model.status.value


def score(
    model: RatingModel, inputs: InputTable, reference: Reference | None, day: date
) -> ScoreResult:
    """Score subjects with a model.

    Args:
        model: The model, not a draft.
        inputs: Inputs of n subjects; n may be 0.
        reference: Peer reference of the same model; None where none is known yet.
        day: Day for which parameters are read.

    Returns:
        The scores; the same inputs, model, reference and day always give the same.

    Raises:
        DraftModelError: The model is a draft.
        KernelInputError: The table lacks a column, or the reference is another model's.
        ParameterNotInForceError: A parameter has no value on that day.
    """
    model.refuse_draft()
    if reference is not None and reference.model_digest != model.digest:
        raise KernelInputError(
            f"reference is of model {reference.model_digest.hex()[:16]}, expected "
            f"{model.digest.hex()[:16]} ({model.id}): use the reference of the same model"
        )
    n, k = len(inputs.subjects), len(model.indicators)
    peers, peer_of = _peers(inputs)
    plan = _Plan(model, reference, day, peers)
    # Column by column in memory: sweeps read and write one indicator at a time.
    values = np.zeros((k, n), np.int64)
    missing = np.zeros((k, n), np.bool_)
    provisional = np.zeros((k, n), np.bool_)
    weights = np.zeros((k, n), np.int32)
    points = np.zeros((k, n), np.int32)
    total = np.zeros(n, np.int32)
    coverage = np.zeros(n, np.int32)
    for start in range(0, n, BLOCK_ROWS):
        stop = min(start + BLOCK_ROWS, n)
        rows = slice(start, stop)
        block = Block.of(model, inputs, start, stop)
        for index, indicator in enumerate(model.indicators):
            column, present = derive(indicator.derivation, block, day)
            earned, lacking = plan.points(index, column, peer_of[rows])
            lacking &= present
            present &= ~lacking
            provisional[index, rows] = lacking
            missing[index, rows] = ~present
            # A missing value carries nothing, so both ends of the wire agree on it.
            values[index, rows] = column * present
            points[index, rows] = np.where(present, earned, plan.when_missing[index])
        plan.redistribute(missing[:, rows], points[:, rows], weights[:, rows])
        total[rows] = points[:, rows].sum(axis=0)
        coverage[rows] = plan.nominal @ ~missing[:, rows]
    return ScoreResult(
        model=model,
        day=day,
        reference=reference,
        inputs=inputs,
        subjects=inputs.subjects,
        levels=inputs.levels,
        types=inputs.types,
        values_micro=values.T,
        missing=missing.T,
        provisional=provisional.T,
        weights_centi=weights.T,
        points_centi=points.T,
        total_centi=total,
        coverage_centi=coverage,
        grades=grade_of(total, model.bands, coverage >= model.min_coverage),
    )


def thresholds(
    indicator: Indicator, reference: Reference | None, day: date, level: str, kind: str
) -> tuple[int, int] | None:
    """Values that earn nothing and everything, for one level and type of subject.

    Args:
        indicator: The indicator.
        reference: Peer reference, None without one.
        day: Day for which parameters are read.
        level: Level of the subject.
        kind: Type of the subject.

    Returns:
        (zero, full) in millionths; None where a peer statistic is missing.

    Raises:
        ParameterNotInForceError: A parameter has no value on that day.
    """
    ends: list[int] = []
    for end in (indicator.shape.zero, indicator.shape.full):
        statistic: int | None = None
        if end.peer is not None and reference is not None:
            _, statistic = reference.lookup(indicator.id, end.peer, level, kind)
        value = end.at(day, level, statistic)
        if value is None:
            return None
        ends.append(value)
    return ends[0], ends[1]


class _Plan:
    """What every block of one run shares: thresholds, policies, weights per pattern."""

    __slots__ = ("_excludes", "_model", "_patterns", "_thresholds", "nominal", "when_missing")

    def __init__(
        self,
        model: RatingModel,
        reference: Reference | None,
        day: date,
        peers: tuple[tuple[str, str], ...],
    ) -> None:
        self._model = model
        self._thresholds = [
            [thresholds(indicator, reference, day, level, kind) for level, kind in peers]
            for indicator in model.indicators
        ]
        self._patterns: dict[int, npt.NDArray[np.int64]] = {}
        self._excludes = np.array(
            [one.missing is MissingPolicy.EXCLUDE for one in model.indicators], np.bool_
        )
        self.nominal = np.array([one.weight_centi for one in model.indicators], np.int32)
        self.when_missing = [
            one.weight_centi if one.missing is MissingPolicy.FULL else 0 for one in model.indicators
        ]

    def points(
        self, index: int, values: IntVector, peer_of: IntVector
    ) -> tuple[IntVector, BoolVector]:
        """Nominal points of one indicator, and where a threshold is missing."""
        indicator = self._model.indicators[index]
        by_peer = self._thresholds[index]
        higher = indicator.shape.higher_is_better
        weight = indicator.weight_centi
        earned = np.zeros(len(values), np.int64)
        lacking = np.zeros(len(values), np.bool_)
        # Most thresholds are the same for everybody: one sweep, not one per peer group.
        pairs = list(dict.fromkeys(by_peer))
        pair_of = np.array([pairs.index(pair) for pair in by_peer], np.int16)[peer_of]
        for place, pair in enumerate(pairs):
            rows = slice(None) if len(pairs) == 1 else np.flatnonzero(pair_of == place)
            if pair is None:
                lacking[rows] = True
                continue
            zero, full = pair
            earned[rows] = linear_points(values[rows], weight, zero, full, higher_is_better=higher)
        return earned, lacking

    def redistribute(
        self,
        missing: npt.NDArray[np.bool_],
        points: npt.NDArray[np.int32],
        weights: npt.NDArray[np.int32],
    ) -> None:
        """Fill in weights and scale points of one block in place; arrays are (k, b)."""
        excluded = missing & self._excludes[:, None]
        words = _words(excluded)
        found, first, inverse = np.unique(words, return_index=True, return_inverse=True)
        fresh = [at for at, word in enumerate(found.tolist()) if word not in self._patterns]
        if fresh:
            effective = effective_weights(self._model, excluded[:, first[fresh]].T)
            for at, row in zip(fresh, effective, strict=True):
                self._patterns[int(found[at])] = row
        table = np.stack([self._patterns[word] for word in found.tolist()]).astype(np.int32)
        weights[:] = table.T[:, inverse]
        changed = np.flatnonzero(words)
        if len(changed):
            nominal = self.nominal[:, None].astype(np.int64)
            moved = 2 * points[:, changed].astype(np.int64) * weights[:, changed]
            points[:, changed] = (moved + nominal) // (2 * nominal)


def _words(excluded: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint64]:
    """Pack each column of (k, b) into one 64-bit word; k is at most 64."""
    words = np.zeros(excluded.shape[1], np.uint64)
    for index, row in enumerate(excluded):
        words |= row.astype(np.uint64) << np.uint64(index)
    return words


def _peers(inputs: InputTable) -> tuple[tuple[tuple[str, str], ...], IntVector]:
    """Pairs of level and type that occur, and the pair of each subject."""
    pairs = dict.fromkeys(zip(inputs.levels, inputs.types, strict=True))
    places = {pair: place for place, pair in enumerate(pairs)}
    each = map(places.__getitem__, zip(inputs.levels, inputs.types, strict=True))
    peer_of = np.fromiter(each, np.int64, len(inputs.subjects))
    return tuple(places), peer_of
