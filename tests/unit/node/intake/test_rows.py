"""Records that rows of nodes become: stock movements, trace codes, staff, alignments, …"""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from node.domain.faults import Rule
from node.store import NodeStore
from tests.support import node_messages as m

CODES = [{"drug_trac_codg": f"8100000000000000010{n}"} for n in range(2)]
SALE: dict[str, Any] = {
    "med_list_codg": "ZA04CAE0023010100166",
    "fixmedins_hilist_id": "YD88",
    "fixmedins_hilist_name": "儿童清肺口服液",
    "fixmedins_bchno": "BC0001",
    "sel_retn_time": "2026-03-19 18:20:00",
    "sel_retn_cnt": 2.5,
    "finl_trns_pric": "23.123456",
    "setl_id": "330302G0000000200003",
    "psn_no": m.PERSON,
    "rx_flag": "1",
    "trdn_flag": 0,
    "drugtracinfo": CODES,
}
STAFF = {
    "prac_psn_code": "D330302000101",
    "prac_psn_name": "李医师",
    "prac_psn_type": "1",
    "hi_dr_flag": "1",
    "begntime": "2020-01-01 00:00:00",
}


def sale(number: int, *rows: dict[str, Any], **changes: object) -> m.Document:
    """Sales (3505A); changes go into the first row."""
    details = copy.deepcopy(list(rows or (SALE,)))
    details[0].update(changes)
    body = {"selinfoDetail": details}
    return m.answered(m.envelope("3505A", number, body, institution=m.PHARMACY), {})


def staff(number: int, *rows: dict[str, Any], **changes: object) -> m.Document:
    """An answer about staff (5102)."""
    found = [{**STAFF, **row, **changes} for row in rows or ({},)]
    return m.answered(m.envelope("5102", number, {"data": {"prac_psn_type": "1"}}), {"data": found})


def test_rows_and_what_they_hold_become_records(store: NodeStore, tmp_path: Path) -> None:
    documents = [sale(1, SALE, SALE), sale(2, drugtracinfo=[]), sale(3)]

    report = m.ingest_documents(store, tmp_path / "a.jsonl", documents)

    assert report.records_stored == {"stock_movement": 4, "trace_code": 6}
    first = m.rows_of(store, "stock_movement")[0]
    msgid = documents[0]["request"]["msgid"]
    assert (
        first.items()
        >= {
            "record_id": f"{msgid}#3505A.1.1",
            "institution": m.PHARMACY,
            "month": 202603,
            "what": "sale",
            "local_code": "YD88",
            "quantity_e4": 25_000,
            "price_e6": 23_123_456,
            "rx": True,
            "split": False,
            "person": m.PERSON,
            "pharmacist": None,
            "change_type": None,
        }.items()
    )
    assert str(first["occurred_at"]) == "2026-03-19 18:20:00"
    codes = m.rows_of(store, "trace_code")
    assert [row["record_id"].partition("#")[2] for row in codes[:4]] == [
        f"3505A.2.{place}" for place in range(1, 5)
    ]
    assert [row["source"].partition("#")[2] for row in codes] == [
        *("3505A.1.1", "3505A.1.1", "3505A.1.2", "3505A.1.2", "3505A.1.1", "3505A.1.1"),
    ]
    assert (
        codes[1].items()
        >= {
            "code": CODES[1]["drug_trac_codg"],
            "what": "sale",
            "local_code": "YD88",
            "setl_id": SALE["setl_id"],
            "split": False,
        }.items()
    )


@pytest.mark.parametrize(
    ("changes", "rule", "field"),
    [
        ({"sel_retn_cnt": None}, Rule.FIELD_MISSING, "sel_retn_cnt"),
        ({"fixmedins_hilist_id": " "}, Rule.FIELD_MISSING, "fixmedins_hilist_id"),
        ({"sel_retn_time": ""}, Rule.FIELD_MISSING, "sel_retn_time"),
        ({"sel_retn_time": "2026-09-01 00:00:00"}, Rule.DATE_FUTURE, "sel_retn_time"),
        ({"sel_retn_time": "1999-01-01 00:00:00"}, Rule.DATE_TOO_EARLY, "sel_retn_time"),
        ({"rx_flag": "7"}, Rule.CODE_UNKNOWN, "rx_flag"),
        ({"sel_retn_cnt": "2.00005"}, Rule.NUMBER_SCALE, "sel_retn_cnt"),
        ({"finl_trns_pric": 10**10}, Rule.NUMBER_RANGE, "finl_trns_pric"),
        ({"drugtracinfo": "x"}, Rule.FIELD_TYPE, "drugtracinfo"),
        ({"drugtracinfo": [{}]}, Rule.FIELD_MISSING, "drugtracinfo.drug_trac_codg"),
        ({"drugtracinfo": [1]}, Rule.FIELD_TYPE, "drugtracinfo"),
    ],
)
def test_a_faulty_row_refuses_its_message_alone(
    store: NodeStore, tmp_path: Path, changes: dict[str, Any], rule: Rule, field: str
) -> None:
    faulty = sale(2, SALE, SALE, **changes)

    report = m.ingest_documents(store, tmp_path / "a.jsonl", [sale(1), faulty, sale(3)])

    (row,) = store.quarantine_rows()
    assert (row.rule, row.line) == (rule, 2)
    assert row.field == f"request.selinfoDetail.{field}"
    assert report.records_stored == {"stock_movement": 2, "trace_code": 4}


