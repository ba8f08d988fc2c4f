"""Devices (终端) of a node: its small authority, its devices, their tokens and queues.

What MUST hold:
- a token is used by one pair of keys, and by none once its device has spoken;
- a device is admitted by the TLS key of its last join alone, and only while it is active;
- ``through`` of a queue never goes back, and passes over an event only when neither side has it.
"""

import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta
from threading import RLock
from typing import Final

from node.errors import DeviceRefusedError
from node.store.device_authority import AuthorityTable
from node.store.device_queues import DeviceQueues
from node.store.device_rows import (
    DEVICE_COLUMNS,
    DeviceKind,
    DeviceRow,
    DeviceState,
    Greeting,
    QueueRow,
    TokenRow,
    device_row,
)
from node.store.operator_log import LogEntry, OperatorLog
from node.store.transactions import transaction
from security.at_rest import Vault
from security.devices import DeviceAuthority, DeviceId, DeviceName, parse_device_id
from security.moments import to_ms

__all__ = ["DEVICE_TABLES", "DeviceStore"]

TOKENS_KEPT: Final = timedelta(days=30)
"""After their end: what they answered with is a certificate that has ended as well."""
DEVICE_TABLES: Final = (
    # Keys sealed by the vault; certificates in clear.
    """create table device_authority(
        id integer primary key check(id = 1),
        key blob not null,
        certificate blob not null,
        server_key blob not null,
        server_certificate blob not null
    ) strict""",
    # state: expected, active or revoked. kind: face_terminal and so on.
    """create table device(
        id text primary key,
        institution text not null,
        place text not null,
        kind text not null,
        name text not null,
        state text not null,
        signing_key blob,
        tls_fingerprint blob,
        certified_until text,
        made_at text not null,
        revoked_at text,
        seen_at text,
        version text not null default '',
        pipeline blob,
        health text not null default ''
    ) strict, without rowid""",
    # response: sealed by the vault, so that a join whose answer was lost can be repeated.
    """create table device_token(
        secret_digest blob primary key,
        device text not null references device(id),
        expires_at_ms integer not null,
        keys_digest blob,
        response blob,
        consumed_at_ms integer
    ) strict, without rowid""",
    # Every event of the queue up to `through` is durable here.
    """create table device_queue(
        device text not null references device(id),
        queue blob not null,
        through integer not null,
        begun_at text not null,
        lost integer not null default 0,
        primary key(device, queue)
    ) strict, without rowid""",
)


