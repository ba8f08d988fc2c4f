"""The node's secret under which keys, values and ids are digested; wrapped by the vault.

It is made once and never changes: what was digested under it must be found again.
"""

import secrets
import sqlite3
from typing import Final

from node.store.transactions import transaction
from node.store.versions import SECRET_BYTES
from security.at_rest import Vault

__all__ = ["KEY_SECRET_CONTEXT", "key_secret"]

KEY_SECRET_CONTEXT: Final = "keys"  # noqa: S105 - a name
"""Names the place that the secret is wrapped for."""


def key_secret(connection: sqlite3.Connection, vault: Vault) -> bytes:
    """Get the secret of a node, making it where there is none.

    Raises:
        StoreError: The disk failed.
        VaultError: It was wrapped under another key.
    """
    wrapped = _find(connection)
    if wrapped is None:
        with transaction(connection):
            # Another process may have made it since.
            wrapped = _find(connection)
            if wrapped is None:
                wrapped = vault.wrap(secrets.token_bytes(SECRET_BYTES), KEY_SECRET_CONTEXT)
                connection.execute("insert into key_secret values(1, ?)", (wrapped,))
    return vault.unwrap(wrapped, KEY_SECRET_CONTEXT)


def _find(connection: sqlite3.Connection) -> bytes | None:
    row = connection.execute("select wrapped from key_secret").fetchone()
    return None if row is None else bytes(row[0])
