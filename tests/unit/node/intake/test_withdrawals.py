"""Fee details taken back (2205, 2302): what is kept of it, and what it does to a doctor's work."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest

from node.domain.faults import Rule
from node.domain.institutions import Institution
from node.errors import StoreError
from node.store import NodeStore
from scoring_kernel import Catalog, load_catalog
from security.at_rest import Vault
from tests.support import node_messages as m

VISIT = "330302G0000000100001"
COMMON = {"what": "fee_detail", "mdtrt_id": VISIT, "person": m.PERSON, "month": 202603}


def _work(store: NodeStore) -> list[tuple[int, int, int]]:
    """Measure: (month, visits, fen) of each physician's row."""
    rows = store.measure_rows(load_catalog().measure_sets["physician"]).to_pylist()
    return [(row["month"], row["visits"], row["amount_fen"]) for row in rows]


def _batch(number: int, *, line: int = 1, batch: str = "B1") -> m.Document:
    """One line of a charge batch (2204); the line's number tells its amount."""
    document = m.fees(number, lines=1, chrg_bchno=batch)
    document["request"]["input"]["feedetail"][0].update(feedetl_sn=f"F{line:04d}")
    document["response"]["output"] = {"result": []}
    return document


def _settled(number: int, batch: str | None = None) -> m.Document:
    return m.settlement(number, request={"chrg_bchno": batch} if batch else None)


def _undone(number: int, settled: m.Document) -> m.Document:
    return m.reversal(number, settled["response"]["output"]["setlinfo"]["setl_id"])


def test_a_withdrawal_of_lines_is_a_record_for_each(store: NodeStore, tmp_path: Path) -> None:
    document = m.withdrawal(1, "F0001", "0000")
    document["request"]["input"]["data"][1].update(mdtrt_id="V2", psn_no=" ")

    report = m.ingest_documents(store, tmp_path / "a.jsonl", [document])

    assert report.records_stored == {"cancellation": 2}
    first, second = m.rows_of(store, "cancellation")
    msgid = document["request"]["msgid"]
    assert first.items() >= {**COMMON, "record_id": f"{msgid}#2302.1", "line": "F0001"}.items()
    assert (second["record_id"], second["mdtrt_id"]) == (f"{msgid}#2302.2", "V2")
    assert (second["line"], second["batch"], second["person"]) == (None, None, None)
    assert {str(row["cancelled_at"]) for row in (first, second)} == {"2026-03-18 09:50:39"}


def test_a_withdrawal_of_a_charge_batch_is_one_record(store: NodeStore, tmp_path: Path) -> None:
    documents = [m.withdrawal(1, "B1", infno="2205"), m.withdrawal(2, infno="2205")]

    m.ingest_documents(store, tmp_path / "a.jsonl", documents)

    rows = m.rows_of(store, "cancellation")
    assert all(row.items() >= COMMON.items() for row in rows)
    assert [(row["line"], row["batch"]) for row in rows] == [(None, "B1"), (None, None)]


def test_a_withdrawal_is_kept_once(store: NodeStore, tmp_path: Path) -> None:
    document = m.withdrawal(1, "F0001", "F0002", "F0001")
    m.ingest_documents(store, tmp_path / "a.jsonl", [document])

    again = m.ingest_documents(store, tmp_path / "b.jsonl", [document])

    assert (again.already_seen, again.records_stored) == (1, {})
    assert [row["line"] for row in m.rows_of(store, "cancellation")] == ["F0001", "F0002"]


@pytest.mark.parametrize("infno", ["2205", "2302"])
def test_a_withdrawal_that_was_not_accepted_takes_nothing_back(
    store: NodeStore, tmp_path: Path, infno: str
) -> None:
    waiting, refused = m.withdrawal(2, infno=infno), m.withdrawal(3, infno=infno)
    del waiting["response"]
    refused["response"]["infcode"] = -1

    report = m.ingest_documents(
        store, tmp_path / "a.jsonl", [m.fees(1), waiting, refused, m.settlement(4)]
    )

    assert (report.pending, report.not_accepted) == (1, 1)
    assert m.rows_of(store, "cancellation") == []
    assert _work(store) == [(202603, 1, 7120)]


def test_a_withdrawal_outside_the_period_is_refused(store: NodeStore, tmp_path: Path) -> None:
    path = m.write_lines(tmp_path / "a.jsonl", [m.withdrawal(1)])

    report = m.ingest(store, path, expected_months=frozenset({202602}))

    assert report.by_rule == {Rule.DATE_OUTSIDE_PERIOD: 1}


