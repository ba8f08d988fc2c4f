"""Diagnoses and operations beside visits, admissions, discharges and settlement lists."""

from pathlib import Path
from typing import Any

import pytest

from node.domain.faults import Rule
from node.store import NodeStore
from tests.support import node_messages as m

VISIT = "330302G0000000100001"
STAY = "330302G0000000100002"


def diagnosis(code: str, **changes: object) -> m.Document:
    return {"diag_type": "1", "diag_srt_no": 1, "diag_code": code, **changes}


def visit(number: int, *rows: m.Document, infno: str = "2203", **changes: object) -> m.Document:
    """A visit (2203) with diagnoses."""
    info = {
        "mdtrt_id": VISIT,
        "psn_no": m.PERSON,
        "med_type": "11",
        "begntime": "2026-03-18 09:10:00",
        **changes,
    }
    body = {"mdtrtinfo": info, "diseinfo": list(rows)}
    return m.answered(m.envelope(infno, number, body), {})


def with_rows(document: m.Document, **nodes: object) -> m.Document:
    document["request"]["input"].update(nodes)
    return document


def found(store: NodeStore, kind: str, *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in m.rows_of(store, kind)]


@pytest.mark.parametrize("infno", ["2203", "2203A"])
def test_diagnoses_of_a_visit_are_records(store: NodeStore, tmp_path: Path, infno: str) -> None:
    rows = [
        diagnosis("I10.x00", diag_time="2026-03-18 09:20:00"),
        diagnosis("J06.900", diag_srt_no=2, diag_time=""),
        diagnosis("A00.000", vali_flag="0"),
        diagnosis(""),
    ]

    report = m.ingest_documents(store, tmp_path / "a.jsonl", [visit(1, *rows, infno=infno)])

    assert (report.quarantined, report.records_stored) == (0, {"diagnosis": 2})
    first, second = m.rows_of(store, "diagnosis")
    assert first["record_id"] == f"{m.HOSPITAL}202603180950390001#{infno}.diagnosis.1"
    assert (first["mdtrt_id"], first["person"], first["month"]) == (VISIT, m.PERSON, 202603)
    assert (first["code"], first["main"], first["type"], first["what"]) == (
        *("I10.x00", True, "1", "visit"),
    )
    assert str(first["at"]) == "2026-03-18 09:20:00"
    assert (second["main"], str(second["at"])) == (False, "2026-03-18 09:10:00")


def test_a_code_that_stands_twice_is_one_diagnosis(store: NodeStore, tmp_path: Path) -> None:
    rows = [
        diagnosis("I63.900", maindiag_flag="0", diag_type="2"),
        diagnosis("I10.x00", maindiag_flag="0"),
        diagnosis("I63.900", maindiag_flag="1"),
    ]

    m.ingest_documents(store, tmp_path / "a.jsonl", [visit(1, *rows, infno="2203A")])

    assert found(store, "diagnosis", "code", "main", "type") == [
        ("I63.900", True, "2"),
        ("I10.x00", False, "1"),
    ]


def test_a_visit_sent_again_changes_its_diagnoses(store: NodeStore, tmp_path: Path) -> None:
    first = visit(1, diagnosis("I10.x00"))
    again = visit(2, diagnosis("I10.x00"), diagnosis("J06.900", diag_srt_no=2))
    corrected = visit(3, diagnosis("I10.x00", diag_srt_no=2), diagnosis("J06.900"))

    for number, document in enumerate((first, again, corrected)):
        m.ingest_documents(store, tmp_path / f"{number}.jsonl", [document])

    assert found(store, "diagnosis", "code", "main") == [("I10.x00", False), ("J06.900", True)]


@pytest.mark.parametrize("told", ["1999-12-31 23:59:59", "2026-09-01 00:00:00", None])
def test_a_moment_that_cannot_be_is_the_visits(
    store: NodeStore, tmp_path: Path, told: str | None
) -> None:
    document = visit(1, diagnosis("I10.x00", diag_time=told), begntime="")

    assert m.ingest_documents(store, tmp_path / "a.jsonl", [document]).quarantined == 0
    assert [str(one) for (one,) in found(store, "diagnosis", "at")] == ["2026-03-18 09:50:39"]


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"mdtrt_id": ""}, Rule.FIELD_MISSING),
        ({"begntime": "2026-09-01 00:00:00"}, Rule.DATE_FUTURE),
        ({"begntime": "1999-01-01 00:00:00"}, Rule.DATE_TOO_EARLY),
    ],
)
def test_a_faulty_visit_is_refused(
    store: NodeStore, tmp_path: Path, changes: dict[str, Any], rule: Rule
) -> None:
    faulty = visit(1, diagnosis("I10.x00"), **changes)

    report = m.ingest_documents(store, tmp_path / "a.jsonl", [faulty, visit(2, diagnosis("X"))])

    assert report.by_rule == {rule: 1}
    assert found(store, "diagnosis", "code") == [("X",)]


