"""Mappings of department files: read from a file, or proposed from the file they are for.

Rules: a proposal is for a person to check; nothing is imported by it unseen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hub.errors import ImportFileError
from scoring_kernel.errors import CatalogError
from scoring_kernel.tables import TableError, open_table
from scoring_kernel.tables.mapping import Layout
from scoring_kernel.tables.mapping_files import parse_item_mapping
from scoring_kernel.tables.mapping_suggestion import Suggestion, suggest_item_mapping

if TYPE_CHECKING:
    from pathlib import Path

    from scoring_kernel import Catalog
    from scoring_kernel.tables.mapping import ItemMapping

MAX_MAPPING_BYTES: Final = 1024 * 1024
SAMPLE_ROWS: Final = 5_000


def load_mapping(path: Path, catalog: Catalog) -> ItemMapping:
    """Read a mapping for an information item.

    Args:
        path: The mapping file, YAML.
        catalog: Information items.

    Raises:
        ImportFileError: The file cannot be read, or breaks a rule of its format.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_MAPPING_BYTES + 1)
    except OSError as error:
        raise ImportFileError(
            f"The mapping {path} cannot be read ({type(error).__name__}); name a readable file."
        ) from error
    if len(content) > MAX_MAPPING_BYTES:
        raise ImportFileError(
            f"Found a mapping of more than {MAX_MAPPING_BYTES} bytes; name a mapping file."
        )
    try:
        return parse_item_mapping(content, path.name, catalog)
    except CatalogError as error:
        raise ImportFileError(str(error)) from error


def propose_mapping(
    path: Path, catalog: Catalog, *, item: str | None = None, sheet: str | None = None
) -> Suggestion:
    """Propose a mapping from the header and the first rows of a file.

    Args:
        path: The file.
        catalog: Information items.
        item: Number of the item; the nearest one when None.
        sheet: Sheet of a workbook, or table of a FHIR file; may be None where there is one.

    Raises:
        ImportFileError: The file cannot be read as a table, or there is no such item.
    """
    if item is not None and item not in catalog.items:
        raise ImportFileError(
            f"Found item {item[:20]!r}, expected one of {', '.join(sorted(catalog.items))}."
        )
    try:
        with open_table(path, sheet=sheet) as table:
            cells = next((batch.columns for batch in table.batches(SAMPLE_ROWS)), {})
            layout = Layout(
                sheet=sheet if table.kind == "xlsx" else None,
                table=sheet if table.kind == "fhir" else None,
            )
    except TableError as error:
        raise ImportFileError(f"{path.name}: {error}.") from error
    return suggest_item_mapping(path.name, cells, catalog, layout, item)
