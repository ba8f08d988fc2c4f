"""Which decisions meet whom: data, read from the worst of a class to the best.

Who stands low enough is found out in the last period, somebody less low in the years before; the
best are honoured. Points against the payment qualification (支付资格记分) follow a handling of the
institution, so only staff of institutions that were handled get any.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from deploy.simulation.conduct import Misconduct
from deploy.simulation.decisions import MEDICAL, PHARMACY, Decision
from deploy.simulation.population import (
    EMPLOYER,
    INSURED_PERSON,
    NURSE,
    PHARMACIST,
    PHYSICIAN,
    SUPPLIER,
    THIRD_PARTY,
)

_BUREAU: Final = "温州市医疗保障局（仿真）"
_HEALTH: Final = "温州市卫生健康委员会（仿真）"
_MARKET: Final = "温州市市场监督管理局（仿真）"
_LABOUR: Final = "温州市人力资源和社会保障局（仿真）"
_COURT: Final = "温州市中级人民法院（仿真）"
_REFORM: Final = "温州市发展和改革委员会（仿真）"
_FINE: Final = (500, 30_000)
_EARLIER: Final = (1, 2)


def _case(
    item: str,
    authority: str,
    kind: str,
    misconduct: Misconduct | None,
    *,
    low: float = 0.0,
    high: float,
    years: tuple[int, ...] = (0,),
    fraud: bool = False,
) -> Decision:
    """Write a decision of an item whose columns are kind, fraud and amount."""
    return Decision(
        item=item,
        authority=authority,
        low=low,
        high=high,
        years=years,
        columns=MappingProxyType({"kind": kind, "fraud": str(int(fraud))}),
        amount=_FINE,
        misconduct=misconduct,
    )


def _misuse(
    kind: str,
    misconduct: Misconduct,
    *,
    low: float = 0.0,
    high: float,
    fraud: bool = False,
) -> Decision:
    """Write a decision about an insured person, whose authority and form are codes."""
    decision = {"insurance_penalty": "penalty", "fraud_judgment": "judgment"}.get(kind, "handling")
    return Decision(
        item="r03",
        authority="court" if decision == "judgment" else "insurance_bureau",
        low=low,
        high=high,
        columns=MappingProxyType({"kind": kind, "fraud": str(int(fraud)), "decision": decision}),
        amount=_FINE,
        misconduct=misconduct,
    )


def _points(low: float, high: float, points: int, responsibility: str, months: str) -> Decision:
    """Write points against the payment qualification, suspended for some months or none."""
    columns = {
        "act_id": "",
        "points": str(points),
        "responsibility": responsibility,
        "suspended_months": months,
        "restored_day": "",
    }
    return Decision(
        item="s03",
        authority=_BUREAU,
        low=low,
        high=high,
        columns=MappingProxyType(columns),
        misconduct=Misconduct.PAYMENT_POINTS,
        handled_only=True,
    )


def _listed(item: str, high: float) -> Decision:
    """Enter the worst into the list of seriously dishonest subjects (严重失信主体名单)."""
    columns = {"until_day": "", "listed_as": "serious_dishonesty"}
    return Decision(
        item=item, authority=_REFORM, high=high, columns=MappingProxyType(columns),
        misconduct=Misconduct.SERIOUS_DISHONESTY,
    )  # fmt: skip


def _listed_person(high: float) -> Decision:
    """Enter the worst insured persons into the same list."""
    columns = {"until_day": "", "listed_as": "serious_dishonesty", "decision": "penalty"}
    return Decision(
        item="l03", authority="development_reform", high=high, columns=MappingProxyType(columns),
        misconduct=Misconduct.SERIOUS_DISHONESTY,
    )  # fmt: skip


def _debtor(item: str, low: float, high: float) -> Decision:
    """Enter somebody who is good otherwise into the list of dishonest debtors (失信被执行人)."""
    columns = {"until_day": "", "listed_as": "judgment_defaulter"}
    return Decision(
        item=item, authority=_COURT, low=low, high=high, columns=MappingProxyType(columns),
        misconduct=Misconduct.LISTED_DEBTOR,
    )  # fmt: skip


def _agreement(state: str, low: float, high: float) -> Decision:
    """Enter the state of a service agreement (协议状态) that is not in force."""
    columns = {"until_day": "", "state": state}
    return Decision(
        item="l07", authority=_BUREAU, low=low, high=high, columns=MappingProxyType(columns)
    )


def _defaulter(item: str, low: float, high: float, misconduct: Misconduct) -> Decision:
    """Enter an institution into the courts' list, which has no other kind of entry."""
    return Decision(
        item=item, authority=_COURT, low=low, high=high,
        columns=MappingProxyType({"until_day": ""}), misconduct=misconduct,
    )  # fmt: skip


def _honour(item: str, level: str, low: float) -> Decision:
    columns = MappingProxyType({"level": level})
    return Decision(item=item, authority=_BUREAU, low=low, columns=columns)


def _handling(handling: str, low: float, high: float, years: tuple[int, ...] = (0,)) -> Decision:
    columns = MappingProxyType({"handling": handling})
    return Decision(
        item="03", authority=_BUREAU, low=low, high=high, years=years, columns=columns,
        amount=(0, 9_000),
        misconduct=Misconduct.AGREEMENT_SUSPENSION if handling == "suspension" else None,
    )  # fmt: skip


