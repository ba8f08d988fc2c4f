"""The file for the vendor: every refused line, nothing a spreadsheet would calculate."""

import csv
import json
from pathlib import Path

import pytest

from node.errors import ConfigurationError
from node.quarantine.listing import COLUMNS, export_rows
from node.store import Commit, NodeStore, QuarantineFilter, QuarantineRow
from tests.support import node_messages as m
from tests.support.desk import OPERATOR, desk_of

ALL = QuarantineFilter()


def refuse(store: NodeStore, count: int, source: str = "a.jsonl") -> None:
    rows = [
        QuarantineRow(
            digest=number.to_bytes(32, "big"),
            source=source,
            line=number,
            msgid="",
            infno="2207" if number % 2 else "2204",
            rule="code_unknown",
            field="request.data.x",
            value="=1+1",
            reason="@found",
            mend="-mend",
            seen_at="2026-07-15T04:00:00+00:00",
            body=b"\xff{}" if number else None,
        )
        for number in range(count)
    ]
    store.commit(Commit(quarantine=rows))


def test_more_rows_than_a_page_come_out_once_each(store: NodeStore, tmp_path: Path) -> None:
    refuse(store, 2_500)
    told: list[int] = []
    path = tmp_path / "out.csv"
    count = export_rows(
        desk_of(store), store, path, ALL, progress=lambda *step: told.append(step[1])
    )
    rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))
    assert count == len(rows) == len({row["id"] + row["line"] for row in rows}) == 2_500
    assert tuple(rows[0]) == COLUMNS
    assert told == [1_000, 2_000]


def test_a_spreadsheet_calculates_nothing(store: NodeStore, tmp_path: Path) -> None:
    refuse(store, 1, source="+cmd.jsonl")
    export_rows(desk_of(store), store, tmp_path / "out.csv", ALL)
    (row,) = csv.DictReader((tmp_path / "out.csv").read_text(encoding="utf-8-sig").splitlines())
    assert (row["source"], row["value"], row["reason"], row["mend"]) == (
        *("'+cmd.jsonl", "'=1+1"),
        *("'@found", "'-mend"),
    )


def test_only_what_is_wanted_and_only_revealed_bodies(store: NodeStore, tmp_path: Path) -> None:
    refuse(store, 4)
    path = tmp_path / "out.jsonl"
    wanted = QuarantineFilter(infno="2204")
    assert export_rows(desk_of(store), store, path, wanted, revealed_to=OPERATOR) == 2
    rows = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert [(row["line"], row["body"]) for row in rows] == [(0, ""), (2, "\\xff{}")]
    (entry,) = store.desk.entries()
    assert (entry.action, entry.detail) == ("quarantine_reveal_file", "out.jsonl")
    export_rows(desk_of(store), store, tmp_path / "masked.jsonl", wanted)
    assert "body" not in json.loads((tmp_path / "masked.jsonl").read_bytes().splitlines()[0])


def test_a_file_that_cannot_be_made_is_told_before_anything_is_noted(
    store: NodeStore, tmp_path: Path
) -> None:
    m.ingest_documents(store, tmp_path / "in.jsonl", [m.settlement(1)])
    for name in ("in.jsonl", "none/out.csv", "out.xlsx"):
        with pytest.raises(ConfigurationError):
            export_rows(desk_of(store), store, tmp_path / name, ALL, revealed_to=OPERATOR)
    assert not store.desk.entries()
