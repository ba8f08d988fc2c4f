"""A node renews without a restart, waits for the officer, and hands out its receipts."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from node import app as node_app
from node.cli import app
from node.daemon import _renew  # what the daemon does each turn
from node.errors import NotJoinedError
from node.renewal import IdentityJobs, certificate_status
from node.sync.flow import Link
from protos.yixin.v1 import exchange_pb2, identity_pb2
from security.at_rest import Vault
from security.certificates import Keyring
from security.envelope import envelope_hash, parse_envelope
from security.errors import HubUnreachableError, JoinPendingError
from security.exchange.downlink import collect
from security.exchange.engine import open_exchange
from security.exchange.inbox import Inbox
from security.exchange.join import join
from security.exchange.outbox import Outbox
from security.exchange.receipts import verify_receipt
from security.exchange.uplink import sync_up
from security.progress import no_progress
from security.proof_files import ProofKind, ReceiptProof, read_proofs
from tests.support.enrolment_hub import enrolling
from tests.support.exchange_enrolling import TLS_NOW
from tests.support.exchange_hub import serving
from tests.support.members import HUB, NODE, NOW

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.support.enrolment_hub import EnrolmentHub


@pytest.fixture
async def enrolment(tmp_path: Path) -> AsyncIterator[EnrolmentHub]:
    (tmp_path / "hub").mkdir()
    async with serving(tmp_path / "hub") as exchange, enrolling(exchange) as servicer:
        yield servicer


@pytest.fixture
async def link(tmp_path: Path, enrolment: EnrolmentHub) -> Link:
    membership = await join(
        tmp_path / "membership",
        enrolment.token.encode(),
        kind="node",
        post_quantum=False,
        now=TLS_NOW,
    )
    vault = Vault.create(tmp_path / "vault.key")
    return Link(
        membership=membership,
        engine=open_exchange(tmp_path / "exchange.db"),
        outbox=Outbox(vault),
        inbox=Inbox(vault),
    )


def at(moment: datetime) -> Callable[[], datetime]:
    return lambda: moment


def run(jobs: IdentityJobs, **arguments: object) -> dict[str, Any]:
    """Run the job as the daemon does: in a thread without an event loop."""
    return jobs.renew(dict(arguments), no_progress)


async def in_thread(call: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    return await asyncio.to_thread(call)


async def exchange(link: Link) -> int:
    """Send one payload and collect, as a synchronisation does, with the membership of now."""
    with link.engine.begin() as conn:
        link.outbox.append(
            conn,
            recipient=HUB,
            lane=3,
            payload_type="statements",
            schema_version=1,
            purpose="supervision",
            data_class="aggregate",
            period="",
            payload=b"statement",
        )
    report = await sync_up(link.membership, link.engine, link.outbox, now=at(NOW))
    await collect(link.membership, link.engine, link.inbox, now=at(NOW))
    return report.receipts


async def test_a_certificate_renews_at_half_life_while_the_link_goes_on(
    link: Link, enrolment: EnrolmentHub
) -> None:
    assert await exchange(link) == 1
    before = link.membership
    early = IdentityJobs(link=link, now=at(TLS_NOW + timedelta(days=14)))
    assert not (await in_thread(lambda: run(early, if_due=True)))["renewed"]
    assert link.membership is before

    late = IdentityJobs(link=link, now=at(TLS_NOW + timedelta(days=16)))
    told = await in_thread(lambda: run(late, if_due=True))

    assert (told["renewed"], told["new_keys"]) == (True, False)
    assert link.membership.tls_certificate_pem != before.tls_certificate_pem
    assert link.membership.tls_key_pem == before.tls_key_pem
    assert link.membership.signing_key.key_id == before.signing_key.key_id
    assert await exchange(link) == 1
    assert len(enrolment.renewals) == 1


async def test_a_person_may_renew_all_keys_at_any_time(link: Link) -> None:
    jobs = IdentityJobs(link=link, now=at(TLS_NOW))
    before = link.membership.signing_key.key_id
    told = await in_thread(lambda: run(jobs, new_keys=True))

    assert (told["renewed"], told["new_keys"]) == (True, True)
    assert link.membership.signing_key.key_id != before
    status = certificate_status(link, TLS_NOW)
    assert status["renewal"] == "not due"
    assert status["suite"] == "INTL-PQ"
    assert status["revocation_list"].startswith("none: ")
    assert (status["hub_log_seen"], status["hub_log_contradictions"]) == ("nothing published", 0)
    assert datetime.fromisoformat(status["tls_certificate_ends"]) > TLS_NOW.astimezone(UTC)


async def test_a_node_that_never_joined_is_told_so() -> None:
    jobs = IdentityJobs(link=None, now=at(TLS_NOW))
    with pytest.raises(NotJoinedError, match="yixin node join"):
        run(jobs)
    with pytest.raises(NotJoinedError):
        jobs.receipts({"out": "x"}, no_progress)


@pytest.mark.parametrize("envelopes", [True, False])
async def test_exported_receipts_hold_for_somebody_with_the_anchor_alone(
    link: Link, tmp_path: Path, enrolment: EnrolmentHub, *, envelopes: bool
) -> None:
    for _ in range(3):
        await exchange(link)
    jobs = IdentityJobs(link=link, now=at(TLS_NOW))
    await in_thread(lambda: run(jobs, new_keys=True))
    await exchange(link)

    made = jobs.receipts({"out": str(tmp_path / "out"), "envelopes": envelopes}, no_progress)

    head, proofs = read_proofs(tmp_path / "out")
    found = list(proofs)
    assert (head.kind, head.member, made["receipts"]) == (ProofKind.RECEIPTS, NODE, 4)
    joined = link.membership.joined
    assert head.policy == joined.policy.SerializeToString(deterministic=True)
    assert head.revocations == joined.revocations.SerializeToString(deterministic=True)
    ring = Keyring([enrolment.exchange.hub.anchor])
    for raw in head.certificates:
        ring.add(identity_pb2.KeyCertificate.FromString(raw))
    for proof in found:
        assert isinstance(proof, ReceiptProof)
        receipt = exchange_pb2.Receipt.FromString(proof.receipt)
        verified = verify_receipt(receipt, ring, hub=HUB, sender=NODE)
        assert (proof.envelope is not None) == envelopes
        if proof.envelope is not None:
            envelope = parse_envelope(proof.envelope)
            assert envelope_hash(envelope) == verified.position.hash


@dataclass
class Server:
    """The control server, as far as the daemon's turn uses it."""

    answer: Exception | dict[str, Any]

    async def run(self, job: str, arguments: dict[str, Any]) -> dict[str, Any]:
        assert (job, arguments) == ("renew", {"if_due": True})
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"renewed": False}, None),
        ({"renewed": True, "tls_certificate_ends": "2027-01-01"}, "TLS until 2027-01-01"),
        (HubUnreachableError("the line broke"), "will try again (hub_unreachable): the line broke"),
        (JoinPendingError(HUB, "r-7", "0001 0203", 60), "yixin hub approve r-7"),
    ],
    ids=["not due", "renewed", "down", "waits"],
)
async def test_the_daemon_says_what_became_of_a_renewal(
    link: Link, answer: Exception | dict[str, Any], said: str | None
) -> None:
    lines: list[str] = []

    @dataclass
    class Jobs:
        link: Link

    await _renew(Server(answer), Jobs(link), lines.append)  # type: ignore[arg-type]  # its parts
    assert len(lines) == (said is not None)
    assert said is None or said in lines[0]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "node").mkdir()
    (tmp_path / "node" / "node.db").touch()
    return tmp_path / "node"