def _penalty(
    item: str, misconduct: Misconduct | None, high: float, years: tuple[int, ...] = (0,)
) -> Decision:
    columns = {"fraud": "0"} if item == "21" else {}
    return Decision(
        item=item, authority=_BUREAU if item == "21" else _MARKET, high=high, years=years,
        columns=MappingProxyType(columns), amount=_FINE, misconduct=misconduct,
    )  # fmt: skip


_PHARMACY: Final = (
    _handling("suspension", 0.0, 0.06),
    _agreement("suspension", 0.0, 0.06),
    _handling("suspension_requested", 0.70, 0.73),
    _agreement("suspension_requested", 0.70, 0.73),
    _handling("rectification", 0.06, 0.20),
    _handling("interview", 0.0, 0.40),
    _handling("interview", 0.10, 0.50, _EARLIER),
    _penalty("21", Misconduct.INSURANCE_PENALTY, 0.16),
    _penalty("21", None, 0.30, _EARLIER),
    _penalty("19", Misconduct.MARKET_PENALTY, 0.26),
    _penalty("19", None, 0.30, (1,)),
    _defaulter("18", 0.0, 0.04, Misconduct.DISHONEST_DEBTOR),
    _listed("l01", 0.06),
    _honour("12", "county", 0.60),
    _honour("12", "city", 0.90),
)
_STAFF: Final = (
    _points(0.0, 0.02, 12, "main", ""),
    _points(0.02, 0.05, 9, "main", "6"),
    _points(0.05, 0.09, 5, "important", ""),
    _points(0.09, 0.16, 2, "general", ""),
    _case("s04", _BUREAU, "violation", Misconduct.CONFIRMED_VIOLATION, high=0.14),
    _case("s04", _BUREAU, "violation", None, high=0.22, years=_EARLIER),
    _case("s04", _HEALTH, "health_penalty", Misconduct.HEALTH_PENALTY, low=0.02, high=0.07),
    _case("s04", _BUREAU, "insurance_penalty", Misconduct.FRAUD_CASE, high=0.012, fraud=True),
    _listed("l02", 0.006),
    _debtor("l02", 0.50, 0.504),
    _honour("s06", "county", 0.80),
    _honour("s06", "city", 0.92),
    _honour("s06", "provincial", 0.985),
)
_PERSON: Final = (
    _misuse("impersonation", Misconduct.CREDENTIAL_MISUSE, high=0.02, fraud=True),
    _misuse("lending", Misconduct.CREDENTIAL_MISUSE, low=0.02, high=0.06),
    _misuse("drug_resale", Misconduct.BENEFIT_MISUSE, high=0.04),
    _misuse("duplicate_benefit", Misconduct.BENEFIT_MISUSE, low=0.06, high=0.12),
    _misuse("over_possession", Misconduct.BENEFIT_MISUSE, low=0.10, high=0.16),
    _misuse("frequent_visits", Misconduct.BENEFIT_MISUSE, low=0.12, high=0.18),
    _misuse("insurance_penalty", Misconduct.INSURANCE_PENALTY, high=0.05),
    _misuse("fraud_judgment", Misconduct.FRAUD_CASE, high=0.01, fraud=True),
    _listed_person(0.01),
)
_EMPLOYER: Final = (
    _case("e03", _BUREAU, "fictitious_employment", Misconduct.FICTITIOUS_EMPLOYMENT, high=0.06),
    _case("e03", _BUREAU, "insurance_penalty", Misconduct.INSURANCE_PENALTY, high=0.10),
    _case("e03", _LABOUR, "labour_penalty", Misconduct.LABOUR_PENALTY, low=0.04, high=0.16),
    _case("e03", _BUREAU, "fictitious_employment", Misconduct.FRAUD_CASE, high=0.02, fraud=True),
    _listed("l04", 0.03),
)
_SUPPLIER: Final = (
    _case("d04", _MARKET, "market_penalty", Misconduct.MARKET_PENALTY, high=0.16),
    _case("d04", _MARKET, "drug_penalty", Misconduct.DRUG_PENALTY, low=0.04, high=0.12),
    _case("d04", _COURT, "bribery_judgment", Misconduct.COMMERCIAL_BRIBERY, high=0.06),
    _listed("l05", 0.04),
    _debtor("l05", 0.50, 0.52),
)
_THIRD_PARTY: Final = (
    _case("t03", _BUREAU, "grave_incident", Misconduct.SECURITY_INCIDENT, high=0.05),
    _case("t03", _BUREAU, "incident", Misconduct.SECURITY_INCIDENT, low=0.05, high=0.20),
    _case("t03", _BUREAU, "penalty", Misconduct.INSURANCE_PENALTY, high=0.12),
    _listed("l06", 0.04),
)
DECISIONS: Final[Mapping[str, tuple[Decision, ...]]] = {
    # The other decisions about medical institutions follow from their misconduct.
    MEDICAL: (
        _listed("l01", 0.02),
        _defaulter("18", 0.60, 0.62, Misconduct.LISTED_DEBTOR),
        _handling("suspension_requested", 0.62, 0.70),
        _agreement("suspension_requested", 0.62, 0.70),
    ),
    PHARMACY: _PHARMACY,
    PHYSICIAN: _STAFF,
    NURSE: _STAFF,
    PHARMACIST: _STAFF,
    INSURED_PERSON: _PERSON,
    EMPLOYER: _EMPLOYER,
    SUPPLIER: _SUPPLIER,
    THIRD_PARTY: _THIRD_PARTY,
}
"""Sorts of decisions per subject class."""
