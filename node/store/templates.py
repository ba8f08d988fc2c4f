"""Face templates (人脸模板): each sealed under a key of its own, persons by keyed digest."""

import sqlite3
from threading import RLock
from typing import Final

from security.at_rest import Vault

__all__ = ["TEMPLATE_TABLES", "TemplateStore"]

TEMPLATE_TABLES: Final = (
    # Keys of the orthogonal transform, wrapped by the vault.
    """create table template_transform(
        epoch integer primary key,
        wrapped blob not null,
        made_at text not null,
        ended_at text
    ) strict""",
    # body: sealed under the row's own key, which the vault wrapped; both go with the row.
    """create table template(
        id blob primary key,
        person blob not null,
        subject text not null,
        model blob not null,
        epoch integer not null references template_transform(epoch),
        wrapped_key blob not null,
        body blob not null,
        consent text not null,
        consent_at text not null,
        purposes text not null,
        made_at text not null,
        made_by text not null,
        device text not null,
        expires_on text not null,
        revoked_at text
    ) strict, without rowid""",
    """create unique index template_person on template(person, model)
       where revoked_at is null""",
    "create index template_expires on template(expires_on)",
    # Who may act for whom (代配药人); body: both numbers, sealed by the vault.
    """create table template_proxy(
        person blob not null,
        proxy blob not null,
        body blob not null,
        begins_on text not null,
        ends_on text not null,
        consent text not null,
        made_at text not null,
        primary key(person, proxy, begins_on)
    ) strict, without rowid""",
)


class TemplateStore:
    """Templates, transforms and proxies of one node.

    What is written is durable when a method returns.
    """

    def __init__(self, connection: sqlite3.Connection, vault: Vault, lock: RLock) -> None:
        self._connection = connection
        self._vault = vault
        self._lock = lock
