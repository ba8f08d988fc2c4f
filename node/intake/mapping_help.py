"""Help with mapping files: propose one for a table, and check one against a table.

Rules: a proposal tells names of columns, never a cell; what stands in the cells is only
looked at.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from node.domain.masking import printable
from node.errors import IntakeFileError, MappingError
from node.intake.mapping import load_mapping
from node.intake.table_files import is_fhir
from scoring_kernel import Catalog
from scoring_kernel.tables.errors import TableError
from scoring_kernel.tables.mapping import ColumnSpec, Layout, RecordMapping
from scoring_kernel.tables.mapping_suggestion import Suggestion, suggest_record_mapping
from scoring_kernel.tables.opening import open_table

__all__ = ["MappingCheck", "check_mapping", "suggest_mapping"]

SAMPLE_ROWS: Final = 5_000
NULL_WORDS: Final = ("NA", "N/A", "NULL", "null", "None", "NaN", "nan", "-", "--")
"""Words that are proposed as nulls where a column has them beside other cells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingCheck:
    """What a valid mapping does, and whether a table fits it."""

    namespace: str
    lines: tuple[tuple[str, str, str], ...]
    """(record kind, column, where it comes from), in order."""
    absent: tuple[str, ...] = ()
    """Columns that the mapping reads and the table lacks."""
    unused: tuple[str, ...] = ()
    """Columns of the table that the mapping does not read."""


def suggest_mapping(
    path: Path,
    catalog: Catalog,
    *,
    sheet: str | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
) -> Suggestion:
    """Propose a mapping for a table.

    Args:
        path: The table's file.
        catalog: Record kinds, names and code lists.
        sheet: Sheet of a workbook; may be None where there is one.
        delimiter: Sign between the cells of a CSV; chosen by the header when None.
        encoding: Encoding of a text; chosen by the whole file when None.

    Raises:
        IntakeFileError: The file cannot be read as a table, or has no rows.
        MappingError: The file needs no mapping.
    """
    if is_fhir(path):
        raise MappingError(f"{printable(path.name)} is FHIR: ingest it without a mapping")
    try:
        with open_table(path, sheet=sheet, delimiter=delimiter, encoding=encoding) as table:
            batch = next((one for one in table.batches(SAMPLE_ROWS) if one.rows), None)
            is_csv = table.kind == "csv"
            layout = Layout(
                sheet=sheet,
                delimiter=table.delimiter if is_csv else None,
                encoding=table.encoding if is_csv else None,
                nulls=() if batch is None else _null_words(batch.columns),
            )
    except TableError as error:
        raise IntakeFileError(f"{printable(path.name)}: {error}") from error
    if batch is None:
        raise IntakeFileError(f"{printable(path.name)} has no row to look at: send some")
    nulls = pa.array(layout.nulls, pa.string())
    cells = {
        name: pc.if_else(pc.is_in(one, value_set=nulls), pa.scalar(None, pa.string()), one)
        for name, one in batch.columns.items()
    }
    return suggest_record_mapping(printable(path.name), cells, catalog, layout)


def check_mapping(path: Path, catalog: Catalog, data: Path | None = None) -> MappingCheck:
    """Check a mapping file, and a table against it.

    Args:
        path: The mapping file.
        catalog: Record kinds and code lists.
        data: A table's file; None to check the mapping alone.

    Raises:
        IntakeFileError: The table cannot be read.
        MappingError: The mapping breaks a rule; the message names its line.
    """
    mapping = load_mapping(path, catalog)
    header = () if data is None else _header(data, mapping)
    return MappingCheck(
        namespace=mapping.namespace,
        lines=tuple(
            (kind.kind, spec.name, _told(spec)) for kind in mapping.kinds for spec in kind.columns
        ),
        absent=() if data is None else tuple(sorted(mapping.table_columns - set(header))),
        unused=tuple(name for name in header if name and name not in mapping.table_columns),
    )


def _header(data: Path, mapping: RecordMapping) -> Sequence[str]:
    layout = mapping.layout
    try:
        with open_table(
            data,
            sheet=layout.table or layout.sheet,
            delimiter=layout.delimiter,
            encoding=layout.encoding,
        ) as table:
            return table.header
    except TableError as error:
        raise IntakeFileError(f"{printable(data.name)}: {error}") from error


def _told(spec: ColumnSpec) -> str:
    if spec.columns:
        joint = " else " if spec.takes_first else " + "
        return joint.join(spec.columns)
    return "nothing" if spec.constant is None else f"always {spec.constant}"


def _null_words(columns: Mapping[str, pa.Array]) -> tuple[str, ...]:
    words = pa.array(NULL_WORDS)
    found: set[str] = set()
    for cells in columns.values():
        different = cells.unique().drop_null()
        hits = different.filter(pc.is_in(different, value_set=words)).to_pylist()
        found.update(hits if len(hits) < len(different) else ())
    return tuple(word for word in NULL_WORDS if word in found)
