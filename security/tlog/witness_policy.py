"""Witnesses (见证方) as trust files name them.

Rules: a witness signs with a key of its own, since a cosignature does not say whose log it is
about; a witness with a post-quantum half has signed only when both halves fit. A witness is
written as one line of C2SP verifier keys, ``name+hash+key``, the classical half first.

Source: C2SP signed-note (verifier keys), tlog-cosignature (type 0x04); the post-quantum half uses
the type 0xff, which signed-note leaves to identifiers of one's own.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import Final

from security.errors import CosignatureError
from security.keys import VerifyingKey

MAX_LINE_CHARS: Final = 8 * 1024
KEY_HASH_BYTES: Final = 4
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:/_-]{0,127}")
_CLASSICAL: Final = b"\x04"
_POST_QUANTUM: Final = b"\xffyixin/ml-dsa-65-cosignature"


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """Who confirms that a log grows by appending only."""

    name: str
    """Name in its signature lines, for example ``yixin/330000/hub/province/witness``."""
    key: VerifyingKey
    """Key of its cosignatures."""

    def __post_init__(self) -> None:
        """Check the name.

        Raises:
            CosignatureError: It is no name of a witness.
        """
        if not _NAME.fullmatch(self.name):
            raise CosignatureError(f"{self.name[:120]!r} is no name of a witness")

    @property
    def classical_hash(self) -> bytes:
        """Key hash of the lines of the classical half, 4 bytes."""
        return _key_hash(self.name, _CLASSICAL + self.key.public_key)

    @property
    def post_quantum_hash(self) -> bytes:
        """Key hash of the lines of the post-quantum half, 4 bytes."""
        return _key_hash(self.name, _POST_QUANTUM + self.key.pq_public_key)

    def line(self) -> str:
        """The witness as a trust file holds it."""
        parts = [_verifier_key(self.name, _CLASSICAL + self.key.public_key)]
        if self.key.pq_public_key:
            parts.append(_verifier_key(self.name, _POST_QUANTUM + self.key.pq_public_key))
        return " ".join(parts)


def parse_witness(line: str) -> Witness:
    """Read a witness from its line.

    Raises:
        CosignatureError: The line is no witness.
    """
    words = line.split()
    if len(line) > MAX_LINE_CHARS or len(words) not in {1, 2}:
        raise CosignatureError("a witness is one or two verifier keys in one line")
    name, public_key = _parse_verifier_key(words[0], _CLASSICAL)
    pq_public_key = b""
    if len(words) == 2:
        other, pq_public_key = _parse_verifier_key(words[1], _POST_QUANTUM)
        if other != name:
            raise CosignatureError(f"one line names two witnesses, {name} and {other[:120]}")
    try:
        key = VerifyingKey(public_key=public_key, pq_public_key=pq_public_key)
    except ValueError as error:
        raise CosignatureError(f"key of witness {name[:120]}: {error}") from error
    return Witness(name=name, key=key)


def _verifier_key(name: str, typed_key: bytes) -> str:
    key = base64.b64encode(typed_key).decode()
    return f"{name}+{_key_hash(name, typed_key).hex()}+{key}"


def _parse_verifier_key(text: str, key_type: bytes) -> tuple[str, bytes]:
    # Base64 has plus signs of its own: only the first two separate.
    name, _, rest = text.partition("+")
    stated, _, encoded = rest.partition("+")
    try:
        typed_key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise CosignatureError(f"key of witness {name[:120]!r} is not base64") from error
    if (
        not typed_key.startswith(key_type)
        or stated != _key_hash(name, typed_key).hex()
        or base64.b64encode(typed_key).decode() != encoded
    ):
        raise CosignatureError(f"key of witness {name[:120]!r} is damaged or of another type")
    return name, typed_key.removeprefix(key_type)


def _key_hash(name: str, typed_key: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + typed_key).digest()[:KEY_HASH_BYTES]
