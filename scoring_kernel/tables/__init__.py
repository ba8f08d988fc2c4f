"""Tables of any file: CSV, workbooks, Parquet, JSON and FHIR as batches of text columns."""

from scoring_kernel.tables.errors import TableError, TableRule
from scoring_kernel.tables.opening import is_fhir, open_fhir, open_table
from scoring_kernel.tables.table import BATCH_ROWS, RowFault, Table, TableBatch

__all__ = [
    "BATCH_ROWS",
    "RowFault",
    "Table",
    "TableBatch",
    "TableError",
    "TableRule",
    "is_fhir",
    "open_fhir",
    "open_table",
]
