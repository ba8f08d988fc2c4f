"""The hash chain of an operator log (操作日志链): a node's and a hub's have the same.

Rule: an entry's hash covers the hash before it and every column that says something, each with
its length in front; so no entry can be changed, removed or put elsewhere without the last hash
becoming another one.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from security.encoding import pae, split_pae
from security.errors import LogCorruptError

__all__ = [
    "NO_ENTRY",
    "ChainedEntry",
    "entry_bytes",
    "entry_hash",
    "parse_entry",
    "verify_chain",
]

NO_ENTRY: Final = bytes(32)
"""In the place of the hash before the first entry."""
_TYPE: Final = "yixin/operator-entry/v1"
_HASH_BYTES: Final = 32
_MAX_NUMBER_DIGITS: Final = 18
_MAX_PARTS: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainedEntry:
    """An entry as its log stored it."""

    number: int
    """Place in the log, from 1."""
    parts: Sequence[bytes]
    """Columns that the hash covers, in order."""
    previous: bytes
    """Hash of the entry before, 32 bytes."""
    hash: bytes
    """Its own hash, 32 bytes."""


def entry_hash(previous: bytes, number: int, parts: Sequence[bytes]) -> bytes:
    """Hash of an entry.

    Args:
        previous: Hash of the entry before, 32 bytes.
        number: Place in the log, from 1.
        parts: Columns that the hash covers, in order.

    Returns:
        SHA-256, 32 bytes.
    """
    return hashlib.sha256(entry_bytes(previous, number, parts)).digest()


def entry_bytes(previous: bytes, number: int, parts: Sequence[bytes]) -> bytes:
    """What the hash of an entry covers: whoever holds it can tell what the entry said.

    Args:
        previous: Hash of the entry before, 32 bytes.
        number: Place in the log, from 1.
        parts: Columns that the hash covers, in order.
    """
    return pae(_TYPE, previous, str(number).encode(), *parts)


def parse_entry(data: bytes) -> ChainedEntry:
    """Read what `entry_bytes` wrote; nothing else is read as an entry.

    Args:
        data: What the hash of an entry covers.

    Raises:
        ValueError: It is no entry.
    """
    parts = split_pae(_TYPE, data, _MAX_PARTS)
    if parts is None or len(parts) < 2:
        raise ValueError("no entry of an operator log")
    previous, digits, *rest = parts
    is_number = digits.isdigit() and len(digits) <= _MAX_NUMBER_DIGITS
    if len(previous) != _HASH_BYTES or not is_number:
        raise ValueError("an entry of an operator log without a number, or the hash before it")
    return ChainedEntry(
        number=int(digits), parts=rest, previous=previous, hash=hashlib.sha256(data).digest()
    )


def verify_chain(entries: Iterable[ChainedEntry]) -> tuple[int, bytes]:
    """Follow a log from its first entry.

    Args:
        entries: All entries, in order.

    Returns:
        How many there are, and the hash of the last one.

    Raises:
        LogCorruptError: An entry was changed, removed, added or moved; its number is named.
    """
    size, head = 0, NO_ENTRY
    for entry in entries:
        if entry.number != size + 1:
            raise LogCorruptError(
                f"the operator log has entry {entry.number} after entry {size}, expected "
                f"{size + 1}: an entry was removed or added. Keep the database as evidence"
            )
        if entry.previous != head or entry_hash(head, entry.number, entry.parts) != entry.hash:
            raise LogCorruptError(
                f"entry {entry.number} of the operator log does not fit the chain: it, or one "
                "before it, was changed. Keep the database as evidence"
            )
        size, head = entry.number, entry.hash
    return size, head
