"""A reversal takes back exactly what its settlement counted."""

from pathlib import Path

import pytest

from node.domain.faults import MENDS, Rule
from node.store import NodeStore
from scoring_kernel import load_catalog
from tests.support import node_messages as m

PAID = {"medfee_sumamt": 95.6, "inscp_scp_amt": 95.6, "fund_pay_sumamt": 66.92, "acct_pay": 28.68}


def _net(store: NodeStore) -> tuple[int, int, int, int]:
    rows = store.measure_rows(load_catalog().measure_sets["settlement"]).to_pylist()
    names = ("settlements", "medfee_fen", "fund_fen", "inscp_fen")
    medfee = tuple(sum(row[name] for row in rows) for name in names)
    return medfee[0], medfee[1], medfee[2], medfee[3]


def test_a_reversal_with_amounts_in_its_response_nets_out(store: NodeStore, tmp_path: Path) -> None:
    original = m.settlement(1)
    setl_id = original["response"]["output"]["setlinfo"]["setl_id"]
    taken_back = {**PAID, "setl_time": "2026-04-02 08:00:00", "pdn_cash_pay": 0}

    m.ingest_documents(
        store, tmp_path / "a.jsonl", [original, m.reversal(2, setl_id, {"setlinfo": taken_back})]
    )

    back = m.rows_of(store, "settlement")[1]
    assert (back["sign"], back["setl_id"], back["month"]) == (-1, setl_id, 202604)
    assert (back["medfee_fen"], back["fund_fen"], back["account_fen"]) == (-9560, -6692, -2868)
    assert _net(store) == (0, 0, 0, 0)


@pytest.mark.parametrize("sign", [1, -1])
def test_amounts_of_a_reversal_count_negative_however_they_are_written(
    store: NodeStore, tmp_path: Path, sign: int
) -> None:
    written = {name: sign * amount for name, amount in PAID.items()}
    documents = [m.reversal(2, "S1", {"setlinfo": {**written, "psn_cash_pay": sign * 5}})]

    m.ingest_documents(store, tmp_path / "a.jsonl", documents)

    (back,) = m.rows_of(store, "settlement")
    assert (back["fund_fen"], back["cash_fen"]) == (-6692, -500)


@pytest.mark.parametrize("flush", [False, True])
def test_a_reversal_without_amounts_takes_those_of_the_stored_settlement(
    store: NodeStore, tmp_path: Path, *, flush: bool
) -> None:
    original = m.settlement(1)
    m.ingest_documents(store, tmp_path / "a.jsonl", [original])
    if flush:
        store.flush()
    setl_id = original["response"]["output"]["setlinfo"]["setl_id"]

    m.ingest_documents(store, tmp_path / "b.jsonl", [m.reversal(2, setl_id)])

    back = m.rows_of(store, "settlement")[1]
    assert (back["insutype"], back["med_type"], back["cash_fen"]) == ("310", "11", 0)
    assert str(back["settled_at"]) == "2026-03-18 09:50:39"
    assert _net(store) == (0, 0, 0, 0)


def test_a_reversal_finds_its_settlement_in_the_same_batch(
    store: NodeStore, tmp_path: Path
) -> None:
    original = m.settlement(9, infno="2304")
    setl_id = original["response"]["output"]["setlinfo"]["setl_id"]
    documents = [m.reversal(1, setl_id, infno="2305"), original]

    report = m.ingest_documents(store, tmp_path / "a.jsonl", documents)

    assert report.records_stored == {"extra": 1, "settlement": 2}
    assert [row["inpatient"] for row in m.rows_of(store, "settlement")] == [True, True]
    assert _net(store) == (0, 0, 0, 0)


