"""Registers (登记): tables that need no mapping file, since their headers are known.

A file whose header is exactly a register's columns, in any order, is read by the catalogue's own
mapping; what it looks like is told here, from that mapping.
"""

from dataclasses import dataclass
from typing import Final

from node.domain.record_words import name_of
from scoring_kernel import Catalog
from scoring_kernel.tables.builtin_mappings import find_builtin_mapping
from scoring_kernel.tables.mapping import ColumnSpec

__all__ = ["Register", "RegisterColumn", "registers"]

_SCALES: Final = {"_e4": "whole ten-thousandths", "_e6": "whole millionths", "_fen": "whole fen"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterColumn:
    """One column of a register's file."""

    name: str
    name_zh: str
    needed: bool
    """False where cells may be empty."""
    form: str
    """What stands in its cells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """One register."""

    kind: str
    """Kind of its records."""
    name_zh: str
    columns: tuple[RegisterColumn, ...]

    @property
    def header(self) -> str:
        """First line of a CSV."""
        return ",".join(column.name for column in self.columns)


def registers(catalog: Catalog) -> tuple[Register, ...]:
    """List the registers, by kind.

    Args:
        catalog: Mappings and record kinds.

    Raises:
        CatalogError: A packaged mapping breaks a rule.
    """
    found = []
    for name in sorted(catalog.mappings):
        mapping = find_builtin_mapping(catalog, name)
        # A mapping that names its table is one of FHIR's.
        if mapping is None or mapping.layout.table is not None:
            continue
        (of,) = mapping.kinds
        first = RegisterColumn(
            name=mapping.institution.column or "",
            name_zh="机构",
            needed=True,
            form="code of the institution",
        )
        others = (_column(of.kind, spec) for spec in of.columns if spec.columns)
        found.append(
            Register(
                kind=of.kind,
                name_zh=catalog.records[of.kind].name_zh,
                columns=(first, *others),
            )
        )
    return tuple(found)


def _column(kind: str, spec: ColumnSpec) -> RegisterColumn:
    return RegisterColumn(
        name=spec.columns[0],
        name_zh=name_of(kind, spec.name),
        needed=not spec.nullable,
        form=_form(spec),
    )


def _form(spec: ColumnSpec) -> str:
    if spec.codes:
        return "one of " + ", ".join(spec.codes)
    if spec.type == "timestamp[s]":
        return "yyyy-mm-dd" if len(spec.formats) > 1 else "yyyy-mm-dd hh:mm:ss"
    if spec.type == "string":
        return "text"
    return next((word for end, word in _SCALES.items() if spec.name.endswith(end)), "whole number")
