"""Read one row of an information item: text in, checked values out, or one fault.

Rules:
- A row is taken as a whole or refused with its first fault, in the order of the
  item's fields: missing, form, check digit, code, range, then rules between fields.
- Amounts are exact: decimals become whole fen, hundredths or ten-thousandths; what
  has more places is refused, never rounded.
- A number that is negative, infinite or none at all (NaN) is a fault of its own name.
- A person stands under a pseudonym; what looks like a person's number is refused.
- A fault shows the value found where its field is not personal and ``may_be_shown``
  allows it; else its length alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Final

from scoring_kernel.document_numbers import DOCUMENT, MENDS, document_fault
from scoring_kernel.errors import ItemRowError, PeriodError
from scoring_kernel.information import SUFFIXES, InformationItem, ItemField
from scoring_kernel.periods import Period
from scoring_kernel.showing import may_be_shown
from scoring_kernel.subject_ids import (
    CODE_FORMS,
    ORGANISATION,
    PERSON,
    holds_id_card,
    is_pseudonym,
    is_subject_id,
    personal_number,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ItemValue = int | str | date | None
"""A parsed value: number, text, day, or None where an optional field is empty."""

FIRST_DAY: Final = date(1990, 1, 1)
LAST_DAY: Final = date(2199, 12, 31)
"""Days outside these are typing errors."""

_PLACES: Final = {"yuan": 2, "score": 2, "ratio4": 4}
_COUNT: Final = re.compile(r"(?:0|[1-9][0-9]{0,15})")
_DECIMAL: Final = re.compile(r"(0|[1-9][0-9]{0,13})(?:\.([0-9]{1,9}))?")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NEGATIVE: Final = re.compile(r"[-\u2212\uff0d][0-9.]+")
_NOT_FINITE: Final = re.compile(r"[+-]?(?:nan|inf(?:inity)?|#num!|#div/0!|∞)", re.IGNORECASE)
_FORMS: Final = {
    **CODE_FORMS,
    "division": (re.compile(r"[1-9][0-9]{5}"), "Give the six digits of GB/T 2260."),
    "phone": (re.compile(r"\+?[0-9][0-9 ()-]{4,28}[0-9]"), "Give digits, blanks and hyphens only."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedRow:
    """One checked row."""

    key: tuple[str, ...]
    """Values of the item's primary key, as text."""
    subject: str
    """Value of the item's subject field."""
    period: str | None
    """Period of a row item; None for the other kinds."""
    event_day: date | None
    """Day of an event; None for the other kinds."""
    values: Mapping[str, ItemValue] = field(repr=False)
    """Every column of the item, in the order of its fields."""


def parse_row(item: InformationItem, row: Mapping[str, str]) -> ParsedRow:
    """Check one row against its information item.

    Args:
        item: The item.
        row: Text by field name; exactly the item's fields, blanks around are ignored.

    Returns:
        The values, under the columns' names and in their units.

    Raises:
        ItemRowError: The first fault of the row.
    """
    header = item.header
    if unknown := [name for name in row if name not in header]:
        # A file without its header has values here: the name is shown as a value would be.
        name = unknown[0] if may_be_shown(unknown[0]) else "unknown"
        mend = f"Use these fields only: {', '.join(header)}."
        raise ItemRowError(name, "unknown_field", _shown(unknown[0]), mend)
    values = {one.column: _parse_value(one, row.get(one.name, "").strip()) for one in item.fields}
    for smaller, greater in item.at_most.items():
        _refuse_more(smaller, values[smaller], greater, values[greater])
    period = values.get("period")
    event_day = values.get("event_day")
    return ParsedRow(
        key=tuple(str(values[column]) for column in item.primary_key),
        subject=str(values[item.subject_field]),
        period=period if isinstance(period, str) else None,
        event_day=event_day if isinstance(event_day, date) else None,
        values=values,
    )


def masked(one: ItemField, text: str) -> str:
    """Show a found value in a message, unless it is personal or could be.

    Args:
        one: The field it was found in.
        text: The value as found.

    Returns:
        The quoted value, or its length alone.
    """
    if one.personal or one.type in (PERSON, DOCUMENT):
        return f"{len(text)} characters (personal, not shown)"
    return _shown(text)


def _shown(text: str) -> str:
    return repr(text) if may_be_shown(text) else f"{len(text)} characters (not shown)"


def _refuse_more(smaller: str, less: ItemValue, greater: str, more: ItemValue) -> None:
    if (isinstance(less, int) and isinstance(more, int) and less > more) or (
        isinstance(less, date) and isinstance(more, date) and less > more
    ):
        mend = f"{smaller} must not exceed {greater}: correct one of them."
        raise ItemRowError(smaller, "at_most", f"{less}, {greater} is {more}", mend)


