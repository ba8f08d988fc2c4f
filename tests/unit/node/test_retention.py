"""Records whose time is over go as whole months; what was stated of them stays."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from node.config import NODE_KEY
from node.domain.rule_hits import HitBody, encode_body, hit_id
from node.domain.topic_findings import FindingBody, TopicFinding
from node.jobs import NodeJobs
from node.reports import measure_reports
from node.retention import due_months, frozen_through, retain
from node.store.findings import Findings
from node.store.hits import SealedHit
from node.store.rule_runs import NewRun
from node.store.scores import ScoreStore
from scoring_kernel import load_catalog
from security.at_rest import Vault
from security.progress import no_progress
from tests.support import node_messages as m

CATALOG = load_catalog()
YEARS = CATALOG.records["fee_detail"].retention_years


def _fees(number: int, day: str) -> m.Document:
    document = m.fees(number, lines=2)
    for line in document["request"]["input"]["feedetail"]:
        line["mdtrt_id"] = f"330302G000000010000{number}"
        line["fee_ocur_time"] = f"{day} 10:00:00"
    return document


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[NodeJobs]:
    """A node with fee details of three months."""
    days = ("2026-01-31", "2026-02-01", "2026-06-05")
    with m.open_store(tmp_path / "node") as store:
        documents = [_fees(number, day) for number, day in enumerate(days, start=1)]
        m.ingest_documents(store, tmp_path / "a.jsonl", documents)
        store.flush()
        scores = ScoreStore(tmp_path / "node")
        yield NodeJobs(
            directory=tmp_path / "node",
            catalog=CATALOG,
            store=store,
            scores=scores,
            link=None,
            now=lambda: datetime(2026 + YEARS, 2, 1, tzinfo=UTC),
        )
        scores.close()


@pytest.mark.parametrize(
    ("now", "months"),
    [
        # The last of January, six years on, 23:59 and then midnight in Shanghai.
        (datetime(2026 + YEARS, 1, 31, 15, 59, tzinfo=UTC), ()),
        (datetime(2026 + YEARS, 1, 31, 16, 0, tzinfo=UTC), (202601,)),
        (datetime(2026 + YEARS, 3, 1, tzinfo=UTC), (202601, 202602)),
        (datetime(2027 + YEARS, 1, 1, tzinfo=UTC), (202601, 202602, 202606)),
    ],
)
def test_a_month_is_due_when_its_last_day_lies_back_long_enough(
    jobs: NodeJobs, now: datetime, months: tuple[int, ...]
) -> None:
    due = {one.kind: one for one in due_months(jobs.store, CATALOG, now)}
    assert due["fee_detail"].months == months if months else "fee_detail" not in due
    if months:
        assert due["fee_detail"].records == 2 * len(months)
        assert due["fee_detail"].basis in CATALOG.legal_basis


def test_nothing_is_deleted_until_asked(jobs: NodeJobs) -> None:
    size, digest = jobs.store.ledger_size(), jobs.store.digest()
    shown = jobs.retain({}, no_progress)
    assert [one["kind"] for one in shown["due"]] == ["fee_detail"]
    assert shown["deleted"] == {}
    assert jobs.store.digest() == digest
    done = jobs.retain({"apply": True}, no_progress)
    assert done["deleted"] == {"fee_detail": 2}
    assert jobs.store.counts().records["fee_detail"] == 4
    assert jobs.store.ledger_size() == size, "a leaf is never removed"
    assert jobs.retain({"apply": True}, no_progress) == {"due": [], "deleted": {}}


def test_a_frozen_month_and_the_two_after_it_are_not_stated_again(
    jobs: NodeJobs, tmp_path: Path
) -> None:
    days = ("2026-01-10", "2026-02-10", "2026-03-10", "2026-04-10", "2026-05-10")
    settled = [
        m.settlement(number, response={"setl_time": f"{day} 09:00:00"})
        for number, day in enumerate(days, start=20)
    ]
    m.ingest_documents(jobs.store, tmp_path / "c.jsonl", settled)

    def stated() -> dict[str, set[int]]:
        return {
            report.measure_set: {month for _, month, _ in report.slots()}
            for report in measure_reports(jobs)
        }

    before = stated()
    assert before["settlement"] == {202601, 202602, 202603, 202604, 202605}
    jobs.retain({"apply": True}, no_progress)
    after = stated()
    assert after["settlement"] == {202604, 202605}
    # Messages are not deleted; only zeros of months before the first record are said no more.
    assert after["interface"] == before["interface"] - {202601, 202602}


def test_records_of_a_frozen_month_do_not_come_back(jobs: NodeJobs, tmp_path: Path) -> None:
    due = due_months(jobs.store, CATALOG, jobs.now())
    assert retain(jobs.store, due, no_progress) == {"fee_detail": 2}
    m.ingest_documents(jobs.store, tmp_path / "b.jsonl", [_fees(9, "2026-01-15")])
    assert jobs.store.months_held()["fee_detail"] == {202602: 2, 202606: 2}


def test_deleted_records_are_on_disk_no_more(jobs: NodeJobs) -> None:
    files = {path.name for path in (jobs.directory / "records").iterdir()}
    jobs.retain({"apply": True}, no_progress)
    left = {path.name for path in (jobs.directory / "records").iterdir()}
    assert files - left
    assert all("202601" not in name for name in left)


def test_the_last_frozen_month_counts() -> None:
    assert frozen_through([202601, 202511]) == 202603
    assert frozen_through([202511]) == 202601
    assert frozen_through([]) == 0


def _hit(jobs: NodeJobs, month: int) -> None:
    supervision = jobs.store.supervision
    name = hit_id(supervision.secret(), "M01", [str(month)])
    body = HitBody(persons=("P",), visits=(), staff=(), keys=(), evidence=(), records=0)
    sealed = SealedHit(
        id=name,
        version="-",
        institution="H33030200001",
        month=month,
        at=f"{month // 100}-{month % 100:02d}-02T09:00:00",
        amount_fen=5,
        verdict="violation",
        digest=bytes(8),
        body=supervision.seal(name, encode_body(body)),
    )
    run = supervision.begin(
        NewRun(
            started_at="2026-11-22T00:00:00+00:00",
            book_digest=bytes(32),
            knowledge_digest=bytes(32),
            first_month=190_001,
            last_month=999_912,
        )
    )
    supervision.keep(run, "M01", [sealed], [])


def _finding(jobs: NodeJobs, month: int) -> None:
    one = TopicFinding(
        id=month.to_bytes(16, "big"),
        topic="T04",
        version="-",
        institution="H33030200001",
        month=month,
        amount_fen=0,
        verdict="warning",
        severity="mid",
        body=FindingBody(staff=None, person=None, visit=None, measures=()),
    )
    with Findings(jobs.directory, Vault.load(jobs.directory / NODE_KEY)) as kept:
        kept.replace("T04", month, b"", [one], "2026-11-22T00:00:00+00:00")


@pytest.mark.parametrize(
    ("now", "month"),
    [
        # The last of January, six years on, 23:59 and then midnight in Shanghai.
        (datetime(2026 + YEARS, 1, 31, 15, 59, tzinfo=UTC), None),
        (datetime(2026 + YEARS, 1, 31, 16, 0, tzinfo=UTC), 202601),
    ],
)
def test_hits_and_findings_go_with_the_records_they_rest_on(
    jobs: NodeJobs, now: datetime, month: int | None
) -> None:
    assert CATALOG.joining.node_clues.years == YEARS
    Vault.create(jobs.directory / NODE_KEY)
    for each in (202601, 202602):
        _hit(jobs, each)
        _finding(jobs, each)
    jobs = replace(jobs, now=lambda: now)
    kinds = {"rule_hit", "topic_finding"}
    due = {one["kind"]: one["months"] for one in jobs.retain({}, no_progress)["due"]}
    assert {kind: due[kind] for kind in kinds & due.keys()} == (
        {} if month is None else dict.fromkeys(kinds, (month,))
    )
    done = jobs.retain({"apply": True}, no_progress)["deleted"]
    assert {done.get(kind) for kind in kinds} == ({None} if month is None else {1})
    left = [202601, 202602] if month is None else [202602]
    assert sorted(one.month for one in jobs.store.supervision.hits()) == left
    with Findings(jobs.directory, Vault.load(jobs.directory / NODE_KEY)) as kept:
        assert sorted(one.month for one in kept.standing()) == left
