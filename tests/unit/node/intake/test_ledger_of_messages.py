"""Pending, completed, seen already, in conflict: what the ledger does with a msgid."""

import copy
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from node.intake import ingest_file
from node.intake.batch import BatchIntake
from node.intake.field_rules import compile_intake
from node.intake.lines import Line
from node.intake.report import Tally
from node.store import NodeStore
from scoring_kernel import load_catalog
from tests.support import node_messages as m


def _unanswered(document: m.Document) -> m.Document:
    return {"infno": document["infno"], "request": document["request"]}


def test_a_settlement_without_its_response_is_pending_and_counts_nowhere(
    store: NodeStore, tmp_path: Path
) -> None:
    report = m.ingest_documents(store, tmp_path / "a.jsonl", [_unanswered(m.settlement(1))])

    assert (report.pending, report.records_stored, report.quarantined) == (1, {}, 0)
    assert store.counts().pending == 1
    assert store.ledger_size() == 0


def test_the_response_completes_a_pending_message_once(store: NodeStore, tmp_path: Path) -> None:
    document = m.settlement(1)
    m.ingest_documents(store, tmp_path / "a.jsonl", [_unanswered(document)])

    completed = m.ingest_documents(store, tmp_path / "b.jsonl", [document])
    again = m.ingest_documents(store, tmp_path / "a.jsonl", [_unanswered(document)])

    assert completed.records_stored == {"settlement": 1}
    assert again.already_seen == 1
    counts = store.counts()
    assert (counts.pending, counts.messages, counts.records) == (0, 1, {"settlement": 1})


def test_a_pending_message_completed_within_one_file_counts_once(
    store: NodeStore, tmp_path: Path
) -> None:
    document = m.settlement(1)

    report = m.ingest_documents(
        store, tmp_path / "a.jsonl", [_unanswered(document), document, document]
    )

    assert (report.pending, report.already_seen) == (1, 1)
    assert store.counts().pending == 0
    assert len(m.rows_of(store, "settlement")) == 1


def test_the_same_file_again_changes_nothing(store: NodeStore, tmp_path: Path) -> None:
    documents = [m.fees(1), m.settlement(2), m.fees(3, cnt=-1), _unanswered(m.settlement(4))]
    m.ingest_documents(store, tmp_path / "a.jsonl", documents)
    before = (store.counts(), store.quarantine_rows())

    report = m.ingest_documents(store, tmp_path / "a.jsonl", documents)

    assert (report.already_seen, report.records_stored, report.pending) == (3, {}, 0)
    assert report.quarantined == 1
    assert (store.counts(), store.quarantine_rows()) == before


def test_other_spacing_and_another_order_of_keys_are_the_same_content(
    store: NodeStore, tmp_path: Path
) -> None:
    document = m.settlement(1)
    m.ingest_documents(store, tmp_path / "a.jsonl", [document])
    turned = {
        "response": dict(reversed(document["response"].items())),
        "request": dict(reversed(document["request"].items())),
    }

    assert m.ingest_documents(store, tmp_path / "b.jsonl", [turned]).already_seen == 1


@pytest.mark.parametrize("part", ["request", "response"])
def test_a_known_msgid_with_other_content_is_a_conflict(
    store: NodeStore, tmp_path: Path, part: str
) -> None:
    document = m.settlement(1)
    other = copy.deepcopy(document)
    other[part]["note"] = "changed"

    report = m.ingest_documents(store, tmp_path / "a.jsonl", [document, other])

    assert report.by_rule == {"msgid_conflict": 1}
    (row,) = store.quarantine_rows()
    assert (row.line, row.msgid) == (2, f"{m.HOSPITAL}202603180950390001")
    assert len(m.rows_of(store, "settlement")) == 1


def test_a_msgid_whose_first_message_was_refused_is_free_for_the_corrected_one(
    store: NodeStore, tmp_path: Path
) -> None:
    report = m.ingest_documents(store, tmp_path / "a.jsonl", [m.fees(1, cnt=-1), m.fees(1)])

    assert (report.quarantined, report.records_stored) == (1, {"fee_detail": 2})


def test_a_line_refused_for_an_unknown_institution_goes_in_when_it_is_known(
    store: NodeStore, tmp_path: Path
) -> None:
    custody = [one for one in store.institutions() if one.code == m.HOSPITAL]
    store.set_institutions([])
    refused = m.ingest_documents(store, tmp_path / "a.jsonl", [m.fees(1)])
    store.set_institutions(custody)

    taken = m.ingest_documents(store, tmp_path / "a.jsonl", [m.fees(1)])

    assert refused.by_rule == {"institution_unknown": 1}
    assert taken.records_stored == {"fee_detail": 2}
    assert store.quarantine_count() == 0


def test_batches_do_not_change_what_is_stored(
    store: NodeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.intake.ingest.BATCH_LINES", 3)
    seen: list[int] = []
    path = m.write_lines(tmp_path / "a.jsonl", [m.fees(number) for number in range(1, 8)])

    def progress(stage: str, done: int, total: int = 0, unit: str = "") -> None:
        assert (stage, total, unit) == ("ingest", path.stat().st_size, "bytes")
        seen.append(done)

    report = ingest_file(store, load_catalog(), path, now=m.NOW, progress=progress)

    assert report.records_stored == {"fee_detail": 14}
    assert len(seen) == 3
    assert seen[-1] == path.stat().st_size


@pytest.mark.parametrize("is_accepted_first", [False, True])
def test_a_message_sent_again_until_the_platform_accepted_it_counts_once(
    store: NodeStore, tmp_path: Path, *, is_accepted_first: bool
) -> None:
    accepted = m.settlement(1)
    failed = [copy.deepcopy(accepted), copy.deepcopy(accepted)]
    for number, document in enumerate(failed):
        document["response"] |= {"infcode": -1, "err_msg": f"busy {number}", "output": {}}
    documents = [accepted, *failed] if is_accepted_first else [*failed, accepted]

    reports = [
        m.ingest_documents(store, tmp_path / f"{number}.jsonl", [document])
        for number, document in enumerate(documents)
    ]

    assert sum(report.quarantined for report in reports) == 0
    assert len(m.rows_of(store, "settlement")) == 1
    assert store.counts().messages == 1


def test_two_threads_that_take_in_the_same_messages_store_each_once(
    store: NodeStore, tmp_path: Path
) -> None:
    documents = [m.fees(number, 1) for number in range(1, 200)]
    path = m.write_lines(tmp_path / "a.jsonl", documents)
    lines = [Line(number=number, body=line) for number, line in enumerate(path.open("rb"), 1)]
    rules = compile_intake(load_catalog())

    def call() -> int:
        tally = Tally()
        for line in lines:
            BatchIntake(store, rules, now=m.NOW).take("http", [line], tally)
        return tally.already_seen

    with ThreadPoolExecutor(1) as calls:
        seen = calls.submit(call)
        report = m.ingest(store, path)

    assert report.already_seen + seen.result() == len(documents)
    assert store.counts().messages == len(documents)
