"""Log of what operators did to single records (操作日志): who, when, what, never a value.

Rows are added and read; triggers refuse what changes or removes one, and the hash of every row
covers the row before, so that whoever has the database file is found out by the last hash, which
the hub knows from the node's heartbeats.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from node.domain.masking import printable
from security.operator.log_chain import NO_ENTRY, ChainedEntry, entry_hash, verify_chain

__all__ = ["OPERATOR_LOG_TABLES", "LogEntry", "OperatorLog", "StoredEntry", "chain_entries"]

AddRow: TypeAlias = Callable[[str, Sequence[object]], object]
OPERATOR_LOG_TABLES: Final = (
    """create table operator_log(
        number integer primary key autoincrement,
        at text not null,
        operator text not null,
        action text not null,
        subject text not null,
        detail text not null
    ) strict""",
)
_CHAIN: Final = (
    "alter table operator_log rename to old_operator_log",
    """create table operator_log(
        number integer primary key,
        at text not null,
        operator text not null,
        action text not null,
        subject text not null,
        detail text not null,
        previous blob not null,
        hash blob not null unique
    ) strict""",
)
_OLD_ROWS: Final = """select at, operator, action, subject, detail
    from old_operator_log order by number"""
_INSERT: Final = (
    "insert into operator_log(number, at, operator, action, subject, detail, previous, hash)"
    " values(?, ?, ?, ?, ?, ?, ?, ?)"
)
_GUARDS: Final = (
    """create trigger operator_log_kept before delete on operator_log
       begin select raise(abort, 'rows of the operator log are never removed'); end""",
    """create trigger operator_log_fixed before update on operator_log
       begin select raise(abort, 'rows of the operator log are never changed'); end""",
    # Fires before "insert or replace" removes the row it would replace.
    """create trigger operator_log_next before insert on operator_log
       when new.number <> (select coalesce(max(number), 0) + 1 from operator_log)
         or exists(select 1 from operator_log where hash = new.hash)
       begin select raise(abort, 'rows of the operator log are only appended'); end""",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One thing an operator did."""

    at: str
    """When, ISO 8601, UTC."""
    operator: str
    """Login name."""
    action: str
    """What, for example ``quarantine_fix`` or ``quarantine_reveal``."""
    subject: str
    """To what: the id of a refused row, or a kind of record."""
    detail: str = ""
    """Names of fields or files, never a value of a record."""

    def parts(self) -> tuple[bytes, ...]:
        """The columns that the hash covers, in order."""
        said = (self.at, self.operator, self.action, self.subject, self.detail)
        return tuple(text.encode() for text in said)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEntry:
    """An entry with its place and its hash."""

    entry: LogEntry
    number: int
    previous: bytes
    """Hash of the entry before, 32 bytes."""
    hash: bytes
    """Its own hash, 32 bytes."""


def chain_entries(execute: Callable[[str], Iterable[Sequence[str]]], add: AddRow) -> None:
    """Give a log that was kept without hashes its chain and its guards.

    Args:
        execute: Runs a statement; its rows.
        add: Runs a statement with values.
    """
    for statement in _CHAIN:
        execute(statement)
    head = NO_ENTRY
    for number, row in enumerate(list(execute(_OLD_ROWS)), start=1):
        hashed = entry_hash(head, number, tuple(text.encode() for text in row))
        add(_INSERT, (number, *row, head, hashed))
        head = hashed
    for statement in ("drop table old_operator_log", *_GUARDS):
        execute(statement)


class OperatorLog:
    """Table ``operator_log``."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def note(self, entry: LogEntry) -> None:
        """Add an entry; inside the caller's transaction."""
        kept = replace(
            entry,
            operator=printable(entry.operator),
            subject=printable(entry.subject),
            detail=printable(entry.detail),
        )
        size, head = self.head()
        hashed = entry_hash(head, size + 1, kept.parts())
        said = (kept.at, kept.operator, kept.action, kept.subject, kept.detail)
        self._connection.execute(_INSERT, (size + 1, *said, head, hashed))

    def head(self) -> tuple[int, bytes]:
        """Number of entries, and the hash of the last one, 32 bytes of zeros before the first."""
        row = self._connection.execute(
            "select number, hash from operator_log order by number desc limit 1"
        ).fetchone()
        return (0, NO_ENTRY) if row is None else (int(row[0]), bytes(row[1]))

    def stored(self) -> Iterator[StoredEntry]:
        """All entries with their hashes, first to last."""
        cursor = self._connection.execute(
            "select number, at, operator, action, subject, detail, previous, hash"
            " from operator_log order by number"
        )
        for row in cursor:
            said = LogEntry(
                at=row[1], operator=row[2], action=row[3], subject=row[4], detail=row[5]
            )
            yield StoredEntry(entry=said, number=row[0], previous=row[6], hash=row[7])

    def verify(self) -> tuple[int, bytes]:
        """Follow the chain from its first entry; number of entries and last hash.

        Raises:
            LogCorruptError: An entry was changed, removed, added or moved.
        """
        return verify_chain(
            ChainedEntry(
                number=one.number, parts=one.entry.parts(), previous=one.previous, hash=one.hash
            )
            for one in self.stored()
        )

    def entries(self, limit: int, subject: str = "") -> tuple[LogEntry, ...]:
        """List entries, newest first.

        Args:
            limit: Most entries.
            subject: Only those of one subject; empty for all.
        """
        cursor = self._connection.execute(
            "select at, operator, action, subject, detail from operator_log"
            " where ? in ('', subject) order by number desc limit ?",
            (subject, limit),
        )
        return tuple(
            LogEntry(at=row[0], operator=row[1], action=row[2], subject=row[3], detail=row[4])
            for row in cursor
        )
