"""Formulas (公式) of indicators: the closed list of ways to derive a value from inputs.

Rules:
- A formula is data: its kind, and the input columns and parameters it names. There
  are no expressions in the catalogue.
- The meaning of each kind is one function in ``derivation.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from scoring_kernel.parameters import LIMIT_MICRO, MICRO, micro_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scoring_kernel.parameters import Parameter
    from scoring_kernel.units import Unit
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
    """0 where the gate is 0; 1 where enough was handed in and all is done; else less.

    Attributes:
        gate: Column with the count that opens the gate.
        numerator: Column with what was done.
        denominator: Column with what was to be done; where it is 0, all is done.
        required: Parameter with the count that is enough.
        partial: Parameter with the factor of the share in every other case, 0 to 1.
        shut: What an explanation says where the gate is 0, in Chinese and English.
        partly: What it says where only a part of the share counts, likewise.
    """

    gate: str
    numerator: str
    denominator: str
    required: Parameter
    partial: Parameter
    shut: tuple[str, str]
    partly: tuple[str, str]

    @property
    def columns(self) -> tuple[str, ...]:
        """Input columns the formula reads."""
        return (self.gate, self.numerator, self.denominator)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanOfRatios:
    """Mean of the ratios that are present, each within 0 and 1; missing where none is."""

    ratios: tuple[Ratio, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Input columns the formula reads."""
        return tuple(column for ratio in self.ratios for column in ratio.columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One kind of event a tally counts.

    Attributes:
        key: Key of the tally's parameter.
        column: Input column with the count.
        name_zh: Chinese name, for explanations.
        name_en: English name, for explanations.
        unit: What is counted.
    """

    key: str
    column: str
    name_zh: str
    name_en: str
    unit: Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """``start`` plus (or minus) so many points for every counted event.

    Attributes:
        start: Points to start from, millionths.
        sign: -1 where events take points, +1 where they give points.
        parameter: Parameter with the points of each key.
        terms: What is counted, in the order of the catalogue.
    """

    start: int
    sign: int
    parameter: Parameter
    terms: tuple[Term, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Input columns the formula reads."""
        return tuple(term.column for term in self.terms)


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


def parse_formula(
    section: Section, parameters: Mapping[str, Parameter], units: Mapping[str, Unit]
) -> Formula:
    """Parse the ``formula`` of an indicator.

    Args:
        section: The formula's mapping.
        parameters: Parameters of the indicator.
        units: Known units.

    Raises:
        CatalogError: The kind is unknown, or a part is missing, unknown or malformed.
    """
    kind = section.choice("kind", _PARSERS)
    return _PARSERS[kind](section, parameters, units)


def _scaled(section: Section, *_: object) -> Scaled:
    section.refuse_unknown(("kind", "column", "divisor"))
    return Scaled(
        column=section.text("column", pattern=_COLUMN),
        divisor=section.integer("divisor", least=1, most=1_000_000),
    )


def _ratio(section: Section, *_: object) -> Ratio:
    section.refuse_unknown(("kind", "numerator", "denominator"))
    return _ratio_of(section)


def _ratio_of(section: Section) -> Ratio:
    return Ratio(
        numerator=section.text("numerator", pattern=_COLUMN),
        denominator=section.text("denominator", pattern=_COLUMN),
    )


_GATED_KEYS: Final = frozenset(
    (
        "kind",
        "gate",
        "numerator",
        "denominator",
        "required",
        "partial",
        "shut_zh",
        "shut_en",
        "partial_zh",
        "partial_en",
    )
)


def _gated_ratio(section: Section, parameters: Mapping[str, Parameter], *_: object) -> GatedRatio:
    section.refuse_unknown(_GATED_KEYS)
    return GatedRatio(
        gate=section.text("gate", pattern=_COLUMN),
        numerator=section.text("numerator", pattern=_COLUMN),
        denominator=section.text("denominator", pattern=_COLUMN),
        required=_one_number(section, "required", parameters, LIMIT_MICRO),
        partial=_one_number(section, "partial", parameters, MICRO),
        shut=_words(section, "shut"),
        partly=_words(section, "partial"),
    )


def _words(section: Section, key: str) -> tuple[str, str]:
    return section.text(f"{key}_zh", max_chars=80), section.text(f"{key}_en", max_chars=160)


def _one_number(
    section: Section, key: str, parameters: Mapping[str, Parameter], most: int
) -> Parameter:
    parameter = parameters[section.choice(key, parameters)]
    if parameter.by is not None:
        raise section.error(
            f"{key}: {parameter.name} is by {parameter.by}, expected one number", key
        )
    for value in parameter.values:
        for amount in (value.amounts or {}).values():
            if not 0 <= amount <= most:
                raise section.error(
                    f"{key}: {parameter.name} from {value.since.isoformat()} is out of bounds, "
                    f"expected 0 to {most // MICRO}",
                    key,
                )
    return parameter


def _mean_of_ratios(section: Section, *_: object) -> MeanOfRatios:
    section.refuse_unknown(("kind", "ratios"))
    entries = section.sections("ratios")
    if not 1 <= len(entries) <= MAX_TERMS:
        raise section.error(f"ratios: found {len(entries)}, expected 1 to {MAX_TERMS}", "ratios")
    for entry in entries:
        entry.refuse_unknown(("numerator", "denominator"))
    return MeanOfRatios(ratios=tuple(_ratio_of(entry) for entry in entries))


def _tally(
    section: Section, parameters: Mapping[str, Parameter], units: Mapping[str, Unit]
) -> Tally:
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
        terms=tuple(_term(counts.section(key), key, units) for key in keys),
    )


def _term(section: Section, key: str, units: Mapping[str, Unit]) -> Term:
    section.refuse_unknown(("column", "name_zh", "name_en", "unit"))
    return Term(
        key=key,
        column=section.text("column", pattern=_COLUMN),
        name_zh=section.text("name_zh", max_chars=40),
        name_en=section.text("name_en", max_chars=80),
        unit=units[section.choice("unit", units)],
    )


def _growth(section: Section, *_: object) -> Growth:
    section.refuse_unknown(("kind", "of", "over"))
    return Growth(
        of=section.text("of", pattern=_MEASURE),
        over=section.find_text("over", pattern=_MEASURE),
    )


_Parser: TypeAlias = "Callable[[Section, Mapping[str, Parameter], Mapping[str, Unit]], Formula]"
_PARSERS: Final[Mapping[str, _Parser]] = {
    "scaled": _scaled,
    "ratio": _ratio,
    "gated_ratio": _gated_ratio,
    "mean_of_ratios": _mean_of_ratios,
    "tally": _tally,
    "growth": _growth,
}
