"""Templates for when the line is down (离线模板缓存): sealed, few, and not for long.

Rules:
- What the node last said of this terminal (threshold, transform, limits) and the templates that
  it gave lie sealed under the device's key; whose a template is can be told only with that key.
- A template is used only for its purpose, model and transform, until its hour; a clock that was
  set back behind the hour it came ends it too.
- Another model or transform drops all of them, the node's "no template" that one, and a refusal
  of the device all of them.
- A file that cannot be read is made anew: it holds nothing that the node does not have.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import RLock
from typing import TYPE_CHECKING, Final

from google.protobuf.message import DecodeError

from edge_devices.errors import QueueError
from protos.yixin.v1 import edge_pb2
from security.encoding import pae
from security.errors import VaultError
from security.moments import to_ms

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from edge_devices.face_terminals.events import Subject
    from security.at_rest import Vault

__all__ = ["FILE_NAME", "CacheLimits", "TemplateCache"]

FILE_NAME: Final = "cache.db"
_TABLES: Final = (
    "create table if not exists kept(name text primary key, body blob not null) strict",
    """create table if not exists template(
        owner blob primary key,
        body blob not null,
        came_at_ms integer not null,
        ends_at_ms integer not null
    ) strict""",
)
_OWNER_KEY: Final = "owner-key"
_STANDING: Final = "standing"
_OWNER_KEY_BYTES: Final = 32
_HOUR_MS: Final = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheLimits:
    """How much may be kept here."""

    hours: int
    """How long; 0 for not at all."""
    templates: int
    """How many at most."""


class TemplateCache:
    """What a terminal works with while the node is not there."""

    def __init__(self, path: Path, vault: Vault) -> None:
        """Open the cache, or make it.

        Args:
            path: The file.
            vault: Seals what is in it.

        Raises:
            QueueError: The directory cannot be written.
        """
        self._path: Final = path
        self._vault: Final = vault
        self._lock: Final = RLock()
        try:
            self._open()
        except (sqlite3.Error, VaultError):
            self._remove()
            try:
                self._open()
            except (sqlite3.Error, VaultError, OSError) as error:
                raise QueueError(f"{path} cannot be made ({error}); free the disk") from error
        except OSError as error:
            raise QueueError(f"{path} cannot be made ({error}); free the disk") from error

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def keep_standing(self, standing: bytes) -> None:
        """Keep what the node said of this terminal, a serialised ``HelloResponse``."""
        with self._lock, suppress(sqlite3.Error):
            self._keep(_STANDING, standing)

    def find_standing(self) -> bytes | None:
        """What the node last said of this terminal; None: never anything."""
        with self._lock, suppress(sqlite3.Error, VaultError):
            return self._kept(_STANDING)
        return None

    def put(
        self,
        subject: Subject,
        template: edge_pb2.ProtectedTemplate,
        limits: CacheLimits,
        now: datetime,
    ) -> None:
        """Keep a template; where there is no room on the disk, it is not kept.

        Args:
            subject: Of whom it was asked, and for what.
            template: As the node gave it.
            limits: How much may be kept.
            now: The moment.
        """
        now_ms = to_ms(now)
        ends_ms = now_ms + limits.hours * _HOUR_MS
        if template.expires_at_ms:
            ends_ms = min(ends_ms, template.expires_at_ms)
        if ends_ms <= now_ms or limits.templates < 1:
            return
        owner = self._owner(subject)
        body = self._vault.seal(template.SerializeToString(), _context(owner))
        with self._lock, suppress(sqlite3.Error), self._changing():
            execute = self._connection.execute
            execute("delete from template where ends_at_ms <= ? or came_at_ms > ?", [now_ms] * 2)
            execute(
                "insert or replace into template values(?, ?, ?, ?)",
                [owner, body, now_ms, ends_ms],
            )
            execute(
                "delete from template where owner not in (select owner from template "
                "order by came_at_ms desc, owner limit ?)",
                [limits.templates],
            )

    def find(
        self, subject: Subject, *, model: bytes, epoch: int, now: datetime
    ) -> edge_pb2.ProtectedTemplate | None:
        """A template that may be used now; None: there is none here.

        Args:
            subject: Of whom, and for what.
            model: SHA-256 of the embedding model.
            epoch: Of the transform.
            now: The moment.
        """
        owner, now_ms = self._owner(subject), to_ms(now)
        with self._lock, suppress(sqlite3.Error):
            row = self._connection.execute(
                "select body from template where owner = ? and came_at_ms <= ? and ends_at_ms > ?",
                [owner, now_ms, now_ms],
            ).fetchone()
            if row is None:
                return None
            try:
                found = edge_pb2.ProtectedTemplate.FromString(
                    self._vault.open(row[0], _context(owner))
                )
            except (VaultError, DecodeError):
                self.drop(subject)
                return None
            return found if (found.model, found.epoch) == (model, epoch) else None
        return None

    def drop(self, subject: Subject) -> None:
        """Forget the template of somebody."""
        with self._lock, suppress(sqlite3.Error):
            self._connection.execute("delete from template where owner = ?", [self._owner(subject)])

    def clear(self) -> None:
        """Forget all templates."""
        with self._lock, suppress(sqlite3.Error):
            self._connection.execute("delete from template")

    def sweep(self, now: datetime) -> None:
        """Forget the templates whose time is over."""
        with self._lock, suppress(sqlite3.Error):
            self._connection.execute(
                "delete from template where ends_at_ms <= ? or came_at_ms > ?", [to_ms(now)] * 2
            )

    @property
    def count(self) -> int:
        """Templates that are kept."""
        with self._lock, suppress(sqlite3.Error):
            return int(self._connection.execute("select count(*) from template").fetchone()[0])
        return 0

    def _open(self) -> None:
        self._path.touch(mode=0o600)
        self._connection = sqlite3.connect(
            self._path, isolation_level=None, check_same_thread=False
        )
        for pragma in ("journal_mode=wal", "synchronous=normal", "secure_delete=on"):
            self._connection.execute(f"pragma {pragma}")
        for table in _TABLES:
            self._connection.execute(table)
        secret = self._kept(_OWNER_KEY)
        if secret is None:
            secret = secrets.token_bytes(_OWNER_KEY_BYTES)
            self._keep(_OWNER_KEY, secret)
        self._owner_key = secret

    def _remove(self) -> None:
        with suppress(AttributeError, sqlite3.Error):
            self._connection.close()
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)

    def _keep(self, name: str, value: bytes) -> None:
        body = self._vault.seal(value, f"cache/{name}")
        self._connection.execute("insert or replace into kept values(?, ?)", [name, body])

    def _kept(self, name: str) -> bytes | None:
        row = self._connection.execute("select body from kept where name = ?", [name]).fetchone()
        return None if row is None else self._vault.open(row[0], f"cache/{name}")

    def _owner(self, subject: Subject) -> bytes:
        parts = (subject.person, subject.proxy, subject.purpose)
        told = pae("yixin/template-cache/v1", *(part.encode() for part in parts))
        return hashlib.blake2b(told, key=self._owner_key, digest_size=16).digest()

    @contextmanager
    def _changing(self) -> Iterator[None]:
        self._connection.execute("begin immediate")
        try:
            yield
            self._connection.execute("commit")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("rollback")
            raise


def _context(owner: bytes) -> str:
    return f"template/{owner.hex()}"
