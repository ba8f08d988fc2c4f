"""Every kind of bad input becomes one quarantine row; the rest of the file goes in."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from node.domain.faults import MENDS, Rule
from node.errors import IntakeFileError
from node.store import NodeStore
from tests.support import node_messages as m

CASES: list[dict[str, Any]] = yaml.safe_load(
    (Path(__file__).resolve().parents[3] / "cases" / "node_bad_messages.yaml").read_text("utf-8")
)
MESSAGES: dict[str, Callable[[int], m.Document]] = {
    "fees": m.fees,
    "settlement": m.settlement,
    "settlement_list": m.settlement_list,
    "discharge": m.discharge,
    "line_withdrawal": m.withdrawal,
    "batch_withdrawal": partial(m.withdrawal, infno="2205"),
}


def _put(document: Any, path: str, value: object) -> None:  # noqa: ANN401 - walks decoded JSON
    *steps, last = path.split(".")
    for step in steps:
        document = document[int(step) if step.isdigit() else step]
    document[last] = value


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_a_faulty_message_is_refused_and_the_rest_goes_in(
    store: NodeStore, tmp_path: Path, case: dict[str, Any]
) -> None:
    build = MESSAGES[case["message"]]
    faulty = build(2)
    _put(faulty, case["path"], case["value"])

    report = m.ingest_documents(store, tmp_path / "a.jsonl", [m.fees(1), faulty, build(3)])

    (row,) = store.quarantine_rows()
    assert (row.rule, row.field, row.line) == (case["rule"], case["field"], 2)
    assert row.source == "a.jsonl"
    assert row.mend == MENDS[Rule(case["rule"])]
    assert report.by_rule == {case["rule"]: 1}
    assert store.counts().messages == 2


def test_a_list_without_any_day_is_refused(store: NodeStore, tmp_path: Path) -> None:
    document = m.settlement_list(1, dscg_time="", setl_end_date=None)

    report = m.ingest_documents(store, tmp_path / "a.jsonl", [document])

    assert report.by_rule == {Rule.FIELD_MISSING: 1}
    assert store.quarantine_rows()[0].field == "request.setlinfo.setl_end_date"


@pytest.mark.parametrize("blank", [" ", "\t", "\u3000", " " * 10, " " * 19])
@pytest.mark.parametrize(
    ("build", "node", "field"),
    [
        (m.settlement, "data", "mdtrt_id"),
        (m.settlement, "data", "medfee_sumamt"),
        (m.discharge, "dscginfo", "endtime"),
        (m.discharge, "dscginfo", "dscg_way"),
    ],
)
def test_a_required_field_of_blanks_is_missing(
    store: NodeStore,
    tmp_path: Path,
    *,
    build: Callable[[int], m.Document],
    node: str,
    field: str,
    blank: str,
) -> None:
    document = build(1)
    document["request"]["input"][node][field] = blank

    report = m.ingest_documents(store, tmp_path / "a.jsonl", [document, build(2)])

    assert report.by_rule == {Rule.FIELD_MISSING: 1}
    assert store.quarantine_rows()[0].field == f"request.{node}.{field}"


def test_an_optional_field_of_blanks_is_left_out(store: NodeStore, tmp_path: Path) -> None:
    documents = [m.admission(1, atddr_no="  ", insutype=" "), m.settlement(2)]
    documents[1]["response"]["output"]["setlinfo"].update(acct_pay=" ", setl_time=" ")

    report = m.ingest_documents(store, tmp_path / "a.jsonl", documents)

    assert report.quarantined == 0
    assert m.rows_of(store, "admission")[0]["doctor"] is None
    (row,) = m.rows_of(store, "settlement")
    assert (row["account_fen"], str(row["settled_at"])) == (0, "2026-03-18 09:50:39")


@pytest.mark.parametrize("others", [0, 1])
def test_rows_of_different_systems_are_read_alike(
    store: NodeStore, tmp_path: Path, others: int
) -> None:
    document = m.fees(1, lines=2)
    first, second = document["request"]["input"]["feedetail"]
    first.update(extra_one="1")
    second.update(extra_two="1")
    del second["bilg_dept_codg"]
    second.update(memo="x")
    shorter = m.fees(2, lines=1, mdtrt_id="V2")
    del shorter["request"]["input"]["feedetail"][0]["bilg_dr_codg"]

    report = m.ingest_documents(store, tmp_path / "a.jsonl", [document, shorter][: 1 + others])

    assert report.quarantined == 0
    rows = m.rows_of(store, "fee_detail")
    assert [row["department"] for row in rows] == ["A03", None, "A03"][: 2 + others]
    assert [row["doctor"] for row in rows][2:] == [None] * others


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (b'{"infno": "2204", "request": {"infno"', Rule.JSON_BROKEN),
        (b"\xff\xfe\x00 no text", Rule.UTF8_INVALID),
        ('{"infno": "张"'.encode("gb18030"), Rule.JSON_BROKEN),
        ('{"infno": "张三"}'.encode()[:-3] + b'"}', Rule.UTF8_INVALID),
        (b"[1, 2]", Rule.MESSAGE_SHAPE),
        (b"null", Rule.MESSAGE_SHAPE),
        (b'{"request": 5}', Rule.MESSAGE_SHAPE),
        (b"[" * 100_000, Rule.JSON_BROKEN),
    ],
)
def test_an_unreadable_line_is_refused_and_the_rest_goes_in(
    store: NodeStore, tmp_path: Path, body: bytes, rule: Rule
) -> None:
    first = m.write_lines(tmp_path / "1.jsonl", [m.fees(1)]).read_bytes()
    last = m.write_lines(tmp_path / "2.jsonl", [m.fees(2)]).read_bytes()
    path = tmp_path / "a.jsonl"
    path.write_bytes(first + body + b"\n\n" + last)

    report = m.ingest(store, path)

    assert report.by_rule == {rule: 1}
    assert [row.line for row in store.quarantine_rows()] == [2]
    assert store.counts().messages == 2


def test_a_day_outside_the_period_is_refused(store: NodeStore, tmp_path: Path) -> None:
    path = m.write_lines(tmp_path / "a.jsonl", [m.fees(1), m.settlement(2), m.admission(3)])

    report = m.ingest(store, path, expected_months=frozenset({202507, 202508}))

    assert report.by_rule == {Rule.DATE_OUTSIDE_PERIOD: 3}
    assert "expected a day of 202507 to 202508" in store.quarantine_rows()[0].reason


def test_an_unknown_institution_is_refused(store: NodeStore, tmp_path: Path) -> None:
    document = m.fees(1)
    document["request"]["fixmedins_code"] = "H33030200042"
    document["request"]["msgid"] = "H33030200042202603180950390001"

    report = m.ingest_documents(store, tmp_path / "a.jsonl", [document])

    assert report.by_rule == {Rule.INSTITUTION_UNKNOWN: 1}
    assert "H33030200042" in store.quarantine_rows()[0].reason


def test_a_personal_value_is_masked_wherever_it_is_shown(store: NodeStore, tmp_path: Path) -> None:
    wrong = "990001195803121017"
    document = m.settlement(1, request={"mdtrt_cert_no": wrong})

    m.ingest_documents(store, tmp_path / "a.jsonl", [document])

    (row,) = store.quarantine_rows()
    assert row.value == "99**************** (18 characters)"
    assert wrong not in repr(row)
    assert b"0302195803121" not in (tmp_path / "node" / "node.db").read_bytes()


def test_requests_are_checked_while_they_wait_for_their_response(
    store: NodeStore, tmp_path: Path
) -> None:
    document = m.fees(1, cnt=-1)
    del document["response"]

    report = m.ingest_documents(store, tmp_path / "a.jsonl", [document])

    assert (report.by_rule, report.pending) == ({Rule.NUMBER_NEGATIVE: 1}, 0)


def test_two_faults_of_two_messages_are_both_found(store: NodeStore, tmp_path: Path) -> None:
    documents = [
        m.fees(1, cnt=-1),
        m.fees(2, fee_ocur_time="x"),
        m.fees(3),
        m.settlement(4, response={"fund_pay_sumamt": 1}),
        m.settlement(5, request={"psn_no": ""}),
    ]

    report = m.ingest_documents(store, tmp_path / "a.jsonl", documents)

    assert [row.line for row in store.quarantine_rows()] == [1, 2, 4, 5]
    assert report.records_stored == {"fee_detail": 2}
    assert store.quarantine_rows(2, 1)[0].line == 2


def test_nothing_that_a_terminal_obeys_reaches_a_quarantine_row(
    store: NodeStore, tmp_path: Path
) -> None:
    escape = "\x1b]0;owned\x07\x9b2J\u202e\r\n"
    documents = [m.fees(number) for number in range(1, 6)]
    documents[0]["request"]["msgid"] = escape
    documents[1]["request"]["infno"] = escape
    documents[2]["request"]["inf_time"] = escape
    documents[3]["response"]["infcode"] = [escape]
    documents[4]["request"]["input"]["feedetail"][0]["cnt"] = escape

    report = m.ingest_documents(store, tmp_path / "a\x1b[31m\udcff.jsonl", documents)

    rows = store.quarantine_rows()
    assert (len(rows), report.source) == (5, "a?[31m?.jsonl")
    for row in rows:
        assert row.source == report.source
        for text in (row.msgid, row.infno, row.field, row.value, row.reason, row.mend):
            assert text.isprintable()
    with pytest.raises(IntakeFileError) as caught:
        m.ingest(store, tmp_path / "\x1b[31m.doc")
    assert str(caught.value).isprintable()
