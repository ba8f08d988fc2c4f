"""Check digits of identity card numbers and unified social credit codes.

Rules:
- A predicate answers for any text and raises nothing.
- A number with a right check digit is well formed, not thereby issued.
"""

from __future__ import annotations

import re
from datetime import date
from operator import mul
from typing import Final

_ID_CARD: Final = re.compile(r"[1-9][0-9]{16}[0-9X]")
_ID_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_ZEROS: Final = ord("0") * sum(_ID_WEIGHTS)
"""What the weighted signs of seventeen digits are more than the weighted digits."""
_ID_CHECKS: Final = "10X98765432"

_USCC_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC: Final = re.compile(rf"[{_USCC_ALPHABET}]{{2}}[0-9]{{6}}[{_USCC_ALPHABET}]{{10}}")
_USCC_VALUES: Final = {sign: value for value, sign in enumerate(_USCC_ALPHABET)}


def is_valid_id_card(text: str) -> bool:
    """Tell whether a text is a citizen's identity number (公民身份号码) of 18 signs.

    Args:
        text: Any text; the check digit X is a capital.

    Returns:
        True when form, day of birth and check digit are right.

    Source:
        GB 11643-1999; check digit by ISO 7064, MOD 11-2.

    >>> is_valid_id_card("990001195803121016"), is_valid_id_card("990001195803121017")
    (True, False)
    """
    if not _ID_CARD.fullmatch(text):
        return False
    try:
        date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError:
        return False
    total = sum(map(mul, text.encode(), _ID_WEIGHTS)) - _ID_ZEROS
    return _ID_CHECKS[total % 11] == text[17]


def is_valid_uscc(text: str) -> bool:
    """Tell whether a text is a unified social credit code (统一社会信用代码).

    Args:
        text: Any text; letters are capitals.

    Returns:
        True when form and check sign are right.

    Source:
        GB 32100-2015; weights 3^i mod 31, check sign (31 - sum mod 31) mod 31.

    >>> is_valid_uscc("91350100M000100Y43"), is_valid_uscc("91350100M000100Y44")
    (True, False)
    """
    if not _USCC.fullmatch(text):
        return False
    total = sum(_USCC_VALUES[sign] * pow(3, place, 31) for place, sign in enumerate(text[:17]))
    return _USCC_ALPHABET[-total % 31] == text[17]
