"""Requests of warning cases: a visit of the case is being asked about, the rest is the past.

``request: {infno, trigger, visit, at}`` names the visit: it and its lines are taken out of the
facts and become the encounter and its orders. A line may say ``traces`` (codes) and ``current``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final

from scoring_kernel.rules.live.encounter import DAY_S, Encounter, Order, moment_of
from tests.support.rule_facts import INPATIENT, RuleFacts, fen, moment, short_code

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Request", "read_request"]

_ORDER: Final = (
    *("prescription", "level", "charge_type", "days", "dose", "frequency", "cap_e6", "maternity"),
    *("emergency", "list_type"),
)
"""What an order says as the line does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One question to the warnings."""

    infno: str
    trigger: str
    encounter: Encounter
    past: RuleFacts


def read_request(case: Mapping[str, Any]) -> Request:
    """Read what a case asks, and what was known before."""
    asked = case["request"]
    if unknown := asked.keys() - {"infno", "trigger", "visit", "at"}:
        raise AssertionError(f"request: unknown {sorted(unknown)}")
    name = str(asked["visit"])
    visits = dict(case["visits"])
    visit = visits.pop(name)
    lines = [dict(one) for one in case.get("lines") or ()]
    own = [one for one in lines if one["visit"] == name]
    rest = [one for one in lines if one["visit"] != name]
    begins = moment(visit.get("begins", "2026-03-02 09:00"))
    now = moment(asked.get("at", begins))
    person = (case.get("persons") or {}).get(visit.get("person", "P1")) or {}
    return Request(
        infno=str(asked["infno"]),
        trigger=str(asked["trigger"]),
        encounter=_encounter(name, visit, person, now, own),
        past=RuleFacts.of({**case, "visits": visits, "lines": rest}),
    )


def _encounter(
    name: str,
    visit: Mapping[str, Any],
    person: Mapping[str, Any],
    now: datetime,
    lines: list[dict[str, Any]],
) -> Encounter:
    med_type = str(visit.get("med_type", "21" if visit.get("inpatient") else "11"))
    codes = tuple(str(one) for one in visit.get("diagnoses") or ())
    born = person.get("born")
    ends = visit.get("discharged")
    doctor = visit.get("doctor")
    return Encounter(
        institution=short_code(visit.get("institution", "H1")),
        mdtrt_id=short_code(name),
        person=short_code(visit.get("person", "P1")),
        now=moment_of(now),
        gender=None if "gender" not in person else str(person["gender"]),
        born=born if isinstance(born, date) else None,
        med_type=med_type,
        insutype=str(visit.get("insutype", "310")),
        inpatient=bool(visit.get("inpatient", med_type in INPATIENT)),
        begins_at=moment_of(moment(visit.get("begins", now))),
        ends_at=None if ends is None else moment_of(moment(ends)),
        doctor=None if doctor is None else short_code(doctor),
        main_icd=codes[0] if codes else None,
        diagnoses=codes,
        fund_fen=None if "fund" not in visit else fen(visit["fund"]),
        planned=visit.get("planned"),
        orders=tuple(_order(f"L{at}", one, now) for at, one in enumerate(lines, start=1)),
    )


def _order(line: str, given: Mapping[str, Any], now: datetime) -> Order:
    at = moment_of(moment(given.get("at", now)))
    count = float(given.get("count", 1))
    amount = fen(given.get("amount", 0))
    price = given.get("price")
    traces = given.get("traces")
    doctor = given.get("doctor")
    return Order(
        id=line,
        item_code=str(given["item"]),
        at=at,
        day=at // DAY_S,
        amount_fen=amount,
        inscp_fen=fen(given["inscp"]) if "inscp" in given else amount,
        quantity_e4=round(count * 10_000),
        price_e6=round(amount * 10_000 / count) if price is None else round(price * 1_000_000),
        is_current=bool(given.get("current", True)),
        doctor=None if doctor is None else short_code(doctor),
        traces=None if traces is None else tuple(str(one) for one in traces),
        is_split=bool(given.get("split", False)),
        **{key: given[key] for key in _ORDER if key in given},
    )
