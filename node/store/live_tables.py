"""Tables of ``live.db``, and what opens them.

Ids are keyed digests under a secret of the state's own, which the node's key wraps.
"""

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from node.errors import StoreError
from node.store.live_digests import Digests
from node.store.live_facts import FactKind
from node.store.news import NO_MARK, Mark
from security.at_rest import Vault

__all__ = [
    "BUILT",
    "DATED",
    "FED",
    "FORM",
    "LIVE_DATABASE",
    "LIVE_FILES",
    "SECRET_CONTEXT",
    "TABLES",
    "absent",
    "connect",
    "find_digests",
    "find_mark",
    "find_meta",
    "put_meta",
    "set_up",
]

LIVE_DATABASE: Final = "live.db"
LIVE_FILES: Final = (LIVE_DATABASE, f"{LIVE_DATABASE}-wal", f"{LIVE_DATABASE}-shm")
FORM: Final = "3"
"""Form of the tables and of the facts; another one is begun again."""
SECRET_CONTEXT: Final = "live-state"  # noqa: S105 - a name
_CACHE_KIB: Final = 16_384
"""Pages of the state that one connection holds in memory, at most."""
_MAPPED_BYTES: Final = 2**31 - 65_536
"""Most that SQLite maps."""
_BUSY_TIMEOUT_S: Final = 5.0
_MARK: Final = ("size", "staged")
BUILT: Final = "built"
"""Set once the state has read all there was."""
DATED: Final = f"kind in ({FactKind.IDENTITY_EVENT:d}, {FactKind.SETTLED_VISIT:d})"
"""Facts that are kept for some days only, and are of no visit's place."""
FED: Final = "fed"
"""Counts how often the state was brought up to date."""

TABLES: Final = (
    """create table fact(
        place integer not null,
        kind integer not null,
        key integer not null,
        day integer not null,
        month integer not null,
        body blob not null,
        primary key(place, kind, key)
    ) strict, without rowid""",
    """create table visit(
        person integer not null,
        visit integer not null,
        institution text not null,
        last_day integer not null,
        primary key(person, visit)
    ) strict, without rowid""",
    # What was told to whoever asked: warnings by their id, and what became of them.
    """create table told(
        id text primary key,
        warning text not null,
        rule text not null,
        answer text not null,
        day integer not null,
        way text
    ) strict, without rowid""",
    """create table counted(
        day integer not null,
        name text not null,
        count integer not null,
        primary key(day, name)
    ) strict, without rowid""",
    # Knowledge in force, for processes beside the daemon: public lists, as JSON, deflated.
    """create table knowledge(
        id integer primary key check(id = 1),
        digest blob not null,
        body blob not null
    ) strict""",
    "create table meta(key text primary key, value blob not null) strict, without rowid",
    # Finds what is kept for some days only.
    f"create index fact_dated on fact(day) where {DATED}",
)


def connect(name: str, *, uri: bool = False) -> sqlite3.Connection:
    """Open a state; its cache is bounded, and what is read is mapped: the system's to take back.

    A reader's own cache would be of little use: SQLite drops it after every commit of another.
    """
    connection = sqlite3.connect(
        name,
        timeout=_BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
        uri=uri,
    )
    connection.execute(f"pragma cache_size=-{_CACHE_KIB}")
    connection.execute(f"pragma mmap_size={_MAPPED_BYTES}")
    return connection


def set_up(connection: sqlite3.Connection) -> None:
    """Let readers read beside the writer."""
    connection.execute("pragma journal_mode=wal")
    connection.execute("pragma synchronous=normal")
    connection.execute("pragma secure_delete=on")


def find_digests(connection: sqlite3.Connection, vault: Vault) -> Digests:
    """Open the secret of the digests.

    Raises:
        StoreError: The state is of another form.
        VaultError: The secret is damaged or of another node.
    """
    form, wrapped = find_meta(connection, "form"), find_meta(connection, "secret")
    if form != FORM.encode() or wrapped is None:
        raise StoreError("the live state is of another release; the daemon makes it anew")
    return Digests(vault.unwrap(wrapped, SECRET_CONTEXT))


def find_meta(connection: sqlite3.Connection, key: str) -> bytes | None:
    """Find a note of the state."""
    row = connection.execute("select value from meta where key = ?", (key,)).fetchone()
    return None if row is None else bytes(row[0])


def put_meta(connection: sqlite3.Connection, values: Mapping[str, str | bytes]) -> None:
    """Put notes of the state; inside the caller's transaction."""
    connection.executemany(
        "insert or replace into meta values(?, ?)",
        [
            (key, value.encode() if isinstance(value, str) else value)
            for key, value in values.items()
        ],
    )


def find_mark(connection: sqlite3.Connection) -> Mark:
    """How far the records are in the state."""
    size, staged = (find_meta(connection, name) for name in _MARK)
    return NO_MARK if size is None or staged is None else Mark(size=int(size), staged=int(staged))


def absent(path: Path) -> StoreError:
    """Make the error of a state that is not there."""
    return StoreError(f"{path} is not there; the node's daemon makes it")
