"""Knowledge points into a real store: versions by day, reasons, bad files."""

import csv
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import openpyxl
import pytest

from node.errors import ConfigurationError, IntakeFileError
from node.knowledge_import import KnowledgeImported, import_knowledge
from node.store import NodeStore
from node.supervision.knowledge import rows_in_force
from scoring_kernel.rules import load_rules
from scoring_kernel.rules.points import COLUMNS
from tests.support.node_messages import open_store

NOW: Final = datetime(2026, 11, 22, tzinfo=UTC)
DRUG: Final = "XL02BBA326A001010100001"
OTHER: Final = "XL02BBD348A001010100001"
TABLE: Final = "k_drug_gender"
Point = Sequence[str]


def gender(code: str = DRUG, limit: str = "男") -> Point:
    return ("一", "drug", "限定性别对象", code, "阿帕他胺片", limit, "", "")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[NodeStore]:
    with open_store(tmp_path / "node") as opened:
        yield opened


def write(path: Path, points: Sequence[Point], header: Sequence[str] = COLUMNS) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *points])
    return path


def take(store: NodeStore, path: Path, begins_on: str | None = None) -> KnowledgeImported:
    return import_knowledge(
        store, load_rules(), path, begins_on=begins_on, operator="officer", now=NOW
    )


def held(store: NodeStore, day: str) -> list[tuple[object, ...]]:
    """Code and limit of every row that holds on a day."""
    table = load_rules().knowledge[TABLE]
    at = datetime.fromisoformat(day)
    rows = rows_in_force([table], store.supervision)[TABLE]
    found = []
    for code, limit, begins, ends in rows:
        assert isinstance(begins, datetime)
        assert ends is None or isinstance(ends, datetime)
        if begins <= at and (ends is None or at < ends):
            found.append((code, limit))
    return sorted(found)


def test_points_are_bound_and_the_others_told_with_their_reasons(
    store: NodeStore, tmp_path: Path
) -> None:
    path = write(tmp_path / "points.csv", [gender(), gender(limit="不限"), gender(code="")])
    told = take(store, path)
    assert (told.points, told.bound, told.changed) == (3, 1, True)
    (table,) = told.tables
    assert (table.table, table.rules, table.rows) == (TABLE, ("M01",), 1)
    assert sum(told.unbound.values()) == 2
    assert [number for number, _ in told.first_unbound] == [2, 3]


def test_the_first_import_holds_since_the_regulation_and_a_later_one_from_today(
    store: NodeStore, tmp_path: Path
) -> None:
    first = take(store, write(tmp_path / "a.csv", [gender()]))
    second = take(store, write(tmp_path / "b.csv", [gender(), gender(OTHER)]))
    assert [one.tables[0].begins_on for one in (first, second)] == ["2021-05-01", "2026-11-22"]
    assert held(store, "2021-04-30") == []
    assert held(store, "2021-05-01") == [(DRUG, "1")]
    assert held(store, "2026-11-21T23:59:59") == [(DRUG, "1")]
    assert held(store, "2026-11-22") == [(DRUG, "1"), (OTHER, "1")]


def test_the_same_file_again_changes_nothing(store: NodeStore, tmp_path: Path) -> None:
    path = write(tmp_path / "points.csv", [gender()])
    take(store, path)
    before = store.supervision.knowledge_digest()
    assert not take(store, path).changed
    assert not take(store, path, "2025-01-01").changed
    assert len(store.supervision.knowledge_imports()) == 1
    assert store.supervision.knowledge_digest() == before


def test_a_version_between_two_ends_where_the_next_one_begins(
    store: NodeStore, tmp_path: Path
) -> None:
    take(store, write(tmp_path / "a.csv", [gender()]), "2024-01-01")
    take(store, write(tmp_path / "b.csv", [gender(limit="女")]), "2026-01-01")
    take(store, write(tmp_path / "c.csv", [gender(OTHER)]), "2025-01-01")
    days = [held(store, day) for day in ("2024-12-31", "2025-12-31", "2026-01-01")]
    assert days == [[(DRUG, "1")], [(OTHER, "1")], [(DRUG, "2")]]


