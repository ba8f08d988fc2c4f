"""Files of tables: opened by their format, read through a mapping, or FHIR's through ours.

| file | mapping |
|---|---|
| CSV, workbook, Parquet, JSON of flat objects | the operator's |
| the same, with exactly the columns of a register | the catalogue's, where none is named |
| FHIR R4 Claim, Coverage, ExplanationOfBenefit, and bundles of them | the catalogue's |
"""

import gzip
import re
import zlib
from datetime import datetime
from pathlib import Path
from typing import Final

from node.domain.masking import printable
from node.errors import IntakeFileError
from node.intake.group import DayBounds
from node.intake.report import Tally
from node.intake.table_intake import TableIntake
from node.store import NodeStore
from scoring_kernel import Catalog
from scoring_kernel.tables.builtin_mappings import find_builtin_mapping, find_header_mapping
from scoring_kernel.tables.errors import TableError
from scoring_kernel.tables.mapping import RecordMapping
from scoring_kernel.tables.opening import open_fhir, open_table
from security.progress import ProgressReporter

__all__ = ["TableFiles", "is_fhir", "needs_mapping"]

_TABLES: Final = (".csv", ".tsv", ".xlsx", ".parquet", ".csv.gz", ".tsv.gz", ".zip")
_JSON: Final = (".json", ".jsonl", ".ndjson", ".json.gz", ".jsonl.gz", ".ndjson.gz")
_HEAD_BYTES: Final = 64 * 1024
_RESOURCE: Final = re.compile(rb'[{,]\s*"(resourceType|infno|request)"\s*:')


def needs_mapping(path: Path) -> bool:
    """Tell by its name whether a file holds a table that only a mapping can read."""
    return path.name.lower().endswith(_TABLES)


def is_fhir(path: Path) -> bool:
    """Tell by its first bytes whether a file holds FHIR resources."""
    if not path.is_file() or not path.name.lower().endswith(_JSON):
        return False
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            match = _RESOURCE.search(file.read(_HEAD_BYTES))
    except (OSError, EOFError, zlib.error):
        return False
    return match is not None and match[1] == b"resourceType"


class TableFiles:
    """Takes files of tables into a store."""

    def __init__(
        self, store: NodeStore, catalog: Catalog, bounds: DayBounds, now: datetime
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._bounds = bounds
        self._now = now

    def find_mapping(self, path: Path) -> RecordMapping | None:
        """Find the catalogue's mapping of a table by its header; None where there is none."""
        try:
            with open_table(path) as table:
                return find_header_mapping(self._catalog, table.header)
        except TableError:
            return None

    def take_mapped(
        self, path: Path, mapping: RecordMapping, tally: Tally, progress: ProgressReporter
    ) -> None:
        """Take a file in through a mapping.

        Raises:
            IntakeFileError: The file cannot be read.
            MappingError: The file lacks a column that the mapping names.
            StoreError: The store failed; batches already told stay.
        """
        layout = mapping.layout
        try:
            table = open_table(
                path,
                sheet=layout.table or layout.sheet,
                delimiter=layout.delimiter,
                encoding=layout.encoding,
                nulls=layout.nulls,
            )
        except TableError as error:
            raise IntakeFileError(f"{printable(path.name)}: {error}") from error
        with table:
            intake = TableIntake(self._store, mapping, self._bounds, self._now)
            intake.take_table(table, tally, progress)

    def take_fhir(self, path: Path, tally: Tally, progress: ProgressReporter) -> None:
        """Take a file of FHIR resources in through the catalogue's mappings.

        Raises:
            IntakeFileError: The file cannot be read.
            StoreError: The store failed; batches already told stay.
        """
        try:
            tables = open_fhir(path)
        except TableError as error:
            raise IntakeFileError(f"{printable(path.name)}: {error}") from error
        for name, table in tables.items():
            mapping = find_builtin_mapping(self._catalog, name)
            if mapping is not None:
                intake = TableIntake(self._store, mapping, self._bounds, self._now)
                with table:
                    intake.take_table(table, tally, progress)
