"""The stage of injected cases: fresh persons, the institutions' counters, registers and truth.

Rules:
- Nobody of an injected case appears anywhere else: a case breaks its own rule alone, and the
  city's other visits stay what they were.
- Moments are seconds from the period's first midnight, as everywhere in the simulation.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

from deploy.simulation.city import City, Institution, Person
from deploy.simulation.codes import identity_number
from deploy.simulation.desk import Calendar, Desk
from deploy.simulation.injected.truth import CASE, MISCONDUCT, NEAR_MISS, Injected
from deploy.simulation.places import CITY_DIVISION
from deploy.simulation.visits import DAY_S

__all__ = ["HOUR_S", "Scene"]

HOUR_S: Final = 3_600
_AREA: Final = 995_000
"""Identity numbers of injected persons: an unassigned area between citizens and staff."""


@dataclass(slots=True, kw_only=True)
class Scene:
    """One period of one city, into which cases are written."""

    city: City
    first_day: date
    calendar: Calendar
    desks: Mapping[str, Desk]
    """Open counters by institution code."""
    registers: dict[str, list[dict[str, object]]] = field(default_factory=dict)
    """Rows of register tables by kind of record."""
    points: list[dict[str, str]] = field(default_factory=list)
    """Knowledge points (知识点) in the columns of the national releases."""
    knowledge: dict[str, list[dict[str, object]]] = field(default_factory=dict)
    """Rows of knowledge tables that nobody publishes, by table."""
    truth: list[Injected] = field(default_factory=list)
    charged: dict[tuple[str, str], int] = field(default_factory=dict)
    """Highest price of every drug that is charged, fen, by institution and national code."""
    bought: set[tuple[str, str]] = field(default_factory=set)
    """Goods that a case tells the purchase of, by institution and national code."""
    requests: list[tuple[int, str, bytes]] = field(default_factory=list)
    """What nodes are asked (3101, 3102): moment, custodian and request."""
    _persons: int = 0
    _codes: int = 0

    def second(self, day: int, hour: float = 9.0) -> int:
        """Give a moment of the period.

        Args:
            day: Day, from 0.
            hour: Hour of the day, 0 to 24.
        """
        return day * DAY_S + round(hour * HOUR_S)

    def day(self, second: int) -> str:
        """Give a moment's day as yyyy-mm-dd."""
        return self.calendar.day(second)

    def moment(self, second: int) -> str:
        """Give a moment as yyyy-mm-dd HH:MM:SS."""
        return self.calendar.moment(second)

    def month(self, second: int) -> str:
        """Give a moment's month as yyyymm."""
        return self.day(second)[:7].replace("-", "")

    def person(self, *, sex: str = "1", age: int = 45, insurance: str = "310") -> Person:
        """Give a person nobody has seen before.

        Args:
            sex: 1 man, 2 woman.
            age: Age in years on the first day of the period, to the day.
            insurance: Kind of insurance.
        """
        first = self.first_day
        return self.born(date(first.year - age, first.month, first.day), sex, insurance)

    def born(self, day: date, sex: str = "1", insurance: str = "310") -> Person:
        """Give a person nobody has seen before, by day of birth."""
        self._persons += 1
        area, place = divmod(self._persons, 450)
        return Person(
            number=f"{CITY_DIVISION}9{self._persons:019d}",
            identity=identity_number(
                _AREA + area, day.strftime("%Y%m%d"), place * 2 + (1 if sex == "1" else 0)
            ),
            name="例仿真",
            sex=sex,
            born=day.isoformat(),
            insurance=insurance,
            person_type="1101",
            division=CITY_DIVISION,
        )

    def hospitals(self, *, inpatient: bool = True) -> tuple[Institution, ...]:
        """Give medical institutions of one node, so that it can see several of them.

        Args:
            inpatient: Only those that take inpatients.
        """
        return tuple(
            item
            for item in self.city.institutions
            if not item.is_pharmacy
            and item.custodian == "county"
            and (item.tier.inpatient_share > 0 or not inpatient)
        )

    def pharmacies(self) -> tuple[Institution, ...]:
        """Give the pharmacies (零售药店)."""
        return tuple(item for item in self.city.institutions if item.is_pharmacy)

    def drug(self, *, traced: bool = False) -> str:
        """Give the national code of a Western drug nobody else is given.

        Args:
            traced: Whether its packs carry trace codes (追溯码); most of these do not.
        """
        self._codes += 1
        code = f"XN{self._codes // 1000 % 100:02d}AXX{self._codes % 1000:03d}B001{self._codes:09d}"
        if not traced:
            self.know("k_no_trace_code", code=code)
        return code

    def service(self, chapter: str = "31") -> str:
        """Give the national code of a service (医疗服务项目) nobody else is given.

        Args:
            chapter: Two digits after the leading ``00``: 11 nursing and beds, 21 images,
                25 laboratory, 31 treatment, 33 operations, …
        """
        self._codes += 1
        return f"00{chapter}{self._codes:07d}0000"

    def consumable(self) -> str:
        """Give the national code of a consumable (医用耗材) nobody else is given."""
        self._codes += 1
        return f"C99{self._codes:017d}"

    def trace(self) -> str:
        """Give a drug trace code (药品追溯码) nobody else is given."""
        self._codes += 1
        return f"89{self._codes:018d}"

    def register(self, kind: str, institution: Institution, **columns: object) -> None:
        """Add a row of a register that a department hands in.

        Args:
            kind: Kind of record, for example ``death``.
            institution: The institution whose node gets it.
            columns: The row's other columns, as texts or numbers.
        """
        rows = self.registers.setdefault(kind, [])
        rows.append({"institution": institution.code, **columns})

    def point(self, batch: str, thing: str, rule_type: str, code: str, **rest: str) -> None:
        """Add a knowledge point in the national form.

        Args:
            batch: Number of the release, in Chinese.
            thing: ``drug`` or ``item``.
            rule_type: What it limits, for example 限定性别对象.
            code: National code it is about.
            rest: ``limit``, and ``other_code`` where it names one.
        """
        empty = {"name": f"仿真条目{code[-5:]}", "limit": "", "other_code": "", "other_name": ""}
        self.points.append(
            {"batch": batch, "object": thing, "rule_type": rule_type, "code": code, **empty, **rest}
        )

    def know(self, table: str, **columns: object) -> None:
        """Add a row of a knowledge table that nobody publishes."""
        self.knowledge.setdefault(table, []).append(dict(columns))

    def case(
        self,
        rule: str,
        note: str,
        institution: Institution,
        mdtrt_id: str = "",
        *,
        key: str = "",
        amount_fen: int | None = None,
    ) -> None:
        """Write down that a case breaks a rule.

        Args:
            rule: The rule.
            note: What was done, in words.
            institution: Institution that a hit names.
            mdtrt_id: Visit that a hit names; empty where it names none.
            key: Item, trace code, day or month that tells a hit from others.
            amount_fen: Amount of the hit where it follows from the case alone, fen.
        """
        self.truth.append(
            Injected(
                rule=rule,
                kind=CASE,
                institution=institution.code,
                mdtrt_id=mdtrt_id,
                key=key,
                amount_fen=amount_fen,
                note=note,
            )
        )

    def near_miss(
        self, rule: str, note: str, institution: Institution, mdtrt_id: str = "", *, key: str = ""
    ) -> None:
        """Write down that something looks like a case of a rule and is none; as ``case``."""
        self.truth.append(
            Injected(
                rule=rule,
                kind=NEAR_MISS,
                institution=institution.code,
                mdtrt_id=mdtrt_id,
                key=key,
                amount_fen=None,
                note=note,
            )
        )

    def misconduct(self, institution: Institution, wrong: Iterable[tuple[str, str]]) -> None:
        """Write down visits of the city that are no cases and yet not clean.

        Args:
            institution: Where.
            wrong: Kind of misconduct and visit.
        """
        self.truth += [
            Injected(
                rule="",
                kind=MISCONDUCT,
                institution=institution.code,
                mdtrt_id=mdtrt_id,
                key="",
                amount_fen=None,
                note=kind,
            )
            for kind, mdtrt_id in wrong
        ]

    def charge(self, institution: Institution, code: str, price_fen: int) -> None:
        """Note that a drug is charged that has to be bought before.

        Args:
            institution: Who charges it.
            code: Its national code.
            price_fen: Price of one, fen.
        """
        if code[:1] in ("X", "Z"):
            key = (institution.code, code)
            self.charged[key] = max(price_fen, self.charged.get(key, 0))

    def days_after(self, second: int, days: int) -> str:
        """Give the day some days after a moment, which may lie outside the period."""
        return (date.fromisoformat(self.day(second)) + timedelta(days=days)).isoformat()

    def desk(self, institution: Institution) -> Desk:
        """Give an institution's counter."""
        return self.desks[institution.code]


