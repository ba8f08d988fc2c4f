"""Indicators (指标) of a rating model.

Rules:
- An indicator stands in a group of level 2; its weight counts towards the group's.
- An indicator says what happens when its value is missing: ``zero`` and ``full``
  keep its weight, ``exclude`` hands the weight to its neighbours.
- Every parameter that is declared is used, so a misspelt name cannot hide.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from scoring_kernel.formula_files import parse_formula
from scoring_kernel.formulas import Formula, Tally, parameters_of
from scoring_kernel.groups import ID, Group, weight_centi
from scoring_kernel.improvement import Improvement, parse_improvement
from scoring_kernel.legal_basis import laws_of
from scoring_kernel.parameters import MICRO, Parameter, parse_parameters
from scoring_kernel.shape_files import parse_shape, refuse_other_full
from scoring_kernel.shapes import MEDIAN, Shape
from scoring_kernel.shrinkage import Shrinkage, parse_shrinkage

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from scoring_kernel.legal_basis import LegalBasis
    from scoring_kernel.units import Unit
    from scoring_kernel.yaml_section import Section

MAX_TALLY_MICRO: Final = 1_000 * MICRO
"""Most points one counted event can take or give, millionths."""


class Status(StrEnum):
    """How far a model or an indicator may be trusted."""

    DRAFT = "draft"
    """Cannot grade."""
    PROPOSAL = "proposal"
    """Grades, and every output says so."""
    FINAL = "final"
    """Every source it cites is checked."""


class MissingPolicy(StrEnum):
    """What happens to an indicator without a value."""

    ZERO = "zero"
    FULL = "full"
    EXCLUDE = "exclude"


@dataclass(frozen=True, slots=True, kw_only=True)
class Indicator:
    """One indicator of level 3.

    Attributes:
        id: Id, unique in the model.
        number: Number in the model's table, from 1.
        name_zh: Chinese name.
        name_en: English name.
        level1: Group of level 1.
        level2: Group of level 2.
        weight_centi: Weight, hundredths of a point, positive.
        unit: Unit of the value; values are millionths of it.
        derivation: Formula that gives the value.
        shrink: How few cases move the value towards the peers; None where they do not.
        shape: From the value to the points.
        improve: How far the subject can move it; None where it cannot.
        missing: Policy for a missing value.
        status: Draft, proposal or final.
        basis: Key of the source of formula and shape.
        laws: Keys of the articles the matter itself rests on.
        parameters: Dated parameters by name.
    """

    id: str
    number: int
    name_zh: str
    name_en: str
    level1: Group
    level2: Group
    weight_centi: int
    unit: Unit
    derivation: Formula
    shrink: Shrinkage | None
    shape: Shape
    improve: Improvement | None
    missing: MissingPolicy
    status: Status
    basis: str
    laws: tuple[str, ...]
    parameters: Mapping[str, Parameter]

    @property
    def columns(self) -> tuple[str, ...]:
        """Input columns the indicator reads; some may stand twice."""
        sample = () if self.shrink is None else (self.shrink.sample,)
        return (*self.derivation.columns, *sample)

    @property
    def statistics(self) -> tuple[str, ...]:
        """Peer statistics the indicator needs, sorted."""
        shrinks_to = () if self.shrink is None else (MEDIAN,)
        return tuple(sorted({*self.shape.statistics, *shrinks_to}))

    @property
    def sources(self) -> tuple[str, ...]:
        """Keys of every source the indicator rests on, sorted."""
        dated = {
            value.basis for parameter in self.parameters.values() for value in parameter.values
        }
        return tuple(sorted({self.basis, *self.laws, *dated}))


def parse_indicator(
    section: Section,
    *,
    model: str,
    groups: Mapping[str, Group],
    levels: Collection[str],
    units: Mapping[str, Unit],
    legal_basis: Mapping[str, LegalBasis],
) -> Indicator:
    """Parse one indicator.

    Args:
        section: The indicator's mapping.
        model: Id of the model, for messages.
        groups: Groups of the model.
        levels: Levels of subject the model knows.
        units: Known units.
        legal_basis: Known sources.

    Raises:
        CatalogError: A part is missing, unknown, malformed or unused.
    """
    section.refuse_unknown(_INDICATOR_KEYS)
    name = section.text("id", pattern=ID)
    inner = {key: group for key, group in groups.items() if group.parent is not None}
    level2 = inner[section.choice("group", inner)]
    parameters: dict[str, Parameter] = {}
    if "parameters" in section.values:
        parameters = parse_parameters(
            section.section("parameters"),
            owner=f"{model}.{name}",
            levels=levels,
            units=units,
            legal_basis=legal_basis,
        )
    unit = section.choice("unit", units)
    weight = weight_centi(section, "weight")
    derivation = parse_formula(section.section("formula"), parameters, units)
    shrink = section.find_section("shrink")
    improve = section.find_section("improve")
    outline = section.section("shape")
    shape = parse_shape(outline, parameters, unit=unit, levels=levels, weight_centi=weight)
    if isinstance(derivation, Tally):
        _verify_tally(section, derivation)
        refuse_other_full(outline, shape, weight * (MICRO // 100), levels)
    _refuse_unused(section, parameters, derivation, shape)
    return Indicator(
        id=name,
        number=section.integer("number", least=1, most=999),
        name_zh=section.text("name_zh", max_chars=40),
        name_en=section.text("name_en", max_chars=80),
        level1=groups[str(level2.parent)],
        level2=level2,
        weight_centi=weight,
        unit=units[unit],
        derivation=derivation,
        shrink=None if shrink is None else parse_shrinkage(shrink, derivation),
        shape=shape,
        improve=None if improve is None else parse_improvement(improve, shape),
        missing=MissingPolicy(section.choice("missing", tuple(MissingPolicy))),
        status=Status(section.choice("status", tuple(Status))),
        basis=section.choice("basis", legal_basis),
        laws=laws_of(section, legal_basis),
        parameters=parameters,
    )


_INDICATOR_KEYS: Final = frozenset(
    (
        "id",
        "number",
        "group",
        "name_zh",
        "name_en",
        "weight",
        "unit",
        "formula",
        "shrink",
        "shape",
        "improve",
        "missing",
        "status",
        "basis",
        "laws",
        "parameters",
    )
)


def _refuse_unused(
    section: Section,
    parameters: Mapping[str, Parameter],
    derivation: Formula,
    shape: Shape,
) -> None:
    used = {one.name for end in shape.thresholds for one in end.parameters}
    used |= {one.name for one in parameters_of(derivation)}
    unused = sorted(set(parameters) - used)
    if unused:
        raise section.error(f"parameters {unused} are never used: remove them", "parameters")


def _verify_tally(section: Section, tally: Tally) -> None:
    sizes = [abs(tally.start)] + [
        abs(amount) for value in tally.parameter.values for amount in (value.amounts or {}).values()
    ]
    if max(sizes) > MAX_TALLY_MICRO:
        raise section.error(
            f"tally: expected at most {MAX_TALLY_MICRO // MICRO} points per event", "formula"
        )
