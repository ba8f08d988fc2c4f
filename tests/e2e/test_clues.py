"""What no single node sees: two nodes, two desks and one hub as processes of their own.

Each node holds one normal stay of the same person; the hub finds that they overlap. None of the
processes but the nodes' ever holds the person's number: not in a file, not in an envelope.
"""

from __future__ import annotations

import asyncio
import re
import socket
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from deploy.demo.processes import Crew
from hub.parts import open_parts
from hub.store.tables import envelope as envelopes
from protos.yixin.v1 import envelope_pb2
from security.at_rest import Vault
from security.envelope import decrypt_envelope, verify_addressed_envelope
from security.linking import PeriodKeys
from security.moments import to_ms
from tests.support import node_messages as m

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

pytestmark = pytest.mark.e2e

FIRST, SECOND = "H33030200001", "H33030300003"
PERSON = "33030000000000000000100001"
OTHER_PERSON = "33030000000000000000100002"
PROVINCE, HEALTH = "yixin://330000/hub/province", "yixin://330300/department/health"
TOKEN = re.compile(r"yixin1\.[A-Za-z0-9_-]+")
TODAY = datetime.now(tz=UTC).replace(hour=1, minute=0, second=0, microsecond=0)  # noqa: TID251 - real processes, real days


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        return port


def clock(days_ago: int) -> str:
    return (TODAY - timedelta(days=days_ago)).strftime("%Y-%m-%d %H:%M:%S")


def stay(institution: str, number: int, person: str, begins: int, ends: int) -> list[m.Document]:
    """Admission, settlement and discharge of one stay, days ago, as the platform answered them."""
    visit = f"330302G{number:013d}"
    documents = [
        m.admission(number * 10, psn_no=person, begntime=clock(begins)),
        m.discharge(number * 10 + 1, mdtrt_id=visit, psn_no=person, endtime=clock(ends)),
        m.settlement(
            number * 10 + 2,
            infno="2304",
            request={"psn_no": person, "mdtrt_id": visit, "med_type": "21"},
            response={"setl_time": clock(ends), "med_type": "21", "setl_id": f"S{visit}"},
        ),
    ]
    documents[0]["response"]["output"]["result"]["mdtrt_id"] = visit
    for document in documents:
        request = document["request"]
        request["fixmedins_code"] = institution
        request["msgid"] = institution + request["msgid"][len(institution) :]
        request["inf_time"] = clock(ends)
    return documents


def together(institution: str, last: datetime, *, reversed_only: bool = False) -> list[m.Document]:
    """Settlements of four persons on the last three days of a month; or the reversal of one."""
    documents: list[m.Document] = []
    for day in range(3):
        for number in range(4):
            person, name = f"{PERSON[:-1]}{3 + number}", 1_000 + 10 * day + number
            at = (last - timedelta(days=day)).strftime(f"%Y-%m-%d 09:{5 * number:02d}:00")
            ids = {"psn_no": person, "mdtrt_id": f"330302G{name:013d}"}
            told = {"setl_time": at, "setl_id": f"330302G{name + 500:013d}"}
            made = m.settlement(name, request=ids, response=told)
            if reversed_only:
                back = {**told, "setl_id": f"330302G{name + 900:013d}"}
                made = m.reversal(name + 900, told["setl_id"], back)
                made["request"]["input"]["data"] |= ids
            made["request"]["fixmedins_code"] = institution
            made["request"]["msgid"] = institution + made["request"]["msgid"][len(institution) :]
            made["request"]["inf_time"] = at
            documents.append(made)
    return documents[:1] if reversed_only else documents


