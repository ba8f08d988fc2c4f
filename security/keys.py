"""Signing and encryption keys of a member.

Rules: signing and encryption keys are separate; a key with a post-quantum half counts as signed
only when both halves verify; private parts live in files of mode 0600 and never in a repr, a log
or an error. A key id is the first 32 hex digits of SHA-256 over the public parts, in order.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NewType

from security.encoding import pae
from security.errors import BadSignatureError, KeyFileError, UnknownSuiteError
from security.private_files import read_private, write_private
from security.signatures import (
    MLDSA65_SIGNATURE_BYTES,
    SIGNATURE_BYTES,
    Signature,
    SignatureScheme,
    Signer,
    Verifier,
    generate_signer,
    load_signer,
    load_verifier,
)
from security.suites import PrivateHandle, Suite, get_suite

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "MLDSA65_SIGNATURE_BYTES",
    "SIGNATURE_BYTES",
    "EncryptionKey",
    "KeyId",
    "Signature",
    "SigningKey",
    "VerifyingKey",
    "key_id_of",
]

KeyId = NewType("KeyId", str)

_SEED_BYTES: Final = 32
_MAX_KEY_FILE_BYTES: Final = 4096
_SIGNING_HEADERS: Final = {
    SignatureScheme.ED25519: "yixin-signing-key-1",
    SignatureScheme.SM2_SM3: "yixin-sm2-signing-key-1",
}
_ENCRYPTION_HEADER: Final = "yixin-encryption-key-1"


def key_id_of(public_key: bytes, pq_public_key: bytes = b"") -> KeyId:
    """Name a key by its public parts."""
    return KeyId(hashlib.sha256(public_key + pq_public_key).hexdigest()[:32])


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyingKey:
    """The public half of a signing key."""

    public_key: bytes
    """Ed25519 (32 bytes) or SM2 (65)."""
    pq_public_key: bytes = b""
    """ML-DSA-65, 1952 bytes, or empty."""
    scheme: SignatureScheme = SignatureScheme.ED25519
    """How the key signs."""
    _verifier: Verifier = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Parse the key.

        Raises:
            ValueError: A part is no key of the scheme.
            UnknownSuiteError: The scheme needs an extra that is not installed.
        """
        verifier = load_verifier(self.scheme, self.public_key, self.pq_public_key)
        object.__setattr__(self, "_verifier", verifier)

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
        if bool(self.pq_public_key) != bool(signature.post_quantum):
            raise BadSignatureError(f"key {self.key_id}: number of signature halves differs")
        if not self._verifier.is_signed(signature, message):
            raise BadSignatureError(f"key {self.key_id}: the signature does not fit")


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A private signing key: Ed25519, with ML-DSA-65 beside it for hubs, or SM2."""

    verifying: VerifyingKey
    """The public half."""
    _signer: Signer = field(repr=False, compare=False)

    @classmethod
    def generate(
        cls, *, post_quantum: bool, scheme: SignatureScheme = SignatureScheme.ED25519
    ) -> SigningKey:
        """Make a new key.

        Args:
            post_quantum: Whether the key has an ML-DSA-65 half.
            scheme: How the key signs; ``get_suite(name).signature``.

        Raises:
            ValueError: The scheme has no post-quantum half.
            UnknownSuiteError: The scheme needs an extra that is not installed.
        """
        return cls._of(scheme, generate_signer(scheme, post_quantum=post_quantum))

    @classmethod
    def _of(cls, scheme: SignatureScheme, signer: Signer) -> SigningKey:
        verifying = VerifyingKey(
            public_key=signer.public_key, pq_public_key=signer.pq_public_key, scheme=scheme
        )
        return cls(verifying=verifying, _signer=signer)

    @property
    def key_id(self) -> KeyId:
        """Key id of the public half."""
        return self.verifying.key_id

    def sign(self, payload_type: str, *parts: bytes) -> Signature:
        """Sign the pre-authentication encoding of the parts."""
        return self.sign_raw(pae(payload_type, *parts))

    def sign_raw(self, message: bytes) -> Signature:
        """Sign bytes that carry their own context and never begin like the encoding of parts."""
        return self._signer.sign(message)

    def save(self, path: Path) -> None:
        """Write the private key to a new file of mode 0600.

        Raises:
            KeyFileError: The file is already there or cannot be written.
        """
        header = _SIGNING_HEADERS[self.verifying.scheme]
        _save(path, header, *(seed.hex() for seed in self._signer.seeds))

    @classmethod
    def load(cls, path: Path) -> SigningKey:
        """Read a private key.

        Raises:
            KeyFileError: The file is missing, damaged, open to others, or of a scheme whose extra
                is not installed.
        """
        header, lines = _read(path, tuple(_SIGNING_HEADERS.values()))
        scheme = next(scheme for scheme, known in _SIGNING_HEADERS.items() if known == header)
        if len(lines) not in ((1, 2) if scheme is SignatureScheme.ED25519 else (1,)):
            raise KeyFileError(f"{path} is damaged or is another kind of key: {header} expected")
        seeds = [_seed(path, line, _SEED_BYTES) for line in lines]
        try:
            return cls._of(scheme, load_signer(scheme, seeds))
        except (ValueError, UnknownSuiteError) as error:
            raise KeyFileError(f"{path}: {error}") from error


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
        return cls._of(chosen, chosen.sealing.generate())

    @classmethod
    def _of(cls, suite: Suite, private: bytes) -> EncryptionKey:
        handle = suite.sealing.load_private(private)
        return cls(suite=suite, public_bytes=handle.public_bytes, handle=handle, _private=private)

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
        header, lines = _read(path, (_ENCRYPTION_HEADER,))
        if len(lines) != 2:
            raise KeyFileError(f"{path} is damaged or is another kind of key: {header} expected")
        name, line = lines
        try:
            suite = get_suite(name)
            return cls._of(suite, _seed(path, line, suite.sealing.private_bytes))
        except (ValueError, UnknownSuiteError) as error:
            raise KeyFileError(f"{path}: {error}") from error


def _save(path: Path, header: str, *lines: str) -> None:
    write_private(path, "\n".join((header, *lines, "")).encode())


def _read(path: Path, headers: tuple[str, ...]) -> tuple[str, list[str]]:
    """First line and the others of a key file; the first must be one of ``headers``."""
    try:
        lines = read_private(path, _MAX_KEY_FILE_BYTES).decode("ascii").splitlines()
    except UnicodeDecodeError as error:
        raise KeyFileError(f"{path} is not a key file: {headers[0]} expected") from error
    if not lines or lines[0] not in headers:
        raise KeyFileError(f"{path} is damaged or is another kind of key: {headers[0]} expected")
    return lines[0], lines[1:]


def _seed(path: Path, line: str, length: int) -> bytes:
    try:
        seed = bytes.fromhex(line)
    except ValueError as error:
        raise KeyFileError(f"{path} is damaged: hex digits expected") from error
    if len(seed) != length:
        raise KeyFileError(f"{path} is damaged: {length} bytes expected, found {len(seed)}")
    return seed
