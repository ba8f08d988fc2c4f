"""Ids of credit subjects (信用主体编码): what each kind of subject is known by.

Rules:
- Institutions and staff go by their national codes, organisations by their unified
  social credit code.
- An insured person goes by a pseudonym (化名), ``R`` and 32 hexadecimal digits. What
  could be a person's number in clear is no pseudonym, wherever it hides.
- A predicate answers for any text and raises nothing.

Source:
    National coding standards of medical insurance (医保信息业务编码) for institutions and
    staff; GB 32100 for organisations; GB 11643 for identity numbers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from scoring_kernel.check_digits import is_valid_id_card, is_valid_uscc

if TYPE_CHECKING:
    from collections.abc import Mapping

INSTITUTION: Final = "institution"
STAFF: Final = "staff"
PERSON: Final = "person"
ORGANISATION: Final = "organisation"
SUBJECT_TYPES: Final = (INSTITUTION, STAFF, PERSON, ORGANISATION)
"""Field types that can name an item's subject."""

CODE_FORMS: Final[Mapping[str, tuple[re.Pattern[str], str]]] = {
    INSTITUTION: (re.compile(r"[HP][0-9]{11}"), "Give H or P and eleven digits."),
    STAFF: (
        re.compile(r"(?:D|N|HY|PY|Y|HJ)[0-9]{12}"),
        "Give D (physician), N (nurse), HY, PY, Y (pharmacist), HJ (technician); twelve digits.",
    ),
}
"""Form of a national code, and how to mend one that is wrong."""

_PSEUDONYM: Final = re.compile(r"R[0-9a-f]{32}")
_ID_WIDTH: Final = 18
_ID_NUMBER: Final = re.compile(r"[0-9]{17}[0-9Xx]")
_PLAUSIBLE_YEARS: Final = ("18", "19", "20")
_PHONE: Final = re.compile(r"(?:86)?1[3-9][0-9]{9}|(?:86)?0[0-9]{9,11}")
_PERSON_NUMBER: Final = re.compile(r"[0-9]{10,30}")
_SEPARATORS: Final = re.compile(r"[^0-9A-Za-z]+")


def is_subject_id(kind: str, text: str) -> bool:
    """Tell whether a text is an id of a kind of subject.

    Args:
        kind: One of ``SUBJECT_TYPES``.
        text: Any text.

    >>> is_subject_id("staff", "HY330302000001"), is_subject_id("staff", "H33030200001")
    (True, False)
    """
    if kind in CODE_FORMS:
        return CODE_FORMS[kind][0].fullmatch(text) is not None
    return is_pseudonym(text) if kind == PERSON else is_valid_uscc(text)


def is_pseudonym(text: str) -> bool:
    """Tell whether a text is a pseudonym and hides no number of a person.

    >>> is_pseudonym("R0123456789abcdef0123456789abcdef")
    True
    >>> is_pseudonym("R330302199001011234" + 14 * "0"), is_pseudonym("330302199001011234")
    (False, False)
    """
    return _PSEUDONYM.fullmatch(text) is not None and not _hides_a_number(text[1:])


def personal_number(text: str) -> str | None:
    """Name what kind of a person's number a text looks like.

    Args:
        text: Any text; signs between digits do not hide a number.

    Returns:
        ``id_number``, ``phone_number`` or ``person_number``; None for anything else.

    >>> personal_number("990001 19580312 1016"), personal_number("138-0000-0000")
    ('id_number', 'phone_number')
    >>> personal_number("42020000000000100077041214"), personal_number("R12")
    ('person_number', None)
    """
    bare = _SEPARATORS.sub("", text)
    if _PSEUDONYM.fullmatch(bare) and _hides_a_number(bare[1:]):
        return "id_number"
    for rule, pattern in (
        ("id_number", _ID_NUMBER),
        ("phone_number", _PHONE),
        ("person_number", _PERSON_NUMBER),
    ):
        if pattern.fullmatch(bare):
            return rule
    return None


def holds_id_card(text: str) -> bool:
    """Tell whether a text holds an identity number with its check digit.

    >>> holds_id_card("99000119580312101-6"), holds_id_card("2026-990001195803121017")
    (True, False)
    """
    bare = _SEPARATORS.sub("", text).upper()
    windows = (bare[at : at + _ID_WIDTH] for at in range(len(bare) - _ID_WIDTH + 1))
    return any(window[6:8] in _PLAUSIBLE_YEARS and is_valid_id_card(window) for window in windows)


def _hides_a_number(digits: str) -> bool:
    """Tell whether 32 hexadecimal digits are, or hold, a number of a person.

    A keyed hash gives 32 decimal digits, or an identity number with its check digit and a
    year of birth, less than once in a million times.
    """
    return digits.isdecimal() or holds_id_card(digits)
