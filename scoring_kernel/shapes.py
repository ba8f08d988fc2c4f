"""Shapes (得分曲线): from an indicator's value to its share of the weight.

Rules:
- ``linear`` runs between the value that earns nothing and the value that earns
  everything, clipped outside; where both are equal, a step at the full value.
- ``steps`` earns the share of the first step that is reached, from the best downwards.
- ``robust_z`` is linear over the distance from the peers' median, measured in robust
  deviations; a value on the good side of a one-sided shape earns everything.
- ``boolean`` earns everything or nothing, as the value is above 0 or not.
- A threshold is a number, a dated parameter (perhaps by level), or a statistic of
  the peers, plus an optional parameter. A statistic may have a floor: where nearly all
  peers are at 0, one event must not cost everything.
- Values and thresholds are whole millionths: they were rounded before the shape sees
  them. From there on integers are exact; points are rounded half up once, in
  hundredths of a point.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias

from scoring_kernel.parameters import SCALAR

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from scoring_kernel.parameters import Parameter

STATISTICS: Final[Mapping[str, int]] = {"p10": 10, "p25": 25, "p50": 50, "p75": 75, "p90": 90}
"""Peer statistics a threshold may name, with their percentage (nearest rank)."""
MEDIAN: Final = "p50"
"""Statistic from which a distance is measured and to which few cases shrink."""
MAD: Final = "mad"
"""Median absolute deviation: nearest-rank median of the distances from ``MEDIAN``."""

MAD_SCALE_E4: Final = 14_826
"""A robust deviation is 1.4826 times ``MAD``, here in ten-thousandths.

Source:
    Rousseeuw and Croux, Alternatives to the Median Absolute Deviation (1993).
"""
SHARE_E4: Final = 10_000
"""The whole of a weight, in the ten-thousandths of a share."""
_EXACT: Final = 2**53 - 1


def threshold_limit(weight_centi: int) -> int:
    """Largest threshold with which a linear shape of that weight is exact in float64.

    Args:
        weight_centi: Weight, hundredths of a point, positive.

    Returns:
        Millionths: with both ends within it, ``2 * weight * distance + span`` stays
        below 2**53.

    >>> threshold_limit(100_000)
    22517885547
    """
    return _EXACT // (4 * weight_centi + 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """One end of a shape: ``constant``, ``parameter`` or ``peer``, plus ``plus``.

    The threshold of a statistic is ``max(statistic + plus, least)``.

    Attributes:
        constant: Millionths, where the threshold is a number.
        parameter: Where it is a dated parameter.
        peer: Where it is a statistic of the peers, a key of ``STATISTICS``.
        plus: Parameter to add.
        least: Parameter below which the statistic and what is added to it do not count.
    """

    constant: int | None = None
    parameter: Parameter | None = None
    peer: str | None = None
    plus: Parameter | None = None
    least: Parameter | None = None

    def at(self, day: date, level: str, statistic_micro: int | None) -> int | None:
        """Threshold in force for one level of subject.

        Args:
            day: Day for which parameters are read.
            level: Level of the subject.
            statistic_micro: Value of the peer statistic, None where there is none.

        Returns:
            Millionths, exact; None where the statistic is missing.

        Raises:
            ParameterNotInForceError: A parameter has no value on that day.
        """
        base: int | None
        if self.peer is not None:
            base = statistic_micro
        elif self.parameter is not None:
            base = _amount(self.parameter, day, level)
        else:
            base = self.constant
        if base is None:
            return None
        if self.plus is not None:
            base += _amount(self.plus, day, level)
        floor = self.floor(day, level)
        return base if floor is None else max(base, floor)

    def floor(self, day: date, level: str) -> int | None:
        """Least threshold of the peers in force for one level, millionths; None without one.

        Raises:
            ParameterNotInForceError: It has no value on that day.
        """
        return None if self.least is None else _amount(self.least, day, level)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Dated parameters the threshold reads."""
        return tuple(one for one in (self.parameter, self.plus, self.least) if one is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearShape:
    """Linear from ``zero`` (no points) to ``full`` (all points).

    Attributes:
        higher_is_better: Whether points rise with the value.
        zero: Value that earns nothing.
        full: Value that earns the whole weight.
    """

    higher_is_better: bool
    zero: Threshold
    full: Threshold

    @property
    def statistics(self) -> tuple[str, ...]:
        """Peer statistics the shape needs, sorted."""
        return _peers_of(self.thresholds)

    @property
    def thresholds(self) -> tuple[Threshold, ...]:
        """Every threshold of the shape."""
        return (self.zero, self.full)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step: who reaches ``at`` earns ``share_e4`` of the weight.

    Attributes:
        at: Value to reach: at least it where higher is better, at most it otherwise.
        share_e4: Share of the weight, ten-thousandths.
    """

    at: Threshold
    share_e4: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StepShape:
    """The share of the first step that is reached, from the best downwards.

    Attributes:
        higher_is_better: Whether a step is reached from below or from above.
        steps: Steps from the best, shares falling.
        rest_e4: Share where no step is reached, ten-thousandths.
    """

    higher_is_better: bool
    steps: tuple[Step, ...]
    rest_e4: int

    @property
    def statistics(self) -> tuple[str, ...]:
        """Peer statistics the shape needs, sorted."""
        return _peers_of(self.thresholds)

    @property
    def thresholds(self) -> tuple[Threshold, ...]:
        """Every threshold of the shape."""
        return tuple(step.at for step in self.steps)


class Side(StrEnum):
    """On which side of the peers' median a distance costs points."""

    BOTH = "both"
    ABOVE = "above"
    BELOW = "below"


@dataclass(frozen=True, slots=True, kw_only=True)
class RobustZShape:
    """Linear over the distance from the peers' median, in robust deviations.

    The ends of the distance are ``spread * full_centi / 100`` and ``spread * zero_centi /
    100``, rounded half up, where the spread is 1.4826 times the peers' ``mad``, but at least
    ``least_spread``.

    Attributes:
        side: Side on which a distance costs points; the other one earns everything.
        full_centi: Deviations up to which everything is earned, hundredths.
        zero_centi: Deviations from which on nothing is earned, hundredths, larger.
        least_spread: Least spread, a number or a parameter, positive.
    """

    side: Side
    full_centi: int
    zero_centi: int
    least_spread: Threshold

    @property
    def statistics(self) -> tuple[str, ...]:
        """Peer statistics the shape needs, sorted."""
        return (MAD, MEDIAN)

    @property
    def thresholds(self) -> tuple[Threshold, ...]:
        """Every threshold of the shape."""
        return (self.least_spread,)


@dataclass(frozen=True, slots=True, kw_only=True)
class BooleanShape:
    """All points or none.

    Attributes:
        good: Whether a value above 0 earns everything; otherwise one up to 0 does.
    """

    good: bool

    @property
    def statistics(self) -> tuple[str, ...]:
        """Peer statistics the shape needs: none."""
        return ()

    @property
    def thresholds(self) -> tuple[Threshold, ...]:
        """Every threshold of the shape: none."""
        return ()


Shape: TypeAlias = LinearShape | StepShape | RobustZShape | BooleanShape
"""Every kind of shape."""


def _peers_of(thresholds: tuple[Threshold, ...]) -> tuple[str, ...]:
    return tuple(sorted({one.peer for one in thresholds if one.peer is not None}))


def _amount(parameter: Parameter, day: date, level: str) -> int:
    return parameter.at(day, level if parameter.by == "level" else SCALAR)
