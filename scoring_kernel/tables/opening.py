"""Open a file as a table, whatever its format.

Rules: what a file is, is told by its first bytes; a text is told apart by its name:
``.jsonl`` and ``.ndjson`` are lines of JSON, ``.json`` is one document, any other
text is CSV.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scoring_kernel.tables.csv_table import CsvTable
from scoring_kernel.tables.sources import find_source

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from scoring_kernel.tables.table import Table


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
    del sheet
    return CsvTable(source, delimiter=delimiter, encoding=encoding, nulls=nulls)
