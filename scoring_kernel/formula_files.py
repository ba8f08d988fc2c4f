"""Formulas as the catalogue writes them: the ``formula`` mapping of an indicator.

Rules:
- A column is ``<set>.<measure>@<window>`` or ``item.<number>.<measure>@<window>``; that
  somebody states it is checked with the whole catalogue.
- A denominator is a column, or a quoted whole number from 1 to 999,999,999.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeAlias

from scoring_kernel.formulas import (
    Difference,
    Formula,
    GatedRatio,
    Growth,
    MeanOfRatios,
    Ratio,
    Scaled,
    Tally,
    Term,
)
from scoring_kernel.parameters import LIMIT_MICRO, MICRO, micro_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scoring_kernel.parameters import Parameter
    from scoring_kernel.units import Unit
    from scoring_kernel.yaml_section import Section

_NAME: Final = r"[a-z][a-z0-9_]{0,63}"
_ITEM: Final = rf"item\.(?:[0-9]{{2}}|[a-z][0-9]{{2}})\.{_NAME}"
_SET: Final = rf"(?!item\.)[a-z][a-z0-9_]{{0,31}}\.{_NAME}"

_MEASURE: Final = f"(?:{_ITEM}|{_SET})"
_COLUMN: Final = f"(?:{_ITEM}@(?:current|base|prior|age[1-3]|year)|{_SET}@(?:current|base|prior))"
NUMBER: Final = "[1-9][0-9]{0,8}"
"""A denominator that is a number."""
MAX_DIVISOR: Final = 1_000_000
"""Largest divisor of a scaled value or a difference."""
MAX_TERMS: Final = 32
"""Most terms of one tally or mean."""


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


def column_of(section: Section, key: str, name: str | None = None) -> str:
    """Read an input column: a measure in one window.

    Args:
        section: The mapping that names it.
        key: Key under which it stands.
        name: The column itself where the key holds several.

    Raises:
        CatalogError: Not the form of a column.
    """
    found = section.text(key) if name is None else name
    if not re.fullmatch(_COLUMN, found):
        raise section.error(
            f"{key}: found {found[:80]!r}, expected a column such as settlement.fund_fen@current "
            "or item.03.handlings@age1",
            key,
        )
    return found


def _measure(section: Section, key: str) -> str:
    found = section.text(key)
    if not re.fullmatch(_MEASURE, found):
        raise section.error(
            f"{key}: found {found[:80]!r}, expected a measure without its window, such as "
            "settlement.fund_fen",
            key,
        )
    return found


def _scaled(section: Section, *_: object) -> Scaled:
    section.refuse_unknown(("kind", "column", "divisor"))
    return Scaled(
        column=column_of(section, "column"),
        divisor=section.integer("divisor", least=1, most=MAX_DIVISOR),
    )


def _ratio(section: Section, *_: object) -> Ratio:
    section.refuse_unknown(("kind", "numerator", "denominator", "empty"))
    ratio = _ratio_of(section)
    if "empty" not in section.values:
        return ratio
    if isinstance(ratio.denominator, int):
        raise section.error("empty: a number as denominator is never 0: leave it out", "empty")
    return replace(ratio, empty=micro_of(section, "empty"))


def _ratio_of(section: Section) -> Ratio:
    return Ratio(numerator=column_of(section, "numerator"), denominator=_denominator(section))


def _denominator(section: Section) -> str | int:
    found = section.text("denominator")
    if not found.isdecimal():
        return column_of(section, "denominator")
    if not re.fullmatch(NUMBER, found):
        raise section.error(
            f"denominator: found {found[:20]}, expected 1 to 999,999,999, or a column",
            "denominator",
        )
    return int(found)


def _difference(section: Section, *_: object) -> Difference:
    section.refuse_unknown(("kind", "of", "minus", "divisor"))
    difference = Difference(
        of=column_of(section, "of"),
        minus=column_of(section, "minus"),
        divisor=section.integer("divisor", least=1, most=MAX_DIVISOR)
        if "divisor" in section.values
        else 1,
    )
    if difference.of == difference.minus:
        raise section.error(f"minus: {difference.of} less itself is 0: name another", "minus")
    return difference


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
        gate=column_of(section, "gate"),
        numerator=column_of(section, "numerator"),
        denominator=column_of(section, "denominator"),
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
    for value in parameter.values:
        if any(amount < 0 for amount in (value.amounts or {}).values()):
            raise section.error(
                f"{direction}: {parameter.name} from {value.since.isoformat()} has points below "
                f"0: a tally that must {direction} never does the opposite",
                direction,
            )
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
        column=column_of(section, "column"),
        name_zh=section.text("name_zh", max_chars=40),
        name_en=section.text("name_en", max_chars=80),
        unit=units[section.choice("unit", units)],
    )


def _growth(section: Section, *_: object) -> Growth:
    section.refuse_unknown(("kind", "of", "over", "base"))
    return Growth(
        of=_measure(section, "of"),
        over=_measure(section, "over") if "over" in section.values else None,
        base=section.choice("base", ("base", "prior")) if "base" in section.values else "base",
    )


_Parser: TypeAlias = "Callable[[Section, Mapping[str, Parameter], Mapping[str, Unit]], Formula]"
_PARSERS: Final[Mapping[str, _Parser]] = {
    "scaled": _scaled,
    "ratio": _ratio,
    "difference": _difference,
    "gated_ratio": _gated_ratio,
    "mean_of_ratios": _mean_of_ratios,
    "tally": _tally,
    "growth": _growth,
}
