"""What is known around an encounter: facts of the live state become what the live forms read.

0. The person's visits with their facts, and the facts at the places the encounter names.
1. The registers of other institutions that those visits were at.
2. Which settlements of the trace codes were reversed.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple, TypeVar

from node.store.live_facts import FactKind
from node.store.live_reader import FoundFact, LiveReader
from scoring_kernel.rules.live.encounter import Encounter
from scoring_kernel.rules.live.known import (
    ApprovedFact,
    CapFact,
    IdentityFact,
    InsuranceFact,
    Known,
    ProfileFact,
    QualificationFact,
    SpanFact,
    StaffFact,
    StatusFact,
    TraceFact,
)
from scoring_kernel.rules.live.past import (
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

__all__ = ["know"]

_Made = TypeVar("_Made")

_VISIT_PARTS: Final[Mapping[int, tuple[str, Callable[..., Any]]]] = {
    FactKind.ADMISSION: ("admissions", AdmissionFact),
    FactKind.SETTLEMENT: ("settlements", SettlementFact),
    FactKind.DISCHARGE: ("discharges", DischargeFact),
    FactKind.CANCELLATION: ("cancellations", CancellationFact),
    FactKind.SETTLEMENT_LIST: ("lists", ListFact),
    FactKind.DIAGNOSIS: ("diagnoses", DiagnosisFact),
    FactKind.FEE_DETAIL: ("fees", FeeFact),
}


class _Places(NamedTuple):
    """Places that an encounter names."""

    person: int
    institution: int
    staff: Mapping[str, int]
    items: Mapping[str, int]
    traces: Mapping[str, int]


def know(reader: LiveReader, encounter: Encounter) -> Known:
    """Find what is known around an encounter.

    Args:
        reader: The live state.
        encounter: The encounter.

    Raises:
        StoreError: The state is not there, is damaged, or holds too much of the person.
    """
    digests = reader.digests
    one = encounter
    places = _Places(
        person=digests.person(one.person),
        institution=digests.institution(one.institution),
        staff={order.doctor: digests.staff(order.doctor) for order in one.orders if order.doctor},
        items={order.item_code: digests.item(order.item_code) for order in one.orders},
        traces={code: digests.trace(code) for order in one.orders for code in order.traces or ()},
    )
    own = digests.visit(one.institution, one.mdtrt_id)
    visits = _visits(reader, places.person, own)
    found = _by_place(
        reader.facts(
            {
                places.person,
                places.institution,
                *places.staff.values(),
                *places.items.values(),
                *places.traces.values(),
            }
        )
    )
    person = found.get(places.person, {})
    institution = found.get(places.institution, {})
    traces = {
        code: (
            *_made(found, place, FactKind.TRACE_CODE, TraceFact),
            *_made(found, place, FactKind.TRACE_MOVEMENT, TraceFact),
        )
        for code, place in places.traces.items()
    }
    deaths = person.get(FactKind.DEATH, ())
    return Known(
        visit=own,
        visits=visits,
        identity=_made(found, places.person, FactKind.IDENTITY_EVENT, IdentityFact),
        insurance=_made(found, places.person, FactKind.INSURANCE_STATUS, InsuranceFact),
        freezes=_made(found, places.person, FactKind.BENEFIT_FREEZE, SpanFact),
        died_at=min((fact.values()[0] for fact in deaths), default=None),
        approved=_made(found, places.person, FactKind.APPROVED_PURCHASE, ApprovedFact),
        agreement=_made(found, places.institution, FactKind.AGREEMENT_STATUS, StatusFact),
        profiles=_profiles(
            reader,
            one.institution,
            _made(found, places.institution, FactKind.INSTITUTION_PROFILE, ProfileFact),
            visits,
        ),
        staff={
            name: _made(found, place, FactKind.STAFF_MEMBER, StaffFact)
            for name, place in places.staff.items()
        },
        qualifications={
            name: _made(found, place, FactKind.STAFF_QUALIFICATION, QualificationFact)
            for name, place in places.staff.items()
        },
        traces=traces,
        reversed=_reversed(reader, traces.values()),
        is_rostered=FactKind.ROSTERED in institution,
        buys_traced=FactKind.TRACED_PURCHASES in institution,
        caps={
            code: _made(found, place, FactKind.PRICE_CAP, CapFact)
            for code, place in places.items.items()
        },
    )


def _visits(reader: LiveReader, person: int, own: int) -> tuple[PastVisit, ...]:
    visits, facts = reader.person(person)
    held = {
        one.visit: VisitFacts(visit=one.visit, institution=one.institution)
        for one in visits
        if one.visit != own
    }
    for fact in facts:
        part = _VISIT_PARTS.get(fact.kind)
        visit = held.get(fact.place)
        if part is not None and visit is not None:
            getattr(visit, part[0]).append(part[1](*fact.values()))
    found = (past_visit(one) for one in held.values())
    return tuple(one for one in found if one is not None)


def _by_place(facts: Iterable[FoundFact]) -> dict[int, dict[int, list[FoundFact]]]:
    found: dict[int, dict[int, list[FoundFact]]] = defaultdict(dict)
    for fact in facts:
        found[fact.place].setdefault(fact.kind, []).append(fact)
    return found


def _made(
    found: Mapping[int, Mapping[int, list[FoundFact]]],
    place: int,
    kind: FactKind,
    make: Callable[..., _Made],
) -> tuple[_Made, ...]:
    return tuple(make(*fact.values()) for fact in found.get(place, {}).get(kind, ()))


def _profiles(
    reader: LiveReader,
    own: str,
    held: tuple[ProfileFact, ...],
    visits: Iterable[PastVisit],
) -> dict[str, tuple[ProfileFact, ...]]:
    """Profiles of the own institution, and of others that the person was in hospital at."""
    profiles = {own: held}
    others = {one.institution for one in visits if one.inpatient} - {own}
    if others:
        places = {reader.digests.institution(code): code for code in others}
        found = _by_place(reader.facts(places))
        for place, code in places.items():
            profiles[code] = _made(found, place, FactKind.INSTITUTION_PROFILE, ProfileFact)
    return profiles


def _reversed(reader: LiveReader, traces: Iterable[tuple[TraceFact, ...]]) -> frozenset[int]:
    settlements = {fact.setl for facts in traces for fact in facts if fact.setl is not None}
    if not settlements:
        return frozenset()
    facts = reader.facts(settlements)
    return frozenset(fact.place for fact in facts if fact.kind == FactKind.REVERSAL)
