"""Slot statements (度量声明): which slots changed, and their payloads.

The order of work, in one transaction of the outbox:

0. Digest every slot of the reported set in its canonical form.
1. Compare with the mark left by the last statement of the slot; equal → nothing to say.
2. Otherwise the slot's version rises by one.
3. Rows of changed slots are packed into payloads; a slot too large for one payload is cut into
   parts, which count at the hub only when all are there.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa

from node.domain.reported import ReportedSet
from protos.yixin.v1 import statement_pb2
from scoring_kernel.statements import rows_digest

MAX_ROWS_PER_PAYLOAD: Final = 4_000
"""Rows in one payload: about 400 KiB with a dozen measures, well below an envelope's bound."""

MARKS: Final = "slot|"
"""What the keys of all marks of slots begin with."""
_VERSION_BYTES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedSlot:
    """A slot whose rows differ from what was last stated."""

    institution: str
    month: int
    version: int
    digest: bytes = field(repr=False)
    rows: slice


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementPayload:
    """One payload and the marks to leave when it is in the outbox."""

    payload: bytes = field(repr=False)
    marks: Mapping[str, bytes] = field(repr=False)
    slots: int


def mark_prefix(measure_set: str) -> str:
    """What the keys of all marks of a measure set begin with."""
    return f"{MARKS}{measure_set}|"


def unstated(mark: bytes) -> bytes:
    """The mark of a slot that is to be stated again with its next version."""
    return mark[:_VERSION_BYTES] + bytes(len(mark) - _VERSION_BYTES)


def mark_key(measure_set: str, institution: str, month: int) -> str:
    """Key under which the last stated version and digest of a slot are kept."""
    return f"{mark_prefix(measure_set)}{institution}|{month}"


def changed_slots(
    report: ReportedSet, marks: Mapping[str, bytes], custody: Collection[str]
) -> list[ChangedSlot]:
    """Slots to state again.

    Args:
        report: Reported rows, sorted by slot.
        custody: Institutions this node states; it keeps the records of others to itself.
        marks: Marks of the set's slots by key: eight bytes of version and 32 of digest.
    """
    changed: list[ChangedSlot] = []
    for institution, month, rows in report.slots():
        if institution not in custody:
            continue
        digest = rows_digest(
            report.institutions[rows].tolist(),
            report.months[rows].tolist(),
            report.subjects[rows].tolist(),
            {name: column[rows] for name, column in report.columns.items()},
        )
        mark = marks.get(mark_key(report.measure_set, institution, month))
        if mark is not None and mark[_VERSION_BYTES:] == digest:
            continue
        version = int.from_bytes(mark[:_VERSION_BYTES], "big") + 1 if mark is not None else 1
        changed.append(
            ChangedSlot(
                institution=institution, month=month, version=version, digest=digest, rows=rows
            )
        )
    return changed


def statement_payloads(
    report: ReportedSet, changed: Sequence[ChangedSlot], *, ledger_size: int
) -> Iterator[StatementPayload]:
    """Pack changed slots into payloads of the type "statements".

    Args:
        report: The rows the slots point into.
        changed: Slots to state, in order.
        ledger_size: Records in the ledger when the rows were computed.
    """
    group: list[tuple[ChangedSlot, slice, int, int]] = []
    size = 0
    for slot in changed:
        parts = _parts(slot.rows)
        for number, rows in enumerate(parts, start=1):
            # An empty slot weighs as much as a row, so that slots are bounded as well.
            length = max(rows.stop - rows.start, 1)
            if group and size + length > MAX_ROWS_PER_PAYLOAD:
                yield _payload(report, group, ledger_size)
                group, size = [], 0
            group.append((slot, rows, number, len(parts)))
            size += length
    if group:
        yield _payload(report, group, ledger_size)


def _parts(rows: slice) -> list[slice]:
    """Rows of a slot, part by part; an empty slot is one part without rows."""
    if rows.start == rows.stop:
        return [rows]
    return [
        slice(start, min(start + MAX_ROWS_PER_PAYLOAD, rows.stop))
        for start in range(rows.start, rows.stop, MAX_ROWS_PER_PAYLOAD)
    ]


def _payload(
    report: ReportedSet, group: Sequence[tuple[ChangedSlot, slice, int, int]], ledger_size: int
) -> StatementPayload:
    batch = statement_pb2.StatementBatch(measure_set=report.measure_set)
    marks: dict[str, bytes] = {}
    indices: list[int] = []
    for slot, rows, part, parts in group:
        batch.slots.append(
            statement_pb2.SlotStatement(
                institution=slot.institution,
                measure_set=report.measure_set,
                month=slot.month,
                version=slot.version,
                ledger_size=ledger_size,
                rows=slot.rows.stop - slot.rows.start,
                digest=slot.digest,
                part=part,
                parts=parts,
            )
        )
        if part == parts:
            key = mark_key(report.measure_set, slot.institution, slot.month)
            marks[key] = slot.version.to_bytes(_VERSION_BYTES, "big") + slot.digest
        indices.extend(range(rows.start, rows.stop))
    batch.rows_ipc = _ipc(report, indices)
    return StatementPayload(
        payload=batch.SerializeToString(deterministic=True), marks=marks, slots=len(group)
    )


def _ipc(report: ReportedSet, indices: Sequence[int]) -> bytes:
    table = pa.table(
        {
            "institution": pa.array(report.institutions[indices].tolist(), pa.string()),
            "month": pa.array(report.months[indices], pa.int32()),
            "subject": pa.array(report.subjects[indices].tolist(), pa.string()),
            **{
                name: pa.array(column[indices], pa.int64())
                for name, column in sorted(report.columns.items())
            },
        }
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())
