"""Sealing by HPKE: X25519 alone, or with ML-KEM-768 beside it.

Single-shot base mode of RFC 9180 with HKDF-SHA256 and AES-256-GCM, done by ``cryptography``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, TypeAlias

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import mlkem, x25519

_PublicKey: TypeAlias = hpke.MLKEM768X25519PublicKey | x25519.X25519PublicKey
_PrivateKey: TypeAlias = hpke.MLKEM768X25519PrivateKey | x25519.X25519PrivateKey

_X25519_BYTES: Final = 32
_MLKEM768_PUBLIC_BYTES: Final = 1184
_MLKEM768_SEED_BYTES: Final = 64
_TAG_BYTES: Final = 16


def _cipher(kem: hpke.KEM) -> hpke.Suite:
    return hpke.Suite(kem, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


_X25519_CIPHER: Final = _cipher(hpke.KEM.X25519)
_HYBRID_CIPHER: Final = _cipher(hpke.KEM.MLKEM768_X25519)


@dataclass(frozen=True, slots=True, kw_only=True)
class HpkePublic:
    """A parsed public key."""

    cipher: hpke.Suite = field(repr=False)
    """The RFC 9180 combination."""
    key: _PublicKey = field(repr=False)
    """The key."""

    def encrypt(self, plaintext: bytes, info: bytes) -> bytes:
        """Encrypt; the result begins with the encapsulated key."""
        return self.cipher.encrypt(plaintext, self.key, info=info)


@dataclass(frozen=True, slots=True, kw_only=True)
class HpkePrivate:
    """A parsed private key."""

    cipher: hpke.Suite = field(repr=False)
    """The RFC 9180 combination."""
    key: _PrivateKey = field(repr=False)
    """The key."""
    public_bytes: bytes = field(repr=False)
    """The public key that belongs to it, serialised."""

    def decrypt(self, ciphertext: bytes, info: bytes) -> bytes:
        """Decrypt.

        Raises:
            ValueError: Not made for this key and this ``info``, or changed since.
        """
        try:
            return self.cipher.decrypt(ciphertext, self.key, info=info)
        except InvalidTag as error:
            raise ValueError("the ciphertext does not open") from error


class X25519Sealing:
    """DHKEM(X25519, HKDF-SHA256). Source: RFC 9180, section 7.1."""

    public_bytes = _X25519_BYTES
    private_bytes = _X25519_BYTES
    overhead_bytes = _X25519_BYTES + _TAG_BYTES

    def generate(self) -> bytes:
        """Make a new private key, serialised."""
        return x25519.X25519PrivateKey.generate().private_bytes_raw()

    def load_private(self, private_key: bytes) -> HpkePrivate:
        """Parse a private key of the right length."""
        key = x25519.X25519PrivateKey.from_private_bytes(private_key)
        return HpkePrivate(
            cipher=_X25519_CIPHER, key=key, public_bytes=key.public_key().public_bytes_raw()
        )

    def load_public(self, public_key: bytes) -> HpkePublic:
        """Parse a public key of the right length."""
        key = x25519.X25519PublicKey.from_public_bytes(public_key)
        return HpkePublic(cipher=_X25519_CIPHER, key=key)


class HybridSealing:
    """ML-KEM-768 beside X25519: safe while either of the two holds.

    Keys are serialised as the ML-KEM part (seed or public key), then the X25519 part.

    Source:
        FIPS 203; draft-connolly-cfrg-xwing-kem; registered for HPKE as MLKEM768-X25519.
    """

    public_bytes = _MLKEM768_PUBLIC_BYTES + _X25519_BYTES
    private_bytes = _MLKEM768_SEED_BYTES + _X25519_BYTES
    overhead_bytes = hpke.KEM.MLKEM768_X25519.enc_length() + _TAG_BYTES

    def generate(self) -> bytes:
        """Make a new private key, serialised."""
        lattice = mlkem.MLKEM768PrivateKey.generate().private_bytes_raw()
        return lattice + x25519.X25519PrivateKey.generate().private_bytes_raw()

    def load_private(self, private_key: bytes) -> HpkePrivate:
        """Parse a private key of the right length."""
        lattice = mlkem.MLKEM768PrivateKey.from_seed_bytes(private_key[:_MLKEM768_SEED_BYTES])
        curve = x25519.X25519PrivateKey.from_private_bytes(private_key[_MLKEM768_SEED_BYTES:])
        return HpkePrivate(
            cipher=_HYBRID_CIPHER,
            key=hpke.MLKEM768X25519PrivateKey(lattice, curve),
            public_bytes=(
                lattice.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw()
            ),
        )

    def load_public(self, public_key: bytes) -> HpkePublic:
        """Parse a public key of the right length."""
        key = hpke.MLKEM768X25519PublicKey(
            mlkem.MLKEM768PublicKey.from_public_bytes(public_key[:_MLKEM768_PUBLIC_BYTES]),
            x25519.X25519PublicKey.from_public_bytes(public_key[_MLKEM768_PUBLIC_BYTES:]),
        )
        return HpkePublic(cipher=_HYBRID_CIPHER, key=key)


X25519: Final = X25519Sealing()
HYBRID: Final = HybridSealing()
