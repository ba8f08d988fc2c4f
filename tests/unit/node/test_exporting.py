"""What was ingested comes out with the same values, in every format."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.errors import ConfigurationError
from node.exporting import FORMATS, Exported, export_kind
from node.store import NodeStore
from scoring_kernel import load_catalog
from tests.support import node_messages as m
from tests.support.exported import by_id, read_back


@pytest.fixture
def store(tmp_path: Path) -> Iterator[NodeStore]:
    with m.open_store(tmp_path / "node") as opened:
        yield opened


def export(
    store: NodeStore, kind: str, path: Path, *, month: int | None = None, personal_for: str = ""
) -> Exported:
    catalog = load_catalog()
    return export_kind(
        store, catalog, kind, path, month=month, personal_for=personal_for, now=m.NOW
    )


@pytest.mark.parametrize("suffix", FORMATS)
def test_values_come_out_as_they_went_in(store: NodeStore, tmp_path: Path, suffix: str) -> None:
    documents = [m.fees(1, lines=3, cnt=0.0001, pric=356000), m.settlement(2), m.discharge(3)]
    m.ingest_documents(store, tmp_path / "in.jsonl", documents)
    store.flush()
    m.ingest_documents(store, tmp_path / "more.jsonl", [m.fees(4, lines=1), m.admission(5)])
    for kind in ("fee_detail", "settlement", "discharge", "admission"):
        path = tmp_path / f"{kind}{suffix}"
        told = export(store, kind, path, personal_for="officer")
        back = read_back(path, store.schemas[kind])
        assert by_id(back) == m.rows_of(store, kind)
        assert told.rows == len(back) > 0
        assert not told.left_out


def test_the_amounts_are_those_of_the_message(store: NodeStore, tmp_path: Path) -> None:
    m.ingest_documents(store, tmp_path / "in.jsonl", [m.settlement(2)])
    export(store, "settlement", tmp_path / "out.jsonl", personal_for="officer")
    (row,) = [json.loads(line) for line in (tmp_path / "out.jsonl").read_bytes().splitlines()]
    assert row["medfee_fen"] == 9560
    assert row["fund_fen"] == 6692
    assert row["settled_at"] == "2026-03-18 09:50:39"
    assert row["person"] == m.PERSON


@pytest.mark.parametrize("suffix", FORMATS)
def test_personal_columns_stay_unless_somebody_answers_for_them(
    store: NodeStore, tmp_path: Path, suffix: str
) -> None:
    m.ingest_documents(store, tmp_path / "in.jsonl", [m.settlement(2)])
    told = export(store, "settlement", tmp_path / f"out{suffix}")
    assert "person" in told.left_out
    assert m.PERSON.encode() not in (tmp_path / f"out{suffix}").read_bytes()
    assert not store.desk.entries()
    export(store, "settlement", tmp_path / f"all{suffix}", personal_for="officer")
    (entry,) = store.desk.entries()
    assert (entry.operator, entry.action, entry.subject) == (
        "officer",
        "export_personal",
        "settlement",
    )


def test_only_the_wanted_month_comes_out(store: NodeStore, tmp_path: Path) -> None:
    other = {"fee_ocur_time": "2026-02-27 08:00:00", "mdtrt_id": "330302G0000000100007"}
    m.ingest_documents(store, tmp_path / "in.jsonl", [m.fees(1, 1), m.fees(2, 1, **other)])
    assert export(store, "fee_detail", tmp_path / "a.csv", month=202602).rows == 1
    assert export(store, "fee_detail", tmp_path / "b.csv", month=202601).rows == 0
    assert export(store, "fee_detail", tmp_path / "c.csv").rows == 2


def test_the_file_is_private_and_new(store: NodeStore, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    export(store, "settlement", path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(ConfigurationError, match="exists; nothing was changed"):
        export(store, "settlement", path)
    with pytest.raises(ConfigurationError, match="no directory"):
        export(store, "settlement", tmp_path / "none" / "out.csv")
    with pytest.raises(ConfigurationError, match=r"ends in \.csv or \.parquet or \.jsonl"):
        export(store, "settlement", tmp_path / "out.xlsx")
    with pytest.raises(ConfigurationError, match=r"expected one of .*settlement"):
        export(store, "drop table", tmp_path / "x.csv")
    with pytest.raises(ConfigurationError, match="month 202613 found, expected yyyymm"):
        export(store, "settlement", tmp_path / "x.csv", month=202613)
    assert [one.name for one in tmp_path.glob("*.tmp")] == []
