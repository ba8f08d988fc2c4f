"""Mappings that come with the catalogue (``mappings/``): formats that need no mapping file.

Rules:
- One mapping per table of a format, named as the table is; the grammar is that of every mapping.
- A mapping that names no table is for files whose header has exactly the columns of its kind:
  registers. ``record_id`` and ``month``, as an export has them, may stand there too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scoring_kernel.tables.mapping_files import parse_record_mapping

if TYPE_CHECKING:
    from collections.abc import Collection

    from scoring_kernel.catalog_object import Catalog
    from scoring_kernel.tables.mapping import RecordMapping

__all__ = ["find_builtin_mapping", "find_header_mapping"]

_EXPORTED: Final = frozenset(("record_id", "month"))
"""Columns of every record that a mapping gives itself."""


def find_builtin_mapping(catalog: Catalog, table: str) -> RecordMapping | None:
    """Find the mapping of a table of a known format; None where it needs a mapping file.

    Args:
        catalog: Mappings, record kinds and code lists.
        table: Name of the table, for example ``fhir_claim``.

    Raises:
        CatalogError: The packaged mapping breaks a rule.
    """
    content = catalog.mappings.get(table)
    if content is None:
        return None
    return parse_record_mapping(content, f"{table}.yaml", catalog)


def find_header_mapping(catalog: Catalog, header: Collection[str]) -> RecordMapping | None:
    """Find the mapping of a file by its header; None where it needs a mapping file.

    Args:
        catalog: Mappings, record kinds and code lists.
        header: Columns of the file.

    Raises:
        CatalogError: A packaged mapping breaks a rule.
    """
    wanted = frozenset(header) - _EXPORTED
    for name in catalog.mappings:
        found = find_builtin_mapping(catalog, name)
        if found is not None and found.layout.table is None and found.table_columns == wanted:
            return found
    return None
