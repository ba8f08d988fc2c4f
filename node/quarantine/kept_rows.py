"""Refused rows of mapped files, cut into cells again and written anew.

Rules:
- A row is read as its file was: the same cutter, header, delimiter, encoding and nulls.
- A row that cannot be cut has a fault of its own; the others beside it are cut.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from node.domain.row_context import LINE, RowContext
from node.errors import ConfigurationError
from scoring_kernel.tables.errors import TableRule
from scoring_kernel.tables.json_values import flat_row, parse_json
from scoring_kernel.tables.line_blocks import block_of
from scoring_kernel.tables.line_cutter import LineCutter
from scoring_kernel.tables.row_batches import RowCollector, RowFaultError
from scoring_kernel.tables.table import RowFault, TableBatch

__all__ = ["CutRows", "changed_row", "cut_rows", "shown_cells"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CutRows:
    """Some refused rows, cut."""

    batch: TableBatch = field(repr=False)
    """The rows that can be cut; their numbers are their places among the bodies."""
    faults: Mapping[int, RowFault]
    """The others, by place."""


def cut_rows(
    context: RowContext, bodies: Sequence[bytes], columns: Sequence[str], nulls: Sequence[str]
) -> CutRows:
    """Cut rows of one file into cells.

    Args:
        context: How the file was read.
        bodies: The rows as they were kept, or corrected.
        columns: Columns to give.
        nulls: Texts that mean that there is nothing, beside the empty one.
    """
    if context.form == LINE:
        cutter = LineCutter(
            header=context.header,
            delimiter=context.delimiter,
            nulls=("", *nulls),
            columns=tuple(columns),
            is_whole=True,
        )
        lines = [body.replace(b"\n", b" ") for body in bodies]
        batch = cutter.cut(block_of(0, b"\n".join(lines) + b"\n"), context.encoding, -1)
    else:
        batch = _cells_batch(bodies, columns, nulls)
    return CutRows(batch=batch, faults={fault.number: fault for fault in batch.faults})


def shown_cells(context: RowContext, body: bytes) -> tuple[str | None, ...]:
    """Cut one row as far as it goes, for an outline; a broken one may give other cells."""
    if context.form == LINE:
        text = body.decode(context.encoding, "replace").replace("\n", " ").replace("\x00", "?")
        try:
            return tuple(next(csv.reader([text], delimiter=context.delimiter), ()))
        except csv.Error:
            return (text,)
    cells = _cells(body)
    if cells is None:
        return (body.decode("utf-8", "replace"),)
    return tuple(cells.get(name) for name in context.header)


def changed_row(context: RowContext, body: bytes, changes: Mapping[str, str]) -> bytes:
    """Write a row anew with some cells changed.

    Raises:
        ConfigurationError: The row cannot be cut, or a cell cannot be written in its encoding.
    """
    if context.form != LINE:
        cells = _cells(body)
        if cells is None:
            raise _uncut()
        return orjson.dumps({**cells, **changes})
    held = list(shown_cells(context, body))
    if len(held) != len(context.header):
        raise _uncut()
    for name, value in changes.items():
        if "\n" in value or "\r" in value:
            raise ConfigurationError("a cell with a line break found; a row is one line")
        held[context.header.index(name)] = value
    text = io.StringIO()
    csv.writer(text, delimiter=context.delimiter, lineterminator="").writerow(held)
    try:
        return text.getvalue().encode(context.encoding)
    except UnicodeEncodeError as error:
        raise ConfigurationError(
            f"a sign found that {context.encoding}, the encoding of the row's file, does not have"
        ) from error


def _uncut() -> ConfigurationError:
    return ConfigurationError(
        "the row cannot be cut into the columns of its file: give it whole with --file"
    )


def _cells(body: bytes) -> dict[str, str | None] | None:
    """Read a JSON object of plain values as cells; None when it is none."""
    try:
        return flat_row(parse_json(body.decode()))
    except (UnicodeDecodeError, RowFaultError):
        return None


def _cells_batch(
    bodies: Sequence[bytes], columns: Sequence[str], nulls: Sequence[str]
) -> TableBatch:
    rows = RowCollector(columns=columns, nulls=frozenset(nulls))
    for place, body in enumerate(bodies):
        try:
            rows.add(place, flat_row(parse_json(body.decode())))
        except UnicodeDecodeError:
            error = RowFaultError(TableRule.UNDECODABLE, "bytes that are not UTF-8", "UTF-8")
            rows.refuse(place, error, body)
        except RowFaultError as error:
            rows.refuse(place, error, body)
    return rows.take()
