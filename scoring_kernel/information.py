"""Information items (信息类别): what departments hand in, field by field.

Rules:
- An item is a ``row`` item (one row per institution and period), an ``event`` item
  (one row per document of an authority) or a ``register`` (one row per institution).
- A field's type fixes how its text is read and under which name and unit the value
  is kept: yuan become fen, scores become hundredths, ratios ten-thousandths.
- An item's measures are integers of one institution in one window; ratios are the
  models' business.

Legal basis:
    Table 1 of Wenzhou's credit information catalogue (定点医疗机构信用信息目录) for the
    items' names, sources, range and frequency; fields and measures are proposals.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

KINDS: Final = ("row", "event", "register")
WINDOWS: Final[Mapping[str, tuple[str, ...]]] = {
    "row": ("current", "base"),
    "event": ("current", "base", "age1", "age2", "age3"),
    "register": ("current",),
}
"""Windows for which an item of each kind states its measures."""

SUFFIXES: Final[Mapping[str, tuple[str, str, str | None]]] = {
    "yuan": ("_yuan", "_fen", "fen"),
    "score": ("", "_centi", "centi_point"),
    "ratio4": ("", "_e4", "per_10000"),
}
"""Field type → (suffix of the field, suffix of the value kept, unit)."""
FIELD_TYPES: Final = frozenset(
    (
        *("institution", "period", "count", "flag", "date", "code", "text"),
        *("uscc", "division", "phone", *SUFFIXES),
    )
)
NUMERIC_TYPES: Final = frozenset(("count", "flag", *SUFFIXES))
DERIVATIONS: Final = ("filled_fields", "required_fields", "agreement_months")
"""Measures of a register that are computed from the row as a whole."""

MAX_VALUE: Final = 9 * 10**13
"""Largest value of a field or sum, in the unit it is kept in; the kernel divides by up to this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemField:
    """One field of an item's CSV file."""

    name: str
    """Name in the file's header."""
    column: str
    """Name of the parsed value."""
    name_zh: str
    type: str
    """One of ``FIELD_TYPES``."""
    unit: str | None
    """Unit of the parsed value, numbers only."""
    required: bool
    personal: bool
    counted: bool
    """True when the field counts towards the completeness of a register's row."""
    codes: Mapping[str, str]
    """Label by code, for fields of type ``code``."""
    most: int
    """Largest parsed value of a number."""
    max_chars: int
    """Longest text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemMeasure:
    """One integer that an item states per institution and window."""

    id: str
    name_zh: str
    unit: str
    column: str | None
    """Column whose value is taken (rows) or summed (events); None counts events."""
    where: tuple[str, str | int] | None
    """(column, value) that an event must have to count; None for every event."""
    derive: str | None
    """One of ``DERIVATIONS``, registers only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InformationItem:
    """One information item of the catalogue."""

    number: str
    """Two digits, ``01`` to ``23``."""
    id: str
    name_zh: str
    name_en: str
    source_department: str
    range: str
    frequency: str
    kind: str
    """``row``, ``event`` or ``register``."""
    fields: tuple[ItemField, ...]
    primary_key: tuple[str, ...]
    """Columns that identify a row; a later row with the same values replaces it."""
    at_most: Mapping[str, str]
    """Column → column of the same row that it must not exceed."""
    measures: tuple[ItemMeasure, ...]

    @property
    def header(self) -> tuple[str, ...]:
        """Names of the file's columns, in order."""
        return tuple(field.name for field in self.fields)

    @property
    def input_columns(self) -> tuple[str, ...]:
        """Input columns of the kernel that the item states."""
        return tuple(
            f"item.{self.number}.{measure.id}@{window}"
            for measure in self.measures
            for window in WINDOWS[self.kind]
        )
