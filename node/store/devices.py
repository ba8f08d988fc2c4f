"""Devices (终端) of a node: its small authority, its devices, their tokens and queues."""

import sqlite3
from threading import RLock
from typing import Final

from security.at_rest import Vault

__all__ = ["DEVICE_TABLES", "DeviceStore"]

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
