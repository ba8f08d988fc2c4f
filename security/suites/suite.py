"""What a suite is, and the three there are."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Protocol

from security import sm2
from security.errors import UnknownSuiteError, UnreadableEnvelopeError
from security.signatures import SignatureScheme
from security.suites.gm_sealing import SM2_SM4
from security.suites.hpke_sealing import HYBRID, X25519

if TYPE_CHECKING:
    from security.keys import EncryptionKey

_PARSED_KEYS: Final = 4096


class PublicHandle(Protocol):
    """A parsed public key that payloads are sealed to."""

    def encrypt(self, plaintext: bytes, info: bytes) -> bytes:
        """Encrypt; the result is longer by the suite's overhead."""


class PrivateHandle(Protocol):
    """A parsed private key."""

    @property
    def public_bytes(self) -> bytes:
        """The public key that belongs to it, serialised."""

    def decrypt(self, ciphertext: bytes, info: bytes) -> bytes:
        """Decrypt.

        Raises:
            ValueError: Not made for this key and this ``info``, or changed since.
        """


class Sealing(Protocol):
    """One way to encrypt to a public key, and its key formats."""

    public_bytes: int
    """Length of a public key."""
    private_bytes: int
    """Length of a private key."""
    overhead_bytes: int
    """Bytes that encryption adds to a plaintext."""

    def generate(self) -> bytes:
        """Make a new private key, serialised."""

    def load_private(self, private_key: bytes) -> PrivateHandle:
        """Parse a private key of the right length.

        Raises:
            ValueError: The bytes are no private key.
        """

    def load_public(self, public_key: bytes) -> PublicHandle:
        """Parse a public key of the right length.

        Raises:
            ValueError: The bytes are no public key.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """One named suite."""

    name: str
    """Name on the wire."""
    signature: SignatureScheme
    """How members of this suite sign."""
    sealing: Sealing = field(repr=False, compare=False)
    """How payloads are encrypted."""

    @property
    def overhead_bytes(self) -> int:
        """Bytes that sealing adds to a plaintext."""
        return self.sealing.overhead_bytes

    def seal(self, public_key: bytes, plaintext: bytes, info: bytes) -> bytes:
        """Encrypt to a public key.

        Args:
            public_key: Recipient's public key, ``sealing.public_bytes`` long.
            plaintext: What to encrypt.
            info: Context that must be equal at opening; here the hash of the signed header.

        Raises:
            ValueError: The public key is not a key of this suite.
        """
        return load_public_key(self.name, public_key).encrypt(plaintext, info)

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
            return key.handle.decrypt(ciphertext, info)
        except ValueError as error:
            raise UnreadableEnvelopeError("the ciphertext does not open") from error


INTL_PQ: Final = Suite(name="INTL-PQ", signature=SignatureScheme.ED25519, sealing=HYBRID)
"""The default: a recording kept today stays closed to a later quantum computer."""

INTL: Final = Suite(name="INTL", signature=SignatureScheme.ED25519, sealing=X25519)
"""For members whose platform cannot do ML-KEM."""

GM: Final = Suite(name="GM", signature=SignatureScheme.SM2_SM3, sealing=SM2_SM4)
"""National cryptography (国密); works where the extra ``gm`` is installed."""

_SUITES: Final = {suite.name: suite for suite in (INTL_PQ, INTL, GM)}

SUITE_NAMES: Final = tuple(_SUITES)
"""Every suite of this release, the preferred one first."""


def named_suite(name: str) -> Suite:
    """Find a suite by its exact name, to read what it bounds; its extra may be missing.

    Raises:
        UnknownSuiteError: No such suite; there is no fallback.

    >>> named_suite("INTL-PQ").overhead_bytes
    1136
    """
    try:
        return _SUITES[name]
    except KeyError:
        raise UnknownSuiteError(
            f"suite {name[:40]!r} is not known; this release speaks {', '.join(_SUITES)}"
        ) from None


def get_suite(name: str) -> Suite:
    """Find a suite by its exact name, to encrypt, sign or verify with.

    Raises:
        UnknownSuiteError: No such suite, or its extra is not installed.
    """
    suite = named_suite(name)
    if suite is GM:
        sm2.require()
    return suite


def available_suites() -> tuple[str, ...]:
    """Suites that work on this machine, the preferred one first."""
    try:
        sm2.require()
    except UnknownSuiteError:
        return tuple(name for name in SUITE_NAMES if name != GM.name)
    return SUITE_NAMES


@lru_cache(maxsize=_PARSED_KEYS)
def load_public_key(suite: str, public_key: bytes) -> PublicHandle:
    """Parse a public key of a suite; parsed keys are kept, since parsing costs like sealing.

    Raises:
        UnknownSuiteError: No such suite.
        ValueError: The bytes are not a public key of the suite.
    """
    sealing = get_suite(suite).sealing
    if len(public_key) != sealing.public_bytes:
        raise ValueError(
            f"a public key of suite {suite} has {sealing.public_bytes} bytes, "
            f"found {len(public_key)}"
        )
    return sealing.load_public(public_key)
