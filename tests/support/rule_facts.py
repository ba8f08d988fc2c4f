"""Short facts, as case tables state them, become records.

What a case leaves out has a sensible default: a visit is a settled outpatient visit of its
person, a line belongs to its visit. Short names (H1, P1, V1) become codes of the right form.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final

from scoring_kernel.catalog_loader import load_catalog
from tests.support.fact_ranges import spread

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["EVER", "INPATIENT", "Facts", "RuleFacts", "fen", "moment", "short_code"]

Facts = dict[str, Any]

INPATIENT: Final = ("21", "22", "23", "24", "25", "26", "28", "52", "2101", "2102", "210104")
EVER: Final = datetime(2000, 1, 1)  # noqa: DTZ001 - wall clock of the records


@dataclass(slots=True)
class RuleFacts:
    """Records and knowledge of one case."""

    records: dict[str, list[Facts]] = field(default_factory=dict)
    knowledge: dict[str, list[Facts]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    """Code → short name."""
    _visits: dict[str, Facts] = field(default_factory=dict)
    _persons: dict[str, Facts] = field(default_factory=dict)
    _sent: int = 0

    @classmethod
    def of(cls, case: Mapping[str, Any]) -> RuleFacts:
        """Build the facts of one case of a case table."""
        facts = cls()
        for name, one in (case.get("institutions") or {}).items():
            facts.institution(name, **(one or {}))
        for name, one in (case.get("persons") or {}).items():
            facts.person(name, **(one or {}))
        for names, one in (case.get("visits") or {}).items():
            for name, each in spread(names, one or {}):
                facts.visit(name, **each)
        for one in case.get("lines") or ():
            for _, each in spread(str(one["visit"]), one):
                facts.line(**each)
        for kind, rows in (case.get("records") or {}).items():
            for row in rows:
                facts.record(kind, **row)
        for table, rows in (case.get("knowledge") or {}).items():
            facts.knowledge.setdefault(table, []).extend(dict(row) for row in rows)
        return facts

    def institution(self, name: str, **given: Any) -> str:  # noqa: ANN401 - of a YAML file
        """Add an institution; its profile where level, beds, place or group are given."""
        code = self.code(name)
        if given:
            self.record("institution_profile", institution=name, **given)
        return code

    def person(self, name: str, **given: Any) -> str:  # noqa: ANN401 - of a YAML file
        """Add an insured person: gender, born."""
        unknown = given.keys() - {"gender", "born"}
        if unknown:
            raise AssertionError(f"person {name}: unknown {sorted(unknown)}")
        self._persons[name] = given
        return self.code(name)

    def visit(self, name: str, **given: Any) -> None:  # noqa: ANN401 - of a YAML file
        """Add a visit: registration or admission, diagnoses, discharge and settlement.

        Keys: person, institution, begins, inpatient, med_type, insutype, doctor, diagnoses (codes,
        the first is the main one), discharged, way, died, settled (false: not settled), fund,
        medfee, inscp, planned, batch, certificate_type.
        """
        known = {
            *("person", "institution", "begins", "inpatient", "med_type", "insutype", "doctor"),
            *("diagnoses", "discharged", "way", "died", "settled", "fund", "medfee", "inscp"),
            *("planned", "certificate_type", "batch"),
        }
        if unknown := given.keys() - known:
            raise AssertionError(f"visit {name}: unknown {sorted(unknown)}")
        begins = moment(given.get("begins", "2026-03-02 09:00"))
        med_type = str(given.get("med_type", "21" if given.get("inpatient") else "11"))
        inpatient = bool(given.get("inpatient", med_type in INPATIENT))
        discharged = given.get("discharged")
        stated = given.get("settled", discharged or begins + timedelta(hours=1))
        visit = {
            "institution": given.get("institution", "H1"),
            "person": given.get("person", "P1"),
            "begins": begins,
            "inpatient": inpatient,
            "med_type": med_type,
            "insutype": str(given.get("insutype", "310")),
            "settled": None if stated is False else moment(stated),
            "lines": 0,
            **{key: given.get(key) for key in ("fund", "medfee", "inscp", "batch")},
        }
        self._visits[name] = visit
        common = {"institution": visit["institution"], "mdtrt_id": name, "person": visit["person"]}
        same = {"med_type": med_type, "insutype": visit["insutype"]}
        codes = [str(one) for one in given.get("diagnoses") or ()]
        self.record(
            "admission",
            **common,
            **same,
            admitted_at=begins,
            inpatient=inpatient,
            doctor=given.get("doctor"),
            diagnosis=codes[0] if codes else None,
            certificate_type=given.get("certificate_type"),
        )
        what = "discharge" if discharged and inpatient else "admission" if inpatient else "visit"
        for at, code in enumerate(codes):
            self.record("diagnosis", **common, code=code, main=at == 0, what=what, at=begins)
        if discharged:
            self.record(
                "discharge",
                **common,
                discharged_at=moment(discharged),
                discharge_way=str(given.get("way", "5" if given.get("died") else "1")),
                died=bool(given.get("died", False)),
            )
        if given.get("planned"):
            self.record("settlement_list", **common, setl_id=f"{name}S", planned_readmission=True)

    def line(self, **given: Any) -> None:  # noqa: ANN401 - of a YAML file
        """Add a fee line: visit, item, at, amount, inscp, count, price and columns of the kind."""
        name = str(given.pop("visit"))
        visit = self._visits[name]
        visit["lines"] += 1
        count = given.pop("count", 1)
        amount = fen(given.pop("amount", 0))
        price = given.pop("price", None)
        at = moment(given.pop("at", visit["begins"]))
        stated = "inscp" in given
        inscp = given.pop("inscp", None)
        self.record(
            "fee_detail",
            **{
                "institution": visit["institution"],
                "mdtrt_id": name,
                "person": visit["person"],
                "line": f"L{visit['lines']}",
                "occurred_at": at,
                "item_code": str(given.pop("item")),
                "local_code": "",
                "amount_fen": amount,
                "quantity_e4": round(float(count) * 10_000),
                "price_e6": (
                    round(float(price) * 1_000_000)
                    if price is not None
                    else round(amount * 10_000 / float(count))
                    if count
                    else 0
                ),
                "inscp_fen": (None if inscp is None else fen(inscp)) if stated else amount,
                "med_type": visit["med_type"],
                **given,
            },
        )

    def record(self, kind: str, **given: Any) -> Facts:  # noqa: ANN401 - of a YAML file
        """Add a record of any kind, columns as in ``records.yaml``; ``visit`` says whose it is."""
        schema = dict(load_catalog().records[kind].schema)
        row: Facts = {}
        name = given.pop("visit", None)
        if name is not None:
            visit = self._visits[str(name)]
            row |= {"mdtrt_id": name, "setl_id": f"{name}S", "settled_at": visit["settled"]}
            row |= {key: visit[key] for key in ("institution", "person")}
            row["at"] = row["occurred_at"] = visit["begins"]
        row |= given
        unknown = given.keys() - schema.keys()
        if unknown:
            raise AssertionError(f"{kind}: unknown column {sorted(unknown)}")
        row.setdefault("institution", "H1")
        row.setdefault("begins_at", EVER)
        self._sent += 1
        code = self.code(str(row["institution"]))
        row.setdefault("record_id", f"{code}2026010100{self._sent:08d}")
        found = {column: self._value(kind, column, row) for column in schema}
        self.records.setdefault(kind, []).append(found)
        return found

    def settle(self) -> None:
        """Settle every visit that is to be settled, with what its lines come to."""
        for name, visit in self._visits.items():
            if visit["settled"] is None:
                continue
            lines = [
                row
                for row in self.records.get("fee_detail", ())
                if row["mdtrt_id"] == self.code(name)
            ]
            total = sum(row["amount_fen"] for row in lines) or 100
            scope = sum(row["inscp_fen"] or 0 for row in lines) or total
            medfee = total if visit["medfee"] is None else fen(visit["medfee"])
            inscp = scope if visit["inscp"] is None else fen(visit["inscp"])
            fund = inscp if visit["fund"] is None else fen(visit["fund"])
            person = self._persons.get(visit["person"], {})
            born = person.get("born")
            self.record(
                "settlement",
                **{key: visit[key] for key in ("institution", "person", "insutype", "med_type")},
                mdtrt_id=name,
                setl_id=f"{name}S",
                inpatient=visit["inpatient"],
                sign=1,
                settled_at=visit["settled"],
                medfee_fen=medfee,
                inscp_fen=inscp,
                fund_fen=fund,
                account_fen=0,
                cash_fen=medfee - fund,
                batch=visit["batch"],
                gender=None if "gender" not in person else str(person["gender"]),
                born=None if born is None else moment(born),
            )

    def code(self, name: str) -> str:
        """Code of a short name; a text that is none stays as it is."""
        code = short_code(name)
        self.names[code] = name
        return code

    def _value(self, kind: str, column: str, row: Facts) -> object:
        word = dict(load_catalog().records[kind].schema)[column]
        nullable = column in load_catalog().records[kind].nullable
        value = row.get(column)
        if column == "month":
            return _month(row)
        if value is None:
            return None if nullable else _default(word, row)
        if word == "timestamp[s]":
            return moment(value)
        if word == "string":
            return self.code(str(value)) if column in _NAMED else str(value)
        return value


_NAMED: Final = frozenset(
    ("institution", "person", "mdtrt_id", "doctor", "staff", "surgeon", "prescriber", "pharmacist")
)


def short_code(name: str) -> str:
    """Code of the right form for a short name: H1, P1 (person), V1, D1, N1; S1 is a pharmacy.

    >>> short_code("H1"), short_code("D2"), short_code("XA01")
    ('H33030200001', 'D330302000002', 'XA01')
    """
    letter, digits = name[:1], name[1:]
    if not digits.isdigit() or len(digits) > 4:
        return name
    number = int(digits)
    forms = {
        "H": f"H330302{number:05d}",
        "S": f"P330302{number:05d}",
        "P": f"33030200000000000000{number:06d}",
        "V": f"330302G{number:013d}",
        "D": f"D330302{number:06d}",
        "N": f"N330302{number:06d}",
    }
    return forms.get(letter, name)


def moment(value: object) -> datetime:
    """A moment of a day, a text or a moment; no zone: records hold the wall clock."""
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime.combine(value, time())
    return datetime.fromisoformat(str(value))


def fen(yuan: float | str) -> int:
    """Fen of an amount in yuan."""
    return round(float(yuan) * 100)


def _month(row: Facts) -> int:
    for column in ("occurred_at", "settled_at", "admitted_at", "discharged_at", "cancelled_at"):
        if row.get(column) is not None:
            day = moment(row[column])
            return day.year * 100 + day.month
    return 202603


def _default(word: str, row: Facts) -> object:
    defaults: Facts = {"string": "", "bool": False, "timestamp[s]": row.get("at", EVER)}
    return defaults.get(word, 0)
