"""What join records and clues change, in the transaction of their envelope.

Numbered as applied to every part:

1. The sender is the custodian of its institution in its month.
2. Its day has come, and its retention is not over. Expired records are refused, not kept.
3. The newer version replaces the older one as a whole; an older one changes nothing.

With the envelope it is noted until when it may be kept whole (``hub.supervision.expiring``).
"""

from dataclasses import dataclass
from datetime import date
from typing import Final

from sqlalchemy import Connection

from hub.domain.clues import CluePart, DecodedClues, DecodedJoinRecords, JoinPart
from hub.domain.custody import CustodyRegister
from hub.domain.members import MemberId
from hub.domain.statements import SlotFault, SlotRule
from hub.store import clues, expiry, join_records
from hub.store.join_records import PartOrigin
from scoring_kernel.joining import Joining, JoinKind

JOIN_RECORDS: Final = "join_records"
CLUES: Final = "clues"
_CUSTODY_MEND: Final = (
    "the custody register names another member, or none, for this institution and month; ask the "
    "hub's officer"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClueContents:
    """Applies contents of one commit group."""

    connection: Connection
    custody: CustodyRegister
    joining: Joining
    today: date
    """Day in Shanghai."""

    def apply_join_records(
        self, content: DecodedJoinRecords, sender: MemberId, incarnation: int, log_index: int
    ) -> list[SlotFault]:
        """Take over sound parts; a fault for each refused one."""
        faults = list(content.faults)
        origin = PartOrigin(
            member=sender,
            incarnation=incarnation,
            kind=content.kind,
            period=content.period,
            keys_digest=content.keys_digest,
            log_index=log_index,
        )
        latest: date | None = None
        for part in content.parts:
            fault = self._part_fault(part, content.kind, sender)
            if fault is not None:
                faults.append(fault)
                continue
            expires = self.joining.expires(content.kind, part.day)
            join_records.replace_part(self.connection, origin, part, expires)
            latest = max(latest or expires, expires)
        expiry.note_envelope(self.connection, log_index, latest or self.today)
        join_records.set_places(
            self.connection,
            origin,
            [
                one
                for one in content.places
                if self._is_custodian(sender, one.institution, JOIN_RECORDS, self.today)
            ],
        )
        return faults

    def apply_clues(
        self, content: DecodedClues, sender: MemberId, incarnation: int, log_index: int
    ) -> list[SlotFault]:
        """Take over sound parts; a fault for each refused one."""
        faults = list(content.faults)
        latest = 0
        for part in content.parts:
            fault = self._clue_fault(part, sender)
            if fault is not None:
                faults.append(fault)
                continue
            clues.replace_part(self.connection, sender, incarnation, part, log_index)
            latest = max(latest, part.month)
        expires = self.joining.hub_clues.expires(latest) if latest else self.today
        expiry.note_envelope(self.connection, log_index, expires)
        return faults

    def _part_fault(self, part: JoinPart, kind: JoinKind, sender: MemberId) -> SlotFault | None:
        month = part.day.year * 100 + part.day.month
        if not self._is_custodian(sender, part.institution, JOIN_RECORDS, part.day):
            return _fault(part.institution, month, SlotRule.CUSTODY, _CUSTODY_MEND)
        if part.day > self.today:
            mend = f"{part.day.isoformat()} is yet to come; compare the clocks"
            return _fault(part.institution, month, SlotRule.PERIOD, mend)
        expires = self.joining.expires(kind, part.day)
        if expires <= self.today:
            mend = (
                f"the retention of {kind} records of {part.day.isoformat()} ended on "
                f"{expires.isoformat()}; there is nothing to do"
            )
            return _fault(part.institution, month, SlotRule.EXPIRED, mend)
        return None

    def _clue_fault(self, part: CluePart, sender: MemberId) -> SlotFault | None:
        first = date(part.month // 100, part.month % 100, 1)
        if not self._is_custodian(sender, part.institution, CLUES, first):
            return _fault(part.institution, part.month, SlotRule.CUSTODY, _CUSTODY_MEND)
        if first > self.today:
            mend = f"month {part.month} is yet to come; compare the clocks"
            return _fault(part.institution, part.month, SlotRule.PERIOD, mend)
        if self.joining.hub_clues.is_over(part.month, self.today):
            mend = (
                f"the retention of clues of {part.month} ended on "
                f"{self.joining.hub_clues.expires(part.month).isoformat()}; there is nothing to do"
            )
            return _fault(part.institution, part.month, SlotRule.EXPIRED, mend)
        return None

    def _is_custodian(self, sender: MemberId, institution: str, what: str, day: date) -> bool:
        month = day.year * 100 + day.month
        return self.custody.custodian(institution, what, month) == sender


def _fault(institution: str, month: int, rule: SlotRule, mend: str) -> SlotFault:
    return SlotFault(institution=institution, month=month, rule=rule, mend=mend)
