"""CSV rows that come again: seen already, or in conflict; nothing is hidden."""

from pathlib import Path

import pytest

from node.domain.faults import Rule
from node.store import NodeStore
from tests.support import node_messages as m
from tests.support.node_csv import csv_mapping, ingest_csv, write_csv


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


def test_a_known_id_with_another_line_is_a_conflict(store: NodeStore, tmp_path: Path) -> None:
    ingest_csv(store, write_csv(tmp_path / "a.csv", "C1,PRV1,B1,2026-01-01,2026-01-02,I,1,1"))
    path = write_csv(
        tmp_path / "b.csv",
        "C1,PRV1,B1,2026-01-01,2026-01-02,I,2,1",
        "C2,PRV1,B1,2026-01-01,2026-01-02,I,1,1",
        "C2,PRV1,B1,2026-01-01,2026-01-02,I,2,1",
    )

    report = ingest_csv(store, path)

    assert report.by_rule == {Rule.MSGID_CONFLICT: 2}
    assert [row.line for row in store.quarantine_rows()] == [2, 4]


def test_the_same_file_through_another_mapping_is_a_conflict(
    store: NodeStore, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "a.csv", "C1,PRV1,B1,2026-01-01,2026-01-02,I,1,1")
    ingest_csv(store, path)
    before = m.rows_of(store, "settlement")

    report = ingest_csv(
        store, path, csv_mapping(**{"fund_fen: {column: fund": "fund_fen: {column: own"})
    )

    assert (report.already_seen, report.by_rule) == (0, {Rule.MSGID_CONFLICT: 1})
    (row,) = store.quarantine_rows()
    assert row.reason == "id is test-set:C1, expected the mapping this id came with before"
    assert row.mend.startswith("the rows were stored with another mapping")
    assert m.rows_of(store, "settlement") == before
    again = ingest_csv(store, path, csv_mapping(**{"\nformat": "\n# the same\nformat"}))
    assert (again.already_seen, store.quarantine_count()) == (1, 0)


@pytest.mark.parametrize("amount", ["-1", "1"])
def test_a_repeat_does_not_hide_a_refused_line(
    store: NodeStore, tmp_path: Path, amount: str
) -> None:
    path = write_csv(tmp_path / "a.csv", *[f"C1,PRV1,B1,2026-01-01,2026-01-02,I,{amount},0"] * 2)
    ingest_csv(store, path)

    ingest_csv(store, path, csv_mapping(**{"fund_fen: {column: fund": "fund_fen: {column: own"}))
    report = ingest_csv(store, path, csv_mapping(**{'constant: "390"': 'constant: "310"'}))

    assert report.quarantined >= 1
    assert store.quarantine_count() == 1