def command(home: Path, *arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, [*arguments, "--dir", str(home)])
    return done.exit_code, done.output


def test_a_join_that_waits_says_whom_to_call_and_goes_on_later(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def waits(_home: Path, job: str, *_: object, **__: object) -> None:
        asked.append(job)
        raise JoinPendingError(HUB, "r-7", "0001 0203", 60)

    monkeypatch.setattr(node_app, "run_here", waits)
    code, output = command(home, "join", "--token", "t", "--wait", "0")
    assert code == 49
    assert "0001 0203" in " ".join(output.split())
    assert asked == ["join"]


def test_an_interrupted_wait_loses_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(node_app, "run_here", interrupted)
    code, output = command(home, "join", "--token", "t")
    assert code == 130
    assert "run the same command again" in " ".join(output.split())


def test_a_join_asks_again_until_the_officer_approved(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[object] = [
        JoinPendingError(HUB, "r-7", "0001 0203", 5),
        JoinPendingError(HUB, "r-7", "0001 0203", 5),
        {"hub": HUB, "member": NODE, "institutions": 1},
    ]
    pauses: list[float] = []

    def answered(*_: object, **__: object) -> object:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(node_app, "run_here", answered)
    monkeypatch.setattr("node.cli_identity.time.sleep", pauses.append)
    code, output = command(home, "join", "--token", "t")

    assert code == 0, output
    assert pauses == [5, 5]
    assert output.count("0001 0203") == 1
    assert f"Joined {HUB}" in output


def test_help_shows_examples() -> None:
    for name in ("join", "renew", "receipts"):
        shown = CliRunner().invoke(app, [name, "--help"])
        assert shown.exit_code == 0
        assert f"yixin node {name}" in shown.output
