"""CSV through a mapping: good rows go in, every bad line has its number and reason."""

from pathlib import Path

import pytest

from node.domain.faults import Rule
from node.intake.mapping import parse_mapping
from node.store import NodeStore
from scoring_kernel import load_catalog
from tests.support import node_messages as m
from tests.support.node_csv import csv_mapping, ingest_csv, write_csv


def test_rows_become_records_of_every_mapped_kind(store: NodeStore, tmp_path: Path) -> None:
    path = write_csv(
        tmp_path / "a.csv",
        "C1,PRV1,B1,2026-01-30,2026-02-02,I,100.50,NA",
        'C2,PRV2,"B,2",2026-03-01,2026-03-02,O,7,3',
    )

    report = ingest_csv(store, path)

    assert report.records_stored == {"admission": 2, "settlement": 2}
    first, second = m.rows_of(store, "settlement")
    assert (first["medfee_fen"], first["fund_fen"], first["cash_fen"]) == (10050, 10050, 0)
    assert (first["month"], first["sign"], first["inpatient"]) == (202602, 1, True)
    assert (second["person"], second["med_type"], second["medfee_fen"]) == ("B,2", "11", 1000)
    assert [row["month"] for row in m.rows_of(store, "admission")] == [202601, 202603]


def test_foreign_institutions_are_registered_with_codes_of_the_national_form(
    store: NodeStore, tmp_path: Path
) -> None:
    ingest_csv(store, write_csv(tmp_path / "a.csv", "C1,PRV1,B1,2026-01-01,2026-01-02,I,1,1"))
    ingest_csv(store, write_csv(tmp_path / "b.csv", "C2,PRV1,B1,2026-01-01,2026-01-02,I,1,1"))

    foreign = [one for one in store.institutions() if one.foreign]
    assert [(one.foreign_code, one.namespace) for one in foreign] == [("PRV1", "test-set")]
    assert {row["institution"] for row in m.rows_of(store, "settlement")} == {foreign[0].code}
    assert foreign[0].code not in store.institution_codes()


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("  ,PRV1,B1,2026-01-01,2026-01-02,I,1,1", "id"),
        ("C1,  ,B1,2026-01-01,2026-01-02,I,1,1", "hospital"),
        ("C1,PRV1,  ,2026-01-01,2026-01-02,I,1,1", "person"),
    ],
)
def test_a_cell_of_blanks_is_empty(store: NodeStore, tmp_path: Path, line: str, field: str) -> None:
    report = ingest_csv(store, write_csv(tmp_path / "a.csv", line))

    assert report.by_rule == {Rule.FIELD_MISSING: 1}
    assert store.quarantine_rows()[0].field == field


def test_mapped_settlements_owe_no_settlement_lists(store: NodeStore, tmp_path: Path) -> None:
    ingest_csv(store, write_csv(tmp_path / "a.csv", "C1,PRV1,B1,2026-01-01,2026-01-02,I,1,1"))

    rows = store.measure_rows(load_catalog().measure_sets["inpatient"]).to_pylist()
    assert sum(row["inpatient_settlements"] for row in rows) == 0
    rows = store.measure_rows(load_catalog().measure_sets["settlement"]).to_pylist()
    assert sum(row["settlements"] for row in rows) == 1


def test_rows_are_no_messages_of_the_interface(store: NodeStore, tmp_path: Path) -> None:
    ingest_csv(store, write_csv(tmp_path / "a.csv", "C1,PRV1,B1,2026-01-01,2026-01-02,I,1,1"))

    assert store.counts().messages == 0
    assert m.rows_of(store, "settlement")[0]["record_id"] == "test-set:C1"
    assert store.measure_rows(load_catalog().measure_sets["interface"]).num_rows == 0


BAD_LINES = [
    ("C2,PRV1,B1", Rule.CSV_LINE, "3 cells, expected 8"),
    ("C2,PRV1,B1,2026-01-01,2026-01-02,I,1,1,9", Rule.CSV_LINE, "9 cells"),
    ('C2,PRV1,"B1,2026-01-01,2026-01-02,I,1,1', Rule.CSV_LINE, "quotes that do not close"),
    ("C2,PRV1,B1,2026-01-01,2026-01-02,I,-1,1", Rule.FIELD_TYPE, ""),
    ("C2,PRV1,B1,2026-01-01,2026-01-02,I,1.234,1", Rule.FIELD_TYPE, "fund is 1.234"),
    ("C2,PRV1,B1,2026-01-01,2026-01-02,I,many,1", Rule.FIELD_TYPE, "fund is many"),
    ("C2,PRV1,B1,2026-01-01,2026-01-02,I,12345678901234,1", Rule.FIELD_TYPE, "13 digits"),
    ("C2,PRV1,B1,2026-01-01,2026-01-02,I,NA,1", Rule.FIELD_MISSING, "fund is nothing"),
    ("C2,PRV1,,2026-01-01,2026-01-02,I,1,1", Rule.FIELD_MISSING, "person is nothing"),
    (",PRV1,B1,2026-01-01,2026-01-02,I,1,1", Rule.FIELD_MISSING, "id is nothing"),
    ("C2,NA,B1,2026-01-01,2026-01-02,I,1,1", Rule.FIELD_MISSING, "hospital is nothing"),
    ("C2,PRV1,B1,2026-02-31,2026-03-02,I,1,1", Rule.DATE_INVALID, "start is 2026-02-31"),
    ("C2,PRV1,B1,2026-01-01,tomorrow,I,1,1", Rule.DATE_INVALID, "end is tomorrow"),
    ("C2,PRV1,B1,2026-01-01,2027-01-02,I,1,1", Rule.DATE_FUTURE, "end is 2027-01-02"),
    ("C2,PRV1,B1,1999-01-01,2026-01-02,I,1,1", Rule.DATE_TOO_EARLY, "start is 1999-01-01"),
    ("C2,PRV1,B1,2026-01-01,2026-01-02,X,1,1", Rule.CODE_UNKNOWN, "kind is X"),
    ("C2,PRV1," + "B" * 300 + ",2026-01-01,2026-01-02,I,1,1", Rule.FIELD_TOO_LONG, "at most 200"),
    ("C2,PRV1,B1" + "x" * 70_000, Rule.LINE_TOO_LONG, "65536"),
]


