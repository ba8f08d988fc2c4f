"""A member's side of the packs' repository: what is trusted of it, and fetching a pack.

Rules:
    1. The first root is pinned by who joined; everything else follows from it by signatures:
       root 2 of 3, targets 2 of 2, snapshot and timestamp, in this order (TUF, section 5).
    2. What was seen is kept: an older version of anything is refused, wherever it comes from.
    3. The bytes that came are verified as they came: metadata has one spelling, and another
       one of the same meaning is refused.
    4. A pack's file is written beside its place and counts when length and SHA-256 are those
       of the targets; what broke off is gone on with.

This is the only module that imports the TUF client. Source: TUF specification 1.0.34.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from tuf.api.exceptions import (
    BadVersionNumberError,
    DownloadError,
    DownloadHTTPError,
    ExpiredMetadataError,
    RepositoryError,
)
from tuf.api.metadata import Metadata, Snapshot, Targets, Timestamp
from tuf.api.serialization.json import JSONSerializer
from tuf.ngclient import FetcherInterface, Updater, UpdaterConfig

from security.errors import (
    PackAbsentError,
    PackError,
    PackExpiredError,
    PackRolledBackError,
    SecurityError,
)
from security.packs.archive import MAX_BYTES
from security.packs.files import file_digest
from security.packs.layout import METADATA, TARGETS, file_of, is_target
from security.private_files import sync_directory

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from security.packs.fetchers import PackFetcher

MAX_ROTATIONS: Final = 64
MAX_METADATA_BYTES: Final = 1024 * 1024
_SIGNATURE: Final = re.compile(r"[0-9a-f]*")
_SPELLED: Final = JSONSerializer(compact=True)
_KEPT: Final = ("timestamp", "snapshot", "targets")


@dataclass(frozen=True, slots=True, kw_only=True)
class PackTarget:
    """A pack that business and security officer signed."""

    name: str
    """Name, for example ``packs/2026.12.1.zip``."""
    digest: bytes
    """SHA-256 of its file."""
    length: int
    """Bytes of its file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What a repository says, verified."""

    targets: Mapping[str, PackTarget] = field(repr=False)
    """Packs by name."""
    expires_at: datetime
    """Moment after which the first of its metadata has expired, UTC-aware."""
    versions: Mapping[str, int]
    """Versions of root, timestamp, snapshot and targets."""

    def find(self, digest: bytes) -> PackTarget | None:
        """The pack whose file has a digest."""
        return next((one for one in self.targets.values() if one.digest == digest), None)


def refresh(directory: Path, root: bytes, fetcher: PackFetcher, now: datetime) -> Release:
    """Bring what is known of the repository up to date.

    Args:
        directory: Where verified metadata is kept; made when it is not there.
        root: The pinned first root metadata.
        fetcher: Gives files of the repository.
        now: Present moment, UTC-aware.

    Raises:
        PackExpiredError: Metadata has expired and no newer one came: a freeze, or nobody signs.
        PackRolledBackError: Older metadata came than was seen before.
        PackAbsentError: A file is not there, or did not come whole.
        HubUnreachableError: The hub could not be reached.
        PackError: Anything else that cannot be trusted.
    """
    (directory / METADATA).mkdir(mode=0o700, parents=True, exist_ok=True)
    line = _Line(fetcher)
    try:
        updater = Updater(
            str(directory / METADATA),
            METADATA,
            str(directory / TARGETS),
            TARGETS,
            fetcher=line,
            config=UpdaterConfig(
                max_root_rotations=MAX_ROTATIONS,
                root_max_length=MAX_METADATA_BYTES,
                snapshot_max_length=MAX_METADATA_BYTES,
                targets_max_length=MAX_METADATA_BYTES,
            ),
            bootstrap=root,
        )
        # The client would ask the system's clock; ours is given.
        updater._trusted_set.reference_time = now  # noqa: SLF001 - there is no public way
        updater.refresh()
        root_version = updater._trusted_set.root.version  # noqa: SLF001 - the same
        root_expires = updater._trusted_set.root.expires  # noqa: SLF001 - the same
    except ExpiredMetadataError as error:
        raise PackExpiredError(
            f"the packs' repository: {error}: newer metadata is held back, or has to be signed "
            "(yixin model release)"
        ) from error
    except BadVersionNumberError as error:
        raise PackRolledBackError(
            f"the packs' repository is older than, or not the one, seen before: {error}"
        ) from error
    except DownloadError as error:
        raise _cause(line, error) from error
    except (RepositoryError, ValueError, OSError) as error:
        raise PackError(f"the packs' repository cannot be trusted: {error}") from error
    release = load_release(directory)
    return Release(
        targets=release.targets,
        expires_at=min(release.expires_at, root_expires),
        versions=MappingProxyType({"root": root_version, **release.versions}),
    )


def load_release(directory: Path) -> Release:
    """What was verified last, however long ago.

    Raises:
        PackAbsentError: Nothing was verified yet.
        PackError: What is kept is damaged.
    """
    found = {}
    for name in _KEPT:
        path = directory / METADATA / f"{name}.json"
        try:
            found[name] = Metadata.from_bytes(path.read_bytes()).signed
        except FileNotFoundError as error:
            raise PackAbsentError(f"{path}: the packs' repository was never verified") from error
        except (RepositoryError, OSError) as error:
            raise PackError(f"{path} is damaged: remove {directory} and fetch again") from error
    timestamp, snapshot, targets = (found[name] for name in _KEPT)
    if not (
        isinstance(timestamp, Timestamp)
        and isinstance(snapshot, Snapshot)
        and isinstance(targets, Targets)
    ):
        raise PackError(f"{directory}: metadata is not what its name says: fetch again")
    return Release(
        targets=MappingProxyType(_targets(targets)),
        expires_at=min(timestamp.expires, snapshot.expires, targets.expires),
        versions=MappingProxyType({name: found[name].version for name in _KEPT}),
    )


def fetch(target: PackTarget, fetcher: PackFetcher, into: Path) -> Path:
    """Fetch the file of a pack, or go on with what broke off.

    Args:
        target: The pack, of a verified release.
        fetcher: Gives files of the repository.
        into: Directory of packs; made when it is not there.

    Returns:
        The file, durable, named by its digest; one that was changed is fetched anew.

    Raises:
        PackAbsentError: It is not there, or did not come whole: the next call goes on.
        PackError: It is not the file that was signed; nothing of it is kept.
    """
    into.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = into / f"{target.digest.hex()}.zip"
    if path.is_file():
        if file_digest(path) == target.digest:
            return path
        path.unlink()
    partial = into / f".{target.digest.hex()}.part"
    with partial.open("ab") as file:
        held = file.tell()
        for piece in fetcher.read(file_of(target.name, target.digest), held):
            held += len(piece)
            if held > target.length:
                break
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    if held < target.length:
        raise PackAbsentError(
            f"{target.name}: {held} of {target.length} bytes came; the next try goes on there"
        )
    if held > target.length or file_digest(partial) != target.digest:
        partial.unlink()
        raise PackError(f"{target.name} is not the file that was signed; nothing of it is kept")
    partial.replace(path)
    sync_directory(into)
    return path


class _Line(FetcherInterface):
    """Lets the TUF client fetch through a fetcher of ours, and notes why one failed."""

    def __init__(self, fetcher: PackFetcher) -> None:
        self._fetcher = fetcher
        self.failure: SecurityError | None = None

    def _fetch(self, url: str) -> Iterator[bytes]:
        content = bytearray()
        try:
            for piece in self._fetcher.read(url):
                content += piece
                if len(content) > MAX_METADATA_BYTES:
                    raise PackError(f"{url} has more than {MAX_METADATA_BYTES} bytes")
        except PackAbsentError as error:
            self.failure = error
            raise DownloadHTTPError(str(error), 404) from error
        except SecurityError as error:
            self.failure = error
            raise DownloadError(str(error)) from error
        if not _is_spelled(bytes(content)):
            self.failure = PackError(f"{url} is spelled otherwise than metadata is")
            raise DownloadError(str(self.failure))
        return iter([bytes(content)])


def _cause(line: _Line, error: DownloadError) -> SecurityError:
    return line.failure or PackError(f"the packs' repository cannot be fetched: {error}")


def _is_spelled(content: bytes) -> bool:
    """Whether these are the very bytes of what they mean.

    The client of TUF verifies signatures over what it makes of the bytes (a missing
    ``spec_version`` becomes its own), so that others could mean the same.
    """
    try:
        if Metadata.from_bytes(content).to_bytes(_SPELLED) != content:
            return False
        found = json.loads(content)
        return all(_SIGNATURE.fullmatch(one["sig"]) for one in found["signatures"])
    except (RepositoryError, ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return False


def _targets(targets: Targets) -> dict[str, PackTarget]:
    found = {}
    for name, one in targets.targets.items():
        try:
            digest = bytes.fromhex(one.hashes.get("sha256", ""))
        except ValueError as error:
            raise PackError(f"{name[:80]!r}: its digest is none") from error
        if not is_target(name) or len(digest) != hashlib.sha256().digest_size:
            raise PackError(f"{name[:80]!r} is no pack with a SHA-256")
        if not 0 < one.length <= MAX_BYTES:
            raise PackError(f"{name}: {one.length} bytes, at most {MAX_BYTES} are read")
        found[name] = PackTarget(name=name, digest=digest, length=one.length)
    return found
