"""Length-delimited messages: how a bundle's files hold many of one kind.

Rules: before every message its length, as a base-128 varint; the length is bounded before the
message is read; a file that ends inside a message is truncated. Source: protobuf's delimited
format (``writeDelimitedTo``).
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Final

from security.errors import AuditInputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_MAX_VARINT_BYTES: Final = 4
_AHEAD_BYTES: Final = 256 * 1024


def write_frames(file: IO[bytes], messages: Iterable[bytes]) -> int:
    """Write messages, each after its length.

    Returns:
        Number of messages.
    """
    count = 0
    for message in messages:
        file.write(_varint(len(message)) + message)
        count += 1
    return count


def read_frames(file: IO[bytes], name: str, *, max_bytes: int, max_count: int) -> Iterator[bytes]:
    """Read messages, one at a time.

    Args:
        file: Where from.
        name: Name for messages of errors.
        max_bytes: Largest accepted message, bytes.
        max_count: Most messages accepted.

    Yields:
        The messages, in order.

    Raises:
        AuditInputError: The file is truncated, or a bound is broken.
    """
    # A zip file is slow at reading single bytes, and lengths are single bytes: read ahead.
    data, at, number = b"", 0, 0
    while True:
        if len(data) - at < _MAX_VARINT_BYTES:
            data, at = data[at:] + file.read(_AHEAD_BYTES), 0
        if at == len(data):
            return
        length, begin = _read_length(data, at, name)
        if number == max_count:
            raise AuditInputError(f"{name}: more than the {max_count} messages announced")
        if length > max_bytes:
            raise AuditInputError(f"{name}: message {number} has {length} bytes, over {max_bytes}")
        at = begin + length
        if at > len(data):
            data, at = data[begin:] + file.read(max(length, _AHEAD_BYTES)), length
            begin = 0
            if at > len(data):
                raise AuditInputError(f"{name}: truncated inside message {number}")
        yield data[begin:at]
        number += 1


def _read_length(data: bytes, at: int, name: str) -> tuple[int, int]:
    """The length that begins at a place, and the place after it."""
    length = 0
    for shift, byte in enumerate(data[at : at + _MAX_VARINT_BYTES]):
        length |= (byte & 0x7F) << 7 * shift
        if byte < 0x80:
            return length, at + shift + 1
    raise AuditInputError(f"{name}: truncated or damaged before a message")


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
