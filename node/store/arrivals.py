"""On which days messages arrived, and which of them wait: read off the ledger's key alone.

A msgid holds its institution, moment and four digits, and the ledger's key is (institution,
infno, msgid): so the next day of a pair is one step in the index, however many messages a day
has, and a day that one transaction has shown is not looked for in another.
"""

import sqlite3
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["Arrivals", "Waiting"]


_AFTER: Final = "~"
"""Behind every digit: what ends so lies behind all messages of its day."""


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

    def days(self, stretch: Sequence[str]) -> dict[str, set[str]]:
        """Tell on which days institutions sent anything.

        Args:
            stretch: Days to look at, yyyymmdd, ascending, at least one.

        Returns:
            Days of the stretch by institution; of one that sent nothing within it, the newest
            day before, if any. An institution that sent nothing at all is left out.
        """
        found: dict[str, set[str]] = {}
        pair = self._next_pair("", "")
        while pair is not None:
            institution, infno = pair
            self._walk(institution, infno, stretch, found.setdefault(institution, set()))
            pair = self._next_pair(institution, infno)
        return found

    def _walk(self, institution: str, infno: str, stretch: Sequence[str], known: set[str]) -> None:
        """Add the days of one pair, looking only at days that are not known yet."""
        place, last = 0, stretch[-1]
        while True:
            while place < len(stretch) and stretch[place] in known:
                place += 1
            if place == len(stretch):
                return
            msgid = self._connection.execute(
                "select msgid from message where institution = ? and infno = ? and msgid >= ?"
                " and msgid < ? order by msgid limit 1",
                (institution, infno, institution + stretch[place], f"{institution}{last}{_AFTER}"),
            ).fetchone()
            if msgid is None:
                break
            day = msgid[0][12:20]
            known.add(day)
            place = bisect_right(stretch, day)
        if max(known, default="") < stretch[0]:
            newest = self._connection.execute(
                "select max(msgid) from message where institution = ? and infno = ? and msgid < ?",
                (institution, infno, institution + stretch[0]),
            ).fetchone()[0]
            known.update(() if newest is None else (newest[12:20],))

    def _next_pair(self, institution: str, infno: str) -> tuple[str, str] | None:
        found: tuple[str, str] | None = self._connection.execute(
            "select institution, infno from message where (institution, infno) > (?, ?)"
            " order by institution, infno limit 1",
            (institution, infno),
        ).fetchone()
        return found

    def waiting(self) -> tuple[Waiting, ...]:
        """Count the messages that wait for their response, by institution."""
        cursor = self._connection.execute(
            "select institution, count(*), min(substr(msgid, 13, 8)) from pending"
            " group by institution order by institution"
        )
        return tuple(Waiting(institution=row[0], messages=row[1], since=row[2]) for row in cursor)
