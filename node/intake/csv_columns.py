"""Cells of a CSV as columns of a record, whole columns at a time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from node.domain.faults import Fault, Rule
from node.intake.columns import FaultBook
from node.intake.mapping import ColumnSpec

__all__ = ["CsvTable", "record_column"]

_MAX_DIGITS: Final = 13
_ARROW: Final = {
    "string": pa.string(),
    "bool": pa.bool_(),
    "int8": pa.int8(),
    "int32": pa.int32(),
    "int64": pa.int64(),
}
_MAX_TEXT: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvTable:
    """Cells of one block: text, null where a cell means nothing."""

    rows: int
    cells: Mapping[str, pa.Array] = field(repr=False)


def record_column(spec: ColumnSpec, table: CsvTable, book: FaultBook) -> pa.Array:
    """Make one column of a record.

    Args:
        spec: Where the column comes from.
        table: The cells.
        book: Takes the first fault of each row.

    Returns:
        Values of the catalogue's type, one per row; null in faulty rows.
    """
    if not spec.columns:
        return pa.array([spec.constant] * table.rows, _ARROW[spec.type])
    if spec.type.startswith("int"):
        return _numbers(spec, table, book)
    (name,) = spec.columns
    cells = table.cells[name]
    if spec.default is not None:
        cells = cells.fill_null(spec.default)
    elif not spec.nullable:
        _note(
            book,
            Rule.FIELD_MISSING,
            spec,
            name,
            cells=cells,
            bad=cells.is_null(),
            expected="a value",
        )
    if spec.type == "timestamp[s]":
        return _days(spec, name, cells, book)
    if spec.codes:
        cells = _mapped(spec, name, cells, book)
    if spec.type == "bool":
        return pc.equal(cells, "true")
    too_long = pc.greater(pc.utf8_length(cells), _MAX_TEXT).fill_null(False)  # noqa: FBT003 - Arrow takes values by position
    _note(
        book,
        Rule.FIELD_TOO_LONG,
        spec,
        name,
        cells=cells,
        bad=too_long,
        expected=f"at most {_MAX_TEXT} characters",
    )
    return cells


def _numbers(spec: ColumnSpec, table: CsvTable, book: FaultBook) -> pa.Array:
    """Add up decimal cells, counted in the last decimal of the record's column."""
    total: npt.NDArray[np.int64] = np.zeros(table.rows, np.int64)
    missing = np.zeros(table.rows, np.bool_)
    pattern = rf"^-?[0-9]{{1,{_MAX_DIGITS}}}"
    if spec.decimals:
        pattern += rf"(\.[0-9]{{1,{spec.decimals}}})?"
    for name in spec.columns:
        cells = table.cells[name]
        if spec.default is not None:
            cells = cells.fill_null(spec.default)
        is_null = cells.is_null()
        if not spec.nullable:
            _note(
                book, Rule.FIELD_MISSING, spec, name, cells=cells, bad=is_null, expected="a number"
            )
        good = pc.match_substring_regex(cells, pattern + "$").fill_null(False)  # noqa: FBT003 - Arrow takes values by position
        bad = pc.and_not(pc.invert(good), is_null)
        expected = f"a number of at most {_MAX_DIGITS} digits and {spec.decimals} decimals"
        _note(book, Rule.FIELD_TYPE, spec, name, cells=cells, bad=bad, expected=expected)
        values = pc.if_else(good, cells, "0").cast(pa.decimal128(30, spec.decimals))
        counted = pc.multiply(values, pa.scalar(Decimal(10**spec.decimals)))
        total += counted.cast(pa.decimal128(38, 0), safe=False).cast(pa.int64()).to_numpy()
        missing |= is_null.to_numpy(zero_copy_only=False)
    negative = pa.array(total < 0)
    shown = pa.array(total).cast(pa.string())
    _note(
        book,
        Rule.NUMBER_NEGATIVE,
        spec,
        spec.columns[0],
        cells=shown,
        bad=negative,
        expected="zero or more",
    )
    return pa.array(total, _ARROW[spec.type], mask=missing)


def _days(spec: ColumnSpec, name: str, cells: pa.Array, book: FaultBook) -> pa.Array:
    days = pc.strptime(cells, format=spec.format, unit="s", error_is_null=True)
    # strptime takes 31 February for 3 March; what does not print back as it came is refused.
    same = pc.equal(pc.strftime(days, format=spec.format), cells)
    bad = pc.and_not(pc.invert(same.fill_null(False)), cells.is_null())  # noqa: FBT003 - Arrow takes values by position
    _note(
        book,
        Rule.DATE_INVALID,
        spec,
        name,
        cells=cells,
        bad=bad,
        expected=f"a day as {spec.format}",
    )
    return days


def _mapped(spec: ColumnSpec, name: str, cells: pa.Array, book: FaultBook) -> pa.Array:
    keys = pa.array(list(spec.codes), pa.string())
    values = pa.array(list(spec.codes.values()), pa.string())
    found = pc.index_in(cells, value_set=keys)
    bad = pc.and_not(found.is_null(), cells.is_null())
    _note(
        book,
        Rule.CODE_UNKNOWN,
        spec,
        name,
        cells=cells,
        bad=bad,
        expected="a value of the mapping's map",
    )
    return values.take(found)


def _note(
    book: FaultBook,
    rule: Rule,
    spec: ColumnSpec,
    name: str,
    *,
    cells: Any,  # noqa: ANN401 - pyarrow ships no types
    bad: Any,  # noqa: ANN401 - pyarrow ships no types
    expected: str,
) -> None:
    for row in np.flatnonzero(bad.to_numpy(zero_copy_only=False)):
        value = cells[int(row)].as_py()
        book.add(int(row), Fault.of(rule, name, value, expected, personal=spec.personal))