@pytest.mark.parametrize("rows", [None, [], {}])
def test_an_upload_without_rows_is_refused(store: NodeStore, tmp_path: Path, rows: object) -> None:
    document = sale(1)
    document["request"]["input"]["selinfoDetail"] = rows

    report = m.ingest_documents(store, tmp_path / "a.jsonl", [document])

    assert report.by_rule == {Rule.FIELD_MISSING: 1}
    assert store.quarantine_rows()[0].field == "request.selinfoDetail"


def test_an_upload_is_checked_while_it_waits(store: NodeStore, tmp_path: Path) -> None:
    good, faulty, asked = sale(1), sale(2, rx_flag="7"), staff(3)
    for document in (good, faulty, asked):
        del document["response"]

    report = m.ingest_documents(store, tmp_path / "a.jsonl", [good, faulty, asked])

    assert (report.pending, report.by_rule) == (2, {Rule.CODE_UNKNOWN: 1})
    assert report.records_stored == {}
    assert m.ingest_documents(store, tmp_path / "b.jsonl", [sale(1), staff(3)]).records_stored == {
        "staff_member": 1,
        "stock_movement": 1,
        "trace_code": 2,
    }


def test_an_answer_is_records_and_may_be_empty(store: NodeStore, tmp_path: Path) -> None:
    empty = staff(3)
    empty["response"]["output"] = {}
    documents = [staff(1, {}, {"prac_psn_code": "D2", "hi_dr_flag": None}), empty]

    report = m.ingest_documents(store, tmp_path / "a.jsonl", documents)

    assert report.records_stored == {"staff_member": 2}
    assert {row["staff"]: row["insured_doctor"] for row in m.rows_of(store, "staff_member")} == {
        "D330302000101": True,
        "D2": None,
    }
    refused = m.ingest_documents(store, tmp_path / "b.jsonl", [staff(4, prac_psn_name="")])
    (row,) = store.quarantine_rows()
    assert refused.by_rule == {Rule.FIELD_MISSING: 1}
    assert row.field == "response.data.prac_psn_name"


def test_codes_of_a_settlement_take_what_stands_beside_them(
    store: NodeStore, tmp_path: Path
) -> None:
    documents = [m.settlement(1), m.settlement(2, response={"setl_time": ""})]
    for document in documents:
        document["request"]["input"]["drug_trac_info"] = [
            {"feedetl_sn": "F1", "drug_trac_codg": "81000000000000000001", "trdn_flag": "1"}
        ]

    report = m.ingest_documents(store, tmp_path / "a.jsonl", documents)

    assert report.records_stored == {"settlement": 2, "trace_code": 2}
    for row, document in zip(m.rows_of(store, "trace_code"), documents, strict=True):
        setlinfo = document["response"]["output"]["setlinfo"]
        assert (
            row.items()
            >= {
                "setl_id": setlinfo["setl_id"],
                "mdtrt_id": setlinfo["mdtrt_id"],
                "source": document["request"]["msgid"],
                "line": "F1",
                "split": True,
            }.items()
        )
        assert str(row["occurred_at"]) == "2026-03-18 09:50:39"


def test_one_msgid_of_two_transactions_is_two_messages(store: NodeStore, tmp_path: Path) -> None:
    other = sale(1)
    other["infno"] = other["request"]["infno"] = "3505"
    other["request"]["input"] = {"selinfo": other["request"]["input"]["selinfoDetail"][0]}

    report = m.ingest_documents(store, tmp_path / "a.jsonl", [sale(1), other])

    assert report.records_stored == {"stock_movement": 2, "trace_code": 4}
    assert len(m.rows_of(store, "stock_movement")) == 2


def test_transactions_without_records_are_checked_and_kept_whole(
    store: NodeStore, tmp_path: Path
) -> None:
    bed = {"data": {"mdtrt_id": "V1", "psn_no": m.PERSON, "new_key": {"a": 1}}}
    good = m.answered(m.envelope("2403", 1, {"adminfo": bed["data"]}), {})
    faulty = copy.deepcopy(good)
    faulty["request"]["msgid"] = m.envelope("2403", 2, {})["msgid"]
    faulty["request"]["input"]["adminfo"]["mdtrt_id"] = "x" * 31

    report = m.ingest_documents(store, tmp_path / "a.jsonl", [good, faulty])

    assert report.records_stored == {"raw": 1}
    assert report.by_rule == {Rule.FIELD_TOO_LONG: 1}
    assert json.loads(m.rows_of(store, "raw")[0]["body"]) == good


def test_a_trace_code_on_the_line_itself_is_kept_with_it(store: NodeStore, tmp_path: Path) -> None:
    line = {name: value for name, value in SALE.items() if name != "drugtracinfo"}
    body = {"selinfo": {**line, **CODES[0]}}
    document = m.answered(m.envelope("3505", 1, body, institution=m.PHARMACY), {})

    report = m.ingest_documents(store, tmp_path / "a.jsonl", [document])

    assert report.records_stored == {"stock_movement": 1}
    (row,) = m.rows_of(store, "stock_movement")
    assert row["trace"] == CODES[0]["drug_trac_codg"]
