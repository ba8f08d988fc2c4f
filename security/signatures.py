"""Signature schemes: what the two kinds of signing keys are made of.

| scheme | signature | public key | used by |
|---|---|---|---|
| Ed25519 | 64 bytes, and by hubs ML-DSA-65 beside it, 3309 bytes | 32, and 1952 | INTL-PQ, INTL |
| SM2-SM3 | r and s, 64 bytes, big-endian | point, uncompressed, 65 | GM |

Rules: a key with a post-quantum half has signed only when both halves fit; the scheme comes from
the certified suite, never from a length; one signature has one encoding.

Source:
    RFC 8032; FIPS 204; GB/T 32918.2 with the default user id 1234567812345678, GB/T 32905.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519, mldsa

from security.sm2 import Sm2PrivateKey, Sm2PublicKey

if TYPE_CHECKING:
    from collections.abc import Sequence

SIGNATURE_BYTES: Final = 64
"""Length of the classical half, whatever the scheme."""
ED25519_PUBLIC_BYTES: Final = 32
MLDSA65_PUBLIC_BYTES: Final = 1952
MLDSA65_SIGNATURE_BYTES: Final = 3309

# The y coordinates, sign bit cleared, of the points whose order divides 8, and their encodings
# that are not reduced. Under such a key one signature fits every message.
# Source: Brendel, Cremers, Jackson, Zhao, "The Provable Security of Ed25519" (2020), section 2.
_FIELD: Final = 2**255 - 19
_ORDER_8: Final = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER: Final = frozenset({0, 1, _FIELD - 1, _FIELD, _FIELD + 1, _ORDER_8, _FIELD - _ORDER_8})


class SignatureScheme(StrEnum):
    """How a key signs."""

    ED25519 = "Ed25519"
    """Ed25519, with ML-DSA-65 beside it where the key has that half."""
    SM2_SM3 = "SM2-SM3"
    """SM2 (国密) over SM3."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A signature in one or two halves."""

    classical: bytes
    """Ed25519, or SM2 with SM3 as r and s; 64 bytes either way."""
    post_quantum: bytes = b""
    """ML-DSA-65, 3309 bytes; empty for keys without a post-quantum half."""


class Verifier(Protocol):
    """A parsed public key."""

    def is_signed(self, signature: Signature, message: bytes) -> bool:
        """Whether every half fits."""


