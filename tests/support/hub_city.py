"""A hub made by its own code, with members whose envelopes are sealed by hand or sent for real."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from hub.app import HubApp, init_hub
from hub.daemon import Daemon
from hub.domain.institution_list import parse_codes
from hub.exchange.enrolment import Invitation, issue_token, join
from hub.intake.checking import Checked, EnvelopeChecker, Submitted
from hub.intake.committing import Committer, Result
from hub.intake.purposes import PURPOSES
from hub.store import custody
from hub.store.engine import reading
from protos.yixin.v1 import enrolment_pb2, envelope_pb2, statement_pb2
from scoring_kernel.statements import rows_digest
from security.chain import GENESIS, ChainPosition
from security.envelope import OutgoingEnvelope, envelope_hash, seal
from security.exchange.key_files import MemberKeys, create_keys
from security.exchange.membership import Membership, make_membership
from security.members import parse_member_id
from security.moments import to_ms
from security.tls import csr_der

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence

    from hub.domain.custody import CustodyRegister
    from hub.parts import HubParts
    from security.tokens import JoinToken

NODE = "yixin://330302/node/H33030200001"
OTHER = "yixin://330303/node/county"
CITY = "yixin://330300/hub/city"
FIRST = "H33030200001"
SECOND = "H33030200002"
THIRD = "H33030300003"
NOW = datetime(2026, 11, 1, 4, 0, tzinfo=UTC)
OWN_LEAVES = 2
"""Leaves with which a hub's log begins: certificates of its signing and encryption key."""
JOIN_LEAVES = 2
"""Leaves of a join: certificates of the member's signing and encryption key."""
MEASURES = ("settlements", "medfee_fen", "fund_fen", "inscp_fen")


@dataclass(slots=True)
class Clock:
    """A clock that tests turn by hand."""

    at: datetime = NOW

    def __call__(self) -> datetime:
        return self.at

    def advance(self, **parts: float) -> None:
        self.at += timedelta(**parts)

    @property
    def ms(self) -> int:
        return to_ms(self.at)


@dataclass(slots=True)
class Sender:
    """A member that seals by hand: chains go where the test wants them."""

    city: City
    member: str
    keys: MemberKeys
    membership: Membership
    head: ChainPosition = GENESIS

    def seal(self, payload: bytes, **changes: Any) -> envelope_pb2.SealedEnvelope:  # noqa: ANN401
        """Seal the next envelope of the bulk chain; ``changes`` override any part of it."""
        identity = self.city.parts.identity
        kind = parse_member_id(self.member).kind
        usual = "statements" if kind == "node" else "grade_push"
        payload_type = changes.get("payload_type", usual)
        declared = PURPOSES.get(payload_type, PURPOSES[usual])
        outgoing = OutgoingEnvelope(
            suite=identity.encryption.suite.name,
            sender=self.member,
            sender_key=self.keys.signing,
            recipient=identity.hub,
            recipient_key_id=identity.encryption.key_id,
            recipient_public_key=identity.encryption.public_bytes,
            purpose=declared.purpose,
            data_class=declared.data_class,
            payload_type=payload_type,
            schema_version=1,
            period="2026H1",
            lane=envelope_pb2.LANE_BULK,
            incarnation=max(1, self.head.incarnation),
            seq=self.head.seq + 1,
            previous_hash=self.head.hash,
            created_at_ms=self.city.clock.ms,
            expires_at_ms=self.city.clock.ms + 86_400_000,
            pack_digest=bytes(32),
            payload=payload,
        )
        envelope = seal(replace(outgoing, **changes))
        self.head = ChainPosition(
            incarnation=changes.get("incarnation", outgoing.incarnation),
            seq=changes.get("seq", outgoing.seq),
            hash=envelope_hash(envelope),
        )
        return envelope


