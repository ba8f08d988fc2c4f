"""What is judged while it happens: one encounter (就诊) with the orders that it states.

Rules:
- Moments are seconds of the wall clock, Asia/Shanghai, since 1970, days are counted from the same
  day: what a day is, or how far two moments lie apart, is then plain arithmetic.
- Amounts are fen, quantities ten-thousandths, prices millionths, as in the records.
- None means that nobody stated it: a form that needs it does not judge, it never guesses.
- Only what the encounter itself states of its own visit counts: its lines may be in the records
  already, and nobody could tell them from the orders here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

__all__ = ["DAY_S", "Encounter", "Order", "date_of", "day_of", "moment_of"]

DAY_S: Final = 86_400
"""Seconds of a day: the wall clock of Asia/Shanghai has no other."""
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - wall clock
_FIRST_DAY: Final = date(1970, 1, 1).toordinal()


def moment_of(moment: datetime) -> int:
    """Seconds of the wall clock since 1970.

    >>> moment_of(datetime(1970, 1, 2, 0, 0, 1))
    86401
    """
    passed = moment - _EPOCH
    return passed.days * DAY_S + passed.seconds


def day_of(day: date) -> int:
    """Days since 1970.

    >>> day_of(date(1970, 1, 2))
    1
    """
    return day.toordinal() - _FIRST_DAY


def date_of(day: int) -> date:
    """The date of a day.

    >>> date_of(1)
    datetime.date(1970, 1, 2)
    """
    return date.fromordinal(day + _FIRST_DAY)


@dataclass(slots=True, kw_only=True)
class Order:
    """One order (医嘱、处方) or charge of an encounter; not changed once it is made."""

    id: str
    """rx_id."""
    item_code: str
    name: str = field(default="", repr=False)
    at: int
    """Moment, seconds since 1970."""
    day: int
    """Day of ``at``, days since 1970."""
    amount_fen: int
    inscp_fen: int
    """Within the fund's scope (符合政策范围): the amount less what is paid by the person alone."""
    quantity_e4: int
    price_e6: int
    is_current: bool = True
    """Whether it is being ordered now; else it was before, in the same encounter."""
    doctor: str | None = field(default=None, repr=False)
    days: int | None = None
    """Days that the supply lasts, where stated."""
    dose: str | None = None
    frequency: str | None = None
    cap_e6: int | None = None
    maternity: bool | None = None
    emergency: bool | None = None
    traces: tuple[str, ...] | None = None
    """Trace codes (药品追溯码); empty where there are none, None where nobody stated them."""
    is_refunded: bool = False
    is_split: bool = False
    """Whether packs are split (拆零), so that one code serves several sales."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Encounter:
    """One encounter as it is stated now."""

    institution: str
    mdtrt_id: str
    person: str = field(repr=False)
    now: int
    """The moment of the question."""
    gender: str | None = None
    born: date | None = field(default=None, repr=False)
    med_type: str | None = None
    insutype: str | None = None
    inpatient: bool
    begins_at: int | None = None
    ends_at: int | None = None
    level: str | None = None
    """Level of the institution (医院等级) as it states it itself."""
    doctor: str | None = field(default=None, repr=False)
    main_icd: str | None = None
    diagnoses: tuple[str, ...] = ()
    """Codes of all diagnoses, the main one among them."""
    fund_fen: int | None = None
    """What the fund is to pay of it, where stated."""
    scope_fen: int | None = None
    """What of it is within the fund's scope, where stated for the whole of it."""
    planned: bool | None = None
    """Whether the admission was planned (计划再入院), where stated."""
    orders: tuple[Order, ...] = ()

    def scope(self) -> int:
        """What is within the fund's scope: as stated, else what the orders come to."""
        if self.scope_fen is not None:
            return self.scope_fen
        return sum(order.inscp_fen for order in self.orders)
