"""What is known around an encounter: facts of the live state become what the live forms read.

Each part is found when a form asks for it, once; what nobody asks for costs nothing.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cached_property
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

import orjson

from node.errors import StoreError
from node.store.live_facts import FactKind
from node.store.live_reader import FoundFact, LiveReader
from scoring_kernel.rules.live.case import NotJudgedError
from scoring_kernel.rules.live.encounter import Encounter
from scoring_kernel.rules.live.known import (
    ApprovedFact,
    CapFact,
    IdentityFact,
    InsuranceFact,
    ProfileFact,
    QualificationFact,
    SpanFact,
    StaffFact,
    StatusFact,
    TraceFact,
)
from scoring_kernel.rules.live.past import (
    ADMISSION,
    AdmissionFact,
    CancellationFact,
    DiagnosisFact,
    DischargeFact,
    FeeFact,
    ListFact,
    PastVisit,
    SettlementFact,
    VisitFacts,
    past_visit,
)

__all__ = ["Registers", "StateKnown", "know"]

_Made = TypeVar("_Made")
_Facts = Mapping[int, list[FoundFact]]
Registers: TypeAlias = dict[tuple[int, int], tuple[Any, ...]]
"""What was found of registers, by place and kind."""
MAX_REGISTERED: Final = 50_000

_VISIT_PARTS: Final[Mapping[int, tuple[str, Callable[..., Any]]]] = {
    FactKind.ADMISSION: ("admissions", AdmissionFact),
    FactKind.SETTLEMENT: ("settlements", SettlementFact),
    FactKind.DISCHARGE: ("discharges", DischargeFact),
    FactKind.CANCELLATION: ("cancellations", CancellationFact),
    FactKind.SETTLEMENT_LIST: ("lists", ListFact),
    FactKind.DIAGNOSIS: ("diagnoses", DiagnosisFact),
    FactKind.FEE_DETAIL: ("fees", FeeFact),
}


class _There(NamedTuple):
    """A fact that says no more than that it is there."""


class _Moved(NamedTuple):
    """Of an event of a trace code, what may take it back."""

    event: TraceFact
    stock: int | None
    """Place of the deletions of its batch."""
    entry: int | None
    """Equal for uploads of the same movement."""
    sent: int


def _moved(*values: Any) -> _Moved:  # noqa: ANN401 - values of a fact
    event, (stock, entry, sent) = values[:-3], values[-3:]
    return _Moved(TraceFact(*event), stock, entry, sent)


class StateKnown:
    """What a live state knows around one encounter."""

    def __init__(
        self, reader: LiveReader, encounter: Encounter, registers: Registers | None = None
    ) -> None:
        """Name the encounter.

        Args:
            reader: The live state.
            encounter: The encounter.
            registers: What was found of registers a short time ago; added to.

        Raises:
            StoreError: There is no state.
        """
        self._reader = reader
        self._digests = reader.digests
        self._encounter = encounter
        self._held: dict[int, _Facts] = {}
        self._traces: dict[str, tuple[TraceFact, ...]] = {}
        self._registers: Registers = {} if registers is None else registers

    @cached_property
    def visit(self) -> int:
        """Number of the encounter's own visit."""
        return self._digests.visit(self._encounter.institution, self._encounter.mdtrt_id)

    @cached_property
    def visits(self) -> tuple[PastVisit, ...]:
        """The person's other visits that stand."""
        try:
            facts = self._reader.person(self._digests.person(self._encounter.person))
        except StoreError as error:
            raise _unknown(error) from error
        held: dict[int, VisitFacts] = {}
        bodies = orjson.loads(b"[%s]" % b",".join([fact.body for fact in facts]))
        for fact, values in zip(facts, bodies, strict=True):
            part = _VISIT_PARTS.get(fact.kind)
            if part is None or fact.visit == self.visit:
                continue
            visit = held.get(fact.visit)
            if visit is None:
                visit = held[fact.visit] = VisitFacts(
                    visit=fact.visit, institution=fact.institution
                )
            getattr(visit, part[0]).append(part[1](*values))
        found = (past_visit(one) for one in held.values())
        return tuple(one for one in found if one is not None)

    @cached_property
    def identity(self) -> tuple[IdentityFact, ...]:
        """Comparisons of the person with a certificate."""
        return _made(self._person, FactKind.IDENTITY_EVENT, IdentityFact)

    @cached_property
    def insurance(self) -> tuple[InsuranceFact, ...]:
        """What the platform answered of the person's insurance."""
        return _made(self._person, FactKind.INSURANCE_STATUS, InsuranceFact)

    @cached_property
    def freezes(self) -> tuple[SpanFact, ...]:
        """When the person's benefits are frozen."""
        return _made(self._person, FactKind.BENEFIT_FREEZE, SpanFact)

    @cached_property
    def approved(self) -> tuple[ApprovedFact, ...]:
        """Purchases outside of the hospital that were approved."""
        return _made(self._person, FactKind.APPROVED_PURCHASE, ApprovedFact)

    @property
    def agreement(self) -> tuple[StatusFact, ...]:
        """States of the institution's agreement."""
        return self._made(self._institution, FactKind.AGREEMENT_STATUS, StatusFact)

    @property
    def is_rostered(self) -> bool:
        """Whether the institution's staff was ever stated."""
        return bool(self._made(self._institution, FactKind.ROSTERED, _There))

    @property
    def buys_traced(self) -> bool:
        """Whether the institution states trace codes of what it buys."""
        return bool(self._made(self._institution, FactKind.TRACED_PURCHASES, _There))

    def profiles(self, institution: str) -> tuple[ProfileFact, ...]:
        """States of an institution."""
        place = self._digests.institution(institution)
        return self._made(place, FactKind.INSTITUTION_PROFILE, ProfileFact)

    def staff(self, code: str) -> tuple[StaffFact, ...]:
        """Registrations of a staff member."""
        return self._made(self._digests.staff(code), FactKind.STAFF_MEMBER, StaffFact)

    def qualifications(self, code: str) -> tuple[QualificationFact, ...]:
        """States of a staff member's payment qualification."""
        place = self._digests.staff(code)
        return self._made(place, FactKind.STAFF_QUALIFICATION, QualificationFact)

    def caps(self, item_code: str) -> tuple[CapFact, ...]:
        """Highest prices of an item."""
        return self._made(self._digests.item(item_code), FactKind.PRICE_CAP, CapFact)

    def traces(self, code: str) -> tuple[TraceFact, ...]:
        """Events of a trace code."""
        found = self._traces.get(code)
        if found is None:
            facts = self._at(self._digests.trace(code))
            moved = [
                one
                for kind in (FactKind.TRACE_CODE, FactKind.TRACE_MOVEMENT)
                for one in _made(facts, kind, _moved)
                if one.stock is None or one.sent >= self._deleted(one.stock)
            ]
            latest: dict[tuple[str, int | None], int] = {}
            for one in moved:
                key = one.event.institution, one.entry
                latest[key] = max(latest.get(key, 0), one.sent)
            found = self._traces[code] = tuple(
                one.event
                for one in moved
                if one.entry is None or one.sent == latest[one.event.institution, one.entry]
            )
        return found

    def is_reversed(self, setl: int) -> bool:
        """Whether a settlement was reversed, or the registration of its visit cancelled."""
        facts = self._at(setl)
        return FactKind.REVERSAL in facts or any(
            one.what == ADMISSION
            for (visit,) in _made(facts, FactKind.SETTLED_VISIT, lambda visit: (visit,))
            for one in _made(self._at(visit), FactKind.CANCELLATION, CancellationFact)
        )

    def _deleted(self, stock: int) -> int:
        """When movements of a batch were last deleted; 0 where they were not."""
        deletions = _made(self._at(stock), FactKind.STOCK_DELETION, int)
        return max(deletions, default=0)

    @property
    def _person(self) -> _Facts:
        return self._at(self._digests.person(self._encounter.person))

    @property
    def _institution(self) -> int:
        return self._digests.institution(self._encounter.institution)

    def _made(self, place: int, kind: FactKind, make: Callable[..., _Made]) -> tuple[_Made, ...]:
        """Facts of a register; found once for many encounters."""
        found = self._registers.get((place, kind))
        if found is None:
            if len(self._registers) > MAX_REGISTERED:
                self._registers.clear()
            found = self._registers[place, kind] = _made(self._at(place), kind, make)
        return found

    def _at(self, place: int) -> _Facts:
        """Facts at a place by kind; those of all trace codes are found at once."""
        held = self._held.get(place)
        if held is None:
            places = self._with(place)
            try:
                found = _by_place(self._reader.facts(places))
            except StoreError as error:
                raise _unknown(error) from error
            for one in places:
                self._held[one] = found.get(one, {})
            held = self._held[place]
        return held

    def _with(self, place: int) -> Collection[int]:
        """A place, and those that are asked for with it: of all items, of all trace codes."""
        if place in self._ordered_traces:
            return self._ordered_traces
        items = self._ordered_items
        if place in items:
            return [one for one in items if (one, FactKind.PRICE_CAP) not in self._registers]
        return (place,)

    @cached_property
    def _ordered_traces(self) -> Collection[int]:
        trace, orders = self._digests.trace, self._encounter.orders
        return frozenset(trace(code) for order in orders for code in order.traces or ())

    @cached_property
    def _ordered_items(self) -> Collection[int]:
        item, orders = self._digests.item, self._encounter.orders
        return frozenset(item(order.item_code) for order in orders)


def know(
    reader: LiveReader, encounter: Encounter, registers: Registers | None = None
) -> StateKnown:
    """Name an encounter, to ask a live state what it knows around it.

    Raises:
        StoreError: There is no state.
    """
    return StateKnown(reader, encounter, registers)


def _by_place(facts: Iterable[FoundFact]) -> dict[int, _Facts]:
    found: dict[int, dict[int, list[FoundFact]]] = defaultdict(dict)
    for fact in facts:
        found[fact.place].setdefault(fact.kind, []).append(fact)
    return dict(found)


def _made(facts: _Facts, kind: FactKind, make: Callable[..., _Made]) -> tuple[_Made, ...]:
    return tuple(make(*fact.values()) for fact in facts.get(kind, ()))


def _unknown(error: StoreError) -> NotJudgedError:
    return NotJudgedError(f"the live state cannot be asked ({type(error).__name__})")
