"""Thresholds and terms of payment qualification, as ``catalog/qualification.yaml`` dates them.

Rules:
- Every number has its days in force and its source; none stands in the program.
- The ladder names the months of suspension for every number of points from the first
  threshold up to one below the cap, and never fewer months for more points.
- Days before all numbers are in force have no rules.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from scoring_kernel.item_measures import MAX_POINTS, MAX_SUSPENDED_MONTHS
from scoring_kernel.parameters import MICRO, Parameter, parse_parameters

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import date

    from scoring_kernel.legal_basis import LegalBasis
    from scoring_kernel.yaml_section import Section

FILE: Final = "qualification.yaml"

_PARAMETERS: Final[Mapping[str, str | None]] = {
    "cap": None,
    "suspends_from": None,
    "suspended_months": "key",
    "terminated_months": "key",
}
_TERMS: Final = frozenset(("cumulative", "one_act"))
_MAX_TERM: Final = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesOfDay:
    """The numbers in force on one day.

    Attributes:
        cap: Most points of a year; reaching them terminates.
        suspends_from: Points of the year that suspend.
        ladder: Months of suspension by points of the year, where a decision names none.
        cumulative_months: Term of a termination for points of several acts.
        one_act_months: Term of a termination for one act.
    """

    cap: int
    suspends_from: int
    ladder: Mapping[int, int]
    cumulative_months: int
    one_act_months: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QualificationRules:
    """The rules with all their days.

    Attributes:
        name_zh: Chinese name.
        name_en: English name.
        parameters: Dated numbers by name.
    """

    name_zh: str
    name_en: str
    parameters: Mapping[str, Parameter] = field(repr=False)

    @property
    def since(self) -> date:
        """First day on which all numbers are in force."""
        return max(one.values[0].since for one in self.parameters.values())

    def on(self, day: date) -> RulesOfDay:
        """Numbers in force on a day.

        Raises:
            ParameterNotInForceError: A number has no value on that day.
        """
        named = self.parameters
        terms = named["terminated_months"]
        months = named["suspended_months"]
        return RulesOfDay(
            cap=named["cap"].at(day) // MICRO,
            suspends_from=named["suspends_from"].at(day) // MICRO,
            ladder={int(key): months.at(day, key) // MICRO for key in sorted(months.keys, key=int)},
            cumulative_months=terms.at(day, "cumulative") // MICRO,
            one_act_months=terms.at(day, "one_act") // MICRO,
        )


def parse_qualification(
    document: Section, *, units: Collection[str], legal_basis: Mapping[str, LegalBasis]
) -> QualificationRules:
    """Read ``qualification.yaml``.

    Args:
        document: The file's top mapping.
        units: Known unit ids.
        legal_basis: Known sources.

    Returns:
        The rules.

    Raises:
        CatalogError: A number is missing, unknown, not whole, out of bounds or undated, or
            the ladder does not name every step once and upwards.
    """
    document.refuse_unknown(("name_zh", "name_en", "parameters"))
    section = document.section("parameters")
    section.refuse_unknown(_PARAMETERS)
    for name in _PARAMETERS:
        section.section(name)
    parameters = parse_parameters(
        section, owner="qualification", levels=(), units=units, legal_basis=legal_basis
    )
    for name, by in _PARAMETERS.items():
        _refuse_form(section, parameters[name], by)
    rules = QualificationRules(
        name_zh=document.text("name_zh", max_chars=40),
        name_en=document.text("name_en", max_chars=80),
        parameters=parameters,
    )
    days = {day for one in parameters.values() for day in one.days if day >= rules.since}
    for day in sorted(days):
        _refuse_disorder(section, rules.on(day), day)
    return rules


def _refuse_form(section: Section, parameter: Parameter, by: str | None) -> None:
    name = parameter.name
    if parameter.by != by:
        expected = "one number" if by is None else "by: key"
        raise section.error(f"{name}: expected {expected}", name)
    for value in parameter.values:
        if value.amounts is None:
            raise section.error(f"{name}: repealed from {value.since}: date a new value", name)
        for amount in value.amounts.values():
            if amount % MICRO or not 1 <= amount // MICRO <= _MAX_TERM:
                raise section.error(f"{name}: expected whole numbers from 1 to {_MAX_TERM}", name)
    if name == "terminated_months" and parameter.keys != _TERMS:
        raise section.error(f"{name}: expected the keys {sorted(_TERMS)}", name)
    if name == "suspended_months" and not all(key.isdecimal() for key in parameter.keys):
        raise section.error(f"{name}: expected points as keys, such as '9'", name)


def _refuse_disorder(section: Section, rules: RulesOfDay, day: date) -> None:
    if not rules.suspends_from < rules.cap <= MAX_POINTS:
        problem = f"on {day} the cap is {rules.cap}, expected above suspends_from, at most"
        raise section.error(f"{problem} {MAX_POINTS}", "cap")
    steps = list(range(rules.suspends_from, rules.cap))
    months = list(rules.ladder.values())
    if list(rules.ladder) != steps:
        problem = f"suspended_months: on {day} names {list(rules.ladder)}, expected {steps}"
        raise section.error(problem, "suspended_months")
    if months != sorted(months) or months[-1] > MAX_SUSPENDED_MONTHS:
        problem = f"suspended_months: on {day} {months}, expected no fewer months for more points"
        raise section.error(f"{problem}, at most {MAX_SUSPENDED_MONTHS}", "suspended_months")
    if rules.cumulative_months > rules.one_act_months:
        problem = f"terminated_months: on {day} one_act is shorter than cumulative"
        raise section.error(problem, "terminated_months")
