"""Measures of supervision in obvious Python, from the rows of facts: what the SQL must come to."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import date, datetime

    from tests.support.rule_facts import RuleFacts

Row = dict[str, Any]
Counts = dict[tuple[str, ...], dict[str, int]]
MIDNIGHT = (0, 0, 0)


def month_of(at: datetime) -> int:
    return at.year * 100 + at.month


def short(facts: RuleFacts, code: str) -> str:
    return facts.names.get(code, code)


def standing(facts: RuleFacts) -> list[Row]:
    """Settlements that nobody took back, of visits that were not cancelled."""
    rows = facts.records.get("settlement", [])
    reversed_ids = {(row["institution"], row["setl_id"]) for row in rows if row["sign"] == -1}
    cancelled = {
        (row["institution"], row["mdtrt_id"])
        for row in facts.records.get("cancellation", [])
        if row["what"] == "admission"
    }
    return [
        row
        for row in rows
        if row["sign"] == 1
        and (row["institution"], row["setl_id"]) not in reversed_ids
        and (row["institution"], row["mdtrt_id"]) not in cancelled
    ]


def settled_visits(facts: RuleFacts) -> dict[tuple[str, str], Row]:
    """First standing settlement of every visit that is settled, by institution and visit."""
    found: dict[tuple[str, str], Row] = {}
    for row in sorted(standing(facts), key=lambda one: (one["settled_at"], one["record_id"])):
        found.setdefault((row["institution"], row["mdtrt_id"]), row)
    return found


def is_night(at: datetime) -> bool:
    return (at.hour, at.minute, at.second) != MIDNIGHT and (at.hour >= 22 or at.hour < 6)


def is_weekend(day: date) -> bool:
    return day.weekday() >= 5


def care(facts: RuleFacts, month: int) -> Counts:
    """What ``care`` counts."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in standing(facts):
        if month_of(row["settled_at"]) == month:
            groups[short(facts, row["institution"])].append(row)
    found: Counts = {}
    for name, rows in groups.items():
        days = Counter((row["person"], row["settled_at"].date()) for row in rows)
        loads = Counter(row["settled_at"].date() for row in rows)
        stays = [row for row in rows if row["inpatient"]]
        rest = [row for row in rows if not row["inpatient"]]
        found[(name,)] = {
            "settlements": len(rows),
            "persons": len({row["person"] for row in rows}),
            "repeat_persons": len({person for (person, _), n in days.items() if n > 1}),
            "inpatient": len(stays),
            "outpatient": len(rest),
            **{key: sum(row[key] for row in rows) for key in ("medfee_fen", "inscp_fen")},
            **{key: sum(row[key] for row in rows) for key in ("fund_fen", "account_fen")},
            "cash_fen": sum(row["cash_fen"] for row in rows),
            **parts_told(rows),
            "inpatient_medfee_fen": sum(row["medfee_fen"] for row in stays),
            "outpatient_medfee_fen": sum(row["medfee_fen"] for row in rest),
            "inpatient_fund_fen": sum(row["fund_fen"] for row in stays),
            "outpatient_fund_fen": sum(row["fund_fen"] for row in rest),
            "employee_fund_fen": sum(row["fund_fen"] for row in rows if row["insutype"] == "310"),
            "resident_fund_fen": sum(row["fund_fen"] for row in rows if row["insutype"] == "390"),
            "timed": sum(row["settled_at"].hour + row["settled_at"].minute > 0 for row in rows),
            "night": sum(is_night(row["settled_at"]) for row in rows),
            "holiday": sum(is_weekend(row["settled_at"].date()) for row in rows),
            "busiest_day": max(loads.values()),
        }
    return found


def parts_told(rows: list[Row]) -> dict[str, int]:
    """What the fund's pool paid and persons paid wholly, and how many settlements say neither."""
    pooled = [
        0 if row["pooled_fen"] is None and row["fund_fen"] == 0 else row["pooled_fen"]
        for row in rows
    ]
    own = [
        0 if row["own_fen"] is None and row["inscp_fen"] == row["medfee_fen"] else row["own_fen"]
        for row in rows
    ]
    return {
        "pooled_fen": sum(one for one in pooled if one is not None),
        "pooled_untold": pooled.count(None),
        "own_fen": sum(one for one in own if one is not None),
        "own_untold": own.count(None),
    }


def cost_class(code: str) -> str:
    """Class of charge by the national code."""
    if code[0] in "XTZC":
        return {"X": "09", "T": "10", "Z": "11", "C": "08"}[code[0]]
    chapters = {"0021": "03", "0022": "03", "0023": "03", "0025": "04", "0026": "04", "0027": "04"}
    chapters |= {"0024": "05", "0031": "05", "0032": "05", "0034": "05", "0033": "06"}
    return chapters.get(code[:4], "14")


def lines(facts: RuleFacts) -> list[Row]:
    """Lines of settled visits; facts of these tests have no withdrawals and no refunds."""
    visits = settled_visits(facts)
    return [
        row | {"settled_at": visits[row["institution"], row["mdtrt_id"]]["settled_at"]}
        for row in facts.records.get("fee_detail", [])
        if (row["institution"], row["mdtrt_id"]) in visits
    ]


