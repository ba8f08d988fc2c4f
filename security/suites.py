"""Crypto suites: how a payload is encrypted to one recipient.

Rules: suites are named and complete, the recipient's certified key fixes the suite, and an
unknown name is an error: nothing is negotiated down. ``info`` binds a ciphertext to its signed
header. Sealing and opening are RFC 9180 single-shot base mode, done by ``cryptography``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import mlkem, x25519

from security.errors import UnknownSuiteError, UnreadableEnvelopeError

if TYPE_CHECKING:
    from security.keys import EncryptionKey

PublicHandle: TypeAlias = hpke.MLKEM768X25519PublicKey | x25519.X25519PublicKey
PrivateHandle: TypeAlias = hpke.MLKEM768X25519PrivateKey | x25519.X25519PrivateKey

_X25519_BYTES: Final = 32
_MLKEM768_PUBLIC_BYTES: Final = 1184
_MLKEM768_SEED_BYTES: Final = 64
_TAG_BYTES: Final = 16
_PARSED_KEYS: Final = 4096


class KeyEncapsulation(Protocol):
    """Key formats of one key encapsulation mechanism."""

    public_bytes: int
    private_bytes: int

    def generate(self) -> bytes:
        """Make a new private key, serialised."""

    def load_private(self, private_key: bytes) -> PrivateHandle:
        """Parse a serialised private key of the right length."""

    def load_public(self, public_key: bytes) -> PublicHandle:
        """Parse a serialised public key of the right length."""

    def public_of(self, private_key: bytes) -> bytes:
        """Serialise the public key that belongs to a private key."""


class X25519Encapsulation:
    """DHKEM(X25519, HKDF-SHA256). Source: RFC 9180, section 7.1."""

    public_bytes = _X25519_BYTES
    private_bytes = _X25519_BYTES

    def generate(self) -> bytes:
        """Make a new private key, serialised."""
        return x25519.X25519PrivateKey.generate().private_bytes_raw()

    def load_private(self, private_key: bytes) -> PrivateHandle:
        """Parse a serialised private key of the right length."""
        return x25519.X25519PrivateKey.from_private_bytes(private_key)

    def load_public(self, public_key: bytes) -> PublicHandle:
        """Parse a serialised public key of the right length."""
        return x25519.X25519PublicKey.from_public_bytes(public_key)

    def public_of(self, private_key: bytes) -> bytes:
        """Serialise the public key that belongs to a private key."""
        return (
            x25519.X25519PrivateKey.from_private_bytes(private_key).public_key().public_bytes_raw()
        )


class HybridEncapsulation:
    """ML-KEM-768 beside X25519: safe while either of the two holds.

    Keys are serialised as the ML-KEM part (seed or public key), then the X25519 part.

    Source:
        FIPS 203; draft-connolly-cfrg-xwing-kem; registered for HPKE as MLKEM768-X25519.
    """

    public_bytes = _MLKEM768_PUBLIC_BYTES + _X25519_BYTES
    private_bytes = _MLKEM768_SEED_BYTES + _X25519_BYTES

    def generate(self) -> bytes:
        """Make a new private key, serialised."""
        lattice = mlkem.MLKEM768PrivateKey.generate().private_bytes_raw()
        return lattice + x25519.X25519PrivateKey.generate().private_bytes_raw()

    def load_private(self, private_key: bytes) -> PrivateHandle:
        """Parse a serialised private key of the right length."""
        return hpke.MLKEM768X25519PrivateKey(*self._split_private(private_key))

    def load_public(self, public_key: bytes) -> PublicHandle:
        """Parse a serialised public key of the right length."""
        return hpke.MLKEM768X25519PublicKey(
            mlkem.MLKEM768PublicKey.from_public_bytes(public_key[:_MLKEM768_PUBLIC_BYTES]),
            x25519.X25519PublicKey.from_public_bytes(public_key[_MLKEM768_PUBLIC_BYTES:]),
        )

    def public_of(self, private_key: bytes) -> bytes:
        """Serialise the public key that belongs to a private key."""
        lattice, curve = self._split_private(private_key)
        return lattice.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw()

    @staticmethod
    def _split_private(
        private_key: bytes,
    ) -> tuple[mlkem.MLKEM768PrivateKey, x25519.X25519PrivateKey]:
        return (
            mlkem.MLKEM768PrivateKey.from_seed_bytes(private_key[:_MLKEM768_SEED_BYTES]),
            x25519.X25519PrivateKey.from_private_bytes(private_key[_MLKEM768_SEED_BYTES:]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """One named suite."""

    name: str
    """Name on the wire."""
    encapsulation: KeyEncapsulation = field(repr=False)
    """Key encapsulation mechanism and its key formats."""
    overhead_bytes: int
    """Bytes that sealing adds to a plaintext: encapsulated key and tag."""
    cipher: hpke.Suite = field(repr=False)
    """The RFC 9180 combination."""

    def seal(self, public_key: bytes, plaintext: bytes, info: bytes) -> bytes:
        """Encrypt to a public key.

        Args:
            public_key: Recipient's public key, ``encapsulation.public_bytes`` long.
            plaintext: What to encrypt.
            info: Context that must be equal at opening; here the hash of the signed header.

        Returns:
            Encapsulated key and ciphertext.

        Raises:
            ValueError: The public key is not a key of this suite.
        """
        return self.cipher.encrypt(plaintext, load_public_key(self.name, public_key), info=info)

    def open(self, key: EncryptionKey, ciphertext: bytes, info: bytes) -> bytes:
        """Decrypt with a private key.

        Raises:
            UnreadableEnvelopeError: The key belongs to another suite, or the ciphertext was not
                made for this key and this ``info``, or was changed.
        """
        if key.suite.name != self.name:
            raise UnreadableEnvelopeError(
                f"suite {self.name}, but key {key.key_id} belongs to {key.suite.name}"
            )
        try:
            return self.cipher.decrypt(ciphertext, key.handle, info=info)
        except (InvalidTag, ValueError) as error:
            raise UnreadableEnvelopeError("the ciphertext does not open") from error


def _suite(name: str, kem: hpke.KEM, encapsulation: KeyEncapsulation) -> Suite:
    return Suite(
        name=name,
        encapsulation=encapsulation,
        overhead_bytes=kem.enc_length() + _TAG_BYTES,
        cipher=hpke.Suite(kem, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM),
    )


INTL_PQ: Final = _suite("INTL-PQ", hpke.KEM.MLKEM768_X25519, HybridEncapsulation())
"""The default: a recording kept today stays closed to a later quantum computer."""

INTL: Final = _suite("INTL", hpke.KEM.X25519, X25519Encapsulation())
"""For members whose platform cannot do ML-KEM."""

_SUITES: Final = {suite.name: suite for suite in (INTL_PQ, INTL)}


def get_suite(name: str) -> Suite:
    """Find a suite by its exact name.

    Raises:
        UnknownSuiteError: No such suite; there is no fallback.

    >>> get_suite("INTL-PQ").overhead_bytes
    1136
    """
    try:
        return _SUITES[name]
    except KeyError:
        raise UnknownSuiteError(
            f"suite {name[:40]!r} is not known; this release speaks {', '.join(_SUITES)}"
        ) from None


@lru_cache(maxsize=_PARSED_KEYS)
def load_public_key(suite: str, public_key: bytes) -> PublicHandle:
    """Parse a public key of a suite; parsed keys are kept, since parsing costs like sealing.

    Raises:
        UnknownSuiteError: No such suite.
        ValueError: The bytes are not a public key of the suite.
    """
    encapsulation = get_suite(suite).encapsulation
    if len(public_key) != encapsulation.public_bytes:
        raise ValueError(
            f"a public key of suite {suite} has {encapsulation.public_bytes} bytes, "
            f"found {len(public_key)}"
        )
    return encapsulation.load_public(public_key)
