"""Units that a mapping may name: each is a power of ten of the unit a column is kept in.

Rules:
- Amounts state their unit; counts and ratios may (thousand, 万, percent).
- A unit has a word and, where a Chinese file would write it, its Chinese sign.
- A number is exact: it may have as many decimals as its column keeps, never more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["COUNTS", "MONEY", "RATIOS", "decimals_of", "units_of"]

MONEY: Final[Mapping[str, int]] = {
    **dict.fromkeys(("yuan", "元", "dollar"), 0),
    **dict.fromkeys(("jiao", "角"), -1),
    **dict.fromkeys(("fen", "分", "cent"), -2),
    **dict.fromkeys(("thousand_yuan", "千元"), 3),
    **dict.fromkeys(("ten_thousand_yuan", "万元"), 4),
    **dict.fromkeys(("million_yuan", "百万元"), 6),
    **dict.fromkeys(("hundred_million_yuan", "亿元"), 8),
}
"""Unit of money → power of ten of a yuan, or of the foreign set's own unit."""
COUNTS: Final[Mapping[str, int]] = {
    "one": 0,
    **dict.fromkeys(("hundred", "百"), 2),
    **dict.fromkeys(("thousand", "千"), 3),
    **dict.fromkeys(("ten_thousand", "万"), 4),
    **dict.fromkeys(("million", "百万"), 6),
}
"""Unit of a count → power of ten of one."""
PARTS: Final[Mapping[str, int]] = {"millionth": -6}
"""Unit of a whole number that counts millionths → power of ten of one."""
RATIOS: Final[Mapping[str, int]] = {
    "ratio": 0,
    "percent": -2,
    "per_mille": -3,
    "per_10000": -4,
}
"""Unit of a ratio → power of ten of the ratio itself."""

_SCALES: Final = {"_fen": 2, "_e4": 4, "_e6": 6}
"""Suffix of a record's column → decimals of what it counts."""
_ITEM_SCALES: Final = {"yuan": 2, "score": 2, "ratio4": 4, "count": 0}
"""Type of an item's field → decimals that are kept."""
_ITEM_UNITS: Final[Mapping[str, Mapping[str, int]]] = {
    "yuan": MONEY,
    "count": COUNTS,
    "ratio4": RATIOS,
    "score": {"one": 0},
}


def units_of(name: str, word: str) -> Mapping[str, int]:
    """Find the units that the numbers of a column can be given in.

    Args:
        name: Name of the record's column or the item's field.
        word: Type word of a record's column, or type of an item's field.

    >>> sorted(set(units_of("price_e6", "int64")) & {"yuan", "thousand", "percent"})
    ['yuan']
    """
    if word in _ITEM_UNITS:
        return _ITEM_UNITS[word]
    if name.endswith("_fen"):
        return MONEY
    if name.endswith("_e6"):
        return {**MONEY, **PARTS}
    if name.endswith("_e4"):
        return {**COUNTS, **RATIOS}
    return COUNTS


def decimals_of(name: str, word: str, exponent: int) -> int:
    """Count the decimals that a number may have in its source; negative where it cannot be kept.

    Args:
        name: Name of the record's column or the item's field.
        word: Its type.
        exponent: Power of ten of the source's unit.

    >>> decimals_of("fund_fen", "int64", MONEY["万元"])
    6
    """
    scale = _ITEM_SCALES.get(word)
    if scale is None:
        scale = next((one for end, one in _SCALES.items() if name.endswith(end)), 0)
    return scale + exponent
