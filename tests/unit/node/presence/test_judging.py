"""What a node holds of an event: its own threshold, liveness, and reason codes."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from node.domain.face_templates import NewProxy
from node.domain.presence import REASON_WORDS, Reason
from protos.yixin.v1 import edge_pb2
from security.moments import to_ms
from tests.support.node_messages import HOSPITAL, PERSON, ingest_documents, settlement
from tests.support.presence_desk import AT, BY, THRESHOLD, Desk, calibrate, join

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMPARED = edge_pb2.PRESENCE_RESULT_COMPARED
UNJUDGED = edge_pb2.PRESENCE_RESULT_UNJUDGED
ABSENT = edge_pb2.PRESENCE_RESULT_ABSENT
SPOOF = edge_pb2.PRESENCE_RESULT_SPOOF
LIVE, FAKE = edge_pb2.LIVENESS_LIVE, edge_pb2.LIVENESS_SPOOF
UNCHECKED = edge_pb2.LIVENESS_NOT_CHECKED
DARK = edge_pb2.UNJUDGED_CAUSE_DARK
PROXY = "33030000000000000000100002"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    opened = Desk(tmp_path / "node")
    yield opened
    opened.close()


def last(desk: Desk) -> dict[str, Any]:
    return desk.rows()[-1]


@pytest.mark.parametrize(
    ("changes", "result", "cause"),
    [
        ({"score_e4": THRESHOLD}, "match", ""),
        ({"score_e4": THRESHOLD - 1}, "mismatch", ""),
        ({"score_e4": -300}, "mismatch", ""),
        ({"liveness": UNCHECKED}, "unjudged", "liveness_not_checked"),
        ({"liveness": FAKE}, "spoof", ""),
        ({"result": SPOOF}, "spoof", ""),
        ({"result": ABSENT}, "absent", ""),
        ({"result": UNJUDGED, "cause": DARK}, "unjudged", "dark"),
        ({"model": b"\x08" * 32}, "unjudged", "not_calibrated"),
        # What the device thinks of it does not count.
        ({"score_e4": THRESHOLD - 1, "threshold_e4": 100}, "mismatch", ""),
        ({"score_e4": THRESHOLD, "threshold_e4": 9999}, "match", ""),
    ],
)
def test_the_node_judges_by_its_own_calibration(
    desk: Desk, changes: dict[str, Any], result: str, cause: str
) -> None:
    if changes.get("result") not in (None, COMPARED):
        changes = {"liveness": 0, "score_e4": 0, "model": b"", **changes}
    assert desk.one(**changes) == ""
    assert last(desk)["result"] == result
    assert desk.events()[-1][1:3] == (result, cause)


def test_a_newer_calibration_counts_from_then_on(desk: Desk) -> None:
    desk.one()
    calibrate(desk.store, 5301)
    desk.one()
    assert [(row["result"], row["threshold_e4"]) for row in desk.rows()] == [
        ("match", THRESHOLD),
        ("mismatch", 5301),
    ]


def test_liveness_may_be_left_out_where_the_operator_says_so(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "node", liveness_required=False)
    desk.one(liveness=UNCHECKED)
    assert (last(desk)["result"], last(desk)["liveness"]) == ("match", "not_checked")
    desk.close()


def reason(code: int, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of the message
    return {"result": ABSENT, "liveness": 0, "model": b"", "reason": code, "staff": "N1", **changes}


@pytest.mark.parametrize(
    ("code", "reason_code"),
    [
        (edge_pb2.REASON_CODE_CHILD, Reason.CHILD),
        (edge_pb2.REASON_CODE_VOUCHER, Reason.VOUCHER),
        (edge_pb2.REASON_CODE_EMERGENCY, Reason.EMERGENCY),
    ],
)
def test_a_reason_code_has_words_and_needs_who_let_it_pass(
    desk: Desk, code: int, reason_code: Reason
) -> None:
    assert desk.one(**reason(code, staff="")) == "reason_missing"
    assert desk.one(**reason(code)) == ""
    row = last(desk)
    assert (row["reason_code"], row["override_reason"], row["staff"], row["result"]) == (
        *(reason_code, REASON_WORDS[reason_code], "N1", "absent"),
    )
    assert desk.one(**reason(code, reason_text="卧床，由家属代办")) == ""
    assert last(desk)["override_reason"] == "卧床，由家属代办"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "reason_missing"),
        ("证件 ", "reason_missing"),
        ("    ", "reason_missing"),
        ("已核对证", ""),
    ],
)
def test_a_manual_reason_needs_words(desk: Desk, text: str, code: str) -> None:
    asked = reason(edge_pb2.REASON_CODE_MANUAL, reason_text=text)
    assert desk.one(**asked) == code
    assert [row["override_reason"] for row in desk.rows()] == ([] if code else [text])


def test_a_proxy_passes_where_registered_and_seen(desk: Desk) -> None:
    asked: dict[str, Any] = {"reason": edge_pb2.REASON_CODE_PROXY, "staff": "N1", "proxy": PROXY}
    assert desk.one(**asked) == "proxy_unknown"
    day = AT.date()
    desk.store.edge.templates.proxies.add(
        NewProxy(person=PERSON, proxy=PROXY, begins_on=day, ends_on=day, consent="C1"), BY
    )
    assert desk.one(**{**asked, "proxy": ""}) == "proxy_unknown"
    assert desk.one(**{**asked, "proxy": PERSON}) == "proxy_unknown"
    yesterday = to_ms(AT - timedelta(days=1))
    assert desk.one(**asked, at_ms=yesterday) == "proxy_unknown"
    assert desk.rows() == []
    assert desk.one(**asked) == ""
    row = last(desk)
    # The person was not there; who acted was seen and let pass.
    assert (row["result"], row["reason_code"], row["score_e4"]) == ("absent", "proxy", 5300)
    assert row["override_reason"] == REASON_WORDS[Reason.PROXY]
    assert desk.events()[-1][1:4] == ("match", "", "proxy")
    # Another face than the proxy's passes nothing.
    assert desk.one(**asked, score_e4=100) == ""
    row = last(desk)
    assert (row["result"], row["override_reason"], row["reason_code"]) == (
        "mismatch",
        None,
        "proxy",
    )
    assert desk.one(**asked, liveness=FAKE) == ""
    assert (last(desk)["result"], last(desk)["override_reason"]) == ("spoof", None)


@pytest.mark.parametrize(
    ("born", "code"),
    [
        ("2020-07-16", ""),
        ("2020-07-15", "child_age"),
        ("2026-07-01", ""),
        ("1958-03-12", "child_age"),
    ],
)
def test_a_child_is_one_by_the_newest_settlement(
    desk: Desk, tmp_path: Path, born: str, code: str
) -> None:
    older = settlement(1, response={"brdy": "1990-01-01", "setl_time": "2026-03-17 09:50:39"})
    newest = settlement(2, response={"brdy": born})
    ingest_documents(desk.store, tmp_path / "a.jsonl", [older, newest])
    assert desk.one(**reason(edge_pb2.REASON_CODE_CHILD)) == code
    if not code:
        assert desk.events()[-1][4] == ""


def test_a_child_of_unknown_age_passes_and_is_told(desk: Desk) -> None:
    assert desk.one(**reason(edge_pb2.REASON_CODE_CHILD)) == ""
    assert desk.events()[-1][1:] == ("absent", "", "child", "age_unknown")


def test_a_bed_takes_no_reason_but_somebody_s_words(desk: Desk) -> None:
    bed = join(desk.store, "bed", "b1")
    check = {"purpose": edge_pb2.PRESENCE_PURPOSE_BED_CHECK}
    for code in (1, 2, 3, 4):
        assert desk.one(bed, **reason(code, proxy=PROXY), **check) == "reason"
    away = reason(edge_pb2.REASON_CODE_MANUAL, reason_text="外出检查", visit="V1")
    assert desk.one(bed, **away, **check) == ""
    assert (last(desk)["place"], last(desk)["result"], last(desk)["override_reason"]) == (
        *("bed", "absent", "外出检查"),
    )


def test_an_entrance_is_a_place_of_its_own(desk: Desk) -> None:
    assert desk.one(join(desk.store, "entrance", "e1")) == ""
    assert (last(desk)["place"], last(desk)["institution"]) == ("entrance", HOSPITAL)
