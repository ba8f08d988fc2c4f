"""What records come of each transaction, and which messages make none."""

import gc
from pathlib import Path

from node.store import NodeStore
from scoring_kernel import load_catalog
from tests.support import node_messages as m


def test_fee_details_become_one_record_a_line(store: NodeStore, tmp_path: Path) -> None:
    report = m.ingest_documents(store, tmp_path / "a.jsonl", [m.fees(1, lines=2)])

    assert report.records_stored == {"fee_detail": 2}
    first = m.rows_of(store, "fee_detail")[0]
    assert first["record_id"] == f"{m.HOSPITAL}202603180950390001#F0001"
    assert first["month"] == 202603
    assert str(first["occurred_at"]) == "2026-03-18 09:30:00"
    assert (first["amount_fen"], first["quantity_e4"], first["price_e6"]) == (3560, 20000, 17800000)
    assert first["inscp_fen"] == 3560
    assert (first["doctor"], first["department"]) == ("D330302000101", "A03")


def test_fee_answers_in_another_order_still_find_their_lines(
    store: NodeStore, tmp_path: Path
) -> None:
    document = m.fees(1, lines=3)
    answers = document["response"]["output"]["result"]
    answers[0]["inscp_scp_amt"] = 10.01
    del answers[2]
    answers.reverse()

    m.ingest_documents(store, tmp_path / "a.jsonl", [document])

    assert [row["inscp_fen"] for row in m.rows_of(store, "fee_detail")] == [1001, 3560, None]


def test_a_refund_line_is_kept_as_a_negative_row(store: NodeStore, tmp_path: Path) -> None:
    refund = {"cnt": -2, "det_item_fee_sumamt": -35.6, "init_feedetl_sn": "F0009"}
    document = m.fees(1, lines=1, infno="2301", **refund)

    report = m.ingest_documents(store, tmp_path / "a.jsonl", [document])

    assert report.quarantined == 0
    assert [row["amount_fen"] for row in m.rows_of(store, "fee_detail")] == [-3560]


def test_a_settlement_counts_with_the_amounts_of_the_response(
    store: NodeStore, tmp_path: Path
) -> None:
    m.ingest_documents(
        store, tmp_path / "a.jsonl", [m.settlement(1), m.settlement(2, infno="2304")]
    )

    outpatient, inpatient = m.rows_of(store, "settlement")
    assert (outpatient["medfee_fen"], outpatient["fund_fen"]) == (9560, 6692)
    assert (outpatient["account_fen"], outpatient["cash_fen"]) == (2868, 0)
    assert (outpatient["sign"], outpatient["inpatient"], inpatient["inpatient"]) == (1, False, True)
    assert (outpatient["insutype"], inpatient["med_type"]) == ("310", "21")


def test_a_settlement_without_a_time_of_the_platform_takes_the_time_of_the_message(
    store: NodeStore, tmp_path: Path
) -> None:
    m.ingest_documents(store, tmp_path / "a.jsonl", [m.settlement(1, response={"setl_time": ""})])

    assert str(m.rows_of(store, "settlement")[0]["settled_at"]) == "2026-03-18 09:50:39"


def test_a_pharmacy_sale_is_a_settlement_and_its_lines(store: NodeStore, tmp_path: Path) -> None:
    report = m.ingest_documents(store, tmp_path / "a.jsonl", [m.pharmacy_sale(1)])

    assert report.records_stored == {"extra": 1, "fee_detail": 1, "settlement": 1}
    (line,) = m.rows_of(store, "fee_detail")
    assert (line["institution"], line["mdtrt_id"], line["person"]) == (
        m.PHARMACY,
        "330302G0000000100009",
        m.PERSON,
    )
    assert line["inscp_fen"] == 4000