def test_a_reversal_of_nothing_known_is_refused_until_its_settlement_is_there(
    store: NodeStore, tmp_path: Path
) -> None:
    original = m.settlement(1)
    setl_id = original["response"]["output"]["setlinfo"]["setl_id"]
    reversal = m.reversal(2, setl_id)
    refused = m.ingest_documents(store, tmp_path / "a.jsonl", [reversal])
    m.ingest_documents(store, tmp_path / "b.jsonl", [original])

    taken = m.ingest_documents(store, tmp_path / "a.jsonl", [reversal])

    assert refused.by_rule == {Rule.REVERSAL_WITHOUT_ORIGINAL: 1}
    assert (taken.quarantined, store.quarantine_count()) == (0, 0)
    assert _net(store) == (0, 0, 0, 0)


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("told", [True, False])
def test_a_settlement_is_taken_back_once(
    store: NodeStore, tmp_path: Path, *, together: bool, told: bool
) -> None:
    original = m.settlement(1)
    setl_id = original["response"]["output"]["setlinfo"]["setl_id"]
    output = {"setlinfo": PAID} if told else None
    first, second = (m.reversal(number, setl_id, output) for number in (2, 3))
    third = m.reversal(4, setl_id, output, infno="2305")
    parts = (
        [[original, first, second, third]] if together else [[original], [first], [second, third]]
    )

    reports = [
        m.ingest_documents(store, tmp_path / f"{number}.jsonl", part)
        for number, part in enumerate(parts)
    ]

    assert reports[-1].by_rule == {Rule.ALREADY_REVERSED: 2}
    assert _net(store) == (0, 0, 0, 0)
    row = store.quarantine_rows()[0]
    assert row.reason.startswith(f"request.data.setl_id is {setl_id}, expected a settlement that")
    assert row.mend == MENDS[Rule.ALREADY_REVERSED]


def test_a_refused_reversal_takes_nothing_back(store: NodeStore, tmp_path: Path) -> None:
    original = m.settlement(1)
    setl_id = original["response"]["output"]["setlinfo"]["setl_id"]
    future = m.reversal(2, setl_id, {"setlinfo": {**PAID, "setl_time": "2027-01-01 00:00:00"}})

    report = m.ingest_documents(
        store, tmp_path / "a.jsonl", [original, future, m.reversal(3, setl_id)]
    )

    assert report.by_rule == {Rule.DATE_FUTURE: 1}
    assert _net(store) == (0, 0, 0, 0)


@pytest.mark.parametrize("infno", ["2207", "2304"])
@pytest.mark.parametrize("together", [True, False])
def test_a_message_reversal_takes_its_settlement_back(
    store: NodeStore, tmp_path: Path, *, infno: str, together: bool
) -> None:
    original = m.settlement(1, infno=infno)
    msgid = original["request"]["msgid"]
    reversal = m.message_reversal(2, msgid, infno)
    parts = [[reversal, original]] if together else [[original], [reversal]]

    for number, part in enumerate(parts):
        m.ingest_documents(store, tmp_path / f"{number}.jsonl", part)

    taken, back = m.rows_of(store, "settlement")
    changed = {name for name in taken if taken[name] != back[name]}
    assert changed == {"record_id", "sign", "medfee_fen", "inscp_fen", "fund_fen", "account_fen"}
    assert back["sign"] == -1
    assert _net(store) == (0, 0, 0, 0)


def test_a_settlement_is_taken_back_once_by_whichever_transaction(
    store: NodeStore, tmp_path: Path
) -> None:
    original = m.settlement(1)
    setl_id = original["response"]["output"]["setlinfo"]["setl_id"]
    documents = [
        original,
        m.message_reversal(2, original["request"]["msgid"]),
        m.message_reversal(3, original["request"]["msgid"]),
        m.reversal(4, setl_id),
    ]

    report = m.ingest_documents(store, tmp_path / "a.jsonl", documents)

    assert report.by_rule == {Rule.ALREADY_REVERSED: 2}
    assert _net(store) == (0, 0, 0, 0)


def test_a_message_reversal_of_no_settlement_here_is_refused_until_it_is_there(
    store: NodeStore, tmp_path: Path
) -> None:
    original = m.settlement(1)
    waiting = {**original}
    del waiting["response"]
    reversal = m.message_reversal(2, original["request"]["msgid"])

    refused = m.ingest_documents(store, tmp_path / "a.jsonl", [waiting, reversal])
    taken = m.ingest_documents(store, tmp_path / "b.jsonl", [original, reversal])

    assert refused.by_rule == {Rule.REVERSAL_WITHOUT_ORIGINAL: 1}
    assert (taken.quarantined, store.quarantine_count()) == (0, 0)
    assert _net(store) == (0, 0, 0, 0)