@dataclass(slots=True)
class City:
    """A hub over a directory, its parts open, and a committer as its daemon has one."""

    parts: HubParts
    clock: Clock
    senders: dict[str, Sender] = field(default_factory=dict)

    def token(
        self, member: str, *codes: str, from_month: int = 200001, approved: bool = True
    ) -> JoinToken:
        name = parse_member_id(member)
        rows = parse_codes(",".join(codes), name.member_id, from_month) if codes else ()
        return issue_token(
            self.parts.engine,
            self.parts.identity,
            Invitation(name=name, custody=rows),
            enrolment_address="localhost:1",
            lifetime=self.parts.settings.lifetime,
            now=self.clock(),
            approved=approved,
        )

    def join(self, request: enrolment_pb2.JoinRequest) -> enrolment_pb2.JoinResponse:
        return join(
            self.parts.engine,
            self.parts.identity,
            request,
            exchange_address="localhost:2",
            settings=self.parts.settings,
            now=self.clock(),
        )

    def enrol(self, directory: Path, member: str, *codes: str) -> Sender:
        """Let a member join by the enrolment flow, without a network."""
        token = self.token(member, *codes)
        is_hub = parse_member_id(member).kind == "hub"
        keys = create_keys(directory, post_quantum=is_hub)
        response = self.join(join_request(token, keys, self.clock.ms))
        sender = Sender(self, member, keys, make_membership(directory, response, keys))
        self.learn(member)
        self.senders[member] = sender
        return sender

    def learn(self, member: str) -> None:
        with reading(self.parts.engine) as connection:
            self.parts.keys.learn(connection, member)

    def committer(self) -> Committer:
        return Committer(
            self.parts.engine,
            self.parts.identity,
            self.parts.statements,
            self.parts.catalog.joining,
        )

    def checker(self) -> EnvelopeChecker:
        return EnvelopeChecker(
            hub=self.parts.identity.hub,
            decryption_keys=self.parts.identity.decryption_keys,
            keyring=self.parts.keys.keyring,
            measure_sets=self.parts.stated_sets,
            joining=self.parts.catalog.joining,
        )

    def submit(
        self,
        *envelopes: envelope_pb2.SealedEnvelope,
        peer: str = NODE,
        issued: Mapping[int, int] | None = None,
    ) -> list[Result | None]:
        """Check and commit envelopes as one group of one stream."""
        checked = [self.check(envelope, peer=peer, issued=issued) for envelope in envelopes]
        return self.committer().commit(checked, self.clock.ms)

    def check(
        self,
        envelope: envelope_pb2.SealedEnvelope,
        *,
        peer: str = NODE,
        issued: Mapping[int, int] | None = None,
    ) -> Checked:
        """Check one envelope as the intake does."""
        submitted = Submitted(peer=peer, stream=1, envelope=envelope, issued=issued or {})
        return self.checker().check(submitted, self.clock.ms)

    def monthly(self, *months: int, measure_set: str = "settlement") -> dict[str, list[Any]]:
        """What counts: institutions (as subjects), months and the first measure."""
        with reading(self.parts.engine) as connection:
            found = self.parts.statements.monthly(connection, measure_set, months)
        return {
            "subjects": found.subjects.tolist(),
            "months": found.months.tolist(),
            "values": found.columns[next(iter(found.columns))].tolist(),
        }

    def register(self) -> CustodyRegister:
        with reading(self.parts.engine) as connection:
            return custody.register(connection)


def join_request(
    token: JoinToken,
    keys: MemberKeys,
    now_ms: int,
    /,
    **changes: Any,  # noqa: ANN401 - parts of any type
) -> enrolment_pb2.JoinRequest:
    """A join request as a member signs it; ``changes`` override parts of its body."""
    parts: dict[str, Any] = {
        "format": 1,
        "token_secret": token.secret,
        "tls_csr_der": csr_der(keys.tls_key_pem),
        "suite": "INTL-PQ",
        "signing_public_key": keys.signing.verifying.public_key,
        "signing_pq_public_key": keys.signing.verifying.pq_public_key,
        "encryption_public_key": keys.encryption.public_bytes,
        "at_ms": now_ms,
    }
    body = enrolment_pb2.JoinBody(**(parts | changes)).SerializeToString(deterministic=True)
    signature = keys.signing.sign("yixin/join/v1", body)
    return enrolment_pb2.JoinRequest(
        body=body, signature=signature.classical, pq_signature=signature.post_quantum
    )


