"""On which days messages arrived, and which of them wait: read off the ledger's key alone.

A msgid holds its institution, moment and four digits, and the ledger's key is (institution,
infno, msgid): so the next day of a pair is one step in the index, however many messages a day has.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Arrivals", "Waiting"]

_AFTER: str = "~"
"""Behind every digit: a key with it lies behind all messages of its day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Messages of one institution that wait for their response."""

    institution: str
    messages: int
    since: str
    """Day of the oldest, yyyymmdd."""


class Arrivals:
    """Reads table ``message`` by institution and day."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def days(self, since: str) -> Iterator[tuple[str, str]]:
        """List the days on which an institution sent anything.

        Args:
            since: First day, yyyymmdd; of what was sent before, only the newest day is told.

        Yields:
            Pairs (institution, day yyyymmdd), in no order, some of them more than once.
        """
        after = ("", "", "")
        while (found := self._next(after)) is not None:
            institution, infno, msgid = found
            day = msgid[12:20]
            if day >= since:
                yield institution, day
                after = institution, infno, f"{institution}{day}{_AFTER}"
                continue
            start = institution, infno, f"{institution}{since}"
            within = self._next(start)
            if within is None or within[:2] != (institution, infno):
                newest = self._connection.execute(
                    "select max(msgid) from message where institution = ? and infno = ?",
                    (institution, infno),
                ).fetchone()[0]
                yield institution, str(newest)[12:20]
                start = institution, infno, f"{institution}{_AFTER}"
            after = start

    def waiting(self) -> tuple[Waiting, ...]:
        """Count the messages that wait for their response, by institution."""
        cursor = self._connection.execute(
            "select institution, count(*), min(substr(msgid, 13, 8)) from pending"
            " group by institution order by institution"
        )
        return tuple(Waiting(institution=row[0], messages=row[1], since=row[2]) for row in cursor)

    def _next(self, after: tuple[str, str, str]) -> tuple[str, str, str] | None:
        found: tuple[str, str, str] | None = self._connection.execute(
            "select institution, infno, msgid from message"
            " where (institution, infno, msgid) > (?, ?, ?)"
            " order by institution, infno, msgid limit 1",
            after,
        ).fetchone()
        return found
