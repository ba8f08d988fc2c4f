"""Exported files, read by the means of whoever gets them."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq


def read_back(path: Path, schema: pa.Schema) -> list[dict[str, Any]]:
    """Read the rows of an exported file."""
    if path.suffix == ".parquet":
        return list(pq.read_table(path).cast(schema).to_pylist())
    if path.suffix == ".jsonl":
        return [_moments(json.loads(line), schema) for line in path.read_bytes().splitlines()]
    options = pcsv.ConvertOptions(
        column_types=schema, strings_can_be_null=True, quoted_strings_can_be_null=False
    )
    parse = pcsv.ParseOptions(newlines_in_values=True)
    return list(pcsv.read_csv(path, parse_options=parse, convert_options=options).to_pylist())


def by_id(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sort rows by their record id."""
    return sorted(rows, key=lambda row: str(row["record_id"]))


def _moments(row: dict[str, Any], schema: pa.Schema) -> dict[str, Any]:
    """Read the moments of a JSON row, which are texts there."""
    names = [field.name for field in schema if pa.types.is_timestamp(field.type)]
    read = {name: pa.array([row[name]], pa.string()).cast(pa.timestamp("s")) for name in names}
    return row | {name: column[0].as_py() for name, column in read.items()}
