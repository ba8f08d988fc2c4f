"""What of a value from outside may stand in a message.

A personal value also turns up in a field that is not personal: an identity
card number as an amount, a name as a code. So a value is shown by what it looks
like, not by its field alone: short printable ASCII without a run of digits that
could be an identity card or person number.
"""

from __future__ import annotations

import re
from typing import Final

MAX_SHOWN: Final = 32
"""Longest value that is shown, in characters."""

_NUMBER_OF_A_PERSON: Final = re.compile(r"[0-9]{15,}|[0-9]{14,}[Xx]")
_SEPARATORS: Final = re.compile(r"[^0-9A-Za-z]+")


def may_be_shown(text: str) -> bool:
    r"""Tell whether a value of a field that is not personal may be shown.

    Signs between digits do not hide a number: blanks, points and hyphens are
    left out before digits are counted.

    >>> may_be_shown("2026-02-30 09:50:39")
    True
    >>> may_be_shown("990001 19580312 1016"), may_be_shown("99000119580312X")
    (False, False)
    >>> may_be_shown("\u5f20"), may_be_shown("A\x1b[2J")
    (False, False)
    """
    if len(text) > MAX_SHOWN or not text.isascii() or not text.isprintable():
        return False
    return _NUMBER_OF_A_PERSON.search(_SEPARATORS.sub("", text)) is None
