"""A refused row of a mapped file is found, shown masked, mended and replayed alone."""

from pathlib import Path

import pytest

from node.domain.institutions import Institution
from node.errors import ConfigurationError
from node.quarantine.desk import short_id
from node.store import NodeStore, QuarantineFilter
from tests.support import node_messages as m
from tests.support.desk import OPERATOR, desk_of, only_row
from tests.support.node_csv import csv_mapping, ingest_csv, write_csv

GOOD = ("1,A,p1,2009-04-12,2009-04-18,I,10,1.5", "3,A,p3,2009-04-13,2009-04-19,I,30,3")
BAD = "2,A,p2,2009-04-12,2009-13-18,I,20,2.5"


def refuse_one(store: NodeStore, path: Path, bad: str = BAD) -> str:
    ingest_csv(store, write_csv(path, GOOD[0], bad, GOOD[1]))
    return short_id(only_row(store))


def test_a_mended_row_goes_in_without_touching_its_neighbours(
    store: NodeStore, tmp_path: Path
) -> None:
    name = refuse_one(store, tmp_path / "in.csv")
    neighbours = m.rows_of(store, "settlement")
    mended = desk_of(store).fix(name, OPERATOR, changes=["end=2009-04-18"])
    assert mended.outcome.standing == "stored"
    assert store.quarantine_count() == 0
    rows = m.rows_of(store, "settlement")
    assert [row for row in rows if row in neighbours] == neighbours
    (new,) = [row for row in rows if row not in neighbours]
    assert (new["medfee_fen"], new["fund_fen"], new["setl_id"]) == (2250, 2000, "2")
    assert len(m.rows_of(store, "admission")) == 3


def test_the_file_again_makes_no_row_of_what_was_mended(store: NodeStore, tmp_path: Path) -> None:
    name = refuse_one(store, tmp_path / "in.csv")
    desk_of(store).fix(name, OPERATOR, changes=["end=2009-04-18"])
    report = ingest_csv(store, tmp_path / "in.csv")
    assert (report.already_seen, report.quarantined) == (3, 0)
    assert store.quarantine_count() == 0
    assert len(m.rows_of(store, "settlement")) == 3


def test_the_picture_shows_every_column_masked(store: NodeStore, tmp_path: Path) -> None:
    name = refuse_one(store, tmp_path / "in.csv", BAD.replace("p2", "330302195803121016"))
    picture = desk_of(store).show(name)
    shown = {row.place: (row.value, row.faulty) for row in picture.outline}
    assert shown["end"] == ("2009-13-18", True)
    assert shown["person"] == ("33**************** (18 characters)", False)
    assert [row.place for row in picture.outline] == [
        *("id", "hospital", "person", "start", "end", "kind", "fund", "own")
    ]


def test_a_row_refused_again_stays_as_it_was(store: NodeStore, tmp_path: Path) -> None:
    name = refuse_one(store, tmp_path / "in.csv")
    before = only_row(store)
    mended = desk_of(store).fix(name, OPERATOR, changes=["end=2009-04-18", "fund=much"])
    assert not mended.outcome.went_in
    assert "fund" in mended.outcome.reason
    assert only_row(store) == before
    assert len(m.rows_of(store, "settlement")) == 2


@pytest.mark.parametrize(
    ("bad", "rule"), [("2,A,p2", "csv_line"), ('2,"A,p2,2009-04-12,2009-04-18,I,1,2', "csv_line")]
)
def test_a_row_that_cannot_be_cut_is_mended_whole(
    store: NodeStore, tmp_path: Path, bad: str, rule: str
) -> None:
    name = refuse_one(store, tmp_path / "in.csv", bad)
    assert only_row(store).rule == rule
    desk = desk_of(store)
    with pytest.raises(ConfigurationError, match="give it whole with --file"):
        desk.fix(name, OPERATOR, changes=["end=2009-04-18"])
    still = desk.fix(name, OPERATOR, whole=bad.encode())
    assert not still.outcome.went_in
    assert only_row(store).rule == rule
    mended = desk.fix(name, OPERATOR, whole=BAD.replace("-13-", "-04-").encode())
    assert mended.outcome.went_in
    assert store.quarantine_count() == 0


def test_rows_replay_when_the_custody_has_come(store: NodeStore, tmp_path: Path) -> None:
    mapping = csv_mapping(**{"foreign: true": "foreign: false"})
    lines = [line.replace(",A,", ",H33030200099,") for line in (*GOOD, BAD)]
    ingest_csv(store, write_csv(tmp_path / "in.csv", *lines), mapping)
    assert store.quarantine_count() == 3
    store.set_institutions([Institution(code="H33030200099")])
    report = desk_of(store).replay((), QuarantineFilter(rule="institution_unknown"))
    assert dict(report.standings) == {"stored": 2}
    assert dict(report.still) == {"date_invalid": 1}
    assert only_row(store).rule == "date_invalid"
    assert len(m.rows_of(store, "settlement")) == 2
