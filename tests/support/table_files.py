"""Files of tables for tests: workbooks from their XML, bombs, readings in one piece."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scoring_kernel.tables import open_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from scoring_kernel.tables import RowFault, Table

WORKBOOK = (
    '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">'
    '{properties}<sheets><sheet name="S" sheetId="1" r:id="rId1"/></sheets></workbook>'
)
_TYPES = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="xml" ContentType="application/xml"/>'
    '<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-'
    'officedocument.spreadsheetml.sheet.main+xml"/></Types>'
)
_RELATIONS = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/'
    'relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>'
)
SHEET = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">{body}</worksheet>'


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A whole table in memory."""

    table: Table
    rows: list[dict[str, str | None]]
    numbers: list[int]
    raws: list[bytes]
    faults: list[RowFault]

    def rules(self) -> dict[int, str]:
        """Rule by number of each refused row."""
        return {fault.number: str(fault.rule) for fault in self.faults}


def read_table(
    path: Path,
    *,
    rows: int = 50_000,
    columns: Sequence[str] | None = None,
    sheet: str | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
    nulls: Sequence[str] = (),
) -> Reading:
    """Read all of a table."""
    found: list[dict[str, str | None]] = []
    numbers: list[int] = []
    raws: list[bytes] = []
    faults: list[RowFault] = []
    with open_table(
        path, sheet=sheet, delimiter=delimiter, encoding=encoding, nulls=nulls
    ) as table:
        for batch in table.batches(rows, columns):
            assert batch.rows <= rows
            assert batch.rows or batch.faults
            cells = {name: column.to_pylist() for name, column in batch.columns.items()}
            assert {len(column) for column in cells.values()} <= {batch.rows}
            found += [{name: cells[name][row] for name in cells} for row in range(batch.rows)]
            numbers += batch.numbers.tolist()
            raws += [batch.raw(row) for row in range(batch.rows)]
            faults += batch.faults
    return Reading(table=table, rows=found, numbers=numbers, raws=raws, faults=faults)


def write_workbook(
    path: Path, body: str, *, properties: str = "", more: Mapping[str, str] | None = None
) -> Path:
    """Write a workbook of one sheet from the inside of its ``worksheet`` element."""
    parts = {
        "[Content_Types].xml": _TYPES,
        "xl/workbook.xml": WORKBOOK.format(properties=properties),
        "xl/_rels/workbook.xml.rels": _RELATIONS,
        "xl/worksheets/sheet1.xml": SHEET.format(body=body),
        **(more or {}),
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return path
