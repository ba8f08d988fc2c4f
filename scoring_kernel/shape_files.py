"""Shapes as the catalogue writes them: the ``shape`` mapping of an indicator.

Rules:
- Thresholds and shares stand in the order that ``better`` declares, on every day on
  which a parameter changes and for every level.
- A threshold has the indicator's unit, and is small enough for exact points
  (``threshold_limit``). A statistic of the peers may have a floor, nothing else.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING, Final, TypeAlias

from scoring_kernel.amounts import decimal_text
from scoring_kernel.errors import ParameterNotInForceError
from scoring_kernel.parameters import MICRO, micro_of
from scoring_kernel.shapes import (
    SHARE_E4,
    STATISTICS,
    BooleanShape,
    LinearShape,
    RobustZShape,
    Shape,
    Side,
    Step,
    StepShape,
    Threshold,
    threshold_limit,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from scoring_kernel.parameters import Parameter
    from scoring_kernel.yaml_section import Section

MAX_STEPS: Final = 16
"""Most steps of a shape."""
MAX_DEVIATIONS: Final = 100
"""Most robust deviations a shape may name."""


class _Context:
    """What the parts of one shape are checked against."""

    __slots__ = ("levels", "limit", "parameters", "unit")

    def __init__(
        self,
        parameters: Mapping[str, Parameter],
        unit: str,
        levels: Collection[str],
        weight_centi: int,
    ) -> None:
        self.parameters = parameters
        self.unit = unit
        self.levels = levels
        self.limit = threshold_limit(weight_centi)


def parse_shape(
    section: Section,
    parameters: Mapping[str, Parameter],
    *,
    unit: str,
    levels: Collection[str],
    weight_centi: int,
) -> Shape:
    """Parse the ``shape`` of an indicator.

    Args:
        section: The shape's mapping.
        parameters: Parameters of the indicator.
        unit: Unit of the indicator's value, which every threshold shares.
        levels: Levels of subject.
        weight_centi: Weight of the indicator, hundredths of a point.

    Raises:
        CatalogError: A threshold is unknown, malformed, too large or of another unit, or
            thresholds or shares contradict ``better`` on some day for some level.
    """
    kind = section.choice("kind", _PARSERS)
    return _PARSERS[kind](section, _Context(parameters, unit, levels, weight_centi))


def refuse_other_full(
    section: Section, shape: Shape, expected: int, levels: Collection[str]
) -> None:
    """Refuse a shape that is not linear up to a given number.

    Args:
        section: The shape's mapping, for the line.
        shape: The shape of a tally, whose value is already in points.
        expected: The indicator's weight, millionths of a point.
        levels: Levels of subject.

    Raises:
        CatalogError: The shape is not linear, or its full value differs on some day, or
            depends on the peers.
    """
    if not isinstance(shape, LinearShape):
        raise section.error("kind: a tally counts points, expected the shape linear", "kind")
    if shape.full.peer is not None:
        raise section.error("full: a tally is full at its weight, not at a peer value", "full")
    for since, level, (full,) in _known((shape.full,), levels):
        if full != expected:
            raise section.error(
                f"full: found {decimal_text(full)}{_since(since, level)}, expected the weight "
                f"{decimal_text(expected)}: a tally counts points of its own indicator",
                "full",
            )


def _linear(section: Section, context: _Context) -> LinearShape:
    section.refuse_unknown(("kind", "better", "zero", "full"))
    shape = LinearShape(
        higher_is_better=_is_higher_better(section),
        zero=_threshold(section, "zero", context),
        full=_threshold(section, "full", context),
    )
    for ends in (_known, _lowest):
        for since, level, (zero, full) in ends(shape.thresholds, context.levels):
            if (zero > full) if shape.higher_is_better else (zero < full):
                raise section.error(
                    f"zero and full contradict better{_since(since, level)}: exchange them", "zero"
                )
    return shape


def _steps(section: Section, context: _Context) -> StepShape:
    section.refuse_unknown(("kind", "better", "steps", "rest"))
    entries = section.sections("steps")
    if not 1 <= len(entries) <= MAX_STEPS:
        raise section.error(f"steps: found {len(entries)}, expected 1 to {MAX_STEPS}", "steps")
    steps: list[Step] = []
    for entry in entries:
        entry.refuse_unknown(("at", "share"))
        step = Step(at=_threshold(entry, "at", context), share_e4=_share(entry, "share"))
        if steps and step.share_e4 >= steps[-1].share_e4:
            raise entry.error("share: expected less than the step before: best first", "share")
        steps.append(step)
    shape = StepShape(
        higher_is_better=_is_higher_better(section),
        steps=tuple(steps),
        rest_e4=_share(section, "rest"),
    )
    if shape.rest_e4 >= steps[-1].share_e4:
        raise section.error("rest: expected less than the last step's share", "rest")
    for (better, worse), entry in zip(pairwise(shape.thresholds), entries[1:], strict=True):
        _verify_order(entry, better, worse, shape, context)
    return shape


def _verify_order(
    entry: Section, better: Threshold, worse: Threshold, shape: StepShape, context: _Context
) -> None:
    mend = "descend" if shape.higher_is_better else "ascend"
    percentages = [STATISTICS[one.peer] for one in (better, worse) if one.peer is not None]
    if len(percentages) == 2 and better.plus is None and worse.plus is None:
        pairs = [(date.min, "", tuple(percentages))]
    else:
        pairs = list(_known((better, worse), context.levels))
    # Steps of peers may fall together on their floors: then the better one is reached.
    floors = [(*found, 0) for found in _lowest((better, worse), context.levels)]
    for since, level, pair, apart in (*((*found, 1) for found in pairs), *floors):
        first, second = pair if shape.higher_is_better else pair[::-1]
        if first - second < apart:
            raise entry.error(
                f"at: a worse step is reached before a better one{_since(since, level)}: "
                f"with better: {'higher' if shape.higher_is_better else 'lower'} the steps {mend}",
                "at",
            )


def _robust_z(section: Section, context: _Context) -> RobustZShape:
    section.refuse_unknown(("kind", "side", "full", "zero", "least_spread"))
    shape = RobustZShape(
        side=Side(section.choice("side", tuple(Side))),
        full_centi=_deviations(section, "full"),
        zero_centi=_deviations(section, "zero"),
        least_spread=_threshold(section, "least_spread", context),
    )
    if shape.zero_centi <= shape.full_centi:
        raise section.error(
            "zero: expected more deviations than full: points fall with the distance", "zero"
        )
    if shape.least_spread.peer is not None or shape.least_spread.plus is not None:
        raise section.error("least_spread: expected a number or a parameter", "least_spread")
    for since, level, (spread,) in _known((shape.least_spread,), context.levels):
        if not 0 < spread <= context.limit * 100 // shape.zero_centi:
            raise section.error(
                f"least_spread: found {decimal_text(spread)}{_since(since, level)}, expected more "
                f"than 0 and {_at_most(context.limit * 100 // shape.zero_centi)}",
                "least_spread",
            )
    return shape


def _boolean(section: Section, _context: _Context) -> BooleanShape:
    section.refuse_unknown(("kind", "good"))
    return BooleanShape(good=section.flag("good"))


def _is_higher_better(section: Section) -> bool:
    return section.choice("better", ("higher", "lower")) == "higher"


def _share(section: Section, key: str) -> int:
    share = section.decimal(key) * SHARE_E4
    if share.denominator != 1 or not 0 <= share.numerator <= SHARE_E4:
        raise section.error(
            f"{key}: found {section.values[key]}, expected 0 to 1, at most four decimal places", key
        )
    return share.numerator


def _deviations(section: Section, key: str) -> int:
    centi = section.decimal(key) * 100
    if centi.denominator != 1 or not 0 <= centi.numerator <= 100 * MAX_DEVIATIONS:
        raise section.error(
            f"{key}: found {section.values[key]}, expected 0 to {MAX_DEVIATIONS} deviations, at "
            "most two decimal places",
            key,
        )
    return centi.numerator


def _known(
    ends: Sequence[Threshold], levels: Collection[str]
) -> Iterator[tuple[date, str, tuple[int, ...]]]:
    """Thresholds for every day on which one changes, and every level.

    A statistic of the peers is not known here: it stands for 0 where all ends name the
    same one, so that what is added to it is compared; otherwise nothing is.
    """
    if len({end.peer for end in ends}) > 1:
        return
    # A threshold is None only where its statistic is: here it is given.
    bare = [replace(end, least=None) for end in ends]
    yield from _on_days(ends, levels, lambda day, level: [one.at(day, level, 0) for one in bare])


def _lowest(
    ends: Sequence[Threshold], levels: Collection[str]
) -> Iterator[tuple[date, str, tuple[int, ...]]]:
    """Where the floors leave the thresholds, however low the peers are.

    Nothing where no end has a floor, or where the peers alone decide about one.
    """
    if any(end.peer is not None and end.least is None for end in ends):
        return
    if all(end.least is None for end in ends):
        return

    def lowest(day: date, level: str) -> list[int | None]:
        return [
            end.at(day, level, None) if end.least is None else end.floor(day, level) for end in ends
        ]

    yield from _on_days(ends, levels, lowest)


def _on_days(
    ends: Sequence[Threshold],
    levels: Collection[str],
    numbers: Callable[[date, str], Sequence[int | None]],
) -> Iterator[tuple[date, str, tuple[int, ...]]]:
    """Numbers for every day on which a parameter of the ends changes, and every level."""
    days = {day for end in ends for one in end.parameters for day in one.days} or {date.min}
    for day in sorted(days):
        for level in levels:
            try:
                yield day, level, tuple(one or 0 for one in numbers(day, level))
            except ParameterNotInForceError:
                continue


def _since(day: date, level: str) -> str:
    return "" if day == date.min else f" from {day.isoformat()} for level {level}"


def _threshold(section: Section, key: str, context: _Context) -> Threshold:
    if isinstance(section.values.get(key), str):
        found = Threshold(constant=micro_of(section, key))
    else:
        entry = section.section(key)
        entry.refuse_unknown(("parameter", "peer", "plus", "least"))
        if ("parameter" in entry.values) == ("peer" in entry.values):
            raise entry.error(f"{key}: expected exactly one of parameter and peer")
        if "least" in entry.values and "peer" not in entry.values:
            raise entry.error(
                f"{key}: least: only a peer value has a floor: state the number itself", "least"
            )
        found = Threshold(
            parameter=_named(entry, "parameter", context),
            peer=entry.choice("peer", STATISTICS) if "peer" in entry.values else None,
            plus=_named(entry, "plus", context),
            least=_named(entry, "least", context),
        )
    for numbers in (_known, _lowest):
        for since, level, (value,) in numbers((found,), context.levels):
            if abs(value) > context.limit:
                raise section.error(
                    f"{key}: found {decimal_text(value)}{_since(since, level)}, expected "
                    f"{_at_most(context.limit)} in size for exact points: choose a larger unit",
                    key,
                )
    return found


def _at_most(micro: int) -> str:
    return f"at most {decimal_text(micro - micro % MICRO if micro > MICRO else micro)}"


def _named(entry: Section, key: str, context: _Context) -> Parameter | None:
    if key not in entry.values:
        return None
    parameter = context.parameters[entry.choice(key, context.parameters)]
    if parameter.by == "key":
        raise entry.error(f"{key}: {parameter.name} is by key, expected one number", key)
    if parameter.unit != context.unit:
        raise entry.error(
            f"{key}: {parameter.name} has unit {parameter.unit!r}, expected the indicator's "
            f"unit {context.unit!r}",
            key,
        )
    return parameter


_Parser: TypeAlias = "Callable[[Section, _Context], Shape]"
_PARSERS: Final[Mapping[str, _Parser]] = {
    "linear": _linear,
    "steps": _steps,
    "robust_z": _robust_z,
    "boolean": _boolean,
}
