"""Bytes of a message as UTF-8: as they came, or decoded from GB18030.

Rules:
- What is UTF-8 is read as UTF-8, whatever the rest of its file is.
- Anything else is read as GB18030, as older systems export, if all of it is that.
- Text in UTF-8 with a few broken bytes often passes as GB18030 and would give wrong
  names, so bytes in which whole Chinese characters of UTF-8 outweigh the broken ones
  are refused.

Source:
    GB 18030; RFC 3629.
"""

import re
from typing import Final

__all__ = ["as_utf8"]

_BROKEN: Final = "\N{REPLACEMENT CHARACTER}"
_THREE_BYTES: Final = re.compile("[\u0800-\ufffc]")
"""Characters of three bytes of UTF-8; GB18030 hardly ever looks so."""


def as_utf8(raw: bytes) -> bytes | None:
    """Give a text's bytes in UTF-8.

    Returns:
        The bytes; None where they are neither UTF-8 nor GB18030.

    >>> as_utf8("医保".encode("gb18030")).decode()
    '医保'
    >>> as_utf8("医保".encode()[:-1]) is None
    True
    """
    try:
        raw.decode()
    except UnicodeDecodeError:
        pass
    else:
        return raw
    guessed = raw.decode(errors="replace")
    whole = len(guessed) - len(_THREE_BYTES.sub("", guessed))
    if whole and whole >= guessed.count(_BROKEN):
        return None
    try:
        return raw.decode("gb18030").encode()
    except UnicodeError:
        return None
