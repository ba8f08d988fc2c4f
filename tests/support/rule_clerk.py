"""A clerk who walks through a visit's messages and keeps which lines stand, and with what.

He reads them in the order they were sent and keeps what anybody would: a withdrawal strikes out
lines that no standing bill holds, the latest upload of a line counts, lines of a batch whose bill
was reversed wait for the next, a refund is taken off the line that it names, and one that names
none off the lines of its item before it, its physician's first, the latest first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Final

__all__ = [
    "AT",
    "Bill",
    "Cancelled",
    "Clerk",
    "LineRow",
    "Message",
    "Reversal",
    "Upload",
    "Withdrawal",
]

AT: Final = datetime(2026, 3, 2, 9)  # noqa: DTZ001 - wall clock of the records


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    line: str
    amount: int
    quantity: int
    inscp: int | None
    batch: str | None = None
    refund_of: str | None = None
    mapped: bool = False
    item: str = "X"
    doctor: str | None = None
    hour: int = 0
    """Hours after the visit's first."""

    @property
    def at(self) -> datetime:
        return AT + timedelta(hours=self.hour)


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    line: str | None = None
    batch: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    amount: int
    batch: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reversal:
    bill: int
    """Which bill of the visit it takes back, counted from its first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """The registration is cancelled."""


Message = Upload | Withdrawal | Bill | Reversal | Cancelled
LineRow = tuple[str, str, int, int, int, bool]
"""Record id, line, amount, quantity, within scope, refunded."""


@dataclass(slots=True)
class Clerk:
    """What of one visit counts, message by message."""

    kept: dict[str, Upload] = field(default_factory=dict)
    """Uploads that were not taken back, by record id, in the order they were sent."""
    bills: list[tuple[str, Bill]] = field(default_factory=list)
    reversed_: set[int] = field(default_factory=set)
    cancelled: bool = False

    def read(self, sent: str, message: Message) -> None:
        if isinstance(message, Upload):
            self.kept[sent] = message
        elif isinstance(message, Withdrawal):
            for one in [key for key, up in self.kept.items() if self._takes(message, key, up)]:
                del self.kept[one]
        elif isinstance(message, Bill):
            self.bills.append((sent, message))
        elif isinstance(message, Reversal):
            if message.bill < len(self.bills):
                self.reversed_.add(message.bill)
        else:
            self.cancelled = True

    def _takes(self, withdrawal: Withdrawal, sent: str, upload: Upload) -> bool:
        if upload.mapped:
            return False
        if withdrawal.line is not None and withdrawal.line != upload.line:
            return False
        if withdrawal.batch is not None and withdrawal.batch != upload.batch:
            return False
        for number, (billed, bill) in enumerate(self.bills):
            same = None in (bill.batch, upload.batch) or bill.batch == upload.batch
            if number not in self.reversed_ and billed > sent and same:
                return False
        return True

    def stands(self) -> list[LineRow]:
        """Lines that count at the end."""
        standing = [
            bill for number, (_, bill) in enumerate(self.bills) if number not in self.reversed_
        ]
        if self.cancelled or sum(bill.amount for bill in standing) <= 0:
            return []
        latest: dict[str, tuple[str, Upload]] = {}
        for sent, upload in self.kept.items():
            latest[sent if upload.mapped else upload.line] = (sent, upload)
        paid = {bill.batch for bill in standing}
        stated = {bill.batch for _, bill in self.bills}
        held = [
            (sent, upload)
            for sent, upload in latest.values()
            if upload.batch is None
            or upload.batch not in stated
            or None in paid
            or upload.batch in paid
        ]
        return net_of_nameless([row for row in (net_of_named(one, held) for one in held) if row])


@dataclass(slots=True)
class Held:
    """A line with what is left of it."""

    sent: str
    upload: Upload
    amount: int
    quantity: int
    scope: int
    refunded: bool
    rest: int


def net_of_named(one: tuple[str, Upload], held: list[tuple[str, Upload]]) -> Held | None:
    sent, upload = one
    if upload.refund_of is not None and upload.amount < 0:
        return None
    refunds = [one for _, one in held if one.refund_of == upload.line and one.amount < 0]
    amount = upload.amount + sum(one.amount for one in refunds)
    quantity = upload.quantity + sum(one.quantity for one in refunds)
    scope = within(upload) + sum(within(one) for one in refunds)
    if refunds:
        quantity = quantity if quantity > 0 else upload.quantity
        scope = max(scope, 0)
    if refunds and amount <= 0:
        return None
    return Held(sent, upload, amount, quantity, scope, bool(refunds), amount)


def net_of_nameless(held: list[Held]) -> list[LineRow]:
    held.sort(key=lambda one: (one.upload.at, one.upload.amount, one.sent))
    for is_own in (True, False):
        for back in held:
            for line in reversed(held):
                if back.rest < 0 < line.rest and is_before(line, back):
                    same = back.upload.doctor == line.upload.doctor
                    taken = min(-back.rest, line.rest) if same or not is_own else 0
                    back.rest, line.rest = back.rest + taken, line.rest - taken
    rows = []
    for one in held:
        if one.rest != one.amount:
            left = Fraction(one.rest, one.amount)
            one.quantity = rounded(one.quantity * left) or (one.quantity > 0) - (one.quantity < 0)
            one.scope = rounded(one.scope * left)
        if one.rest or not one.amount:
            refunded = one.refunded or one.rest != one.amount
            row = (one.sent, one.upload.line, one.rest, one.quantity, one.scope, refunded)
            rows.append(row)
    return sorted(rows)


def is_before(line: Held, back: Held) -> bool:
    same = line.upload.item == back.upload.item
    return same and line.upload.at.date() <= back.upload.at.date()


def rounded(value: Fraction) -> int:
    """Half away from nothing."""
    found = int(abs(value) + Fraction(1, 2))
    return found if value >= 0 else -found


def within(upload: Upload) -> int:
    return upload.amount if upload.inscp is None else upload.inscp
