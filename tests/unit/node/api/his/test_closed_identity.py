"""Where identity is closed and nobody judges, emergencies pass and all others are blocked."""

import asyncio

import httpx
import orjson
import pytest

from node.api.his import UNIFORM_PATH
from node.api.his.closed_identity import ClosedIdentity
from node.api.his.own_calls import OwnCalls
from node.gateway.upstream import Upstream
from scoring_kernel import load_catalog
from scoring_kernel.rules import load_rules
from tests.support.interface_server import official
from tests.support.live_checks import encounter, request
from tests.support.upstream_server import answering, nobody, platform, proxied, response


def closed() -> ClosedIdentity:
    return ClosedIdentity(load_rules(), load_catalog().legal_basis)


@pytest.mark.parametrize(
    ("med_types", "blocks"), [(("13",), 0), (("120",), 0), (("11",), 1), (("13", "11"), 1)]
)
@pytest.mark.parametrize(("infno", "scene"), [("3101", "1"), ("3102", "6")])
async def test_an_emergency_passes_where_identity_is_closed_and_the_daemon_silent(
    infno: str, scene: str, med_types: tuple[str, ...], blocks: int
) -> None:
    asked = request(*(encounter(med_type=one) for one in med_types), infno=infno, trigger=scene)
    with nobody() as url:
        daemon = Upstream(
            url, trust=httpx.create_ssl_context(), connect_timeout_s=2, answer_timeout_s=10
        )
        blocking = asyncio.to_thread(lambda: closed().result)
        own = OwnCalls(daemon, timeout_s=10, blocking=blocking)
        async with (
            platform(answering(response(b"{}"))) as seen,
            proxied(seen.url, own=own) as gateway,
        ):
            got = await gateway.client.post(UNIFORM_PATH, content=orjson.dumps(asked))
        await daemon.close()
    answer = official(got.content)
    assert answer["infcode"] == 0
    assert [one["answer"] for one in answer["output"]["result"]] == ["block"] * blocks


@pytest.mark.parametrize(
    "changes",
    [
        {"fixmedins_code": None},
        {"fixmedins_code": ["H"]},
        {"input": {"data": {"trig_scen": "1", "patient_dtos": [{}]}}},
        {"input": {"data": {"trig_scen": "1"}}},
        {"input": None},
    ],
)
def test_what_cannot_be_read_is_blocked_and_told_what_an_emergency_does(
    changes: dict[str, object],
) -> None:
    asked = {**request(encounter(med_type="13"), trigger="1"), **changes}
    (found,) = closed().result(asked)
    assert (found["rule_id"], found["answer"]) == ("W04", "block")
    assert "急诊抢救先行救治" in str(found)


def test_another_institution_s_emergency_does_not_open_the_gate() -> None:
    asked = request(encounter(med_type="13", medins_id="H99999999999"), trigger="1")
    (found,) = closed().result(asked)
    assert found["answer"] == "block"
