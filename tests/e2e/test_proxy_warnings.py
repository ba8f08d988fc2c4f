"""3101 to 3103 through the gateway: the daemon judges them, and without it the visit passes."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from deploy.demo.processes import Crew
from deploy.simulation.platform import COUNTS_PATH
from node.api.his import UNIFORM_PATH
from node.gateway import gateway_counts
from tests.e2e.conftest import processes_naming
from tests.support.interface_server import official
from tests.support.live_checks import encounter, order, request
from tests.support.node_messages import HOSPITAL, envelope, settlement, write_lines
from tests.support.served_processes import LONGEST_WAIT_S, Site, until

pytestmark = pytest.mark.e2e


@asynccontextmanager
async def town(tmp_path: Path, **settings: object) -> AsyncIterator[Site]:
    """A node whose gateway answers what is its own, before a platform."""
    messages = tmp_path / "messages"
    messages.mkdir()
    write_lines(messages / "all.jsonl", [settlement(1)])
    async with Crew(tmp_path / "logs") as crew:
        site = Site(work=tmp_path, crew=crew)
        await site.make([HOSPITAL])
        site.settle(
            gateway__upstream=await site.platform(messages),
            gateway__answer_own=True,
            supervision__budget_ms=2_000,
            **settings,
        )
        yield site
    assert processes_naming(str(tmp_path)) == []


async def asked(url: str, call: dict[str, Any]) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as client:
        return official((await client.post(UNIFORM_PATH, content=orjson.dumps(call))).content)


def identity() -> dict[str, Any]:
    """A call at whose scene identity is asked for: nobody was checked."""
    return request(encounter(order()), trigger="1")


async def judged(url: str) -> dict[str, Any]:
    """Ask until the daemon has made itself ready."""
    async with asyncio.timeout(LONGEST_WAIT_S):
        while "W04" not in told(answer := await asked(url, identity())):  # noqa: ASYNC110 - a call
            await asyncio.sleep(0.2)
    return answer


async def counted(site: Site) -> dict[str, Any]:
    """What the status says of supervision, once calls and feedback have come into it."""
    async with asyncio.timeout(LONGEST_WAIT_S):
        while True:
            shown: dict[str, Any] = (await site.status())["supervision"]
            if shown["feedback"]["justified"] and shown["today"]["warned"]:
                return shown
            await asyncio.sleep(0.2)


def told(answer: dict[str, Any]) -> dict[str, str]:
    return {one["rule_id"]: one["answer"] for one in answer["output"]["result"]}


def gateway_of(site: Site) -> dict[str, Any]:
    return dict(gateway_counts(site.directory / "spool") or {})


def feedback(way: str, warning: str) -> dict[str, Any]:
    data = {
        "warn_type": "1",
        "warns": [{"warn_rslt_id": warning, "dspo_way": way, "dspo_way_rea": "急诊"}],
    }
    return envelope("3103", 9001, {"data": data})


async def test_the_daemon_judges_and_without_it_the_visit_passes(tmp_path: Path) -> None:
    async with town(tmp_path) as site:
        url = await site.gateway()
        down = await asked(url, identity())
        assert (down["infcode"], down["output"]) == (0, {"result": []})
        assert "未判定" in down["err_msg"]
        await site.serve()
        answer = await judged(url)
        assert told(answer) == {"W04": "warn"}
        name = answer["output"]["result"][0]["jr_id"]
        said = await asked(url, feedback("1", name))
        assert (said["infcode"], said["err_msg"]) == (0, "")
        os.kill(site.pids["daemon"], signal.SIGSTOP)
        late = await asked(url, identity())
        os.kill(site.pids["daemon"], signal.SIGCONT)
        assert (late["infcode"], late["output"]) == (0, {"result": []})
        shown = await counted(site)
        spool = site.directory / "spool"
        await until(lambda: not list(spool.glob("*.spool")) + list(spool.glob("*.open")))
        assert (await site.status())["quarantined"] == 0
        await site.stop("daemon")
        assert told(await asked(url, identity())) == {}
        assert not (site.directory / "gateway.sock").exists()
        await site.stop("gateway")
        text = (site.directory / "node.toml").read_text("utf-8")
        platform = text.partition('upstream = "')[2].partition('"')[0]
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.get(platform + COUNTS_PATH)).json() == {}
    assert shown["live"] == "on"
    assert shown["today"]["asked"] >= shown["today"]["warned"] >= 1
    assert shown["feedback"]["told"] >= shown["feedback"]["justified"] == 1
    assert gateway_of(site)["unjudged"] >= 3


async def test_identity_that_is_closed_is_blocked_without_a_daemon(tmp_path: Path) -> None:
    async with town(tmp_path, supervision__identity_closed=True) as site:
        url = await site.gateway()
        assert told(await asked(url, identity())) == {"W04": "block"}
        elsewhere = await asked(url, request(encounter(order()), trigger="2"))
        assert elsewhere["output"] == {"result": []}
        await until(lambda: gateway_of(site).get("kept") == 2)
        await site.stop("gateway")
