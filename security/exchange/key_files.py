"""Key files of a member, one per use and epoch (密钥代次).

Rules:
    1. Keys are made once and never overwritten; files are readable by their owner only.
    2. A file is named by its use and epoch: ``signing-0001.key``. The names without an epoch, of
       earlier releases, are epoch 1.
    3. Which epoch is in force is not said by its number: the membership's certificates say it. A
       newer one is a key whose certificate has not come yet; it is asked for again, not made anew.
    4. Retired decryption keys stay while an envelope sealed to them may still come.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives import serialization

from security.errors import KeyFileError
from security.keys import EncryptionKey, SigningKey
from security.private_files import sync_directory
from security.signatures import SignatureScheme
from security.suites import get_suite
from security.tls import load_certificate, load_tls_key, new_tls_key, save_tls_key

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

DEFAULT_SUITE: Final = "INTL-PQ"
MAX_EPOCHS: Final = 9_999

_DER: Final = serialization.Encoding.DER
_SUBJECT_KEY: Final = serialization.PublicFormat.SubjectPublicKeyInfo


class KeyFile(StrEnum):
    """What a key file is for."""

    SIGNING = "signing"
    ENCRYPTION = "encryption"
    TLS = "tls"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberKeys:
    """The private keys of a member; a repr never shows them."""

    signing: SigningKey = field(repr=False)
    """Signs envelopes and heads."""
    encryption: EncryptionKey = field(repr=False)
    """Opens envelopes addressed to the member."""
    tls_key_pem: bytes = field(repr=False)
    """Private key of the TLS certificate, PEM."""
    retired: tuple[EncryptionKey, ...] = field(default=(), repr=False)
    """Other epochs of the encryption key: what was sealed to them still opens."""


def find_epochs(directory: Path, use: KeyFile) -> dict[int, Path]:
    """Key files of a use by epoch, oldest first; empty when there is none.

    Raises:
        KeyFileError: Two files claim epoch 1.
    """
    pattern = re.compile(rf"{use.value}(?:-(?P<epoch>[0-9]{{4}}))?\.key")
    found: dict[int, Path] = {}
    for path in sorted(directory.glob(f"{use.value}*.key")):
        match = pattern.fullmatch(path.name)
        if match is None:
            continue
        epoch = int(match["epoch"] or 1)
        if epoch in found:
            raise KeyFileError(
                f"{found[epoch]} and {path} are both epoch {epoch}: the first name is that of an "
                "earlier release; move away the one that is not this member's"
            )
        found[epoch] = path
    return dict(sorted(found.items()))


def create_keys(directory: Path, *, post_quantum: bool, suite: str = "") -> MemberKeys:
    """Make the keys that are not there yet, and load the newest of each use.

    Where another suite is asked for than the newest keys have, the next epoch begins.

    A second call after a crash keeps what the first one made.

    Args:
        directory: The member's directory; created with mode 0700.
        post_quantum: Whether the signing key has an ML-DSA-65 half; hubs do.
        suite: Suite of the keys; empty for that of the newest, or the default.

    Raises:
        KeyFileError: A key file is damaged or open to others.
        UnknownSuiteError: No suite has that name.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    wanted = suite or _newest_suite(directory) or DEFAULT_SUITE
    # The encryption key comes last: until it is there, a crash leaves the change unfinished.
    for use in (KeyFile.TLS, KeyFile.SIGNING, KeyFile.ENCRYPTION):
        is_another = use is not KeyFile.TLS and _newest_suite(directory) not in {"", wanted}
        if is_another or not find_epochs(directory, use):
            add_epoch(directory, use, post_quantum=post_quantum, suite=wanted)
    return load_keys(directory)


def _newest_suite(directory: Path) -> str:
    epochs = find_epochs(directory, KeyFile.ENCRYPTION)
    return EncryptionKey.load(epochs[max(epochs)]).suite.name if epochs else ""


