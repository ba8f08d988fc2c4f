"""Which slots' statements count, with the envelopes that hold their rows."""

from collections.abc import Sequence

import pyarrow as pa
from sqlalchemy import ColumnElement, Connection, and_, select, union_all

from hub.store.incidents import is_trusted
from hub.store.tables import slot, slot_part

__all__ = ["every_counting_slot", "trusted_slots"]


def every_counting_slot(connection: Connection, measure_set: str) -> pa.Table:
    """Every slot of a measure set that counts, also what an incident makes suspect.

    Args:
        connection: A reading transaction.
        measure_set: Measure set.

    Returns:
        Institution, month and log index, a row for every part.
    """
    return _slots(connection, measure_set)


def trusted_slots(connection: Connection, measure_set: str, months: Sequence[int]) -> pa.Table:
    """Slots of some months that count and that no open incident makes suspect.

    Args:
        connection: A reading transaction.
        measure_set: Measure set.
        months: Months wanted, yyyymm.

    Returns:
        Institution, month and log index, a row for every part.
    """
    return _slots(connection, measure_set, slot.c.month.in_(list(months)), is_trusted())


def _slots(connection: Connection, measure_set: str, *conditions: ColumnElement[bool]) -> pa.Table:
    same = and_(
        slot_part.c.measure_set == slot.c.measure_set,
        slot_part.c.institution == slot.c.institution,
        slot_part.c.month == slot.c.month,
        slot_part.c.collecting == slot.c.collecting,
    )
    counts = (slot.c.measure_set == measure_set, slot.c.collecting.is_(False), *conditions)
    single = select(slot.c.institution, slot.c.month, slot.c.log_index).where(
        *counts, slot.c.log_index.is_not(None)
    )
    parts = select(slot.c.institution, slot.c.month, slot_part.c.log_index).join(slot_part, same)
    rows = connection.execute(union_all(single, parts.where(*counts))).all()
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    return pa.table(
        {
            "institution": pa.array(columns[0], pa.string()),
            "month": pa.array(columns[1], pa.int32()),
            "log_index": pa.array(columns[2], pa.int64()),
        }
    )