def first_doctor(institution: Institution) -> str:
    """Give a doctor of an institution."""
    return institution.doctors[0]


def trace_rows(codes: Mapping[str, Iterable[str]]) -> list[dict[str, str]]:
    """Write the trace codes of a settlement (drug_trac_info).

    Args:
        codes: Codes by number of the charged line.
    """
    return [
        {"feedetl_sn": serial, "drug_trac_codg": code, "trdn_flag": "0"}
        for serial, several in codes.items()
        for code in several
    ]


def diagnosis_rows(
    codes: Sequence[str], person: Person, moment: str, doctor: str
) -> list[dict[str, object]]:
    """Write diagnoses (诊断信息); the first is the main one.

    Args:
        codes: ICD-10 codes.
        person: Whose.
        moment: When.
        doctor: Who made them.
    """
    return [
        {
            "psn_no": person.number,
            "diag_type": "1",
            "maindiag_flag": "1" if place == 0 else "0",
            "diag_srt_no": place + 1,
            "diag_code": code,
            "diag_name": "仿真诊断",
            "diag_dept": "内科",
            "dise_dor_no": doctor,
            "dise_dor_name": "仿真医师",
            "diag_time": moment,
            "vali_flag": "1",
        }
        for place, code in enumerate(codes)
    ]
