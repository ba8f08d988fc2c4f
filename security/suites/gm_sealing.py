"""Sealing by national cryptography (国密): a random SM4 key, wrapped by SM2.

Layout: C1 (64, the point's coordinates), C3 (32, SM3), C2 (16, the wrapped key), nonce (12),
SM4-GCM ciphertext, tag (16). ``info`` is the additional data of SM4-GCM.

No certification (密评) is claimed. SM4-GCM is done by ``cryptography``, SM2 by ``security.sm2``.

Source:
    GB/T 32918.4 (SM2 encryption, order C1 C3 C2), GB/T 32907 (SM4), RFC 8998 (SM4-GCM).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import SM4

from security.sm2 import (
    HASH_BYTES,
    POINT_BYTES,
    PRIVATE_BYTES,
    PUBLIC_BYTES,
    Sm2PrivateKey,
    Sm2PublicKey,
)

_KEY_BYTES: Final = 16
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_WRAPPED_BYTES: Final = POINT_BYTES + HASH_BYTES + _KEY_BYTES
_CONTENT_AT: Final = _WRAPPED_BYTES + _NONCE_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class GmPublic:
    """A parsed public key."""

    key: Sm2PublicKey = field(repr=False)
    """The key."""

    def encrypt(self, plaintext: bytes, info: bytes) -> bytes:
        """Encrypt under a fresh SM4 key, and wrap that."""
        key, nonce = secrets.token_bytes(_KEY_BYTES), secrets.token_bytes(_NONCE_BYTES)
        encryptor = Cipher(SM4(key), modes.GCM(nonce)).encryptor()
        encryptor.authenticate_additional_data(info)
        content = encryptor.update(plaintext) + encryptor.finalize()
        return b"".join((self.key.wrap(key), nonce, content, encryptor.tag))


@dataclass(frozen=True, slots=True, kw_only=True)
class GmPrivate:
    """A parsed private key."""

    key: Sm2PrivateKey = field(repr=False)
    """The key."""

    @property
    def public_bytes(self) -> bytes:
        """The public key that belongs to it, serialised."""
        return self.key.public_bytes

    def decrypt(self, ciphertext: bytes, info: bytes) -> bytes:
        """Decrypt.

        Raises:
            ValueError: Not made for this key and this ``info``, or changed since.
        """
        if len(ciphertext) < _CONTENT_AT + _TAG_BYTES:
            raise ValueError("the ciphertext is truncated")
        key = self.key.unwrap(ciphertext[:_WRAPPED_BYTES])
        if len(key) != _KEY_BYTES:
            raise ValueError("the wrapped key has a wrong length")
        tag = ciphertext[-_TAG_BYTES:]
        mode = modes.GCM(ciphertext[_WRAPPED_BYTES:_CONTENT_AT], tag)
        decryptor = Cipher(SM4(key), mode).decryptor()
        decryptor.authenticate_additional_data(info)
        try:
            return decryptor.update(ciphertext[_CONTENT_AT:-_TAG_BYTES]) + decryptor.finalize()
        except InvalidTag as error:
            raise ValueError("the ciphertext does not open") from error


class GmSealing:
    """SM2 and SM4-GCM."""

    public_bytes = PUBLIC_BYTES
    private_bytes = PRIVATE_BYTES
    overhead_bytes = _CONTENT_AT + _TAG_BYTES

    def generate(self) -> bytes:
        """Make a new private key, serialised."""
        return Sm2PrivateKey.generate().private_bytes

    def load_private(self, private_key: bytes) -> GmPrivate:
        """Parse a private key of the right length."""
        return GmPrivate(key=Sm2PrivateKey(private_key))

    def load_public(self, public_key: bytes) -> GmPublic:
        """Parse a public key of the right length."""
        return GmPublic(key=Sm2PublicKey(public_key))


SM2_SM4: Final = GmSealing()
