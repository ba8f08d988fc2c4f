"""A department joins over the wire, collects a product, asks, and is answered or refused."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from deploy.cli import app
from deploy.department import cli
from deploy.department.products import PRODUCTS, take_products
from deploy.department.program import Wanted, opened
from hub.agreements.delivering import deliver
from hub.agreements.signing import sign_terms
from hub.agreements.terms import shipped_terms
from hub.sharing_jobs import sharing_room
from hub.store import revocation_lists
from hub.store.engine import writing
from hub.store.policies import require_suite
from protos.yixin.v1 import envelope_pb2, identity_pb2, sharing_pb2
from scoring_kernel.periods import Period
from security.envelope import OpenedEnvelope
from security.errors import AgreementError, MembershipError
from security.exchange.membership import load
from tests.support.hub_city import City, Clock, open_city, serving
from tests.support.published import publish_grades

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from deploy.department.products import Taken

BANK = "yixin://330300/department/bank"
POLICE = "yixin://330300/department/police"


@pytest.fixture
async def city(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[City]:
    """A city that serves, has published and has agreements with a bank and the police."""
    clock = Clock()
    monkeypatch.setattr(cli, "_now", clock)
    with open_city(tmp_path / "hub", clock) as made:
        publish_grades(made.parts.engine)
        with writing(made.parts.engine) as connection:
            for name in ("bank", "police"):
                sign_terms(
                    connection,
                    made.parts.identity,
                    shipped_terms(made.parts.catalog)[name],
                    parent="",
                    officer="王五",
                    now_ms=clock.ms,
                )
        async with serving(made.parts):
            yield made


async def told(*arguments: object, code: int = 0) -> dict[str, Any]:
    """What a command prints, run as a person would while the hub serves in this loop."""
    words = [str(argument) for argument in arguments]
    result = await asyncio.to_thread(CliRunner().invoke, app, ["department", *words, "--json"])
    assert result.exit_code == code, result.output
    return dict(json.loads(result.stdout))


async def join(city: City, member: str, directory: Path) -> None:
    address = city.parts.address(city.parts.addresses().enrolment_port)
    token = replace(city.token(member), enrolment_address=address).encode()
    joined = await told("join", "--token", token, "--dir", directory)
    assert (joined["member"], joined["hub"]) == (member, city.parts.identity.hub)


async def test_a_bank_joins_and_collects_what_was_agreed(city: City, tmp_path: Path) -> None:
    where = tmp_path / "bank"
    await join(city, BANK, where)
    made = deliver(
        sharing_room(city.parts),
        "bank",
        period=Period.parse("2026H1"),
        officer="王五",
        correct=False,
        now_ms=city.clock.ms,
    )

    taken = await told("collect", "--dir", where)
    again = await told("collect", "--dir", where)

    (name,) = taken["written"]
    content = where.joinpath(PRODUCTS, name.rpartition("/")[2]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == made.sha256
    (manifest,) = where.joinpath(PRODUCTS).glob("*.json")
    said = json.loads(manifest.read_text("utf-8"))
    assert (said["agreement"], said["rows"], said["sha256"]) == ("bank@1", 2, made.sha256)
    assert {path.stat().st_mode & 0o777 for path in where.joinpath(PRODUCTS).iterdir()} == {0o600}
    assert again.pop("revocation_list").startswith("1, good until ")
    assert again == {"sent": 0, "written": [], "refused": [], "incomplete": 0, "faults": []}


async def test_a_hub_that_shows_no_newer_revocation_list_is_told(
    city: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = tmp_path / "bank"
    await join(city, BANK, where)
    monkeypatch.setattr(revocation_lists, "VALIDITY_MS", 1)
    with writing(city.parts.engine) as connection:
        revocation_lists.issue_list(connection, city.parts.identity, city.clock.ms)
    city.clock.advance(seconds=1)

    arguments = ["department", "collect", "--dir", str(where)]
    result = await asyncio.to_thread(CliRunner().invoke, app, arguments)

    assert result.exit_code == 0, result.output
    assert "Revocation list of the hub: 2, outdated since" in " ".join(result.output.split())


async def test_a_policy_that_comes_with_the_call_renews_the_keys(
    city: City, tmp_path: Path
) -> None:
    where = tmp_path / "bank"
    await join(city, BANK, where)
    with writing(city.parts.engine) as connection:
        require_suite(connection, city.parts.identity, BANK, "INTL", city.clock.ms)

    taken = await told("collect", "--dir", where)

    assert taken["faults"] == []
    assert load(where).keys.encryption.suite.name == "INTL"


async def test_two_requests_with_one_answer_keep_two_manifests(city: City, tmp_path: Path) -> None:
    where = tmp_path / "police"
    await join(city, POLICE, where)
    covered = ("--period", "2026H1", "--purpose", "fraud_investigation", "--dir", where)
    asked = [(await told("request", "police@1", *covered))["request"] for _ in range(2)]

    sent = (await told("collect", "--dir", where))["sent"]
    while len(list(where.joinpath(PRODUCTS).glob("*.json"))) < 2:
        await told("collect", "--dir", where)

    manifests = [json.loads(path.read_text()) for path in where.joinpath(PRODUCTS).glob("*.json")]
    assert sent == 2
    assert {one["request"] for one in manifests} == set(asked)


async def test_the_police_ask_and_are_answered_or_refused(city: City, tmp_path: Path) -> None:
    where = tmp_path / "police"
    await join(city, POLICE, where)
    covered = ("--period", "2026H1", "--purpose", "fraud_investigation", "--dir", where)
    asked = await told("request", "police@1", *covered, "--subject", "H33030200003,P33030200009")
    outside = await told("request", "police@1", *covered, "--field", "name")

    written: list[str] = []
    refused: list[dict[str, str]] = []
    while not (written and refused):
        taken = await told("collect", "--dir", where)
        written += taken["written"]
        refused += taken["refused"]

    (manifest,) = where.joinpath(PRODUCTS).glob("*.json")
    assert json.loads(manifest.read_text("utf-8"))["request"] == asked["request"]
    assert refused[0]["request"] == outside["request"]
    assert refused[0]["refusal"].startswith("field: ")


async def test_mistakes_say_what_to_do(city: City, tmp_path: Path) -> None:
    nowhere = await told("collect", "--dir", tmp_path / "nowhere", code=14)
    assert "yixin department join" in nowhere["message"]
    await told("join", "--token", "nonsense", "--dir", tmp_path / "x", code=10)
    where = tmp_path / "police"
    await join(city, POLICE, where)
    asked = ("--period", "sometime", "--purpose", "x", "--dir", where)
    malformed = await told("request", "police@1", *asked, code=47)
    assert "2026H1" in malformed["message"]


@pytest.mark.parametrize(
    ("agreement", "more", "words"),
    [
        ("police", (), "id@version"),
        ("police@x", (), "id@version"),
        ("police@1", ("--subject", "A" * 65), "up to 64 letters"),
        ("police@1", ("--subject", "A,A"), "each once"),
        ("police@1", ("--field", "id number"), "at most 32 fields"),
        ("police@1", ("--class", "x" * 65), "at most 32 classes"),
    ],
)
async def test_what_the_hub_would_not_read_is_never_queued(
    city: City, tmp_path: Path, agreement: str, more: tuple[str, ...], words: str
) -> None:
    where = tmp_path / "police"
    await join(city, POLICE, where)
    asked = ("--period", "2026H1", "--purpose", "fraud_investigation", "--dir", where)
    refused = await told("request", agreement, *asked, *more, code=47)
    assert words in refused["message"]
    assert (await told("collect", "--dir", where))["written"] == []


def received(where: Path, clock: Clock, *payloads: tuple[str, bytes]) -> Taken:
    """What becomes of payloads that the hub sealed for the department, whatever they hold."""
    with opened(where, clock) as department:
        head = b"\x01" * 32
        with department.engine.begin() as connection:
            held = department.inbox.heads(connection, department.membership.hub_id).get(3)
            seq = held.seq if held else 0
            previous = held.hash if held else bytes(32)
            for payload_type, payload in payloads:
                seq += 1
                header = envelope_pb2.EnvelopeHeader(
                    sender=department.membership.hub_id,
                    recipient=department.membership.member_id,
                    lane=envelope_pb2.LANE_BULK,
                    incarnation=1,
                    seq=seq,
                    previous_hash=previous,
                    payload_type=payload_type,
                )
                previous = hashlib.sha256(head + seq.to_bytes(8)).digest()
                one = OpenedEnvelope(header=header, hash=previous, payload=payload)
                department.inbox.accept(connection, one, clock.ms)
        return take_products(
            where, department.membership, department.engine, department.inbox, now=clock()
        )


def product(**parts: Any) -> bytes:  # noqa: ANN401 - any field
    content = b"subject,grade\nH1,good\n"
    usual: dict[str, Any] = {
        "format": 1,
        "agreement": "bank@1",
        "period": "2026H1",
        "rows": 1,
        "part": 0,
        "parts": 1,
        "content": content,
        "digest": hashlib.sha256(content).digest(),
    }
    return sharing_pb2.Product(**usual | parts).SerializeToString()


async def test_what_does_not_hold_is_not_written(city: City, tmp_path: Path) -> None:
    where = tmp_path / "bank"
    await join(city, BANK, where)
    broken = [
        b"\xff",
        product(format=2),
        product(part=1),
        product(parts=0),
        product(digest=b"short"),
        product(agreement="../../etc/passwd@1"),
        product(period="../2026"),
        product(content=b"subject,grade\nH1,bad\n"),
    ]
    taken = received(where, city.clock, *(("product", payload) for payload in broken))
    assert len(taken.faults) == len(broken)
    assert taken.written == []
    assert not where.joinpath(PRODUCTS).exists() or not [*where.joinpath(PRODUCTS).iterdir()]


async def test_a_product_waits_for_all_its_parts(city: City, tmp_path: Path) -> None:
    where = tmp_path / "bank"
    await join(city, BANK, where)
    whole = b"subject,grade\nH1,good\nH2,good\n"
    cut = {"parts": 2, "rows": 2, "digest": hashlib.sha256(whole).digest()}
    second = product(part=1, content=whole[22:], **cut)
    first = product(part=0, content=whole[:22], **cut)

    waiting = received(where, city.clock, ("product", second))
    assert (waiting.written, waiting.incomplete) == ([], 1)
    done = received(where, city.clock, ("product", first))
    (name,) = done.written
    assert where.joinpath(PRODUCTS, name.rpartition("/")[2]).read_bytes() == whole


async def test_a_directory_counts_when_the_hub_certified_it_and_is_newer(
    city: City, tmp_path: Path
) -> None:
    where = tmp_path / "bank"
    await join(city, BANK, where)
    hub = city.parts.identity.hub

    def directory(**parts: Any) -> tuple[str, bytes]:  # noqa: ANN401 - any field
        usual: dict[str, Any] = {"hub": hub, "version": 2}
        message = identity_pb2.MemberDirectory(**usual | parts)
        return "directory", message.SerializeToString()

    forged = identity_pb2.KeyCertificate(body=b"x", signature=bytes(64))
    taken = received(
        where, city.clock, directory(), directory(version=1), directory(version=9, keys=[forged])
    )
    assert len(taken.faults) == 1
    held = identity_pb2.MemberDirectory.FromString((where / "directory.pb").read_bytes())
    assert held.version == 2


async def test_a_forged_envelope_in_an_envelope_is_not_taken(city: City, tmp_path: Path) -> None:
    where = tmp_path / "bank"
    await join(city, BANK, where)
    taken = received(where, city.clock, ("forwarded", b"x"), ("forwarded", b""))
    assert len(taken.faults) == 2


async def test_a_request_has_the_parts_of_a_header(city: City, tmp_path: Path) -> None:
    where = tmp_path / "bank"
    await join(city, BANK, where)
    with opened(where, city.clock) as department:
        wanted = Wanted(agreement="bank@1", period="2026H1", purpose="No Word", data_class="grade")
        with pytest.raises(AgreementError, match="lower-case words"):
            department.request(wanted)
    with pytest.raises(MembershipError), opened(tmp_path / "nowhere", city.clock):
        pass