@dataclass(slots=True, kw_only=True)
class City:
    """One hub, two desks, two nodes."""

    work: Path
    crew: Crew
    pids: dict[str, int] = field(default_factory=dict)

    def at(self, name: str) -> str:
        return str(self.work / name)

    async def found(self) -> None:
        run = self.crew.run
        await run(
            *("hub", "init", self.at("hub"), "--level", "city", "--division", "330300"),
            *("--name", "温州市"),
        )
        ready = self.work / "hub" / "serve.json"
        self.pids["hub"] = await self.crew.daemon(
            "hub", "hub", "serve", "--dir", self.at("hub"), ready=ready
        )
        await run("hub", "export-trust", self.at("city.trust"), "--dir", self.at("hub"))
        await asyncio.gather(
            self._found_desk("province", PROVINCE), self._found_desk("health", HEALTH)
        )
        await asyncio.gather(
            self._found_node("a", FIRST, "330302"), self._found_node("b", SECOND, "330303")
        )

    async def _found_desk(self, name: str, member: str) -> None:
        where, port = ("--dir", self.at(name)), str(free_port())
        await self.crew.ask_several(
            ("hub", "desk", "init", self.at(name), "--member", member, "--port", port),
            ("hub", "desk", "trust", self.at("city.trust"), *where),
            ("hub", "desk", "card", self.at(f"{name}.desk"), *where),
        )
        await self.open_desk(name)

    async def _found_node(self, name: str, code: str, division: str) -> None:
        where = ("--dir", self.at(name))
        said = await self.crew.run(
            *("hub", "token", "--approved", "--kind", "node", "--division", division),
            *("--code", code),
            *("--institutions", code, "--dir", self.at("hub")),
        )
        (token,) = TOKEN.findall(said)
        *_, key = await self.crew.ask_several(
            ("node", "init", *where),
            ("node", "join", "--token", token, *where),
            ("node", "clues", "desks", *map(self.at, ("province.desk", "health.desk")), *where),
            ("node", "clues", "key", *where),
        )
        await self.allow(("province", "health"), key, 100)

    async def open_desk(self, name: str) -> None:
        self.pids[name] = await self.crew.daemon(
            f"{name}-{len(self.pids)}",
            *("hub", "desk", "serve", "--dir", self.at(name)),
            ready=self.work / name / "serve.json",
        )

    async def allow(self, desks: Sequence[str], key: dict[str, Any], quota: int) -> None:
        said = ("hub", "desk", "allow", key["member"], "--key", key["key"], "--quota", str(quota))
        await self.crew.ask_several(*((*said, "--dir", self.at(desk)) for desk in desks))

    async def take_in(self, name: str, documents: list[m.Document]) -> None:
        file = m.write_lines(
            self.work / f"{name}-{documents[0]['request']['msgid']}.jsonl", documents
        )
        taken = await self.crew.ask("node", "ingest", str(file), "--dir", self.at(name))
        assert taken["quarantined"] == 0, taken
        assert taken["records_stored"].get("settlement") == 1, taken

    async def send(self, name: str, *, exit_code: int = 0) -> dict[str, Any]:
        return await self.crew.ask(
            "node", "clues", "send", "--dir", self.at(name), accepted=(exit_code,)
        )

    async def join(self) -> dict[str, Any]:
        return await self.crew.ask("hub", "clues", "join", "--dir", self.at("hub"))

    async def clues(self) -> list[dict[str, Any]]:
        found = await self.crew.ask("hub", "clues", "list", "--dir", self.at("hub"))
        rows: list[dict[str, Any]] = found["rows"]
        return rows


def payloads(hub: Path) -> list[tuple[str, bytes]]:
    """What every envelope said that the hub took, opened with its own key."""
    now = datetime.now(tz=UTC)  # noqa: TID251 - real processes, real days
    found = []
    with open_parts(hub, lambda: now, writer=False) as parts:
        with parts.engine.connect() as connection:
            rows = connection.execute(envelopes.select()).all()
            for member in {row.sender for row in rows}:
                parts.keys.learn(connection, member)
        for row in rows:
            sealed = envelope_pb2.SealedEnvelope.FromString(row.raw)
            verified = verify_addressed_envelope(
                sealed, recipient=parts.identity.hub, keyring=parts.keys.keyring, now_ms=to_ms(now)
            )
            opened = decrypt_envelope(sealed, verified, parts.identity.decryption_keys)
            found.append((verified.header.payload_type, opened.payload))
    return found


def held_by(directory: Path) -> bytes:
    """Everything that lies in a directory."""
    paths = sorted(path for path in directory.rglob("*") if path.is_file())
    assert paths
    return b"\n".join(path.read_bytes() for path in paths)


async def test_two_normal_stays_become_a_clue_and_nobody_but_the_nodes_knows_of_whom(
    tmp_path: Path,
) -> None:
    async with Crew(tmp_path / "logs") as crew:
        city = City(work=tmp_path, crew=crew)
        await city.found()
        await _a_desk_that_is_down(city)
        await _two_stays_overlap(city)
        await _a_quota_that_is_spent(city)
        await _a_clue_of_a_nodes_own_rule(city)
        await _findings_of_a_topic(city)
        _assert_nobody_knows(tmp_path)


async def _a_desk_that_is_down(city: City) -> None:
    """A clear answer, and nothing is lost: everything else of the node goes on."""
    await asyncio.gather(
        city.take_in("a", stay(FIRST, 1, PERSON, 20, 10)),
        city.take_in("b", stay(SECOND, 2, PERSON, 15, 5)),
    )
    await city.crew.end(city.pids["health"])
    down = await city.send("b", exit_code=40)
    assert down["error"] == "desk_unreachable", down
    assert HEALTH in down["message"]
    synced = await city.crew.ask("node", "sync", "--dir", city.at("b"))
    assert synced["receipts_quarantined"] == 0
    await city.open_desk("health")


