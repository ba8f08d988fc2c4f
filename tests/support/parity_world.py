"""A small world for asking every rule in both forms: knowledge, registers, and visits to draw.

All days are counted from a first day; parameters' versions, birthdays, states of registers and
knowledge begin and end within the nine days after it. Two events whose order a rule asks for never
share a moment: which of them is first would be a choice, and not the same one in both forms.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any, Final

from tests.support.rule_facts import Facts, RuleFacts

__all__ = ["DAY", "FIRST_DAYS", "HOUR", "ITEMS", "LINE", "VISIT", "facts_of"]

FIRST_DAYS: Final = {
    date(2021, 4, 27): date(2003, 5, 1),
    date(2025, 12, 28): date(2008, 1, 1),
    date(2026, 2, 25): date(2008, 2, 29),
}
"""First days, each with the birthday of one who is eighteen on the fifth: versions of parameters
begin on 2021-05-01 and 2026-01-01, and one is born on a leap day."""

_DRUGS: Final[dict[str, list[Facts]]] = {
    "k_drug_gender": [{"code": "XG01", "gender": "2"}],
    "k_drug_child": [{"code": "XC01", "stage": "child"}],
    "k_drug_insutype": [
        {"code": "XI01", "insurance": "work_injury"},
        {"code": "XI01", "insurance": "maternity"},
        {"code": "XI02", "insurance": "work_injury", "ends_at": 5},
    ],
    "k_drug_hosplevel": [
        {"code": "XL01", "min_rank": 2},
        {"code": "XL02", "min_rank": 3, "begins_at": 2},
    ],
    "k_drug_setting": [
        {"code": "XS01", "setting": "inpatient"},
        {"code": "XS02", "setting": "inpatient"},
        {"code": "XS02", "setting": "emergency", "begins_at": 3},
    ],
    "k_drug_indication": [
        {"code": "XD01AAA001", "icd_prefix": "I10"},
        {"code": "XD01AAA001", "icd_prefix": "J20.9", "begins_at": 4},
    ],
    "k_second_line": [{"code": "XD02AAA002", "first_code": "XD03AA"}],
    "k_long_term": [{"code": "XD04AAA004", "limit_days": 30}],
    "k_pack_units": [
        {"code": "XD05AAA005", "units_per_pack_e4": 140_000, "daily_units_e4": 20_000}
    ],
    "k_generic_map": [{"code": "XD06AAA006", "generic": "XD04AAA004", "begins_at": 1}],
    "k_atc": [
        {"code": "XD04AAA004", "generic": "a", "drug_class": "D04", "no_combine": True},
        {"code": "XD05AAA005", "generic": "b", "drug_class": "D04", "no_combine": True},
        {"code": "XD06AAA006", "generic": "a", "drug_class": "D04", "no_combine": True},
    ],
    "k_max_dose": [{"code": "XD07AAA007", "max_daily_e4": 20_000, "unit": "g"}],
    "k_no_trace_code": [{"code": "XD05AAA005001", "ends_at": 7}],
}
_SERVICES: Final[dict[str, list[Facts]]] = {
    "k_item_gender": [{"code": "0030", "gender": "1"}],
    "k_item_child": [
        {"code": "0031", "stage": "newborn"},
        {"code": "0031", "stage": "infant", "begins_at": 5},
        {"code": "0032", "stage": "child"},
        {"code": "0033", "stage": "infant"},
    ],
    "k_item_mutex": [
        {"code": "0001", "sub_code": "0002", "scope": "day"},
        {"code": "0003", "sub_code": "0002", "scope": "hour"},
        {"code": "0001", "sub_code": "0004", "scope": "visit"},
        {"code": "0004", "sub_code": "0003", "scope": "hours_6"},
    ],
    "k_item_freq": [{"code": "0002", "day_limit": 2, "hourly": False}],
    "k_item_cycle": [
        {"code": "0004", "days": 4, "times": 2},
        {"code": "0006", "days": 15, "times": 1},
    ],
    "k_daily_items": [{"code": "0005", "kind": "bed"}, {"code": "0006", "kind": "bed"}],
    "k_hourly_items": [{"code": "0007"}],
}
ITEMS: Final = (
    *("XG01", "XC01", "XI01", "XI02", "XL01", "XL02", "XS01", "XS02"),
    *("XD01AAA001001", "XD02AAA002001", "XD03AAA003001", "XD04AAA004001"),
    *("XD05AAA005001", "XD06AAA006001", "XD07AAA007001"),
    *("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0030", "0031", "0032", "0033"),
)
_CAPPED: Final = {"institution": "H1", "item_code": "XD04AAA004001", "type": "1", "valid": True}
_REGISTERS: Final[dict[str, list[Facts]]] = {
    "institution_profile": [
        {"institution": "H1", "level": "05", "group_code": "G"},
        {"institution": "H1", "level": "02", "group_code": "K", "begins_at": 6},
        {"institution": "H2", "level": "08", "group_code": "G", "begins_at": -30, "ends_at": 7},
    ],
    "agreement_status": [
        {"institution": "H2", "status": "active"},
        {"institution": "H2", "status": "suspended", "begins_at": 4},
        {"institution": "H2", "status": "active", "begins_at": 7},
    ],
    "staff_member": [
        {"institution": "H1", "staff": "D1", "type": "1"},
        {"institution": "H1", "staff": "D2", "type": "1", "begins_at": 3, "ends_at": 7},
    ],
    "staff_qualification": [
        {"institution": "H2", "staff": "D1", "status": "suspended", "begins_at": 5},
        {"institution": "H2", "staff": "D1", "status": "active", "begins_at": 7},
        {"institution": "H1", "staff": "D2", "status": "terminated", "begins_at": 6},
    ],
    "insurance_status": [
        {"person": "P1", "insutype": "310", "status": "1", "stated_at": 1},
        {"person": "P1", "insutype": "310", "status": "2", "stated_at": 6},
        {"person": "P2", "insutype": "390", "status": "1", "stated_at": 0, "paused_at": 5},
    ],
    "benefit_freeze": [{"person": "P3", "begins_at": 2, "ends_at": 4}],
    "approved_purchase": [
        {"person": "P1", "item_code": "XG01", "begins_at": 2, "ends_at": 6},
        {"person": "P1", "item_code": "0001"},
    ],
    "price_cap": [
        {**_CAPPED, "cap_e6": 9_000_000},
        {**_CAPPED, "cap_e6": 12_000_000, "begins_at": 4},
        {**_CAPPED, "cap_e6": 10_000_000, "begins_at": 2, "ends_at": 6, "type": "2"},
        {**_CAPPED, "cap_e6": 1_000_000, "begins_at": 1, "valid": False},
        {**_CAPPED, "item_code": "0002", "cap_e6": 999_999_000_000},
    ],
}
_DATES: Final = ("begins_at", "ends_at", "stated_at", "paused_at")
HOUR: Final = 60
DAY: Final = 24 * HOUR

LINE: Final[Facts] = {
    "item": ITEMS[0],
    "after": 0,
    "amount": 1.11,
    "scope": 1,
    "count": 1,
    "price": 10.5,
    "cap": None,
    "doctor": None,
    "days": None,
    "dose": None,
    "trace": (),
    "maternity": None,
    "emergency": None,
    "back": None,
}
"""A line that says nothing."""
VISIT: Final[Facts] = {
    "person": "P1",
    "institution": "H1",
    "begins": 0,
    "ago": 0,
    "lasts": 0,
    "med_type": "11",
    "insutype": "310",
    "icd": ("I10.x00",),
    "way": "1",
    "planned": False,
    "settled": True,
    "left": True,
    "undone": False,
    "fund": 1,
    "sold": False,
    "identity": (),
    "lines": (),
}
"""A visit that says nothing."""


class _World:
    """Records in the making."""

    def __init__(self, first: date) -> None:
        self.first = first
        self.facts = RuleFacts.of({"knowledge": self._dated({**_DRUGS, **_SERVICES})})
        persons = {
            "P1": ("1", date(1958, 3, 12)),
            "P2": ("2", first - timedelta(days=25)),
            "P3": ("2", FIRST_DAYS[first]),
            "P4": ("1", (first + timedelta(days=5)).replace(year=first.year - 3)),
        }
        for name, (gender, born) in persons.items():
            self.facts.person(name, gender=gender, born=born.isoformat())
        for kind, rows in self._dated(_REGISTERS).items():
            for row in rows:
                self.facts.record(kind, **row)

    def _dated(self, tables: dict[str, list[Facts]]) -> dict[str, list[Facts]]:
        return {
            name: [
                {
                    key: self.moment(value * DAY) if key in _DATES else value
                    for key, value in row.items()
                }
                for row in rows
            ]
            for name, rows in tables.items()
        }

    def moment(self, minute: int, second: int = 0) -> datetime:
        return datetime.combine(self.first, time()) + timedelta(minutes=minute, seconds=second)

    def visit(self, number: int, one: Facts) -> None:
        inpatient = one["lasts"] > 0 and one["institution"] != "S1"
        begins = one["begins"] - one["ago"] * DAY
        end = begins + max(one["lasts"], HOUR)
        name = f"V{number + 1}"
        settled = self.moment(end)
        total = sum(round(line["amount"] * (line["scope"] or 0), 2) for line in one["lines"])
        self.facts.visit(
            name,
            person=one["person"],
            institution=one["institution"],
            begins=self.moment(begins),
            med_type="21" if inpatient else "41" if one["institution"] == "S1" else one["med_type"],
            insutype=one["insutype"],
            inpatient=inpatient,
            discharged=settled if inpatient and one["left"] else None,
            settled=settled if one["settled"] else False,
            fund=None if one["fund"] == 1 else round(total * one["fund"], 2),
            way=one["way"],
            planned=one["planned"],
            diagnoses=one["icd"],
            doctor="D1",
        )
        for place, line in enumerate(one["lines"]):
            self._line(name, f"L{2 * place + 1}", number, one, line)
        for place, trial in enumerate(one["identity"]):
            self._trial(name, self.moment(end - HOUR + place, number + 1), one, trial)
        if one["undone"] and one["settled"]:
            self.facts.record(
                "settlement",
                visit=name,
                sign=-1,
                settled_at=self.moment(end + 1),
                insutype=one["insutype"],
                med_type="11",
                inpatient=inpatient,
                medfee_fen=-1,
                inscp_fen=-1,
                fund_fen=-1,
            )

    def _trial(self, visit: str, at: datetime, one: Facts, trial: tuple[Any, ...]) -> None:
        result, (score, threshold), override, place, is_named = trial
        named = {"visit": visit} if is_named else {}
        self.facts.record(
            "identity_event",
            **named,
            institution=one["institution"],
            person=one["person"],
            at=at,
            place=place,
            result=result,
            score_e4=score,
            threshold_e4=threshold,
            override_reason=override,
        )

    def _line(self, visit: str, name: str, number: int, one: Facts, line: Facts) -> None:
        """Add a line and what takes it back, or a line of nothing: lines keep their places."""
        begins = one["begins"] - one["ago"] * DAY
        at = self.moment(begins + line["after"], number)
        amount = line["amount"]
        dose, frequency = line["dose"] or (None, None)
        share, later, doctor = _nameless(line) or (line["back"] or 0, 0, None)
        given = {"visit": visit, "item": line["item"], "price": line["price"]}
        self.facts.line(
            **given,
            at=at,
            amount=amount,
            inscp=None if line["scope"] is None else round(amount * line["scope"], 2),
            count=line["count"],
            cap_e6=line["cap"],
            doctor=line["doctor"],
            days=line["days"],
            dose=dose,
            frequency=frequency,
            maternity=line["maternity"],
            emergency=line["emergency"],
        )
        self.facts.line(
            **given,
            at=at + timedelta(minutes=later),
            doctor=doctor,
            amount=-round(amount * share, 2),
            inscp=-round(amount * share, 2),
            count=-line["count"] * share,
            refund_of=None if _nameless(line) or not share else name,
        )
        if one["settled"] and _is_traceable(one, line):
            for code in line["trace"]:
                self._trace(visit, name, one, line, code)

    def _trace(self, visit: str, name: str, one: Facts, line: Facts, code: str) -> None:
        sold = one["sold"] and one["institution"] == "S1"
        end = one["begins"] - one["ago"] * DAY + max(one["lasts"], HOUR)
        self.facts.record(
            "trace_code",
            visit=visit,
            code=code,
            what="sale" if sold else "settlement",
            source=f"{visit}{name}",
            line=None if sold else name,
            item_code=line["item"] if sold else None,
            split=True if code == "84" and not sold else None,
            occurred_at=self.moment(end, int(visit[1:]) - 1),
        )

    def stock(self, number: int, one: Facts) -> None:
        """Add an event of a trace code: a return long ago, another at the end of a day.

        It may be sent again, and deleted (3507) in between or in the end.

        What comes back later, or is settled later on the day of a sale, is known after the fact
        only.
        """
        day = -100 if one["what"] == "sale_return" else one["day"]
        for word in one["sent"]:
            if word == "delete":
                self.facts.record(
                    "stock_deletion",
                    institution=one["institution"],
                    batch=f"B{number}",
                    what="5",
                    deleted_at=self.moment(9 * DAY),
                )
            else:
                self._moved(number, one, self.moment(day * DAY + 23 * HOUR + 30, number))

    def _moved(self, number: int, one: Facts, at: datetime) -> None:
        """Upload a movement of stock with its trace code."""
        same = {
            "institution": one["institution"],
            "what": one["what"],
            "item_code": one["item"],
            "batch": f"B{number}",
            "data_type": "5",
            "entry": f"E{number}",
            "occurred_at": at,
        }
        moved = self.facts.record("stock_movement", **same)
        self.facts.record("trace_code", **same, code=one["code"], source=moved["record_id"])


def _is_traceable(one: Facts, line: Facts) -> bool:
    """Whether a trace code is uploaded: a sale tells of its item, not of its line."""
    alike = [other for other in one["lines"] if other["item"] == line["item"]]
    if any(_nameless(other) for other in alike):
        return False
    return line["back"] != 1 and (len(alike) == 1 or not one["sold"])


def _nameless(line: Facts) -> tuple[float, int, str | None] | None:
    """Share, minutes later and physician of a refund that does not say what it takes back."""
    return line["back"] if isinstance(line["back"], tuple) else None


def facts_of(first: date, visits: list[Facts], stock: list[Facts]) -> RuleFacts:
    """Make records of what was drawn."""
    world = _World(first)
    for number, one in enumerate(visits):
        world.visit(number, one)
    for number, one in enumerate(stock):
        world.stock(number, one)
    return world.facts
