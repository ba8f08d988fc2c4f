"""A daemon and its devices: joined, greeted, enrolled, fetched, delivered, asked, revoked.

Vectors are given: no model and no camera. What counts is what the daemon answers and keeps.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from deploy.demo.processes import Crew
from edge_devices.app import utc_now
from edge_devices.client import NodeClient
from edge_devices.enrolling import DeviceIdentity, enrol, load_identity
from edge_devices.errors import NodeRefusedError, NodeUnreachableError
from node.presence.thresholds import known_manifest
from protos.yixin.v1 import edge_pb2
from scoring_kernel.faces.matching import parse_vector, score_e4
from security.errors import JoinRefusedError
from security.moments import to_ms
from tests.e2e.conftest import processes_naming
from tests.support.edge_node import PERSON, QUEUE, event
from tests.support.node_messages import HOSPITAL, PHARMACY
from tests.support.served_processes import Site, until

pytestmark = pytest.mark.e2e

MOBILEFACENET: Final = "8cba0c9041fefd5a8bcc74b5756856a4fdc7fd4a4b3b330a1adb436ca39c7c8e"
"""A model whose manifest ships, with a threshold of its own."""
MODEL: Final = bytes.fromhex(MOBILEFACENET)
STAFF: Final = "D330302000001"
MAPPING: Final = """
format: 1
namespace: staff
record_id: {digest: [institution, staff]}
institution: {column: institution}
records:
  staff_member:
    staff: {column: staff}
    name: {column: name}
    type: {constant: "3"}
    begins_at: {column: begins_at, format: iso}
    stated_at: {column: stated_at, format: iso}
"""


now: Final = utc_now
"""TLS and the daemon judge by the machine's clock."""


def unit(seed: int) -> bytes:
    """A vector as the model makes it, under the transform already."""
    vector = np.random.default_rng(seed).normal(size=128)  # noqa: TID251  # seeded
    return bytes((vector / np.linalg.norm(vector)).astype("<f4").tobytes())


@asynccontextmanager
async def town(tmp_path: Path) -> AsyncIterator[Site]:
    """A node whose daemon serves devices; a site without a calibration takes the manifest's."""
    async with Crew(tmp_path / "logs") as crew:
        site = Site(work=tmp_path, crew=crew)
        settings: dict[str, object] = {
            "edge__enabled": True,
            "edge__port": 0,
            "edge__enrolment_port": 0,
            "faces__uncalibrated": "manifest",
            "faces__duty_every_h": 24,
            "faces__crop_days": 7,
        }
        await site.make([HOSPITAL, PHARMACY], **settings)
        await start(site)
        yield site
        if "daemon" in site.pids:
            await site.stop("daemon")
    assert processes_naming(str(tmp_path)) == []


async def start(site: Site) -> None:
    before = site.log("daemon").count("Devices deliver at")
    await site.serve()
    await until(lambda: site.log("daemon").count("Devices deliver at") > before)


async def device(site: Site, *arguments: str, code: int = 0) -> dict[str, Any]:
    return await site.crew.ask(
        "node", "device", *arguments, "--dir", str(site.directory), accepted=(code,)
    )


async def joined(site: Site, place: str, name: str, institution: str) -> DeviceIdentity:
    """A device that joined with a token of the daemon's."""
    made = await device(
        site, "token", "--institution", institution, "--place", place, "--name", name
    )
    return await enrol(site.work / name, made["token"], now())


def hello(newest: int = 0, oldest: int = 0) -> edge_pb2.HelloRequest:
    return edge_pb2.HelloRequest(
        queue=QUEUE, oldest=oldest, newest=newest, model=MODEL, pipeline=bytes(32), version="0.1.0"
    )


def enrolment(welcome: edge_pb2.HelloResponse, **parts: Any) -> edge_pb2.EnrolRequest:  # noqa: ANN401
    made: dict[str, Any] = {
        "person": PERSON,
        "subject": "insured",
        "purposes": ["visit"],
        "consent": "C-2026-17",
        "consent_at_ms": welcome.node_ms,
        "model": MODEL,
        "epoch": welcome.transform_epoch,
        "vectors": [unit(1)],
        "operator": "li",
    }
    return edge_pb2.EnrolRequest(**(made | parts))


def compared(seq: int, score: int, *, ahead_ms: int = 0, **parts: Any) -> edge_pb2.PresenceEvent:  # noqa: ANN401
    """A living face that was compared."""
    found: dict[str, Any] = {
        "result": edge_pb2.PRESENCE_RESULT_COMPARED,
        "score_e4": score,
        "threshold_e4": 1,
        "model": MODEL,
        "pipeline": bytes(32),
        "liveness": edge_pb2.LIVENESS_LIVE,
        "liveness_e4": 9_900,
        "attempts": 1,
    }
    at_ms = to_ms(now()) - 60_000 + 1_000 * seq + ahead_ms
    return event(seq, at_ms, **(found | parts))


