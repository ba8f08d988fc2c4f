"""Unambiguous byte strings to sign and to hash, and bounded parsing of what comes from outside.

Rules: every part of a signed string is preceded by its length, so that no two different lists
of parts give the same bytes; sizes are checked before anything is parsed; received bytes are
verified, never a re-serialisation.
"""

from __future__ import annotations

import re
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

_PREFIX = b"DSSEv1"
_LENGTH = re.compile(rb" (0|[1-9][0-9]{0,8}) ")


MessageT = TypeVar("MessageT", bound=Message)


def pae(payload_type: str, *parts: bytes) -> bytes:
    """Pre-authentication encoding: the bytes that signatures and hashes cover.

    Args:
        payload_type: What is signed, for example ``yixin/envelope/v1``; separates uses of a key.
        parts: The signed parts, in order.

    Returns:
        ``DSSEv1``, then for the type and every part: a space, its length in decimal, a space,
        its bytes.

    Source:
        DSSE v1 (secure-systems-lab/dsse, protocol.md), extended from one body to several parts.

    >>> pae("t", b"ab", b"")
    b'DSSEv1 1 t 2 ab 0 '
    """
    pieces = [_PREFIX]
    for part in (payload_type.encode(), *parts):
        pieces.append(b" %d " % len(part))
        pieces.append(part)
    return b"".join(pieces)


def split_pae(payload_type: str, data: bytes, max_parts: int) -> list[bytes] | None:
    """The parts that `pae` put together; None for whatever it did not write.

    Args:
        payload_type: The type that is expected.
        data: The bytes.
        max_parts: Most parts that are read.

    >>> split_pae("t", pae("t", b"ab", b""), 8), split_pae("t", pae("u"), 8)
    ([b'ab', b''], None)
    """
    parts: list[bytes] = []
    at = len(_PREFIX)
    while at < len(data) and len(parts) <= max_parts:
        found = _LENGTH.match(data, at)
        if found is None:
            return None
        at = found.end() + int(found[1])
        parts.append(data[found.end() : at])
    is_whole = bool(parts) and parts[0] == payload_type.encode()
    return parts[1:] if is_whole and pae(payload_type, *parts[1:]) == data else None


def parse_exactly(message_type: type[MessageT], data: bytes, max_bytes: int) -> MessageT:
    """Parse a serialised message whose size is bounded and whose fields are all known.

    Args:
        message_type: Generated message class.
        data: Serialised message.
        max_bytes: Largest accepted size, bytes.

    Returns:
        The message.

    Raises:
        ValueError: The data is too long, is not such a message, or carries unknown fields, in
            which content could be smuggled past every check.
    """
    if len(data) > max_bytes:
        raise ValueError(f"{len(data)} bytes, at most {max_bytes} are read")
    message = message_type()
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        raise ValueError(f"not a serialised {message_type.DESCRIPTOR.name}") from error
    size = message.ByteSize()
    message.DiscardUnknownFields()  # Of the messages within, too.
    if message.ByteSize() != size:
        raise ValueError(f"unknown fields in {message_type.DESCRIPTOR.name}")
    return message
