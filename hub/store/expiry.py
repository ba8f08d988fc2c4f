"""The end of join records and clues: what is kept too long, and the envelopes that brought it.

Port rules:

- Inside the caller's transaction, all of it: rows and the contents of their envelopes go together.
- An envelope is emptied when nothing that it brought may be kept any more: its hash, its leaf and
  its receipt stay, its content does not. A leaf of its own says so, so that an auditor learns why
  the content is not there; while the log takes no leaf, nothing is emptied.
- SQLite overwrites what is deleted here; ``engine.clear_log`` takes the log's copies away too.
"""

from dataclasses import dataclass
from datetime import date
from typing import Final

from sqlalchemy import Connection, Select, delete, select, update

from hub.store import log
from hub.store.clue_tables import (
    clue,
    clue_part,
    clue_staff,
    join_envelope,
    join_part,
    join_record,
    joined_clue,
)
from hub.store.log import NewLeaf
from hub.store.slot_index import upsert
from hub.store.tables import envelope, log_leaf
from protos.yixin.v1 import transparency_pb2
from security.moments import day_number

EMPTIED_WORD: Final = "emptied"
_SQLITE: Final = "sqlite"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """What was deleted."""

    records: int
    """Join records."""
    clues: int
    """Clues that nodes stated."""
    findings: int
    """What the hub had found by joining."""
    envelopes: int
    """Envelopes that were emptied."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing was over."""
        return not (self.records or self.clues or self.findings or self.envelopes)


def note_envelope(connection: Connection, log_index: int, expires: date) -> None:
    """Note until when the envelope that brought records or clues may be kept whole."""
    connection.execute(
        upsert(connection, join_envelope),
        [{"log_index": log_index, "expires_day": day_number(expires)}],
    )


def purge(connection: Connection, today: date, last_month: int, now_ms: int) -> Expired:
    """Delete what is kept too long.

    Args:
        connection: A writing transaction.
        today: Day in Shanghai.
        last_month: The last month, yyyymm, of which no clue may be kept.
        now_ms: Present moment, milliseconds since the epoch, UTC.

    Raises:
        LogReadOnlyError: An envelope must be emptied and the log takes no leaf now.
    """
    _overwrite(connection, on=True)
    day = day_number(today)
    over = select(join_part.c.id).where(join_part.c.expires_day <= day)
    records = connection.execute(delete(join_record).where(join_record.c.part_id.in_(over)))
    connection.execute(delete(join_part).where(join_part.c.expires_day <= day))
    named = (
        select(clue.c.id)
        .where(clue.c.month <= last_month, clue.c.member == clue_staff.c.member)
        .correlate(clue_staff)
    )
    connection.execute(delete(clue_staff).where(clue_staff.c.id.in_(named)))
    clues = connection.execute(delete(clue).where(clue.c.month <= last_month))
    connection.execute(delete(clue_part).where(clue_part.c.month <= last_month))
    findings = connection.execute(delete(joined_clue).where(joined_clue.c.month <= last_month))
    emptied = select(join_envelope.c.log_index).where(join_envelope.c.expires_day <= day)
    leaves = _emptied_leaves(connection, emptied, now_ms)
    if leaves:
        log.append_leaves(connection, leaves)
    envelopes = connection.execute(
        update(envelope).where(envelope.c.log_index.in_(emptied)).values(raw=b"")
    )
    connection.execute(delete(join_envelope).where(join_envelope.c.expires_day <= day))
    _overwrite(connection, on=False)
    return Expired(
        records=max(0, records.rowcount),
        clues=max(0, clues.rowcount),
        findings=max(0, findings.rowcount),
        envelopes=max(0, envelopes.rowcount),
    )


def _emptied_leaves(
    connection: Connection, emptied: Select[tuple[int]], now_ms: int
) -> list[NewLeaf]:
    """Leaves that say which envelopes are emptied now, in log order."""
    query = (
        select(log_leaf.c.leaf)
        .join(envelope, envelope.c.log_index == log_leaf.c.log_index)
        .where(envelope.c.log_index.in_(emptied), envelope.c.raw != b"")
        .order_by(log_leaf.c.log_index)
    )
    found = [transparency_pb2.LogLeaf.FromString(row.leaf) for row in connection.execute(query)]
    return [
        log.event_leaf(
            transparency_pb2.LOG_KIND_EMPTIED,
            hub=leaf.recipient,
            digest=leaf.envelope_hash,
            word=EMPTIED_WORD,
            at_ms=now_ms,
            subject=leaf.sender,
            period=leaf.period,
        )
        for leaf in found
    ]


def _overwrite(connection: Connection, *, on: bool) -> None:
    if connection.dialect.name == _SQLITE:
        connection.exec_driver_sql(f"PRAGMA secure_delete={'ON' if on else 'OFF'}")
