"""The same rows out of every format of file, and FHIR without a mapping."""

import gzip
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from node.domain.faults import Rule
from node.errors import IntakeFileError, MappingError
from node.intake import ingest_file
from node.store import NodeStore
from scoring_kernel import load_catalog
from tests.support import node_messages as m
from tests.support.node_csv import HEADER, ingest_csv

FHIR = m.SHARED / "data" / "fhir"
NAMES = HEADER.strip().split(",")
ROWS = [
    ["C1", "PRV1", "B1", "2026-01-01", "2026-01-02", "I", "12.5", "1"],
    ["C2", "PRV1", "B2", "2026-01-01", "2026-01-03", "O", "7", "NA"],
]


def write_xlsx(path: Path, rows: list[list[str]]) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in [NAMES, *rows]:
        sheet.append(row)
    book.save(path)


def write_parquet(path: Path, rows: list[list[str]]) -> None:
    columns = list(zip(*rows, strict=True))
    pq.write_table(
        pa.table({name: list(one) for name, one in zip(NAMES, columns, strict=True)}), path
    )


def write_jsonl(path: Path, rows: list[list[str]]) -> None:
    lines = [json.dumps(dict(zip(NAMES, row, strict=True))) + "\n" for row in rows]
    path.write_bytes(gzip.compress("".join(lines).encode()))


WRITERS: Mapping[str, Callable[[Path, list[list[str]]], None]] = {
    "a.xlsx": write_xlsx,
    "a.parquet": write_parquet,
    "a.jsonl.gz": write_jsonl,
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_table_of_any_format_makes_the_same_records(
    store: NodeStore, tmp_path: Path, name: str
) -> None:
    WRITERS[name](tmp_path / name, ROWS)
    report = ingest_csv(store, tmp_path / name)

    assert report.records_stored == {"admission": 2, "settlement": 2}
    found = {row["setl_id"]: row for row in m.rows_of(store, "settlement")}
    assert (found["C1"]["fund_fen"], found["C1"]["cash_fen"]) == (1250, 100)
    assert (found["C2"]["fund_fen"], found["C2"]["cash_fen"], found["C2"]["inpatient"]) == (
        *(700, 0),
        False,
    )
    (tmp_path / "a.csv").write_text(
        HEADER + "".join(",".join(row) + "\n" for row in ROWS), encoding="utf-8"
    )
    assert ingest_csv(store, tmp_path / "a.csv").already_seen == 2


@pytest.mark.parametrize("name", WRITERS)
def test_a_bad_row_of_any_format_is_kept_with_its_cells(
    store: NodeStore, tmp_path: Path, name: str
) -> None:
    WRITERS[name](tmp_path / name, [ROWS[0], [*ROWS[1][:6], "x", "1"]])
    report = ingest_csv(store, tmp_path / name)

    assert report.by_rule == {Rule.FIELD_TYPE: 1}
    (row,) = store.quarantine_rows()
    body = store.desk.body(row.digest)
    assert body is not None
    assert json.loads(body)["id"] == "C2"
    assert (row.form, row.infno) == ("row", "table")


def test_a_formula_refuses_its_row_alone(store: NodeStore, tmp_path: Path) -> None:
    write_xlsx(tmp_path / "a.xlsx", [ROWS[0], [*ROWS[1][:6], "=1+1", "1"]])
    report = ingest_csv(store, tmp_path / "a.xlsx")

    assert report.by_rule == {Rule.TABLE_CELL: 1}
    assert report.records_stored["settlement"] == 1
    assert "paste them as values" in store.quarantine_rows()[0].mend


@pytest.mark.parametrize("name", ["a.csv", "a.xlsx", "a.parquet", "a.zip"])
def test_a_table_without_a_mapping_says_what_to_do(
    store: NodeStore, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_bytes(b"x\n")
    with pytest.raises(MappingError, match="--suggest-mapping"):
        ingest_file(store, load_catalog(), tmp_path / name, now=m.NOW)


@pytest.mark.skipif(not FHIR.is_dir(), reason="no folder 'shared' beside the repository")
def test_every_fhir_file_goes_in_without_a_mapping(store: NodeStore) -> None:
    files = sorted(FHIR.rglob("*.json"))
    stored: dict[str, int] = {}
    for path in files:
        report = ingest_file(store, load_catalog(), path, now=m.NOW)
        assert report.by_rule == {}, path.name
        for kind, count in report.records_stored.items():
            stored[kind] = stored.get(kind, 0) + count
    assert len(files) == 9
    assert set(stored) == {"claim", "claim_line", "coverage", "fee_detail", "settlement"}

    before = store.digest()
    for path in files:
        assert ingest_file(store, load_catalog(), path, now=m.NOW).records_stored == {}
    assert store.digest() == before


@pytest.mark.skipif(not FHIR.is_dir(), reason="no folder 'shared' beside the repository")
def test_values_of_a_fhir_benefit_are_those_of_its_file(store: NodeStore) -> None:
    path = FHIR / "explanationofbenefit-example.json"
    ingest_file(store, load_catalog(), path, now=m.NOW)

    (settled,) = m.rows_of(store, "settlement")
    assert (settled["setl_id"], settled["person"], str(settled["settled_at"])) == (
        *("EB3500", "pat1", "2014-08-16 00:00:00"),
    )
    assert (settled["medfee_fen"], settled["fund_fen"]) == (13557, 9600)
    lines = {row["line"]: row for row in m.rows_of(store, "fee_detail")}
    assert lines["1"]["amount_fen"] == 13557
    assert sum(row["amount_fen"] for row in lines.values()) == 33557


@pytest.mark.parametrize(
    "content", ['{"resourceType": "Claim", ', '[{"resourceType": "Claim"}', "{}"]
)
def test_broken_fhir_is_an_error_or_refused(store: NodeStore, tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(content, encoding="utf-8")
    try:
        report = ingest_file(store, load_catalog(), path, now=m.NOW)
    except IntakeFileError as error:
        assert "a.json" in str(error)  # noqa: PT017 - either way is told
    else:
        assert report.quarantined == 1
    assert store.counts().records.get("claim", 0) == 0
