"""What a snapshot (快照) of a backup holds, sealed under the passphrase's key.

File format, ``snapshots/<name>.yixin-backup``: eight bytes ``YXBACK01``, one byte of cost, sixteen
bytes of salt, then the manifest as JSON, sealed by the vault of the passphrase. Every file of the
node is named with its size, its SHA-256 and the pieces it is made of; pieces of sealed files were
sealed one by one for their place, so that none can stand in for another.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from node.errors import BackupError
from security.at_rest import Vault
from security.at_rest.passphrase import SALT_BYTES, PassphraseSalt, passphrase_vault
from security.errors import VaultError
from security.private_files import write_private

__all__ = [
    "FileEntry",
    "Manifest",
    "piece_context",
    "read_manifest",
    "remove_manifest",
    "snapshots",
    "write_manifest",
]

SUFFIX: Final = ".yixin-backup"
_DIRECTORY: Final = "snapshots"
_MAGIC: Final = b"YXBACK01"
_HEADER_BYTES: Final = len(_MAGIC) + 1 + SALT_BYTES
_MAX_BYTES: Final = 512 * 1024 * 1024
_FORMAT: Final = 1
_NAME: Final = re.compile(r"[0-9]{8}T[0-9]{6}Z(-[0-9]+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """One file of the node."""

    path: str
    """Path below the node's directory."""
    bytes: int
    sha256: str
    """Of the file's content."""
    pieces: tuple[str, ...]
    """Names of its objects, in order."""
    sealed: bool
    """True when the pieces were sealed; files that are encrypted at rest are kept as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A node at one moment."""

    name: str
    """Name of the snapshot, its moment in UTC."""
    created_at: str
    """ISO 8601, UTC."""
    institutions: int
    messages: int
    records: Mapping[str, int]
    """Records by kind."""
    tree_size: int
    """Leaves of the node's tree."""
    tree_root: str
    receipts: tuple[str, ...]
    """Last receipt of every lane, in words."""
    files: tuple[FileEntry, ...]

    @property
    def bytes(self) -> int:
        """Size of the node's files together."""
        return sum(file.bytes for file in self.files)


def piece_context(snapshot: str, path: str, index: int) -> str:
    """Place a sealed piece belongs to."""
    return f"backup/{snapshot}/{path}/{index}"


def snapshots(location: Path) -> tuple[str, ...]:
    """Names of the snapshots of a location, oldest first."""
    directory = location / _DIRECTORY
    if not directory.is_dir():
        return ()
    found = (path.name.removesuffix(SUFFIX) for path in directory.glob(f"*{SUFFIX}"))
    return tuple(sorted(name for name in found if _NAME.fullmatch(name)))


def write_manifest(location: Path, manifest: Manifest, salt: PassphraseSalt, vault: Vault) -> Path:
    """Write a manifest durably; with it the snapshot exists.

    Raises:
        BackupError: The location cannot be written.
    """
    directory = location / _DIRECTORY
    body = orjson.dumps({"format": _FORMAT} | asdict(manifest))
    sealed = vault.seal(body, _context(manifest.name))
    path = directory / f"{manifest.name}{SUFFIX}"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(path, _MAGIC + bytes([salt.log2_cost]) + salt.salt + sealed)
    except OSError as error:
        raise BackupError(f"{directory} cannot be written ({error.strerror})") from error
    return path


def remove_manifest(location: Path, name: str) -> None:
    """Remove a snapshot; its pieces stay until they are pruned."""
    (location / _DIRECTORY / f"{name}{SUFFIX}").unlink(missing_ok=True)


def read_manifest(location: Path, name: str, passphrase: str) -> tuple[Manifest, Vault]:
    """Open a snapshot.

    Returns:
        The manifest, and the vault that opens its sealed pieces.

    Raises:
        BackupError: It is missing or damaged, or the passphrase is another one.
    """
    path = location / _DIRECTORY / f"{name}{SUFFIX}"
    if not _NAME.fullmatch(name) or not path.is_file():
        known = ", ".join(snapshots(location)[-5:]) or "none"
        raise BackupError(f"no snapshot {name[:60]!r} in {location}; there are: {known}")
    if path.stat().st_size > _MAX_BYTES:
        raise BackupError(f"{path.name} has more than {_MAX_BYTES} bytes: it is no snapshot")
    raw = path.read_bytes()
    if not raw.startswith(_MAGIC) or len(raw) <= _HEADER_BYTES:
        raise BackupError(f"{path.name} is no snapshot of a node, or is truncated")
    salt = PassphraseSalt(salt=raw[len(_MAGIC) + 1 : _HEADER_BYTES], log2_cost=raw[len(_MAGIC)])
    try:
        vault = passphrase_vault(passphrase, salt)
        body = vault.open(raw[_HEADER_BYTES:], _context(name))
    except VaultError as error:
        raise BackupError(
            f"snapshot {name} does not open: the passphrase is another one, or the file was "
            "changed; check the passphrase first"
        ) from error
    return _manifest(orjson.loads(body)), vault


def _manifest(document: dict[str, Any]) -> Manifest:
    if document.pop("format") != _FORMAT:
        raise BackupError("the snapshot was made by a later version; restore it with that version")
    files = tuple(
        FileEntry(**(entry | {"pieces": tuple(entry["pieces"])})) for entry in document.pop("files")
    )
    return Manifest(**(document | {"files": files, "receipts": tuple(document["receipts"])}))


def _context(name: str) -> str:
    return f"backup/{name}/manifest"
