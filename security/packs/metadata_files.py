"""The files of metadata in the packs' repository: found, read and written.

Rules: a file that holds is named by its version and role, and versions have no gap; the timestamp
alone has one name for ever; a file holds the role that its name says, or it is damaged.

Source: The Update Framework specification 1.0.34, section 6.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, Final, TypeVar

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp
from tuf.api.serialization.json import JSONSerializer

from security.errors import PackError
from security.packs.layout import METADATA, STAGED, TIMESTAMP
from security.private_files import write_private

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

T = TypeVar("T", Root, Targets, Snapshot, Timestamp)

_SPELLED: Final = JSONSerializer(compact=True)


def timestamp_end(directory: Path) -> datetime | None:
    """Last moment of the timestamp; None before the first release."""
    path = directory / TIMESTAMP
    if not path.is_file():
        return None
    return signed_part(read_metadata(path), Timestamp, path).expires


def newest_root(directory: Path) -> Root | None:
    """The newest root that holds; None before the first."""
    return find_newest(directory, "root", Root)


def find_waiting(directory: Path, what: str) -> tuple[Path, Metadata[Any]]:
    """The newest metadata of a role that waits for signatures, and its file.

    Raises:
        PackError: Nothing waits, or the file is damaged.
    """
    found = sorted((directory / STAGED).glob(f"*.{what}.json"), key=_version_of)
    if not found:
        raise PackError(f"{directory / STAGED}: no {what} wait for signatures")
    return found[-1], read_metadata(found[-1])


def _version_of(path: Path) -> int:
    first = path.name.partition(".")[0]
    return int(first) if first.isdecimal() else 0


def find_newest(directory: Path, what: str, of: type[T]) -> T | None:
    """The newest metadata of a role that holds; None before the first.

    Raises:
        PackError: A file is damaged, or holds another role.
    """
    held: Path | None = None
    for version in count(1):
        path = directory / METADATA / f"{version}.{what}.json"
        if not path.is_file():
            break
        held = path
    return None if held is None else signed_part(read_metadata(held), of, held)


def held_root(directory: Path) -> Root:
    """The newest root that holds.

    Raises:
        PackError: There is none yet.
    """
    root = newest_root(directory)
    if root is None:
        raise PackError(f"{directory} has no root that holds: make one with yixin model root init")
    return root


def read_metadata(path: Path) -> Metadata[Any]:
    """Read a file of metadata; whoever reads it verifies it.

    Raises:
        PackError: It is damaged or cannot be read.
    """
    try:
        return Metadata.from_bytes(path.read_bytes())
    except (RepositoryError, OSError) as error:
        raise PackError(f"{path} is damaged or cannot be read: restore it") from error


def signed_part(metadata: Metadata[Any], of: type[T], path: Path) -> T:
    """What metadata says, as the role that its file is named after.

    Raises:
        PackError: It is of another role.
    """
    found = metadata.signed
    if not isinstance(found, of):
        raise PackError(f"{path} holds other metadata than its name says")
    return found


def write_metadata(path: Path, metadata: Metadata[Any]) -> None:
    """Write a file of metadata, whole or not at all."""
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    write_private(path, metadata.to_bytes(_SPELLED), replace=True)


def move_metadata(path: Path, target: Path) -> None:
    """Move a file to where members see it; after a crash between, it lies in both places."""
    target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    write_private(target, path.read_bytes(), replace=True)
    path.unlink()
