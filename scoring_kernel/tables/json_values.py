"""JSON texts into rows: every number keeps its digits, nothing nested becomes a cell.

Rules: a key stands once in an object; ``NaN`` and ``Infinity`` are no JSON; depth is
bounded by the parser. Numbers are texts from the start, so that none is rounded.

Source: RFC 8259.
"""

from __future__ import annotations

import json
from typing import Any

from scoring_kernel.tables.cell_texts import number_text
from scoring_kernel.tables.errors import TableRule
from scoring_kernel.tables.row_batches import RowFaultError


class _JsonFaultError(ValueError):
    """A value that the parser lets through and we do not."""


def parse_json(text: str) -> Any:  # noqa: ANN401 - any JSON value
    """Parse a JSON text; numbers come as texts without an exponent.

    Raises:
        RowFaultError: The text is no JSON, repeats a key, or is nested too deeply.
    """
    try:
        return json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_number,
            parse_float=_number,
            parse_constant=_refused,
        )
    except _JsonFaultError as error:
        raise _fault(str(error)) from error
    except RecursionError as error:
        raise _fault("values nested too deeply") from error
    except ValueError as error:
        place = f" at sign {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
        raise _fault(f"broken JSON{place}") from error


def flat_row(value: Any) -> dict[str, str | None]:  # noqa: ANN401 - any JSON value
    """Take a parsed value as a row.

    Args:
        value: Result of ``parse_json``.

    Returns:
        Cells by name.

    Raises:
        RowFaultError: It is no object of plain values.
    """
    if not isinstance(value, dict):
        raise _fault("no object")
    return {name.strip(): _cell(name, cell) for name, cell in value.items()}


def _cell(name: str, value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    raise RowFaultError(
        TableRule.CELL, f"a nested value in {name[:40]!r}", "plain values, one level deep"
    )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _JsonFaultError("an object that repeats a key")
    return found


def _number(text: str) -> str:
    number = number_text(text)
    if number is None:
        raise _JsonFaultError("a number beyond all measure")
    return number


def _refused(text: str) -> str:
    raise _JsonFaultError(f"{text}, which is no number")


def _fault(found: str) -> RowFaultError:
    return RowFaultError(TableRule.BROKEN_JSON, found, "one whole JSON object")
