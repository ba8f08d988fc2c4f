"""Unambiguous byte strings to sign and to hash, and bounded parsing of what comes from outside.

Rules: every part of a signed string is preceded by its length, so that no two different lists
of parts give the same bytes; sizes are checked before anything is parsed; received bytes are
verified, never a re-serialisation.
"""

from __future__ import annotations

from typing import TypeVar

from google.protobuf.message import DecodeError, Message

_PREFIX = b"DSSEv1"


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
