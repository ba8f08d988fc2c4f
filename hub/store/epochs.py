"""Epochs (密钥期) of a hub's own keys: the files in its directory, and which one signs now.

Rules: a key is made once, in a file of its own, and never overwritten; keys are numbered from 1
per use and suite; what members of ``GM`` are told is signed by two keys, the hub's and its SM2 key;
a retired decryption key stays, because what the hub stored is sealed to it.
``encryption.key`` of an older program is the first encryption key.
"""

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from security.errors import KeyFileError
from security.keys import EncryptionKey, KeyId, SigningKey
from security.suites import get_suite, named_suite

SUITE: Final = "INTL-PQ"
"""Suite of the key that signs for everybody, and of members that name no other."""
LEGACY_ENCRYPTION_KEY: Final = "encryption.key"

_SIGNING: Final = re.compile(r"hub-signing-(?:(?P<suite>[A-Z]+)-)?(?P<number>\d{4})\.key")
_ENCRYPTION: Final = re.compile(r"hub-encryption-(?P<suite>[A-Z][A-Z-]*)-(?P<number>\d{4})\.key")


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningEpoch:
    """A signing key in force."""

    key: SigningKey
    """The key."""
    since_ms: int
    """First moment of its certificate, milliseconds since the epoch, UTC."""


class HubEpochs:
    """The keys of one hub by epoch; safe to share between threads.

    Example:
        >>> import tempfile
        >>> epochs = HubEpochs.load(Path(tempfile.mkdtemp()))
        >>> key = epochs.new_signing()
        >>> [held.key_id for held in epochs.signing_keys()] == [key.key_id]
        True
    """

    __slots__ = ("_current", "_decryption", "_directory", "_encryption", "_lock", "_signing")

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._signing: dict[str, dict[int, SigningKey]] = {}
        self._encryption: dict[str, dict[int, EncryptionKey]] = {}
        self._decryption: dict[str, EncryptionKey] = {}
        self._current: dict[str, SigningEpoch] = {}

    @classmethod
    def load(cls, directory: Path) -> "HubEpochs":
        """Load every epoch of a directory.

        Raises:
            KeyFileError: A key file is damaged or open to others, or is of another suite than its
                name says.
        """
        epochs = cls(directory)
        for path in sorted(directory.glob("*.key")):
            signing, encryption = _SIGNING.fullmatch(path.name), _ENCRYPTION.fullmatch(path.name)
            if signing is not None:
                suite, held = signing["suite"] or SUITE, SigningKey.load(path)
                if held.verifying.scheme is not named_suite(suite).signature:
                    raise KeyFileError(f"{path} holds no signing key of {suite}; restore it")
                epochs._hold_signing(suite, held, int(signing["number"]))
            elif encryption is not None:
                key = EncryptionKey.load(path)
                if key.suite.name != encryption["suite"]:
                    raise KeyFileError(f"{path} holds a key of {key.suite.name}; restore it")
                epochs._hold(key, int(encryption["number"]))
            elif path.name == LEGACY_ENCRYPTION_KEY:
                epochs._hold(EncryptionKey.load(path), 1)
        return epochs

    def current(self, suite: str = SUITE) -> SigningEpoch | None:
        """The key of a suite that signs now; None before one was certified."""
        return self._current.get(suite)

    def signing_keys(self, suite: str = SUITE) -> tuple[SigningKey, ...]:
        """Every signing key of a suite, oldest first."""
        return tuple(key for _, key in sorted(self._signing.get(suite, {}).items()))

    @property
    def decryption_keys(self) -> Mapping[str, EncryptionKey]:
        """Keys that open envelopes, by key id; a view that grows with new epochs."""
        return MappingProxyType(self._decryption)

    def encryption_keys(self, suite: str) -> tuple[EncryptionKey, ...]:
        """Every encryption key of a suite, oldest first."""
        return tuple(key for _, key in sorted(self._encryption.get(suite, {}).items()))

    def use(self, suite: str, key_id: KeyId | str | None, since_ms: int) -> None:
        """Name the key of a suite that signs from now on; None when none is certified."""
        found = next((key for key in self.signing_keys(suite) if key.key_id == key_id), None)
        others = {name: held for name, held in self._current.items() if name != suite}
        self._current = others | (
            {suite: SigningEpoch(key=found, since_ms=since_ms)} if found else {}
        )

    def new_signing(self, suite: str = SUITE) -> SigningKey:
        """Make the next signing key of a suite; it signs nothing before it is certified.

        Raises:
            UnknownSuiteError: No such suite, or its extra is not installed.
            KeyFileError: The file cannot be written.
        """
        with self._lock:
            number = max(self._signing.get(suite, {}), default=0) + 1
            scheme, part = get_suite(suite).signature, "" if suite == SUITE else f"{suite}-"
            key = SigningKey.generate(post_quantum=suite == SUITE, scheme=scheme)
            key.save(self._directory / f"hub-signing-{part}{number:04}.key")
            self._hold_signing(suite, key, number)
            return key

    def new_encryption(self, suite: str) -> EncryptionKey:
        """Make the next encryption key of a suite.

        Raises:
            UnknownSuiteError: No such suite.
            KeyFileError: The file cannot be written.
        """
        with self._lock:
            number = max(self._encryption.get(suite, {}), default=0) + 1
            key = EncryptionKey.generate(get_suite(suite))
            key.save(self._directory / f"hub-encryption-{suite}-{number:04}.key")
            self._hold(key, number)
            return key

    def _hold_signing(self, suite: str, key: SigningKey, number: int) -> None:
        self._signing[suite] = self._signing.get(suite, {}) | {number: key}

    def _hold(self, key: EncryptionKey, number: int) -> None:
        held = self._encryption.get(key.suite.name, {})
        self._encryption[key.suite.name] = held | {number: key}
        self._decryption[key.key_id] = key
