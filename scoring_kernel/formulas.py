"""Formulas (公式) of indicators: the closed list of ways to derive a value from inputs.

Rules:
- A formula is data: its kind, and the input columns and parameters it names. There
  are no expressions in the catalogue.
- The meaning of each kind is one function in ``derivation.py``; how a catalogue file
  writes it is ``formula_files.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from scoring_kernel.parameters import Parameter
    from scoring_kernel.units import Unit


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
    """``numerator / denominator``; missing where the denominator is not positive.

    Attributes:
        numerator: Input column.
        denominator: Input column, or a positive whole number.
        empty: Value where the denominator is there and 0, millionths; None where there
            is none then, and for a number as denominator.
    """

    numerator: str
    denominator: str | int
    empty: int | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Input columns the formula reads."""
        if isinstance(self.denominator, int):
            return (self.numerator,)
        return (self.numerator, self.denominator)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """``(of - minus) / divisor``.

    Attributes:
        of: Input column.
        minus: Input column that is taken away.
        divisor: A positive whole number.
    """

    of: str
    minus: str
    divisor: int

    @property
    def columns(self) -> tuple[str, ...]:
        """Input columns the formula reads."""
        return (self.of, self.minus)


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
    """``(current - base) / base`` of a measure, or of the ratio of two measures.

    Attributes:
        of: Measure, without a window.
        over: Measure it is divided by, without a window; None for none.
        base: Window of the base: ``base`` (the same months of the year before, 同比) or
            ``prior`` (the period before, 环比).
    """

    of: str
    over: str | None
    base: str = "base"

    @property
    def columns(self) -> tuple[str, ...]:
        """Input columns the formula reads."""
        measures = (self.of,) if self.over is None else (self.of, self.over)
        windows = ("current", self.base)
        return tuple(f"{measure}@{when}" for measure in measures for when in windows)


Formula: TypeAlias = Scaled | Ratio | Difference | GatedRatio | MeanOfRatios | Tally | Growth
"""Every kind of formula."""


def parameters_of(formula: Formula) -> tuple[Parameter, ...]:
    """Dated parameters a formula reads."""
    if isinstance(formula, Tally):
        return (formula.parameter,)
    if isinstance(formula, GatedRatio):
        return (formula.required, formula.partial)
    return ()
