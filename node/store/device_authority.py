"""Table ``device_authority``: the node's small authority, its keys sealed by the vault."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from node.store.transactions import transaction
from security.at_rest import Vault
from security.at_rest.vault import epoch_of
from security.devices import DeviceAuthority

__all__ = ["AuthorityTable"]

_KEY_LABEL: Final = "device-authority/key"
_SERVER_KEY_LABEL: Final = "device-authority/server-key"


class AuthorityTable:
    """The one authority of a node; inside the caller's lock."""

    def __init__(self, connection: sqlite3.Connection, vault: Vault) -> None:
        self._connection = connection
        self._vault = vault

    def provide(self, now: datetime, hosts: Sequence[str]) -> DeviceAuthority:
        """The authority, made where there is none; see ``DeviceStore.authority``."""
        row = self._connection.execute(
            "select key, certificate, server_key, server_certificate from device_authority"
        ).fetchone()
        if row is None:
            return self._keep(DeviceAuthority.create(now, hosts))
        held = DeviceAuthority(
            key_pem=self._vault.open(row[0], _KEY_LABEL),
            certificate_pem=row[1],
            server_key_pem=self._vault.open(row[2], _SERVER_KEY_LABEL),
            server_pem=row[3],
        )
        if not held.serves(now, hosts):
            return self._keep(held.with_server(now, hosts))
        if epoch_of(row[0]) != self._vault.newest:
            # Otherwise it would keep an old epoch of the node's key alive for years.
            return self._keep(held)
        return held

    def _keep(self, made: DeviceAuthority) -> DeviceAuthority:
        values = (
            self._vault.seal(made.key_pem, _KEY_LABEL),
            made.certificate_pem,
            self._vault.seal(made.server_key_pem, _SERVER_KEY_LABEL),
            made.server_pem,
        )
        with transaction(self._connection):
            self._connection.execute(
                "insert or replace into device_authority(id, key, certificate, server_key,"
                " server_certificate) values(1, ?, ?, ?, ?)",
                values,
            )
        return made
