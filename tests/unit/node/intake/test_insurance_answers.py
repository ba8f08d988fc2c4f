"""Answers about persons, catalogue items and caps (1101, 1312, 1318)."""

from pathlib import Path
from typing import Any

import pytest

from node.domain.faults import Rule
from node.store import NodeStore
from tests.support import node_messages as m

ITEM: dict[str, Any] = {
    "hilist_code": "XC08CAA001A001010100001",
    "begndate": "2024-01-01",
    "enddate": "",
    "med_chrgitm_type": "09",
    "chrgitm_lv": "02",
    "list_type": "101",
    "vali_flag": "1",
}
CAP: dict[str, Any] = {
    "hilist_code": "002503100240000",
    "hilist_lmtpric_type": "1",
    "hilist_pric_uplmt_amt": "12.345678",
    "begndate": "1998-01-01",
    "enddate": "2026-06-30",
    "vali_flag": "0",
}


def person(number: int, *insured: m.Document, **changes: object) -> m.Document:
    """An answer about a person (1101)."""
    base = {"psn_no": m.PERSON, "gend": "1", "brdy": "1958-03-12", **changes}
    status = {
        "insutype": "310",
        "psn_insu_stas": "1",
        "psn_insu_date": "2001-01-01",
        "paus_insu_date": None,
        "insuplc_admdvs": "330302",
    }
    rows = [{**status, **one} for one in insured or ({},)]
    request = m.envelope("1101", number, {"data": {"mdtrt_cert_type": "02"}})
    return m.answered(request, {"baseinfo": base, "insuinfo": rows})


def answer(infno: str, number: int, *rows: m.Document) -> m.Document:
    body = {"data": {"query_date": "2026-03-18"}}
    return m.answered(m.envelope(infno, number, body), {"data": list(rows)})


def test_a_person_and_each_insurance_is_a_record(store: NodeStore, tmp_path: Path) -> None:
    document = person(1, {}, {"insutype": "390", "psn_insu_stas": "2", "insuplc_admdvs": ""})

    report = m.ingest_documents(store, tmp_path / "a.jsonl", [document])

    assert report.records_stored == {"insured_person": 1, "insurance_status": 2}
    (who,) = m.rows_of(store, "insured_person")
    assert (who["person"], who["gender"], str(who["born"]), str(who["stated_at"])) == (
        *(m.PERSON, "1", "1958-03-12 00:00:00", "2026-03-18 09:50:39"),
    )
    first, second = m.rows_of(store, "insurance_status")
    assert (first["person"], first["insutype"], first["status"], first["place"]) == (
        *(m.PERSON, "310", "1", "330302"),
    )
    assert (str(first["begins_at"]), first["paused_at"]) == ("2001-01-01 00:00:00", None)
    assert (second["insutype"], second["status"], second["place"]) == ("390", "2", None)


def test_a_later_query_of_the_month_takes_the_place_of_the_earlier(
    store: NodeStore, tmp_path: Path
) -> None:
    documents = [person(1, gend="9"), person(2, {"psn_insu_stas": "2"}, gend="2", brdy="")]

    for number in (1, 0):  # the order in which they arrive does not matter
        m.ingest_documents(store, tmp_path / f"{number}.jsonl", [documents[number]])

    (who,) = m.rows_of(store, "insured_person")
    assert (who["gender"], who["born"]) == ("2", None)
    assert [row["status"] for row in m.rows_of(store, "insurance_status")] == ["1", "2"]


def test_an_answer_about_nobody_makes_no_record(store: NodeStore, tmp_path: Path) -> None:
    document = m.answered(m.envelope("1101", 1, {"data": {}}), {"baseinfo": {}, "insuinfo": []})

    report = m.ingest_documents(store, tmp_path / "a.jsonl", [document])

    assert (report.quarantined, report.records_stored) == (0, {})


