"""Keys of Parquet segments, as pyarrow asks for them.

Rules: every segment has its own key-encryption key, named after it; those keys are kept wrapped
in the caller's ledger, so that rotation and erasure touch rows only; this client wraps the data
keys inside the files and knows a segment's key only after the ledger's row was opened.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from typing import Any, Final

import pyarrow.parquet.encryption as pe
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from security.encoding import pae
from security.errors import SegmentTamperedError

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_CONTEXT: Final = "yixin/segment-data-key/v1"


class SegmentKeys:
    """Key-encryption keys of the segments that this process wrote or opened."""

    __slots__ = ("_ciphers",)

    def __init__(self) -> None:
        self._ciphers: dict[str, AESGCM] = {}

    def hold(self, name: str, key: bytes) -> None:
        """Hold the key of a segment."""
        self._ciphers[name] = AESGCM(key)

    def forget(self, name: str) -> None:
        """Drop the key of a segment, if it is held."""
        self._ciphers.pop(name, None)

    def is_held(self, name: str) -> bool:
        """Whether the key of a segment is held."""
        return name in self._ciphers

    def wrap(self, data_key: bytes, name: str) -> str:
        """Encrypt a file's data key under the key of its segment."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._ciphers[name].encrypt(nonce, data_key, pae(_CONTEXT, name.encode()))
        return base64.b64encode(nonce + sealed).decode()

    def unwrap(self, wrapped: str, name: str) -> bytes:
        """Decrypt a file's data key.

        Raises:
            SegmentTamperedError: The file names a segment whose key is not held, or its key part
                was changed.
        """
        cipher = self._ciphers.get(name)
        if cipher is None:
            raise SegmentTamperedError(f"a segment file names key {name[:120]!r}, not held here")
        try:
            data = base64.b64decode(wrapped, validate=True)
            nonce, sealed = data[:_NONCE_BYTES], data[_NONCE_BYTES:]
            return cipher.decrypt(nonce, sealed, pae(_CONTEXT, name.encode()))
        except (InvalidTag, ValueError, binascii.Error) as error:
            raise SegmentTamperedError(f"the data key inside segment {name} is damaged") from error


class SegmentKmsClient(pe.KmsClient):  # type: ignore[misc]  # pyarrow ships no types
    """Answers pyarrow's questions from the held segment keys."""

    def __init__(self, keys: SegmentKeys) -> None:
        super().__init__()
        self._keys = keys

    def wrap_key(self, key_bytes: bytes, master_key_identifier: str) -> str:
        """Encrypt a data key; called by pyarrow while it writes."""
        return self._keys.wrap(key_bytes, master_key_identifier)

    def unwrap_key(self, wrapped_key: str, master_key_identifier: str) -> bytes:
        """Decrypt a data key; called by pyarrow while it reads."""
        return self._keys.unwrap(wrapped_key, master_key_identifier)


def make_crypto_factory(keys: SegmentKeys) -> Any:  # noqa: ANN401 - pyarrow ships no types
    """A pyarrow crypto factory that asks the given keys."""
    return pe.CryptoFactory(lambda _config: SegmentKmsClient(keys))
