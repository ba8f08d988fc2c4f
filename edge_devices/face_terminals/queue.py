"""The queue of events (待送事件队列): what was answered for is on disk, and goes once, in order.

Rules:
- ``put`` returns when the event is durable (SQLite, WAL, ``synchronous=FULL``); an event gets its
  number inside the same transaction, so the numbers of a queue have no gap, whatever kills it.
- Bodies are sealed by the device's vault for their queue and number; only numbers are in clear.
- What the node holds is kept some days more: a node restored from a backup gets it again. Where
  the room is needed it goes first. What the node does not hold is never deleted.
- Where there is no room, ``put`` refuses and nothing changes.
"""

from __future__ import annotations

import secrets
import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from threading import RLock
from typing import TYPE_CHECKING, Final

from edge_devices.errors import QueueError
from security.errors import VaultError
from security.moments import to_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from security.at_rest import Vault

__all__ = ["FILE_NAME", "EventQueue", "QueuedEvent", "Span"]

FILE_NAME: Final = "queue.db"
MAX_BYTES: Final = 64 * 1024 * 1024
"""Sealed events that a queue holds, bytes; about 100,000 without pictures."""
KEPT_AFTER_DELIVERY: Final = timedelta(hours=72)
"""How long an event is kept that the node holds."""
QUEUE_ID_BYTES: Final = 16
_TABLES: Final = (
    """create table if not exists queue(
        one integer primary key check(one = 1),
        id blob not null
    ) strict""",
    """create table if not exists event(
        seq integer primary key autoincrement,
        body blob not null,
        delivered_at_ms integer
    ) strict""",
)
_SIZE: Final = "select coalesce(sum(length(body)), 0) from event"
_BUSY_TIMEOUT_S: Final = 10.0
_PRUNED_ROWS: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedEvent:
    """An event in its place."""

    seq: int
    """Its number, from 1."""
    signed: bytes = field(repr=False)
    """Serialised ``SignedEvent``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """What a queue holds."""

    oldest: int
    """Oldest event that can still be sent; 0 for none."""
    newest: int
    """Newest event ever made; 0 for none."""
    waiting: int
    """Events that the node does not hold yet."""


class EventQueue:
    """The events of one terminal; safe to share between threads."""

    def __init__(self, path: Path, vault: Vault, *, max_bytes: int = MAX_BYTES) -> None:
        """Open the queue, or make it.

        Args:
            path: The file.
            vault: Seals the events.
            max_bytes: Most bytes of sealed events.

        Raises:
            QueueError: The file cannot be opened or is none.
        """
        self._path: Final = path
        self._vault: Final = vault
        self._max_bytes: Final = max_bytes
        self._lock: Final = RLock()
        with self._told("opened"):
            path.touch(mode=0o600)
            self._connection = sqlite3.connect(
                path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
            for pragma in ("journal_mode=wal", "synchronous=full", "secure_delete=on"):
                self._connection.execute(f"pragma {pragma}")
            with self._changing():
                for table in _TABLES:
                    self._connection.execute(table)
                self._connection.execute("insert or ignore into queue values(1, ?)", [_new_id()])
            self.id: bytes = self._connection.execute("select id from queue").fetchone()[0]
            self._bytes = self._number(_SIZE)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def put(self, sign: Callable[[bytes, int], bytes]) -> int:
        """Take an event; it is durable when this returns.

        Args:
            sign: Makes the serialised ``SignedEvent`` for a queue's id and a number.

        Returns:
            The number it got.

        Raises:
            QueueError: There is no room, or the disk failed; nothing was taken.
        """
        with self._lock, self._told("written"):
            with self._changing():
                seq = self._newest() + 1
                body = self._vault.seal(sign(self.id, seq), self._context(seq))
                freed = self._make_room(len(body))
                self._connection.execute("insert into event values(?, ?, null)", [seq, body])
            self._bytes += len(body) - freed
            return seq

    def after(self, seq: int, *, max_events: int, max_bytes: int) -> tuple[QueuedEvent, ...]:
        """Events behind a number, in order.

        Args:
            seq: The number.
            max_events: Most of them.
            max_bytes: Most bytes of them together; one is given in any case.

        Raises:
            QueueError: The file cannot be read, or an event in it is damaged.
        """
        found: list[QueuedEvent] = []
        size = 0
        with self._lock, self._told("read"):
            rows = self._connection.execute(
                "select seq, body from event where seq > ? order by seq limit ?", [seq, max_events]
            )
            for number, body in iter(rows.fetchone, None):
                signed = self._vault.open(body, self._context(number))
                size += len(signed) + 8
                if found and size > max_bytes:
                    break
                found.append(QueuedEvent(seq=number, signed=signed))
        return tuple(found)

    def settle(self, through: int, now: datetime) -> None:
        """Note what the node holds; also that it holds less than before.

        Args:
            through: Every event up to this one is durable at the node.
            now: The moment.

        Raises:
            QueueError: The disk failed.
        """
        now_ms = to_ms(now)
        gone_ms = now_ms - KEPT_AFTER_DELIVERY // timedelta(milliseconds=1)
        with self._lock:
            self._bytes -= self._settle(through, now_ms, gone_ms)

    def _settle(self, through: int, now_ms: int, gone_ms: int) -> int:
        """Bytes that were deleted."""
        with self._told("written"), self._changing():
            execute = self._connection.execute
            execute(
                "update event set delivered_at_ms = ? where seq <= ? and delivered_at_ms is null",
                [now_ms, through],
            )
            execute(
                "update event set delivered_at_ms = null where seq > ? and delivered_at_ms is not "
                "null",
                [through],
            )
            gone = execute(
                "delete from event where delivered_at_ms < ? returning length(body)", [gone_ms]
            )
            return sum(length for (length,) in gone.fetchall())

    def begin_anew(self, sign_again: Callable[[bytes, bytes, int], bytes]) -> bytes:
        """Begin another queue with the events that the node does not hold.

        The node holds more of this queue than was ever in it: the directory is an older copy.

        Args:
            sign_again: Makes the ``SignedEvent`` anew, from it, an id and a number.

        Returns:
            The id of the new queue.

        Raises:
            QueueError: The disk failed, or an event is damaged.
        """
        with self._lock, self._told("written"):
            with self._changing():
                execute = self._connection.execute
                rows = execute(
                    "select seq, body from event where delivered_at_ms is null order by seq"
                ).fetchall()
                waiting = [self._vault.open(body, self._context(seq)) for seq, body in rows]
                fresh = _new_id()
                execute("delete from event")
                execute("delete from sqlite_sequence where name = 'event'")
                execute("update queue set id = ?", [fresh])
                for seq, signed in enumerate(waiting, 1):
                    body = self._vault.seal(sign_again(signed, fresh, seq), _context(fresh, seq))
                    execute("insert into event values(?, ?, null)", [seq, body])
            self.id = fresh
            self._bytes = self._number(_SIZE)
            return fresh

    @property
    def span(self) -> Span:
        """What the queue holds.

        Raises:
            QueueError: The file cannot be read.
        """
        with self._lock, self._told("read"):
            oldest, waiting = self._connection.execute(
                "select coalesce(min(seq), 0), count(*) - count(delivered_at_ms) from event"
            ).fetchone()
            return Span(oldest=oldest, newest=self._newest(), waiting=waiting)

    def _newest(self) -> int:
        row = self._connection.execute(
            "select seq from sqlite_sequence where name = 'event'"
        ).fetchone()
        return 0 if row is None else int(row[0])

    def _make_room(self, needed: int) -> int:
        """Delete delivered events, the oldest first, until there is room; bytes freed."""
        freed = 0
        while self._bytes - freed + needed > self._max_bytes:
            rows = self._connection.execute(
                "delete from event where seq in (select seq from event where delivered_at_ms is "
                "not null order by seq limit ?) returning length(body)",
                [_PRUNED_ROWS],
            ).fetchall()
            if not rows:
                raise QueueError(
                    f"{self._path.name} is full: {self._max_bytes} bytes of events that the node "
                    "does not hold yet; bring the line to the node up again. Nothing new is taken "
                    "until then"
                )
            freed += sum(length for (length,) in rows)
        return freed

    def _context(self, seq: int) -> str:
        return _context(self.id, seq)

    def _number(self, query: str) -> int:
        return int(self._connection.execute(query).fetchone()[0])

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Run a block as one transaction: all of it is durable at the end, or none of it."""
        self._connection.execute("begin immediate")
        try:
            yield
            self._connection.execute("commit")
        except BaseException:
            # After some failures SQLite has rolled back already.
            if self._connection.in_transaction:
                self._connection.execute("rollback")
            raise

    @contextmanager
    def _told(self, done: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise QueueError(
                f"{self._path} cannot be {done} ({error}); free the disk and check its rights. A "
                "damaged file is moved away by hand: the terminal then begins a new queue, and the "
                "node counts what is missing as lost"
            ) from error
        except VaultError as error:
            raise QueueError(
                f"{self._path} holds an event that does not open: it is damaged, or device.key is "
                "another one; restore the directory as a whole, or move the file away"
            ) from error


def _context(queue: bytes, seq: int) -> str:
    return f"event/{queue.hex()}/{seq}"


def _new_id() -> bytes:
    return secrets.token_bytes(QUEUE_ID_BYTES)
