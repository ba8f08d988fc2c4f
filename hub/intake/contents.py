"""What the contents of a commit group change: slots, rows, pushes, checkpoints, clues, quarantine.

Numbered as applied per envelope, in chain order:

1. A slot of which the sender is not the custodian is quarantined.
2. The slot rule decides; an older or known statement changes nothing, a contradiction is
   quarantined.
3. When the last part of a statement is there, its rows are digested; other rows than the stated
   ones are quarantined, and what counted before still counts.
4. Rows of the slots that were taken are staged.
"""

from collections.abc import Collection, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection

from hub.domain.checkpoints import DecodedCheckpoints
from hub.domain.clues import DecodedClues, DecodedJoinRecords
from hub.domain.custody import CustodyRegister
from hub.domain.heartbeats import DecodedHeartbeat
from hub.domain.members import MemberId
from hub.domain.packs import DecodedPackReport
from hub.domain.pushes import DecodedPush
from hub.domain.sharing import DecodedSharing
from hub.domain.slots import SlotStep, SlotVersion, StatedSlot
from hub.domain.statements import DecodedBatch, OfferedSlot, SlotFault, SlotRule
from hub.intake.checking import Content, Unreadable
from hub.intake.checkpoints import apply_checkpoints
from hub.intake.clue_contents import CLUES, JOIN_RECORDS, ClueContents
from hub.intake.decoding import SlotRows, digest_fault
from hub.intake.pack_reports import PACK_REPORT, apply_pack_report
from hub.intake.requests import add_task
from hub.store import pushed
from hub.store.heartbeats import keep_heartbeat
from hub.store.quarantine import QuarantinedSlot, add_quarantined
from hub.store.slot_index import HeldSlot, SlotBook, SlotKey
from hub.store.statements import StagedRows, StatementStore
from scoring_kernel.joining import Joining
from security.moments import shanghai_day