_COPIED: Final[set[tuple[Path, str, str, datetime]]] = set()


def _init(directory: Path, level: str, division: str, at: datetime) -> None:
    init_hub(directory, level=level, division=division, name="温州市", now=lambda: at)


@cache
def _made_once(level: str, division: str, at: datetime) -> TemporaryDirectory[str]:
    """Where a hub is that nobody opens; it goes with this process."""
    held = TemporaryDirectory(prefix="yixin-hub-")
    _init(Path(held.name, "hub"), level, division, at)
    return held


@contextmanager
def open_city(
    directory: Path, clock: Clock | None = None, *, level: str = "city", division: str = "330300"
) -> Iterator[City]:
    """Make a hub, or open one that is there, and keep it open.

    The first of a kind beside a test's other files is a copy of one that is made once; its keys
    are those of no other hub of the test.
    """
    clock = clock or Clock()
    if not directory.exists():
        place = (level, division, clock.at)
        if (directory.parent, *place) in _COPIED:
            _init(directory, *place)
        else:
            _COPIED.add((directory.parent, *place))
            shutil.copytree(Path(_made_once(*place).name, "hub"), directory)
    with HubApp(directory, clock).opened() as parts:
        yield City(parts, clock)


@asynccontextmanager
async def serving(
    parts: HubParts, after_group: Callable[[], None] = lambda: None
) -> AsyncIterator[Daemon]:
    """Run the hub's daemon in this event loop."""
    daemon = Daemon(parts=parts, say=lambda _text: None, after_group=after_group)
    run = asyncio.create_task(daemon.run())
    while not (parts.directory / "serve.json").exists():
        if run.done():
            await run
        await asyncio.sleep(0.01)
    try:
        yield daemon
    finally:
        daemon.stop.set()
        await run


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One slot to state: as many rows as there are values, usually one."""

    institution: str = FIRST
    month: int = 202601
    version: int = 1
    value: int = 1
    rows: int | None = None
    digest: bytes | None = None
    part: int = 1
    parts: int = 1
    empty: bool = False
    subject: str | None = None


def batch(*slots: Slot, measure_set: str = "settlement", names: Sequence[str] = MEASURES) -> bytes:
    """A payload of type ``statements``; every slot has one row unless it is empty."""
    message = statement_pb2.StatementBatch(measure_set=measure_set)
    rows: list[tuple[str, int, str, int]] = []
    for slot in slots:
        own = [] if slot.empty else [(slot.subject or slot.institution, slot.value)]
        digest = rows_digest(
            [slot.institution] * len(own),
            [slot.month] * len(own),
            [subject for subject, _ in own],
            {name: [value for _, value in own] for name in names},
        )
        message.slots.append(
            statement_pb2.SlotStatement(
                institution=slot.institution,
                measure_set=measure_set,
                month=slot.month,
                version=slot.version,
                ledger_size=10,
                rows=len(own) if slot.rows is None else slot.rows,
                digest=digest if slot.digest is None else slot.digest,
                part=slot.part,
                parts=slot.parts,
            )
        )
        rows += [(slot.institution, slot.month, subject, value) for subject, value in own]
    message.rows_ipc = ipc(
        pa.table(
            {
                "institution": pa.array([row[0] for row in rows], pa.string()),
                "month": pa.array([row[1] for row in rows], pa.int32()),
                "subject": pa.array([row[2] for row in rows], pa.string()),
                **{name: pa.array([row[3] for row in rows], pa.int64()) for name in names},
            }
        )
    )
    return message.SerializeToString(deterministic=True)


def ipc(table: pa.Table, options: pa.ipc.IpcWriteOptions | None = None) -> bytes:
    """A table as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    data: bytes = sink.getvalue().to_pybytes()
    return data
