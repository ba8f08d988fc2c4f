"""Which rows of a topic are findings about somebody, and that they are the same in every run."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from node.store.findings import Findings
from node.store.month_rows import MonthRows, SetMonth
from node.supervision.noticing import NoticeReport, Noticing
from node.supervision.topics import TopicDesk
from scoring_kernel.supervision.loading import load_supervision
from security.at_rest import Vault
from tests.support.node_messages import VAULT_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from node.domain.topic_findings import TopicFinding

SUPERVISION = load_supervision()
FEBRUARY, MARCH = 202602, 202603
SECRET = b"k" * 32
Rows = dict[tuple[str, ...], dict[str, int]]


class Bench:
    """Measures that were put by hand, and the findings over them."""

    def __init__(self, rows: MonthRows, kept: Findings) -> None:
        self.rows = rows
        self.kept = kept
        self.counted = 0

    def put(self, name: str, month: int, rows: Rows) -> None:
        one = SUPERVISION.sets[name]
        columns: dict[str, pa.Array] = {
            key: pa.array([row[at] for row in rows], pa.string()) for at, key in enumerate(one.keys)
        }
        for measure in one.measures:
            given = [row.get(measure.id, 0) for row in rows.values()]
            columns[measure.id] = pa.array(given, pa.int64())
        self.counted += 1
        inputs = self.counted.to_bytes(4, "big")
        table = pa.table(columns)
        self.rows.replace(SetMonth(measure_set=name, month=month, inputs=inputs, rows=table))

    def run(self, topic: str, month: int = MARCH, *, secret: bytes = SECRET) -> NoticeReport:
        desk = TopicDesk(
            kept=self.rows,
            supervision=SUPERVISION,
            peers={},
            grades=[],
            mask=lambda text: f"#{text}",
        )
        found = desk.run([SUPERVISION.topics[topic]], month)
        at = datetime(2026, 5, 1, tzinfo=UTC)
        noticing = Noticing(desk=desk, kept=self.kept, secret=secret, at=at)
        return noticing.keep(found, (FEBRUARY, MARCH))

    @property
    def standing(self) -> list[TopicFinding]:
        return [*self.kept.standing()]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    vault = Vault(VAULT_KEY)
    with ExitStack() as stack:
        yield Bench(
            stack.enter_context(MonthRows(tmp_path, vault)),
            stack.enter_context(Findings(tmp_path, vault)),
        )


def readmissions(bench: Bench, *, bad: int = 60, month: int = MARCH) -> None:
    """Two hospitals of 1,000 discharges; at the first ``bad`` are readmitted, ten at the other."""
    rows: Rows = {
        ("H1",): {"discharges": 1000, "readmissions_15d": bad},
        ("H2",): {"discharges": 1000, "readmissions_15d": 10},
    }
    bench.put("stay", month, rows)


def test_an_alert_about_an_institution_is_a_finding_with_its_measures(bench: Bench) -> None:
    readmissions(bench)
    assert bench.run("T04") == NoticeReport(findings=1, new=1, gone=0)
    (found,) = bench.standing
    assert (found.topic, found.institution, found.month) == ("T04", "H1", MARCH)
    assert (found.version, found.verdict, found.severity) == ("2021-05-01", "suspicion", "mid")
    assert (found.amount_fen, found.body.person, found.body.staff) == (0, None, None)
    (measure,) = found.body.measures
    assert (measure.measure_set, measure.month, measure.months) == ("stay", MARCH, 1)
    assert len(measure.digest) == 32


def test_a_row_below_the_threshold_is_no_finding(bench: Bench) -> None:
    readmissions(bench, bad=11)
    assert bench.run("T04") == NoticeReport(findings=0, new=0, gone=0)


def test_a_second_run_finds_the_same_and_another_node_other_ids(bench: Bench) -> None:
    readmissions(bench)
    bench.run("T04")
    before = bench.standing
    assert bench.run("T04") == NoticeReport(findings=1, new=0, gone=0)
    assert bench.standing == before
    bench.run("T04", secret=b"x" * 32)
    assert bench.standing[0].id != before[0].id


def test_what_holds_no_longer_is_gone_with_the_next_run_of_any_month(bench: Bench) -> None:
    readmissions(bench, month=FEBRUARY)
    assert bench.run("T04", FEBRUARY).new == 1
    readmissions(bench, month=FEBRUARY, bad=10)
    # The run is about March; February read something else than before, and is run again.
    assert bench.run("T04", MARCH) == NoticeReport(findings=0, new=0, gone=1)
    assert bench.standing == []
    readmissions(bench, month=FEBRUARY)
    report = bench.run("T04", MARCH)
    assert (report.findings, report.gone) == (2, 0), "of both months' windows"


def test_an_unusual_day_is_a_finding_in_its_own_month_only(bench: Bench) -> None:
    days: Rows = {
        ("H1", f"2026-02-{day:02d}"): {"settlements": 10 + day % 3} for day in range(2, 14)
    }
    bench.put("day_load", FEBRUARY, {**days, ("H1", "2026-02-20"): {"settlements": 90}})
    assert bench.run("T17", MARCH) == NoticeReport(findings=0, new=0, gone=0)
    assert bench.run("T17", FEBRUARY) == NoticeReport(findings=1, new=1, gone=0)


def test_persons_keep_their_names_inside_and_a_pair_is_two_findings(bench: Bench) -> None:
    members = ["a", "b", "c", "d"]
    pairs: Rows = {
        (one, other, "H1"): {"days": 3, "fund_fen": 100}
        for at, one in enumerate(members)
        for other in members[at + 1 :]
    }
    bench.put("together", MARCH, pairs)
    assert bench.run("T12").findings == 12
    found = bench.standing
    assert {one.body.person for one in found} == {*members}
    assert len({one.id for one in found}) == 12
    assert {one.amount_fen for one in found} == {100}


def test_a_physician_is_placed_where_most_patients_come(bench: Bench) -> None:
    rows: Rows = {}
    for number in range(1, 8):
        busy = {"visits": 20 + number, "persons": 20, "work_days": 10, "busiest_day": 5 + number}
        money = {"lines": 50, "amount_fen": 10_000 + 100 * number, "drug_fen": 4000 + 50 * number}
        rows["H1", f"D{number}"] = busy | money | {"patient_squares": 30 + number}
    rows["H1", "D1"] |= {"drug_fen": 9900, "amount_fen": 99_000, "busiest_day": 90}
    rows["H2", "D1"] = {"visits": 22, "persons": 20, "work_days": 10}
    bench.put("practice", MARCH, rows)
    bench.run("T07")
    (found,) = [one for one in bench.standing if one.body.staff == "D1"]
    assert found.institution == "H2", "22 visits there, 21 at the other"


def test_a_topic_about_nobody_is_not_kept(bench: Bench) -> None:
    bench.put("care", MARCH, {("H1",): {"settlements": 1, "fund_fen": 10}})
    assert bench.run("T01") == NoticeReport(findings=0, new=0, gone=0)
    assert bench.kept.inputs() == {}
