"""Tokens as one line of text: a prefix, parts behind their lengths, and a check of the whole.

Rules: the line is bounded before it is decoded; every changed or missing character is noticed;
what is not exactly a list of parts is damaged.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from typing import TYPE_CHECKING, Final

from security.errors import TokenError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

__all__ = ["MAX_TOKEN_CHARS", "is_address", "read_line", "write_line"]

MAX_TOKEN_CHARS: Final = 16 * 1024
_CHECK_BYTES: Final = 4
_LENGTH_BYTES: Final = 2
_ADDRESS: Final = re.compile(r"(?P<host>[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):[0-9]{1,5}")
_DAMAGED: Final = "The {noun} is damaged; copy the whole line again, without spaces"


def is_address(text: str) -> bool:
    """Whether a text is host:port, as tokens name servers.

    >>> is_address("node.example:9444"), is_address("[::1]:0"), is_address("node.example")
    (True, False, False)
    """
    return _ADDRESS.fullmatch(text) is not None and 0 < int(text.rpartition(":")[2]) < 2**16


def write_line(prefix: str, parts: Sequence[bytes], noun: str) -> str:
    """The parts as one line.

    Raises:
        TokenError: They are too long for a token.

    >>> read_line("t1.", write_line("t1.", [b"ab", b""], "token"), {2}, "token")
    [b'ab', b'']
    """
    body = b"".join(len(part).to_bytes(_LENGTH_BYTES) + part for part in parts)
    text = prefix + base64.urlsafe_b64encode(body + _check(body)).decode().rstrip("=")
    if len(text) > MAX_TOKEN_CHARS:
        raise TokenError(f"The {noun} has {len(text)} characters; use a shorter TLS root")
    return text


def read_line(prefix: str, line: str, counts: Collection[int], noun: str) -> list[bytes] | None:
    """The parts of a line; None when it is no token of this prefix.

    Args:
        prefix: How such tokens begin.
        line: The line, without spaces around it.
        counts: How many parts there may be.
        noun: What to call the token.

    Raises:
        TokenError: The line is damaged.
    """
    if len(line) > MAX_TOKEN_CHARS or not line.startswith(prefix):
        return None
    parts = _split(_decode(line.removeprefix(prefix), noun), max(counts))
    if parts is None or len(parts) not in counts:
        raise TokenError(_DAMAGED.format(noun=noun))
    return parts


def _check(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()[:_CHECK_BYTES]


def _decode(text: str, noun: str) -> bytes:
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise TokenError(_DAMAGED.format(noun=noun)) from error
    body, check = data[:-_CHECK_BYTES], data[-_CHECK_BYTES:]
    if not hmac.compare_digest(check, _check(body)):
        raise TokenError(_DAMAGED.format(noun=noun))
    return body


def _split(body: bytes, most: int) -> list[bytes] | None:
    fields: list[bytes] = []
    at = 0
    while at < len(body) and len(fields) < most:
        begin = at + _LENGTH_BYTES
        at = begin + int.from_bytes(body[at:begin])
        fields.append(body[begin:at])
    return fields if at == len(body) else None
