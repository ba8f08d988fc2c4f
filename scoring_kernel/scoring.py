"""Scoring (评分): inputs to points, total and grade, in exact hundredths of a point.

Rules:
- The steps are those of the plan (``plan.py``), carried out by numpy (``sweep.py``).
- The same inputs, model, reference and day always give the same.
- A grade is what the points earn, lowered to the cap of every override that applies.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from scoring_kernel.curves import Curve, LinearCurve, curve_of
from scoring_kernel.errors import KernelInputError
from scoring_kernel.grades import names_of, places_of
from scoring_kernel.ops import NumpyOps
from scoring_kernel.plan import ScoringPlan, statistic_of
from scoring_kernel.shapes import LinearShape
from scoring_kernel.sweep import BLOCK_ROWS, sweep_inputs

if TYPE_CHECKING:
    from datetime import date

    import numpy.typing as npt

    from scoring_kernel.indicators import Indicator
    from scoring_kernel.inputs import InputTable
    from scoring_kernel.model import RatingModel
    from scoring_kernel.reference import Reference

__all__ = ["BLOCK_ROWS", "ScoreResult", "curve", "score", "thresholds"]


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
        out_of_range: Where it applied because the value is out of range, shape (n, k).
        shrunk: Where few cases moved the value towards the peers, shape (n, k).
        overridden: Where each of the model's o overrides applies, shape (n, o).
        undetermined: Where one that is in force does not apply, but lacks one of its
            columns: nobody can tell whether it should, shape (n, o).
        earned_grades: Grade ids the points give, ``not_rated`` below the model's least
            coverage.
        grades: Grade ids after overrides.
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
    out_of_range: npt.NDArray[np.bool_] = field(repr=False)
    shrunk: npt.NDArray[np.bool_] = field(repr=False)
    overridden: npt.NDArray[np.bool_] = field(repr=False)
    undetermined: npt.NDArray[np.bool_] = field(repr=False)
    earned_grades: tuple[str, ...] = field(repr=False)
    grades: tuple[str, ...] = field(repr=False)

    @property
    def basis(self) -> str:
        """``proposal`` or ``final``: how far the score may be trusted."""
        return self.model.status.value

    def grades_in(self, band_set: str) -> tuple[str, ...]:
        """Grades in one of the model's band sets, after overrides.

        Args:
            band_set: Id of the set, for example ``letters``.

        Raises:
            KernelInputError: The model has no such set.
        """
        if band_set not in self.model.band_sets:
            raise KernelInputError(
                f"model {self.model.id}: no band set {band_set[:40]!r}, expected one of "
                f"{sorted(self.model.band_sets)}"
            )
        found = self.model.band_sets[band_set]
        _, places = places_of(
            NumpyOps(),
            self.model,
            found,
            total=self.total_centi.astype(np.float64),
            coverage=self.coverage_centi.astype(np.float64),
            overridden=list(self.overridden.T),
        )
        return names_of(found.bands, places.astype(np.int64))


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
    plan = ScoringPlan.of(model, reference, day)
    found = sweep_inputs(plan, inputs)
    bands = model.bands
    earned = names_of(bands, found.earned)
    is_capped = bool(found.overridden.any())
    return ScoreResult(
        model=model,
        day=day,
        reference=reference,
        inputs=inputs,
        subjects=inputs.subjects,
        levels=inputs.levels,
        types=inputs.types,
        values_micro=found.values.T,
        missing=found.missing.T,
        provisional=found.lacking.T,
        out_of_range=found.beyond.T,
        shrunk=found.shrunk.T,
        weights_centi=found.weights.T,
        points_centi=found.points.T,
        total_centi=found.total,
        coverage_centi=found.coverage,
        overridden=found.overridden.T,
        undetermined=found.undetermined.T,
        earned_grades=earned,
        grades=names_of(bands, found.grade) if is_capped else earned,
    )


def curve(
    indicator: Indicator, reference: Reference | None, day: date, level: str, kind: str
) -> Curve | None:
    """What an indicator's points are read from, for one level and type of subject.

    Args:
        indicator: The indicator.
        reference: Peer reference, None without one.
        day: Day for which parameters are read.
        level: Level of the subject.
        kind: Type of the subject.

    Returns:
        The curve; None where a peer statistic is missing or out of bounds.

    Raises:
        ParameterNotInForceError: A parameter has no value on that day.
    """
    return curve_of(indicator, day, level, statistic_of(indicator, reference, level, kind))


def thresholds(
    indicator: Indicator, reference: Reference | None, day: date, level: str, kind: str
) -> tuple[int, int] | None:
    """Ends of a linear shape as the catalogue names them, for one level and type of subject.

    Args:
        indicator: An indicator with a linear shape.
        reference: Peer reference, None without one.
        day: Day for which parameters are read.
        level: Level of the subject.
        kind: Type of the subject.

    Returns:
        (zero, full) in millionths, equal where the shape is a step; None where a peer
        statistic is missing or out of bounds.

    Raises:
        ParameterNotInForceError: A parameter has no value on that day.
        TypeError: The shape is not linear.
    """
    shape = indicator.shape
    if not isinstance(shape, LinearShape):
        raise TypeError(f"indicator {indicator.id}: expected a linear shape, ask for its curve")
    if not isinstance(curve(indicator, reference, day, level, kind), LinearCurve):
        return None
    known = statistic_of(indicator, reference, level, kind)
    zero, full = (
        end.at(day, level, None if end.peer is None else known(end.peer))
        for end in (shape.zero, shape.full)
    )
    return None if zero is None or full is None else (zero, full)
