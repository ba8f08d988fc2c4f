"""Presence events (在场事件) as devices delivered them; crops, asks and overrides beside them."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from threading import RLock
from typing import Any, Final

import orjson

from node.store.by import By
from node.store.database import clear_log
from node.store.operator_log import OperatorLog
from node.store.presence_batch import PresenceBatch, override_label
from node.store.transactions import transaction
from security.at_rest import Vault
from security.moments import SHANGHAI, to_ms

__all__ = ["Ask", "HeldEvent", "OpenedOverride", "PresenceStore"]

_EVENT: Final = (
    "device, queue, seq, record_id, institution, place, purpose, at_ms, received_at, verdict,"
    " cause, reason, note"
)
ASK_DAYS: Final = 90
"""Asks are kept so long after they ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldEvent:
    """One event, without what it says of a person."""

    device: str
    queue: bytes
    seq: int
    record_id: str
    institution: str
    place: str
    purpose: str
    at_ms: int
    received_at: str
    verdict: str
    cause: str
    reason: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Something that a device is asked to verify (核验任务)."""

    id: str
    device: str
    purpose: str
    person: str = field(repr=False)
    visit: str = field(repr=False)
    label: str
    """What the screen shows."""
    until_ms: int
    is_answered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedOverride:
    """A visit let pass by an operator, opened."""

    record_id: str
    at: str
    operator: str
    reason: str
    told: Mapping[str, str] = field(repr=False)
    """Institution, person, visit and words."""


class PresenceStore:
    """Events, crops, asks and overrides of one node.

    What is written is durable when a method returns.
    """

    def __init__(self, connection: sqlite3.Connection, vault: Vault, lock: RLock) -> None:
        self._connection = connection
        self._vault = vault
        self._lock = lock

    def put(self, batch: PresenceBatch) -> None:
        """Write a sealed batch; inside the caller's transaction.

        Raises:
            StoreError: Another delivery moved the queue since.
        """
        batch.put(self._connection)

    def refused(self, device: str, queue: bytes, seqs: Sequence[int]) -> Mapping[int, str]:
        """Find which of some events were refused, with the code of their refusal."""
        if not seqs:
            return {}
        with self._lock:
            rows = self._connection.execute(
                "select seq, cause from presence where device = ? and queue = ?"
                " and seq between ? and ? and verdict = 'refused'",
                (device, queue, min(seqs), max(seqs)),
            ).fetchall()
        wanted = set(seqs)
        return {seq: cause for seq, cause in rows if seq in wanted}

    def events(
        self, begin_ms: int, end_ms: int, institution: str = "", limit: int = 100
    ) -> tuple[HeldEvent, ...]:
        """List events of a stretch of time, newest first."""
        with self._lock:
            rows = self._connection.execute(
                f"select {_EVENT} from presence where at_ms >= ? and at_ms < ?"  # noqa: S608 - our own names
                " and ?3 in ('', institution) order by at_ms desc, device, seq desc limit ?4",
                (begin_ms, end_ms, institution, limit),
            ).fetchall()
        return tuple(_held(row) for row in rows)

    def of_person(self, person: bytes) -> Iterator[tuple[HeldEvent, bytes, bytes | None]]:
        """Open everything that devices delivered of a person, oldest first.

        Args:
            person: Keyed digest of the number.

        Yields:
            The event, its signed bytes, and its picture where one is kept.

        Raises:
            VaultError: A row was changed on disk.
        """
        with self._lock:
            rows = self._connection.execute(
                f"select {_EVENT}, body from presence where person = ? order by at_ms, seq",  # noqa: S608 - our own names
                (person,),
            ).fetchall()
        for *row, body in rows:
            held = _held(row)
            place = f"{held.device}/{held.queue.hex()}/{held.seq}"
            opened = self._vault.open(bytes(body), f"presence/{place}")
            yield held, opened, self._crop(held, f"face-crop/{place}")

    def asks(self, device: str, now_ms: int, limit: int) -> tuple[Ask, ...]:
        """List what a device is still asked to verify, the most urgent first.

        Raises:
            VaultError: A row was changed on disk.
        """
        query = (
            "where device = ? and until_ms > ? and answered is null order by until_ms, id limit ?"
        )
        with self._lock:
            return tuple(self._asked(query, (device, now_ms, limit)))

    def find_asks(self, ids: Sequence[str]) -> Mapping[str, Ask]:
        """Find asks by id; what is not known is left out.

        Raises:
            VaultError: A row was changed on disk.
        """
        query = "where id in (select value from json_each(?))"
        with self._lock:
            return {one.id: one for one in self._asked(query, (orjson.dumps(list(ids)).decode(),))}

    def asks_of(self, person: str) -> tuple[Ask, ...]:
        """List the asks about a person that are still here, those that ended included.

        Args:
            person: psn_no, or code of a staff member.

        Raises:
            VaultError: A row was changed on disk.
        """
        with self._lock:
            return tuple(
                one for one in self._asked("order by until_ms", ()) if one.person == person
            )

    def add_asks(self, asks: Sequence[Ask], by: By | None = None, subject: str = "") -> int:
        """Keep asks; one whose id is there already is left as it is.

        Args:
            asks: The asks.
            by: Who asks, for the log of operators; None for the node's own.
            subject: What the log says they are of.

        Returns:
            How many were new.
        """
        made_at = "" if by is None else by.moment
        rows = [
            (
                *(one.id, one.device, one.purpose),
                self._vault.seal(
                    orjson.dumps([one.person, one.visit, one.label]), f"presence-ask/{one.id}"
                ),
                *(made_at, one.until_ms),
            )
            for one in asks
        ]
        with self._lock, transaction(self._connection):
            count = self._connection.executemany(
                "insert or ignore into presence_ask(id, device, purpose, body, made_at, until_ms)"
                " values(?, ?, ?, ?, ?, ?)",
                rows,
            ).rowcount
            if by is not None and count:
                OperatorLog(self._connection).note(
                    by.entry("presence_round", subject, f"{count} asks")
                )
        return max(count, 0)

    def overrides(self, begin: str, end: str) -> tuple[OpenedOverride, ...]:
        """Open the overrides of a stretch of time, oldest first.

        Args:
            begin: First moment, ISO 8601, UTC.
            end: First moment after it.

        Raises:
            VaultError: A row was changed on disk.
        """
        with self._lock:
            rows = self._connection.execute(
                "select record_id, at, operator, reason, body from presence_override"
                " where at >= ? and at < ? order by at, record_id",
                (begin, end),
            ).fetchall()
        return tuple(
            OpenedOverride(
                record_id=name,
                at=at,
                operator=operator,
                reason=reason,
                told=orjson.loads(self._vault.open(bytes(body), override_label(name))),
            )
            for name, at, operator, reason, body in rows
        )

    def drop_pictures(self, person: bytes, by: By) -> int:
        """Delete the pictures that are kept of a person; logged, where there were any.

        Args:
            person: Keyed digest of the number.
            by: Who deletes, and why.

        Returns:
            How many went.
        """
        with self._lock:
            with transaction(self._connection) as connection:
                count = connection.execute(
                    "delete from face_crop where (device, queue, seq) in"
                    " (select device, queue, seq from presence where person = ?)",
                    (person,),
                ).rowcount
                if count:
                    OperatorLog(connection).note(by.entry("crop_delete", f"{count} pictures"))
            if count:
                clear_log(self._connection)
        return count

    def due(self, day: date, keep_days: int) -> Mapping[str, Mapping[int, int]]:
        """Count what is kept beyond its time, by kind and by month (yyyymm) it is of.

        Args:
            day: Day in Shanghai.
            keep_days: How long events are kept.
        """
        crops = "select replace(substr(ends_on, 1, 7), '-', ''), count(*) from face_crop"
        events = "select strftime('%Y%m', at_ms / 1000, 'unixepoch', '+8 hours'), count(*)"
        with self._lock:
            found = {
                "face_crop": self._connection.execute(
                    f"{crops} where ends_on <= ? group by 1", (day.isoformat(),)
                ).fetchall(),
                "presence": self._connection.execute(
                    f"{events} from presence where at_ms < ? group by 1",
                    (_ended_ms(day, keep_days),),
                ).fetchall(),
            }
        return {kind: {int(month): count for month, count in rows} for kind, rows in found.items()}

    def delete_due(self, by: By, keep_days: int) -> Mapping[str, int]:
        """Delete what is kept beyond its time; logged, where something was.

        Args:
            by: Who deletes, and when.
            keep_days: How long events are kept.

        Returns:
            Number by kind.
        """
        with self._lock:
            with transaction(self._connection) as connection:
                crops = connection.execute(
                    "delete from face_crop where ends_on <= ?", (by.day.isoformat(),)
                ).rowcount
                events = connection.execute(
                    "delete from presence where at_ms < ?", (_ended_ms(by.day, keep_days),)
                ).rowcount
                asks = connection.execute(
                    "delete from presence_ask where until_ms < ?", (_ended_ms(by.day, ASK_DAYS),)
                ).rowcount
                deleted = {"face_crop": crops, "presence": events, "presence_ask": asks}
                if crops or events:
                    words = ", ".join(f"{kind} {count}" for kind, count in deleted.items())
                    OperatorLog(connection).note(by.entry("crop_retain", "presence", words))
            if any(deleted.values()):
                clear_log(self._connection)
        return deleted

    def _crop(self, held: HeldEvent, label: str) -> bytes | None:
        with self._lock:
            row = self._connection.execute(
                "select body from face_crop where device = ? and queue = ? and seq = ?",
                (held.device, held.queue, held.seq),
            ).fetchone()
        return None if row is None else self._vault.open(bytes(row[0]), label)

    def _asked(self, where: str, values: Sequence[object]) -> Iterator[Ask]:
        rows = self._connection.execute(
            f"select id, device, purpose, body, until_ms, answered from presence_ask {where}",  # noqa: S608 - our own words
            values,
        ).fetchall()
        for name, device, purpose, body, until_ms, answered in rows:
            person, visit, label = orjson.loads(
                self._vault.open(bytes(body), f"presence-ask/{name}")
            )
            yield Ask(
                id=name,
                device=device,
                purpose=purpose,
                person=person,
                visit=visit,
                label=label,
                until_ms=until_ms,
                is_answered=answered is not None,
            )


def _held(row: Sequence[Any]) -> HeldEvent:
    values = dict(zip(_EVENT.replace(" ", "").split(","), row, strict=True))
    return HeldEvent(**{**values, "queue": bytes(values["queue"])})


def _ended_ms(day: date, keep_days: int) -> int:
    """First millisecond in Shanghai that is kept."""
    return to_ms(datetime.combine(day - timedelta(days=keep_days), time(), SHANGHAI))
