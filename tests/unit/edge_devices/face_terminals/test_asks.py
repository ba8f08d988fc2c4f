"""Lines of asks: what is read, what is refused, and that a refusal quotes nothing."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_devices.errors import DeviceConfigurationError
from edge_devices.face_terminals.asks import Answer, Ask, ask_of_node, is_over, parse_ask
from edge_devices.face_terminals.events import Purpose, Reason, Subject
from protos.yixin.v1 import edge_pb2
from security.moments import to_ms
from tests.support.terminals import NOW, PERSON


def line(**values: object) -> bytes:
    return json.dumps({"person": PERSON, **values}, ensure_ascii=False).encode()


def test_a_whole_ask() -> None:
    ask = parse_ask(
        line(id="w3-1", visit="V1", reason="proxy", proxy="P2", staff="D1", text="取药")
    )
    assert ask.id == "w3-1"
    assert ask.subject == Subject(
        person=PERSON,
        purpose=Purpose.VISIT,
        visit="V1",
        reason=Reason.PROXY,
        reason_text="取药",
        staff="D1",
        proxy="P2",
    )
    assert PERSON not in repr(ask)


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"", "no JSON"),
        (b"person", "no JSON"),
        (b"[]", "no object"),
        (b"{}", "person"),
        (b'{"person": "' + b"9" * 5000 + b'"}', "5"),
        (line(person=""), "person"),
        (line(person=7), "person"),
        (line(person="has space"), "person"),
        (line(person="9" * 31), "person"),
        (line(person="\x1b[2J"), "person"),
        (line(name="张三"), "unknown"),
        (line(purpose="visitation"), "purpose"),
        (line(reason="because"), "reason"),
        (line(reason="manual", text="四个字呢"), "staff"),
        (line(reason="manual", text="no", staff="D1"), "at least 4"),
        (line(reason="proxy", staff="D1"), "proxy"),
        (line(reason="child", staff="D1", proxy="P2"), "proxy"),
        (line(proxy="P2"), "reason"),
        (line(text="words"), "reason"),
        (line(reason="child", staff="D1", purpose="bed_check"), "purpose"),
        (line(text="x" * 201), "text"),
        (line(id="\n"), "id"),
    ],
)
def test_anything_else_is_refused_without_quoting_it(raw: bytes, problem: str) -> None:
    with pytest.raises(DeviceConfigurationError, match=problem) as caught:
        parse_ask(raw)
    assert PERSON not in str(caught.value)
    assert "张三" not in str(caught.value)


@given(raw=st.binary(max_size=200))
def test_any_bytes_are_an_ask_or_our_error(raw: bytes) -> None:
    with suppress(DeviceConfigurationError):
        assert parse_ask(raw).subject.person


def test_asks_of_the_node_are_bounded_too() -> None:
    wanted = edge_pb2.Ask(
        id="r-1", purpose=edge_pb2.PRESENCE_PURPOSE_BED_CHECK, person=PERSON, until_ms=to_ms(NOW)
    )
    ask = ask_of_node(wanted)
    assert ask is not None
    assert (ask.subject.round, ask.subject.purpose) == ("r-1", Purpose.BED_CHECK)
    assert is_over(ask, NOW)
    assert not is_over(ask, NOW - timedelta(seconds=1))
    assert not is_over(Ask(subject=ask.subject), NOW)
    visit = edge_pb2.PRESENCE_PURPOSE_VISIT
    for broken in (
        edge_pb2.Ask(id="r", person=PERSON),
        edge_pb2.Ask(id="", purpose=visit, person=PERSON),
        edge_pb2.Ask(id="r", purpose=visit, person="a b"),
    ):
        assert ask_of_node(broken) is None


def test_an_answer_names_no_person() -> None:
    told = Answer(id="w3-1", verdict="match", score_e4=7000, seq=3).to_json()
    assert list(told) == [
        "id",
        "verdict",
        "cause",
        "problem",
        "reason",
        "score_e4",
        "threshold_e4",
        "liveness",
        "attempts",
        "seq",
        "delivered",
    ]
