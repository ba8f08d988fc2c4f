"""One batch of messages: decoded, de-duplicated, checked, built and committed together.

0. Decode each line and check its head.
1. A msgid that comes twice in a batch waits for the next turn, after a commit.
2. Ask the ledger: new, seen already, completed by its response, or in conflict.
3. Check and build by transaction, reversals last.
4. Commit records, ledger rows, waiting messages and refused lines in one transaction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import pyarrow as pa

from node.domain.faults import Fault, Rule
from node.domain.masking import show_msgid
from node.domain.records import RAW
from node.intake.columns import FaultBook
from node.intake.field_rules import IntakeRules
from node.intake.group import DayBounds, latest_moment, raw_table
from node.intake.heads import check_heads
from node.intake.layouts import LAYOUTS, Shape
from node.intake.lines import Line, truncation_digest
from node.intake.messages import Envelope, Message, decode
from node.intake.originals import Originals, settlement_keys
from node.intake.outcomes import Outcome, Taken
from node.intake.report import Tally
from node.intake.shapes import build_group
from node.store import (
    Commit,
    LedgerRow,
    MessageKey,
    NodeStore,
    QuarantineRow,
    SettlementKey,
    Standing,
    standing_of,
)

__all__ = ["BatchIntake", "quarantine_row"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    """The lines of a batch, and what is told of them."""

    source: str
    lines: Sequence[Line]
    tally: Tally
    taken: dict[int, Taken] = field(default_factory=dict)
    """What became of each line, by its place."""


@dataclass(slots=True, kw_only=True)
class _Turn:
    """What a turn of a batch comes to, while it is worked on."""

    messages: list[LedgerRow] = field(default_factory=list)
    pending: dict[MessageKey, bytes] = field(default_factory=dict)
    completed: list[MessageKey] = field(default_factory=list)
    records: dict[str, list[pa.Table]] = field(default_factory=dict)
    taken_back: list[SettlementKey] = field(default_factory=list)
    refused: list[QuarantineRow] = field(default_factory=list)
    released: list[bytes] = field(default_factory=list)
    """Digests of lines that went in: if one was refused before, it is no longer."""


class BatchIntake:
    """Takes batches of lines into a store."""

    def __init__(
        self,
        store: NodeStore,
        rules: IntakeRules,
        *,
        now: datetime,
        expected_months: frozenset[int] | None = None,
    ) -> None:
        """Prepare an intake; cheap, so that every group of messages may have its own.

        Args:
            store: The node's store; this process is its one writer.
            rules: What messages are checked against.
            now: The time, UTC-aware: nothing may lie in its future.
            expected_months: Months (yyyymm) that records may carry; None for any.
        """
        latest = latest_moment(now)
        store.record_ledger.close_days(now)
        self._store = store
        self._rules = rules
        self._envelope = Envelope(
            transactions=rules.transactions,
            institutions=store.institution_codes(),
            latest=latest,
        )
        self._bounds = DayBounds(latest=latest, months=expected_months)
        self._seen_at = now.isoformat(timespec="seconds")
        self._holds_refused = store.quarantine_count() > 0

    def take(self, source: str, lines: Sequence[Line], tally: Tally) -> list[Taken]:
        """Take one batch in; it is durable when this returns.

        Args:
            source: Name of the file.
            lines: Lines of the batch.
            tally: Takes the counts.

        Returns:
            What became of each line, in the order of the lines.

        Raises:
            StoreError: The store failed; nothing of the batch's last turn was kept.
        """
        tally.messages_in += len(lines)
        batch = _Batch(source=source, lines=lines, tally=tally)
        turn = _Turn()
        messages: list[Message] = []
        for place, line in enumerate(lines):
            found = line.fault or decode(place, line.body, self._envelope)
            if isinstance(found, Fault):
                self._refuse(batch, place, found, turn)
            else:
                messages.append(found)
        messages = self._check_heads(batch, messages, turn)
        while True:
            # Another thread may take in messages too: look-ups and commit belong together.
            with self._store.taking():
                later = self._take_turn(batch, messages, turn)
                self._commit(turn)
            if not later:
                return [batch.taken[place] for place in range(len(lines))]
            messages, turn = later, _Turn()

    def _check_heads(
        self, batch: _Batch, messages: Sequence[Message], turn: _Turn
    ) -> list[Message]:
        """Check the heads; returns the messages whose head is in order."""
        book = FaultBook()
        check_heads(self._rules.heads, messages, book)
        for owner, fault in sorted(book.faults.items()):
            self._refuse(batch, messages[owner].place, fault, turn, message=messages[owner])
        return [message for owner, message in enumerate(messages) if owner not in book.faults]

    def _take_turn(self, batch: _Batch, messages: Sequence[Message], turn: _Turn) -> list[Message]:
        """Work on messages with distinct keys; returns the others."""
        own: dict[MessageKey, Message] = {}
        later = [one for one in messages if own.setdefault(_key(one), one) is not one]
        known = self._store.known_messages(list(own)) if own else {}
        groups: dict[tuple[str, bool | None], list[Message]] = {}
        for key, message in own.items():
            held = known.get(key)
            standing = standing_of(
                held,
                message.request_digest,
                message.response_digest,
                accepted=message.accepted,
            )
            if standing is Standing.SEEN:
                batch.tally.already_seen += 1
                accepted = held.accepted if held else None
                self._note(batch, message, Outcome.SEEN, accepted, turn)
            elif standing is Standing.CONFLICT:
                expected = "the content this msgid came with before"
                fault = Fault.of(Rule.MSGID_CONFLICT, "request.msgid", key.msgid, expected)
                self._refuse(batch, message.place, fault, turn, message=message)
            else:
                groups.setdefault((message.infno, message.accepted), []).append(message)
        for group in sorted(groups, key=_reversals_last):
            good, faults = self._build(groups[group], turn, batch.tally)
            outcome = self._outcome_of(*group)
            for message in good:
                self._note(batch, message, outcome, message.accepted, turn)
            for message, fault in faults:
                self._refuse(batch, message.place, fault, turn, message=message)
        if known:
            turn.completed += [row.key for row in turn.messages if row.key in known]
        return later

    def _note(
        self,
        batch: _Batch,
        message: Message,
        standing: Outcome,
        accepted: bool | None,  # noqa: FBT001 - what the platform said, as in the ledger
        turn: _Turn,
    ) -> None:
        """Note that a message is in the ledger."""
        line = batch.lines[message.place]
        batch.taken[message.place] = _taken(line, message, standing, accepted)
        if self._holds_refused:
            turn.released.append(line.line_digest())

    def _build(
        self, messages: Sequence[Message], turn: _Turn, tally: Tally
    ) -> tuple[Sequence[Message], Sequence[tuple[Message, Fault]]]:
        """Build the records of one group; returns what is good and what has a fault."""
        infno, accepted = messages[0].infno, messages[0].accepted
        good: Sequence[Message] = messages
        faults: Sequence[tuple[Message, Fault]] = ()
        records: Mapping[str, pa.Table] = {}
        if accepted is not False:
            if infno in self._rules.nodes:
                built = build_group(
                    messages,
                    self._rules,
                    self._bounds,
                    self._store.schemas,
                    Originals(
                        self._store,
                        turn.records.get("settlement", ()),
                        turn.messages,
                        turn.taken_back,
                    ),
                )
                good, faults, records = built.messages, built.faults, built.records
                if infno in _REVERSALS and "settlement" in records:
                    turn.taken_back += settlement_keys(records["settlement"])
            if accepted and good and not self._rules.has_records(infno):
                records = {RAW: raw_table(good, self._store.schemas[RAW])}
        for kind, table in records.items():
            turn.records.setdefault(kind, []).append(table)
            tally.records[kind] += table.num_rows
        for message in good:
            turn.messages.append(_ledger_row(message))
            if accepted is None:
                turn.pending[_key(message)] = message.raw
        if accepted is None:
            tally.pending += len(good)
        elif not accepted:
            tally.not_accepted += len(good)
        return good, faults

    def _outcome_of(self, infno: str, accepted: bool | None) -> Outcome:  # noqa: FBT001 - a group's key
        if accepted is None:
            return Outcome.PENDING
        if not accepted:
            return Outcome.NOT_ACCEPTED
        return Outcome.STORED if self._rules.has_records(infno) else Outcome.KEPT

    def _refuse(
        self,
        batch: _Batch,
        place: int,
        fault: Fault,
        turn: _Turn,
        *,
        message: Message | None = None,
    ) -> None:
        """Put a line into quarantine, unless it is one that went in corrected."""
        line = batch.lines[place]
        accepted = message.accepted if message else None
        if self._store.desk.mended([line.line_digest()]):
            batch.tally.already_seen += 1
            batch.taken[place] = _taken(line, message, Outcome.SEEN, accepted)
            return
        batch.tally.rules[fault.rule] += 1
        batch.taken[place] = _taken(line, message, Outcome.REFUSED, accepted, fault)
        turn.refused.append(
            quarantine_row(
                batch.source,
                line,
                fault,
                seen_at=self._seen_at,
                msgid=message.msgid if message else "",
                infno=message.infno if message else "",
            )
        )

    def _commit(self, turn: _Turn) -> None:
        if turn.messages or turn.refused or turn.released:
            self._store.commit(
                Commit(
                    messages=turn.messages,
                    pending=turn.pending,
                    completed=turn.completed,
                    records={
                        kind: pa.concat_tables(tables) for kind, tables in turn.records.items()
                    },
                    taken_back=turn.taken_back,
                    quarantine=turn.refused,
                    released=turn.released,
                )
            )
        self._holds_refused = self._holds_refused or bool(turn.refused)

    def forget_truncation(self, source: str) -> None:
        """Take away the note that a file broke off, before it is read again."""
        if self._holds_refused:
            self._store.commit(Commit(released=[truncation_digest(source)]))


def quarantine_row(
    source: str, line: Line, fault: Fault, *, seen_at: str, msgid: str = "", infno: str = ""
) -> QuarantineRow:
    """Make the quarantine row of a refused line."""
    return QuarantineRow(
        digest=line.line_digest(),
        source=source,
        line=line.number,
        msgid=show_msgid(msgid),
        infno=infno,
        rule=fault.rule,
        field=fault.field,
        value=fault.value,
        reason=fault.reason,
        mend=fault.mend,
        seen_at=seen_at,
        body=line.body or None,
    )


_REVERSALS: Final = frozenset(
    infno
    for infno, layout in LAYOUTS.items()
    if layout.shape in (Shape.REVERSAL, Shape.MESSAGE_REVERSAL)
)


def _reversals_last(key: tuple[str, bool | None]) -> tuple[bool, str, str]:
    return key[0] in _REVERSALS, key[0], str(key[1])


def _taken(
    line: Line,
    message: Message | None,
    standing: Outcome,
    accepted: bool | None,  # noqa: FBT001 - what the platform said, as in the ledger
    fault: Fault | None = None,
) -> Taken:
    return Taken(
        line=line.number,
        standing=standing,
        infno=message.infno if message else "",
        msgid=message.msgid if message else "",
        accepted=accepted,
        fault=fault,
    )


def _key(message: Message) -> MessageKey:
    return MessageKey(institution=message.institution, infno=message.infno, msgid=message.msgid)


def _ledger_row(message: Message) -> LedgerRow:
    return LedgerRow(
        msgid=message.msgid,
        infno=message.infno,
        institution=message.institution,
        month=message.month,
        accepted=message.accepted,
        request_digest=message.request_digest,
        response_digest=message.response_digest,
    )
