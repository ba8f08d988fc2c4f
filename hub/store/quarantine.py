"""Slots and payloads that were refused although their envelope counts.

Port rules: written in the transaction of the envelope; never changed; the sender's receipt says
how many there are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, func, insert, select

from hub.domain.statements import SlotFault, SlotRule
from hub.store.tables import slot_quarantine

MAX_ROWS_PER_ENVELOPE: Final = 1_000
"""Rows kept per envelope; its receipt still counts all refused slots."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinedSlot:
    """A refused slot, or a whole payload with an empty institution."""

    log_index: int
    member: str
    measure_set: str
    fault: SlotFault


def add_quarantined(connection: Connection, rows: Sequence[QuarantinedSlot]) -> None:
    """Store refused slots of a commit group."""
    kept: dict[int, list[QuarantinedSlot]] = {}
    for row in rows:
        of_envelope = kept.setdefault(row.log_index, [])
        if len(of_envelope) < MAX_ROWS_PER_ENVELOPE:
            of_envelope.append(row)
    values = [
        {
            "log_index": row.log_index,
            "member": row.member,
            "measure_set": row.measure_set[:64],
            "institution": row.fault.institution[:64],
            "month": row.fault.month,
            "rule": str(row.fault.rule),
            "mend": row.fault.mend,
        }
        for of_envelope in kept.values()
        for row in of_envelope
    ]
    if values:
        connection.execute(insert(slot_quarantine), values)


def quarantined(connection: Connection, limit: int = 100) -> tuple[QuarantinedSlot, ...]:
    """The newest refused slots, newest first."""
    query = select(slot_quarantine).order_by(slot_quarantine.c.id.desc()).limit(limit)
    return tuple(
        QuarantinedSlot(
            log_index=row.log_index,
            member=row.member,
            measure_set=row.measure_set,
            fault=SlotFault(
                institution=row.institution,
                month=row.month,
                rule=SlotRule(row.rule),
                mend=row.mend,
            ),
        )
        for row in connection.execute(query)
    )


def count(connection: Connection) -> int:
    """Number of refused slots kept."""
    return int(connection.execute(select(func.count()).select_from(slot_quarantine)).scalar_one())
