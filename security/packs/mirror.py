"""A hub's own copy of the packs' repository, which its members fetch from.

Rules:
    1. Only what the hub verified as a client is served: it cannot pass on what it was tricked by.
    2. Packs are written first, then targets, snapshot and roots, the timestamp last: at every
       moment the copy is a whole repository.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from security.packs.client import Release, fetch, refresh
from security.packs.layout import METADATA, TIMESTAMP, file_of
from security.private_files import write_private

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from security.packs.fetchers import PackFetcher

CLIENT: Final = "client"
HELD: Final = "held"
SERVED: Final = "served"


def mirror(directory: Path, root: bytes, fetcher: PackFetcher, now: datetime) -> Release:
    """Verify a repository and copy what it holds.

    Args:
        directory: Directory of the packs; ``served`` in it becomes the copy.
        root: The pinned first root metadata.
        fetcher: Gives files of the repository.
        now: Present moment, UTC-aware.

    Raises:
        PackError: Something cannot be trusted; the copy stays as it was.
        HubUnreachableError: The hub could not be reached.
    """
    release = refresh(directory / CLIENT, root, fetcher, now)
    served = directory / SERVED
    for target in release.targets.values():
        held = fetch(target, fetcher, directory / HELD)
        place = served / file_of(target.name, target.digest)
        if not place.is_file():
            _put(place, held.read_bytes())
    known = directory / CLIENT / METADATA
    versions = release.versions
    for name in ("targets", "snapshot"):
        _put(served / METADATA / f"{versions[name]}.{name}.json", _kept(known / f"{name}.json"))
    for version in range(1, versions["root"] + 1):
        name = f"{version}.root.json"
        _put(served / METADATA / name, _kept(known / "root_history" / name))
    _put(served / TIMESTAMP, _kept(known / "timestamp.json"))
    return release


def _kept(path: Path) -> bytes:
    return path.read_bytes()


def _put(path: Path, content: bytes) -> None:
    if path.is_file() and path.read_bytes() == content:
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(path, content, replace=True)