@pytest.mark.parametrize(("line", "rule", "reason"), BAD_LINES)
def test_a_bad_line_is_refused_and_the_rest_goes_in(
    store: NodeStore, tmp_path: Path, line: str, rule: Rule, reason: str
) -> None:
    good = "{},PRV1,B1,2026-01-01,2026-01-02,I,1,1"
    path = write_csv(tmp_path / "a.csv", good.format("C1"), line, good.format("C3"))
    expected = {Rule.NUMBER_NEGATIVE: 1} if ",-1," in line else {rule: 1}

    report = ingest_csv(store, path)

    assert report.by_rule == expected
    (row,) = store.quarantine_rows()
    assert row.line == 3
    assert reason in row.reason
    assert report.records_stored == {"admission": 2, "settlement": 2}


def test_a_personal_cell_is_masked(store: NodeStore, tmp_path: Path) -> None:
    person = "B" * 300
    ingest_csv(
        store, write_csv(tmp_path / "a.csv", f"C2,PRV1,{person},2026-01-01,2026-01-02,I,1,1")
    )

    (row,) = store.quarantine_rows()
    assert "B" * 5 not in row.reason + row.value


def test_an_own_institution_must_be_under_custody(store: NodeStore, tmp_path: Path) -> None:
    path = write_csv(
        tmp_path / "a.csv",
        f"C1,{m.HOSPITAL},B1,2026-01-01,2026-01-02,I,1,1",
        "C2,H33030200099,B1,2026-01-01,2026-01-02,I,1,1",
    )

    report = ingest_csv(store, path, csv_mapping(**{", foreign: true": ""}))

    assert report.by_rule == {Rule.INSTITUTION_UNKNOWN: 1}
    assert [row["institution"] for row in m.rows_of(store, "settlement")] == [m.HOSPITAL]


def test_blocks_do_not_change_what_is_stored(
    store: NodeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.intake.table_intake.BATCH_ROWS", 2)
    line = "C{},PRV1,B1,2026-01-01,2026-01-02,I,1,1"
    lines = [line.format(number) for number in (1, 2, 3, 1, 4)]
    path = write_csv(tmp_path / "a.csv", *lines, "broken", "broken too")

    report = ingest_csv(store, path)

    assert (report.messages_in, report.already_seen) == (7, 1)
    assert report.records_stored == {"admission": 4, "settlement": 4}
    assert [row.line for row in store.quarantine_rows()] == [7, 8]


FEES = """
format: 1
namespace: fees
record_id: id
institution: {column: hospital}
delimiter: ";"
records:
  fee_detail:
    line: {column: id}
    mdtrt_id: {column: visit}
    person: {column: person}
    occurred_at: {column: day, format: "%Y%m%d %H:%M"}
    item_code: {column: item}
    local_code: {constant: none}
    department: {column: department}
    amount_fen: {column: amount, unit: fen}
    quantity_e4: {column: count}
    price_e6: {column: price}
    inscp_fen: {column: insured, unit: yuan}
"""


def test_fee_details_of_a_csv_keep_what_is_not_told_as_null(
    store: NodeStore, tmp_path: Path
) -> None:
    mapping = parse_mapping(FEES.encode(), "x.yaml", load_catalog())
    path = tmp_path / "a.csv"
    head = "id;hospital;visit;person;day;item;department;amount;count;price;insured\n"
    path.write_text(
        head
        + f"1;{m.HOSPITAL};V1;B1;20260105 08:30;X1;;1250;1.5;8.333333;\n"
        + f"2;{m.HOSPITAL};V1;B1;20260105 08:30;X1;A03;1250;1;12.5;12.50\n"
        + f"3;{m.HOSPITAL};V1;B1;20260105 08:30;X1;A03;12.50;1;12.5;x\n",
        encoding="utf-8",
    )

    report = ingest_csv(store, path, mapping)

    assert report.by_rule == {Rule.FIELD_TYPE: 1}
    assert "amount is 12.50" in store.quarantine_rows()[0].reason
    first, second = m.rows_of(store, "fee_detail")
    assert (first["department"], first["inscp_fen"], first["doctor"]) == (None, None, None)
    assert (first["amount_fen"], first["quantity_e4"], first["price_e6"]) == (1250, 15000, 8333333)
    assert (second["department"], second["inscp_fen"]) == ("A03", 1250)
    assert str(first["occurred_at"]) == "2026-01-05 08:30:00"


def test_a_file_of_which_no_line_is_whole_is_all_refused(store: NodeStore, tmp_path: Path) -> None:
    report = ingest_csv(store, write_csv(tmp_path / "a.csv", 'a"', 'b"'))

    assert report.by_rule == {Rule.CSV_LINE: 2}
    assert store.ledger_size() == 0
