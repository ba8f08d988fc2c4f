"""The vault: values that are encrypted under the keys of one machine.

Rules: AES-256-GCM with a random nonce; the place where a value belongs (its context) is
authenticated, so that a value moved to another row, table or file does not open; wrapped keys
and sealed values never open as each other. The newest epoch of the key ring seals, every epoch
opens. One key seals at most 2^32 values (NIST SP 800-38D, section 8.3); the callers seal batches,
which stays below that by orders of magnitude.

A value is the byte 1, nonce and ciphertext under epoch 0; or the byte 2, the epoch as two bytes,
most significant first, nonce and ciphertext.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from security.at_rest.key_ring import KEY_BYTES, KeyRing
from security.encoding import pae
from security.errors import VaultError
from security.private_files import write_private

if TYPE_CHECKING:
    from pathlib import Path

OVERHEAD_BYTES: Final = 1 + 12 + 16
"""Bytes by which a value of epoch 0 is longer than what it holds."""

_FIRST: Final = b"\x01"
_EPOCH: Final = b"\x02"
_EPOCH_BYTES: Final = 2
_NONCE_BYTES: Final = 12
_VALUE: Final = "yixin/vault/value/v1"
_KEY: Final = "yixin/vault/key/v1"


class Vault:
    """Seals and opens values and keys under one machine's keys; safe to share between threads."""

    __slots__ = ("_held", "_path", "_stamp")

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a vault key has {KEY_BYTES} bytes, found {len(key)}")
        self._path: Path | None = None
        self._stamp: tuple[int, int] | None = None
        self._take(KeyRing.of(key))

    @classmethod
    def create(cls, path: Path) -> Vault:
        """Make a new key in a new file of mode 0600.

        Raises:
            KeyFileError: The file is already there or cannot be written.
        """
        write_private(path, secrets.token_bytes(KEY_BYTES))
        return cls.load(path)

    @classmethod
    def load(cls, path: Path) -> Vault:
        """Read the keys from their file; the vault follows when the ring grows.

        Raises:
            KeyFileError: The file is missing, damaged or open to others.
        """
        vault = cls(bytes(KEY_BYTES))
        stamp = _stamp(path)
        vault._take(KeyRing.load(path))
        vault._path, vault._stamp = path, stamp
        return vault

    @property
    def newest(self) -> int:
        """The epoch that seals."""
        self._follow()
        return self._held[0]

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

    def rewrap(self, wrapped: bytes, context: str) -> bytes:
        """Wrap a data key of this place anew, under the newest epoch.

        Raises:
            VaultError: The key is damaged, was wrapped for another place or under another key.
        """
        return self.wrap(self.unwrap(wrapped, context), context)

    def _take(self, ring: KeyRing) -> None:
        # One assignment: another thread sees the old keys or the new ones.
        self._held = (ring.newest, {one.epoch: AESGCM(one.key) for one in ring.keys})

    def _follow(self) -> None:
        """Read the ring again where its file is another one than before."""
        if self._path is None:
            return
        stamp = _stamp(self._path)
        if stamp is not None and stamp != self._stamp:
            self._take(KeyRing.load(self._path))
            self._stamp = stamp

    def _seal(self, plaintext: bytes, use: str, context: str) -> bytes:
        self._follow()
        epoch, ciphers = self._held
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = ciphers[epoch].encrypt(nonce, plaintext, pae(use, context.encode()))
        head = _EPOCH + epoch.to_bytes(_EPOCH_BYTES) if epoch else _FIRST
        return head + nonce + sealed

    def _open(self, blob: bytes, use: str, context: str) -> bytes:
        try:
            epoch, head = epoch_of(blob), 1 if blob[:1] == _FIRST else 1 + _EPOCH_BYTES
        except VaultError as error:
            raise VaultError(
                f"the value of {context} is truncated or of an unknown format"
            ) from error
        cipher = self._held[1].get(epoch)
        if cipher is None:
            self._follow()
            cipher = self._held[1].get(epoch)
        if cipher is None:
            raise VaultError(
                f"the value of {context} was sealed under epoch {epoch}, which the key ring does "
                "not hold; restore the directory as a whole from one backup"
            )
        nonce, sealed = blob[head : head + _NONCE_BYTES], blob[head + _NONCE_BYTES :]
        try:
            return cipher.decrypt(nonce, sealed, pae(use, context.encode()))
        except InvalidTag as error:
            raise VaultError(
                f"the value of {context} is damaged, belongs to another place, or was sealed "
                "under another key; restore the directory as a whole from one backup"
            ) from error


def epoch_of(blob: bytes) -> int:
    r"""The epoch under which a value was sealed or a key wrapped.

    Raises:
        VaultError: It is neither.

    >>> epoch_of(b"\x01" + bytes(28)), epoch_of(b"\x02\x01\x00" + bytes(28))
    (0, 256)
    """
    if blob[:1] == _FIRST and len(blob) >= OVERHEAD_BYTES:
        return 0
    if blob[:1] == _EPOCH and len(blob) >= OVERHEAD_BYTES + _EPOCH_BYTES:
        epoch = int.from_bytes(blob[1 : 1 + _EPOCH_BYTES])
        if epoch:
            return epoch
    raise VaultError("a value is truncated or of an unknown format")


def _stamp(path: Path) -> tuple[int, int] | None:
    """What another file at the same place differs in; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns
