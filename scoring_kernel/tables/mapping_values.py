"""Cells of a table as columns of its target, whole columns at a time.

Rules:
- ``record_column`` gives values of a record's type, ``item_column`` the text that an
  item's field is read from.
- What does not fit is a problem with its rows; the value there is null, and the
  caller leaves the row out.
- The order within a column: blanks and letters, default, missing, map, type, codes,
  length.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from scoring_kernel.tables.mapping_days import days_of
from scoring_kernel.tables.mapping_numbers import decimal_counts, decimal_text, int_digits

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from scoring_kernel.tables.mapping import ColumnSpec, ItemMapping

__all__ = ["Problem", "item_column", "item_columns", "record_column"]

MAX_TEXT: Final = 200
"""Longest text of a record's column, characters."""

_ARROW: Final[Mapping[str, pa.DataType]] = {
    "string": pa.string(),
    "bool": pa.bool_(),
    "int8": pa.int8(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "timestamp[s]": pa.timestamp("s"),
}
_ITEM_DECIMALS: Final = {"yuan": 2, "score": 2, "ratio4": 4, "count": 0}
_NUMBER_TYPES: Final = ("int8", "int32", "int64")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What some rows of a column have wrong."""

    rule: str
    """Name of the rule that was broken."""
    column: str
    """Column of the table."""
    rows: tuple[int, ...]
    """Positions in the batch."""
    values: tuple[str | None, ...] = field(repr=False)
    """Cells as found."""
    expected: str
    personal: bool


def record_column(
    spec: ColumnSpec, cells: Mapping[str, pa.Array], rows: int
) -> tuple[pa.Array, tuple[Problem, ...]]:
    """Make one column of a record.

    Args:
        spec: Where the column comes from.
        cells: Text by column of the table, each of shape (n_rows,).
        rows: Number of rows.

    Returns:
        Values of the catalogue's type, shape (n_rows,), and what is wrong in which rows.
    """
    if not spec.columns:
        return pa.repeat(pa.scalar(spec.constant, _ARROW[spec.type]), rows), ()
    problems: list[Problem] = []
    if spec.type in _NUMBER_TYPES:
        counts, missing = _counts(spec, cells, rows, problems)
        _note(
            problems, "number_negative", spec, decimal_text(counts, 0), counts < 0, "zero or more"
        )
        return pa.array(counts, pa.int64(), mask=missing).cast(_ARROW[spec.type]), tuple(problems)
    texts = _prepared(spec, _sources(spec, cells)[0][1])
    if not spec.nullable and texts.null_count:
        _note(problems, "field_missing", spec, texts, texts.is_null(), "a value")
    if spec.type == "timestamp[s]":
        return _days(spec, texts, problems), tuple(problems)
    texts = _mapped(spec, texts, problems)
    if spec.type == "bool":
        return pc.equal(texts, "true"), tuple(problems)
    _refuse_long(spec, texts, problems)
    return texts, tuple(problems)


def item_columns(
    mapping: ItemMapping, cells: Mapping[str, pa.Array], rows: int
) -> tuple[Mapping[str, pa.Array], tuple[Problem, ...]]:
    """Make the text columns of an item from a table's own.

    Args:
        mapping: The mapping.
        cells: Text by column of the table, each of shape (n_rows,).
        rows: Number of rows.

    Returns:
        Text by field of the item, to be read by ``parse_row``, and what is wrong in which rows.
    """
    found: dict[str, pa.Array] = {}
    problems: list[Problem] = []
    for spec in mapping.columns:
        found[spec.name], new = item_column(spec, cells, rows)
        problems += new
    return found, tuple(problems)


def item_column(
    spec: ColumnSpec, cells: Mapping[str, pa.Array], rows: int
) -> tuple[pa.Array, tuple[Problem, ...]]:
    """Make one text column of an item; see ``item_columns``.

    A missing value, a code without a map, and a number in the field's own unit is left to the
    field's own rules.
    """
    if not spec.columns:
        text = None if spec.constant is None else str(spec.constant)
        return pa.repeat(pa.scalar(text, pa.string()), rows), ()
    problems: list[Problem] = []
    scale = _ITEM_DECIMALS.get(spec.type)
    is_own = spec.decimals == scale and not spec.rounds
    if scale is not None and (len(spec.columns) > 1 or not is_own):
        counts, missing = _counts(spec, cells, rows, problems)
        text = decimal_text(counts, scale)
        return pc.if_else(pa.array(missing), pa.scalar(None, pa.string()), text), tuple(problems)
    texts = _prepared(spec, _sources(spec, cells)[0][1])
    if spec.type == "date":
        return pc.strftime(_days(spec, texts, problems), format="%Y-%m-%d"), tuple(problems)
    return _mapped(spec, texts, problems) if spec.codes else texts, tuple(problems)


def _sources(spec: ColumnSpec, cells: Mapping[str, pa.Array]) -> list[tuple[str, pa.Array]]:
    """Give the cells a column is made from, with the name of their column."""
    if spec.takes_first:
        return [(spec.columns[0], pc.coalesce(*(cells[name] for name in spec.columns)))]
    return [(name, cells[name]) for name in spec.columns]


def _prepared(spec: ColumnSpec, cells: pa.Array) -> pa.Array:
    """Take blanks off, set letters, fill empty cells."""
    if spec.trim:
        cells = pc.utf8_trim_whitespace(cells)
        cells = pc.if_else(pc.equal(cells, ""), pa.scalar(None, pa.string()), cells)
    if spec.case:
        cells = pc.utf8_upper(cells) if spec.case == "upper" else pc.utf8_lower(cells)
    if spec.default is not None and cells.null_count:
        cells = cells.fill_null(spec.default)
    return cells


def _counts(
    spec: ColumnSpec, cells: Mapping[str, pa.Array], rows: int, problems: list[Problem]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Add up decimal cells, counted in the last decimal; which rows have none."""
    total = np.zeros(rows, np.int64)
    missing = np.zeros(rows, np.bool_)
    expected = (
        f"a number of at most {int_digits(spec.decimals)} digits and {spec.decimals} decimals"
    )
    for name, source in _sources(spec, cells):
        texts = _prepared(spec, source)
        if texts.null_count:
            is_null = texts.is_null().to_numpy(zero_copy_only=False)
            missing |= is_null
            if not spec.nullable:
                _note(problems, "field_missing", spec, texts, is_null, "a number", name)
        counts, bad = decimal_counts(texts, spec.decimals, rounds=spec.rounds)
        _note(problems, "field_type", spec, texts, bad, expected, name)
        total += counts
    return total, missing


def _days(spec: ColumnSpec, texts: pa.Array, problems: list[Problem]) -> pa.Array:
    days = days_of(texts, spec.formats)
    if days.null_count > texts.null_count:
        bad = pc.and_(days.is_null(), texts.is_valid())
        _note(problems, "date_invalid", spec, texts, bad, f"a day as {' or '.join(spec.formats)}")
    return days


def _mapped(spec: ColumnSpec, texts: pa.Array, problems: list[Problem]) -> pa.Array:
    """Put the target's codes in place of the table's; refuse what no list has."""
    if not spec.codes and spec.allowed is None:
        return texts
    encoded = texts.dictionary_encode()
    found = encoded.dictionary
    expected = "a code of the national list"
    if spec.codes:
        keys = pa.array(list(spec.codes), pa.string())
        found = pa.array(list(spec.codes.values()), pa.string()).take(
            pc.index_in(found, value_set=keys)
        )
        expected = "a value of the mapping's map"
    elif spec.allowed is not None:
        known = pc.is_in(found, value_set=pa.array(sorted(spec.allowed), pa.string()))
        found = pc.if_else(known, found, pa.scalar(None, pa.string()))
    put = found.take(encoded.indices)
    if found.null_count:
        bad = pc.and_(put.is_null(), texts.is_valid())
        _note(problems, "code_unknown", spec, texts, bad, expected)
    return put


def _refuse_long(spec: ColumnSpec, texts: pa.Array, problems: list[Problem]) -> None:
    if len(texts) and (pc.max(pc.binary_length(texts)).as_py() or 0) > MAX_TEXT:
        bad = pc.greater(pc.utf8_length(texts), MAX_TEXT)
        expected = f"at most {MAX_TEXT} characters"
        _note(problems, "field_too_long", spec, texts, bad, expected)


def _note(  # noqa: PLR0917 - private, the order of a sentence
    problems: list[Problem],
    rule: str,
    spec: ColumnSpec,
    cells: pa.Array,
    bad: pa.Array | npt.NDArray[np.bool_],
    expected: str,
    column: str = "",
) -> None:
    mask = bad
    if not isinstance(mask, np.ndarray):
        mask = pc.fill_null(bad, False).to_numpy(zero_copy_only=False)  # noqa: FBT003 - by position
    rows = np.flatnonzero(mask)
    if len(rows):
        problems.append(
            Problem(
                rule=rule,
                column=column or spec.columns[0],
                rows=tuple(rows.tolist()),
                values=tuple(cells.take(pa.array(rows)).to_pylist()),
                expected=expected,
                personal=spec.personal,
            )
        )
