"""The vault: values that are encrypted under the key of one machine.

Rules: AES-256-GCM with a random nonce; the place where a value belongs (its context) is
authenticated, so that a value moved to another row, table or file does not open; wrapped keys
and sealed values never open as each other. One key seals at most 2^32 values (NIST SP 800-38D,
section 8.3); the callers seal batches, which stays below that by orders of magnitude.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from security.encoding import pae
from security.errors import KeyFileError, VaultError
from security.private_files import read_private, write_private

if TYPE_CHECKING:
    from pathlib import Path

KEY_BYTES: Final = 32
OVERHEAD_BYTES: Final = 1 + 12 + 16

_VERSION: Final = b"\x01"
_NONCE_BYTES: Final = 12
_VALUE: Final = "yixin/vault/value/v1"
_KEY: Final = "yixin/vault/key/v1"


class Vault:
    """Seals and opens values and keys under one machine's key; safe to share between threads."""

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a vault key has {KEY_BYTES} bytes, found {len(key)}")
        self._cipher = AESGCM(key)

    @classmethod
    def create(cls, path: Path) -> Vault:
        """Make a new key in a new file of mode 0600.

        Raises:
            KeyFileError: The file is already there or cannot be written.
        """
        key = secrets.token_bytes(KEY_BYTES)
        write_private(path, key)
        return cls(key)

    @classmethod
    def load(cls, path: Path) -> Vault:
        """Read the key from its file.

        Raises:
            KeyFileError: The file is missing, damaged or open to others.
        """
        key = read_private(path, KEY_BYTES)
        if len(key) != KEY_BYTES:
            raise KeyFileError(
                f"{path} is damaged: {KEY_BYTES} bytes expected, found {len(key)}. "
                "Restore it from the backup of this directory; without it the records stay closed"
            )
        return cls(key)

    def seal(self, plaintext: bytes, context: str) -> bytes:
        """Encrypt a value for the place named by its context, for example ``staged/17``."""
        return self._seal(plaintext, _VALUE, context)

    def open(self, blob: bytes, context: str) -> bytes:
        """Decrypt a value of this place.

        Raises:
            VaultError: The value is damaged, was sealed for another place or under another key.
        """
        return self._open(blob, _VALUE, context)

    def wrap(self, key: bytes, context: str) -> bytes:
        """Encrypt a data key for the place named by its context."""
        return self._seal(key, _KEY, context)

    def unwrap(self, wrapped: bytes, context: str) -> bytes:
        """Decrypt a data key of this place.

        Raises:
            VaultError: The key is damaged, was wrapped for another place or under another key.
        """
        return self._open(wrapped, _KEY, context)

    def _seal(self, plaintext: bytes, use: str, context: str) -> bytes:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        bound = pae(use, context.encode())
        return _VERSION + nonce + self._cipher.encrypt(nonce, plaintext, bound)

    def _open(self, blob: bytes, use: str, context: str) -> bytes:
        if len(blob) < OVERHEAD_BYTES or blob[:1] != _VERSION:
            raise VaultError(f"the value of {context} is truncated or of an unknown format")
        nonce, sealed = blob[1 : 1 + _NONCE_BYTES], blob[1 + _NONCE_BYTES :]
        try:
            return self._cipher.decrypt(nonce, sealed, pae(use, context.encode()))
        except InvalidTag as error:
            raise VaultError(
                f"the value of {context} is damaged, belongs to another place, or was sealed "
                "under another key; restore the directory as a whole from one backup"
            ) from error
