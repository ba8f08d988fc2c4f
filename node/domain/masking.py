"""Masking of personal values before they are shown, logged or put into a fault.

A fault names the record by its id. Of a personal value it shows only as much
as tells a typing error from a wrong field: the length and, of long numbers,
the two digits of the province.
"""

from typing import Final

__all__ = ["MAX_SHOWN", "mask", "shorten"]

MAX_SHOWN: Final = 60


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
    shown = text[:2] if len(text) >= 15 and text[:2].isdigit() else ""
    stars = "*" * min(len(text) - len(shown), MAX_SHOWN)
    return f"{shown}{stars} ({len(text)} characters)"


def shorten(value: object) -> str:
    """Show a value that is not personal, bounded and on one line.

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
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "…"
