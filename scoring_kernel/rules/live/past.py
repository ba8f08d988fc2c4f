"""Visits of the past as the node's live state knows them, and which of their lines stand.

The law is that of the relations ``visit``, ``claim_settlement``, ``line_change``, ``line_rest``
and ``line``, said for one visit at a time; a property test compares the two.

0. A visit whose registration or admission was cancelled is none.
1. A withdrawal (费用明细撤销) takes back lines sent before it, but for those settled at its time.
2. Of several uploads of a line that was withdrawn before the latest counts; of all others the
   store keeps one version.
3. Lines of a batch whose settlement was reversed are gone until they are settled again.
4. A refund is netted into the line that it names, or, where it names none, into lines of its item
   before it (module ``refunds``). One that names a line which is not there is gone.
5. Lines count when the visit's settlements, net of reversals, come to more than nothing.

Rules:
- Ids are numbers here: keyed digests of what the interface calls them.
- ``sent`` is moment and number of the message a fact came in, 0 where it came in none.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from scoring_kernel.rules.live.encounter import DAY_S
from scoring_kernel.rules.live.refunds import Piece, find_rests, share

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "ADMISSION",
    "AdmissionFact",
    "CancellationFact",
    "DiagnosisFact",
    "DischargeFact",
    "FeeFact",
    "ListFact",
    "PastLine",
    "PastVisit",
    "SettlementFact",
    "VisitFacts",
    "past_visit",
]

ADMISSION: Final = "admission"
DISCHARGE: Final = "discharge"
FEE_DETAIL: Final = "fee_detail"
"""What a cancellation takes back."""


class AdmissionFact(NamedTuple):
    """A registration or an admission."""

    inpatient: bool
    admitted_at: int
    diagnosis: str | None
    med_type: str | None
    insutype: str | None
    sent: int


class SettlementFact(NamedTuple):
    """A settlement or a reversal."""

    setl: int
    sign: int
    settled_at: int
    inpatient: bool
    med_type: str
    insutype: str
    medfee_fen: int
    inscp_fen: int
    fund_fen: int
    batch: int | None
    sent: int


class DischargeFact(NamedTuple):
    """A discharge."""

    discharged_at: int
    way: str
    died: bool
    diagnosis: str | None
    sent: int


class CancellationFact(NamedTuple):
    """What was taken back."""

    what: str
    line: int | None
    batch: int | None
    sent: int


class ListFact(NamedTuple):
    """A settlement list."""

    planned: bool


class DiagnosisFact(NamedTuple):
    """A diagnosis."""

    what: str
    code: str
    main: bool


class FeeFact(NamedTuple):
    """A fee line."""

    line: int
    item_code: str
    at: int
    amount_fen: int
    inscp_fen: int | None
    quantity_e4: int
    days: int | None
    refund_of: int | None
    batch: int | None
    doctor: int | None
    sent: int


@dataclass(slots=True, kw_only=True)
class VisitFacts:
    """All that is known of one visit."""

    visit: int
    institution: str
    admissions: list[AdmissionFact] = field(default_factory=list)
    settlements: list[SettlementFact] = field(default_factory=list)
    discharges: list[DischargeFact] = field(default_factory=list)
    cancellations: list[CancellationFact] = field(default_factory=list)
    lists: list[ListFact] = field(default_factory=list)
    diagnoses: list[DiagnosisFact] = field(default_factory=list)
    fees: list[FeeFact] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class PastVisit:
    """A visit that stands."""

    visit: int
    institution: str
    inpatient: bool
    admitted_at: int
    discharged_at: int | None
    discharge_way: str | None
    main_icd: str | None
    med_type: str | None
    insutype: str | None
    settled: bool
    settled_at: int | None
    inscp_fen: int
    fund_fen: int
    planned_readmission: bool
    standing: tuple[SettlementFact, ...] = ()
    """Its settlements that were not reversed."""
    lines: tuple[PastLine, ...] = field(default=(), repr=False)
    """None where the visit is not settled."""


@dataclass(slots=True, kw_only=True)
class PastLine:
    """A fee line of the past that stands."""

    visit: PastVisit = field(repr=False)
    line: int
    item_code: str
    at: int
    day: int
    amount_fen: int
    inscp_fen: int
    quantity_e4: int
    days: int | None
    is_refunded: bool
    """Whether a part of it was taken back."""


def past_visit(facts: VisitFacts) -> PastVisit | None:
    """Tell what a visit comes to; None where it is none.

    Args:
        facts: What is known of it.
    """
    if any(one.what == ADMISSION for one in facts.cancellations):
        return None
    reversed_ = {one.setl for one in facts.settlements if one.sign < 0}
    standing = sorted(
        (one for one in facts.settlements if one.sign > 0 and one.setl not in reversed_),
        key=lambda one: (one.settled_at, one.sent),
    )
    begun = min(
        facts.admissions,
        key=lambda one: (not one.inpatient, one.admitted_at, one.sent),
        default=None,
    )
    paid = standing[0] if standing else None
    if begun is None and paid is None:
        return None
    ended = _ended(facts)
    settled = (
        paid is not None
        and sum(one.sign for one in facts.settlements) > 0
        and sum(one.medfee_fen for one in facts.settlements) > 0
    )
    visit = PastVisit(
        visit=facts.visit,
        institution=facts.institution,
        inpatient=begun.inpatient if begun else paid.inpatient if paid else False,
        admitted_at=begun.admitted_at if begun else paid.settled_at if paid else 0,
        discharged_at=ended.discharged_at if ended else None,
        discharge_way=ended.way if ended else None,
        main_icd=_main_icd(facts, ended, begun),
        med_type=(paid.med_type if paid else None) or (begun.med_type if begun else None),
        insutype=(begun.insutype if begun else None) or (paid.insutype if paid else None),
        settled=settled,
        settled_at=paid.settled_at if paid else None,
        inscp_fen=sum(one.inscp_fen for one in facts.settlements),
        fund_fen=sum(one.fund_fen for one in facts.settlements),
        planned_readmission=any(one.planned for one in facts.lists),
        standing=tuple(standing),
    )
    if settled and facts.fees:
        visit.lines = tuple(_lines(visit, facts))
    return visit


def _ended(facts: VisitFacts) -> DischargeFact | None:
    undone = max((one.sent for one in facts.cancellations if one.what == DISCHARGE), default=-1)
    left = [one for one in facts.discharges if one.sent >= undone]
    return max(left, key=lambda one: (one.discharged_at, one.sent), default=None)


def _main_icd(
    facts: VisitFacts, ended: DischargeFact | None, begun: AdmissionFact | None
) -> str | None:
    main: dict[str, str] = {}
    for one in facts.diagnoses:
        if one.main and (one.what not in main or one.code < main[one.what]):
            main[one.what] = one.code
    return (
        main.get("list")
        or main.get("discharge")
        or (ended.diagnosis if ended else None)
        or main.get("admission")
        or main.get("visit")
        or (begun.diagnosis if begun else None)
    )


def _lines(visit: PastVisit, facts: VisitFacts) -> list[PastLine]:
    gone = _gone(facts) if any(one.what == FEE_DETAIL for one in facts.cancellations) else set()
    unpaid = _unpaid(visit, facts)
    refunds: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0])
    kept: list[FeeFact] = []
    for place, fee in enumerate(facts.fees):
        if place in gone or fee.batch in unpaid:
            continue
        if fee.refund_of is not None and fee.amount_fen < 0:
            sums = refunds[fee.refund_of]
            sums[0] += fee.amount_fen
            sums[1] += fee.quantity_e4
            sums[2] += fee.amount_fen if fee.inscp_fen is None else fee.inscp_fen
        else:
            kept.append(fee)
    found = ((_line(visit, fee, refunds.get(fee.line)), fee) for fee in kept)
    return _netted([(line, fee) for line, fee in found if line is not None])


def _line(visit: PastVisit, fee: FeeFact, refund: Sequence[int] | None) -> PastLine | None:
    amount, quantity = fee.amount_fen, fee.quantity_e4
    inscp = amount if fee.inscp_fen is None else fee.inscp_fen
    if refund is not None:
        amount += refund[0]
        if amount <= 0:
            return None
        quantity = quantity + refund[1] if quantity + refund[1] > 0 else quantity
        inscp = max(inscp + refund[2], 0)
    return PastLine(
        visit=visit,
        line=fee.line,
        item_code=fee.item_code,
        at=fee.at,
        day=fee.at // DAY_S,
        amount_fen=amount,
        inscp_fen=inscp,
        quantity_e4=quantity,
        days=fee.days,
        is_refunded=refund is not None,
    )


def _netted(lines: Sequence[tuple[PastLine, FeeFact]]) -> list[PastLine]:
    """Take off what refunds without a name take back."""
    if all(line.amount_fen >= 0 for line, _ in lines):
        return [line for line, _ in lines]
    pieces = [
        Piece(fee.item_code, fee.doctor, fee.at, fee.amount_fen, line.amount_fen, fee.sent)
        for line, fee in lines
    ]
    gone: set[int] = set()
    for place, rest in find_rests(pieces).items():
        line = lines[place][0]
        if rest != line.amount_fen:
            least = (line.quantity_e4 > 0) - (line.quantity_e4 < 0)
            line.quantity_e4 = share(line.quantity_e4, rest, line.amount_fen) or least
            line.inscp_fen = share(line.inscp_fen, rest, line.amount_fen)
            line.is_refunded = True
            line.amount_fen = rest
            gone.update(() if rest else (place,))
    return [line for place, (line, _) in enumerate(lines) if place not in gone]


def _unpaid(visit: PastVisit, facts: VisitFacts) -> set[int]:
    """Batches whose settlement was reversed, and that no other one settles."""
    standing = {one.batch for one in visit.standing}
    stated = {one.batch for one in facts.settlements if one.batch is not None}
    return set() if None in standing else stated.difference(standing)


def _gone(facts: VisitFacts) -> set[int]:
    """Places of the fees that were taken back or uploaded again."""
    undone = {one.setl: one.sent for one in facts.settlements if one.sign < 0}
    gone = {
        place
        for place, fee in enumerate(facts.fees)
        if fee.sent
        and any(
            _takes_back(cancellation, fee) and not _was_settled(cancellation, fee, facts, undone)
            for cancellation in facts.cancellations
        )
    }
    latest: dict[int, tuple[int, int]] = {}
    for place, fee in enumerate(facts.fees):
        if fee.sent and place not in gone:
            latest[fee.line] = max(latest.get(fee.line, (0, place)), (fee.sent, place))
    newest = {place for _, place in latest.values()}
    return gone | {
        place
        for place, fee in enumerate(facts.fees)
        if fee.sent and place not in gone and place not in newest
    }


def _takes_back(cancellation: CancellationFact, fee: FeeFact) -> bool:
    return (
        cancellation.what == FEE_DETAIL
        and fee.sent < cancellation.sent
        and cancellation.line in (None, fee.line)
        and (cancellation.batch is None or cancellation.batch == fee.batch)
    )


def _was_settled(
    cancellation: CancellationFact, fee: FeeFact, facts: VisitFacts, undone: dict[int, int]
) -> bool:
    """Whether a settlement of the line, not taken back by then, lies between the two."""
    return any(
        paid.sign > 0
        and fee.sent <= paid.sent < cancellation.sent
        and undone.get(paid.setl, cancellation.sent + 1) > cancellation.sent
        and (paid.batch is None or fee.batch is None or paid.batch == fee.batch)
        for paid in facts.settlements
    )
