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
from node.intake.field_rules import NodeRules
from node.intake.group import DayBounds, raw_table
from node.intake.layouts import LAYOUTS, Shape
from node.intake.lines import Line
from node.intake.messages import Envelope, Message, decode
from node.intake.originals import Originals
from node.intake.report import Tally
from node.intake.shapes import build_group
from node.store import Commit, LedgerRow, NodeStore, QuarantineRow, Standing, standing_of

__all__ = ["BatchIntake", "quarantine_row"]


@dataclass(slots=True, kw_only=True)
class _Outcome:
    """What a batch comes to, while it is worked on."""

    messages: list[LedgerRow] = field(default_factory=list)
    pending: dict[str, bytes] = field(default_factory=dict)
    completed: list[str] = field(default_factory=list)
    records: dict[str, list[pa.Table]] = field(default_factory=dict)
    taken_back: list[str] = field(default_factory=list)
    refused: list[QuarantineRow] = field(default_factory=list)
    taken: list[Line] = field(default_factory=list)


class BatchIntake:
    """Takes batches of lines into a store."""

    def __init__(
        self,
        store: NodeStore,
        rules: Mapping[str, Sequence[NodeRules]],
        envelope: Envelope,
        bounds: DayBounds,
        now: datetime,
    ) -> None:
        self._store = store
        self._rules = rules
        self._envelope = envelope
        self._bounds = bounds
        self._seen_at = now.isoformat(timespec="seconds")
        self._holds_refused = store.quarantine_count() > 0

    def take(self, source: str, lines: Sequence[Line], tally: Tally) -> None:
        """Take one batch in; it is durable when this returns.

        Args:
            source: Name of the file.
            lines: Lines of the batch.
            tally: Takes the counts.

        Raises:
            StoreError: The store failed; nothing of the batch's last turn was kept.
        """
        tally.messages_in += len(lines)
        outcome = _Outcome()
        decoded: list[tuple[Line, Message]] = []
        for line in lines:
            found = line.fault or decode(line.number, line.body, self._envelope)
            if isinstance(found, Fault):
                self._refuse(source, line, found, outcome, tally)
            else:
                decoded.append((line, found))
        while True:
            later = self._take_turn(source, decoded, outcome, tally)
            self._commit(outcome)
            if not later:
                return
            decoded, outcome = later, _Outcome()

    def _take_turn(
        self,
        source: str,
        decoded: Sequence[tuple[Line, Message]],
        outcome: _Outcome,
        tally: Tally,
    ) -> list[tuple[Line, Message]]:
        """Work on messages with distinct ids; returns the others."""
        turn: dict[str, tuple[Line, Message]] = {}
        later: list[tuple[Line, Message]] = []
        for line, message in decoded:
            if message.msgid in turn:
                later.append((line, message))
            else:
                turn[message.msgid] = (line, message)
        known = self._store.known_messages(list(turn)) if turn else {}
        groups: dict[tuple[str, bool | None], list[Message]] = {}
        for msgid, (line, message) in turn.items():
            standing = standing_of(
                known.get(msgid), message.request_digest, message.response_digest
            )
            if standing is Standing.SEEN:
                tally.already_seen += 1
                outcome.taken.append(line)
            elif standing is Standing.CONFLICT:
                expected = "the content this msgid came with before"
                fault = Fault.of(Rule.MSGID_CONFLICT, "request.msgid", msgid, expected)
                self._refuse(source, line, fault, outcome, tally, message=message)
            else:
                groups.setdefault((message.infno, message.accepted), []).append(message)
        for key in sorted(groups, key=_reversals_last):
            for message, fault in self._build(groups[key], outcome, tally):
                line = turn[message.msgid][0]
                self._refuse(source, line, fault, outcome, tally, message=message)
        outcome.completed += [row.msgid for row in outcome.messages if row.msgid in known]
        outcome.taken += [turn[row.msgid][0] for row in outcome.messages]
        return later

    def _build(
        self, messages: Sequence[Message], outcome: _Outcome, tally: Tally
    ) -> Sequence[tuple[Message, Fault]]:
        """Build the records of one group; returns what has a fault."""
        infno, accepted = messages[0].infno, messages[0].accepted
        good: Sequence[Message] = messages
        faults: Sequence[tuple[Message, Fault]] = ()
        records: Mapping[str, pa.Table] = {}
        if accepted is not False:
            if infno in LAYOUTS:
                built = build_group(
                    messages,
                    self._rules[infno],
                    self._bounds,
                    self._store.schemas,
                    Originals(
                        self._store,
                        outcome.records.get("settlement", ()),
                        outcome.messages,
                        outcome.taken_back,
                    ),
                )
                good, faults, records = built.messages, built.faults, built.records
                if infno in _REVERSALS and "settlement" in records:
                    outcome.taken_back += records["settlement"].column("setl_id").to_pylist()
            elif accepted:
                records = {RAW: raw_table(messages, self._store.schemas[RAW])}
        for kind, table in records.items():
            outcome.records.setdefault(kind, []).append(table)
            tally.records[kind] += table.num_rows
        for message in good:
            outcome.messages.append(_ledger_row(message))
            if accepted is None:
                outcome.pending[message.msgid] = message.raw
        if accepted is None:
            tally.pending += len(good)
        elif not accepted:
            tally.not_accepted += len(good)
        return faults

    def _refuse(
        self,
        source: str,
        line: Line,
        fault: Fault,
        outcome: _Outcome,
        tally: Tally,
        *,
        message: Message | None = None,
    ) -> None:
        tally.rules[fault.rule] += 1
        outcome.refused.append(
            quarantine_row(
                source,
                line,
                fault,
                seen_at=self._seen_at,
                msgid=message.msgid if message else "",
                infno=message.infno if message else "",
            )
        )

    def _commit(self, outcome: _Outcome) -> None:
        released = [line.line_digest() for line in outcome.taken] if self._holds_refused else []
        if outcome.messages or outcome.refused or released:
            self._store.commit(
                Commit(
                    messages=outcome.messages,
                    pending=outcome.pending,
                    completed=outcome.completed,
                    records={
                        kind: pa.concat_tables(tables) for kind, tables in outcome.records.items()
                    },
                    taken_back=outcome.taken_back,
                    quarantine=outcome.refused,
                    released=released,
                )
            )
        self._holds_refused = self._holds_refused or bool(outcome.refused)


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
