"""The pre-check's calls are messages of the interface."""

import json

import httpx
import pytest

from deploy.demo.precheck import precheck
from deploy.demo.till import Call
from deploy.errors import DemoError
from node.api.his.encounters import read_asked

HEAD = {
    "infno": "2207", "msgid": "H33030200001202606300900001234", "mdtrtarea_admvs": "330302",
    "fixmedins_code": "H33030200001", "fixmedins_name": "仿真人民医院",
    "inf_time": "2026-06-30 09:00:00", "input": {"data": {}},
}  # fmt: skip
CALL = Call(request=json.dumps(HEAD).encode(), answer=b"{}")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """What a node is asked that warns once."""
    asked: list[dict[str, object]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        call = json.loads(request.content)
        asked.append(call)
        if call["infno"] == "3103":
            return httpx.Response(200, json={"infcode": 0})
        if len(asked) == 1:
            return httpx.Response(200, json={"infcode": 0, "err_msg": "未判定"})
        told = {"jr_id": "J1", "warn_id": "W03", "vola_cont": "未登记", "answer": "warn"}
        return httpx.Response(200, json={"infcode": 0, "output": {"result": [told]}})

    real = httpx.AsyncClient

    def client(**settings: object) -> httpx.AsyncClient:
        del settings
        return real(base_url="http://node", transport=httpx.MockTransport(answer))

    monkeypatch.setattr(httpx, "AsyncClient", client)
    return asked


async def test_the_till_asks_again_until_it_is_judged_and_tells_what_it_did(
    asked: list[dict[str, object]],
) -> None:
    told = await precheck(CALL, "http://node")
    assert told == {
        "warning": "W03",
        "warning_words": "未登记",
        "warning_answer": "warn",
        "feedback": "accepted",
    }
    assert [one["infno"] for one in asked] == ["3101", "3101", "3103"]
    assert len({one["msgid"] for one in asked}) == 3
    assert {len(str(one["msgid"])) for one in asked} == {30}


async def test_the_question_is_read_without_a_fault(asked: list[dict[str, object]]) -> None:
    await precheck(CALL, "http://node")
    content = asked[0]["input"]
    assert isinstance(content, dict)
    found = read_asked("3101", content, str(HEAD["fixmedins_code"]), 0)
    assert not found.faults
    (encounter,) = found.encounters
    assert len(encounter.orders) == 1


async def test_a_node_that_is_not_there_is_told() -> None:
    with pytest.raises(DemoError, match="does not answer"):
        await precheck(CALL, "http://127.0.0.1:9")
