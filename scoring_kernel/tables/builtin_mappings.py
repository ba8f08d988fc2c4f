"""Mappings that come with the catalogue (``mappings/``): formats that need no mapping file.

Rules: one mapping per table of a format, named as the table is; the grammar is that of
every mapping.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scoring_kernel.tables.mapping_files import parse_record_mapping

if TYPE_CHECKING:
    from scoring_kernel.catalog_object import Catalog
    from scoring_kernel.tables.mapping import RecordMapping

__all__ = ["find_builtin_mapping"]


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
