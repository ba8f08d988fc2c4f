"""The measures of insurance physicians, run by DuckDB over small hand-made ledgers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring_kernel.catalog_loader import parse_catalog, read_catalog_files
from scoring_kernel.measure_sets import KEY_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CATALOG = parse_catalog(read_catalog_files())
SET = CATALOG.measure_sets["physician"]
SQL_TYPES = {
    "string": "VARCHAR",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "timestamp[s]": "TIMESTAMP_S",
}
HOSPITAL, CLINIC = "H33030200001", "H33030200002"
LI, WANG = "D330302000101", "D330302000102"
DRUG, PATENT, PIECE = "XA01ABC001A001000000001", "ZA01BAC0000000000001", "T000000001"
IMAGE, LABORATORY, RADIOTHERAPY, VISIT_FEE = (
    f"00{chapter}0100001{'0' * 4}" for chapter in ("21", "25", "24", "11")
)
Line = tuple[str, int, str, str, str, int]
"""Institution, month, physician, visit, code of the item, fen."""


class Ledger:
    """A DuckDB with the one relation the set reads."""

    def __init__(self) -> None:
        self.connection = duckdb.connect()
        self.schema = CATALOG.records["fee_detail"].schema
        columns = ", ".join(f'"{name}" {SQL_TYPES[word]}' for name, word in self.schema)
        self.connection.execute(f"CREATE TABLE fee_detail ({columns})")

    def add(
        self,
        *,
        doctor: str | None = LI,
        visit: str = "v1",
        fen: int = 100,
        code: str = VISIT_FEE,
        month: int = 202603,
        institution: str = HOSPITAL,
    ) -> None:
        self.connection.execute(
            "INSERT INTO fee_detail (institution, month, doctor, mdtrt_id, item_code, amount_fen) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            [institution, month, doctor, visit, code, fen],
        )

    def clear(self) -> None:
        self.connection.execute("TRUNCATE fee_detail")

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
    assert ledger.measure() == {(HOSPITAL, 202603, LI): row(2, 400)}


def test_a_visit_over_two_months_counts_in_the_first_and_its_money_in_each(ledger: Ledger) -> None:
    ledger.add(month=202604, fen=300)
    ledger.add(month=202603, fen=100)
    assert ledger.measure() == {
        (HOSPITAL, 202603, LI): row(1, 100),
        (HOSPITAL, 202604, LI): row(0, 300),
    }


def test_every_physician_of_a_visit_has_the_visit_and_the_own_lines(ledger: Ledger) -> None:
    ledger.add(fen=100)
    ledger.add(doctor=WANG, fen=70)
    assert ledger.measure() == {
        (HOSPITAL, 202603, LI): row(1, 100),
        (HOSPITAL, 202603, WANG): row(1, 70),
    }


def test_a_physician_at_two_institutions_has_a_row_for_each(ledger: Ledger) -> None:
    ledger.add(fen=100)
    ledger.add(institution=CLINIC, fen=70)
    assert ledger.measure() == {
        (HOSPITAL, 202603, LI): row(1, 100),
        (CLINIC, 202603, LI): row(1, 70),
    }


def test_a_visit_refunded_in_whole_is_none_and_in_part_is_one(ledger: Ledger) -> None:
    ledger.add(fen=100)
    ledger.add(fen=-100, month=202604)
    ledger.add(visit="v2", fen=100)
    ledger.add(visit="v2", fen=-40)
    assert ledger.measure() == {
        (HOSPITAL, 202603, LI): row(1, 160),
        (HOSPITAL, 202604, LI): row(0, -100),
    }


@pytest.mark.parametrize(
    "doctor",
    [None, "", "D33030200010", "D3303020001011", "N330302000101", "0101", "d330302000101"],
)
def test_lines_without_a_national_code_of_a_physician_count_for_nobody(
    ledger: Ledger, doctor: str | None
) -> None:
    ledger.add(doctor=doctor)
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
    assert ledger.measure() == {
        (HOSPITAL, 202603, LI): row(1, 100, drug=drug, examination=examination)
    }


LINES = st.lists(
    st.tuples(
        st.sampled_from([HOSPITAL, CLINIC]),
        st.sampled_from([202601, 202602, 202603]),
        st.sampled_from([LI, WANG]),
        st.sampled_from(["v1", "v2", "v3"]),
        st.sampled_from([DRUG, PIECE, IMAGE, VISIT_FEE]),
        st.sampled_from([-200, -100, 0, 100, 200]),
    ),
    max_size=12,
)


@settings(max_examples=40, deadline=None)
@given(lines=LINES)
def test_months_add_up_to_the_distinct_visits_and_to_all_money(
    engine: Ledger, lines: Sequence[Line]
) -> None:
    engine.clear()
    for institution, month, doctor, visit, code, fen in lines:
        engine.add(
            institution=institution, month=month, doctor=doctor, visit=visit, code=code, fen=fen
        )
    found = engine.measure()
    assert set(found) == {line[:3] for line in lines}
    for institution in (HOSPITAL, CLINIC):
        for doctor in (LI, WANG):
            own = [line for line in lines if (line[0], line[2]) == (institution, doctor)]
            visits = {
                visit
                for visit in (line[3] for line in own)
                if sum(line[5] for line in own if line[3] == visit) > 0
            }
            months = [one for key, one in found.items() if key[::2] == (institution, doctor)]
            assert sum(one["visits"] for one in months) == len(visits)
            assert sum(one["centi_visits"] for one in months) == 100 * len(visits)
            for measure, codes in (
                ("amount_fen", {DRUG, PIECE, IMAGE, VISIT_FEE}),
                ("drug_fen", {DRUG}),
                ("examination_fen", {IMAGE}),
            ):
                money = sum(line[5] for line in own if line[4] in codes)
                assert sum(one[measure] for one in months) == money


def test_the_set_is_about_staff_and_its_distinct_counts_are_exact() -> None:
    assert SET.subject == "staff"
    assert {measure.id: measure.kind for measure in SET.measures} == {
        "visits": "distinct",
        "centi_visits": "distinct",
        "amount_fen": "sum",
        "drug_fen": "sum",
        "examination_fen": "sum",
    }