def test_stays_bring_diagnoses_and_operations(store: NodeStore, tmp_path: Path) -> None:
    admitted = with_rows(
        m.admission(1, oprn_oprt_code="planned"),
        diseinfo=[diagnosis("I63.900", maindiag_flag="1", diag_time="2026-03-20 11:00:00")],
    )
    left = m.discharge(2, oprn_oprt_code="39.7200")

    report = m.ingest_documents(store, tmp_path / "a.jsonl", [admitted, left])

    assert report.records_stored == {
        "admission": 1,
        "diagnosis": 3,
        "discharge": 1,
        "operation": 1,
    }
    assert found(store, "diagnosis", "mdtrt_id", "person", "what", "code", "main") == [
        (STAY, m.PERSON, "admission", "I63.900", True),
        (STAY, m.PERSON, "discharge", "I10.x00x002", False),
        (STAY, m.PERSON, "discharge", "I63.900", True),
    ]
    names = ("what", "mdtrt_id", "setl_id", "line", "code", "main", "at", "month")
    assert found(store, "operation", *names) == [
        ("discharge", STAY, None, "1", "39.7200", None, None, 202603),
    ]


@pytest.mark.parametrize(
    ("infno", "moment"), [("4101", "oprn_oprt_date"), ("4101A", "oprn_oprt_begntime")]
)
def test_a_settlement_list_brings_diagnoses_and_operations(
    store: NodeStore, tmp_path: Path, infno: str, moment: str
) -> None:
    document = m.settlement_list(1)
    document["infno"] = document["request"]["infno"] = infno
    operations = [
        {"oprn_oprt_type": "1", "oprn_oprt_code": "39.7200", "oper_dr_code": "D1"},
        {"oprn_oprt_type": "2", "oprn_oprt_code": "88.4101", moment: "2026-03-22"},
        {"oprn_oprt_type": "x", "oprn_oprt_code": "88.4101", moment: "2026-09-22"},
        {"oprn_oprt_code": ""},
    ]
    diagnoses = [diagnosis("I63.900", maindiag_flag="1"), diagnosis("I10.x00", maindiag_flag="0")]

    report = m.ingest_documents(
        store,
        tmp_path / "a.jsonl",
        [with_rows(document, diseinfo=diagnoses, oprninfo=operations)],
    )

    kinds = {"diagnosis": 2, "operation": 3, "settlement_list": 1}
    assert report.records_stored.items() >= kinds.items()
    assert found(store, "diagnosis", "mdtrt_id", "person", "what", "code", "main") == [
        (STAY, m.PERSON, "list", "I63.900", True),
        (STAY, m.PERSON, "list", "I10.x00", False),
    ]
    assert {str(at) for (at,) in found(store, "diagnosis", "at")} == {"2026-03-28 09:00:00"}
    rows = m.rows_of(store, "operation")
    assert [(row["line"], row["main"], row["surgeon"]) for row in rows] == [
        ("1", True, "D1"),
        ("2", False, None),
        ("3", None, None),
    ]
    assert [str(row["at"]) for row in rows] == ["None", "2026-03-22 00:00:00", "None"]
    assert {row["setl_id"] for row in rows} == {"330302G0000000200002"}


@pytest.mark.parametrize("told", ["soon", "2026-03-22T08:00:00+08:00", "2026-13-01"])
def test_a_beginning_that_is_no_moment_is_none(store: NodeStore, tmp_path: Path, told: str) -> None:
    document = m.settlement_list(1)
    document["infno"] = document["request"]["infno"] = "4101A"
    operation = {"oprn_oprt_code": "39.7200", "oprn_oprt_begntime": told}

    report = m.ingest_documents(
        store, tmp_path / "a.jsonl", [with_rows(document, oprninfo=[operation])]
    )

    assert report.quarantined == 0
    assert found(store, "operation", "at") == [(None,)]


@pytest.mark.parametrize("rows", [None, [], {}])
def test_records_stand_without_rows_beside_them(
    store: NodeStore, tmp_path: Path, rows: object
) -> None:
    documents = [
        with_rows(m.settlement_list(1), diseinfo=rows, oprninfo=rows),
        with_rows(visit(2), diseinfo=rows),
    ]

    report = m.ingest_documents(store, tmp_path / "a.jsonl", documents)

    assert (report.quarantined, report.records_stored) == (0, {"settlement_list": 1})


def test_nothing_counts_before_the_platform_answers(store: NodeStore, tmp_path: Path) -> None:
    document = visit(1, diagnosis("I10.x00"))
    response = document.pop("response")

    waiting = m.ingest_documents(store, tmp_path / "a.jsonl", [document])
    assert (waiting.pending, waiting.records_stored) == (1, {})

    done = m.ingest_documents(store, tmp_path / "b.jsonl", [{**document, "response": response}])
    assert done.records_stored == {"diagnosis": 1}
