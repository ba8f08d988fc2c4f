"""FHIR R4 resources as tables: one, a Bundle, or one resource per line.

Rules: resources of other types are counted by their type and passed over; a resource
that cannot be flattened is one fault, in the table of its type. A row is numbered by
its resource: its place in the bundle, or its line.

Source: HL7 FHIR R4 (4.0.1), Bundle; FHIR Bulk Data Access 2.0 (ndjson).
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from scoring_kernel.tables.errors import TableRule
from scoring_kernel.tables.fhir_rows import HEADS, TABLES, flatten
from scoring_kernel.tables.fhir_values import object_at, objects_at, text_at
from scoring_kernel.tables.row_batches import RowCollector, RowFaultError
from scoring_kernel.tables.table import BATCH_ROWS, Table, TableBatch

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from scoring_kernel.tables.fhir_rows import Row
    from scoring_kernel.tables.json_table import JsonDocument, JsonLines

_SHOWN_BYTES: Final = 64 * 1024
_UNKNOWN: Final = "fhir_claim"
"""Table that tells of what is no resource at all, where no better one is there."""


class FhirTable(Table):
    """One table of a FHIR file; see the module's rules.

    Attributes:
        skipped: Number of resources of each other type in the file.
    """

    def __init__(
        self, values: JsonLines | JsonDocument, table: str, skipped: Mapping[str, int]
    ) -> None:
        self.name = f"{values.source.path.name}#{table}"
        self.kind = "fhir"
        self.header = TABLES[table]
        self.unreadable = {}
        self.size_bytes = values.source.size_bytes
        self.encoding = values.encoding
        self.delimiter = ""
        self.skipped = skipped
        self._table = table
        self._values = values

    @property
    def consumed(self) -> int:
        """Bytes of the file that the newest reading has passed."""
        return self._values.consumed

    def close(self) -> None:
        """Nothing stays open between readings."""

    def batches(
        self, rows: int = BATCH_ROWS, columns: Collection[str] | None = None
    ) -> Iterator[TableBatch]:
        """Read the rows; see ``Table``."""
        collector = RowCollector(columns=self.wanted(columns))
        for number, table, row, raw in _rows(self._values):
            if table != self._table or row is None:
                continue
            if isinstance(row, RowFaultError):
                collector.refuse(number, row, raw[:_SHOWN_BYTES])
            else:
                collector.add(number, row)
            if len(collector) >= rows:
                yield collector.take()
        if len(collector):
            yield collector.take()
        self._values.source.verify_unchanged()


def fhir_tables(values: JsonLines | JsonDocument) -> Mapping[str, FhirTable]:
    """Find the tables that a file of resources has rows or faults for.

    Args:
        values: The resources, read once here and once for each table.

    Raises:
        TableError: The file breaks off.
    """
    counts: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    for _, table, row, _ in _rows(values):
        (skipped if row is None else counts)[table] += 1
    return {name: FhirTable(values, name, skipped) for name in TABLES if counts[name]}


def _rows(
    values: JsonLines | JsonDocument,
) -> Iterator[tuple[int, str, Row | RowFaultError | None, bytes]]:
    """Flatten all resources.

    Yields:
        Number, table, row or fault, and the resource of a fault; of a resource that is
        passed over its type in place of the table, and None.
    """
    for one in values:
        resources: Iterator[tuple[int, Any, str | None]]
        if isinstance(one.value, RowFaultError):
            yield one.number, _UNKNOWN, one.value, one.raw
            continue
        try:
            resources = iter(_resources(one.number, one.value))
        except RowFaultError as error:
            yield one.number, _UNKNOWN, error, one.raw
            continue
        for number, resource, full_url in resources:
            yield from _flattened(number, resource, full_url)


def _resources(number: int, value: Any) -> list[tuple[int, Any, str | None]]:  # noqa: ANN401 - any JSON value
    if not isinstance(value, dict) or value.get("resourceType") != "Bundle":
        return [(number, value, None)]
    return [
        (place, object_at(entry, "resource"), text_at(entry, "fullUrl"))
        for place, entry in enumerate(objects_at(value, "entry"), start=1)
    ]


def _flattened(
    number: int,
    resource: Any,  # noqa: ANN401 - any JSON value
    full_url: str | None,
) -> Iterator[tuple[int, str, Row | RowFaultError | None, bytes]]:
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    if not isinstance(kind, str):
        error = RowFaultError(TableRule.CELL, "no FHIR resource", "an object with a resourceType")
        yield number, _UNKNOWN, error, _raw(resource)
        return
    if kind not in HEADS:
        yield number, kind, None, b""
        return
    try:
        # Flattened to its end before anything is given: a resource is never half a row.
        rows = list(flatten(resource, full_url))
    except RowFaultError as error:
        yield number, HEADS[kind], error, _raw(resource)
        return
    for table, row in rows:
        yield number, table, row, b""


def _raw(resource: Any) -> bytes:  # noqa: ANN401 - any JSON value
    return json.dumps(resource, ensure_ascii=False).encode(errors="backslashreplace")
