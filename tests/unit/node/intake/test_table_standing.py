"""Rows of tables that come again: seen already, or new versions; nothing is hidden."""

from pathlib import Path

from node.domain.faults import Rule
from node.domain.row_context import RowContext
from node.store import NodeStore
from tests.support import node_messages as m
from tests.support.node_csv import HEADER, MAPPING, csv_mapping, ingest_csv, write_csv


def test_the_same_file_again_changes_nothing(store: NodeStore, tmp_path: Path) -> None:
    path = write_csv(
        tmp_path / "a.csv",
        "C1,PRV1,B1,2026-01-01,2026-01-02,I,1,1",
        "C1,PRV1,B1,2026-01-01,2026-01-02,I,1,1",
        "C2,PRV1,B1,2026-01-01,2026-01-02,I,-1,1",
    )
    first = ingest_csv(store, path)
    before = (store.counts(), store.quarantine_rows(), store.institutions())

    again = ingest_csv(store, path)

    assert (first.already_seen, again.already_seen) == (1, 2)
    assert (again.records_stored, again.quarantined) == ({}, 1)
    assert (store.counts(), store.quarantine_rows(), store.institutions()) == before


def test_a_known_key_with_other_values_is_a_new_version(store: NodeStore, tmp_path: Path) -> None:
    ingest_csv(store, write_csv(tmp_path / "a.csv", "C1,PRV1,B1,2026-01-01,2026-01-02,I,1,1"))
    path = write_csv(
        tmp_path / "b.csv",
        "C1,PRV1,B1,2026-01-01,2026-01-02,I,2,1",
        "C2,PRV1,B1,2026-01-01,2026-01-02,I,1,1",
        "C2,PRV1,B1,2026-01-01,2026-01-02,I,3,1",
    )

    report = ingest_csv(store, path)

    assert report.by_rule == {}
    rows = m.rows_of(store, "settlement")
    assert {row["setl_id"]: row["fund_fen"] for row in rows} == {"C1": 200, "C2": 300}
    assert len(rows) == 2


def test_the_same_file_through_another_mapping_gives_its_new_values(
    store: NodeStore, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "a.csv", "C1,PRV1,B1,2026-01-01,2026-01-02,I,1,5")
    ingest_csv(store, path)

    other = csv_mapping(**{"fund_fen: {column: fund": "fund_fen: {column: own"})
    report = ingest_csv(store, path, other)

    assert (report.already_seen, report.records_stored) == (0, {"settlement": 1})
    assert [row["fund_fen"] for row in m.rows_of(store, "settlement")] == [500]
    again = ingest_csv(store, path, csv_mapping(**{"\nformat": "\n# the same\nformat"}))
    assert again.records_stored == {"settlement": 1}
    assert ingest_csv(store, path).already_seen == 1


def test_a_row_that_goes_in_later_leaves_quarantine(store: NodeStore, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", "C1,PRV1,B1,2026-01-01,2026-01-02,I,-1,0")
    assert ingest_csv(store, path).quarantined == 1

    report = ingest_csv(
        store, path, csv_mapping(**{"fund_fen: {column: fund": "fund_fen: {column: own"})
    )

    assert report.by_rule == {Rule.NUMBER_NEGATIVE: 1}  # medfee_fen adds the fund up still.
    (row,) = store.quarantine_rows()
    assert (row.form, row.line) == ("row", 2)
    whole = csv_mapping(
        **{"fund_fen: {column: fund": "fund_fen: {column: own", "sum: [fund, own]": "column: own"}
    )
    assert ingest_csv(store, path, whole).quarantined == 0
    assert store.quarantine_count() == 0


def test_a_refused_row_is_kept_with_what_it_was_read_with(store: NodeStore, tmp_path: Path) -> None:
    line = "C1,PRV1,B1,2026-01-01,2026-01-02,I,x,0"
    ingest_csv(store, write_csv(tmp_path / "a.csv", line))

    (row,) = store.quarantine_rows()
    kept = store.desk.context(row.context)
    assert kept is not None
    context = RowContext.from_bytes(kept)
    assert store.desk.body(row.digest) == line.encode()
    assert (context.header, context.form) == (tuple(HEADER.strip().split(",")), "line")
    assert context.mapping == MAPPING