@pytest.mark.parametrize(
    ("uploads", "withdrawn"),
    [("2204", m.withdrawal(2, infno="2205")), ("2301", m.withdrawal(2, "F0001", "F0002"))],
)
def test_lines_withdrawn_and_uploaded_again_count_once_in_any_order_of_files(
    tmp_path: Path, uploads: str, withdrawn: m.Document
) -> None:
    parts = [m.fees(1, infno=uploads), withdrawn, m.fees(3, infno=uploads), m.settlement(4)]
    for turn, order in enumerate(permutations(parts)):
        if turn % 4:
            continue
        with m.open_store(tmp_path / str(turn)) as store:
            for number, part in enumerate(order):
                m.ingest_documents(store, tmp_path / f"{number}.jsonl", [part])
            assert _work(store) == [(202603, 1, 7120)]


def test_lines_withdrawn_for_good_do_not_count(store: NodeStore, tmp_path: Path) -> None:
    documents = [m.fees(1, lines=3), m.withdrawal(2, "F0002"), m.settlement(3)]
    m.ingest_documents(store, tmp_path / "a.jsonl", documents)
    assert _work(store) == [(202603, 1, 7120)]

    first = m.fees(4, lines=1)
    first["request"]["input"]["feedetail"][0]["mdtrt_id"] = "V2"
    m.ingest_documents(store, tmp_path / "b.jsonl", [first, m.withdrawal(5, visit="V2")])
    m.ingest_documents(store, tmp_path / "c.jsonl", [m.settlement(6, request={"mdtrt_id": "V2"})])
    assert _work(store) == [(202603, 1, 7120)]


@pytest.mark.parametrize(
    "idle",
    [
        [m.withdrawal(2, "F0009")],
        [m.withdrawal(2, "F0001", visit="330302G0000000100077")],
        [m.withdrawal(2, "B9", infno="2205")],
        [m.withdrawal(9, "F0001")],
        [m.withdrawal(9, infno="2205"), m.withdrawal(8)],
    ],
    ids=["no such line", "other visit", "no such batch", "settled line", "settled visit"],
)
def test_a_withdrawal_of_nothing_that_could_be_withdrawn_is_kept_and_harmless(
    store: NodeStore, tmp_path: Path, idle: list[m.Document]
) -> None:
    documents = [m.fees(1, chrg_bchno="B1"), m.settlement(5), *idle]

    report = m.ingest_documents(store, tmp_path / "a.jsonl", documents)

    assert (report.quarantined, report.records_stored["cancellation"]) == (0, len(idle))
    assert _work(store) == [(202603, 1, 7120)]


def test_another_institutions_withdrawal_is_harmless(store: NodeStore, tmp_path: Path) -> None:
    other = m.withdrawal(2)
    other["request"].update(
        fixmedins_code=m.PHARMACY, msgid=m.PHARMACY + other["request"]["msgid"][12:]
    )

    m.ingest_documents(store, tmp_path / "a.jsonl", [m.fees(1), other, m.settlement(5)])

    assert _work(store) == [(202603, 1, 7120)]


def test_after_a_reversal_lines_can_be_withdrawn(store: NodeStore, tmp_path: Path) -> None:
    settled = m.settlement(2)
    documents = [
        m.fees(1), settled, _undone(3, settled), m.withdrawal(4, infno="2205"),
        m.fees(5, lines=1), m.settlement(6),
    ]  # fmt: skip

    m.ingest_documents(store, tmp_path / "a.jsonl", documents)

    assert _work(store) == [(202603, 1, 3560)]


def test_a_withdrawal_of_all_leaves_the_batch_that_is_settled(
    store: NodeStore, tmp_path: Path
) -> None:
    documents = [
        _batch(1, batch="B1"), _batch(2, line=2, batch="B2"), _settled(3, "B1"),
        m.withdrawal(4, infno="2205"), _batch(5, line=3, batch="B3"), _settled(6, "B3"),
        m.withdrawal(7, "B3", infno="2205"),
    ]  # fmt: skip

    m.ingest_documents(store, tmp_path / "a.jsonl", documents)

    assert [row["batch"] for row in m.rows_of(store, "fee_detail")] == ["B1", "B2", "B3"]
    assert [row["batch"] for row in m.rows_of(store, "settlement")] == ["B1", "B3"]
    assert _work(store) == [(202603, 1, 7120)]


