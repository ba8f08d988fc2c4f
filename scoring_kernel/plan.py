"""The numeric plan (计算计划): one model on one day against one reference, in stages.

Stages, each written once over ``Ops`` and carried out or written down by a backend:
    1. ``derive``: inputs to values; few cases move a value towards its peers.
    2. ``rate``: values to nominal points; missing values by their policy.
    3. ``redistribute``: weights of excluded indicators go to the others.
    4. ``finish``: points at those weights, total, coverage, grade, overrides; and which
       overrides nobody can judge.

Rules:
- Every number is a whole one below 2**53 in size, so a backend's float64 is exact and
  every backend gets the same bits.
- What depends on the day, the parameters, the reference or the peer group is worked out
  when the plan is made; a row brings its columns and the number of its peer group.
- Where a value is not there, exactly one of the reasons holds: none (no data, or a
  division by nothing), ``beyond`` (out of range) or ``lacking`` (no peer statistic).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from scoring_kernel.arithmetic import (
    all_of,
    any_of,
    flag_by_group,
    never,
    positive,
    total_of,
)
from scoring_kernel.curves import Curve, Table, curve_of, table_of
from scoring_kernel.derivation import derive
from scoring_kernel.errors import KernelInputError
from scoring_kernel.grades import places_of
from scoring_kernel.indicators import MissingPolicy
from scoring_kernel.redistribution import redistribute
from scoring_kernel.shapes import MEDIAN
from scoring_kernel.shrinking import Value, shrink, unmoved

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

    from scoring_kernel.derivation import Columns
    from scoring_kernel.indicators import Indicator
    from scoring_kernel.model import RatingModel
    from scoring_kernel.ops import Ops
    from scoring_kernel.reference import Reference

N = TypeVar("N")
F = TypeVar("F")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rated(Generic[N, F]):
    """Nominal points of k indicators.

    Attributes:
        reached: Hundredths of a point the values reach; without meaning where missing.
        points: The same at nominal weights; the policy's where missing.
        missing: Where the missing policy applies.
        lacking: Where it applies because a peer statistic is missing.
        excluded: Where the indicator hands its weight on.
    """

    reached: list[N]
    points: list[N]
    missing: list[F]
    lacking: list[F]
    excluded: list[F]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished(Generic[N, F]):
    """What the points come to.

    Attributes:
        points: Hundredths of a point at the weights after redistribution, k of them.
        total: Their sum.
        coverage: Nominal weight of the indicators that are not missing, hundredths.
        earned: Place of the grade the points give: 0 is the best of the first band set,
            as many as it has bands means not rated.
        grade: The same after overrides.
    """

    points: list[N]
    total: N
    coverage: N
    earned: N
    grade: N


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOutputs(Generic[N, F]):
    """Everything a plan says about some rows.

    Attributes:
        values: Values of k indicators; without meaning where missing.
        rated: Nominal points.
        weights: Weights after redistribution, hundredths, k of them.
        overridden: Where each of the model's overrides applies.
        undetermined: Where each of them cannot be judged.
        finished: Points, total and grade.
    """

    values: list[Value[N, F]]
    rated: Rated[N, F]
    weights: list[N]
    overridden: list[F]
    undetermined: list[F]
    finished: Finished[N, F]


@dataclass(frozen=True, slots=True, kw_only=True)
class IndicatorPlan:
    """One indicator with the numbers of one day.

    Attributes:
        indicator: The indicator.
        curves: Curve of each peer group; None where a statistic is missing.
        table: The same curves put together; None where no group has one.
        medians: Median of each peer group, millionths; None where there is none.
        policy: Points where the indicator is missing, hundredths at its nominal weight.
    """

    indicator: Indicator
    curves: tuple[Curve | None, ...]
    table: Table | None
    medians: tuple[int | None, ...]
    policy: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringPlan:
    """One model on one day against one reference.

    Attributes:
        model: The model.
        day: Day for which parameters were read.
        groups: Level and type of each peer group. Types vary fastest, so the group of a
            row is ``place of its level * number of types + place of its type``.
        indicators: The model's indicators, in its order.
    """

    model: RatingModel
    day: date
    groups: tuple[tuple[str, str], ...]
    indicators: tuple[IndicatorPlan, ...]

    @classmethod
    def of(cls, model: RatingModel, reference: Reference | None, day: date) -> ScoringPlan:
        """Make the plan of a model.

        Args:
            model: The model, not a draft.
            reference: Peer reference of the same model; None where none is known yet.
            day: Day for which parameters are read.

        Raises:
            DraftModelError: The model is a draft.
            ModelNotInForceError: The model does not hold on the day.
            KernelInputError: The reference is another model's.
            ParameterNotInForceError: A parameter of a shape has no value on that day.
        """
        model.refuse_draft()
        model.refuse_day(day)
        if reference is not None and reference.model_digest != model.digest:
            raise KernelInputError(
                f"reference is of model {reference.model_digest.hex()[:16]}, expected "
                f"{model.digest.hex()[:16]} ({model.id}): use the reference of the same model"
            )
        groups = tuple((level, kind) for level in model.levels for kind in model.types)
        return cls(
            model=model,
            day=day,
            groups=groups,
            indicators=tuple(
                _indicator_plan(one, reference, day, groups) for one in model.indicators
            ),
        )

    def derive(self, ops: Ops[N, F], columns: Columns[N, F], group: N) -> list[Value[N, F]]:
        """Stage 1: values of k indicators.

        Args:
            ops: Backend.
            columns: Values and presence by column, at least ``model.input_columns``; values
                within ``inputs.MAX_INPUT`` in size.
            group: Peer group of each row, a place in ``groups``.

        Raises:
            ParameterNotInForceError: A parameter of a formula has no value on the day.
        """
        return [self.value(ops, one, columns, group) for one in self.indicators]

    def value(
        self, ops: Ops[N, F], one: IndicatorPlan, columns: Columns[N, F], group: N
    ) -> Value[N, F]:
        """Stage 1 for one indicator."""
        derived = derive(ops, one.indicator.derivation, columns, self.day)
        shrinkage = one.indicator.shrink
        if shrinkage is None:
            return unmoved(ops, derived)
        return shrink(
            ops,
            derived,
            sample=columns[shrinkage.sample],
            least=shrinkage.least,
            medians=one.medians,
            group=group,
        )

    def rate(self, ops: Ops[N, F], values: Sequence[Value[N, F]], group: N) -> Rated[N, F]:
        """Stage 2: nominal points of k indicators."""
        rated: Rated[N, F] = Rated(reached=[], points=[], missing=[], lacking=[], excluded=[])
        for one, value in zip(self.indicators, values, strict=True):
            earned, there, lacking = self.earned(ops, one, value, group)
            missing = ops.negate(there)
            rated.reached.append(earned)
            rated.points.append(ops.where(there, earned, ops.number(one.policy)))
            rated.missing.append(missing)
            rated.lacking.append(lacking)
            excludes = one.indicator.missing is MissingPolicy.EXCLUDE
            rated.excluded.append(missing if excludes else never(ops))
        return rated

    def earned(
        self, ops: Ops[N, F], one: IndicatorPlan, value: Value[N, F], group: N
    ) -> tuple[N, F, F]:
        """Stage 2 for one indicator, without its missing policy.

        Returns:
            Nominal points, without meaning where the indicator is missing; where it is
            not missing; and where it is for want of a peer statistic.
        """
        if one.table is None:
            lacking = ops.either(value.lacking, value.present)
            return ops.number(0), ops.both(value.present, never(ops)), lacking
        points = one.table.points(ops, value.value, group)
        known = [curve is not None for curve in one.curves]
        if all(known):
            return points, value.present, value.lacking
        has_curve = flag_by_group(ops, group, known)
        lacking = ops.both(value.present, ops.negate(has_curve))
        return points, ops.both(value.present, has_curve), ops.either(value.lacking, lacking)

    def redistribute(self, ops: Ops[N, F], excluded: Sequence[F]) -> list[N]:
        """Stage 3: weights after redistribution, hundredths, k of them."""
        return redistribute(ops, self.model, excluded)

    def overridden(self, ops: Ops[N, F], columns: Columns[N, F]) -> list[F]:
        """Where each override applies: in force, and one of its columns present and above 0."""
        return [
            any_of(
                ops,
                [
                    ops.both(columns[column][1], positive(ops, columns[column][0]))
                    for column in one.columns
                ],
            )
            if one.is_in_force(self.day)
            else never(ops)
            for one in self.model.overrides
        ]

    def undetermined(
        self, ops: Ops[N, F], columns: Columns[N, F], overridden: Sequence[F]
    ) -> list[F]:
        """Where each override is in force, does not apply, and lacks one of its columns."""
        return [
            ops.negate(
                ops.either(applies, all_of(ops, [columns[column][1] for column in one.columns]))
            )
            if one.is_in_force(self.day)
            else never(ops)
            for one, applies in zip(self.model.overrides, overridden, strict=True)
        ]

    def finish(
        self,
        ops: Ops[N, F],
        rated: Rated[N, F],
        weights: Sequence[N],
        overridden: Sequence[F],
    ) -> Finished[N, F]:
        """Stage 4: points at the weights after redistribution, and what they come to."""
        points = [
            self.at_weight(ops, one, nominal, weight)
            for one, nominal, weight in zip(self.indicators, rated.points, weights, strict=True)
        ]
        total = total_of(ops, points)
        none = ops.number(0)
        coverage = total_of(
            ops,
            [
                ops.where(missing, none, ops.number(one.indicator.weight_centi))
                for missing, one in zip(rated.missing, self.indicators, strict=True)
            ],
        )
        bands = next(iter(self.model.band_sets.values()))
        earned, grade = places_of(
            ops, self.model, bands, total=total, coverage=coverage, overridden=overridden
        )
        return Finished(points=points, total=total, coverage=coverage, earned=earned, grade=grade)

    def at_weight(self, ops: Ops[N, F], one: IndicatorPlan, points: N, weight: N) -> N:
        """Points of one indicator at another weight than the nominal one, rounded half up.

        At most 2 * 1e5 * 1e5 and a little, far below 2**53.
        """
        nominal = one.indicator.weight_centi
        return ops.line(points, weight, ops.number(nominal // 2), ops.number(nominal))

    def evaluate(self, ops: Ops[N, F], columns: Columns[N, F], group: N) -> PlanOutputs[N, F]:
        """All stages for the same rows; arguments as for ``derive``."""
        values = self.derive(ops, columns, group)
        rated = self.rate(ops, values, group)
        weights = self.redistribute(ops, rated.excluded)
        overridden = self.overridden(ops, columns)
        return PlanOutputs(
            values=values,
            rated=rated,
            weights=weights,
            overridden=overridden,
            undetermined=self.undetermined(ops, columns, overridden),
            finished=self.finish(ops, rated, weights, overridden),
        )


def statistic_of(
    indicator: Indicator, reference: Reference | None, level: str, kind: str
) -> Callable[[str], int | None]:
    """Statistics of one indicator for one peer group, by name."""

    def found(statistic: str) -> int | None:
        if reference is None:
            return None
        return reference.lookup(indicator.id, statistic, level, kind)[1]

    return found


def _indicator_plan(
    indicator: Indicator,
    reference: Reference | None,
    day: date,
    groups: Sequence[tuple[str, str]],
) -> IndicatorPlan:
    known = [statistic_of(indicator, reference, level, kind) for level, kind in groups]
    curves = tuple(
        curve_of(indicator, day, level, statistic)
        for (level, _), statistic in zip(groups, known, strict=True)
    )
    weight = indicator.weight_centi
    return IndicatorPlan(
        indicator=indicator,
        curves=curves,
        table=table_of(curves, weight),
        medians=tuple(
            statistic(MEDIAN) if indicator.shrink is not None else None for statistic in known
        ),
        policy=weight if indicator.missing is MissingPolicy.FULL else 0,
    )
