"""How each institution behaves in each period, and which misconduct is injected on purpose.

The worst-ranked institutions misbehave in the last period; what they did is data of the ground
truth, so that a later rule can be measured against it. Names follow the field's terms.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from deploy.simulation.city import City, Institution

MISCONDUCT_TAG: Final = 3


class Misconduct(StrEnum):
    """Kinds of misconduct that the simulation injects."""

    DUPLICATE_CHARGE = "duplicate_charge"
    """The same item charged twice on one day (重复收费)."""
    BED_HANGING = "bed_hanging"
    """A stay without treatment (挂床住院)."""
    SPLIT_ADMISSION = "split_admission"
    """One stay cut into two (分解住院)."""
    FUND_SURGE = "fund_surge"
    """Fund use grows far beyond its peers' (基金使用异常增长)."""
    READMISSION_CYCLING = "readmission_cycling"
    """Patients sent home and taken in again within days (短期再入院)."""
    MISSING_LISTS = "missing_settlement_lists"
    """Inpatient settlements without a settlement list (结算清单漏传)."""
    INSURANCE_PENALTY = "insurance_penalty"
    """Administrative penalty of the insurance bureau (医保行政处罚)."""
    FRAUD_CASE = "fraud_case"
    """Penalty and judgment for fraud (欺诈骗保)."""
    AGREEMENT_SUSPENSION = "agreement_suspension"
    """Service agreement suspended (中止协议)."""
    HEALTH_PENALTY = "health_penalty"
    """Administrative penalty of the health commission (卫健行政处罚)."""
    MARKET_PENALTY = "market_penalty"
    """Administrative penalty of market regulation (市监行政处罚)."""
    DISHONEST_DEBTOR = "dishonest_debtor"
    """Entry in the courts' list of dishonest debtors (失信被执行人)."""
    LISTED_DEBTOR = "listed_debtor"
    """The same entry of somebody good otherwise, known from the list itself."""
    SERIOUS_DISHONESTY = "serious_dishonesty"
    """Entry in a list of seriously dishonest subjects (严重失信主体名单)."""
    PAYMENT_POINTS = "payment_points"
    """Points against the payment qualification of staff (支付资格记分)."""
    CONFIRMED_VIOLATION = "confirmed_violation"
    """Violation that an audit confirmed (审核认定违规)."""
    CREDENTIAL_MISUSE = "credential_misuse"
    """Insurance credential lent or used by somebody else (出借、冒用医保凭证)."""
    BENEFIT_MISUSE = "benefit_misuse"
    """Benefits enjoyed twice, drugs hoarded or sold on (重复享受、囤药转卖)."""
    FICTITIOUS_EMPLOYMENT = "fictitious_employment"
    """Persons insured under an employment that does not exist (虚构劳动关系参保)."""
    LABOUR_PENALTY = "labour_penalty"
    """Administrative penalty of the labour authority (人社行政处罚)."""
    DRUG_PENALTY = "drug_penalty"
    """Administrative penalty of the drug authority (药监行政处罚)."""
    COMMERCIAL_BRIBERY = "commercial_bribery"
    """Judgment for commercial bribery (商业贿赂)."""
    SECURITY_INCIDENT = "security_incident"
    """Incident of data security (数据安全事件)."""


_INPATIENT: Final = (
    Misconduct.BED_HANGING,
    Misconduct.SPLIT_ADMISSION,
    Misconduct.READMISSION_CYCLING,
    Misconduct.MISSING_LISTS,
)
_ANYWHERE: Final = (Misconduct.DUPLICATE_CHARGE, Misconduct.FUND_SURGE)

# Share of the ranking, from the worst, that is found out for each kind.
_FOUND_OUT: Final = (
    (0.02, (Misconduct.FRAUD_CASE, Misconduct.AGREEMENT_SUSPENSION)),
    (0.05, (Misconduct.DISHONEST_DEBTOR,)),
    (0.07, (Misconduct.INSURANCE_PENALTY,)),
    (0.10, (Misconduct.HEALTH_PENALTY,)),
    (0.12, (Misconduct.MARKET_PENALTY,)),
)
_TEMPTED: Final = 0.15
"""Share of the ranking, from the worst, that misbehaves in its claims."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conduct:
    """How one institution's claims come about in one period; shares are 0 to 1."""

    visits_growth: float
    """Growth of the number of claims against the first period."""
    fund_shift: float
    """Added to the share of covered charges that the fund pays."""
    failure_share: float
    """Share of messages whose first attempt is refused by the platform."""
    list_share: float
    """Share of inpatient settlements with a settlement list."""
    readmission_share: float
    """Share of stays followed by another within fifteen days."""
    duplicate_share: float = 0.0
    """Share of outpatient visits with a line charged twice."""
    hanging_share: float = 0.0
    """Share of stays without treatment."""
    split_share: float = 0.0
    """Share of stays cut into two."""


def misconduct_of(city: City) -> dict[str, frozenset[Misconduct]]:
    """Decide who misbehaves how, in the last period.

    Args:
        city: The city.

    Returns:
        Kinds per code of every medical institution that misbehaves.
    """
    found: dict[str, frozenset[Misconduct]] = {}
    medical = sorted(
        (item for item in city.institutions if not item.is_pharmacy), key=lambda item: item.rank
    )
    for place, item in enumerate(medical):
        kinds = {kind for bound, kinds in _FOUND_OUT if item.rank < bound for kind in kinds}
        if item.rank < _TEMPTED:
            kinds.add(_ANYWHERE[place % len(_ANYWHERE)])
            if item.tier.inpatient_share:
                kinds.add(_INPATIENT[place % len(_INPATIENT)])
        if kinds:
            found[item.code] = frozenset(kinds)
    return found


def conduct_of(
    city: City, institution: Institution, *, years: int, kinds: frozenset[Misconduct]
) -> Conduct:
    """Give an institution's conduct.

    Args:
        city: The city.
        institution: A medical institution or pharmacy.
        years: Years since the first simulated period; growth compounds over them.
        kinds: Misconduct of this period; empty in all but the last.

    Returns:
        Its conduct in the period.
    """
    rng = city.rng(MISCONDUCT_TAG, institution.index)
    rank = institution.rank
    yearly = 0.06 - 0.04 * rank + float(rng.normal(0.0, 0.02))
    drift = 0.006 * (0.5 - rank) + float(rng.normal(0.0, 0.004))
    failures = 0.002 + 0.05 * (1.0 - rank) ** 2
    lists = min(1.0, 0.86 + 0.15 * rank)
    surge = Misconduct.FUND_SURGE in kinds
    return Conduct(
        visits_growth=(1.0 + yearly) ** years - 1.0 + (0.35 if surge else 0.0),
        fund_shift=drift * years + (0.08 if surge else 0.0),
        failure_share=failures,
        list_share=0.35 if Misconduct.MISSING_LISTS in kinds else lists,
        readmission_share=0.30 if Misconduct.READMISSION_CYCLING in kinds else 0.09,
        duplicate_share=0.25 if Misconduct.DUPLICATE_CHARGE in kinds else 0.0,
        hanging_share=0.30 if Misconduct.BED_HANGING in kinds else 0.0,
        split_share=0.25 if Misconduct.SPLIT_ADMISSION in kinds else 0.0,
    )