def test_a_message_reversal_takes_back_the_senders_own_messages_only(
    store: NodeStore, tmp_path: Path
) -> None:
    sale = m.pharmacy_sale(1)
    reversal = m.message_reversal(2, sale["request"]["msgid"], "2102")

    report = m.ingest_documents(store, tmp_path / "a.jsonl", [sale, reversal])

    assert report.by_rule == {Rule.REVERSAL_WITHOUT_ORIGINAL: 1}


@pytest.mark.parametrize("together", [True, False])
def test_a_message_reversal_of_what_never_counted_is_kept_as_it_came(
    store: NodeStore, tmp_path: Path, *, together: bool
) -> None:
    failed = m.settlement(1, infcode=-1)
    reversal = m.message_reversal(2, failed["request"]["msgid"])
    other = m.message_reversal(3, f"{m.HOSPITAL}202603180950390009", "2401")
    parts = [[failed, reversal, other]] if together else [[failed], [reversal, other]]

    reports = [
        m.ingest_documents(store, tmp_path / f"{number}.jsonl", part)
        for number, part in enumerate(parts)
    ]

    assert reports[-1].records_stored == {"raw": 2}
    assert sum(report.quarantined for report in reports) == 0


def test_a_message_reversal_waits_for_its_response(store: NodeStore, tmp_path: Path) -> None:
    document = m.message_reversal(1, f"{m.HOSPITAL}202603180950390009")
    del document["response"]

    assert m.ingest_documents(store, tmp_path / "a.jsonl", [document]).pending == 1


def test_a_reversal_without_a_response_is_pending(store: NodeStore, tmp_path: Path) -> None:
    document = m.reversal(1, "S1")
    del document["response"]

    assert m.ingest_documents(store, tmp_path / "a.jsonl", [document]).pending == 1


def test_a_reversal_in_the_future_is_refused(store: NodeStore, tmp_path: Path) -> None:
    output = {"setlinfo": {**PAID, "setl_time": "2027-01-01 00:00:00"}}

    report = m.ingest_documents(store, tmp_path / "a.jsonl", [m.reversal(1, "S1", output)])

    assert report.by_rule == {Rule.DATE_FUTURE: 1}


def test_institutions_with_one_setl_id_take_back_their_own_settlements(
    store: NodeStore, tmp_path: Path
) -> None:
    sale = m.pharmacy_sale(2)
    sale["response"]["output"]["setlinfo"]["setl_id"] = "S1"
    data = {"setl_id": "S1", "mdtrt_id": "330302G0000000100009", "psn_no": m.PERSON}
    sent_back = m.envelope("2103", 4, {"data": data}, institution=m.PHARMACY)
    paid = m.settlement(1, response={"setl_id": "S1"})
    documents = [paid, sale, m.reversal(3, "S1"), m.answered(sent_back, {})]

    report = m.ingest_documents(store, tmp_path / "a.jsonl", documents)

    assert report.quarantined == 0
    found = [
        (row["institution"], row["medfee_fen"])
        for row in m.rows_of(store, "settlement")
        if row["sign"] == -1
    ]
    assert found == [(m.HOSPITAL, -9560), (m.PHARMACY, -4600)]


def test_a_message_reversal_tells_two_messages_of_one_msgid_apart(
    store: NodeStore, tmp_path: Path
) -> None:
    outpatient = m.settlement(1, response={"setl_id": "S1"})
    inpatient = m.settlement(1, infno="2304", response={"setl_id": "S2"})
    m.ingest_documents(store, tmp_path / "a.jsonl", [outpatient, inpatient])
    msgid = outpatient["request"]["msgid"]

    for number, oinfno in ((2, "2304"), (3, "2207")):
        document = m.message_reversal(number, msgid, oinfno)
        m.ingest_documents(store, tmp_path / f"{number}.jsonl", [document])

    back = [row["setl_id"] for row in m.rows_of(store, "settlement") if row["sign"] == -1]
    assert back == ["S2", "S1"]