def _parse_value(one: ItemField, text: str) -> ItemValue:
    if not text:
        if one.required:
            raise ItemRowError(one.name, "required", "nothing", f"Fill in {one.name}.")
        return None
    return _PARSERS[one.type](one, text)


def _fault(one: ItemField, rule: str, text: str, mend: str) -> ItemRowError:
    return ItemRowError(one.name, rule, masked(one, text), mend)


def _form(one: ItemField, text: str) -> str:
    pattern, mend = _FORMS[one.type]
    if not pattern.fullmatch(text):
        raise _fault(one, "format", text, mend)
    return text


def _period(one: ItemField, text: str) -> str:
    try:
        return Period.parse(text).name
    except PeriodError as error:
        raise _fault(one, "format", text, "Give a half-year such as 2026H1.") from error


def _bounded(one: ItemField, value: int, text: str) -> int:
    if value > one.most:
        raise _fault(one, "range", text, f"At most {one.most} {one.unit}.")
    if value < one.least:
        raise _fault(one, "range", text, f"At least {one.least} {one.unit}.")
    return value


def _refuse_impossible(one: ItemField, text: str) -> None:
    if _NOT_FINITE.fullmatch(text):
        mend = "Give a finite number, or leave an optional field empty: unknown is not zero."
        raise _fault(one, "not_finite", text, mend)
    if _NEGATIVE.fullmatch(text):
        raise _fault(one, "negative", text, "Give a number that is not negative.")


def _count(one: ItemField, text: str) -> int:
    _refuse_impossible(one, text)
    if not _COUNT.fullmatch(text):
        raise _fault(one, "format", text, "Give a whole number, not negative, digits only.")
    return _bounded(one, int(text), text)


def _flag(one: ItemField, text: str) -> int:
    if text not in ("0", "1"):
        raise _fault(one, "format", text, "Give 1 for yes or 0 for no.")
    return int(text)


def _decimal(one: ItemField, text: str) -> int:
    places = _PLACES[one.type]
    _refuse_impossible(one, text)
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise _fault(one, "format", text, "Give a decimal, not negative, digits and one point.")
    fraction = (match[2] or "").rstrip("0")
    if len(fraction) > places:
        raise _fault(one, "places", text, f"Give at most {places} decimal places.")
    return _bounded(one, int(match[1] + fraction.ljust(places, "0")), text)


def _date(one: ItemField, text: str) -> date:
    mend = "Give a day of the calendar such as 2026-03-31."
    if not _DAY.fullmatch(text):
        raise _fault(one, "format", text, mend)
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise _fault(one, "format", text, mend) from error
    if not FIRST_DAY <= day <= LAST_DAY:
        raise _fault(one, "range", text, f"Give a day from {FIRST_DAY} to {LAST_DAY}.")
    return day


def _code(one: ItemField, text: str) -> str:
    if text not in one.codes:
        raise _fault(one, "code_list", text, f"Give one of {', '.join(one.codes)}.")
    return text


def _uscc(one: ItemField, text: str) -> str:
    if not is_subject_id(ORGANISATION, text):
        raise _fault(one, "check_digit", text, "Copy all 18 signs from the registration.")
    return text


def _person(one: ItemField, text: str) -> str:
    if is_pseudonym(text):
        return text
    if (rule := personal_number(text)) is not None:
        mend = "A person's number must not leave its keeper: send the pseudonym instead."
        raise _fault(one, rule, text, mend)
    raise _fault(one, "format", text, "Give a pseudonym: R and 32 lower-case hexadecimal digits.")


def _document(one: ItemField, text: str) -> str:
    if (rule := document_fault(text)) is not None:
        raise _fault(one, rule, text, MENDS[rule])
    return text


def _text(one: ItemField, text: str) -> str:
    if len(text) > one.max_chars:
        raise _fault(one, "too_long", text, f"At most {one.max_chars} characters.")
    if not text.isprintable():
        raise _fault(one, "format", text, "Remove control characters.")
    if not one.personal and holds_id_card(text):
        raise _fault(
            one, "id_number", text, "Remove the identity number: give a document's number."
        )
    return text


_PARSERS: Final[Mapping[str, Callable[[ItemField, str], ItemValue]]] = {
    **dict.fromkeys(CODE_FORMS, _form),
    "division": _form,
    "phone": _form,
    "period": _period,
    "count": _count,
    "flag": _flag,
    **dict.fromkeys(SUFFIXES, _decimal),
    "date": _date,
    "code": _code,
    "uscc": _uscc,
    ORGANISATION: _uscc,
    PERSON: _person,
    DOCUMENT: _document,
    "text": _text,
}