class DeviceStore:
    """Devices, their authority, tokens and queues of one node.

    What is written is durable when a method returns.
    """

    def __init__(self, connection: sqlite3.Connection, vault: Vault, lock: RLock) -> None:
        self._connection = connection
        self._vault = vault
        self._lock = lock
        self._log = OperatorLog(connection)
        self._authority = AuthorityTable(connection, vault)
        self._queues = DeviceQueues(connection)

    def authority(self, now: datetime, hosts: Sequence[str]) -> DeviceAuthority:
        """The node's authority, made where there is none.

        Its server certificate is made anew when it does not name the hosts, or at half of its time.

        Args:
            now: Present moment, UTC-aware.
            hosts: Names and addresses by which devices reach the node.

        Raises:
            StoreError: The disk failed.
            VaultError: Its keys were sealed under another key.
        """
        with self._lock:
            return self._authority.provide(now, hosts)

    def expect(
        self, token: TokenRow, kind: DeviceKind, now: datetime, entry: LogEntry, *, most: int
    ) -> None:
        """Enter a device that may join with a token; its earlier tokens stop working.

        Args:
            token: The token.
            kind: What the device is.
            now: Present moment, UTC-aware.
            entry: For the log of operators.
            most: Most devices that are expected or active.

        Raises:
            DeviceRefusedError: There are as many devices as may be.
            StoreError: The disk failed.
        """
        name = token.device
        with self._lock, transaction(self._connection) as connection:
            others = connection.execute(
                "select count(*) from device where state <> ? and id <> ?",
                (DeviceState.REVOKED, name.device_id),
            ).fetchone()[0]
            if others >= most:
                raise DeviceRefusedError(
                    f"there are {others} devices, expected at most {most}; revoke those that are "
                    "gone (yixin node device revoke), or raise edge.max_devices in node.toml"
                )
            connection.execute(
                "insert into device(id, institution, place, kind, name, state, made_at)"
                " values(?, ?, ?, ?, ?, ?, ?) on conflict(id) do update set kind = excluded.kind",
                (
                    name.device_id,
                    name.institution,
                    name.place,
                    kind,
                    name.name,
                    DeviceState.EXPECTED,
                    _text(now),
                ),
            )
            connection.execute("delete from device_token where device = ?", (name.device_id,))
            connection.execute(
                "insert into device_token(secret_digest, device, expires_at_ms) values(?, ?, ?)",
                (token.secret_digest, name.device_id, token.expires_at_ms),
            )
            self._log.note(entry)

    def find_token(self, secret_digest: bytes) -> TokenRow | None:
        """Find a token by the digest of its secret."""
        with self._lock:
            row = self._connection.execute(
                "select device, expires_at_ms, keys_digest, response, consumed_at_ms"
                " from device_token where secret_digest = ?",
                (secret_digest,),
            ).fetchone()
        if row is None:
            return None
        label = _response_label(secret_digest)
        return TokenRow(
            secret_digest=secret_digest,
            device=parse_device_id(row[0]),
            expires_at_ms=row[1],
            keys_digest=row[2] or b"",
            response=b"" if row[3] is None else self._vault.open(row[3], label),
            is_consumed=row[4] is not None,
        )

    def sweep_tokens(self, now: datetime) -> int:
        """Forget tokens that ended long ago, with answers that nobody came back for.

        Args:
            now: Present moment, UTC-aware.

        Returns:
            How many were forgotten.
        """
        with self._lock, transaction(self._connection) as connection:
            return connection.execute(
                "delete from device_token where expires_at_ms < ?", (to_ms(now - TOKENS_KEPT),)
            ).rowcount

    def activate(self, token: TokenRow, row: DeviceRow, entry: LogEntry) -> None:
        """Note that a device joined: what its keys were before counts no longer.

        Args:
            token: The token with the keys that used it and the answer they got.
            row: The device with its keys.
            entry: For the log of operators.
        """
        sealed = self._vault.seal(token.response, _response_label(token.secret_digest))
        with self._lock, transaction(self._connection) as connection:
            connection.execute(
                "update device_token set keys_digest = ?, response = ? where secret_digest = ?",
                (token.keys_digest, sealed, token.secret_digest),
            )
            connection.execute(
                "update device set state = ?, signing_key = ?, tls_fingerprint = ?,"
                " certified_until = ?, revoked_at = null where id = ?",
                (DeviceState.ACTIVE, row.signing_key, row.tls_digest, row.certified_until, row.id),
            )
            self._log.note(entry)

    def certify(self, device: DeviceId, certified_until: str) -> None:
        """Note a renewed certificate."""
        with self._lock, transaction(self._connection) as connection:
            connection.execute(
                "update device set certified_until = ? where id = ?", (certified_until, device)
            )

    def admit(self, tls_digest: bytes, name: DeviceName) -> DeviceRow:
        """Admit a device whose certificate is of this node.

        Args:
            tls_digest: SHA-256 of the public key of its certificate.
            name: Device that the certificate names.

        Raises:
            DeviceRefusedError: It is not known, not active, or joined with another key since.
        """
        row = self.find(name.device_id)
        if row is None:
            raise DeviceRefusedError(f"{name.device_id} is not in the register")
        if row.state is not DeviceState.ACTIVE:
            raise DeviceRefusedError(f"{row.id} is {row.state}, expected active")
        if row.tls_digest != tls_digest:
            raise DeviceRefusedError(f"{row.id} joined again with another key")
        return row

    def revoke(self, device: DeviceId, now: datetime, entry: LogEntry) -> None:
        """Refuse a device from now on; its token, if it has one, stops working."""
        with self._lock, transaction(self._connection) as connection:
            connection.execute(
                "update device set state = ?, revoked_at = ? where id = ?",
                (DeviceState.REVOKED, _text(now), device),
            )
            connection.execute("delete from device_token where device = ?", (device,))
            self._log.note(entry)

    def note_hello(self, device: DeviceId, greeting: Greeting, now: datetime) -> int:
        """Note that a device came, and what of its queue is gone for good.

        Its token is used up from now on.

        Returns:
            Every event of the queue up to this one is held here, or lost.

        Raises:
            DeviceRefusedError: It has begun more queues than a device can.
            StoreError: The disk failed.
        """
        with self._lock, transaction(self._connection) as connection:
            connection.execute(
                "update device set seen_at = ?, version = ?, pipeline = ?, health = ? where id = ?",
                (
                    _text(now),
                    greeting.version,
                    greeting.pipeline or None,
                    greeting.health.to_text(),
                    device,
                ),
            )
            connection.execute(
                "update device_token set consumed_at_ms = ?, response = null"
                " where device = ? and keys_digest is not null and consumed_at_ms is null",
                (to_ms(now), device),
            )
            return self._queues.announce(device, greeting.queue, greeting.first, _text(now))

    def queue_mark(self, device: DeviceId, queue: bytes) -> int:
        """Every event of the queue up to this one is held here, or lost.

        Raises:
            DeviceRefusedError: The device has not said hello with this queue.
        """
        with self._lock:
            through = self._queues.find_through(device, queue)
        if through is None:
            raise DeviceRefusedError(f"{device} delivers from a queue that it did not announce")
        return through

    def queues(self, device: DeviceId) -> tuple[QueueRow, ...]:
        """List the queues of a device, the newest first."""
        with self._lock:
            return self._queues.rows(device)

    def find(self, device: str) -> DeviceRow | None:
        """Find a device by its id."""
        return next(iter(self._rows("where id = ?", (device,))), None)

    def rows(self) -> tuple[DeviceRow, ...]:
        """List the devices by id."""
        return self._rows("order by id", ())

    def _rows(self, which: str, values: Sequence[str]) -> tuple[DeviceRow, ...]:
        query = f"select {DEVICE_COLUMNS} from device {which}"  # noqa: S608 - our own words
        with self._lock:
            return tuple(device_row(row) for row in self._connection.execute(query, values))


def _response_label(secret_digest: bytes) -> str:
    return f"device-token/{secret_digest.hex()}"


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
