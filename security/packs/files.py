"""Files of packs that were fetched and verified before: read again, and verified again."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from security.errors import PackAbsentError, PackError
from security.packs.archive import MAX_BYTES

if TYPE_CHECKING:
    from pathlib import Path


def read_pack(path: Path, digest: bytes) -> bytes:
    """The file of a pack.

    Args:
        path: Where it lies.
        digest: SHA-256 it was verified by.

    Raises:
        PackAbsentError: It is not there.
        PackError: It was changed since.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise PackAbsentError(f"{path} cannot be read: fetch the pack again") from error
    if hashlib.sha256(content).digest() != digest:
        raise PackError(f"{path} was changed after it was verified: remove it and fetch it again")
    return content


def file_digest(path: Path) -> bytes:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
