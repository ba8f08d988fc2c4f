"""Counts of presence events, for reports: nothing of a person is opened."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from threading import RLock

__all__ = ["EventCount", "PresenceCounts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventCount:
    """How many events of a stretch are alike."""

    institution: str
    place: str
    device: str
    verdict: str
    cause: str
    note: str
    events: int


class PresenceCounts:
    """Counts over the events and asks of one node."""

    def __init__(self, connection: sqlite3.Connection, lock: RLock) -> None:
        self._connection = connection
        self._lock = lock

    def alike(self, begin_ms: int, end_ms: int, institution: str = "") -> tuple[EventCount, ...]:
        """Count the events of a stretch of time that are alike."""
        with self._lock:
            rows = self._connection.execute(
                "select institution, place, device, verdict, cause, note, count(*) from presence"
                " where at_ms >= ? and at_ms < ? and ?3 in ('', institution)"
                " group by 1, 2, 3, 4, 5, 6 order by 1, 2, 3, 4, 5, 6",
                (begin_ms, end_ms, institution),
            ).fetchall()
        names = ("institution", "place", "device", "verdict", "cause", "note", "events")
        return tuple(EventCount(**dict(zip(names, row, strict=True))) for row in rows)

    def reasons(self, begin_ms: int, end_ms: int) -> int:
        """Count the events of a stretch of time that somebody let pass with a reason code."""
        with self._lock:
            row = self._connection.execute(
                "select count(*) from presence where at_ms >= ? and at_ms < ? and reason <> ''"
                " and verdict <> 'refused'",
                (begin_ms, end_ms),
            ).fetchone()
        return int(row[0])

    def unanswered(self, begin_ms: int, end_ms: int, institution: str = "") -> Mapping[str, int]:
        """Count asks that ended in a stretch of time without an answer, by device."""
        with self._lock:
            rows = self._connection.execute(
                "select device, count(*) from presence_ask where until_ms >= ? and until_ms < ?"
                " and answered is null and instr(device, ?) group by device order by device",
                (begin_ms, end_ms, f"//{institution}" if institution else "//"),
            ).fetchall()
        return dict(rows)

    def last_deliveries(self) -> Mapping[str, str]:
        """When each device delivered last, ISO 8601, UTC."""
        with self._lock:
            rows = self._connection.execute(
                "select device, max(received_at) from presence group by device"
            ).fetchall()
        return dict(rows)
