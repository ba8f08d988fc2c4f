"""The hub's copy of the packs' repository: verified, whole, and given out piece by piece.

Rules:
- A hub serves only what it verified as a client itself, also of its own repository.
- The root is pinned once: from the hub's own repository, or by the join of its parent.
- A hub that releases signs the timestamp anew where its key lies in ``keys/packs-online.key``.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from hub.packs.installing import DIRECTORY
from hub.parts import KEYS, HubParts
from security.errors import PackError
from security.exchange.membership import is_joined, load
from security.packs.layout import CHUNK_BYTES, TIMESTAMP, open_part, read_root
from security.private_files import read_private, write_private

__all__ = [
    "PackFile",
    "PackPlace",
    "open_file",
    "refresh_packs",
    "root_digest",
    "served_root",
    "sign_timestamp",
]

SERVED: Final = "served"
ROOT_FILE: Final = "root.json"
ONLINE_KEY: Final = "packs-online.key"
SIGN_BEFORE: Final = timedelta(days=4)
"""Time left of the timestamp at which it is signed anew."""
_MAX_ROOT: Final = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class PackPlace:
    """Where a hub keeps its copy."""

    directory: Path

    @property
    def served(self) -> Path:
        """The copy."""
        return self.directory / SERVED

    @property
    def client(self) -> Path:
        """Verified metadata."""
        return self.directory / "client"

    @property
    def root_file(self) -> Path:
        """The pinned root."""
        return self.directory / ROOT_FILE


@dataclass(frozen=True, slots=True, kw_only=True)
class PackFile:
    """A file on its way to a member."""

    size: int
    pieces: Iterator[bytes]


def place_of(parts: HubParts) -> PackPlace:
    """Where a hub keeps its copy."""
    return PackPlace(directory=parts.directory / DIRECTORY)


def served_root(parts: HubParts) -> bytes:
    """First root of the packs that members are to pin; empty while this hub serves none."""
    return read_root(place_of(parts).served)


def root_digest(parts: HubParts) -> bytes:
    """SHA-256 of the first root; empty while this hub serves none."""
    root = served_root(parts)
    return hashlib.sha256(root).digest() if root else b""


def open_file(directory: Path, name: str, offset: int) -> PackFile:
    """Open a file of the copy at an offset.

    Args:
        directory: The copy.
        name: Name in the repository.
        offset: First byte wanted.

    Raises:
        PackAbsentError: There is no such file.
        PackError: The name is none of a repository, or the offset is behind the end.
    """
    path = open_part(directory, name)
    size = path.stat().st_size
    if offset > size:
        raise PackError(f"{name} has {size} bytes, asked for from {offset} on")
    return PackFile(size=size, pieces=_pieces(path, offset))


def refresh_packs(
    parts: HubParts, now: datetime, *, folder: Path | None = None
) -> dict[str, object] | None:
    """Bring the copy up to date.

    Args:
        parts: The hub.
        now: Present moment, UTC-aware.
        folder: A repository on a stick; else the hub's own, else the parent's.

    Returns:
        What the repository says; None where this hub has no source of packs.

    Raises:
        PackError: Something cannot be trusted; the copy stays as it was.
        HubUnreachableError: The parent could not be reached.
    """
    from security.packs.fetchers import FolderFetcher, HubFetcher, PackFetcher  # noqa: PLC0415
    from security.packs.mirror import mirror  # noqa: PLC0415 - TUF only where packs are used

    own = parts.settings.packs.repository
    fetcher: PackFetcher
    if folder is not None:
        fetcher = FolderFetcher(folder)
    elif own:
        fetcher = FolderFetcher(Path(own))
    elif is_joined(parts.parent_directory):
        fetcher = HubFetcher(load(parts.parent_directory))
    else:
        return None
    root = _pinned_root(parts)
    if not root:
        if folder is not None:
            raise PackError(
                "this hub pins no root of the packs: name its repository in [packs] of hub.toml, "
                "or join the parent again with a new token"
            )
        return None
    release = mirror(place_of(parts).directory, root, fetcher, now)
    return {
        "packs": sorted(release.targets),
        "expires_at": release.expires_at.isoformat(),
        "versions": dict(release.versions),
    }


def sign_timestamp(parts: HubParts, now: datetime) -> bool:
    """Sign the timestamp of the hub's own repository anew, where it ends soon.

    Returns:
        Whether it was signed.

    Raises:
        PackError: The repository or the key cannot be used.
    """
    own, key = parts.settings.packs.repository, parts.directory / KEYS / ONLINE_KEY
    if not own or not key.exists() or not (Path(own) / TIMESTAMP).exists():
        return False
    from security.packs import ceremony, keys, metadata_files  # noqa: PLC0415 - TUF only where packs are used

    ends = metadata_files.timestamp_end(Path(own))
    if ends is not None and ends - now > SIGN_BEFORE:
        return False
    ceremony.release(Path(own), keys.load_signer(key), now)
    return True


def _pinned_root(parts: HubParts) -> bytes:
    path = place_of(parts).root_file
    if path.exists():
        return read_private(path, _MAX_ROOT)
    own = parts.settings.packs.repository
    if own:
        root = read_root(Path(own))
    elif is_joined(parts.parent_directory):
        root = bytes(load(parts.parent_directory).joined.pack_root)
    else:
        root = b""
    if root:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        write_private(path, root)
    return root


def _pieces(path: Path, offset: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(offset)
        while piece := file.read(CHUNK_BYTES):
            yield piece
