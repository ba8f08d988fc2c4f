"""A fleet at a real daemon: the node judges by its own calibration, and the till hears of it.

Faces are drawn: no model, no camera. Real ones are seen in the demonstration.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import orjson
import pytest

from deploy.demo.processes import Crew
from edge_devices.app import steady_now, utc_now
from edge_devices.enrolling import load_identity
from edge_devices.simulators.fleet import DIMENSION
from edge_devices.simulators.terminals import MODEL, DrawnTerminal, person_number
from edge_devices.simulators.world import DrawnFaces
from node.api.his import UNIFORM_PATH
from security.moments import SHANGHAI
from tests.e2e.conftest import processes_naming
from tests.support.face_templates import calibration
from tests.support.interface_server import official
from tests.support.live_checks import encounter, order, request
from tests.support.node_messages import HOSPITAL
from tests.support.served_processes import LONGEST_WAIT_S, Site, until

pytestmark = pytest.mark.e2e

PLACES: Final = {"w1": "window", "w2": "window", "p1": "pharmacy", "e1": "entrance", "b1": "bed"}
PERSONS: Final = 12
EVENTS: Final = 60
SEED: Final = 7


@asynccontextmanager
async def town(tmp_path: Path) -> AsyncIterator[tuple[Site, str]]:
    """A node whose daemon answers the till and serves devices, and where it answers."""
    async with Crew(tmp_path / "logs") as crew:
        site = Site(work=tmp_path, crew=crew)
        settings: dict[str, object] = {
            "interface__enabled": True,
            "edge__enabled": True,
            "edge__port": 0,
            "edge__enrolment_port": 0,
            "faces__retries": 0,
            "supervision__budget_ms": 2_000,
        }
        await site.make([HOSPITAL], **settings)
        url = await site.serve()
        await until(lambda: "Devices deliver at" in site.log("daemon"))
        yield site, url
        await site.stop("daemon")
    assert processes_naming(str(tmp_path)) == []


async def tokens_of(site: Site) -> str:
    """Put a calibration for drawn faces in force; a line for every terminal with its token."""
    measured = site.work / "calibration.json"
    measured.write_bytes(calibration(6_000, model=MODEL, site=HOSPITAL).to_json())
    at = ("--dir", str(site.directory))
    made = (
        ("node", "device", "token", "--institution", HOSPITAL, "--place", place, "--name", name)
        for name, place in PLACES.items()
    )
    _, *tokens = await site.crew.ask_several(
        ("node", "faces", "calibration", "import", str(measured), *at),
        *((*one, *at) for one in made),
    )
    return "".join(f"{one['token']}\n" for one in tokens)


@asynccontextmanager
async def window(site: Site) -> AsyncIterator[DrawnTerminal]:
    """One terminal of the fleet, in this process."""
    identity = load_identity(site.work / "fleet" / f"{HOSPITAL}-window-w1")
    async with DrawnTerminal.opened(
        identity,
        DrawnFaces(PERSONS + 2, DIMENSION, seed=SEED),
        now=utc_now,
        steady=steady_now,
        rng=random.Random(1),  # noqa: S311 - it shortens pauses
        say=lambda _: None,
    ) as terminal:
        await asyncio.wait_for(terminal.link.tried.wait(), LONGEST_WAIT_S)
        yield terminal


async def warned(url: str, person: str) -> list[str]:
    """Rules by which the till is warned of a person's identity, asked until it is judged."""
    async with (
        asyncio.timeout(LONGEST_WAIT_S),
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as client,
    ):
        while True:
            moment = f"{utc_now().astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}"
            visit = encounter(order(drord_begn_date=moment), adm_date=moment, dscg_date=moment)
            call = request(visit, trigger="1", person=person, inf_time=moment)
            answer = official((await client.post(UNIFORM_PATH, content=orjson.dumps(call))).content)
            if not answer["err_msg"]:
                found = answer["output"]["result"]
                return [one["rule_id"] for one in found if one["warn_id"] == "W04"]
            await asyncio.sleep(0.2)


def sums(report: dict[str, Any]) -> Counter[str]:
    found: Counter[str] = Counter()
    for one in report["devices"]:
        found.update({name: one[name] for name in ("events", "match", "mismatch", "refused")})
    return found


async def test_a_fleet_is_judged_by_the_node_and_the_till_hears_of_it(tmp_path: Path) -> None:
    async with town(tmp_path) as (site, url):
        tokens = tmp_path / "tokens.txt"
        await asyncio.to_thread(tokens.write_text, await tokens_of(site))
        fleet = await site.crew.ask(
            *("device", "simulate-fleet", "--tokens", str(tokens)),
            *("--dir", str(tmp_path / "fleet"), "--events", str(EVENTS)),
            *("--persons", str(PERSONS), "--impostors", "0.25", "--seed", str(SEED)),
        )
        begun = utc_now()
        right, impersonated, unseen = range(PERSONS, PERSONS + 3)
        async with window(site) as terminal:
            for person in (right, impersonated):
                await terminal.enrol(person, utc_now())
            verdicts = [
                await terminal.verify(right, right),
                await terminal.verify(impersonated, right),
            ]
            assert await terminal.link.wait_for(terminal.queue.span.newest, LONGEST_WAIT_S)
        heard = [await warned(url, person_number(one)) for one in (right, impersonated, unseen)]
        month = f"{begun.astimezone(SHANGHAI):%Y%m}"
        report = await site.crew.ask(
            "node", "presence", "report", "--month", month, "--dir", str(site.directory)
        )
        status = await site.status()
    assert (fleet["terminals"], fleet["events"], fleet["refused"]) == (len(PLACES), EVENTS, 0)
    assert 0 < fleet["impostors"] == fleet["verdicts"]["mismatch"]
    assert fleet["verdicts"]["match"] == EVENTS - fleet["impostors"]
    assert verdicts == ["match", "mismatch"]
    assert heard == [[], ["M35"], ["W04"]]
    found = sums(report)
    assert (found["events"], found["refused"]) == (EVENTS + len(verdicts), 0)
    assert (found["match"], found["mismatch"]) == (
        fleet["verdicts"]["match"] + 1,
        fleet["verdicts"]["mismatch"] + 1,
    )
    assert status["records"]["identity_event"] == EVENTS + len(verdicts)
    assert "Traceback" not in site.log("daemon")
