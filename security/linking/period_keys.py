"""Halves of period keys on a desk's disk: one file each, sealed, and gone when they are destroyed.

Rules:
    1. A half lies in a file of its own of mode 0600, sealed by the desk's vault for its period: it
       opens under no other period's name, and without the vault not at all.
    2. A half is made once and never overwritten by another.
    3. Destroying overwrites the file in its place, makes that durable, then removes it. Old blocks
       of a file system are beyond this program: see the review page.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from security.at_rest.vault import OVERHEAD_BYTES
from security.errors import KeyFileError, VaultError
from security.linking.oprf import POINT_BYTES, PeriodKey
from security.private_files import read_private, sync_directory, write_private

if TYPE_CHECKING:
    from pathlib import Path

    from security.at_rest import Vault

_FILE_BYTES: Final = POINT_BYTES + OVERHEAD_BYTES


class PeriodKeys:
    """The halves of one desk."""

    __slots__ = ("_directory", "_vault")

    def __init__(self, directory: Path, vault: Vault) -> None:
        """Name the directory; it is made with mode 0700 when it is not there.

        Args:
            directory: Directory of the halves, and of nothing else.
            vault: Seals them.
        """
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._directory = directory
        self._vault = vault

    def create(self, period: str) -> PeriodKey:
        """Make the half of a period.

        Raises:
            KeyFileError: There is one already, or it cannot be written.
        """
        key = PeriodKey.generate()
        write_private(self._path(period), self._vault.seal(key.to_bytes(), _context(period)))
        return key

    def load(self, period: str) -> PeriodKey:
        """Read the half of a period.

        Raises:
            KeyFileError: It is missing, damaged, open to others, or of another desk.
        """
        path = self._path(period)
        sealed = read_private(path, _FILE_BYTES)
        try:
            return PeriodKey.from_bytes(self._vault.open(sealed, _context(period)))
        except (VaultError, ValueError) as error:
            raise KeyFileError(f"{path} is damaged or belongs to another desk: {error}") from error

    def has(self, period: str) -> bool:
        """Whether there is a file for a period's half."""
        return self._path(period).exists()

    def destroy(self, period: str) -> bool:
        """Destroy the half of a period.

        Returns:
            False when there was none.

        Raises:
            KeyFileError: The file cannot be overwritten or removed; try again.
        """
        path = self._path(period)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise KeyFileError(f"{path} cannot be destroyed: {error.strerror}") from error
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(bytes(_FILE_BYTES))
                file.flush()
                os.fsync(file.fileno())
            path.unlink()
            sync_directory(path.parent)
        except OSError as error:
            raise KeyFileError(f"{path} cannot be destroyed: {error.strerror}") from error
        return True

    def _path(self, period: str) -> Path:
        return self._directory / f"{period}.key"


def _context(period: str) -> str:
    return f"link-key/{period}"
