"""Checks of whole columns: fast when all is well, row by row only where something is not.

Every column function returns values that a record can be built from; where it
adds a fault, the faulty row's value stands in as missing and its message is
left out before any record is built.
"""

import re
from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal
from types import NoneType
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from node.domain.faults import Fault, Rule
from node.intake.field_rules import MAX_SCALED, FieldRule

__all__ = ["FaultBook", "moments", "numbers", "texts"]

_NUMBER_TYPES: Final = frozenset((int, float))
_NUMBER_TYPES_OR_NONE: Final = frozenset((int, float, NoneType))
_DECIMAL: Final = re.compile(r"[+-]?\d{1,17}(\.\d{1,9})?", re.ASCII)
_DAY_LENGTH: Final = 10
_MOMENT_LENGTH: Final = 19
_ISO_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_ISO_MOMENT: Final = re.compile(r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}:\d{2}", re.ASCII)
"""With the letter of ISO 8601 too, as many systems write it."""


class FaultBook:
    """The first fault of every message of a batch, by the message's position."""

    def __init__(self) -> None:
        self.faults: dict[int, Fault] = {}

    def add(self, owner: int, fault: Fault) -> None:
        """Note a fault unless the message has one already."""
        self.faults.setdefault(owner, fault)

    def add_value(
        self, owner: int, rule: Rule, field: FieldRule, value: object, expected: str
    ) -> None:
        """Note that a field's value broke a rule."""
        self.add(owner, Fault.of(rule, field.path, value, expected, personal=field.personal))


def texts(
    rule: FieldRule, values: Sequence[Any], owners: Sequence[int], book: FaultBook
) -> Sequence[str | None]:
    """Check a column of texts.

    Args:
        rule: The field.
        values: One value per row, as decoded from JSON; None where the key is absent.
        owners: Position of each row's message in the batch.
        book: Takes the faults.

    Returns:
        Texts; None where missing, empty where blank. Whole numbers sent as numbers become
        their digits.
    """
    try:
        distinct = set(values)
        has_absent = None in distinct
        distinct.discard(None)
        longest = max(map(len, distinct), default=0)
        has_blank = any(map(str.isspace, distinct))
    except TypeError:  # something that is no text
        values = [
            _as_text(rule, value, owner, book) for value, owner in zip(values, owners, strict=True)
        ]
        return texts(rule, values, owners, book)
    if has_blank:
        values = ["" if _is_blank(value) else value for value in values]
        return texts(rule, values, owners, book)
    if rule.needed and (has_absent or "" in distinct):
        faulty: Collection[str | None] = (None, "")
        _note_texts(
            Rule.FIELD_MISSING, rule, values, owners, faulty=faulty, expected="a value", book=book
        )
    if longest > rule.max_length:
        faulty = {value for value in distinct if len(value) > rule.max_length}
        expected = f"at most {rule.max_length} characters"
        _note_texts(
            Rule.FIELD_TOO_LONG, rule, values, owners, faulty=faulty, expected=expected, book=book
        )
    if rule.codes is not None and (unknown := distinct - rule.codes - {""}):
        expected = "a code of its national list"
        _note_texts(
            Rule.CODE_UNKNOWN, rule, values, owners, faulty=unknown, expected=expected, book=book
        )
    return values


