"""``measures.db`` beside ``node.db``: what supervision counted and found, a file of its own.

All of it can be made anew from the records, but for months that retention has deleted; so it has
a writer and a lock of its own, and is no part of the ledger.
"""

import sqlite3
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Final, Self

from sqlite_utils import Database, Migrations

from node.errors import StoreError
from security.at_rest import Vault

__all__ = ["FILE_NAME", "MeasuresFile"]

FILE_NAME: Final = "measures.db"
_BUSY_TIMEOUT_S: Final = 30.0


class MeasuresFile:
    """Some tables of the file, opened; a context manager."""

    migrations: ClassVar[Migrations]
    """What makes the tables."""

    def __init__(self, directory: Path, vault: Vault) -> None:
        """Open the file, making it and its tables when they are not there.

        Raises:
            StoreError: The file is no database, or cannot be opened or written.
        """
        path = directory / FILE_NAME
        self._vault = vault
        try:
            self._connection = sqlite3.connect(
                path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("pragma journal_mode=wal")
            self._connection.execute("pragma secure_delete=on")
            path.chmod(0o600)
            self._database = Database(self._connection)
            if self.migrations.pending(self._database):
                self.migrations.apply(self._database)
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                f"{path} cannot be opened ({error}); remove it: it is counted anew from the records"
            ) from error

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