async def _two_stays_overlap(city: City) -> None:
    for sent in await asyncio.gather(city.send("a"), city.send("b")):
        assert sent["join_parts"]["stay"] >= 1
        assert sent["asked"] >= 1
        assert sent["receipts_quarantined"] == 0
    again = await city.send("b")
    assert (again["asked"], again["sent"]) == (0, 0)
    report = await city.join()
    assert report["found"]["overlapping_stays"] == 1
    assert report["key_faults"] == {}
    (clue,) = await city.clues()
    assert (clue["source"], clue["institution"]) == ("J01", SECOND)
    shown = await city.crew.ask("hub", "clues", "show", clue["id"], "--dir", city.at("hub"))
    assert [one["institution"] for one in shown["detail"]["sources"]] == [FIRST, SECOND]
    assert shown["detail"]["numbers"] == {"overlap_hours": 120}
    for name in ("province", "health"):
        log = await city.crew.ask("hub", "desk", "log", "--dir", city.at(name))
        asked = {row["member"] for row in log["rows"] if row["outcome"] == "evaluated"}
        assert asked == {f"yixin://330302/node/{FIRST}", f"yixin://330303/node/{SECOND}"}


async def _a_quota_that_is_spent(city: City) -> None:
    key = await city.crew.ask("node", "clues", "key", "--dir", city.at("b"))
    await city.allow(["province"], key, 3)
    await city.take_in("b", stay(SECOND, 3, OTHER_PERSON, 9, 3))
    spent = await city.send("b", exit_code=41)
    assert spent["error"] == "desk_refused"
    assert "ask the desk's officer for more" in spent["message"]
    await city.allow(["province"], key, 100)
    assert (await city.send("b"))["asked"] >= 1


async def _a_clue_of_a_nodes_own_rule(city: City) -> None:
    await city.take_in("a", stay(FIRST, 5, PERSON, 8, 4))
    ran = await city.crew.ask("node", "rules", "run", "--rule", "M28", "--dir", city.at("a"))
    assert ran["stopped"] == []
    sent = await city.send("a")
    assert sent["clues"] == 1, "a second stay within a fortnight (M28)"
    (clue,) = [one for one in await city.clues() if one["source"] == "M28"]
    assert clue["institution"] == FIRST
    assert re.fullmatch(r"R[0-9a-f]{32}", clue["person"])


async def _findings_of_a_topic(city: City) -> None:
    """Four persons come together on three days: a circle (T12), told of each by each pair."""
    last = TODAY.replace(day=1) - timedelta(days=1)
    at = ("--dir", city.at("a"))
    file = m.write_lines(city.work / "together.jsonl", together(FIRST, last))
    taken = await city.crew.ask("node", "ingest", str(file), *at)
    assert taken["records_stored"]["settlement"] == 12, taken
    month = last.strftime("%Y%m")
    ran = await city.crew.ask("node", "topics", "run", "--topic", "T12", "--month", month, *at)
    assert ran["noticed"] == {"findings": 12, "new": 12, "gone": 0}
    assert (await city.send("a"))["clues"] == 13
    hub = ("--dir", city.at("hub"))
    found = await city.crew.ask("hub", "clues", "list", "--source", "T12", *hub)
    rows = found["rows"]
    assert {(row["institution"], row["month"]) for row in rows} == {(FIRST, int(month))}
    assert len({row["person"] for row in rows}) == 4
    assert all(re.fullmatch(r"R[0-9a-f]{32}", row["person"]) for row in rows)
    shown = await city.crew.ask("hub", "clues", "show", rows[0]["id"], *hub)
    assert shown["detail"]["evidence_count"] == 3, "a person's own settlements at the institution"
    assert [one["measure_set"] for one in shown["detail"]["measures"]] == ["together"]
    # A day of one of them is reversed: the circle is too small, and all its clues are withdrawn.
    back = together(FIRST, last, reversed_only=True)
    await city.crew.ask("node", "ingest", str(m.write_lines(file, back)), *at)
    again = await city.crew.ask("node", "topics", "run", "--topic", "T12", "--month", month, *at)
    assert again["noticed"] == {"findings": 0, "new": 0, "gone": 12}
    assert (await city.send("a"))["clues"] == 1
    found = await city.crew.ask("hub", "clues", "list", "--source", "T12", *hub)
    assert found["rows"] == []


def _assert_nobody_knows(work: Path) -> None:
    numbers = [text.encode() for text in (PERSON, m.CARD, "330302G0000000000001")]
    outside = [work / name for name in ("hub", "province", "health", "logs")]
    for directory in outside:
        content = held_by(directory)
        assert [number for number in numbers if number in content] == [], directory
    said = payloads(work / "hub")
    assert {kind for kind, _ in said} >= {"join_records", "clues", "statements"}
    for kind, payload in said:
        assert [number for number in numbers if number in payload] == [], kind
    # The half of one desk opens nothing of the other: neither lies in the hub's directory either.
    for name in ("province", "health"):
        keys = PeriodKeys(work / name / "keys", Vault.load(work / name / "vault.key"))
        for path in (work / name / "keys").glob("*.key"):
            half = keys.load(path.stem).to_bytes()
            for other in outside:
                assert half not in held_by(other)
