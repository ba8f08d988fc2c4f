"""Decoding of statement payloads (度量声明): what each slot states, and which slots are refused.

Numbered as applied:

0. The batch parses, its measure set is in the catalogue and its rows have that set's columns.
   Otherwise the payload as a whole is refused.
1. Every slot names an institution and a month, and its version, parts and rows are in bounds.
2. No slot is stated twice, and no row belongs to a slot that is not stated.
3. Rows speak of their slot's institution only, with values in bounds.
4. A slot in one part has as many rows as stated, and they are the digested ones. Slots in several
   parts are checked when the last part is there.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import pyarrow as pa

from hub.domain.custody import is_month
from hub.domain.members import InstitutionCode, is_institution
from hub.domain.statements import DecodedBatch, OfferedSlot, SlotFault, SlotRule
from hub.errors import StatementError
from hub.intake.rows import read_rows, rows_schema
from protos.yixin.v1 import statement_pb2
from scoring_kernel.errors import KernelInputError
from scoring_kernel.measure_sets import MeasureSet
from scoring_kernel.statements import row_digest, rows_digest
from scoring_kernel.subject_ids import INSTITUTION, is_subject_id
from security.encoding import parse_exactly
from security.headers import MAX_ENVELOPE_BYTES

MAX_SLOTS: Final = 50_000
MAX_PARTS: Final = 1_024
MAX_ROWS: Final = 10_000_000
MAX_COUNTER: Final = 2**62
MAX_VALUE: Final = 10**13
"""Largest measure of one slot: 100 billion yuan in fen. Larger is a unit mistake."""
_DIGEST_BYTES: Final = 32
_RESTATE: Final = "correct the records and run `yixin node sync` again"
_DIGEST_FAULT: Final = (SlotRule.DIGEST, f"the rows are not the digested ones; {_RESTATE}")


class SlotRows(NamedTuple):
    """Rows of one slot, column by column."""

    subjects: Sequence[str]
    columns: Mapping[str, Sequence[int]]

    def digest(self, institution: str, month: int) -> bytes:
        """SHA-256 over the canonical rows.

        Raises:
            KernelInputError: A text holds a separator.
        """
        n = len(self.subjects)
        return rows_digest([institution] * n, [month] * n, self.subjects, self.columns)


def decode_batch(payload: bytes, measure_sets: Mapping[str, MeasureSet]) -> DecodedBatch:
    """Decode a payload of type ``statements``.

    Args:
        payload: Serialised StatementBatch.
        measure_sets: Measure sets of the catalogue.

    Returns:
        Sound slots, refused slots and the rows as received.

    Raises:
        StatementError: The payload as a whole cannot be read.
    """
    # 0. The batch as a whole.
    try:
        batch = parse_exactly(statement_pb2.StatementBatch, payload, MAX_ENVELOPE_BYTES)
    except ValueError as error:
        raise StatementError("The payload is no StatementBatch.") from error
    measure_set = measure_sets.get(batch.measure_set)
    if measure_set is None:
        raise StatementError(
            f"Measure set {batch.measure_set[:40]!r} is not in this hub's catalogue, which knows "
            f"{', '.join(sorted(measure_sets))}; bring both sides to the same catalogue."
        )
    if not 1 <= len(batch.slots) <= MAX_SLOTS:
        raise StatementError(f"Found {len(batch.slots)} slots, expected 1 to {MAX_SLOTS}.")
    table = read_rows(batch.rows_ipc, rows_schema(tuple(m.id for m in measure_set.measures)))
    rows = _Rows(table, measure_set)
    # 2. Rows belong to stated slots.
    stated = [(slot.institution, slot.month) for slot in batch.slots]
    if not rows.places.keys() <= set(stated):
        raise StatementError("The rows hold a slot that the batch does not state.")
    counts = Counter(stated)
    sound: list[OfferedSlot] = []
    faults: list[SlotFault] = []
    for slot in batch.slots:
        fault = _fault(slot, batch.measure_set, counts, rows)
        if fault is None:
            sound.append(_offered(slot))
        else:
            rule, mend = fault
            faults.append(
                SlotFault(institution=slot.institution[:64], month=slot.month, rule=rule, mend=mend)
            )
    return DecodedBatch(
        measure_set=batch.measure_set,
        slots=tuple(sound),
        faults=tuple(faults),
        rows_ipc=batch.rows_ipc,
    )


class _Rows:
    """Rows of a batch, grouped by slot."""

    __slots__ = ("_columns", "_kind", "_names", "_subjects", "_wrong", "places")

    def __init__(self, table: pa.Table, measure_set: MeasureSet) -> None:
        self._kind = measure_set.subject
        least = dict.fromkeys(measure_set.never_negative, 0)
        # Lists, not arrays: most batches are small, and the digest needs Python's integers.
        lists = [column.to_pylist() for column in table.combine_chunks().itercolumns()]
        institutions, months, self._subjects = lists[:3]
        self._columns: dict[str, list[int]] = dict(
            sorted(zip(table.schema.names[3:], lists[3:], strict=True))
        )
        self._names = tuple(self._columns)
        self._wrong = frozenset(
            index
            for name, values in self._columns.items()
            if values and (max(values) > MAX_VALUE or min(values) < least.get(name, -MAX_VALUE))
            for index, value in enumerate(values)
            if not least.get(name, -MAX_VALUE) <= value <= MAX_VALUE
        )
        self.places: dict[tuple[str, int], list[int]] = {}
        for index, place in enumerate(zip(institutions, months, strict=True)):
            self.places.setdefault(place, []).append(index)

    def of(self, place: tuple[str, int]) -> SlotRows:
        """Rows of one slot."""
        indices = self.places.get(place, ())
        return SlotRows(
            subjects=[self._subjects[index] for index in indices],
            columns={
                name: [values[index] for index in indices] for name, values in self._columns.items()
            },
        )

    def fault_of(
        self, place: tuple[str, int], expected_rows: int, expected_digest: bytes
    ) -> tuple[SlotRule, str] | None:
        """Compare the rows of a sound slot in one part with what is stated of them."""
        indices = self.places.get(place, ())
        if len(indices) != 1 or expected_rows != 1:
            return digest_fault(self.of(place), *place, expected_rows, expected_digest)
        (index,) = indices
        values = [column[index] for column in self._columns.values()]
        digest = row_digest(*place, self._subjects[index], self._names, values)
        return None if digest == expected_digest else _DIGEST_FAULT

    def is_sound(self, place: tuple[str, int]) -> bool:
        """Whether the slot's rows speak of its institution or its staff, with values in bounds."""
        return all(
            self._is_own(place[0], self._subjects[index]) and index not in self._wrong
            for index in self.places.get(place, ())
        )

    def _is_own(self, institution: str, subject: str) -> bool:
        """Whether a subject is what the measure set speaks of in a slot of an institution."""
        if self._kind == INSTITUTION:
            return subject == institution
        return is_subject_id(self._kind, subject)