@pytest.mark.parametrize(
    ("changes", "insured", "rule"),
    [
        ({"psn_no": ""}, {}, Rule.FIELD_MISSING),
        ({"gend": "x"}, {}, Rule.CODE_UNKNOWN),
        ({"brdy": "1958-13-12"}, {}, Rule.DATE_INVALID),
        ({}, {"psn_insu_stas": "7"}, Rule.CODE_UNKNOWN),
        ({}, {"insutype": None}, Rule.FIELD_MISSING),
    ],
)
def test_a_faulty_answer_is_refused(
    store: NodeStore,
    tmp_path: Path,
    changes: dict[str, Any],
    insured: dict[str, Any],
    rule: Rule,
) -> None:
    report = m.ingest_documents(store, tmp_path / "a.jsonl", [person(1, insured, **changes)])

    assert (report.by_rule, report.records_stored) == ({rule: 1}, {})


def test_items_of_the_catalogue_are_records(store: NodeStore, tmp_path: Path) -> None:
    other = {**ITEM, "begndate": "2025-01-01", "enddate": "2025-12-31", "vali_flag": "0"}

    report = m.ingest_documents(store, tmp_path / "a.jsonl", [answer("1312", 1, ITEM, other)])

    assert report.records_stored == {"catalogue_item": 2}
    first, second = m.rows_of(store, "catalogue_item")
    assert (
        first.items()
        >= {
            "month": 202603,
            "item_code": ITEM["hilist_code"],
            "level": "02",
            "charge_type": "09",
            "list_type": "101",
            "ends_at": None,
            "valid": True,
        }.items()
    )
    assert str(first["begins_at"]) == "2024-01-01 00:00:00"
    assert (second["valid"], str(second["ends_at"])) == (False, "2025-12-31 00:00:00")


def test_the_same_answer_of_a_month_changes_nothing(store: NodeStore, tmp_path: Path) -> None:
    m.ingest_documents(store, tmp_path / "a.jsonl", [answer("1312", 1, ITEM)])
    before = store.digest()

    m.ingest_documents(store, tmp_path / "b.jsonl", [answer("1312", 2, ITEM)])
    assert store.digest() == before

    m.ingest_documents(store, tmp_path / "c.jsonl", [answer("1312", 3, {**ITEM, "vali_flag": "0"})])
    assert [row["valid"] for row in m.rows_of(store, "catalogue_item")] == [False]


def test_caps_are_records_by_their_type(store: NodeStore, tmp_path: Path) -> None:
    other = {**CAP, "hilist_lmtpric_type": "2", "hilist_pric_uplmt_amt": 7, "vali_flag": 1}

    report = m.ingest_documents(store, tmp_path / "a.jsonl", [answer("1318", 1, CAP, other)])

    assert report.records_stored == {"price_cap": 2}
    first, second = m.rows_of(store, "price_cap")
    assert (first["item_code"], first["type"], first["cap_e6"], first["valid"]) == (
        *(CAP["hilist_code"], "1", 12_345_678, False),
    )
    # Long before anything is taken in: it holds today.
    assert (str(first["begins_at"]), first["month"]) == ("1998-01-01 00:00:00", 202603)
    assert (second["type"], second["cap_e6"], second["valid"]) == ("2", 7_000_000, True)


@pytest.mark.parametrize(
    ("infno", "changes", "rule"),
    [
        ("1312", {"hilist_code": ""}, Rule.FIELD_MISSING),
        ("1312", {"begndate": ""}, Rule.FIELD_MISSING),
        ("1312", {"vali_flag": "y"}, Rule.CODE_UNKNOWN),
        ("1318", {"hilist_pric_uplmt_amt": None}, Rule.FIELD_MISSING),
        ("1318", {"hilist_pric_uplmt_amt": "dear"}, Rule.FIELD_TYPE),
        ("1318", {"hilist_lmtpric_type": " "}, Rule.FIELD_MISSING),
    ],
)
def test_a_faulty_row_refuses_its_answer(
    store: NodeStore, tmp_path: Path, infno: str, changes: dict[str, Any], rule: Rule
) -> None:
    whole = {"1312": ITEM, "1318": CAP}[infno]
    document = answer(infno, 1, whole, {**whole, **changes})

    report = m.ingest_documents(store, tmp_path / "a.jsonl", [document])

    assert (report.by_rule, report.records_stored) == ({rule: 1}, {})
