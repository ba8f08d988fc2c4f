"""The key by which a person signs commands (操作员密钥): Ed25519, in a file of mode 0600.

Rules: the file is PKCS #8 in PEM, with a passphrase where its owner wants one; the public half is
one line of text that is handed to the hub's officer.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from security.errors import KeyFileError
from security.keys import VerifyingKey
from security.private_files import read_private, write_private

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["create_person_key", "load_person_key", "parse_public_key", "public_line"]

PREFIX: Final = "yixin-operator-1"
MIN_PASSPHRASE_CHARS: Final = 12
_MAX_BYTES: Final = 4096


def create_person_key(path: Path, passphrase: str = "") -> bytes:
    """Make a key in a new file of mode 0600.

    Args:
        path: Where; the directory must exist.
        passphrase: At least 12 characters, or empty for none.

    Returns:
        The public key, 32 bytes.

    Raises:
        KeyFileError: The file is already there or cannot be written, or the passphrase is short.
    """
    if passphrase and len(passphrase) < MIN_PASSPHRASE_CHARS:
        raise KeyFileError(
            f"the passphrase has {len(passphrase)} characters, expected at least "
            f"{MIN_PASSPHRASE_CHARS}, or none at all; choose a longer one"
        )
    key = ed25519.Ed25519PrivateKey.generate()
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(passphrase.encode())
        if passphrase
        else serialization.NoEncryption(),
    )
    write_private(path, pem)
    return key.public_key().public_bytes_raw()


def load_person_key(path: Path, ask: Callable[[], str]) -> ed25519.Ed25519PrivateKey:
    """Read a key.

    Args:
        path: Its file.
        ask: Gives the passphrase; called only where the file has one.

    Raises:
        KeyFileError: The file is missing, damaged, open to others, of another kind, or the
            passphrase is wrong.
    """
    pem = read_private(path, _MAX_BYTES)
    try:
        try:
            key = serialization.load_pem_private_key(pem, None)
        except TypeError:
            key = serialization.load_pem_private_key(pem, ask().encode())
    except (ValueError, TypeError) as error:
        raise KeyFileError(
            f"{path} does not open as an operator's key: it is damaged or no such key, or the "
            "passphrase is wrong. Make one with: yixin hub operators key new --out FILE"
        ) from error
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise KeyFileError(f"{path} holds {type(key).__name__}, expected an Ed25519 key")
    return key


def public_line(public_key: bytes) -> str:
    """The public half as one line of text.

    >>> public_line(bytes(32))[:24]
    'yixin-operator-1.AAAAAAA'
    """
    return f"{PREFIX}.{base64.urlsafe_b64encode(public_key).decode().rstrip('=')}"


def parse_public_key(line: str) -> bytes:
    """Read the public half.

    Args:
        line: As `public_line` writes it.

    Returns:
        The key, 32 bytes.

    Raises:
        KeyFileError: It is no such line, or the key is one for which anybody can sign.
    """
    stripped = line.strip()
    text = stripped.removeprefix(f"{PREFIX}.")
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        VerifyingKey(public_key=key)
    except (ValueError, binascii.Error):
        key = b""
    # One key has one writing only.
    if not key or public_line(key) != stripped:
        raise KeyFileError(
            f"{line[:24]!r} is not the public key of an operator; expected the line that begins "
            f"with {PREFIX}. and was printed by `yixin hub operators key new`"
        )
    return key