def test_the_later_import_of_one_day_counts(store: NodeStore, tmp_path: Path) -> None:
    take(store, write(tmp_path / "a.csv", [gender()]), "2025-01-01")
    take(store, write(tmp_path / "b.csv", [gender(OTHER)]), "2025-01-01")
    assert held(store, "2025-06-01") == [(OTHER, "1")]


def test_a_workbook_of_the_same_columns_goes_too(store: NodeStore, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (COLUMNS, gender()):
        sheet.append(list(row))
    book.save(tmp_path / "points.xlsx")
    assert take(store, tmp_path / "points.xlsx").bound == 1


def test_who_imported_what_is_noted(store: NodeStore, tmp_path: Path) -> None:
    take(store, write(tmp_path / "points.csv", [gender()]))
    (entry,) = store.desk.entries(10)
    assert (entry.operator, entry.action, entry.subject) == (
        "officer",
        "knowledge_import",
        "points.csv",
    )


@pytest.mark.parametrize(
    ("content", "wording"),
    [
        (b"", "points.csv"),
        (b"code,name\nX,Y\n", "lacks the columns"),
        (",".join(COLUMNS).encode() + b"\n", "0 points"),
        (",".join(COLUMNS).encode() + b"\na,b\n", "Nothing was imported"),
        (",".join(COLUMNS).encode() + b"\n,,,,,,,\n", "none of which a rule can use"),
        (b"PK\x03\x04 no workbook", "points.csv"),
        (b"\xff\xfe\x00\xd8" * 50, "points.csv"),
    ],
    ids=["empty", "other columns", "no rows", "short row", "blank row", "zip", "bytes"],
)
def test_a_file_that_is_none_is_refused_whole(
    store: NodeStore, tmp_path: Path, content: bytes, wording: str
) -> None:
    path = tmp_path / "points.csv"
    path.write_bytes(content)
    with pytest.raises(IntakeFileError, match=wording):
        take(store, path)
    assert store.supervision.knowledge_imports() == ()


def test_a_file_that_is_not_there_and_a_day_that_is_none_are_refused(
    store: NodeStore, tmp_path: Path
) -> None:
    with pytest.raises(IntakeFileError, match="cannot be read"):
        take(store, tmp_path / "absent.csv")
    os.mkfifo(tmp_path / "pipe.csv")
    for name in ("pipe.csv", "."):
        with pytest.raises(IntakeFileError, match="is no file; name a CSV file"):
            take(store, tmp_path / name)
    path = write(tmp_path / "points.csv", [gender()])
    with pytest.raises(ConfigurationError, match="is no day"):
        take(store, path, "2025-13-01")
    with pytest.raises(ConfigurationError, match="--operator"):
        import_knowledge(store, load_rules(), path, begins_on=None, operator="", now=NOW)


def test_a_file_named_like_a_table_holds_its_rows(store: NodeStore, tmp_path: Path) -> None:
    header = ("code", "generic", "drug_class", "no_combine")
    rows = [(DRUG, "G1", "C07AB", "true"), (DRUG, "G1", "C07AB", "true")]
    told = take(store, write(tmp_path / "k_atc.csv", rows, header))
    (table,) = told.tables
    assert (table.table, table.points, table.rows, told.unbound) == ("k_atc", 2, 1, {})
    table_of = load_rules().knowledge["k_atc"]
    kept = [row for row in rows_in_force([table_of], store.supervision)["k_atc"] if row[-1] is None]
    assert [row[:4] for row in kept] == [(DRUG, "G1", "C07AB", True)]
    assert not take(store, tmp_path / "k_atc.csv").changed


@pytest.mark.parametrize(
    ("header", "row", "told"),
    [
        (("code", "generic"), (DRUG, "G"), "lacks the columns"),
        (("code", "icd_prefix", "begins_at"), (DRUG, "C50", "2026-01-01"), "begins_at"),
        (("code", "icd_prefix"), (DRUG, ""), "is empty"),
        (("code", "icd_prefix"), (DRUG, "C" * 300), "expected a text of at most 200"),
    ],
)
def test_rows_of_a_table_that_cannot_be_read_are_refused_whole(
    store: NodeStore, tmp_path: Path, header: Sequence[str], row: Point, told: str
) -> None:
    path = write(tmp_path / "k_drug_indication.csv", [(DRUG, "C50"), row], header)
    with pytest.raises(IntakeFileError, match=told):
        take(store, path)
    assert store.supervision.knowledge_imports() == ()
