"""What supervision rules need of lines, settlements and admissions."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from node.domain.faults import Rule
from node.store import NodeStore
from tests.support import node_messages as m

SAID: dict[str, Any] = {
    "rxno": "CF001",
    "prd_days": 7,
    "sin_dos_dscr": "1片",
    "used_frqu_dscr": "tid",
    "matn_fee_flag": "1",
    "dscg_tkdrug_flag": "0",
    "hosp_appr_flag": "1",
}


def lines_of(store: NodeStore, path: Path, document: m.Document) -> list[dict[str, Any]]:
    report = m.ingest_documents(store, path / "a.jsonl", [document])
    assert report.quarantined == 0
    return sorted(m.rows_of(store, "fee_detail"), key=lambda row: str(row["line"]))


def test_an_outpatient_line_keeps_what_rules_ask_for(store: NodeStore, tmp_path: Path) -> None:
    document = m.fees(1, lines=2, **SAID)
    document["request"]["input"]["exp_content"] = [{"er_flag": "1"}, {"er_flag": "0"}]
    answer = document["response"]["output"]["result"][0]
    answer.update(med_chrgitm_type="09", chrgitm_lv="02", pric_uplmt_amt="12.345678")

    first, second = lines_of(store, tmp_path, document)

    assert (
        first.items()
        >= {
            "refund_of": None,
            "med_type": None,
            "charge_type": "09",
            "level": "02",
            "cap_e6": 12_345_678,
            "prescription": "CF001",
            "days": 7,
            "dose": "1片",
            "frequency": "tid",
            "maternity": True,
            "discharge_drug": False,
            "emergency": True,
            "approved": "1",
        }.items()
    )
    said = ("prescription", "days", "dose", "maternity", "discharge_drug", "approved", "cap_e6")
    assert [second[name] for name in said] == [None] * len(said)
    assert (second["emergency"], second["level"]) == (False, "01")


def test_an_inpatient_line_names_its_type_and_what_it_takes_back(
    store: NodeStore, tmp_path: Path
) -> None:
    refund = {"cnt": -2, "det_item_fee_sumamt": -35.6, "init_feedetl_sn": "F0009", "med_type": "21"}

    (line,) = lines_of(store, tmp_path, m.fees(1, lines=1, infno="2301", **refund))

    assert (line["refund_of"], line["med_type"], line["amount_fen"]) == ("F0009", "21", -3560)


@pytest.mark.parametrize(
    ("days", "kept"), [(0.5, 1), ("6.01", 7), (7, 7), (0, 0), (None, None), ("", None)]
)
def test_a_part_of_a_day_counts_as_one(
    store: NodeStore, tmp_path: Path, days: object, kept: int | None
) -> None:
    assert lines_of(store, tmp_path, m.fees(1, lines=1, prd_days=days))[0]["days"] == kept


@pytest.mark.parametrize(
    ("flags", "kept"),
    [
        (["1"], [True, True, True]),
        (["2"], [False, False, False]),
        (["1", "0", "3"], [True, False, False]),
        (["1", "0"], [None, None, None]),
        (["1", "1"], [True, True, True]),
        (["x"], [None, None, None]),
        ([""], [None, None, None]),
        ([], [None, None, None]),
    ],
)
def test_flags_of_emergencies_stand_beside_the_lines(
    store: NodeStore, tmp_path: Path, flags: list[str], kept: list[bool | None]
) -> None:
    document = m.fees(1, lines=3)
    document["request"]["input"]["exp_content"] = [{"er_flag": flag} for flag in flags]

    assert [row["emergency"] for row in lines_of(store, tmp_path, document)] == kept


def test_flags_of_one_message_are_not_those_of_another(store: NodeStore, tmp_path: Path) -> None:
    other = m.fees(2, lines=2, mdtrt_id="V2")
    other["request"]["input"]["feedetail"][1]["mdtrt_id"] = "V2"
    other["request"]["input"]["exp_content"] = {"er_flag": "1"}

    m.ingest_documents(store, tmp_path / "a.jsonl", [m.fees(1, lines=2), other])

    found = {(row["mdtrt_id"], row["emergency"]) for row in m.rows_of(store, "fee_detail")}
    assert found == {("330302G0000000100001", None), ("V2", True)}


def test_answers_find_their_lines_whatever_their_order(store: NodeStore, tmp_path: Path) -> None:
    document = m.fees(1, lines=3)
    answers = document["response"]["output"]["result"]
    answers[0].update(chrgitm_lv="03", pric_uplmt_amt=5)
    answers[2].update(chrgitm_lv="02", med_chrgitm_type=None)
    del answers[1]
    answers.append({**answers[0], "pric_uplmt_amt": 6})
    answers.reverse()

    rows = lines_of(store, tmp_path, document)

    assert [row["level"] for row in rows] == ["03", None, "02"]
    assert [row["cap_e6"] for row in rows] == [5_000_000, None, None]


def test_a_line_without_an_answer_has_nothing_of_it(store: NodeStore, tmp_path: Path) -> None:
    document = m.fees(1, lines=1)
    document["response"]["output"] = {}

    (line,) = lines_of(store, tmp_path, document)

    assert [line[name] for name in ("level", "charge_type", "cap_e6", "inscp_fen")] == [None] * 4


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"prd_days": -1}, Rule.NUMBER_NEGATIVE),
        ({"prd_days": "soon"}, Rule.FIELD_TYPE),
        ({"dscg_tkdrug_flag": "9"}, Rule.CODE_UNKNOWN),
        ({"hosp_appr_flag": "9"}, Rule.CODE_UNKNOWN),
        ({"sin_dos_dscr": "x" * 201}, Rule.FIELD_TOO_LONG),
        ({"rxno": ["CF001"]}, Rule.FIELD_TYPE),
    ],
)
def test_a_faulty_column_refuses_its_message(
    store: NodeStore, tmp_path: Path, changes: dict[str, Any], rule: Rule
) -> None:
    report = m.ingest_documents(store, tmp_path / "a.jsonl", [m.fees(1, **changes), m.fees(2)])

    assert report.by_rule == {rule: 1}
    assert report.records_stored == {"fee_detail": 2}


def test_a_settlement_tells_who_the_person_is(store: NodeStore, tmp_path: Path) -> None:
    told = {"gend": "2", "brdy": "1958-03-12", "mdtrt_cert_type": "01"}
    documents = [
        m.settlement(1, response=told),
        m.settlement(2, infno="2304"),
        m.reversal(3, "330302G0000000000001"),
        m.settlement(4),
        m.message_reversal(5, m.settlement(4)["request"]["msgid"]),
    ]

    report = m.ingest_documents(store, tmp_path / "a.jsonl", documents)

    assert report.quarantined == 0
    rows = m.rows_of(store, "settlement")
    who = [(row["sign"], row["gender"], row["born"], row["certificate_type"]) for row in rows]
    born = datetime(1958, 3, 12)  # noqa: DTZ001 - wall clock of Asia/Shanghai
    assert who == [
        (1, "2", born, "01"),
        (1, None, None, "02"),
        (-1, "2", born, "01"),
        (1, None, None, "02"),
        (-1, None, None, "02"),
    ]


def test_an_admission_tells_its_type_and_insurance(store: NodeStore, tmp_path: Path) -> None:
    documents = [m.registration(1), m.admission(2, mdtrt_cert_type="")]

    m.ingest_documents(store, tmp_path / "a.jsonl", documents)

    found = [
        (row["med_type"], row["insutype"], row["certificate_type"])
        for row in m.rows_of(store, "admission")
    ]
    assert found == [(None, "310", "02"), ("21", "310", None)]


def test_a_settlement_tells_its_parts_and_where_the_person_is_insured(
    store: NodeStore, tmp_path: Path
) -> None:
    told = {"hifp_pay": 60.5, "fulamt_ownpay_amt": 3.2}
    placed = m.settlement(1, response=told)
    placed["request"]["insuplc_admdvs"] = "330381"
    documents = [
        placed,
        m.reversal(2, "330302G0000000000001"),
        m.settlement(3, request={"fulamt_ownpay_amt": 1}, response={"hifp_pay": 0}),
        m.message_reversal(4, m.settlement(3)["request"]["msgid"]),
        m.settlement(5),
        m.reversal(6, "330302G0000000000005"),
        m.settlement(7, response=told),
        m.reversal(
            8,
            "330302G0000000000007",
            {
                "setlinfo": {
                    "medfee_sumamt": -95.6,
                    "inscp_scp_amt": -95.6,
                    "fund_pay_sumamt": -66.92,
                    "hifp_pay": -60.5,
                }
            },
        ),
    ]

    report = m.ingest_documents(store, tmp_path / "a.jsonl", documents)

    assert report.quarantined == 0
    columns = ("sign", "pooled_fen", "own_fen", "insured_place")
    rows = sorted(m.rows_of(store, "settlement"), key=lambda row: row["record_id"])
    assert [tuple(row[name] for name in columns) for row in rows] == [
        (1, 6050, 320, "330381"),
        (-1, -6050, -320, "330381"),
        (1, 0, 100, None),
        (-1, 0, -100, None),
        (1, None, None, None),
        (-1, None, None, None),
        (1, 6050, 320, None),
        (-1, -6050, None, None),
    ]