def test_what_a_pharmacy_sold_is_settled_by_its_own_message(
    store: NodeStore, tmp_path: Path
) -> None:
    sale = m.pharmacy_sale(1)
    late = m.withdrawal(2, visit="330302G0000000100009", infno="2205")
    late["request"].update(
        fixmedins_code=m.PHARMACY, msgid=m.PHARMACY + late["request"]["msgid"][12:]
    )

    m.ingest_documents(store, tmp_path / "a.jsonl", [sale, late])

    assert _work(store) == [(202603, 1, 4600)]


def test_withdrawals_leave_the_measures_of_settlements_and_stays_alone(
    store: NodeStore, tmp_path: Path
) -> None:
    sets = [load_catalog().measure_sets[name] for name in ("settlement", "inpatient")]
    stay = [m.admission(1), m.fees(2), m.discharge(3), m.settlement(4, infno="2304")]
    m.ingest_documents(store, tmp_path / "a.jsonl", stay)
    before = [store.measure_rows(one) for one in sets]

    taken = [m.withdrawal(5), m.withdrawal(6, visit="330302G0000000100002", infno="2205")]
    m.ingest_documents(store, tmp_path / "b.jsonl", taken)

    assert [store.measure_rows(one) for one in sets] == before


def _earlier(catalog: Catalog, kinds: Sequence[str], *left_out: str) -> Catalog:
    """Give a catalogue in which records of some kinds lack some columns."""
    records = {
        name: replace(kind, schema=tuple(one for one in kind.schema if one[0] not in left_out))
        for name, kind in catalog.records.items()
        if name in kinds
    }
    return replace(catalog, records={**catalog.records, **records})


@pytest.mark.parametrize("flushed", [0, 1, 6])
def test_records_of_an_earlier_catalogue_are_read_on(tmp_path: Path, flushed: int) -> None:
    earlier = _earlier(load_catalog(), ("fee_detail", "settlement"), "batch")
    with NodeStore(tmp_path / "node", Vault(m.VAULT_KEY), catalog=earlier) as before:
        before.set_institutions([Institution(code=m.HOSPITAL)])
        for number in range(1, 7):
            visit = {} if number == 1 else {"mdtrt_id": f"V{number}"}
            document = m.fees(number, lines=2 if number == 1 else 1, **visit)
            m.ingest_documents(before, tmp_path / "a.jsonl", [document])
            if number <= flushed:
                before.flush()
        assert "batch" not in m.rows_of(before, "fee_detail")[0]

    with m.open_store(tmp_path / "node") as store:
        documents = [m.withdrawal(7), m.fees(8, chrg_bchno="B1"), m.settlement(9)]
        m.ingest_documents(store, tmp_path / "b.jsonl", documents)
        found = [_work(store)]
        store.flush()
        found.append(_work(store))
        batches = [row["batch"] for row in m.rows_of(store, "fee_detail")]

    assert found == [[(202603, 1, 7120)]] * 2
    # What was taken back and sent again is a new version of the lines.
    assert batches == [None] * 5 + ["B1", None]


def test_records_that_lack_what_may_not_be_null_are_not_read(tmp_path: Path) -> None:
    earlier = _earlier(load_catalog(), ("fee_detail",), "local_code")
    with NodeStore(tmp_path / "node", Vault(m.VAULT_KEY), catalog=earlier) as before:
        before.set_institutions([Institution(code=m.HOSPITAL)])
        m.ingest_documents(before, tmp_path / "a.jsonl", [m.fees(1)])

    with (
        m.open_store(tmp_path / "node") as store,
        pytest.raises(StoreError, match="lack local_code"),
    ):
        m.rows_of(store, "fee_detail")


def test_a_withdrawal_leaves_another_visit_of_the_same_msgid_alone(
    store: NodeStore, tmp_path: Path
) -> None:
    other = "330302G0000000100002"
    documents = [
        m.fees(1, 1),
        m.fees(1, 1, infno="2301", mdtrt_id=other),
        m.withdrawal(4, "F0001", visit=other),
        m.settlement(5),
        m.settlement(6, infno="2304", request={"mdtrt_id": other}),
    ]

    m.ingest_documents(store, tmp_path / "a.jsonl", documents)

    assert _work(store) == [(202603, 1, 3560)]
