"""Keys of who signs packs: one file and one holder each, and what may be shown of it.

Rules:
    1. A private key is a file of mode 0600 at its holder; it never enters a repository.
    2. The public file names the holder and the role, so that a root can be made of files.
    3. Ed25519, or ML-DSA-65 for roots that must outlast quantum computers.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, mldsa
from securesystemslib.signer import CryptoSigner, SSlibKey

from security.errors import KeyFileError, PackError
from security.private_files import read_private, write_private

if TYPE_CHECKING:
    from pathlib import Path

MAX_KEY_BYTES: Final = 16 * 1024
_NAME_CHARS: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")


class Role(StrEnum):
    """What a key signs."""

    ROOT = "root"
    """Who may sign what; offline, two of three."""
    TARGETS = "targets"
    """Which packs hold; business and security officer, both."""
    ONLINE = "online"
    """What is newest; at the hub that releases."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A public key and its holder."""

    holder: str
    role: Role
    key: SSlibKey

    @property
    def key_id(self) -> str:
        """Id of the key."""
        return str(self.key.keyid)


def create_key(path: Path, holder: str, role: Role, *, post_quantum: bool) -> PublicKey:
    """Make a key: ``path`` with the private half, and beside it a ``.pub`` file to hand out.

    Args:
        path: Where the private half goes.
        holder: Who holds it: lower-case letters, digits, ``-`` and ``_``.
        role: What it signs.
        post_quantum: ML-DSA-65 in place of Ed25519.

    Raises:
        KeyFileError: A file is already there, or cannot be written.
        PackError: The holder's name has other characters.
    """
    if not holder or len(holder) > 64 or not set(holder) <= _NAME_CHARS:
        raise PackError(f"{holder[:64]!r}: name the holder by small letters, digits, - and _")
    private = (
        mldsa.MLDSA65PrivateKey.generate() if post_quantum else ed25519.Ed25519PrivateKey.generate()
    )
    content = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = PublicKey(holder=holder, role=role, key=CryptoSigner(private).public_key)
    write_private(path, content)
    document = {"holder": holder, "role": role, "keyid": public.key_id, "key": public.key.to_dict()}
    write_private(public_path(path), json.dumps(document, indent=1, sort_keys=True).encode())
    return public


def public_path(path: Path) -> Path:
    """The public file beside a private one."""
    return path.with_name(f"{path.name}.pub")


def load_signer(path: Path) -> CryptoSigner:
    """Load the private half of a key.

    Raises:
        KeyFileError: The file is missing, damaged, open to others, or of another kind of key.
    """
    try:
        content = read_private(path, MAX_KEY_BYTES)
        if content.lstrip().startswith(b"{"):
            raise KeyFileError(
                f"{path} is the public half of a key, which checks signatures; to sign, name the "
                "private file beside it, without .pub"
            )
        private = serialization.load_pem_private_key(content, None)
    except (ValueError, TypeError) as error:
        raise KeyFileError(f"{path} holds no key of packs: restore the file") from error
    if not isinstance(private, ed25519.Ed25519PrivateKey | mldsa.MLDSA65PrivateKey):
        raise KeyFileError(f"{path} holds a key of another kind, expected Ed25519 or ML-DSA-65")
    return CryptoSigner(private)


def load_public(path: Path) -> PublicKey:
    """Load a public file.

    Raises:
        PackError: The file cannot be read, or says of itself what is not so.
    """
    try:
        with path.open("rb") as file:
            document = json.loads(file.read(MAX_KEY_BYTES))
        key = SSlibKey.from_dict(str(document["keyid"]), dict(document["key"]))
        found = PublicKey(holder=str(document["holder"]), role=Role(document["role"]), key=key)
    except OSError as error:
        raise PackError(
            f"{path} cannot be read: {error.strerror}; name the file NAME.key.pub that its holder "
            "handed out"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise PackError(f"{path} is no public key of packs: make one with yixin model keys") from (
            error
        )
    if key.keytype not in {"ed25519", "ml-dsa"}:
        raise PackError(f"{path} holds a key of another kind, expected Ed25519 or ML-DSA-65")
    if key.keyid != _own_id(key):
        raise PackError(f"{path} names its key by another id than its own: make it again")
    return found


def _own_id(key: SSlibKey) -> str:
    """The id that follows from a key itself, so that one key cannot go by two ids."""
    text = key.keyval["public"]
    try:
        public = (
            ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(text))
            if key.keytype == "ed25519"
            else serialization.load_pem_public_key(text.encode())
        )
    except ValueError as error:
        raise PackError(f"key {key.keyid[:16]} holds no public key: make it again") from error
    return str(SSlibKey.from_crypto(public).keyid)
