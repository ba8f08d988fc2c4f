"""Where the files of the packs' repository lie, in a directory, on a stick and over the line.

Rules:
    1. A name of the repository is one of five forms; nothing else is read, served or written.
    2. Files that count have their version or their digest in their name and never change;
       ``metadata/timestamp.json`` alone does. What waits for signatures lies in ``staged/``.

Source: The Update Framework specification 1.0.34, section 6 (consistent snapshots).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from security.errors import PackAbsentError, PackError

if TYPE_CHECKING:
    from pathlib import Path

METADATA: Final = "metadata"
TARGETS: Final = "targets"
STAGED: Final = "staged"
TIMESTAMP: Final = f"{METADATA}/timestamp.json"
FIRST_ROOT: Final = f"{METADATA}/1.root.json"
MAX_ROOT_BYTES: Final = 256 * 1024
CHUNK_BYTES: Final = 256 * 1024
"""Largest piece of a file on the line."""

_NAME: Final = re.compile(
    r"metadata/(?:timestamp|[1-9][0-9]{0,8}\.(?:root|snapshot|targets))\.json"
    r"|targets/packs/[0-9a-f]{64}\.[0-9][0-9.]{0,20}\.zip"
)
_TARGET: Final = re.compile(r"packs/[0-9][0-9.]{0,20}\.zip")


def is_repository_name(name: str) -> bool:
    """Whether a text names a file of a repository.

    >>> is_repository_name("metadata/1.root.json"), is_repository_name("metadata/../x.json")
    (True, False)
    """
    return len(name) <= 200 and bool(_NAME.fullmatch(name))


def is_target(name: str) -> bool:
    """Whether a text names a pack, as orders and metadata do.

    >>> is_target("packs/2026.12.1.zip"), is_target("packs/../x.zip")
    (True, False)
    """
    return bool(_TARGET.fullmatch(name))


def target_name(version: str) -> str:
    """Name of the pack of a version.

    >>> target_name("2026.12.1")
    'packs/2026.12.1.zip'
    """
    name = f"packs/{version}.zip"
    if not is_target(name):
        raise PackError(f"{version[:40]!r} is no version of a pack, expected as 2026.12.1")
    return name


def file_of(target: str, digest: bytes) -> str:
    """Name of a pack's file in the repository.

    >>> file_of("packs/2026.12.1.zip", bytes(32))[:27]
    'targets/packs/0000000000000'
    """
    return f"{TARGETS}/packs/{digest.hex()}.{target.removeprefix('packs/')}"


def open_part(directory: Path, name: str) -> Path:
    """The file of a name in a directory that holds a repository.

    Raises:
        PackAbsentError: It is not there, or is a link.
        PackError: The name is none of a repository.
    """
    if not is_repository_name(name):
        raise PackError(f"{name[:80]!r} is no name of the packs' repository")
    path = directory / name
    if path.is_symlink() or not path.is_file():
        raise PackAbsentError(f"{name} is not in the packs' repository")
    return path


def read_root(directory: Path) -> bytes:
    """The first root metadata of a repository; empty where there is none.

    Raises:
        PackError: The file is larger than root metadata are.
    """
    try:
        path = open_part(directory, FIRST_ROOT)
    except PackAbsentError:
        return b""
    with path.open("rb") as file:
        content = file.read(MAX_ROOT_BYTES + 1)
    if len(content) > MAX_ROOT_BYTES:
        raise PackError(f"{path} is larger than {MAX_ROOT_BYTES} bytes: it is no root metadata")
    return content
