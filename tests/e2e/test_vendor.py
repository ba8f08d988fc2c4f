"""A vendor's view: real processes, real curl, the official envelope whatever is sent."""

import asyncio
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import httpx
import orjson
import pytest

from deploy.demo.processes import Crew
from node.api.his import UNIFORM_PATH
from tests.e2e.conftest import processes_naming
from tests.support.interface_server import official, raw_call
from tests.support.node_messages import HOSPITAL, PHARMACY, settlement
from tests.support.served_processes import Site

pytestmark = pytest.mark.e2e

SETTLE: Final = "/fsi/api/outpatientSettleService/saveSettletmentV2"


def curl(url: str, body: Path, *more: str) -> dict[str, Any]:
    program = shutil.which("curl")
    if program is None:
        pytest.skip("curl is not installed here")
    done = subprocess.run(  # noqa: S603  # curl, the test's own arguments
        [program, "--silent", "--show-error", "--header", "Content-Type: application/json",
         "--data-binary", f"@{body}", *more, url],
        capture_output=True, check=True,
    )  # fmt: skip
    return official(done.stdout)


async def test_a_vendors_curl_of_2207(tmp_path: Path, shared: Path) -> None:
    request = shared / "domain" / "samples" / "2207_req.json"
    response = shared / "domain" / "samples" / "2207_resp.json"
    pair = tmp_path / "2207.json"
    pair.write_bytes(
        b'{"infno":"2207","request":%b,"response":%b}'
        % (request.read_bytes(), response.read_bytes())
    )
    async with Crew(tmp_path / "logs") as crew:
        site = Site(work=tmp_path, crew=crew)
        await site.make([HOSPITAL], interface__enabled=True)
        url = await site.serve()
        alone = await asyncio.to_thread(curl, url + SETTLE, request)
        await site.stop("daemon")
        site.settle(interface__mode="mirror")
        url = await site.serve()
        copies = [await asyncio.to_thread(curl, url + SETTLE, pair) for _ in range(2)]
        status = await site.status()
        await site.stop("daemon")
    assert alone["infcode"] == -1
    assert "本节点不代替医保平台结算" in alone["err_msg"]
    assert alone["output"] == {}
    assert [one["infcode"] for one in copies] == [0, 0]
    assert status["messages"] == 1
    assert status["records"]["settlement"] == 1
    assert status["pending"] == 0
    assert processes_naming(str(tmp_path)) == []


async def test_many_copies_at_once_are_kept_once_and_survive_kill_9(tmp_path: Path) -> None:
    copies = [orjson.dumps(settlement(number)) for number in range(1, 151)]
    async with Crew(tmp_path / "logs") as crew:
        site = Site(work=tmp_path, crew=crew)
        await site.make([HOSPITAL], interface__enabled=True, interface__mode="mirror")
        url = await site.serve()
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=60) as client:
            answers = await asyncio.gather(
                *(client.post(UNIFORM_PATH, content=body) for body in copies * 2)
            )
        await site.kill("daemon")
        status = await site.status()
    assert {official(one.content)["infcode"] for one in answers} == {0}
    assert status["messages"] == 150
    assert status["records"]["settlement"] == 150
    assert status["quarantined"] == 0


HOSTILE: Final = {
    "broken": b'{"infno":"2207",',
    "deep": b"[" * 500_000,
    "bomb": b'{"input":' * 100_000,
    "long": b'{"x":"' + b"x" * (6 * 1024 * 1024) + b'"}',
    "binary": bytes(range(256)) * 100,
    "numbers": b'{"infno":1e999,"msgid":-0,"input":{}}',
    "unpaired": b'{"infno":"2207","msgid":"\\ud800","input":{}}',
}


async def test_hostile_bodies_harm_nobody_else(tmp_path: Path) -> None:
    async with Crew(tmp_path / "logs") as crew:
        site = Site(work=tmp_path, crew=crew)
        await site.make([HOSPITAL, PHARMACY], interface__enabled=True, interface__mode="mirror")
        url = await site.serve()
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=60) as client:
            bodies = [*HOSTILE.values(), *(orjson.dumps(settlement(n)) for n in range(1, 21))]
            answers = await asyncio.gather(
                *(client.post(UNIFORM_PATH, content=body) for body in bodies),
                *(client.get(path) for path in ("/", "/docs", "/openapi.json", UNIFORM_PATH)),
            )
            garbage = await raw_call(url, b"\x00" * 100 + b"\r\n\r\n")
            after = await client.post(UNIFORM_PATH, content=orjson.dumps(settlement(21)))
        status = await site.status()
        listed = await crew.ask(
            "node", "quarantine", "list", "--dir", str(site.directory), accepted=(0, 1)
        )
        await site.stop("daemon")
    codes = [official(one.content)["infcode"] for one in answers]
    assert codes == [-1] * len(HOSTILE) + [0] * 20 + [-1] * 4
    assert garbage.startswith(b"HTTP/1.1 400 ")
    assert official(after.content)["infcode"] == 0
    assert status["records"]["settlement"] == 21
    assert len(listed["rows"]) == len(HOSTILE)
    said = site.log("daemon") + json.dumps(listed, ensure_ascii=False)
    assert "张示例" not in said
    assert "Traceback" not in said
