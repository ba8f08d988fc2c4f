"""Epochs (密钥期) of a hub's own keys: the files in its directory, and which one signs now.

Rules: a key is made once, in a file of its own, and never overwritten; keys are numbered from 1
per use and suite; a retired decryption key stays, because what the hub stored is sealed to it.
``encryption.key`` of an older program is the first encryption key.
"""

import re
import threading
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from security.errors import KeyFileError
from security.keys import EncryptionKey, KeyId, SigningKey
from security.suites import get_suite

SUITE: Final = "INTL-PQ"
"""Suite of the hub's signing key, and of members that name no other."""
LEGACY_ENCRYPTION_KEY: Final = "encryption.key"

_SIGNING: Final = re.compile(r"hub-signing-(?P<number>\d{4})\.key")
_ENCRYPTION: Final = re.compile(r"hub-encryption-(?P<suite>[A-Z][A-Z-]*)-(?P<number>\d{4})\.key")


class HubEpochs:
    """The keys of one hub by epoch; safe to share between threads.

    Example:
        >>> import tempfile
        >>> epochs = HubEpochs.load(Path(tempfile.mkdtemp()))
        >>> key = epochs.new_signing()
        >>> [held.key_id for held in epochs.signing_keys] == [key.key_id]
        True
    """

    __slots__ = ("_current", "_decryption", "_directory", "_encryption", "_lock", "_signing")

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._signing: dict[int, SigningKey] = {}
        self._encryption: dict[str, dict[int, EncryptionKey]] = {}
        self._decryption: dict[str, EncryptionKey] = {}
        self._current: SigningKey | None = None

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
                epochs._signing[int(signing["number"])] = SigningKey.load(path)
            elif encryption is not None:
                key = EncryptionKey.load(path)
                if key.suite.name != encryption["suite"]:
                    raise KeyFileError(f"{path} holds a key of {key.suite.name}; restore it")
                epochs._hold(key, int(encryption["number"]))
            elif path.name == LEGACY_ENCRYPTION_KEY:
                epochs._hold(EncryptionKey.load(path), 1)
        return epochs

    @property
    def current(self) -> SigningKey | None:
        """The key that signs now; None before one was certified."""
        return self._current

    @property
    def signing_keys(self) -> tuple[SigningKey, ...]:
        """Every signing key, oldest first."""
        return tuple(key for _, key in sorted(self._signing.items()))

    @property
    def decryption_keys(self) -> Mapping[str, EncryptionKey]:
        """Keys that open envelopes, by key id; a view that grows with new epochs."""
        return MappingProxyType(self._decryption)

    def encryption_keys(self, suite: str) -> tuple[EncryptionKey, ...]:
        """Every encryption key of a suite, oldest first."""
        return tuple(key for _, key in sorted(self._encryption.get(suite, {}).items()))

    def use(self, key_id: KeyId | str | None) -> None:
        """Name the key that signs from now on; None when none is certified."""
        found = (key for key in self._signing.values() if key.key_id == key_id)
        self._current = next(found, None)

    def new_signing(self) -> SigningKey:
        """Make the next signing key; it signs nothing before it is certified.

        Raises:
            KeyFileError: The file cannot be written.
        """
        with self._lock:
            number = max(self._signing, default=0) + 1
            key = SigningKey.generate(post_quantum=True)
            key.save(self._directory / f"hub-signing-{number:04}.key")
            self._signing = self._signing | {number: key}
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

    def _hold(self, key: EncryptionKey, number: int) -> None:
        held = self._encryption.get(key.suite.name, {})
        self._encryption[key.suite.name] = held | {number: key}
        self._decryption[key.key_id] = key
