"""Codes of a province are imported once and are in force for the next batch."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.codes import CurrentCatalog, extended, import_codes
from node.errors import ConfigurationError, IntakeFileError
from node.intake import ingest_file
from node.store import NodeStore
from scoring_kernel import load_catalog
from tests.support import node_messages as m

CATALOG = load_catalog()


@pytest.fixture
def answer(tmp_path: Path) -> Path:
    """An answer of 1901 that adds a kind of insurance and repeats a national one."""
    rows = [
        {"type": "INSUTYPE", "value": "999", "label": "长期护理保险", "vali_flag": "1"},
        {"type": "INSUTYPE", "value": "310", "label": "职工医保", "vali_flag": "1"},
        {"type": "MED_TYPE", "value": "9990", "label": "互联网复诊", "vali_flag": "1"},
    ]
    path = tmp_path / "1901.json"
    path.write_text(json.dumps({"infcode": 0, "output": {"list": rows}}), encoding="utf-8")
    return path


def take(store: NodeStore, path: Path) -> int:
    """Ingest a settlement of the new kind; returns how many lines were refused."""
    m.write_lines(path, [m.settlement(1, request={"insutype": "999"})])
    return ingest_file(store, extended(store, CATALOG), path, now=m.NOW).quarantined


@pytest.fixture
def store(tmp_path: Path) -> Iterator[NodeStore]:
    with m.open_store(tmp_path / "node") as opened:
        yield opened


def test_an_imported_code_is_accepted_from_then_on(
    store: NodeStore, tmp_path: Path, answer: Path
) -> None:
    assert extended(store, CATALOG) is CATALOG
    assert take(store, tmp_path / "in.jsonl") == 1
    imported = import_codes(store, CATALOG, answer, operator="officer", now=m.NOW)
    assert imported.added == {"insutype": 1, "med_type": 1}
    assert imported.national == 1
    assert imported.closed_lists == ("insutype",)
    assert take(store, tmp_path / "in.jsonl") == 0
    assert store.quarantine_count() == 0
    assert extended(store, CATALOG).digest == CATALOG.digest
    (entry,) = store.desk.entries()
    assert (entry.operator, entry.action, entry.subject, entry.detail) == (
        *("officer", "codes_import", "1901.json"),
        "insutype 1, med_type 1",
    )


def test_the_same_file_again_changes_nothing(store: NodeStore, answer: Path) -> None:
    for _ in range(2):
        import_codes(store, CATALOG, answer, operator="officer", now=m.NOW)
    assert [(one.list, one.code, one.label) for one in store.desk.codes()] == [
        ("insutype", "999", "长期护理保险"),
        ("med_type", "9990", "互联网复诊"),
    ]


def test_a_running_intake_sees_codes_after_an_import(store: NodeStore, answer: Path) -> None:
    current = CurrentCatalog(store, CATALOG)
    assert current.get() is CATALOG
    import_codes(store, CATALOG, answer, operator="officer", now=m.NOW)
    first = current.get()
    assert "999" in first.code_lists["insutype"]
    assert current.get() is first


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[1]", b"type,value\nmed_type\n", b"type,value\nmed_type,a b\n", b"\xff\xfe\x00"],
)
def test_a_bad_file_adds_nothing(store: NodeStore, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "codes.csv"
    path.write_bytes(content)
    with pytest.raises(IntakeFileError, match="nothing was imported"):
        import_codes(store, CATALOG, path, operator="officer", now=m.NOW)
    with pytest.raises(IntakeFileError, match="cannot be read"):
        import_codes(store, CATALOG, tmp_path, operator="officer", now=m.NOW)
    with pytest.raises(ConfigurationError, match="--operator"):
        import_codes(store, CATALOG, path, operator="", now=m.NOW)
    assert not store.desk.codes()
    assert not store.desk.entries()
