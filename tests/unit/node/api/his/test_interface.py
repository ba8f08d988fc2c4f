"""Calls over HTTP, answered after their commit, in the official envelope whatever they are."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import orjson
import pytest

from node.api.his import UNIFORM_PATH, desk
from node.api.his.live_intake import LiveIntake
from node.errors import StoreError
from node.intake.lines import Line
from node.interface_settings import InterfaceMode, InterfaceSettings
from node.store import NodeStore
from tests.support.interface_server import CATALOG, CountingIntake, official, served
from tests.support.node_messages import NOW, envelope, open_store, registration, settlement

MIRROR: Final = InterfaceSettings(port=0, mode=InterfaceMode.MIRROR)
HUGE: Final = 4 * 1024 * 1024 + 1


@pytest.fixture
def store(tmp_path: Path) -> Iterator[NodeStore]:
    with open_store(tmp_path / "node") as opened:
        yield opened


def body(document: object) -> bytes:
    return orjson.dumps(document)


async def test_a_settlement_is_kept_but_never_invented(store: NodeStore) -> None:
    request = settlement(1)["request"]
    async with served(store) as interface:
        first = await interface.post(body(request))
        second = await interface.post(body(request))
    assert first["infcode"] == second["infcode"] == -1
    assert "本节点不代替医保平台结算" in first["err_msg"]
    assert first["output"] == {}
    assert first["inf_refmsgid"][:6] == "330302"
    assert store.counts().pending == store.counts().messages == 1


async def test_copies_are_received_and_completed_by_their_response(store: NodeStore) -> None:
    copy = settlement(1)
    async with served(store, settings=MIRROR) as interface:
        bare = await interface.post(body(copy["request"]))
        whole = await interface.post(body(copy))
        again = await interface.post(body(copy))
    assert [one["infcode"] for one in (bare, whole, again)] == [0, 0, 0]
    assert "waiting for its response" in bare["err_msg"]
    assert whole["err_msg"] == again["err_msg"] == ""
    assert store.counts().records == {"settlement": 1}
    assert store.counts().pending == 0


@pytest.mark.parametrize(
    ("infno", "output"), [("3101", {"result": []}), ("3102", {"result": []}), ("3103", {})]
)
async def test_what_the_node_answers_itself(
    store: NodeStore, infno: str, output: dict[str, Any]
) -> None:
    request = body(envelope(infno, 1, {"data": {}}))
    async with served(store) as interface:
        answers = [await interface.post(request) for _ in range(2)]
    for answer in answers:
        if answer["infcode"] == 0:
            assert answer["output"] == output
            assert ("未判定" in answer["err_msg"]) is (infno != "3103")
        else:
            assert "[field_missing]" in answer["err_msg"]
    assert store.counts().pending == 0


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"", "[json_broken]"),
        (b"{", "[json_broken]"),
        (b"\xff\xfe\x00", "["),
        (b"[]", "[message_shape]"),
        (b"null", "[message_shape]"),
        (b"{}", "[message_shape]"),
        (b'{"infno":[],"input":{}}', "["),
        (b"[" * 100_000 + b"]" * 100_000, "[json_broken]"),
        (b'{"input":' * 2_000 + b"1" + b"}" * 2_000, "["),
        (b"x" * HUGE, "[line_too_long]"),
        (body({**envelope("2207", 1, {"data": {}}), "msgid": 1}), "[msgid_format]"),
        (body({**envelope("9999", 1, {"data": {}})}), "[infno_unknown]"),
    ],
    ids=range(12),
)
async def test_whatever_is_sent_gets_the_official_envelope(
    store: NodeStore, sent: bytes, said: str
) -> None:
    async with served(store) as interface:
        answer = await interface.post(sent)
    assert answer["infcode"] == -1
    assert said in answer["err_msg"]
    assert store.quarantine_count() == 1


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", UNIFORM_PATH), ("PUT", UNIFORM_PATH), ("POST", "/"), ("POST", UNIFORM_PATH + "/")],
)
async def test_no_such_path_or_method_is_said_in_the_envelope(
    store: NodeStore, method: str, path: str
) -> None:
    async with served(store) as interface:
        response = await interface.client.request(method, path, content=b"{}")
    assert response.status_code == 200
    assert UNIFORM_PATH in official(response.content)["err_msg"]


async def test_personal_values_do_not_come_back(store: NodeStore) -> None:
    document = settlement(1, request={"mdtrt_cert_no": "990001195803121019"})
    document["request"]["opter_type"] = "990001195803121019"
    async with served(store, settings=MIRROR) as interface:
        answer = await interface.post(body(document))
    assert answer["infcode"] == -1
    assert "195803" not in answer["err_msg"]


async def test_gb18030_is_read(store: NodeStore) -> None:
    sent = body(settlement(1)).decode().encode("gb18030")
    async with served(store, settings=MIRROR) as interface:
        answer = await interface.post(sent, content_type="application/json;charset=GBK")
    assert answer["infcode"] == 0
    assert store.counts().records == {"settlement": 1}


async def test_calls_that_come_together_share_commits(store: NodeStore) -> None:
    counted = CountingIntake(LiveIntake(store, CATALOG, lambda: NOW))
    async with served(store, settings=MIRROR, intake=counted) as interface:
        answers = await asyncio.gather(
            *(interface.post(body(settlement(number))) for number in range(1, 201)),
            *(interface.post(body(settlement(number))) for number in range(1, 21)),
            interface.post(b"{"),
        )
    assert [one["infcode"] for one in answers] == [0] * 220 + [-1]
    assert store.counts().records == {"settlement": 200}
    assert sum(counted.groups) == 221
    assert len(counted.groups) < 110
    assert len({one["inf_refmsgid"] for one in answers}) == 221


class _Failing:
    """An intake that fails as told."""

    def __init__(self, intake: LiveIntake, error: Exception) -> None:
        self._intake = intake
        self.error: Exception | None = error

    def take(self, source: str, lines: Sequence[Line]) -> Sequence[Any]:
        if self.error is not None:
            raise self.error
        return self._intake.take(source, lines)

    def settle(self) -> None:
        self._intake.settle()


async def test_a_store_that_fails_is_never_answered_as_kept(store: NodeStore) -> None:
    intake = _Failing(LiveIntake(store, CATALOG, lambda: NOW), StoreError("the disk is full"))
    async with served(store, settings=MIRROR, intake=intake) as interface:
        failed = await interface.post(body(settlement(1)))
        intake.error = None
        taken = await interface.post(body(settlement(1)))
    assert failed["infcode"] == -1
    assert "未收存" in failed["err_msg"]
    assert taken["infcode"] == 0


async def test_a_fault_of_ours_does_not_fall_on_neighbours(
    store: NodeStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    intake = LiveIntake(store, CATALOG, lambda: NOW)
    take = intake._take  # noqa: SLF001 - the fault lies below

    def poisoned(source: str, lines: Sequence[Line]) -> Sequence[Any]:
        if any(b"poison" in line.body for line in lines):
            raise KeyError("张示例")
        return take(source, lines)

    monkeypatch.setattr(intake, "_take", poisoned)
    async with served(store, settings=MIRROR, intake=intake) as interface:
        answers = await asyncio.gather(
            *(interface.post(body(settlement(number))) for number in range(1, 6)),
            interface.post(b'{"poison":1}'),
        )
    assert [one["infcode"] for one in answers] == [0] * 5 + [-1]
    assert "节点程序错误" in answers[-1]["err_msg"]
    assert "KeyError at test_interface.py" in caplog.text
    assert "张示例" not in caplog.text


async def test_a_slow_commit_is_told_and_the_message_is_kept(store: NodeStore) -> None:
    held = threading.Event()

    class Slow(_Failing):
        def take(self, source: str, lines: Sequence[Line]) -> Sequence[Any]:
            held.wait(20)
            return super().take(source, lines)

    intake = Slow(LiveIntake(store, CATALOG, lambda: NOW), StoreError(""))
    intake.error = None
    settings = InterfaceSettings(port=0, mode=InterfaceMode.MIRROR, answer_timeout_s=1)
    async with served(store, settings=settings, intake=intake) as interface:
        late = await interface.post(body(settlement(1)))
        held.set()
    async with served(store, settings=MIRROR, intake=intake) as interface:
        again = await interface.post(body(settlement(1)))
    assert late["infcode"] == -1
    assert "同一msgid重发" in late["err_msg"]
    assert again["infcode"] == 0
    assert store.counts().messages == 1


async def test_calls_beyond_the_memory_are_told_to_come_again(store: NodeStore) -> None:
    async with served(store, max_inflight_bytes=2_000) as interface:
        refused = await interface.post(b" " * 3_000 + body(settlement(1)))
        taken = await interface.post(body(envelope("3101", 1, {"data": {}})))
    assert "busy" in refused["err_msg"]
    assert "busy" not in taken["err_msg"]
    assert store.counts().messages + store.quarantine_count() == 1


async def test_a_desk_that_has_stopped_says_so(store: NodeStore) -> None:
    async with served(store) as interface:
        await interface.desk.stop()
        answer = await interface.post(body(registration(1)))
    assert "正在停止" in answer["err_msg"]
    assert store.counts().messages == 0


async def test_more_than_a_group_is_taken_in_several(
    store: NodeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "GROUP_CALLS", 3)
    counted = CountingIntake(LiveIntake(store, CATALOG, lambda: NOW))
    async with served(store, settings=MIRROR, intake=counted) as interface:
        await asyncio.gather(*(interface.post(body(settlement(number))) for number in range(1, 11)))
    assert max(counted.groups) <= 3
    assert sum(counted.groups) == 10
