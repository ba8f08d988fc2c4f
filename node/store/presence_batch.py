"""What one delivery or one override adds to the tables of presence (在场事件): all or nothing.

Rules:
- It is applied inside the transaction that adds its records: an event is held with its record, and
  a queue's ``through`` moves with both, or nothing does.
- ``through`` moves by compare and set: two deliveries of one queue never both move it.
- Numbers of persons stand in sealed bodies alone; beside them a keyed digest finds them.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Self

from node.errors import StoreError
from node.store.operator_log import LogEntry, OperatorLog
from security.at_rest import Vault

__all__ = [
    "PRESENCE_TABLES",
    "CropRow",
    "OverrideRow",
    "PresenceBatch",
    "PresenceRow",
    "QueueStep",
    "crop_label",
    "event_label",
    "override_label",
]

PRESENCE_TABLES: Final = (
    # body: the signed event, sealed by the vault. verdict: refused for what no record was made of.
    """create table presence(
        device text not null,
        queue blob not null,
        seq integer not null,
        record_id text not null,
        person blob not null,
        institution text not null,
        place text not null,
        purpose text not null,
        at_ms integer not null,
        received_at text not null,
        verdict text not null,
        cause text not null,
        reason text not null,
        note text not null,
        body blob not null,
        primary key(device, queue, seq)
    ) strict, without rowid""",
    "create index presence_at on presence(at_ms)",
    "create index presence_person on presence(person)",
    # Pictures of mismatches, sealed by the vault, until ends_on.
    """create table face_crop(
        device text not null,
        queue blob not null,
        seq integer not null,
        body blob not null,
        ends_on text not null,
        primary key(device, queue, seq)
    ) strict, without rowid""",
    "create index face_crop_ends on face_crop(ends_on)",
    # What devices are asked to verify (核验任务); body: person and visit, sealed by the vault.
    """create table presence_ask(
        id text primary key,
        device text not null,
        purpose text not null,
        body blob not null,
        made_at text not null,
        until_ms integer not null,
        answered integer
    ) strict, without rowid""",
    "create index presence_ask_device on presence_ask(device, until_ms)",
    # Visits let pass at the counter (人工放行); body sealed by the vault.
    """create table presence_override(
        record_id text primary key,
        at text not null,
        operator text not null,
        reason text not null,
        body blob not null
    ) strict, without rowid""",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PresenceRow:
    """One event of a queue, as it was judged."""

    seq: int
    record_id: str
    """Of its record; empty where it was refused."""
    person: bytes
    """Keyed digest of whom it is about, 16 bytes."""
    purpose: str
    at_ms: int
    verdict: str
    """As in the record; ``refused`` where none was made."""
    cause: str
    """Why it is unjudged, or the code of its refusal; else empty."""
    reason: str
    """Reason code (放行事由); empty for none."""
    note: str
    """``differs`` where the display said otherwise; ``age_unknown``; else empty."""
    body: bytes = field(repr=False)
    """The signed event; in clear until the batch is sealed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CropRow:
    """The picture of a mismatch."""

    seq: int
    body: bytes = field(repr=False)
    ends_on: str
    """First day on which it is kept no longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStep:
    """Events of one queue of one device, and how far they bring it."""

    device: str
    queue: bytes
    institution: str
    place: str
    before: int
    """``through`` that the events were judged after."""
    through: int
    received_at: str
    events: Sequence[PresenceRow]
    crops: Sequence[CropRow] = ()
    answered: Sequence[str] = ()
    """Ids of asks that these events answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideRow:
    """A visit let pass by an operator."""

    record_id: str
    at: str
    operator: str
    reason: str
    """Reason code."""
    body: bytes = field(repr=False)
    """Institution, person, visit and words; in clear until the batch is sealed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PresenceBatch:
    """What one commit adds."""

    step: QueueStep | None = None
    overrides: Sequence[OverrideRow] = ()
    log: Sequence[LogEntry] = ()
    """For the log of operators."""

    def sealed(self, vault: Vault) -> Self:
        """The same batch with its bodies sealed."""
        step = self.step
        if step is not None:
            step = replace(
                step,
                events=[
                    replace(one, body=vault.seal(one.body, event_label(step, one.seq)))
                    for one in step.events
                ],
                crops=[
                    replace(one, body=vault.seal(one.body, crop_label(step, one.seq)))
                    for one in step.crops
                ],
            )
        overrides = [
            replace(one, body=vault.seal(one.body, override_label(one.record_id)))
            for one in self.overrides
        ]
        return replace(self, step=step, overrides=overrides)

    def put(self, connection: sqlite3.Connection) -> None:
        """Write it; inside the caller's transaction, sealed.

        Raises:
            StoreError: Another delivery moved the queue since.
        """
        if self.step is not None:
            _put_step(connection, self.step)
        connection.executemany(
            "insert into presence_override values(?, ?, ?, ?, ?)",
            [(one.record_id, one.at, one.operator, one.reason, one.body) for one in self.overrides],
        )
        log = OperatorLog(connection)
        for entry in self.log:
            log.note(entry)


def event_label(step: QueueStep, seq: int) -> str:
    """Place that an event's body is sealed for."""
    return f"presence/{step.device}/{step.queue.hex()}/{seq}"


def crop_label(step: QueueStep, seq: int) -> str:
    """Place that a picture is sealed for."""
    return f"face-crop/{step.device}/{step.queue.hex()}/{seq}"


def override_label(record_id: str) -> str:
    """Place that an override's body is sealed for."""
    return f"presence-override/{record_id}"


def _put_step(connection: sqlite3.Connection, step: QueueStep) -> None:
    _move(connection, step)
    connection.executemany(
        "insert into presence values(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                *(step.device, step.queue, one.seq, one.record_id, one.person),
                *(step.institution, step.place, one.purpose, one.at_ms, step.received_at),
                *(one.verdict, one.cause, one.reason, one.note, one.body),
            )
            for one in step.events
        ],
    )
    connection.executemany(
        "insert into face_crop values(?, ?, ?, ?, ?)",
        [(step.device, step.queue, one.seq, one.body, one.ends_on) for one in step.crops],
    )
    connection.executemany(
        "update presence_ask set answered = 1 where id = ? and device = ?",
        [(one, step.device) for one in step.answered],
    )


def _move(connection: sqlite3.Connection, step: QueueStep) -> None:
    moved = connection.execute(
        "update device_queue set through = ? where device = ? and queue = ? and through = ?",
        (step.through, step.device, step.queue, step.before),
    ).rowcount
    if moved != 1:
        raise StoreError(
            f"the queue of {step.device} moved meanwhile; the device asks how far it is and goes on"
        )
