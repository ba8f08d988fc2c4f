"""The measures of insurance physicians, run by DuckDB over small hand-made ledgers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest

from scoring_kernel.catalog_loader import parse_catalog, read_catalog_files
from scoring_kernel.measure_sets import KEY_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CATALOG = parse_catalog(read_catalog_files())
SET = CATALOG.measure_sets["physician"]
SQL_TYPES = {
    "string": "VARCHAR",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "int8": "TINYINT",
    "bool": "BOOLEAN",
    "timestamp[s]": "TIMESTAMP_S",
}
HOSPITAL, CLINIC = "H33030200001", "H33030200002"
LI, WANG = "D330302000101", "D330302000102"
DRUG, PATENT, PIECE = "XA01ABC001A001000000001", "ZA01BAC0000000000001", "T000000001"
IMAGE, LABORATORY, RADIOTHERAPY, VISIT_FEE = (
    f"00{chapter}0100001{'0' * 4}" for chapter in ("21", "25", "24", "11")
)
VISIT = "v1"


class Ledger:
    """A DuckDB with the relations the set reads; every record is a message of its own."""

    def __init__(self) -> None:
        self.connection = duckdb.connect()
        self.number = 0
        for kind in SET.relations:
            schema = CATALOG.records[kind].schema
            columns = ", ".join(f'"{name}" {SQL_TYPES[word]}' for name, word in schema)
            self.connection.execute(f"CREATE TABLE {kind} ({columns})")

    def put(self, kind: str, **given: object) -> None:
        self.number += 1
        row = {"institution": HOSPITAL, "mdtrt_id": VISIT, "month": 202603} | given
        msgid = f"{row['institution']}{self.number:018d}"
        row = {"record_id": f"{msgid}{'' if kind == 'settlement' else '#1'}"} | row
        names, marks = ", ".join(f'"{name}"' for name in row), ", ".join("?" for _ in row)
        self.connection.execute(
            f"INSERT INTO {kind} ({names}) VALUES ({marks})",  # noqa: S608 - names of the catalogue
            list(row.values()),
        )

    def add(self, *, doctor: str | None = LI, visit: str = VISIT, fen: int = 100,
            code: str = VISIT_FEE, **given: object) -> None:  # fmt: skip
        line = {"line": f"F{self.number}", "doctor": doctor, "item_code": code}
        self.put("fee_detail", **line | {"mdtrt_id": visit, "amount_fen": fen} | given)

    def settle(self, visit: str = VISIT, *, setl_id: str = "", fen: int = 900,
               **given: object) -> None:  # fmt: skip
        row: dict[str, object] = {"setl_id": setl_id or f"S{visit}", "sign": 1, "medfee_fen": fen}
        self.put("settlement", **row | {"mdtrt_id": visit} | given)

    def reverse(self, visit: str = VISIT, *, setl_id: str = "", **given: object) -> None:
        self.settle(visit, setl_id=setl_id, fen=-900, **{"sign": -1} | given)

    def take_back(self, what: str = "fee_detail", **given: object) -> None:
        self.put("cancellation", **{"what": what} | given)

    def clear(self) -> None:
        for kind in SET.relations:
            self.connection.execute(f"TRUNCATE {kind}")

    def measure(self) -> dict[tuple[str, int, str], dict[str, int]]:
        result = self.connection.execute(SET.sql)
        assert [column[0] for column in result.description] == list(SET.columns)
        return {
            tuple(row[:3]): dict(zip(SET.columns[3:], row[3:], strict=True))
            for row in result.fetchall()
        }


@pytest.fixture(scope="module")
def engine() -> Iterator[Ledger]:
    book = Ledger()
    yield book
    book.connection.close()


@pytest.fixture
def ledger(engine: Ledger) -> Ledger:
    engine.clear()
    return engine


def row(visits: int, fen: int, *, drug: int = 0, examination: int = 0) -> dict[str, int]:
    return {
        "visits": visits,
        "centi_visits": 100 * visits,
        "amount_fen": fen,
        "drug_fen": drug,
        "examination_fen": examination,
    }


def test_an_empty_ledger_has_no_row_and_columns_of_integers(ledger: Ledger) -> None:
    assert ledger.measure() == {}
    types = {one[0]: one[1] for one in ledger.connection.execute(f"DESCRIBE {SET.sql}").fetchall()}
    assert [types[key] for key in KEY_COLUMNS] == ["VARCHAR", "INTEGER", "VARCHAR"]
    assert {types[measure.id] for measure in SET.measures} == {"BIGINT"}


def test_a_visit_counts_once_however_many_lines_it_has(ledger: Ledger) -> None:
    ledger.add(fen=100)
    ledger.add(fen=250)
    ledger.add(visit="v2", fen=50)
    ledger.settle()
    ledger.settle("v2")
    assert ledger.measure() == {(HOSPITAL, 202603, LI): row(2, 400)}


def test_a_visit_over_months_is_booked_whole_in_the_month_of_its_first_settlement(
    ledger: Ledger,
) -> None:
    ledger.add(month=202604, fen=300)
    ledger.add(month=202603, fen=100)
    ledger.settle(setl_id="late", month=202606)
    ledger.settle(setl_id="early", month=202605)
    assert ledger.measure() == {(HOSPITAL, 202605, LI): row(1, 400)}


def test_every_physician_of_a_visit_has_the_visit_and_the_own_lines(ledger: Ledger) -> None:
    ledger.add(fen=100)
    ledger.add(doctor=WANG, fen=70)
    ledger.settle()
    assert ledger.measure() == {
        (HOSPITAL, 202603, LI): row(1, 100),
        (HOSPITAL, 202603, WANG): row(1, 70),
    }


def test_a_physician_at_two_institutions_has_a_row_for_each(ledger: Ledger) -> None:
    ledger.add(fen=100)
    ledger.settle()
    ledger.add(institution=CLINIC, fen=70)
    assert ledger.measure() == {(HOSPITAL, 202603, LI): row(1, 100)}
    ledger.settle(institution=CLINIC)
    assert ledger.measure()[CLINIC, 202603, LI] == row(1, 70)


def test_a_refund_restates_the_month_of_the_visit(ledger: Ledger) -> None:
    ledger.add(fen=100)
    ledger.settle()
    ledger.add(visit="v2", fen=100)
    ledger.settle("v2")
    assert ledger.measure() == {(HOSPITAL, 202603, LI): row(2, 200)}
    ledger.add(fen=-40, month=202604)
    assert ledger.measure() == {(HOSPITAL, 202603, LI): row(2, 160)}
    ledger.add(fen=-60, month=202605)
    assert ledger.measure() == {(HOSPITAL, 202603, LI): row(1, 100)}


@pytest.mark.parametrize("fen", [900, 0])
def test_a_visit_never_settled_or_settled_to_nothing_is_none(ledger: Ledger, fen: int) -> None:
    ledger.add()
    assert ledger.measure() == {}
    ledger.settle(setl_id="S1", fen=fen)
    ledger.reverse(setl_id="S1", month=202604, medfee_fen=-fen)
    assert ledger.measure() == {}
    ledger.settle(setl_id="S2", month=202605)
    assert ledger.measure() == {(HOSPITAL, 202603, LI): row(1, 100)}


def test_a_settlement_and_a_negative_one_of_the_same_money_are_no_visit(ledger: Ledger) -> None:
    ledger.add()
    ledger.settle(setl_id="S1", fen=900)
    ledger.settle(setl_id="S2", fen=-900)
    assert ledger.measure() == {}


@pytest.mark.parametrize(
    ("what", "visit", "visits"), [("admission", VISIT, 0), ("discharge", VISIT, 1),
                                  ("admission", "v2", 1)],
)  # fmt: skip
def test_a_visit_whose_admission_was_cancelled_is_none(
    ledger: Ledger, what: str, visit: str, visits: int
) -> None:
    ledger.add()
    ledger.take_back(what, mdtrt_id=visit)
    ledger.settle()
    assert sum(one["visits"] for one in ledger.measure().values()) == visits


def test_of_uploads_of_one_line_the_latest_counts_with_its_own_physician(ledger: Ledger) -> None:
    ledger.add(line="F1", fen=100)
    ledger.add(line="F1", visit="v2", fen=7)
    ledger.add(line="F1", doctor=WANG, fen=300)
    ledger.settle()
    assert ledger.measure() == {(HOSPITAL, 202603, WANG): row(1, 300)}
    ledger.add(line="F1", doctor=None, fen=300)
    assert ledger.measure() == {}


def test_records_of_a_mapping_stand_by_themselves(ledger: Ledger) -> None:
    for number in (1, 2):
        ledger.add(line="same", record_id=f"0set:{number}")
    ledger.take_back()
    ledger.settle()
    assert ledger.measure() == {(HOSPITAL, 202603, LI): row(1, 200)}


@pytest.mark.parametrize(
    ("withdrawal", "fen"),
    [
        ({}, 0),
        ({"line": "F1"}, 23),
        ({"line": "F9"}, 123),
        ({"batch": "B1"}, 3),
        ({"batch": "B9"}, 123),
        ({"mdtrt_id": "v2"}, 123),
        ({"institution": CLINIC}, 123),
    ],
)
def test_a_withdrawal_takes_back_what_it_names_and_was_sent_before(
    ledger: Ledger, withdrawal: Mapping[str, str], fen: int
) -> None:
    ledger.add(line="F1", batch="B1", fen=100)
    ledger.add(line="F2", batch="B1", fen=20)
    ledger.add(line="F3", fen=3)
    ledger.take_back(**withdrawal)
    ledger.add(line="F4", batch="B1", fen=1000)
    ledger.settle()
    assert ledger.measure() == {(HOSPITAL, 202603, LI): row(1, fen + 1000)}


@pytest.mark.parametrize(
    ("settled", "uploaded", "stays"),
    [(None, None, True), (None, "B1", True), ("B1", None, True), ("B1", "B1", True),
     ("B1", "B2", False)],
)  # fmt: skip
def test_a_withdrawal_leaves_what_is_settled_at_that_moment(
    ledger: Ledger, settled: str | None, uploaded: str | None, *, stays: bool
) -> None:
    ledger.settle(setl_id="earlier", batch=settled)
    ledger.add(batch=uploaded, fen=7)
    ledger.take_back()
    assert ledger.measure() == {}

    ledger.add(batch=uploaded, fen=100)
    ledger.settle(setl_id="S1", batch=settled)
    ledger.take_back()
    ledger.add(batch=uploaded, fen=20)
    ledger.reverse(setl_id="S1")
    found = row(1, 120 if stays else 20)
    assert ledger.measure() == {(HOSPITAL, 202603, LI): found}

    ledger.take_back()
    assert ledger.measure() == {}


def test_only_the_settlements_own_reversal_and_the_visits_own_settlement_matter(
    ledger: Ledger,
) -> None:
    ledger.add(fen=100)
    ledger.settle("v2")
    ledger.take_back()
    ledger.take_back(mdtrt_id="v2")
    ledger.add(fen=20)
    ledger.settle(setl_id="S1")
    ledger.reverse("v2")
    ledger.take_back()
    assert ledger.measure() == {(HOSPITAL, 202603, LI): row(1, 20)}


def test_a_reversal_counts_whatever_money_it_tells(ledger: Ledger) -> None:
    ledger.add()
    ledger.settle(setl_id="S1", month=202604)
    ledger.reverse(setl_id="S1", medfee_fen=0, month=202603)
    assert ledger.measure() == {}
    ledger.settle(setl_id="S2", month=202605)
    assert ledger.measure() == {(HOSPITAL, 202604, LI): row(1, 100)}


def test_a_sale_is_settled_by_the_message_of_its_lines(ledger: Ledger) -> None:
    ledger.add(record_id=f"{HOSPITAL}{'5':>018}#F1")
    ledger.settle(record_id=f"{HOSPITAL}{'5':>018}")
    ledger.take_back(record_id=f"{HOSPITAL}{'6':>018}#1")
    assert ledger.measure() == {(HOSPITAL, 202603, LI): row(1, 100)}


@pytest.mark.parametrize(
    "doctor",
    [None, "", "D33030200010", "D3303020001011", "N330302000101", "0101", "d330302000101"],
)
def test_lines_without_a_national_code_of_a_physician_count_for_nobody(
    ledger: Ledger, doctor: str | None
) -> None:
    ledger.add(doctor=doctor)
    ledger.settle()
    assert ledger.measure() == {}


@pytest.mark.parametrize(
    ("code", "drug", "examination"),
    [
        (DRUG, 100, 0),
        (PATENT, 100, 0),
        (PIECE, 0, 0),
        (IMAGE, 0, 100),
        (LABORATORY, 0, 100),
        (RADIOTHERAPY, 0, 0),
        (VISIT_FEE, 0, 0),
        (IMAGE[:-1], 0, 0),
        (f"{IMAGE}0", 0, 0),
        ("C0021000000000000000", 0, 0),
    ],
)
def test_drugs_and_examinations_are_told_by_the_national_codes(
    ledger: Ledger, code: str, drug: int, examination: int
) -> None:
    ledger.add(code=code)
    ledger.settle()
    assert ledger.measure() == {
        (HOSPITAL, 202603, LI): row(1, 100, drug=drug, examination=examination)
    }


def test_the_set_is_about_staff_and_its_distinct_counts_are_exact() -> None:
    assert SET.subject == "staff"
    assert {measure.id: measure.kind for measure in SET.measures} == {
        "visits": "distinct",
        "centi_visits": "distinct",
        "amount_fen": "sum",
        "drug_fen": "sum",
        "examination_fen": "sum",
    }
