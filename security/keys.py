"""Signing and encryption keys of a member.

Rules: signing and encryption keys are separate; a key with a post-quantum half counts as signed
only when both halves verify; private parts live in files of mode 0600 and never in a repr, a log
or an error. A key id is the first 32 hex digits of SHA-256 over the public parts, in order.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NewType

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519, mldsa

from security.encoding import pae
from security.errors import BadSignatureError, KeyFileError, UnknownSuiteError
from security.private_files import read_private, write_private
from security.suites import PrivateHandle, Suite, get_suite

if TYPE_CHECKING:
    from pathlib import Path

KeyId = NewType("KeyId", str)

ED25519_PUBLIC_BYTES: Final = 32
ED25519_SIGNATURE_BYTES: Final = 64
MLDSA65_PUBLIC_BYTES: Final = 1952
MLDSA65_SIGNATURE_BYTES: Final = 3309

_SEED_BYTES: Final = 32
_MAX_KEY_FILE_BYTES: Final = 4096
_SIGNING_HEADER: Final = "yixin-signing-key-1"
_ENCRYPTION_HEADER: Final = "yixin-encryption-key-1"

# The y coordinates, sign bit cleared, of the points whose order divides 8, and their encodings
# that are not reduced. Under such a key one signature fits every message.
# Source: Brendel, Cremers, Jackson, Zhao, "The Provable Security of Ed25519" (2020), section 2.
_FIELD: Final = 2**255 - 19
_ORDER_8: Final = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER: Final = frozenset({0, 1, _FIELD - 1, _FIELD, _FIELD + 1, _ORDER_8, _FIELD - _ORDER_8})


def key_id_of(public_key: bytes, pq_public_key: bytes = b"") -> KeyId:
    """Name a key by its public parts."""
    return KeyId(hashlib.sha256(public_key + pq_public_key).hexdigest()[:32])


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A signature in one or two halves."""

    classical: bytes
    """Ed25519, or SM2 with SM3 as r and s; 64 bytes either way."""
    post_quantum: bytes = b""
    """ML-DSA-65, 3309 bytes; empty for keys without a post-quantum half."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyingKey:
    """The public half of a signing key."""

    public_key: bytes
    """Ed25519, 32 bytes."""
    pq_public_key: bytes = b""
    """ML-DSA-65, 1952 bytes, or empty."""
    _edwards: ed25519.Ed25519PublicKey = field(init=False, repr=False, compare=False)
    _lattice: mldsa.MLDSA65PublicKey | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Parse the key.

        Raises:
            ValueError: A part has the wrong length, or the Ed25519 key is a point of small order.
        """
        if len(self.public_key) != ED25519_PUBLIC_BYTES:
            raise ValueError(f"an Ed25519 public key has 32 bytes, found {len(self.public_key)}")
        if int.from_bytes(self.public_key, "little") % 2**255 in _SMALL_ORDER:
            raise ValueError("the Ed25519 public key is a point of small order")
        if len(self.pq_public_key) not in {0, MLDSA65_PUBLIC_BYTES}:
            raise ValueError(
                f"an ML-DSA-65 public key has 1952 bytes, found {len(self.pq_public_key)}"
            )
        object.__setattr__(
            self, "_edwards", ed25519.Ed25519PublicKey.from_public_bytes(self.public_key)
        )
        lattice = (
            mldsa.MLDSA65PublicKey.from_public_bytes(self.pq_public_key)
            if self.pq_public_key
            else None
        )
        object.__setattr__(self, "_lattice", lattice)

    @property
    def key_id(self) -> KeyId:
        """First 32 hex digits of SHA-256 over both public parts."""
        return key_id_of(self.public_key, self.pq_public_key)

    def verify(self, signature: Signature, payload_type: str, *parts: bytes) -> None:
        """Verify a signature over the pre-authentication encoding of the parts.

        Raises:
            BadSignatureError: A half is missing, superfluous or wrong.
        """
        self.verify_raw(signature, pae(payload_type, *parts))

    def verify_raw(self, signature: Signature, message: bytes) -> None:
        """Verify a signature over bytes that carry their own context, such as a signed note.

        Raises:
            BadSignatureError: A half is missing, superfluous or wrong.
        """
        if (self._lattice is None) != (not signature.post_quantum):
            raise BadSignatureError(f"key {self.key_id}: number of signature halves differs")
        try:
            self._edwards.verify(signature.classical, message)
            if self._lattice is not None:
                self._lattice.verify(signature.post_quantum, message)
        except InvalidSignature as error:
            raise BadSignatureError(f"key {self.key_id}: the signature does not fit") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A private signing key: Ed25519, with ML-DSA-65 beside it for hubs."""

    verifying: VerifyingKey
    """The public half."""
    _edwards: ed25519.Ed25519PrivateKey = field(repr=False, compare=False)
    _lattice: mldsa.MLDSA65PrivateKey | None = field(repr=False, compare=False)

    @classmethod
    def generate(cls, *, post_quantum: bool) -> SigningKey:
        """Make a new key.

        Args:
            post_quantum: Whether the key has an ML-DSA-65 half.
        """
        return cls._of(
            ed25519.Ed25519PrivateKey.generate(),
            mldsa.MLDSA65PrivateKey.generate() if post_quantum else None,
        )

    @classmethod
    def _of(
        cls, edwards: ed25519.Ed25519PrivateKey, lattice: mldsa.MLDSA65PrivateKey | None
    ) -> SigningKey:
        verifying = VerifyingKey(
            public_key=edwards.public_key().public_bytes_raw(),
            pq_public_key=lattice.public_key().public_bytes_raw() if lattice else b"",
        )
        return cls(verifying=verifying, _edwards=edwards, _lattice=lattice)

    @property
    def key_id(self) -> KeyId:
        """Key id of the public half."""
        return self.verifying.key_id

    def sign(self, payload_type: str, *parts: bytes) -> Signature:
        """Sign the pre-authentication encoding of the parts."""
        return self.sign_raw(pae(payload_type, *parts))

    def sign_raw(self, message: bytes) -> Signature:
        """Sign bytes that carry their own context and never begin like the encoding of parts."""
        return Signature(
            classical=self._edwards.sign(message),
            post_quantum=self._lattice.sign(message) if self._lattice else b"",
        )

    def save(self, path: Path) -> None:
        """Write the private key to a new file of mode 0600.

        Raises:
            KeyFileError: The file is already there or cannot be written.
        """
        seeds = [self._edwards.private_bytes_raw()]
        if self._lattice:
            seeds.append(self._lattice.private_bytes_raw())
        _save(path, _SIGNING_HEADER, *(seed.hex() for seed in seeds))

    @classmethod
    def load(cls, path: Path) -> SigningKey:
        """Read a private key.

        Raises:
            KeyFileError: The file is missing, damaged or open to others.
        """
        seeds = [_seed(path, line, _SEED_BYTES) for line in _load(path, _SIGNING_HEADER, (1, 2))]
        return cls._of(
            ed25519.Ed25519PrivateKey.from_private_bytes(seeds[0]),
            mldsa.MLDSA65PrivateKey.from_seed_bytes(seeds[1]) if len(seeds) == 2 else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptionKey:
    """A private key that envelopes are sealed to."""

    suite: Suite
    """Suite of the key."""
    public_bytes: bytes
    """Serialised public key."""
    handle: PrivateHandle = field(repr=False, compare=False)
    """The parsed private key."""
    _private: bytes = field(repr=False, compare=False)

    @classmethod
    def generate(cls, suite: Suite | str) -> EncryptionKey:
        """Make a new key of a suite.

        Raises:
            UnknownSuiteError: No suite has the given name.
        """
        chosen = get_suite(suite) if isinstance(suite, str) else suite
        return cls._of(chosen, chosen.encapsulation.generate())

    @classmethod
    def _of(cls, suite: Suite, private: bytes) -> EncryptionKey:
        return cls(
            suite=suite,
            public_bytes=suite.encapsulation.public_of(private),
            handle=suite.encapsulation.load_private(private),
            _private=private,
        )

    @property
    def key_id(self) -> KeyId:
        """First 32 hex digits of SHA-256 over the public key."""
        return key_id_of(self.public_bytes)

    def save(self, path: Path) -> None:
        """Write the private key to a new file of mode 0600.

        Raises:
            KeyFileError: The file is already there or cannot be written.
        """
        _save(path, _ENCRYPTION_HEADER, self.suite.name, self._private.hex())

    @classmethod
    def load(cls, path: Path) -> EncryptionKey:
        """Read a private key.

        Raises:
            KeyFileError: The file is missing, damaged, open to others or of an unknown suite.
        """
        name, line = _load(path, _ENCRYPTION_HEADER, (2,))
        try:
            suite = get_suite(name)
        except UnknownSuiteError as error:
            raise KeyFileError(f"{path}: {error}") from error
        return cls._of(suite, _seed(path, line, suite.encapsulation.private_bytes))


def _save(path: Path, header: str, *lines: str) -> None:
    write_private(path, "\n".join((header, *lines, "")).encode())


def _load(path: Path, header: str, counts: tuple[int, ...]) -> list[str]:
    try:
        lines = read_private(path, _MAX_KEY_FILE_BYTES).decode("ascii").splitlines()
    except UnicodeDecodeError as error:
        raise KeyFileError(f"{path} is not a key file: {header} expected") from error
    if not lines or lines[0] != header or len(lines) - 1 not in counts:
        raise KeyFileError(f"{path} is damaged or is another kind of key: {header} expected")
    return lines[1:]


def _seed(path: Path, line: str, length: int) -> bytes:
    try:
        seed = bytes.fromhex(line)
    except ValueError as error:
        raise KeyFileError(f"{path} is damaged: hex digits expected") from error
    if len(seed) != length:
        raise KeyFileError(f"{path} is damaged: {length} bytes expected, found {len(seed)}")
    return seed
