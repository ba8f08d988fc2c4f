"""Indicators (指标) of a rating model and the groups they stand in.

Rules:
- Three levels: a group of level 1 holds groups of level 2, which hold indicators
  (level 3). Weights are exact hundredths of a point and add up at every level.
- An indicator says what happens when its value is missing: ``zero`` and ``full``
  keep its weight, ``exclude`` hands the weight to its neighbours.
- Every parameter that is declared is used, so a misspelt name cannot hide.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from scoring_kernel.formulas import Formula, GatedRatio, Tally, parse_formula
from scoring_kernel.parameters import MICRO, Parameter, parse_parameters
from scoring_kernel.shapes import LinearShape, parse_shape, refuse_other_full

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from scoring_kernel.legal_basis import LegalBasis
    from scoring_kernel.units import Unit
    from scoring_kernel.yaml_section import Section

ID: Final = r"[a-z][a-z0-9_]{0,63}"
MAX_WEIGHT_CENTI: Final = 100_000
"""Largest weight of anything: 1,000 points in hundredths."""
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
class Group:
    """A group of indicators, of level 1 or 2.

    Attributes:
        id: Id, unique in the model.
        name_zh: Chinese name.
        name_en: English name.
        parent: Id of the level-1 group; None for a group of level 1.
        weight_centi: Weight, hundredths of a point.
    """

    id: str
    name_zh: str
    name_en: str
    parent: str | None
    weight_centi: int


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
        shape: From the value to the points.
        missing: Policy for a missing value.
        status: Draft, proposal or final.
        basis: Key of the source of formula and shape.
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
    shape: LinearShape
    missing: MissingPolicy
    status: Status
    basis: str
    parameters: Mapping[str, Parameter]

    @property
    def sources(self) -> tuple[str, ...]:
        """Keys of every source the indicator rests on, sorted."""
        dated = {
            value.basis for parameter in self.parameters.values() for value in parameter.values
        }
        return tuple(sorted({self.basis, *dated}))


def parse_groups(section: Section) -> dict[str, Group]:
    """Parse the two levels of groups.

    Args:
        section: Groups of level 1 by id, each with its ``groups`` of level 2.

    Returns:
        All groups by id, each group of level 1 before its own groups.

    Raises:
        CatalogError: An id repeats, or weights do not add up.
    """
    found: dict[str, Group] = {}
    for key in section.keys():  # noqa: SIM118 - a section is not a mapping
        entry = section.section(key)
        entry.refuse_unknown(("name_zh", "name_en", "weight", "groups"))
        outer = _group(entry, key, None)
        if key in found:
            raise section.error(f"group {key} stands in another group too: rename it", key)
        found[key] = outer
        inner = entry.section("groups")
        total = 0
        for name in inner.keys():  # noqa: SIM118 - a section is not a mapping
            if name in found:
                raise inner.error(f"group {name} appears twice: rename one", name)
            below = inner.section(name)
            below.refuse_unknown(("name_zh", "name_en", "weight"))
            found[name] = _group(below, name, key)
            total += found[name].weight_centi
        if total != outer.weight_centi:
            raise entry.error(
                f"weight: found {outer.weight_centi}, its groups add up to {total} hundredths",
                "weight",
            )
    return found


def _group(entry: Section, key: str, parent: str | None) -> Group:
    return Group(
        id=key,
        name_zh=entry.text("name_zh", max_chars=40),
        name_en=entry.text("name_en", max_chars=80),
        parent=parent,
        weight_centi=weight_centi(entry, "weight"),
    )


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
    outline = section.section("shape")
    shape = parse_shape(outline, parameters, unit=unit, levels=levels)
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
        shape=shape,
        missing=MissingPolicy(section.choice("missing", tuple(MissingPolicy))),
        status=Status(section.choice("status", tuple(Status))),
        basis=section.choice("basis", legal_basis),
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
        "shape",
        "missing",
        "status",
        "basis",
        "parameters",
    )
)


def _refuse_unused(
    section: Section,
    parameters: Mapping[str, Parameter],
    derivation: Formula,
    shape: LinearShape,
) -> None:
    used = {
        parameter.name
        for end in (shape.zero, shape.full)
        for parameter in (end.parameter, end.plus)
        if parameter is not None
    }
    if isinstance(derivation, Tally):
        used.add(derivation.parameter.name)
    if isinstance(derivation, GatedRatio):
        used |= {derivation.required.name, derivation.partial.name}
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


def weight_centi(section: Section, key: str) -> int:
    """Read a quoted weight as exact hundredths of a point.

    Raises:
        CatalogError: Not a positive decimal of at most two places, or more than 1,000.
    """
    centi = section.decimal(key) * 100
    if centi.denominator != 1 or not 0 < centi.numerator <= MAX_WEIGHT_CENTI:
        raise section.error(
            f"{key}: expected points above 0 and up to {MAX_WEIGHT_CENTI // 100}, two places", key
        )
    return centi.numerator
