"""Open a file as a table, whatever its format.

Rules: what a file is, is told by its first bytes; a text is told apart by its name:
``.jsonl`` and ``.ndjson`` are lines of JSON, ``.json`` is one document, any other
text is CSV. JSON whose first value has a ``resourceType`` is FHIR.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from scoring_kernel.tables.csv_table import CsvTable
from scoring_kernel.tables.errors import TableError, TableRule
from scoring_kernel.tables.fhir_table import FhirTable, fhir_tables
from scoring_kernel.tables.json_table import (
    HEADER_ROWS,
    JsonDocument,
    JsonLines,
    JsonTable,
    read_document,
)
from scoring_kernel.tables.parquet_table import ParquetTable
from scoring_kernel.tables.row_batches import RowFaultError
from scoring_kernel.tables.sources import (
    OLE_MAGIC,
    PARQUET_MAGIC,
    ZIP_MAGICS,
    find_source,
)
from scoring_kernel.tables.xlsx_table import XlsxTable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from scoring_kernel.tables.json_table import JsonRow
    from scoring_kernel.tables.sources import FileSource
    from scoring_kernel.tables.table import Table

SUFFIXES: Final = (
    ".csv",
    ".txt",
    ".tsv",
    ".xlsx",
    ".parquet",
    ".jsonl",
    ".ndjson",
    ".json",
)
"""Names that a table's file may have; the texts also with ``.gz`` or inside a ``.zip``."""
_LINES: Final = (".jsonl", ".ndjson")


def open_table(
    path: Path,
    *,
    sheet: str | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
    nulls: Sequence[str] = (),
    max_bytes: int | None = None,
) -> Table:
    """Open a table; close it, or use it as a context manager.

    Args:
        path: A regular file.
        sheet: Sheet of a workbook, or table of a FHIR file; may be None where there is one.
        delimiter: Sign between the cells of a CSV; chosen by the header when None.
        encoding: Encoding of a text; chosen by the whole file when None.
        nulls: Texts that mean that there is nothing, beside the empty one.
        max_bytes: Largest accepted size on disk; None for any.

    Raises:
        TableError: The file cannot be read as a table.
    """
    source = find_source(path, max_bytes)
    if source.start.startswith(PARQUET_MAGIC):
        return ParquetTable(source, nulls=nulls)
    if source.start in ZIP_MAGICS and not source.member:
        return XlsxTable(source, sheet=sheet, nulls=nulls)
    if source.start.startswith(OLE_MAGIC):
        raise TableError(
            TableRule.FORMAT_UNKNOWN,
            "an old or an encrypted Excel file",
            "a workbook such as .xlsx",
            "save it as .xlsx without a password, or as CSV",
        )
    values = _json_values(source, encoding)
    if values is None:
        return CsvTable(source, delimiter=delimiter, encoding=encoding, nulls=nulls)
    if _is_fhir(values):
        return _chosen(fhir_tables(values), sheet)
    kind = "jsonl" if isinstance(values, JsonLines) else "json"
    return JsonTable(values, kind=kind, nulls=nulls)


def open_fhir(path: Path) -> Mapping[str, FhirTable]:
    """Open a file of FHIR R4 resources: one, a Bundle, or one per line.

    Args:
        path: A ``.json``, ``.ndjson`` or ``.jsonl`` file, also packed.

    Returns:
        The tables that have rows, by name: ``fhir_claim``, ``fhir_claim_line``,
        ``fhir_coverage``, ``fhir_eob``, ``fhir_eob_line``.

    Raises:
        TableError: The file cannot be read, or is no FHIR.
    """
    values = _json_values(find_source(path), None)
    if values is None or not _is_fhir(values):
        raise TableError(
            TableRule.FORMAT_UNKNOWN,
            "no FHIR resource",
            "a Claim, Coverage, ExplanationOfBenefit or a Bundle of them",
            "name a file of FHIR R4",
        )
    return fhir_tables(values)


def is_fhir(path: Path) -> bool:
    """Tell whether a file holds FHIR resources; False for what cannot be read.

    Args:
        path: Any file.
    """
    try:
        values = _json_values(find_source(path), None)
    except TableError:
        return False
    return values is not None and _is_fhir(values)


def _json_values(source: FileSource, encoding: str | None) -> JsonLines | JsonDocument | None:
    if source.text_name.endswith(_LINES):
        return JsonLines(source, encoding)
    if not source.text_name.endswith(".json"):
        return None
    document = read_document(source)
    return JsonLines(source, encoding) if document is None else JsonDocument(source, document)


def _is_fhir(values: JsonLines | JsonDocument) -> bool:
    """Look at the first value that can be read: a broken line refuses itself alone."""
    first = next((row.value for row in islice(values, HEADER_ROWS) if _is_whole(row)), None)
    return isinstance(first, dict) and "resourceType" in first


def _is_whole(row: JsonRow) -> bool:
    return not isinstance(row.value, RowFaultError)


def _chosen(tables: Mapping[str, FhirTable], name: str | None) -> Table:
    if name is None and len(tables) == 1:
        return next(iter(tables.values()))
    if name is None or name not in tables:
        raise TableError(
            TableRule.SHEET,
            "several tables" if name is None else f"no table {name[:40]!r}",
            "one table",
            f"name one of: {', '.join(tables) or 'none, the file has no claims or coverages'}",
        )
    return tables[name]
