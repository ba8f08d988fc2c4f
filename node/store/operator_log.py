"""Log of what operators did to single records (操作日志): who, when, what, never a value.

Rows are added and read; nothing changes or removes one.
"""

import sqlite3
from dataclasses import dataclass
from typing import Final

from node.domain.masking import printable

__all__ = ["OPERATOR_LOG_TABLES", "LogEntry", "OperatorLog"]

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


class OperatorLog:
    """Table ``operator_log``."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def note(self, entry: LogEntry) -> None:
        """Add an entry; inside the caller's transaction."""
        self._connection.execute(
            "insert into operator_log(at, operator, action, subject, detail) values(?, ?, ?, ?, ?)",
            (
                entry.at,
                printable(entry.operator),
                entry.action,
                printable(entry.subject),
                printable(entry.detail),
            ),
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
