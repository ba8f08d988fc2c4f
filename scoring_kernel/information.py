"""Information items (信息类别): what departments hand in, field by field.

Rules:
- An item is a ``row`` item (one row per subject and period), an ``event`` item (one
  row per document of an authority), a ``register`` (one row per subject) or a
  ``listing`` (名单: one row per document that keeps a subject on a list).
- An item is about one kind of subject; whom it names must stand in its register.
- A field's type fixes how its text is read and under which name and unit the value
  is kept: yuan become fen, scores become hundredths, ratios ten-thousandths.
- An item's measures are integers of one subject in one window; ratios are the
  models' business.

Legal basis:
    Table 1 of Wenzhou's credit information catalogue (定点医疗机构信用信息目录) for the
    items' names, sources, range and frequency; fields and measures are proposals.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scoring_kernel.document_numbers import DOCUMENT
from scoring_kernel.subject_ids import SUBJECT_TYPES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scoring_kernel.due_dates import Due
    from scoring_kernel.qualification_rules import QualificationRules

KINDS: Final = ("row", "event", "register", "listing")
NUMBER: Final = r"[0-9]{2}|[a-z][0-9]{2}"
"""Form of an item's number: two digits for hospitals' table 1, a letter before them else."""
INSTITUTION_REGISTER: Final = "20"
"""Number of the register of institutions, which an item names unless it says otherwise."""
WINDOWS: Final[Mapping[str, tuple[str, ...]]] = {
    "row": ("current", "base", "prior"),
    "event": ("current", "base", "age1", "age2", "age3", "year"),
    "register": ("current",),
    "listing": ("current",),
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
        *("period", "count", "flag", "date", "code", "text", DOCUMENT),
        *("uscc", "division", "phone", *SUFFIXES, *SUBJECT_TYPES),
    )
)
NUMERIC_TYPES: Final = frozenset(("count", "flag", *SUFFIXES))
DERIVATIONS: Final = ("filled_fields", "required_fields", "agreement_months")
"""Measures of a register that are computed from the row as a whole."""
MONTHS_SINCE: Final = "months_since"
"""Derivation of a register's measure: full months since a day of the row."""
QUALIFICATIONS: Final = ("qualification_points_left", "qualification_barred")
"""Measures of an event item that follow from a person's state of payment qualification."""

MAX_VALUE: Final = 10**13
"""Largest value of a field or sum, in the unit it is kept in: the kernel's largest input."""


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
    least: int
    """Smallest parsed value of a number."""
    most: int
    """Largest parsed value of a number."""
    max_chars: int
    """Longest text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemMeasure:
    """One integer that an item states per subject and window."""

    id: str
    name_zh: str
    unit: str
    column: str | None = None
    """Column whose value or code is taken (rows, registers) or summed (events, listings)."""
    values: Mapping[str, int] | None = None
    """Integer by code of ``column``; None where the column is a number."""
    where: tuple[str, tuple[str | int, ...]] | None = None
    """(column, values), one of which an event or entry must have to count; None for every one."""
    derive: str | None = None
    """One of ``DERIVATIONS`` or ``MONTHS_SINCE`` (registers), or of ``QUALIFICATIONS``."""
    day: str | None = None
    """Date column from which ``MONTHS_SINCE`` and agreement months are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InformationItem:
    """One information item of the catalogue."""

    number: str
    """Number of the form ``NUMBER``, for example ``05`` or ``s03``."""
    id: str
    name_zh: str
    name_en: str
    source_department: str
    range: str
    frequency: str
    """How often the item is handed in, in the words of its table; ``due`` says it in days."""
    due: Due
    """When the source department owes it."""
    kind: str
    """One of ``KINDS``."""
    subject_field: str
    """Column that names the subject."""
    register: str | None
    """Number of the register that knows the item's subjects; None for a register."""
    fields: tuple[ItemField, ...]
    primary_key: tuple[str, ...]
    """Columns that identify a row; a later row with the same values replaces it."""
    at_most: Mapping[str, str]
    """Column → column of the same row that it must not exceed, numbers or days."""
    measures: tuple[ItemMeasure, ...]
    qualification: QualificationRules | None = None
    """Rules of the points that its events give; None where no measure derives from them."""

    @property
    def subject_type(self) -> str:
        """Type of the subject field, one of ``SUBJECT_TYPES``."""
        return next(one.type for one in self.fields if one.column == self.subject_field)

    @property
    def has_period(self) -> bool:
        """Whether a file of the item is for one rating period; a register's is for none."""
        return self.kind != "register"

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
            for window in self.windows(measure)
        )

    def windows(self, measure: ItemMeasure) -> tuple[str, ...]:
        """Windows for which a measure is stated; a state is one of the period's last day."""
        return ("current",) if measure.derive in QUALIFICATIONS else WINDOWS[self.kind]