def test_stays_become_admission_discharge_and_list(store: NodeStore, tmp_path: Path) -> None:
    documents = [m.registration(1), m.admission(2), m.discharge(3), m.settlement_list(4)]

    report = m.ingest_documents(store, tmp_path / "a.jsonl", documents)

    assert report.records_stored == {
        "admission": 2,
        "diagnosis": 2,
        "discharge": 1,
        "settlement_list": 1,
    }
    registered, admitted = m.rows_of(store, "admission")
    assert (registered["inpatient"], registered["diagnosis"]) == (False, None)
    assert (admitted["inpatient"], admitted["diagnosis"]) == (True, "I63.900")
    assert admitted["mdtrt_id"] == "330302G0000000100002"
    (left,) = m.rows_of(store, "discharge")
    assert (left["discharge_way"], left["died"], left["diagnosis"]) == ("1", False, "I63.900")
    (listed,) = m.rows_of(store, "settlement_list")
    assert (listed["person"], listed["month"], listed["planned_readmission"]) == (
        m.PERSON,
        202603,
        False,
    )


def test_death_is_told_by_the_way_of_leaving_or_by_its_day(
    store: NodeStore, tmp_path: Path
) -> None:
    documents = [
        m.discharge(1, dscg_way="5"),
        m.discharge(2, mdtrt_id="V2", die_date="2026-03-28"),
        m.discharge(3, mdtrt_id="V3", die_date=""),
    ]

    m.ingest_documents(store, tmp_path / "a.jsonl", documents)

    assert [row["died"] for row in m.rows_of(store, "discharge")] == [True, True, False]


def test_a_list_without_the_end_of_settlement_goes_by_the_discharge(
    store: NodeStore, tmp_path: Path
) -> None:
    documents = [
        m.settlement_list(1, setl_end_date="", dscg_time="2026-02-01 08:00:00", adm_time=""),
        m.settlement_list(2, setl_id="S2", days_rinp_flag_31="2"),
        m.settlement_list(3, setl_id="S3", days_rinp_flag_31="", days_rinp_pup_31="化疗"),
        m.settlement_list(4, setl_id="S4", hi_no="", days_rinp_pup_31="-"),
    ]

    m.ingest_documents(store, tmp_path / "a.jsonl", documents)

    rows = m.rows_of(store, "settlement_list")
    assert [row["month"] for row in rows] == [202602, 202603, 202603, 202603]
    assert [row["planned_readmission"] for row in rows] == [False, True, True, False]
    assert rows[3]["person"] is None


def test_cancellations_say_what_they_take_back_and_when(store: NodeStore, tmp_path: Path) -> None:
    documents = [
        m.cancellation(1, "2202"),
        m.cancellation(2, "2404"),
        m.cancellation(3, "2405", psn_no=" "),
    ]

    report = m.ingest_documents(store, tmp_path / "a.jsonl", documents)

    assert report.records_stored == {"cancellation": 3}
    rows = m.rows_of(store, "cancellation")
    assert [row["what"] for row in rows] == ["admission", "admission", "discharge"]
    assert [row["mdtrt_id"][-1] for row in rows] == ["1", "2", "2"]
    assert [row["person"] for row in rows] == [m.PERSON, m.PERSON, None]
    assert {(str(row["cancelled_at"]), row["month"]) for row in rows} == {
        ("2026-03-18 09:50:39", 202603)
    }


def test_a_cancellation_that_was_not_accepted_cancels_nothing(
    store: NodeStore, tmp_path: Path
) -> None:
    waiting, refused = m.cancellation(1, "2404"), m.cancellation(2, "2405")
    del waiting["response"]
    refused["response"]["infcode"] = -1

    report = m.ingest_documents(store, tmp_path / "a.jsonl", [waiting, refused])

    assert (report.pending, report.not_accepted, report.records_stored) == (1, 1, {})