def add_epoch(
    directory: Path, use: KeyFile, *, post_quantum: bool = False, suite: str = DEFAULT_SUITE
) -> Path:
    """Make the key of the next epoch, durably.

    Args:
        directory: The member's directory.
        use: What the key is for.
        post_quantum: Whether a signing key has an ML-DSA-65 half, where its scheme knows one.
        suite: Suite of the key; a signing key takes its scheme.

    Raises:
        KeyFileError: The file cannot be written, or every epoch is used up.
        UnknownSuiteError: No suite has that name.
    """
    epoch = max(find_epochs(directory, use), default=0) + 1
    if epoch > MAX_EPOCHS:
        raise KeyFileError(f"{directory} has used up the {MAX_EPOCHS} epochs of its {use} key")
    path = directory / f"{use.value}-{epoch:04d}.key"
    match use:
        case KeyFile.SIGNING:
            scheme = get_suite(suite).signature
            has_half = post_quantum and scheme is SignatureScheme.ED25519
            SigningKey.generate(post_quantum=has_half, scheme=scheme).save(path)
        case KeyFile.ENCRYPTION:
            EncryptionKey.generate(suite).save(path)
        case KeyFile.TLS:
            save_tls_key(path, new_tls_key())
    return path


def load_keys(directory: Path) -> MemberKeys:
    """Load the newest keys of a member, certified or not.

    Raises:
        KeyFileError: A key file is missing, damaged or open to others.
    """
    newest = {use: _newest(directory, use) for use in KeyFile}
    return _loaded(directory, newest)


def select_keys(
    directory: Path, *, signing: str, encryption: str, tls_certificate: bytes
) -> MemberKeys:
    """Load the keys that certificates name.

    Args:
        directory: The member's directory.
        signing: Key id of the certified signing key.
        encryption: Key id of the certified encryption key.
        tls_certificate: TLS certificate, PEM or DER.

    Raises:
        KeyFileError: No file holds such a key, or one is damaged or open to others.
    """
    wanted = certificate_public_key(tls_certificate)
    fits: dict[KeyFile, Callable[[Path], bool]] = {
        KeyFile.SIGNING: lambda path: SigningKey.load(path).key_id == signing,
        KeyFile.ENCRYPTION: lambda path: EncryptionKey.load(path).key_id == encryption,
        KeyFile.TLS: lambda path: tls_public_key(load_tls_key(path)) == wanted,
    }
    chosen: dict[KeyFile, Path] = {}
    for use, is_named in fits.items():
        found = filter(is_named, reversed(find_epochs(directory, use).values()))
        path = next(found, None)
        if path is None:
            raise KeyFileError(
                f"{directory} holds no {use} key that its certificate is for: restore the "
                "directory as a whole, or join again with a new token"
            )
        chosen[use] = path
    return _loaded(directory, chosen)


def drop_epochs(directory: Path, use: KeyFile, kept: Collection[Path]) -> int:
    """Delete the key files of a use that are not kept; how many."""
    gone = [path for path in find_epochs(directory, use).values() if path not in kept]
    for path in gone:
        path.unlink(missing_ok=True)
    if gone:
        sync_directory(directory)
    return len(gone)


def tls_public_key(key_pem: bytes) -> bytes:
    """Public half of a private TLS key: SubjectPublicKeyInfo, DER."""
    key = serialization.load_pem_private_key(key_pem, password=None)
    return key.public_key().public_bytes(_DER, _SUBJECT_KEY)


def certificate_public_key(certificate: bytes) -> bytes:
    """Public key of a TLS certificate: SubjectPublicKeyInfo, DER.

    Raises:
        UntrustedCertificateError: The bytes are not a certificate.
    """
    return load_certificate(certificate).public_key().public_bytes(_DER, _SUBJECT_KEY)


def _newest(directory: Path, use: KeyFile) -> Path:
    found = find_epochs(directory, use)
    if not found:
        raise KeyFileError(f"{directory} holds no {use} key")
    return found[max(found)]


def _loaded(directory: Path, chosen: Mapping[KeyFile, Path]) -> MemberKeys:
    encryption = EncryptionKey.load(chosen[KeyFile.ENCRYPTION])
    others = find_epochs(directory, KeyFile.ENCRYPTION).values()
    return MemberKeys(
        signing=SigningKey.load(chosen[KeyFile.SIGNING]),
        encryption=encryption,
        tls_key_pem=load_tls_key(chosen[KeyFile.TLS]),
        retired=tuple(
            EncryptionKey.load(path) for path in others if path != chosen[KeyFile.ENCRYPTION]
        ),
    )
