"""Shapes (得分曲线): from an indicator's value to its share of the weight.

Rules:
- Linear between the value that earns nothing and the value that earns everything;
  clipped outside; where both are equal, a step at the full value.
- Values and thresholds are whole millionths: they were rounded before the shape sees
  them. From there on integers are exact; points are rounded half up once, in
  hundredths of a point.
- A threshold is a number, a dated parameter (perhaps by level), or a statistic of
  the peers, plus an optional parameter.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

import numpy as np

from scoring_kernel.amounts import decimal_text
from scoring_kernel.errors import ParameterNotInForceError
from scoring_kernel.parameters import LIMIT_MICRO, SCALAR, micro_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from scoring_kernel.measures import IntVector
    from scoring_kernel.parameters import Parameter
    from scoring_kernel.yaml_section import Section

STATISTICS: Final[Mapping[str, int]] = {"p50": 50, "p90": 90}
"""Peer statistics a threshold may name, with their percentage (nearest rank)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """One end of a shape: ``constant``, ``parameter`` or ``peer``, plus ``plus``.

    Attributes:
        constant: Millionths, where the threshold is a number.
        parameter: Where it is a dated parameter.
        peer: Where it is a statistic of the peers, a key of ``STATISTICS``.
        plus: Parameter to add.
    """

    constant: int | None = None
    parameter: Parameter | None = None
    peer: str | None = None
    plus: Parameter | None = None

    def at(self, day: date, level: str, statistic_micro: int | None) -> int | None:
        """Threshold in force for one level of subject.

        Args:
            day: Day for which parameters are read.
            level: Level of the subject.
            statistic_micro: Value of the peer statistic, None where there is none.

        Returns:
            Millionths, clipped to ``LIMIT_MICRO``; None where the statistic is missing.

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
        return max(-LIMIT_MICRO, min(LIMIT_MICRO, base))


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
        found = {end.peer for end in (self.zero, self.full) if end.peer is not None}
        return tuple(sorted(found))


def linear_points(
    values: IntVector,
    weight_centi: int,
    zero: int,
    full: int,
    *,
    higher_is_better: bool,
) -> IntVector:
    """Points of a linear shape, exactly.

    Args:
        values: Values in millionths, any int64.
        weight_centi: Weight, hundredths of a point, 0 to 100,000.
        zero: Value that earns nothing, millionths, at most ``LIMIT_MICRO`` in size.
        full: Value that earns the whole weight, likewise. Where the two are equal, or
            in the wrong order, the shape is a step at ``full``.
        higher_is_better: Whether points rise with the value.

    Returns:
        Points in hundredths, 0..``weight_centi``, rounded half up.

    >>> values = np.array([0, 500_000, 2_000_000])
    >>> linear_points(values, 1001, 0, 1_000_000, higher_is_better=True).tolist()
    [0, 501, 1001]
    """
    # At most 2 * 1e5 * 2e12 + 2e12, far inside int64.
    span = full - zero if higher_is_better else zero - full
    if span <= 0:
        reached = values >= full if higher_is_better else values <= full
        return np.where(reached, weight_centi, 0).astype(np.int64, copy=False)
    low, high = (zero, full) if higher_is_better else (full, zero)
    x: IntVector = np.minimum(np.maximum(values, low), high)
    x = x - zero if higher_is_better else zero - x
    x *= 2 * weight_centi
    x += span
    x //= 2 * span
    return x


def parse_shape(
    section: Section,
    parameters: Mapping[str, Parameter],
    *,
    unit: str,
    levels: Collection[str],
) -> LinearShape:
    """Parse the ``shape`` of an indicator.

    Args:
        section: The shape's mapping.
        parameters: Parameters of the indicator.
        unit: Unit of the indicator's value, which every threshold shares.
        levels: Levels of subject.

    Raises:
        CatalogError: A threshold is unknown, malformed or of another unit, or the two
            ends contradict ``better`` on some day for some level.
    """
    section.refuse_unknown(("kind", "better", "zero", "full"))
    section.choice("kind", ("linear",))
    shape = LinearShape(
        higher_is_better=section.choice("better", ("higher", "lower")) == "higher",
        zero=_parse_threshold(section, "zero", parameters, unit),
        full=_parse_threshold(section, "full", parameters, unit),
    )
    for since, level, zero, full in _known_ends(shape, levels):
        if (zero > full) if shape.higher_is_better else (zero < full):
            raise section.error(
                f"zero and full contradict better{_since(since, level)}: exchange them", "zero"
            )
    return shape


def refuse_other_full(
    section: Section, shape: LinearShape, expected: int, levels: Collection[str]
) -> None:
    """Refuse a shape whose full value is not a given number.

    Args:
        section: The shape's mapping, for the line.
        shape: The shape of a tally, whose value is already in points.
        expected: The indicator's weight, millionths of a point.
        levels: Levels of subject.

    Raises:
        CatalogError: The full value differs on some day, or depends on the peers.
    """
    if shape.full.peer is not None:
        raise section.error("full: a tally is full at its weight, not at a peer value", "full")
    for since, level, _, full in _known_ends(shape, levels):
        if full != expected:
            raise section.error(
                f"full: found {decimal_text(full)}{_since(since, level)}, expected the weight "
                f"{decimal_text(expected)}: a tally counts points of its own indicator",
                "full",
            )


def _known_ends(
    shape: LinearShape, levels: Collection[str]
) -> Iterator[tuple[date, str, int, int]]:
    """Ends for every day on which one changes, and every level.

    A statistic of the peers is not known here: it stands for 0 where both ends name the
    same one, so that what is added to it is compared; otherwise nothing is.
    """
    if shape.zero.peer != shape.full.peer:
        return
    named = [
        parameter
        for end in (shape.zero, shape.full)
        for parameter in (end.parameter, end.plus)
        if parameter is not None
    ]
    days = {day for parameter in named for day in parameter.days} or {date.min}
    for day in sorted(days):
        for level in levels:
            try:
                # An end is None only where its statistic is: here it is given.
                zero, full = (end.at(day, level, 0) or 0 for end in (shape.zero, shape.full))
            except ParameterNotInForceError:
                continue
            yield day, level, zero, full


def _since(day: date, level: str) -> str:
    return "" if day == date.min else f" from {day.isoformat()} for level {level}"


def _parse_threshold(
    section: Section, key: str, parameters: Mapping[str, Parameter], unit: str
) -> Threshold:
    if isinstance(section.values.get(key), str):
        return Threshold(constant=micro_of(section, key))
    entry = section.section(key)
    entry.refuse_unknown(("parameter", "peer", "plus"))
    if ("parameter" in entry.values) == ("peer" in entry.values):
        raise entry.error(f"{key}: expected exactly one of parameter and peer")
    return Threshold(
        parameter=_named(entry, "parameter", parameters, unit),
        peer=entry.choice("peer", STATISTICS) if "peer" in entry.values else None,
        plus=_named(entry, "plus", parameters, unit),
    )


def _named(
    entry: Section, key: str, parameters: Mapping[str, Parameter], unit: str
) -> Parameter | None:
    if key not in entry.values:
        return None
    parameter = parameters[entry.choice(key, parameters)]
    if parameter.by == "key":
        raise entry.error(f"{key}: {parameter.name} is by key, expected one number", key)
    if parameter.unit != unit:
        raise entry.error(
            f"{key}: {parameter.name} has unit {parameter.unit!r}, expected the indicator's "
            f"unit {unit!r}",
            key,
        )
    return parameter


def _amount(parameter: Parameter, day: date, level: str) -> int:
    return parameter.at(day, level if parameter.by == "level" else SCALAR)
