"""Presence events (在场事件) as devices delivered them; crops, asks and overrides beside them."""

import sqlite3
from threading import RLock
from typing import Final

from security.at_rest import Vault

__all__ = ["PRESENCE_TABLES", "PresenceStore"]

PRESENCE_TABLES: Final = (
    # body: the signed event, sealed by the vault.
    """create table presence(
        device text not null,
        queue blob not null,
        seq integer not null,
        record_id text not null,
        at_ms integer not null,
        received_at text not null,
        verdict text not null,
        reason text not null,
        body blob not null,
        primary key(device, queue, seq)
    ) strict, without rowid""",
    "create index presence_at on presence(at_ms)",
    # Pictures of mismatches, sealed by the vault, until ends_on.
    """create table face_crop(
        device text not null,
        queue blob not null,
        seq integer not null,
        body blob not null,
        ends_on text not null,
        primary key(device, queue, seq)
    ) strict, without rowid""",
    "create index face_crop_ends on face_crop(ends_on)",
    # What devices are asked to verify (核验任务); body: person and visit, sealed by the vault.
    """create table presence_ask(
        id text primary key,
        device text not null,
        purpose text not null,
        body blob not null,
        made_at text not null,
        until_ms integer not null,
        answered integer
    ) strict, without rowid""",
    "create index presence_ask_device on presence_ask(device, until_ms)",
    # Visits let pass at the counter (人工放行); body sealed by the vault.
    """create table presence_override(
        record_id text primary key,
        at text not null,
        operator text not null,
        reason text not null,
        body blob not null
    ) strict, without rowid""",
)


class PresenceStore:
    """Events, crops, asks and overrides of one node.

    What is written is durable when a method returns.
    """

    def __init__(self, connection: sqlite3.Connection, vault: Vault, lock: RLock) -> None:
        self._connection = connection
        self._vault = vault
        self._lock = lock
