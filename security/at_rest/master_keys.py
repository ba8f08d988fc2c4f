"""What protects a key ring on disk (主密钥): its file's mode, or a slot of a security module.

Rules: in a file of mode 0600 the keys stand as they are; under a PKCS #11 token they stand
encrypted by an AES key that never leaves it, each for its epoch. Where the module lies and its PIN
come from the environment of the process, never from the ring.
"""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from security.encoding import pae
from security.errors import KeyFileError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FILE", "FileMaster", "MasterKey", "TokenMaster", "find_master"]

MODULE_VARIABLE: Final = "YIXIN_PKCS11_MODULE"
PIN_VARIABLE: Final = "YIXIN_PKCS11_PIN"
_NONCE_BYTES: Final = 12
_CONTEXT: Final = "yixin/key-ring/epoch/v1"


class MasterKey(Protocol):
    """Protects the keys of a ring."""

    @property
    def line(self) -> str:
        """How the ring's file names it."""

    def close_key(self, epoch: int, key: bytes) -> bytes:
        """Protect the key of an epoch."""

    def open_key(self, epoch: int, closed: bytes) -> bytes:
        """Open the key of an epoch.

        Raises:
            KeyFileError: The token is absent or refuses, or the key was changed or moved.
        """


@dataclass(frozen=True, slots=True)
class FileMaster:
    """The file's mode is all the protection there is."""

    line: str = "file"

    def close_key(self, epoch: int, key: bytes) -> bytes:
        """The key itself."""
        del epoch
        return key

    def open_key(self, epoch: int, closed: bytes) -> bytes:
        """The key itself."""
        del epoch
        return closed


FILE: Final = FileMaster()


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenMaster:
    """An AES-256 key of a PKCS #11 token, by AES-GCM inside the token."""

    token: str
    """Label of the token."""
    label: str
    """Label of its key."""

    @property
    def line(self) -> str:
        """How the ring's file names it."""
        return f"pkcs11 {self.token} {self.label}"

    def create(self) -> None:
        """Make the key in the token: it cannot be read out.

        Raises:
            KeyFileError: The token is absent or refuses, or it holds such a key already.
        """
        with self._session() as (session, pkcs11):
            if list(session.get_objects(self._wanted(pkcs11))):
                raise KeyFileError(
                    f"token {self.token!r} already holds a key {self.label!r}; name another one"
                )
            session.generate_key(
                pkcs11.KeyType.AES,
                256,
                label=self.label,
                store=True,
                template={
                    pkcs11.Attribute.SENSITIVE: True,
                    pkcs11.Attribute.EXTRACTABLE: False,
                },
            )

    def close_key(self, epoch: int, key: bytes) -> bytes:
        """Encrypt the key of an epoch inside the token."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        with self._session() as (session, pkcs11):
            sealed: bytes = self._key(session, pkcs11).encrypt(
                key,
                mechanism=pkcs11.Mechanism.AES_GCM,
                mechanism_param=pkcs11.GCMParams(nonce, _bound(epoch), 128),
            )
        return nonce + sealed

    def open_key(self, epoch: int, closed: bytes) -> bytes:
        """Decrypt the key of an epoch inside the token."""
        nonce, sealed = closed[:_NONCE_BYTES], closed[_NONCE_BYTES:]
        with self._session() as (session, pkcs11):
            key: bytes = self._key(session, pkcs11).decrypt(
                sealed,
                mechanism=pkcs11.Mechanism.AES_GCM,
                mechanism_param=pkcs11.GCMParams(nonce, _bound(epoch), 128),
            )
        return key

    def _wanted(self, pkcs11: Any) -> dict[Any, Any]:  # noqa: ANN401 - the library ships no types
        return {
            pkcs11.Attribute.CLASS: pkcs11.ObjectClass.SECRET_KEY,
            pkcs11.Attribute.LABEL: self.label,
        }

    def _key(self, session: Any, pkcs11: Any) -> Any:  # noqa: ANN401 - the library ships no types
        found = list(session.get_objects(self._wanted(pkcs11)))
        if len(found) != 1:
            raise KeyFileError(
                f"token {self.token!r} holds {len(found)} keys {self.label!r}, expected one"
            )
        return found[0]

    @contextmanager
    def _session(self) -> Iterator[tuple[Any, Any]]:
        try:
            import pkcs11  # noqa: PLC0415 - an extra
            from pkcs11.exceptions import PKCS11Error  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise KeyFileError(
                "the key ring is protected by a PKCS #11 token, and its library is not installed: "
                'pip install "yixin[hsm]"'
            ) from error
        path, pin = os.environ.get(MODULE_VARIABLE), os.environ.get(PIN_VARIABLE)
        if not path or not pin:
            raise KeyFileError(
                f"the token {self.token!r} needs {MODULE_VARIABLE} (its module's file) and "
                f"{PIN_VARIABLE} in the environment of this process"
            )
        try:
            token = pkcs11.lib(path).get_token(token_label=self.token)
            with token.open(user_pin=pin, rw=True) as session:
                yield session, pkcs11
        except (PKCS11Error, RuntimeError, OSError) as error:
            raise KeyFileError(
                f"token {self.token!r} cannot be used ({type(error).__name__}); check that it is "
                f"plugged in, that its PIN is right and that {MODULE_VARIABLE} names its module"
            ) from error


def find_master(line: str) -> MasterKey:
    """The master key that a ring's file names.

    Raises:
        KeyFileError: It names none.
    """
    words = line.split(" ")
    if words == [FILE.line]:
        return FILE
    if len(words) == 3 and words[0] == "pkcs11" and all(words):
        return TokenMaster(token=words[1], label=words[2])
    raise KeyFileError(f"the key ring names the master key {line[:40]!r}, expected file or pkcs11")


def _bound(epoch: int) -> bytes:
    return pae(_CONTEXT, str(epoch).encode())
