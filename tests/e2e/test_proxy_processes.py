"""The proxy before a core platform: the till never waits for us, and no copy is doubled.

Each test takes away something that is ours: the daemon, the store, the spool, the process.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, Final

import httpx
import orjson
import pytest

from deploy.demo.processes import Crew
from deploy.simulation.platform import COUNTS_PATH
from node.api.his import UNIFORM_PATH
from node.gateway import gateway_counts
from tests.e2e.conftest import processes_naming
from tests.support.interface_server import official
from tests.support.node_messages import HOSPITAL, PHARMACY, fees, settlement, write_lines
from tests.support.served_processes import Site, until

pytestmark = pytest.mark.e2e

MESSAGES: Final = [settlement(number) for number in range(1, 41)] + [
    fees(number) for number in range(41, 61)
]
MIB: Final = 1024 * 1024


@asynccontextmanager
async def town(tmp_path: Path, *more: str, **settings: object) -> AsyncIterator[Site]:
    """A node's directory and a platform that answers its messages."""
    messages = tmp_path / "messages"
    messages.mkdir()
    write_lines(messages / "all.jsonl", MESSAGES)
    async with Crew(tmp_path / "logs") as crew:
        site = Site(work=tmp_path, crew=crew)
        await site.make([HOSPITAL, PHARMACY])
        site.settle(gateway__upstream=await site.platform(messages, *more), **settings)
        yield site
    assert processes_naming(str(tmp_path)) == []


async def settle_all(url: str) -> list[httpx.Response]:
    """Send every message, many at once."""
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=60) as client:
        return await asyncio.gather(
            *(client.post(UNIFORM_PATH, content=orjson.dumps(one["request"])) for one in MESSAGES)
        )


def assert_answered(answers: list[httpx.Response]) -> None:
    """Every answer is the platform's own, to the byte."""
    expected = [orjson.dumps(one["response"]) for one in MESSAGES]
    assert [one.content for one in answers] == expected
    assert {one.status_code for one in answers} == {200}


async def counts_of(site: Site) -> dict[str, Any]:
    """What the platform received."""
    text = (site.directory / "node.toml").read_text("utf-8")
    url = text.partition('upstream = "')[2].partition('"')[0]
    async with httpx.AsyncClient(trust_env=False) as client:
        return dict((await client.get(url + COUNTS_PATH)).json())


def gateway_of(site: Site) -> dict[str, Any]:
    return dict(gateway_counts(site.directory / "spool") or {})


async def drained(site: Site) -> dict[str, Any]:
    """Wait until the spool is empty; what the node holds then."""
    spool = site.directory / "spool"
    await until(lambda: not list(spool.glob("*.spool")) + list(spool.glob("*.open")))
    return await site.status()


async def test_the_daemon_down_is_not_noticed_and_nothing_is_lost(tmp_path: Path) -> None:
    async with town(tmp_path) as site:
        url = await site.gateway()
        assert_answered(await settle_all(url))
        assert set((await counts_of(site)).values()) == {1}
        await until(lambda: gateway_of(site).get("kept") == len(MESSAGES))
        await site.serve()
        status = await drained(site)
        # The same calls again, now with the daemon: known already.
        assert_answered(await settle_all(url))
        await until(lambda: gateway_of(site).get("kept") == 2 * len(MESSAGES))
        again = await drained(site)
        await site.stop("daemon")
        await site.stop("gateway")
    assert status["messages"] == again["messages"] == len(MESSAGES)
    assert status["records"] == again["records"]
    assert status["records"]["settlement"] == 40
    assert status["pending"] == status["quarantined"] == again["quarantined"] == 0


async def test_a_locked_store_is_not_noticed(tmp_path: Path) -> None:
    async with town(tmp_path) as site:
        url = await site.gateway()
        await site.serve()
        with closing(sqlite3.connect(site.directory / "node.db")) as connection:
            connection.execute("begin exclusive")
            assert_answered(await settle_all(url))
            await until(lambda: gateway_of(site).get("kept") == len(MESSAGES))
            assert list((site.directory / "spool").glob("*.spool"))
            connection.rollback()
        status = await drained(site)
        await site.stop("daemon")
    assert status["messages"] == len(MESSAGES)


