"""Amounts (数值) as readers see them, formatted from integers.

Rules:
- A ratio is shown in percent with as many places as it has, at most four (a value is
  whole millionths) and at least two: nothing that decides about points is hidden.
- Other values are rounded half up to two places for reading; points are exact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scoring_kernel.parameters import MICRO

if TYPE_CHECKING:
    from scoring_kernel.units import Unit

RATIO: Final = "1"
"""Id of the unit of ratios."""

_PLACES: Final = 6
"""Decimal places of a millionth."""


def points_text(centi: int) -> str:
    """Format hundredths of a point.

    >>> points_text(1371), points_text(-5)
    ('13.71', '-0.05')
    """
    sign = "-" if centi < 0 else ""
    return f"{sign}{abs(centi) // 100}.{abs(centi) % 100:02d}"


def decimal_text(micro: int, least_places: int = 0) -> str:
    """Format millionths exactly, with no more places than needed.

    Args:
        micro: Millionths.
        least_places: Places to show even where they are zeros, 0 to 6.

    >>> decimal_text(5_000_000), decimal_text(-1_250_000), decimal_text(500_000, 2)
    ('5', '-1.25', '0.50')
    """
    whole, rest = divmod(abs(micro), MICRO)
    digits = f"{rest:0{_PLACES}d}".rstrip("0").ljust(least_places, "0")
    return f"{'-' if micro < 0 else ''}{whole}{'.' if digits else ''}{digits}"


def amount_zh(micro: int, unit: Unit) -> str:
    """Format a value with its unit in Chinese."""
    return _number(micro, unit) + ("" if unit.id == RATIO else f" {unit.name_zh}")


def amount_en(micro: int, unit: Unit) -> str:
    """Format a value with its unit in English."""
    return _number(micro, unit) + ("" if unit.id == RATIO else f" {unit.name_en}")


def _number(micro: int, unit: Unit) -> str:
    if unit.id == RATIO:
        return decimal_text(micro * 100, 2) + "%"
    step = MICRO // 100
    return points_text((2 * micro + step) // (2 * step))
