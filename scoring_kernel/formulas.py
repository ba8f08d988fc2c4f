"""Formulas (公式) of indicators: the closed list of ways to derive a value from inputs.

Rules:
- A formula is data: its kind, and the input columns and parameters it names. There
  are no expressions in the catalogue.
- The meaning of each kind is one function in ``derivation.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from scoring_kernel.parameters import micro_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scoring_kernel.parameters import Parameter
    from scoring_kernel.yaml_section import Section

_MEASURE: Final = r"(?:item\.[0-9]{2}|[a-z][a-z0-9_]{0,31})\.[a-z][a-z0-9_]{0,63}"
_COLUMN: Final = _MEASURE + r"@(?:current|base|age[1-9])"

MAX_TERMS: Final = 32
"""Most terms of one tally or mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaled:
    """``column / divisor``."""

    column: str
    divisor: int

    @property
    def columns(self) -> tuple[str, ...]:
        """Input columns the formula reads."""
        return (self.column,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """``numerator / denominator``; missing where the denominator is not positive."""

    numerator: str
    denominator: str

    @property
    def columns(self) -> tuple[str, ...]:
        """Input columns the formula reads."""
        return (self.numerator, self.denominator)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatedRatio:
    """0 where the gate is 0; else the ratio, 1 where the denominator is 0."""

    gate: str
    numerator: str
    denominator: str

    @property
    def columns(self) -> tuple[str, ...]:
        """Input columns the formula reads."""
        return (self.gate, self.numerator, self.denominator)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanOfRatios:
    """Mean of the ratios that are present; missing where none is."""

    ratios: tuple[Ratio, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Input columns the formula reads."""
        return tuple(column for ratio in self.ratios for column in ratio.columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """``start`` plus (or minus) so many points for every counted event.

    Attributes:
        start: Points to start from, millionths.
        sign: -1 where events take points, +1 where they give points.
        parameter: Parameter with the points of each key.
        terms: (key of the parameter, input column with the count).
    """

    start: int
    sign: int
    parameter: Parameter
    terms: tuple[tuple[str, str], ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Input columns the formula reads."""
        return tuple(column for _, column in self.terms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """``(current - base) / base`` of a measure, or of the ratio of two measures."""

    of: str
    over: str | None

    @property
    def columns(self) -> tuple[str, ...]:
        """Input columns the formula reads."""
        measures = (self.of,) if self.over is None else (self.of, self.over)
        return tuple(f"{measure}@{when}" for measure in measures for when in ("current", "base"))


Formula: TypeAlias = Scaled | Ratio | GatedRatio | MeanOfRatios | Tally | Growth


def parse_formula(section: Section, parameters: Mapping[str, Parameter]) -> Formula:
    """Parse the ``formula`` of an indicator.

    Args:
        section: The formula's mapping.
        parameters: Parameters of the indicator.

    Raises:
        CatalogError: The kind is unknown, or a part is missing, unknown or malformed.
    """
    kind = section.choice("kind", _PARSERS)
    return _PARSERS[kind](section, parameters)


def _scaled(section: Section, _: Mapping[str, Parameter]) -> Scaled:
    section.refuse_unknown(("kind", "column", "divisor"))
    return Scaled(
        column=section.text("column", pattern=_COLUMN),
        divisor=section.integer("divisor", least=1, most=1_000_000),
    )


def _ratio(section: Section, _: Mapping[str, Parameter]) -> Ratio:
    section.refuse_unknown(("kind", "numerator", "denominator"))
    return _ratio_of(section)


def _ratio_of(section: Section) -> Ratio:
    return Ratio(
        numerator=section.text("numerator", pattern=_COLUMN),
        denominator=section.text("denominator", pattern=_COLUMN),
    )


def _gated_ratio(section: Section, _: Mapping[str, Parameter]) -> GatedRatio:
    section.refuse_unknown(("kind", "gate", "numerator", "denominator"))
    return GatedRatio(
        gate=section.text("gate", pattern=_COLUMN),
        numerator=section.text("numerator", pattern=_COLUMN),
        denominator=section.text("denominator", pattern=_COLUMN),
    )


def _mean_of_ratios(section: Section, _: Mapping[str, Parameter]) -> MeanOfRatios:
    section.refuse_unknown(("kind", "ratios"))
    entries = section.sections("ratios")
    if not 1 <= len(entries) <= MAX_TERMS:
        raise section.error(f"ratios: found {len(entries)}, expected 1 to {MAX_TERMS}", "ratios")
    for entry in entries:
        entry.refuse_unknown(("numerator", "denominator"))
    return MeanOfRatios(ratios=tuple(_ratio_of(entry) for entry in entries))


def _tally(section: Section, parameters: Mapping[str, Parameter]) -> Tally:
    section.refuse_unknown(("kind", "start", "take", "give", "counts"))
    if ("take" in section.values) == ("give" in section.values):
        raise section.error("expected exactly one of take and give")
    direction = "take" if "take" in section.values else "give"
    parameter = parameters[section.choice(direction, parameters)]
    counts = section.section("counts")
    keys = counts.keys()
    if not 1 <= len(keys) <= MAX_TERMS or parameter.by != "key" or parameter.keys != set(keys):
        raise section.error(
            f"counts: found {sorted(keys)}, expected the keys of parameter {parameter.name} "
            f"(by: key): {sorted(parameter.keys)}",
            "counts",
        )
    return Tally(
        start=micro_of(section, "start"),
        sign=-1 if direction == "take" else 1,
        parameter=parameter,
        terms=tuple((key, counts.text(key, pattern=_COLUMN)) for key in keys),
    )


def _growth(section: Section, _: Mapping[str, Parameter]) -> Growth:
    section.refuse_unknown(("kind", "of", "over"))
    return Growth(
        of=section.text("of", pattern=_MEASURE),
        over=section.find_text("over", pattern=_MEASURE),
    )


_PARSERS: Final[Mapping[str, Callable[[Section, Mapping[str, Parameter]], Formula]]] = {
    "scaled": _scaled,
    "ratio": _ratio,
    "gated_ratio": _gated_ratio,
    "mean_of_ratios": _mean_of_ratios,
    "tally": _tally,
    "growth": _growth,
}
