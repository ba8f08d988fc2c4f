"""Overrides, bed rounds, duty and reports: by the jobs that the command line asks for."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from node.domain.face_templates import NewTemplate, Purpose, Subject
from node.edge_jobs import READERS
from node.edge_settings import EdgeSettings, FaceSettings
from node.errors import ConfigurationError, PresenceError
from node.presence.receiving import PresenceDesk
from node.presence_jobs import PresenceJobs
from node.store import Commit
from node.store.operator_log import OperatorLog
from protos.yixin.v1 import edge_pb2
from scoring_kernel import load_catalog
from security.moments import to_ms
from security.progress import no_progress
from tests.support.face_templates import MODEL, terminal
from tests.support.node_messages import HOSPITAL, PERSON, PHARMACY, ingest_documents, settlement
from tests.support.presence_desk import AT, BY, Desk, calibrate, join

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ABSENT = {"result": edge_pb2.PRESENCE_RESULT_ABSENT, "model": b"", "liveness": 0}
CHECK = edge_pb2.PRESENCE_PURPOSE_BED_CHECK


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    opened = Desk(tmp_path / "node", duty_every_h=4)
    yield opened
    opened.close()


def run(desk: Desk, job: str, now: datetime = AT, **arguments: Any) -> Any:  # noqa: ANN401 - JSON
    jobs = PresenceJobs(catalog=load_catalog(), store=desk.store, now=lambda: now).table()
    told: dict[str, Any] = {"operator": "wang", "days": 1, "limit": 50, **arguments}
    return json.loads(json.dumps(jobs[job](told, no_progress)))


def put(desk: Desk, kind: str, *rows: dict[str, Any]) -> None:
    """Keep records; what is not given is empty."""
    schema = desk.store.schemas[kind]
    blank = {"string": "", "bool": False, "int64": 0, "int32": 202607, "int8": 1}
    filled = [
        {field.name: None if field.nullable else blank.get(str(field.type)) for field in schema}
        | {"record_id": f"{kind}-{number}-{desk.store.ledger_size()}", "institution": HOSPITAL}
        | row
        for number, row in enumerate(rows)
    ]
    desk.store.commit(Commit(records={kind: pa.Table.from_pylist(filled, schema)}))


def stay(number: int, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - columns
    at = datetime(2026, 7, 10, 9)  # noqa: DTZ001 - wall clock of the records
    return {
        "mdtrt_id": f"S{number:02d}",
        "person": f"P{number:02d}",
        "inpatient": True,
        "admitted_at": at,
        **changes,
    }


def test_an_override_is_a_record_an_account_and_a_line_in_the_log(desk: Desk) -> None:
    asked: dict[str, Any] = {"institution": HOSPITAL, "person": PERSON, "reason_code": "manual"}
    told = run(desk, "presence_override", **asked, reason="终端故障，已核对身份证", visit="V1")
    (row,) = desk.rows()
    assert (row["record_id"], row["person"], row["mdtrt_id"]) == (told["record"], PERSON, "V1")
    assert (row["result"], row["place"], row["reason_code"]) == ("absent", "window", "manual")
    assert row["override_reason"] == "终端故障，已核对身份证"
    assert str(row["at"]) == "2026-07-15 12:00:00"
    (kept,) = desk.store.edge.presence.overrides("2026-07-15", "2026-07-16")
    assert (kept.operator, kept.reason, kept.told["person"]) == ("wang", "manual", PERSON)
    (entry,) = OperatorLog(desk.store._connection).entries(1)  # noqa: SLF001 - the log
    assert (entry.action, entry.subject) == ("presence_override", told["record"])
    assert PERSON not in entry.detail + entry.subject
    assert "终端" not in entry.detail


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"reason": ""}, "say why"),
        ({"reason": "忘了卡"}, "say why"),
        ({"reason": "x" * 201}, "at most 200"),
        ({"reason": "忘了\n带卡"}, "one line"),
        ({"reason_code": "proxy"}, "verified at a terminal"),
        ({"reason_code": "friend"}, "expected one of"),
        ({"institution": "H99999999999"}, "no institution of this node"),
        ({"person": "张三"}, "--person"),
        ({"person": ""}, "--person"),
        ({"visit": "a b"}, "--visit"),
    ],
)
def test_an_override_without_a_reason_or_a_person_is_refused(
    desk: Desk, changes: dict[str, str], words: str
) -> None:
    asked: dict[str, Any] = {"institution": HOSPITAL, "person": PERSON, "reason_code": "manual"}
    with pytest.raises(PresenceError, match=words):
        run(desk, "presence_override", **{**asked, "reason": "终端故障已核对", **changes})
    with pytest.raises(ConfigurationError, match="--operator"):
        run(desk, "presence_override", **asked, reason="终端故障已核对", operator="")
    assert desk.rows() == []


def test_a_round_draws_those_who_lie_in_bed(desk: Desk) -> None:
    put(
        desk,
        "admission",
        *(stay(number) for number in range(1, 11)),
        stay(11, inpatient=False),
        stay(12, admitted_at=datetime(2026, 7, 15, 13)),  # noqa: DTZ001 - wall clock
        stay(13, institution=PHARMACY),
    )
    left = datetime(2026, 7, 12, 9)  # noqa: DTZ001 - wall clock
    gone = {"discharged_at": left, "person": "P"}
    put(desk, "discharge", {"mdtrt_id": "S01", **gone}, {"mdtrt_id": "S02", **gone})
    undone = {"cancelled_at": left + timedelta(hours=1), "person": "P"}
    put(
        desk,
        "cancellation",
        {"mdtrt_id": "S02", "what": "discharge", **undone},
        {"mdtrt_id": "S03", "what": "admission", **undone},
    )
    with pytest.raises(PresenceError, match="no active bed device"):
        run(desk, "presence_round", institution=HOSPITAL, share="1")
    beds = [join(desk.store, "bed", f"b{number}") for number in (1, 2)]
    told = run(desk, "presence_round", institution=HOSPITAL, share="1", seed=7, until="22:00")
    assert (told["inpatients"], told["drawn"], told["seed"]) == (8, 8, 7)
    assert told["until"] == "2026-07-15T22:00+08:00"
    assert told["asks"] == {one.row.id: 4 for one in beds}
    asks = [ask for one in beds for ask in desk.desk.asks(one.row, 64, AT)]
    assert sorted(ask.visit for ask in asks) == ["S02", *(f"S{n:02d}" for n in range(4, 11))]
    assert desk.desk.asks(desk.window.row, 64, AT) == ()
    assert desk.desk.asks(beds[0].row, 64, AT + timedelta(hours=10)) == ()
    assert len(desk.desk.asks(beds[0].row, 1, AT)) == 1


@pytest.mark.parametrize("share", ["0.2", "1/8", "1"])
def test_a_draw_can_be_repeated_by_its_seed(tmp_path: Path, share: str) -> None:
    drawn = []
    for name in ("one", "two"):
        desk = Desk(tmp_path / name)
        put(desk, "admission", *(stay(number) for number in range(1, 9)))
        bed = join(desk.store, "bed", "b1")
        told = run(desk, "presence_round", institution=HOSPITAL, share=share, seed=3)
        drawn.append([ask.visit for ask in desk.desk.asks(bed.row, 64, AT)])
        assert len(drawn[-1]) == told["drawn"] == {"0.2": 2, "1/8": 1, "1": 8}[share]
        desk.close()
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize("share", ["0", "-1", "1.01", "all", "1/0", ""])
def test_a_share_that_is_none_is_refused(desk: Desk, share: str) -> None:
    with pytest.raises(ConfigurationError, match="--share"):
        run(desk, "presence_round", institution=HOSPITAL, share=share)


def test_an_ask_is_answered_once_and_by_its_device_alone(desk: Desk) -> None:
    put(desk, "admission", stay(1), stay(2))
    bed, other = (join(desk.store, "bed", name) for name in ("b1", "b2"))
    run(desk, "presence_round", institution=HOSPITAL, share="1", seed=1)
    (mine,), (theirs,) = (desk.desk.asks(one.row, 64, AT) for one in (bed, other))
    found = {"purpose": CHECK, "person": mine.person, "visit": mine.visit, **ABSENT}
    assert desk.one(bed, **{**found, "round": theirs.id}) == "round"
    assert desk.one(bed, **{**found, "round": mine.id, "person": "P99"}) == "round"
    assert len(desk.desk.asks(bed.row, 64, AT)) == 1
    assert desk.one(bed, **found, round=mine.id) == ""
    assert desk.desk.asks(bed.row, 64, AT) == ()
    # What nobody answered is told as such, and is no record.
    later = AT + timedelta(hours=3)
    report = run(desk, "presence_report", later, month=202607)
    assert report["unanswered"] == {other.row.id: 1}
    assert [row["person"] for row in desk.rows()] == [mine.person]
    # A node that was restored does not know the ask: what was seen still counts.
    assert desk.one(bed, **found, round="bed-unknown") == ""


def test_pharmacists_are_asked_for_once_a_turn(desk: Desk) -> None:
    counter = join(desk.store, "pharmacy", "p1", PHARMACY)
    staff = {"institution": PHARMACY, "type": "3", "name": "x", "stated_at": _wall(7, 1)}
    put(
        desk,
        "staff_member",
        {**staff, "staff": "D1", "begins_at": _wall(1, 1)},
        {**staff, "staff": "D2", "begins_at": _wall(1, 1)},
        {**staff, "staff": "D3", "begins_at": _wall(1, 1), "type": "1"},
        {**staff, "staff": "D4", "begins_at": _wall(1, 1), "ends_at": _wall(7, 15)},
    )
    for name in ("D1", "D3", "D4"):
        _enrol(desk, name)
    (ask,) = desk.desk.asks(counter.row, 64, AT)
    assert (ask.person, ask.purpose, ask.label) == ("D1", "duty", "药师在岗核验")
    assert desk.desk.asks(counter.row, 64, AT + timedelta(minutes=29)) == (ask,)
    anew = PresenceDesk(desk.store, FaceSettings(duty_every_h=4), EdgeSettings())
    assert anew.asks(counter.row, 64, AT + timedelta(minutes=5)) == (ask,)
    assert desk.desk.asks(counter.row, 64, AT + timedelta(minutes=31)) == ()
    (later,) = desk.desk.asks(counter.row, 64, AT + timedelta(hours=4))
    assert later.id != ask.id
    assert desk.desk.asks(desk.window.row, 64, AT) == ()
    calibrate(desk.store, site=PHARMACY)
    duty = {"purpose": edge_pb2.PRESENCE_PURPOSE_DUTY, "person": "D1", "round": later.id}
    assert desk.one(counter, **duty) == ""
    assert desk.desk.asks(counter.row, 64, AT + timedelta(hours=4)) == ()
    (row,) = desk.rows("duty_event")
    assert (row["staff"], row["result"]) == ("D1", "match")


def test_a_report_tells_verdicts_reasons_and_what_does_not_fit(desk: Desk, tmp_path: Path) -> None:
    desk.one(visit="V1")
    desk.one(visit="V1", threshold_e4=9000)
    desk.one(score_e4=10)
    desk.one(liveness=edge_pb2.LIVENESS_NOT_CHECKED)
    desk.one(at_ms=to_ms(AT + timedelta(hours=1)))
    voucher: dict[str, Any] = {**ABSENT, "reason": edge_pb2.REASON_CODE_VOUCHER, "staff": "N1"}
    paid = "330302G0000000100001"
    desk.one(**voucher, visit=paid)
    desk.one(**voucher, visit="nowhere")
    emergency: dict[str, Any] = {**ABSENT, "reason": edge_pb2.REASON_CODE_EMERGENCY, "staff": "N2"}
    desk.one(**emergency, visit=paid)
    # The settlement was made with a card, and is of an ordinary visit.
    ingest_documents(desk.store, tmp_path / "a.jsonl", [settlement(1)])
    report = run(desk, "presence_report", month=202607)
    (device,) = report["devices"]
    assert {name: device[name] for name in ("events", "match", "mismatch", "unjudged")} == {
        "events": 8,
        "match": 2,
        "mismatch": 1,
        "unjudged": 1,
    }
    assert (device["absent"], device["refused"], device["differs"]) == (3, 1, 1)
    assert device["unjudged_by"] == {"liveness_not_checked": 1}
    assert device["refused_by"] == {"clock": 1}
    assert [(one["reason_code"], one["by"], one["count"]) for one in report["let_pass"]] == [
        ("emergency", "N2", 1),
        ("voucher", "N1", 2),
    ]
    assert report["let_pass"][1]["share_e4"] == 2 * 10_000 // 7
    asked: dict[str, Any] = {"institution": HOSPITAL, "person": PERSON, "reason_code": "manual"}
    run(desk, "presence_override", **asked, reason="终端故障，已核对身份证")
    overridden = run(desk, "presence_report", month=202607)["let_pass"][1]
    assert (overridden["reason_code"], overridden["by"]) == ("manual", "wang")
    assert overridden["share_e4"] == 10_000 // 8
    names = ("reason_code", "count", "not_settled", "inconsistent")
    assert [tuple(one[name] for name in names) for one in report["fitting"]] == [
        ("emergency", 1, 0, 1),
        ("voucher", 2, 1, 1),
    ]
    assert PERSON not in json.dumps(report)
    assert run(desk, "presence_report", month=202606)["devices"] == []
    elsewhere = run(desk, "presence_report", month=202607, institution=PHARMACY)
    assert (elsewhere["devices"], elsewhere["let_pass"]) == ([], [])


@pytest.mark.parametrize("month", [0, 202600, 202613, 20261, 2026011])
def test_a_month_that_is_none_is_refused(desk: Desk, month: int) -> None:
    with pytest.raises(ConfigurationError, match="yyyymm"):
        run(desk, "presence_report", month=month)


def test_a_device_is_silent_after_a_day(desk: Desk) -> None:
    def silent(after: timedelta) -> list[str]:
        report = run(desk, "presence_report", AT + after, month=202607)
        return [one["device"] for one in report["silent"]]

    assert silent(timedelta(hours=24)) == []
    assert silent(timedelta(hours=24, seconds=1)) == [desk.window.row.id]
    desk.deliver(desk.window.event(1), now=AT + timedelta(hours=2))
    assert silent(timedelta(hours=25)) == []


def test_events_are_listed_without_persons(desk: Desk) -> None:
    desk.one()
    desk.one(score_e4=1)
    listed = run(desk, "presence")
    assert [one["verdict"] for one in listed["rows"]] == ["mismatch", "match"]
    assert PERSON not in json.dumps(listed)
    assert run(desk, "presence", institution=PHARMACY)["rows"] == []
    assert {"presence", "presence_report"} <= set(READERS)


def _wall(month: int, day: int) -> datetime:
    return datetime(2026, month, day)  # noqa: DTZ001 - wall clock of the records


def _enrol(desk: Desk, staff: str) -> None:
    templates = desk.store.edge.templates
    terminal(desk.store).desk.transform(AT)
    newest = templates.transforms.newest()
    assert newest is not None
    templates.enrol(
        [
            NewTemplate(
                person=staff,
                subject=Subject.STAFF,
                purposes=frozenset((Purpose.DUTY,)),
                consent="C1",
                consent_at=datetime(2026, 1, 1, tzinfo=UTC).isoformat(),
                model=MODEL,
                epoch=newest.epoch,
                vector=np.eye(64, dtype=np.float32)[0],
                device="",
                expires_on=AT.date() + timedelta(days=100),
            )
        ],
        BY,
        30,
    )
