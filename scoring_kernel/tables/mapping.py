"""A mapping (映射): how the columns of a foreign table become records or an item's rows.

Rules:
- A mapping says where every column comes from; nothing is guessed when it is applied.
- It serves the node, whose rows become records (``RecordMapping``), and the hub,
  whose rows become rows of an information item (``ItemMapping``).
- ``mapping_files`` reads one from YAML, ``mapping_values`` applies its columns,
  ``mapping_suggestion`` proposes one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ColumnSpec", "InstitutionSpec", "ItemMapping", "KindMapping", "Layout", "RecordMapping"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnSpec:
    """Where one column comes from."""

    name: str
    type: str
    """Type word of a record's column, or type of an item's field."""
    nullable: bool
    personal: bool
    columns: tuple[str, ...] = ()
    """Columns of the table; several are added up, or the first filled one is taken. Empty for
    a constant, or for nothing."""
    takes_first: bool = False
    """True where the first filled column is taken, false where they are added up."""
    constant: str | int | bool | None = None
    decimals: int = 0
    """Decimals that a number may have; it is counted in its last one."""
    rounds: bool = False
    """True where a number with more decimals is rounded half up, false where it is a fault."""
    formats: tuple[str, ...] = ()
    """Formats of a day, as strptime reads them, or ``iso``; the first that fits counts."""
    default: str | None = None
    """Value of an empty cell; None where an empty cell is a fault, or null."""
    codes: Mapping[str, str] = field(default_factory=dict)
    """Value map; empty for none. Of a bool its values are ``true`` and ``false``."""
    trim: bool = False
    """True where blanks around a text do not count."""
    case: str = ""
    """``upper`` or ``lower``: letters are made so; empty to leave them."""
    allowed: frozenset[str] | None = None
    """Codes of the closed national list of the column; None where any text goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How the table lies in its file; None where the file tells it itself."""

    table: str | None = None
    """Name of a table in a file of several, for example ``fhir_claim``."""
    sheet: str | None = None
    """Sheet of a workbook."""
    delimiter: str | None = None
    encoding: str | None = None
    nulls: tuple[str, ...] = ()
    """Cells that mean nothing, besides the empty one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstitutionSpec:
    """Where the institution of a row comes from: a column or one code for all rows."""

    column: str | None = None
    constant: str | None = None
    foreign: bool = False
    """True where institutions are registered here under codes of their own data set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KindMapping:
    """How rows become records of one kind."""

    kind: str
    columns: tuple[ColumnSpec, ...]
    days: tuple[ColumnSpec, ...]
    """The first that a row fills gives the month of its record; empty for the day of the intake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordMapping:
    """How rows of a foreign table become records."""

    file: str
    """Name of the mapping's file."""
    content: bytes = field(repr=False)
    """The mapping as it was written: a refused row is kept with it."""
    namespace: str
    """Name of the data set; part of every record's id."""
    record_id: tuple[str, ...]
    """Columns that together identify a row in the data set."""
    institution: InstitutionSpec
    layout: Layout
    kinds: tuple[KindMapping, ...]
    digests_id: bool = False
    """True where the columns of the id are digested: no id may name people, as some of them do."""

    @property
    def table_columns(self) -> frozenset[str]:
        """Columns of the table that are read."""
        used = set(self.record_id)
        used.update({self.institution.column} if self.institution.column else ())
        for kind in self.kinds:
            for spec in (*kind.columns, *kind.days):
                used.update(spec.columns)
        return frozenset(used)


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemMapping:
    """How rows of a department's own table become rows of an information item."""

    file: str
    """Name of the mapping's file."""
    content: bytes = field(repr=False)
    """The mapping as it was written."""
    item: str
    """Number of the item."""
    layout: Layout
    columns: tuple[ColumnSpec, ...]
    """One per field of the item that is given, in the order of the fields."""

    @property
    def table_columns(self) -> frozenset[str]:
        """Columns of the table that are read."""
        return frozenset(name for spec in self.columns for name in spec.columns)