_CUSTODY_MEND: Final = (
    "the custody register names another member, or none, for this slot; ask the hub's officer"
)
_CONTRADICTION_MEND: Final = (
    "this version was stated before with other content; state the slot with a higher version"
)
_TAKEN: Final = frozenset({SlotStep.REPLACE, SlotStep.COUNT, SlotStep.COLLECT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a content comes from: who sent it, in which incarnation, and its place in the log."""

    sender: MemberId
    incarnation: int
    log_index: int


class ContentBook:
    """Contents of one commit group, applied in its transaction."""

    __slots__ = (
        "_clues",
        "_connection",
        "_custody",
        "_pushes",
        "_quarantined",
        "_slots",
        "_staged",
        "_statements",
    )

    def __init__(
        self,
        connection: Connection,
        statements: StatementStore,
        custody: CustodyRegister,
        contents: Iterable[Content | None],
        *,
        joining: Joining,
        now_ms: int,
    ) -> None:
        """Load the slots that these contents state.

        Args:
            connection: The writing transaction of the group.
            statements: Rows of statements.
            custody: The register in force.
            contents: Contents of the group; those of refused envelopes do no harm.
            joining: What is joined across nodes, and for how long it is kept.
            now_ms: Logged time, milliseconds since the epoch, UTC.
        """
        self._clues = ClueContents(
            connection=connection,
            custody=custody,
            joining=joining,
            today=shanghai_day(now_ms),
        )
        self._connection = connection
        self._statements = statements
        self._custody = custody
        self._slots = SlotBook(
            connection,
            (
                SlotKey(content.measure_set, slot.institution, slot.month)
                for content in contents
                if isinstance(content, DecodedBatch)
                for slot in content.slots
            ),
        )
        self._staged: dict[int, StagedRows] = {}
        self._quarantined: list[QuarantinedSlot] = []
        self._pushes: list[tuple[Origin, DecodedPush]] = []

    def apply(self, content: Content, origin: Origin) -> int:
        """Apply the content of one envelope.

        Returns:
            Number of refused parts: slots, checkpoints, or 1 for a payload that is refused as a
            whole.
        """
        if isinstance(content, Unreadable):
            mend = content.reason[:400]
            self._refuse(
                origin, "", SlotFault(institution="", month=0, rule=SlotRule.PAYLOAD, mend=mend)
            )
            return 1
        if isinstance(content, DecodedPush | DecodedHeartbeat | DecodedSharing):
            self._keep(content, origin)
            return 0
        if isinstance(content, DecodedPackReport | DecodedCheckpoints):
            return self._apply_stated(content, origin)
        place = (origin.sender, origin.incarnation, origin.log_index)
        if isinstance(content, DecodedJoinRecords):
            faults = self._clues.apply_join_records(content, *place)
            return self._refuse_all(origin, JOIN_RECORDS, faults)
        if isinstance(content, DecodedClues):
            return self._refuse_all(origin, CLUES, self._clues.apply_clues(content, *place))
        return self._apply_batch(content, origin)

    def _apply_stated(self, content: DecodedPackReport | DecodedCheckpoints, origin: Origin) -> int:
        """Apply what a member states of itself."""
        if isinstance(content, DecodedPackReport):
            faults = apply_pack_report(self._connection, content, origin.sender, origin.log_index)
            return self._refuse_all(origin, PACK_REPORT, faults)
        faults = apply_checkpoints(
            self._connection,
            content.checkpoints,
            member=origin.sender,
            incarnation=origin.incarnation,
            log_index=origin.log_index,
        )
        return self._refuse_all(origin, "", faults)

    def _keep(
        self, content: DecodedPush | DecodedHeartbeat | DecodedSharing, origin: Origin
    ) -> None:
        """Keep a content that has no parts that could be refused."""
        if isinstance(content, DecodedPush):
            self._pushes.append((origin, content))
        elif isinstance(content, DecodedSharing):
            add_task(self._connection, content, origin.sender, origin.log_index)
        else:
            keep_heartbeat(self._connection, origin.sender, content, origin.log_index)

    def write(self) -> None:
        """Write everything that was applied."""
        self._slots.write()
        self._statements.stage(self._connection, list(self._staged.values()))
        add_quarantined(self._connection, self._quarantined)
        for origin, push in self._pushes:
            pushed.add_push(self._connection, origin.sender, origin.log_index, push)

    def _apply_batch(self, batch: DecodedBatch, origin: Origin) -> int:
        refused = list(batch.faults)
        taken: set[tuple[str, int]] = set()
        # The rows are there while the slots are offered: a last part digests them.
        self._staged[origin.log_index] = _staged(batch, origin, batch.rows_ipc)
        for slot in batch.slots:
            key = SlotKey(batch.measure_set, slot.institution, slot.month)
            outcome = self._offer(key, slot, origin)
            if isinstance(outcome, SlotFault):
                refused.append(outcome)
            elif outcome in _TAKEN:
                taken.add((slot.institution, slot.month))
        # 4. Rows of the slots that were taken.
        if not taken:
            del self._staged[origin.log_index]
        elif len(taken) < len(batch.slots) or batch.faults:
            rows_ipc = _only(batch.rows_ipc, taken)
            self._staged[origin.log_index] = _staged(batch, origin, rows_ipc)
        return self._refuse_all(origin, batch.measure_set, refused)

    def _offer(self, key: SlotKey, slot: OfferedSlot, origin: Origin) -> SlotStep | SlotFault:
        # 1. Custody.
        if self._custody.custodian(*_place(key)) != origin.sender:
            return _fault(key, SlotRule.CUSTODY, _CUSTODY_MEND)
        # 2. The slot rule.
        stated = StatedSlot(
            member=origin.sender,
            at=SlotVersion(incarnation=origin.incarnation, version=slot.version),
            digest=slot.digest,
            rows=slot.rows,
            parts=slot.parts,
        )
        step = self._slots.offer(key, slot, stated, origin.log_index)
        if step is SlotStep.CONTRADICTS:
            return _fault(key, SlotRule.CONTRADICTION, _CONTRADICTION_MEND)
        # 3. The last part.
        whole = self._slots.completed(key)
        if whole is not None:
            wrong = self._whole_fault(key, whole)
            if wrong is not None:
                self._slots.drop_collected(key)
                return _fault(key, *wrong)
            self._slots.count_collected(key)
        return step

    def _whole_fault(self, key: SlotKey, whole: HeldSlot) -> tuple[SlotRule, str] | None:
        """Digest the rows of all parts of a statement."""
        subjects: list[str] = []
        columns: dict[str, list[int]] = {}
        for log_index in whole.log_indexes.values():
            table = self._rows_of(log_index)
            if table is None:
                return SlotRule.ROWS, "a part's rows are gone; state the slot again"
            part = _of_slot(table, key)
            subjects += part.column("subject").to_pylist()
            for name in part.schema.names[3:]:
                columns.setdefault(name, []).extend(part.column(name).to_pylist())
        return digest_fault(
            SlotRows(subjects=subjects, columns=columns),
            key.institution,
            key.month,
            whole.stated.rows,
            whole.stated.digest,
        )

    def _rows_of(self, log_index: int) -> pa.Table | None:
        held = self._staged.get(log_index)
        if held is not None:
            return _read(held.rows_ipc)
        return self._statements.staged_rows(self._connection, log_index)

    def _refuse_all(self, origin: Origin, measure_set: str, faults: Collection[SlotFault]) -> int:
        for fault in faults:
            self._refuse(origin, measure_set, fault)
        return len(faults)

    def _refuse(self, origin: Origin, measure_set: str, fault: SlotFault) -> None:
        self._quarantined.append(
            QuarantinedSlot(
                log_index=origin.log_index,
                member=origin.sender,
                measure_set=measure_set,
                fault=fault,
            )
        )


def _staged(batch: DecodedBatch, origin: Origin, rows_ipc: bytes) -> StagedRows:
    return StagedRows(log_index=origin.log_index, measure_set=batch.measure_set, rows_ipc=rows_ipc)


def _place(key: SlotKey) -> tuple[str, str, int]:
    return key.institution, key.measure_set, key.month


def _fault(key: SlotKey, rule: SlotRule, mend: str) -> SlotFault:
    return SlotFault(institution=key.institution, month=key.month, rule=rule, mend=mend)


def _read(rows_ipc: bytes) -> pa.Table:
    """Rows that were validated before they came here."""
    with pa.ipc.open_stream(rows_ipc) as reader:
        return reader.read_all()


def _of_slot(table: pa.Table, key: SlotKey) -> pa.Table:
    return table.filter(
        pc.and_(
            pc.equal(table.column("institution"), key.institution),
            pc.equal(table.column("month"), key.month),
        )
    )


def _only(rows_ipc: bytes, places: AbstractSet[tuple[str, int]]) -> bytes:
    """The rows of some slots, as an Arrow IPC stream again."""
    table = _read(rows_ipc)
    pairs = zip(
        table.column("institution").to_pylist(), table.column("month").to_pylist(), strict=True
    )
    kept = table.filter(pa.array([pair in places for pair in pairs], pa.bool_()))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, kept.schema) as writer:
        writer.write_table(kept)
    data: bytes = sink.getvalue().to_pybytes()
    return data