def test_a_stay_that_was_cancelled_and_one_discharged_anew_are_measured_once(
    store: NodeStore, tmp_path: Path
) -> None:
    stays = [m.admission(1), m.discharge(2), m.cancellation(3, "2405"), m.discharge(4)]
    again = m.admission(5, begntime="2026-03-30 10:00:00")
    again["response"]["output"]["result"]["mdtrt_id"] = "330302G0000000100003"
    withdrawn = m.cancellation(6, "2404", mdtrt_id="330302G0000000100003")

    found = []
    for number, documents in enumerate(([*stays, again], [withdrawn])):
        m.ingest_documents(store, tmp_path / f"{number}.jsonl", documents)
        (row,) = store.measure_rows(load_catalog().measure_sets["inpatient"]).to_pylist()
        found.append((row["discharges"], row["readmissions_15d"]))

    assert found == [(1, 1), (1, 0)]


def test_a_known_transaction_without_a_record_is_kept_whole(
    store: NodeStore, tmp_path: Path
) -> None:
    document = m.answered(m.envelope("5301", 1, {"data": {"psn_no": m.PERSON}}), {"feedetail": []})

    report = m.ingest_documents(store, tmp_path / "a.jsonl", [document])

    assert report.records_stored == {"raw": 1}
    (kept,) = m.rows_of(store, "raw")
    assert kept["infno"] == "5301"
    assert m.PERSON in kept["body"]


def test_a_message_the_platform_refused_is_in_the_ledger_and_counts_nowhere(
    store: NodeStore, tmp_path: Path
) -> None:
    report = m.ingest_documents(store, tmp_path / "a.jsonl", [m.settlement(1, infcode=-1)])

    assert (report.not_accepted, report.records_stored) == (1, {})
    interface = store.measure_rows(load_catalog().measure_sets["interface"]).to_pylist()
    assert [(row["messages"], row["messages_accepted"]) for row in interface] == [(1, 0)]


def test_numbers_sent_as_text_are_read_exactly(store: NodeStore, tmp_path: Path) -> None:
    document = m.fees(1, lines=1, det_item_fee_sumamt="35.60", cnt="2", pric="17.800000")

    assert m.ingest_documents(store, tmp_path / "a.jsonl", [document]).quarantined == 0
    assert m.rows_of(store, "fee_detail")[0]["amount_fen"] == 3560


def test_codes_sent_as_numbers_become_their_digits(store: NodeStore, tmp_path: Path) -> None:
    document = m.fees(1, lines=1, bilg_dept_codg=103)

    assert m.ingest_documents(store, tmp_path / "a.jsonl", [document]).quarantined == 0
    assert m.rows_of(store, "fee_detail")[0]["department"] == "103"


def test_one_object_stands_for_a_list_of_one(store: NodeStore, tmp_path: Path) -> None:
    document = m.fees(1, lines=1)
    document["request"]["input"]["feedetail"] = document["request"]["input"]["feedetail"][0]

    assert m.ingest_documents(store, tmp_path / "a.jsonl", [document]).records_stored == {
        "fee_detail": 1
    }


def test_amounts_without_the_persons_part_are_taken_as_they_are(
    store: NodeStore, tmp_path: Path
) -> None:
    document = m.settlement(1, response={"fund_pay_sumamt": 1})
    del document["response"]["output"]["setlinfo"]["psn_part_amt"]

    assert m.ingest_documents(store, tmp_path / "a.jsonl", [document]).quarantined == 0


def test_a_discharge_without_diagnoses_has_none(store: NodeStore, tmp_path: Path) -> None:
    document = m.discharge(1)
    del document["request"]["input"]["diseinfo"]

    m.ingest_documents(store, tmp_path / "a.jsonl", [document])

    assert m.rows_of(store, "discharge")[0]["diagnosis"] is None


def test_an_intake_leaves_the_interpreters_collector_as_it_was(
    store: NodeStore, tmp_path: Path
) -> None:
    gc.disable()
    try:
        m.ingest_documents(store, tmp_path / "a.jsonl", [m.fees(1)])
        assert not gc.isenabled()
    finally:
        gc.enable()
    m.ingest_documents(store, tmp_path / "b.jsonl", [m.fees(2)])
    assert gc.isenabled()
