"""Dated parameters (参数): a number, its unit, its days in force and its source.

Rules:
- A value holds from its first day until the next entry's first day; ``value: null``
  repeals it. Entries stand in ascending order of days.
- Amounts are exact: quoted decimals with at most six places, kept in millionths.
- Outside its days a parameter raises; it never falls back to a neighbour's value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

from scoring_kernel.errors import KernelInputError, ParameterNotInForceError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from scoring_kernel.legal_basis import LegalBasis
    from scoring_kernel.yaml_section import Section

MICRO: Final = 1_000_000
"""Millionths per unit."""
LIMIT_MICRO: Final = 1_000_000 * MICRO
"""Largest absolute parameter or threshold, millionths."""

SCALAR: Final = ""
"""Key of a parameter that has one number."""

_NAME: Final = r"[a-z][a-z0-9_]{0,63}"
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DatedAmounts:
    """What a parameter is from one day on.

    Attributes:
        since: First day in force.
        amounts: Millionths by key; None where the parameter is repealed.
        basis: Key of the source.
    """

    since: date
    amounts: Mapping[str, int] | None
    basis: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of an indicator.

    Attributes:
        owner: Model and indicator it belongs to, for messages.
        name: Name within the indicator.
        unit: Unit of its amounts.
        by: ``level`` where each level of subject has its own amount, ``key`` where each
            named key has, None for one number.
        values: Amounts in ascending order of days.
    """

    owner: str
    name: str
    unit: str
    by: str | None
    values: tuple[DatedAmounts, ...]

    @property
    def keys(self) -> frozenset[str]:
        """Keys that every dated value has; empty for one number."""
        if self.by is None:
            return frozenset()
        return frozenset(
            key for value in self.values if value.amounts is not None for key in value.amounts
        )

    @property
    def days(self) -> frozenset[date]:
        """Days on which the amounts change."""
        return frozenset(value.since for value in self.values)

    def at(self, day: date, key: str = SCALAR) -> int:
        """Amount in force on a day.

        Args:
            day: The day asked for.
            key: Level or key; left out for a parameter with one number.

        Returns:
            Millionths of the unit.

        Raises:
            ParameterNotInForceError: Before the first day, or repealed.
            KernelInputError: The parameter has no such key.
        """
        amounts: Mapping[str, int] | None = None
        for value in self.values:
            if value.since > day:
                break
            amounts = value.amounts
        if amounts is None:
            raise ParameterNotInForceError(
                f"parameter {self.owner}.{self.name}: no value in force on {day.isoformat()}, "
                f"first day {self.values[0].since.isoformat()}: date a value for that day"
            )
        if key not in amounts:
            raise KernelInputError(
                f"parameter {self.owner}.{self.name}: no amount for {key[:40]!r}, "
                f"expected one of {sorted(amounts)}"
            )
        return amounts[key]


def parse_parameters(
    section: Section,
    *,
    owner: str,
    levels: Collection[str],
    units: Collection[str],
    legal_basis: Mapping[str, LegalBasis],
) -> dict[str, Parameter]:
    """Parse the ``parameters`` mapping of an indicator.

    Args:
        section: Parameters by name.
        owner: Model and indicator, for messages.
        levels: Levels that a parameter ``by: level`` must cover.
        units: Known units.
        legal_basis: Known sources.

    Returns:
        Parameters by name.

    Raises:
        CatalogError: A unit, source, day or amount is wrong, or days are not ascending.
    """
    found: dict[str, Parameter] = {}
    for name in section.keys():  # noqa: SIM118 - a section is not a mapping
        if not re.fullmatch(_NAME, name):
            raise section.error(f"parameter {name[:80]!r}: expected the form {_NAME}", name)
        entry = section.section(name)
        entry.refuse_unknown(("unit", "by", "values"))
        unit = entry.choice("unit", units)
        by = entry.choice("by", ("level", "key")) if "by" in entry.values else None
        found[name] = Parameter(
            owner=owner,
            name=name,
            unit=unit,
            by=by,
            values=_parse_values(entry.section("values"), by, levels, legal_basis),
        )
    return found


def _parse_values(
    section: Section,
    by: str | None,
    levels: Collection[str],
    legal_basis: Mapping[str, LegalBasis],
) -> tuple[DatedAmounts, ...]:
    values: list[DatedAmounts] = []
    keys: frozenset[str] | None = frozenset(levels) if by == "level" else None
    for text in section.keys():  # noqa: SIM118 - a section is not a mapping
        since = _parse_day(section, text)
        if values and since <= values[-1].since:
            raise section.error(
                f"day {text} does not follow {values[-1].since.isoformat()}: order days upwards",
                text,
            )
        entry = section.section(text)
        entry.refuse_unknown(("value", "basis"))
        basis = entry.choice("basis", legal_basis)
        amounts = _parse_amounts(entry, by)
        if amounts is not None and by is not None:
            if keys is not None and keys != frozenset(amounts):
                raise entry.error(
                    f"value: found keys {sorted(amounts)}, expected {sorted(keys)}", "value"
                )
            keys = frozenset(amounts)
        values.append(DatedAmounts(since=since, amounts=amounts, basis=basis))
    if not values or values[0].amounts is None:
        raise section.error("expected a first day with a value: date the first value")
    return tuple(values)


def _parse_day(section: Section, text: str) -> date:
    try:
        # Python also reads 20240101 and 2024-W01-1; a catalogue writes days one way.
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError as error:
        raise section.error(f"{text} is not a day of the calendar", text) from error
    raise section.error(f"found {text[:20]!r}, expected a day such as 2024-01-01", text)


def _parse_amounts(entry: Section, by: str | None) -> dict[str, int] | None:
    if "value" in entry.values and entry.values["value"] is None:
        return None
    if by is None:
        return {SCALAR: micro_of(entry, "value")}
    amounts = entry.section("value")
    if not amounts.keys():
        raise entry.error("value: found no key, expected at least one", "value")
    return {key: micro_of(amounts, key) for key in amounts.keys()}  # noqa: SIM118 - a section


def micro_of(section: Section, key: str) -> int:
    """Read a quoted decimal as exact millionths.

    Raises:
        CatalogError: Not a quoted decimal, more than six places, or beyond ``LIMIT_MICRO``.
    """
    micro = section.decimal(key) * MICRO
    if micro.denominator != 1:
        raise section.error(f"{key}: expected at most six decimal places", key)
    if abs(micro.numerator) > LIMIT_MICRO:
        raise section.error(f"{key}: expected at most {LIMIT_MICRO // MICRO} in size", key)
    return micro.numerator
