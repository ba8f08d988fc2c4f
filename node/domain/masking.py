"""Masking of values from outside before they are shown, logged or put into a fault.

A fault names the record by its id. Of a value that is personal, or could be
one in a wrong field, it shows only as much as tells a typing error from a wrong
field: the length and, of long numbers, the two digits of the province.
"""

import re
from typing import Final

from scoring_kernel.showing import may_be_shown

__all__ = ["MAX_SHOWN", "mask", "printable", "shorten", "show", "show_msgid"]

MAX_SHOWN: Final = 60
_LONG_NUMBER: Final = 15
# Moments of this century only: no division starts with 20, so no identity card number fits.
_OWN_MSGID: Final = re.compile(
    r"[HP][0-9]{11}20[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
    r"(?:[01][0-9]|2[0-3])[0-5][0-9][0-5][0-9][0-9]{4}"
)


def show(value: object, *, personal: bool = False) -> str:
    """Show a value from outside as far as it may be shown.

    Args:
        value: The value as decoded.
        personal: True when its field is personal: then it is always masked.

    Returns:
        The value; masked where it is personal, or does not look harmless whatever its
        field; of objects and lists only what they are.

    >>> show(-3), show(None), show({"psn_name": "x"})
    ('-3', 'nothing', 'an object')
    >>> show("990001195803121016")
    '99**************** (18 characters)'
    >>> show("H33030200001202603180950390001")
    'H33030200001202603180950390001'
    """
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    text = str(value)
    if not personal and (may_be_shown(text) or _OWN_MSGID.fullmatch(text)):
        return text
    return mask(text)


def show_msgid(msgid: str) -> str:
    """Show a message id; masked unless it is made as the interface says.

    >>> show_msgid("H33030200001990001195803121016")
    '****************************** (30 characters)'
    """
    return msgid if not msgid or _OWN_MSGID.fullmatch(msgid) else mask(msgid)


def printable(text: str) -> str:
    r"""Put a question mark in place of every sign that a terminal would obey.

    >>> printable("a\x1b[2Jb\n")
    'a?[2Jb?'
    """
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else "?" for sign in text)


def mask(value: object) -> str:
    """Hide a personal value but for its length and the two digits of the province.

    >>> mask("990001195803121016")
    '99**************** (18 characters)'
    >>> mask("张三")
    '** (2 characters)'
    >>> mask(None)
    'nothing'
    """
    if value is None:
        return "nothing"
    text = str(value)
    digits = len(text) >= _LONG_NUMBER and text.isascii() and text[:2].isdigit()
    shown = text[:2] if digits else ""
    stars = "*" * min(len(text) - len(shown), MAX_SHOWN)
    return f"{shown}{stars} ({len(text)} characters)"


def shorten(value: object) -> str:
    """Show words of our own, bounded and on one line; never a value from outside.

    >>> shorten(-3)
    '-3'
    >>> shorten(None)
    'nothing'
    >>> len(shorten("x" * 1000))
    61
    """
    if value is None:
        return "nothing"
    text = " ".join(str(value)[: MAX_SHOWN * 2].split())
    return printable(text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "…")