def numbers(
    rule: FieldRule, values: Sequence[Any], owners: Sequence[int], book: FaultBook
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Check a column of decimal numbers and count them in units of their last decimal.

    A JSON number is a binary double here; it is accepted when it is the double
    nearest to a number with the allowed decimals, so 35.6 is 3560 fen and 35.605
    is refused. Digits sent as text are read exactly.

    Returns:
        Scaled values, shape (n,), 0 where missing; and which are present, shape (n,).
    """
    factor = 10**rule.scale
    plain, present = _plain_numbers(rule, values, owners, book)
    if rule.needed and not present.all():
        for row in np.flatnonzero(~present).tolist():
            book.add_value(owners[row], Rule.FIELD_MISSING, rule, values[row], "a number")
    with np.errstate(over="ignore"):
        scaled = np.rint(plain * factor)
        bad_range = ~(np.abs(scaled) <= rule.max_scaled)
        bad_scale = ~bad_range & (scaled / factor != plain)
    for row in np.flatnonzero(bad_range).tolist():
        expected = f"at most {rule.max_scaled / factor:.{rule.scale}f}"
        book.add_value(owners[row], Rule.NUMBER_RANGE, rule, values[row], expected)
    for row in np.flatnonzero(bad_scale).tolist():
        expected = f"at most {rule.scale} decimals"
        book.add_value(owners[row], Rule.NUMBER_SCALE, rule, values[row], expected)
    scaled[bad_range] = 0
    if not rule.signed and (scaled < 0).any():
        for row in np.flatnonzero(scaled < 0).tolist():
            book.add_value(owners[row], Rule.NUMBER_NEGATIVE, rule, values[row], "zero or more")
    return scaled.astype(np.int64), present


def _plain_numbers(
    rule: FieldRule, values: Sequence[Any], owners: Sequence[int], book: FaultBook
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Read a column of numbers; returns them, 0 where missing, and which are present."""
    count = len(values)
    types = set(map(type, values))
    if types <= _NUMBER_TYPES:
        return np.fromiter(values, np.float64, count), np.ones(count, np.bool_)
    if types <= _NUMBER_TYPES_OR_NONE:
        present = np.array([value is not None for value in values], np.bool_)
        return np.fromiter((value or 0 for value in values), np.float64, count), present
    plain = np.zeros(count, np.float64)
    present = np.zeros(count, np.bool_)
    for row, (value, owner) in enumerate(zip(values, owners, strict=True)):
        number = _as_number(rule, value, owner, book)
        if number is not None:
            plain[row] = number
            present[row] = True
    return plain, present


def moments(
    rule: FieldRule, values: Sequence[Any], owners: Sequence[int], book: FaultBook
) -> npt.NDArray[np.datetime64]:
    """Check a column of days or moments, wall clock of Asia/Shanghai.

    Returns:
        Moments in seconds, shape (n,); NaT where missing. A day is its midnight.
    """
    try:
        written = pa.array(values, pa.string())
        lengths = set(pc.binary_length(written).unique().to_pylist())
        is_plain = lengths <= {_MOMENT_LENGTH, _DAY_LENGTH, None}
        parsed = written.cast(pa.timestamp("s")) if is_plain else None
    except (pa.ArrowInvalid, pa.ArrowTypeError):  # no text, or no moment
        parsed = None
    if parsed is None:
        parsed = _each_moment(rule, [value or None for value in values], owners, book)
    if rule.needed and parsed.null_count:
        for row in np.flatnonzero(parsed.is_null().to_numpy(zero_copy_only=False)).tolist():
            book.add_value(owners[row], Rule.FIELD_MISSING, rule, values[row], "a day or moment")
    found: npt.NDArray[np.datetime64] = parsed.to_numpy(zero_copy_only=False)
    return found.astype("datetime64[s]")


def _is_blank(value: object) -> bool:
    """Tell a text of nothing but white space; the empty one is not meant."""
    return isinstance(value, str) and value.isspace()


def _note_texts(
    rule: Rule,
    field: FieldRule,
    values: Sequence[Any],
    owners: Sequence[int],
    *,
    faulty: Collection[str | None],
    expected: str,
    book: FaultBook,
) -> None:
    for value, owner in zip(values, owners, strict=True):
        if value in faulty:
            book.add_value(owner, rule, field, value, expected)


def _as_text(rule: FieldRule, value: object, owner: int, book: FaultBook) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    book.add_value(owner, Rule.FIELD_TYPE, rule, value, "a text")
    return None


def _as_number(rule: FieldRule, value: object, owner: int, book: FaultBook) -> float | None:
    """Read one number; a text goes through Decimal, so nothing is rounded unseen."""
    if value is None or value == "" or _is_blank(value):
        return None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str) and _DECIMAL.fullmatch(value.strip()):
        exact = Decimal(value.strip())
        scaled = exact.scaleb(rule.scale)
        if abs(scaled) > MAX_SCALED:
            return float("inf")
        if scaled != scaled.to_integral_value():
            book.add_value(owner, Rule.NUMBER_SCALE, rule, value, f"at most {rule.scale} decimals")
            return None
        return float(exact)
    book.add_value(owner, Rule.FIELD_TYPE, rule, value, "a number")
    return None


def _each_moment(
    rule: FieldRule, values: Sequence[Any], owners: Sequence[int], book: FaultBook
) -> pa.Array:
    parsed: list[datetime | None] = []
    for value, owner in zip(values, owners, strict=True):
        moment = None
        if value is not None and not _is_blank(value):
            moment = _as_moment(value)
            if moment is None:
                expected = "yyyy-MM-dd or yyyy-MM-dd HH:mm:ss"
                book.add_value(owner, Rule.DATE_INVALID, rule, value, expected)
        parsed.append(moment)
    return pa.array(parsed, pa.timestamp("s"))


def _as_moment(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    text = value.strip()
    if not (_ISO_DAY.fullmatch(text) or _ISO_MOMENT.fullmatch(text)):
        return None
    try:
        return datetime.fromisoformat(text)  # wall clock of Asia/Shanghai, without a zone
    except ValueError:
        return None