class Signer(Protocol):
    """A parsed private key."""

    @property
    def public_key(self) -> bytes:
        """Public half."""

    @property
    def pq_public_key(self) -> bytes:
        """ML-DSA-65 public key, or empty."""

    @property
    def seeds(self) -> tuple[bytes, ...]:
        """Private parts as key files keep them, 32 bytes each."""

    def sign(self, message: bytes) -> Signature:
        """Sign a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ed25519Verifier:
    """Ed25519, with or without ML-DSA-65."""

    _edwards: ed25519.Ed25519PublicKey = field(repr=False)
    _lattice: mldsa.MLDSA65PublicKey | None = field(repr=False)

    @classmethod
    def load(cls, public_key: bytes, pq_public_key: bytes) -> Ed25519Verifier:
        """Parse both halves.

        Raises:
            ValueError: A half has the wrong length, or the Ed25519 key is a point of small order.
        """
        if len(public_key) != ED25519_PUBLIC_BYTES:
            raise ValueError(f"an Ed25519 public key has 32 bytes, found {len(public_key)}")
        if int.from_bytes(public_key, "little") % 2**255 in _SMALL_ORDER:
            raise ValueError("the Ed25519 public key is a point of small order")
        if len(pq_public_key) not in {0, MLDSA65_PUBLIC_BYTES}:
            raise ValueError(f"an ML-DSA-65 public key has 1952 bytes, found {len(pq_public_key)}")
        return cls(
            _edwards=ed25519.Ed25519PublicKey.from_public_bytes(public_key),
            _lattice=(
                mldsa.MLDSA65PublicKey.from_public_bytes(pq_public_key) if pq_public_key else None
            ),
        )

    def is_signed(self, signature: Signature, message: bytes) -> bool:
        """Whether every half fits."""
        try:
            self._edwards.verify(signature.classical, message)
            if self._lattice is not None:
                self._lattice.verify(signature.post_quantum, message)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Ed25519Signer:
    """Ed25519, with or without ML-DSA-65."""

    _edwards: ed25519.Ed25519PrivateKey = field(repr=False)
    _lattice: mldsa.MLDSA65PrivateKey | None = field(repr=False)

    @classmethod
    def generate(cls, *, post_quantum: bool) -> Ed25519Signer:
        """Make a new key."""
        return cls(
            _edwards=ed25519.Ed25519PrivateKey.generate(),
            _lattice=mldsa.MLDSA65PrivateKey.generate() if post_quantum else None,
        )

    @classmethod
    def load(cls, seeds: Sequence[bytes]) -> Ed25519Signer:
        """Parse one or two seeds of 32 bytes."""
        return cls(
            _edwards=ed25519.Ed25519PrivateKey.from_private_bytes(seeds[0]),
            _lattice=mldsa.MLDSA65PrivateKey.from_seed_bytes(seeds[1]) if seeds[1:] else None,
        )

    @property
    def public_key(self) -> bytes:
        """Ed25519 public key."""
        return self._edwards.public_key().public_bytes_raw()

    @property
    def pq_public_key(self) -> bytes:
        """ML-DSA-65 public key, or empty."""
        return self._lattice.public_key().public_bytes_raw() if self._lattice else b""

    @property
    def seeds(self) -> tuple[bytes, ...]:
        """The seeds, 32 bytes each."""
        lattice = (self._lattice.private_bytes_raw(),) if self._lattice else ()
        return (self._edwards.private_bytes_raw(), *lattice)

    def sign(self, message: bytes) -> Signature:
        """Sign a message."""
        return Signature(
            classical=self._edwards.sign(message),
            post_quantum=self._lattice.sign(message) if self._lattice else b"",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sm2Verifier:
    """SM2 over SM3."""

    _key: Sm2PublicKey = field(repr=False)

    def is_signed(self, signature: Signature, message: bytes) -> bool:
        """Whether the signature fits."""
        return self._key.verify(signature.classical, message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sm2Signer:
    """SM2 over SM3."""

    _key: Sm2PrivateKey = field(repr=False)

    @property
    def public_key(self) -> bytes:
        """The point, uncompressed, 65 bytes."""
        return self._key.public_bytes

    @property
    def pq_public_key(self) -> bytes:
        """Empty."""
        return b""

    @property
    def seeds(self) -> tuple[bytes, ...]:
        """The private number, 32 bytes."""
        return (self._key.private_bytes,)

    def sign(self, message: bytes) -> Signature:
        """Sign a message."""
        return Signature(classical=self._key.sign(message))


def load_verifier(scheme: SignatureScheme, public_key: bytes, pq_public_key: bytes) -> Verifier:
    """Parse a public key.

    Raises:
        ValueError: The bytes are no key of the scheme.
        UnknownSuiteError: The scheme needs an extra that is not installed.
    """
    if scheme is SignatureScheme.ED25519:
        return Ed25519Verifier.load(public_key, pq_public_key)
    if pq_public_key:
        raise ValueError("an SM2 key has no ML-DSA-65 half")
    return Sm2Verifier(_key=Sm2PublicKey(public_key))


def generate_signer(scheme: SignatureScheme, *, post_quantum: bool) -> Signer:
    """Make a new private key.

    Raises:
        ValueError: The scheme has no post-quantum half.
        UnknownSuiteError: The scheme needs an extra that is not installed.
    """
    if scheme is SignatureScheme.ED25519:
        return Ed25519Signer.generate(post_quantum=post_quantum)
    if post_quantum:
        raise ValueError("an SM2 key has no ML-DSA-65 half")
    return Sm2Signer(_key=Sm2PrivateKey.generate())


def load_signer(scheme: SignatureScheme, seeds: Sequence[bytes]) -> Signer:
    """Parse a private key.

    Raises:
        ValueError: The seeds are no key of the scheme.
        UnknownSuiteError: The scheme needs an extra that is not installed.
    """
    if scheme is SignatureScheme.ED25519:
        return Ed25519Signer.load(seeds)
    return Sm2Signer(_key=Sm2PrivateKey(seeds[0]))