def cost_mix(facts: RuleFacts, month: int) -> Counts:
    """What ``cost_mix`` counts."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in lines(facts):
        if month_of(row["settled_at"]) == month:
            groups[short(facts, row["institution"])].append(row)
    named = {
        "western_fen": ("09",),
        "slices_fen": ("10",),
        "patent_fen": ("11",),
        "material_fen": ("08",),
        "examination_fen": ("03",),
        "laboratory_fen": ("04",),
        "treatment_fen": ("05",),
        "surgery_fen": ("06",),
        "drug_fen": ("09", "10", "11"),
        "other_fen": ("03", "04", "05", "06", "08", "14"),
    }
    found: Counts = {}
    for name, rows in groups.items():
        capped = [row for row in rows if row["cap_e6"] is not None]
        found[(name,)] = {
            "lines": len(rows),
            "amount_fen": sum(row["amount_fen"] for row in rows),
            **{
                key: sum(row["amount_fen"] for row in rows if cost_class(row["item_code"]) in kinds)
                for key, kinds in named.items()
            },
            "antibacterial_fen": sum(
                row["amount_fen"] for row in rows if row["item_code"].startswith("XJ01")
            ),
            "capped_lines": len(capped),
            "over_cap_lines": sum(row["price_e6"] > row["cap_e6"] for row in capped),
        }
    return found


def practice(facts: RuleFacts, month: int) -> Counts:
    """The main figures of ``practice``."""
    of_doctor: dict[tuple[str, str], list[Row]] = defaultdict(list)
    by_visit: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for row in lines(facts):
        if row["doctor"] is not None:
            of_doctor[row["institution"], row["doctor"]].append(row)
            by_visit[row["institution"], row["mdtrt_id"]][row["doctor"]] += row["amount_fen"]
    visits = settled_visits(facts)
    begun = {
        (row["institution"], row["mdtrt_id"]): row["admitted_at"].date()
        for row in facts.records.get("admission", [])
    }
    found: Counts = {}
    for (institution, doctor), every in of_doctor.items():
        rows = [row for row in every if month_of(row["settled_at"]) == month]
        if not rows:
            continue
        seen = sorted(
            {
                (begun[institution, row["mdtrt_id"]], row["mdtrt_id"], row["person"])
                for row in every
                if month_of(row["settled_at"]) <= month
                and by_visit[institution, row["mdtrt_id"]][doctor] > 0
            }
        )
        own = [one for one in seen if month_of(visits[institution, one[1]]["settled_at"]) == month]
        again = 0
        for day, visit, person in own:
            before = [one[0] for one in seen if one[2] == person and one[:2] < (day, visit)]
            again += bool(before) and (day - max(before)).days <= 3
        per_person = Counter(person for _, _, person in own)
        days = {row["occurred_at"].date() for row in rows}
        loads = [
            len({row["mdtrt_id"] for row in rows if row["occurred_at"].date() == day})
            for day in days
        ]
        main = [
            visit
            for _, visit, _ in own
            if min(by_visit[institution, visit].items(), key=lambda one: (-one[1], one[0]))[0]
            == doctor
        ]
        placed = [
            (person, visits[institution, visit]["insured_place"])
            for _, visit, person in own
            if visits[institution, visit]["insured_place"] is not None
        ]
        drugs = [row for row in rows if cost_class(row["item_code"]) in ("09", "10", "11")]
        prescribed = [row for row in drugs if row["prescription"] is not None]
        found[short(facts, institution), short(facts, doctor)] = {
            "visits": len(own),
            "persons": len(per_person),
            "placed_persons": len({person for person, _ in placed}),
            "away_persons": len({one for one, at in placed if at[:4] != institution[1:5]}),
            "work_days": len(days),
            "busiest_day": max(loads),
            "lines": len(rows),
            "amount_fen": sum(row["amount_fen"] for row in rows),
            "drug_fen": sum(row["amount_fen"] for row in drugs),
            "prescriptions": len({(row["mdtrt_id"], row["prescription"]) for row in prescribed}),
            "prescribed_fen": sum(row["amount_fen"] for row in prescribed),
            "supply_days": sum(row["days"] or 0 for row in drugs if row["amount_fen"] > 0),
            "revisits_3d": again,
            "patient_squares": sum(n * n for n in per_person.values()),
            "main_visits": len(main),
            "main_fund_fen": sum(visits[institution, visit]["fund_fen"] for visit in main),
        }
    return found


def stay(facts: RuleFacts, month: int) -> Counts:
    """The main figures of ``stay``; facts of these tests have one discharge per stay."""
    ends = {
        (row["institution"], row["mdtrt_id"]): row for row in facts.records.get("discharge", [])
    }
    cancelled = {
        (row["institution"], row["mdtrt_id"])
        for row in facts.records.get("cancellation", [])
        if row["what"] == "admission"
    }
    stays = [
        row | {"ends": ends.get((row["institution"], row["mdtrt_id"]))}
        for row in facts.records.get("admission", [])
        if row["inpatient"] and (row["institution"], row["mdtrt_id"]) not in cancelled
    ]
    found: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for one in stays:
        at = one["ends"] and one["ends"]["discharged_at"]
        counts = found[(short(facts, one["institution"]),)]
        if month_of(one["admitted_at"]) == month:
            counts["admissions"] += 1
            counts["holiday_admissions"] += is_weekend(one["admitted_at"].date())
        if at is None or month_of(at) != month:
            continue
        counts["discharges"] += 1
        los = max((at.date() - one["admitted_at"].date()).days, 1)
        counts["bed_days"] += los
        counts["one_day"] += los <= 1
        gaps = [
            (other["admitted_at"].date() - at.date()).days
            for other in stays
            if other["person"] == one["person"]
            and other["institution"] == one["institution"]
            and other is not one
            and other["admitted_at"] > one["admitted_at"]
            and other["admitted_at"].date() >= at.date()
        ]
        if not one["ends"]["died"] and one["ends"]["discharge_way"] not in ("2", "3"):
            for days in (7, 15, 31):
                counts[f"readmissions_{days}d"] += any(gap <= days for gap in gaps)
    return {key: dict(counts) for key, counts in found.items() if counts}