async def exported(site: Site, kind: str) -> list[dict[str, str]]:
    """The records of a kind, as the node hands them out."""
    import csv  # noqa: PLC0415

    out = site.work / f"{kind}.csv"
    await site.crew.run(
        *("node", "export", kind, "--to", str(out), "--personal"),
        *("--dir", str(site.directory)),
    )
    with await asyncio.to_thread(out.open, encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


async def test_a_window_enrols_fetches_and_delivers_over_a_killed_daemon(tmp_path: Path) -> None:
    async with town(tmp_path) as site:
        identity = await joined(site, "window", "w3", HOSPITAL)
        async with NodeClient(identity, now) as client:
            welcome = await client.hello(hello(newest=4, oldest=1))
            await client.enrol(enrolment(welcome))
            asked = edge_pb2.FetchRequest(person=PERSON, purpose=edge_pb2.PRESENCE_PURPOSE_VISIT)
            template = (await client.fetch_template(asked)).template
            score = score_e4(parse_vector(unit(1), 128), parse_vector(template.vector, 128))
            threshold = known_manifest(MODEL)
            assert threshold is not None
            assert threshold.default_threshold_e4 is not None
            assert score > threshold.default_threshold_e4
            signed = [
                client.sign(one)
                for one in (
                    compared(1, score),
                    compared(2, 1_000, crop=b"\xff\xd8\xff picture"),
                    compared(3, 9_900, liveness=edge_pb2.LIVENESS_NOT_CHECKED),
                    compared(4, 9_900, ahead_ms=3_600_000),
                )
            ]
            first = await client.deliver(signed[:2])
            await site.kill("daemon")
            with pytest.raises(NodeUnreachableError):
                await client.deliver(signed)
            await start(site)
            assert (await client.hello(hello(newest=4, oldest=1))).through == 2
            last = await client.deliver(signed)
            repeated = await client.deliver(signed)
        assert (first.through, last.through, repeated.through) == (2, 4, 4)
        assert [(one.seq, one.code) for one in last.refused] == [(4, "clock")]
        status = await site.status()
        shown = await device(site, "show", "w3")
        records = await exported(site, "identity_event")
    assert (shown["state"], shown["lost"]) == ("active", 0)
    assert status["records"]["identity_event"] == 3
    assert [one["result"] for one in records] == ["match", "mismatch", "unjudged"]
    assert {one["device"] for one in records} == {identity.device}
    log = site.log("daemon")
    assert "Traceback" not in log
    assert PERSON not in log


async def test_a_pharmacy_asks_whom_to_see_and_answers(tmp_path: Path) -> None:
    register, mapping = tmp_path / "staff.csv", tmp_path / "staff.yaml"
    register.write_text(
        "institution,staff,name,begins_at,stated_at\n"
        f"{PHARMACY},{STAFF},li,2026-01-01,{now():%Y-%m-%d}\n",
        encoding="utf-8",
    )
    mapping.write_text(MAPPING, encoding="utf-8")
    async with town(tmp_path) as site:
        await site.crew.run(
            *("node", "ingest", str(register), "--mapping", str(mapping)),
            *("--dir", str(site.directory)),
        )
        identity = await joined(site, "pharmacy", "p1", PHARMACY)
        async with NodeClient(identity, now) as client:
            welcome = await client.hello(hello())
            staff = {"person": STAFF, "subject": "staff", "purposes": ["duty"]}
            await client.enrol(enrolment(welcome, **staff))
            (ask,) = (await client.asks()).asks
            answer = compared(
                1,
                9_000,
                purpose=edge_pb2.PRESENCE_PURPOSE_DUTY,
                person=ask.person,
                round=ask.id,
            )
            done = await client.deliver([client.sign(answer)])
            after = list((await client.asks()).asks)
        records = await exported(site, "duty_event")
    assert (ask.person, ask.purpose) == (STAFF, edge_pb2.PRESENCE_PURPOSE_DUTY)
    assert (done.through, list(done.refused), after) == (1, [], [])
    assert [(one["staff"], one["result"]) for one in records] == [(STAFF, "match")]


async def test_who_is_revoked_or_uses_a_token_twice_is_refused(tmp_path: Path) -> None:
    async with town(tmp_path) as site:
        made = await device(
            site, "token", "--institution", HOSPITAL, "--place", "window", "--name", "w3"
        )
        identity = await enrol(site.work / "w3", made["token"], now())
        with pytest.raises(JoinRefusedError):
            await enrol(site.work / "thief", made["token"], now())
        async with NodeClient(identity, now) as client:
            await client.hello(hello())
            await device(site, "revoke", "w3", "--reason", "stolen")
            with pytest.raises(NodeRefusedError) as refused:
                await client.hello(hello())
        (row,) = (await device(site, "list"))["rows"]
        operations = await site.crew.ask(
            "node", "operations", "--verify", "--dir", str(site.directory)
        )
    assert refused.value.code == "permission_denied"
    assert row["state"] == "revoked"
    assert load_identity(site.work / "w3").device == row["device"]
    actions = [one["action"] for one in operations["rows"]]
    assert actions == ["device_revoke", "device_join", "device_token"]
    assert "was used by other keys" in site.log("daemon")