def _fault(
    slot: statement_pb2.SlotStatement,
    measure_set: str,
    counts: Mapping[tuple[str, int], int],
    rows: _Rows,
) -> tuple[SlotRule, str] | None:
    institution, month = slot.institution, slot.month
    place = (institution, month)
    # Most slots are sound, so the rules are first asked together.
    is_sound = (
        is_institution(institution)
        and is_month(month)
        and _is_in_bounds(slot, measure_set)
        and counts[place] == 1
        and rows.is_sound(place)
    )
    if not is_sound:
        return _broken_rule(slot, measure_set, counts)
    # 4. Number and digest.
    if slot.parts > 1:
        return None
    return rows.fault_of(place, slot.rows, slot.digest)


def _broken_rule(
    slot: statement_pb2.SlotStatement,
    measure_set: str,
    counts: Mapping[tuple[str, int], int],
) -> tuple[SlotRule, str]:
    # 1. Names and bounds.
    if not is_institution(slot.institution):
        return SlotRule.INSTITUTION, "use the code of the national register (H or P, 11 digits)"
    if not is_month(slot.month):
        return SlotRule.MONTH, "state months as yyyymm"
    if not _is_in_bounds(slot, measure_set):
        return SlotRule.SHAPE, "check version, parts, rows and digest of the statement"
    # 2. Stated once.
    if counts[slot.institution, slot.month] > 1:
        return SlotRule.SLOT_TWICE, "state a slot once per batch"
    # 3. Own rows, sound values.
    problem = f"rows name another subject, exceed {MAX_VALUE} or hold a negative count"
    return SlotRule.ROWS, f"{problem}; {_RESTATE}"


def digest_fault(
    rows: SlotRows, institution: str, month: int, expected_rows: int, expected_digest: bytes
) -> tuple[SlotRule, str] | None:
    """Compare the rows of a whole slot with what its statement says of them.

    Returns:
        The broken rule and what to do, or None when the rows are the stated ones.
    """
    if len(rows.subjects) != expected_rows:
        return (
            SlotRule.ROWS,
            f"found {len(rows.subjects)} rows, {expected_rows} stated; {_RESTATE}",
        )
    try:
        digest = rows.digest(institution, month)
    except KernelInputError:
        return SlotRule.ROWS, f"a subject holds a separator; {_RESTATE}"
    if digest != expected_digest:
        return _DIGEST_FAULT
    return None


def _is_in_bounds(slot: statement_pb2.SlotStatement, measure_set: str) -> bool:
    return (
        slot.measure_set == measure_set
        and 1 <= slot.version <= MAX_COUNTER
        and slot.ledger_size <= MAX_COUNTER
        and slot.rows <= MAX_ROWS
        and 1 <= slot.part <= slot.parts <= MAX_PARTS
        and len(slot.digest) == _DIGEST_BYTES
    )


def _offered(slot: statement_pb2.SlotStatement) -> OfferedSlot:
    return OfferedSlot(
        institution=InstitutionCode(slot.institution),
        month=slot.month,
        version=slot.version,
        ledger_size=slot.ledger_size,
        rows=slot.rows,
        digest=slot.digest,
        part=slot.part,
        parts=slot.parts,
    )