async def test_a_full_spool_is_counted_not_noticed(tmp_path: Path) -> None:
    async with town(tmp_path, gateway__spool_max_mib=1) as site:
        spool = site.directory / "spool"
        spool.mkdir(mode=0o700)
        filler = spool / "old.damaged"
        filler.write_bytes(b"\0" * MIB)
        url = await site.gateway()
        assert_answered(await settle_all(url))
        await site.stop("gateway")
        lost = gateway_of(site)
        assert (lost["lost"], lost["kept"]) == (len(MESSAGES), 0)
        url = await site.gateway()
        assert_answered(await settle_all(url))
        filler.unlink()
        await until(lambda: gateway_of(site).get("kept") == len(MESSAGES))
        assert gateway_of(site)["lost"] == len(MESSAGES)


async def test_a_slow_platform_delays_its_own_calls_only_and_nothing_is_invented(
    tmp_path: Path,
) -> None:
    settings = {"gateway__answer_timeout_s": 1, "gateway__answer_own": True}
    async with town(tmp_path, "--delay-ms", "2500", **settings) as site:
        url = await site.gateway()
        own = orjson.dumps({**MESSAGES[0]["request"], "infno": "3101"})
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=60) as client:
            settling = asyncio.create_task(settle_all(url))
            checked = await client.post(UNIFORM_PATH, content=own)
            assert not settling.done()
            answers = await settling
        assert official(checked.content)["infcode"] == 0
        assert {one.status_code for one in answers} == {504}
        assert {official(one.content)["infcode"] for one in answers} == {-1}
        assert set((await counts_of(site)).values()) == {1}, "a call is sent once"
        await site.serve()
        await until(lambda: gateway_of(site).get("kept") == len(MESSAGES) + 1)
        status = await drained(site)
        await site.stop("daemon")
    assert status["pending"] >= len(MESSAGES) - 1
    assert "settlement" not in status["records"]


async def test_a_killed_gateway_leaves_what_it_kept(tmp_path: Path) -> None:
    async with town(tmp_path) as site:
        url = await site.gateway()
        assert_answered(await settle_all(url))
        await until(lambda: gateway_of(site).get("kept") == len(MESSAGES))
        sending = asyncio.create_task(settle_all(url))
        await asyncio.sleep(0.05)
        await site.kill("gateway")
        await asyncio.gather(sending, return_exceptions=True)
        await site.serve()
        status = await drained(site)
        url = await site.gateway()
        assert_answered(await settle_all(url))
        await site.stop("daemon")
    assert status["messages"] == len(MESSAGES)
    assert status["quarantined"] == 0
    assert not list((site.directory / "spool").glob("*.damaged"))


async def test_a_platform_that_is_down_is_said_at_once(tmp_path: Path) -> None:
    async with town(tmp_path) as site:
        url = await site.gateway()
        await site.stop("platform")
        answers = await settle_all(url)
        await site.stop("gateway")
    assert {one.status_code for one in answers} == {502}
    assert all("未送达" in official(one.content)["err_msg"] for one in answers)
    assert gateway_of(site)["not_reached"] == len(MESSAGES)


async def test_what_is_wrong_with_the_settings_is_said_at_start(tmp_path: Path) -> None:
    async with Crew(tmp_path / "logs") as crew:
        site = Site(work=tmp_path, crew=crew)
        await site.make([HOSPITAL])
        own = ("node", "gateway", "--dir", str(site.directory))
        said = await crew.run(*own, accepted=(3,))
        assert said == ""
        site.settle(gateway__upstream="http://127.0.0.1:9")
        await site.gateway()
        await crew.run(*own, accepted=(4,))


async def test_a_lost_pack_keeps_no_gateway_from_starting(tmp_path: Path) -> None:
    async with Crew(tmp_path / "logs") as crew:
        site = Site(work=tmp_path, crew=crew)
        await site.make([HOSPITAL])
        site.settle(gateway__upstream="http://127.0.0.1:9")
        (site.directory / "packs").mkdir()
        (site.directory / "packs" / "current").write_bytes(b"{")
        await site.gateway()
        assert "traffic passes all the same" in site.log("gateway")
