"""Mapping files at the node: how the columns of a foreign table become records.

Rules: the grammar is that of ``scoring_kernel.tables.mapping_files``; a mistake is a
``MappingError`` with the file and its line.
"""

from pathlib import Path
from typing import Final

from node.errors import MappingError
from scoring_kernel import Catalog, load_catalog
from scoring_kernel.errors import CatalogError
from scoring_kernel.tables.mapping import RecordMapping
from scoring_kernel.tables.mapping_files import parse_record_mapping

__all__ = ["load_mapping", "parse_mapping"]

MAX_MAPPING_BYTES: Final = 1024 * 1024


def load_mapping(path: Path, catalog: Catalog | None = None) -> RecordMapping:
    """Read a mapping file.

    Args:
        path: The YAML file.
        catalog: Record kinds and code lists; the packaged catalogue when None.

    Raises:
        MappingError: The file is missing or breaks a rule; the message names its line.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_MAPPING_BYTES + 1)
    except OSError as error:
        raise MappingError(f"mapping {path} cannot be read ({error.strerror})") from error
    if len(content) > MAX_MAPPING_BYTES:
        raise MappingError(
            f"mapping {path} is longer than a mapping is, expected at most "
            f"{MAX_MAPPING_BYTES} bytes; check the name"
        )
    return parse_mapping(content, path.name, catalog or load_catalog())


def parse_mapping(content: bytes, name: str, catalog: Catalog) -> RecordMapping:
    """Parse the content of a mapping file; see ``load_mapping``."""
    try:
        return parse_record_mapping(content, name, catalog)
    except CatalogError as error:
        raise MappingError(f"mapping {error}") from error
