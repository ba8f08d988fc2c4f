"""Values of typed files as the texts of a table.

Rules: a number keeps every digit it has and gets none it has not: integers and
decimals as they are, binary numbers by the shortest text that reads back as the same
number, never with an exponent. Days are ``yyyy-mm-dd``, moments
``yyyy-mm-dd HH:MM:SS`` with a fraction only where there is one, truth ``true`` and
``false``. What has no such text has no place in a table.

Source: Steele and White, "How to print floating-point numbers accurately" (1990).
"""

from __future__ import annotations

import re
from datetime import date, datetime, time  # noqa: TC003 - the examples run them
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

MAX_EXPONENT: Final = 400
CONTROL_SIGNS: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")
"""Signs that do not print; a cell of a sheet may hold line ends."""
_CONTROL_PATTERN: Final = r"[\x00-\x08\x0b\x0c\x0e-\x1f]"


def number_text(text: str) -> str | None:
    """Write a number without an exponent; None when it is none, or beyond all measure.

    >>> number_text("1.50"), number_text("1E+3"), number_text("3.0e-2"), number_text("nan")
    ('1.50', '1000', '0.030', None)
    """
    if not text.isascii():
        return None
    if "e" not in text and "E" not in text:
        return text if text.lstrip("-")[:1].isdigit() else None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    if not number.is_finite() or abs(number.adjusted()) > MAX_EXPONENT:
        return None
    return format(number, "f")


def float_text(value: float) -> str | None:
    """Write a number by its shortest decimal text; None when it is not finite.

    >>> float_text(27.2), float_text(3.0), float_text(1e22), float_text(float("inf"))
    ('27.2', '3', '10000000000000000000000', None)
    """
    text = number_text(repr(value))
    return text if text is None else text.removesuffix(".0")


def moment_text(value: datetime) -> str:
    """Write a moment; a fraction of a second only where there is one.

    >>> moment_text(datetime(2026, 3, 1, 8, 30))
    '2026-03-01 08:30:00'
    """
    return value.isoformat(sep=" ")


def day_text(value: date | time) -> str:
    """Write a day, or a time of day.

    >>> day_text(date(2026, 3, 1)), day_text(time(8, 30))
    ('2026-03-01', '08:30:00')
    """
    return value.isoformat()


def refusal_of_type(kind: pa.DataType) -> str | None:
    """Say why a column of this type cannot be texts; None when it can."""
    if pa.types.is_dictionary(kind):
        return refusal_of_type(kind.value_type)
    known = (
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_date(kind)
        or pa.types.is_timestamp(kind)
        or pa.types.is_time(kind)
        or pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_null(kind)
    )
    return None if known else f"cells of type {kind}, which are no texts, numbers or days"


def texts_of(cells: pa.Array) -> pa.Array:
    """Write the cells of an Arrow array as texts.

    Args:
        cells: Values of a type that ``refusal_of_type`` accepts, shape (n,).

    Returns:
        Texts, shape (n,), type string; null also where a number is not finite.
    """
    kind = cells.type
    if pa.types.is_dictionary(kind):
        return texts_of(cells.dictionary_decode())
    if pa.types.is_floating(kind):
        return _float_texts(cells)
    if pa.types.is_decimal(kind):
        return pa.array(
            [None if cell is None else number_text(str(cell)) for cell in cells.to_pylist()],
            pa.string(),
        )
    texts = pc.cast(cells, pa.string())
    if pa.types.is_timestamp(kind):
        texts = pc.replace_substring_regex(texts, r"\.0+(Z|[+-]|$)", r"\1")
        texts = pc.replace_substring_regex(texts, r"([+-]\d{2})(\d{2})$", r"\1:\2")
    if pa.types.is_time(kind):
        texts = pc.replace_substring_regex(texts, r"\.0+$", "")
    return texts


def with_control_signs(texts: pa.Array) -> npt.NDArray[np.bool_]:
    """Find texts with signs that do not print, shape (n,)."""
    found = pc.fill_null(pc.match_substring_regex(texts, _CONTROL_PATTERN), fill_value=False)
    return found.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def _float_texts(cells: pa.Array) -> pa.Array:
    if pa.types.is_float16(cells.type):
        cells = pc.cast(cells, pa.float32())
    finite = pc.if_else(pc.is_finite(cells), cells, pa.scalar(None, cells.type))
    texts = pc.cast(finite, pa.string())
    has_exponent = pc.fill_null(pc.match_substring(texts, "e"), fill_value=False)
    if not pc.any(has_exponent).as_py():
        return texts
    return pa.array([text and number_text(text) for text in texts.to_pylist()], pa.string())
