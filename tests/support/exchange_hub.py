"""A hub behind the real wire: mutual TLS on loopback, real keys, real envelopes, real receipts.

It keeps what it accepts in memory, and it can be made to misbehave: break the line, lose its
last days, tamper with receipts, present a stranger's key, refuse.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio

from protos.yixin.v1 import (
    envelope_pb2,
    exchange_pb2,
    exchange_pb2_grpc,
    transparency_pb2_grpc,
)
from security.at_rest import Vault
from security.certificates import ENCRYPTION, CertifiedKey, Keyring
from security.chain import GENESIS, ChainPosition, Step, check_next
from security.channels import (
    SERVER_OPTIONS,
    exchange_credentials,
)
from security.envelope import open_envelope
from security.errors import (
    ChainForkError,
    ChainGapError,
    UntrustedCertificateError,
    UntrustedEnvelopeError,
)
from security.exchange import archive
from security.exchange.engine import open_exchange
from security.exchange.heads import (
    issue_incarnation,
    next_incarnation,
    open_heads,
    sign_heads,
    to_chain_head,
)
from security.exchange.outbox import Outbox
from security.exchange.receipts import PAYLOAD_TYPE as RECEIPT_TYPE
from security.exchange.sealing import SealedRow, SealingContext
from security.group_signature import sign_group
from security.headers import parse_header
from security.tls import (
    MEMBER_DAYS,
    certificate_pem,
    csr_der,
    issue_member_certificate,
    new_tls_key,
)
from tests.support.callers import caller_of
from tests.support.exchange_enrolling import TLS_NOW, Enrolling
from tests.support.exchange_memory import Chain, Faults, Stored
from tests.support.members import NODE, NOW_MS, HubUnderTest, make_hub
from tests.support.pack_files import PackFiles

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from sqlalchemy import Connection

    from tests.support.seen_logs import SeenLog


class ExchangeHub(Enrolling, PackFiles):
    """The servicer, its memory and its switches."""

    def __init__(self, hub: HubUnderTest, directory: Path) -> None:
        self.hub = hub
        self.keyring: Keyring = hub.keyring()
        self.chains: dict[tuple[str, int], Chain] = {}
        self.faults = Faults()
        self.log_size = 0
        self.backed_up_through = 0
        self.received: list[bytes] = []
        self.openings: list[dict[int, ChainPosition]] = []
        self.in_flight_peak = 0
        self.engine = open_exchange(directory / "hub-exchange.db")
        self.outbox = Outbox(Vault.create(directory / "hub-vault.key"))
        self.tamper_download: Callable[[exchange_pb2.CollectResponse], None] | None = None
        self.port = 0
        self.now_ms = NOW_MS
        self.tls_days = MEMBER_DAYS
        self.seals_anew = False

    def chain(self, lane: int = 3, member: str = NODE) -> Chain:
        return self.chains.setdefault((member, lane), Chain())

    def payloads(self, lane: int = 3) -> list[bytes]:
        return [stored.payload for stored in self.chain(lane).stored]

    def rewind(self, keep: int, lane: int = 3) -> None:
        """Restore the hub from an old backup that holds the first envelopes only."""
        del self.chain(lane).stored[keep:]

    # -- uplink

    async def Submit(  # noqa: N802  # named by the service definition
        self,
        request_iterator: AsyncIterator[exchange_pb2.SubmitRequest],
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> AsyncIterator[exchange_pb2.SubmitResponse]:
        member = caller_of(context, self.hub.ca_certificate_pem, TLS_NOW)
        opening = await anext(request_iterator)
        stated = open_heads(
            opening.open,
            self.keyring,
            signer=member,
            peer=self.hub.hub_id,
            downlink=False,
            now_ms=self.now_ms,
        )
        self.openings.append(stated)
        accepted, issued = self._accepted(member, stated)
        if self.faults.change_accepted:
            self.faults.change_accepted(accepted)
        yield self.faults.first_message or exchange_pb2.SubmitResponse(accepted=accepted)
        if self.faults.close_early:
            return
        waiting: list[Stored] = []
        owed = 0
        async for request in request_iterator:
            envelope = request.envelope
            self.received.append(envelope.SerializeToString(deterministic=True))
            owed += len(self.received[-1])
            self.in_flight_peak = max(self.in_flight_peak, owed)
            if len(self.received) == self.faults.break_after_received:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "the line breaks")
            if self.faults.silent:
                continue
            stored = next(self.faults.refusals, None) or self._take(envelope, member, issued)
            if isinstance(stored, exchange_pb2.Refusal):
                yield exchange_pb2.SubmitResponse(refusal=stored)
                return
            if self.log_size == self.faults.break_after_stored:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "the line breaks")
            waiting.append(stored)
            if len(self.received) < self.faults.answer_after:
                continue
            for response in self._receipts(waiting):
                yield response
            waiting, owed = [], 0

    def _accepted(
        self, member: str, stated: dict[int, ChainPosition]
    ) -> tuple[exchange_pb2.StreamAccepted, dict[int, ChainPosition]]:
        held = {lane: self.chain(lane, member).head for lane in (1, 2, 3)}
        issued = {lane: issue_incarnation(held[lane], stated.get(lane)) for lane in held}
        accepted = exchange_pb2.StreamAccepted(
            heads=sign_heads(
                self.hub.signing,
                signer=self.hub.hub_id,
                peer=member,
                heads={lane: head for lane, head in held.items() if head.seq},
                at_ms=self.now_ms,
                downlink=False,
            ),
            hub_keys=self.hub_keys(),
            incarnations=[to_chain_head(lane, position) for lane, position in issued.items()],
        )
        return accepted, issued

    def _take(
        self,
        envelope: envelope_pb2.SealedEnvelope,
        member: str,
        issued: dict[int, ChainPosition],
    ) -> Stored | exchange_pb2.Refusal:
        try:
            opened = open_envelope(
                envelope,
                recipient=self.hub.hub_id,
                decryption_keys=self.hub.decryption_keys,
                keyring=self.keyring,
                now_ms=self.now_ms,
            )
        except UntrustedEnvelopeError as error:
            return exchange_pb2.Refusal(code=exchange_pb2.REFUSAL_CODE_UNTRUSTED, detail=str(error))
        header = opened.header
        assert header.sender == member
        chain = self.chain(header.lane, member)
        known = chain.find(header.incarnation, header.seq)
        try:
            step = check_next(
                chain.head,
                chain.known_hash_at,
                header,
                opened.hash,
                issued_incarnation=next_incarnation(
                    chain.head, issued[header.lane].incarnation, header.incarnation
                ),
            )
        except (ChainGapError, ChainForkError) as error:
            is_gap = isinstance(error, ChainGapError)
            return exchange_pb2.Refusal(
                code=exchange_pb2.REFUSAL_CODE_GAP if is_gap else exchange_pb2.REFUSAL_CODE_FORK,
                detail=str(error),
                expected=to_chain_head(header.lane, chain.head),
            )
        if step is Step.SAME:
            assert known is not None
            return known
        stored = Stored(
            header=header, hash=opened.hash, payload=opened.payload, log_index=self.log_size
        )
        chain.stored.append(stored)
        self.log_size += 1
        return stored

    def _receipts(self, group: list[Stored]) -> list[exchange_pb2.SubmitResponse]:
        bodies = []
        for stored in group:
            header = stored.header
            is_poison = stored.payload == b"poison"
            body = exchange_pb2.ReceiptBody(
                format=1,
                hub=self.hub.hub_id,
                sender=header.sender,
                lane=header.lane,
                incarnation=header.incarnation,
                seq=header.seq,
                envelope_hash=stored.hash,
                log_index=stored.log_index,
                logged_at_ms=self.now_ms,
                status=exchange_pb2.RECEIPT_STATUS_QUARANTINED
                if is_poison
                else exchange_pb2.RECEIPT_STATUS_STORED,
                quarantined_parts=int(is_poison),
                backed_up_through=self.backed_up_through,
            )
            if self.faults.change_body:
                self.faults.change_body(body)
            bodies.append(body.SerializeToString(deterministic=True))
        _, proofs, signature = sign_group(self.hub.signing, RECEIPT_TYPE, bodies)
        responses = []
        for body_bytes, proof in zip(bodies, proofs, strict=True):
            receipt = exchange_pb2.Receipt(
                body=body_bytes,
                key_id=self.hub.signing.key_id,
                leaf_index=proof.leaf_index,
                group_size=proof.group_size,
                path=proof.path,
                signature=signature.classical,
                pq_signature=signature.post_quantum,
            )
            if self.faults.tamper_receipt:
                receipt = self.faults.tamper_receipt(receipt)
            responses.append(exchange_pb2.SubmitResponse(receipt=receipt))
        return responses

    # -- downlink

    def send_down(self, payload: bytes, *, lane: int = 3, **parts: Any) -> None:  # noqa: ANN401
        """Queue a payload for the node; ``parts`` override those of the header."""
        fields: dict[str, Any] = {
            "payload_type": "grade_statements",
            "schema_version": 1,
            "purpose": "supervision",
            "data_class": "grade",
            "period": "2026H1",
        }
        with self.engine.begin() as conn:
            self.outbox.append(conn, recipient=NODE, lane=lane, payload=payload, **(fields | parts))

    async def Collect(  # noqa: N802  # named by the service definition
        self,
        request: exchange_pb2.CollectRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> AsyncIterator[exchange_pb2.CollectResponse]:
        member = caller_of(context, self.hub.ca_certificate_pem, TLS_NOW)
        stated = open_heads(
            request.heads,
            self.keyring,
            signer=member,
            peer=self.hub.hub_id,
            downlink=True,
            now_ms=self.now_ms,
        )
        self.openings.append(stated)
        with self.engine.begin() as conn:
            self.outbox.acknowledge(conn, member, stated)
            if self.seals_anew:
                self._seal_anew(conn, member, stated)
            self.outbox.seal_ahead(conn, member, self.sealing_context(member))
        yield exchange_pb2.CollectResponse(hub_keys=self.hub_keys())
        rows: list[SealedRow] = []
        with self.engine.begin() as conn:
            for lane in (1, 2, 3):
                rows += archive.after(conn, member, lane, stated.get(lane, GENESIS))
        for row in rows:
            response = exchange_pb2.CollectResponse(envelope=row.message())
            if self.tamper_download:
                self.tamper_download(response)
            yield response

    def _seal_anew(self, conn: Connection, member: str, stated: dict[int, ChainPosition]) -> None:
        """Start lanes over whose first waiting envelope the member could take no more."""
        for lane, head in self.outbox.heads(conn, member).items():
            first = archive.find_unreceipted(conn, member, lane)
            if first is None:
                continue
            before = replace(first, seq=first.seq - 1)
            header = parse_header(archive.after(conn, member, lane, before, limit=1)[0].message())
            try:
                self.keyring.find(member, header.recipient_key_id, ENCRYPTION, self.now_ms)
                holds = self.now_ms <= header.expires_at_ms
            except UntrustedCertificateError:
                holds = False
            if not holds:
                base = stated.get(lane, GENESIS)
                self.outbox.start_incarnation(conn, member, lane, head.incarnation + 1, base)

    def sealing_context(self, member: str) -> SealingContext:
        return SealingContext(
            sender=self.hub.hub_id,
            signing_key=self.hub.signing,
            recipient_key=self.member_key(member),
            now_ms=self.now_ms,
        )

    def member_key(self, member: str) -> CertifiedKey:
        return self.keyring.current(member, ENCRYPTION, self.now_ms)


@asynccontextmanager
async def serving(
    directory: Path, hub: HubUnderTest | None = None, log: SeenLog | None = None
) -> AsyncIterator[ExchangeHub]:
    """Serve the exchange on a free loopback port, and a log beside it."""
    servicer = ExchangeHub(hub or make_hub(), directory)
    server = grpc.aio.server(options=SERVER_OPTIONS)
    if log is not None:
        transparency_pb2_grpc.add_TransparencyServicer_to_server(log, server)
    exchange_pb2_grpc.add_ExchangeServicer_to_server(servicer, server)
    key, certificate = tls_identity(servicer.hub)
    credentials = exchange_credentials(key, certificate, servicer.hub.ca_certificate_pem)
    servicer.port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    try:
        yield servicer
    finally:
        await server.stop(None)
        servicer.engine.dispose()


def tls_identity(hub: HubUnderTest) -> tuple[bytes, bytes]:
    """TLS key and certificate of a hub's server, both PEM."""
    key = new_tls_key()
    certificate = issue_member_certificate(
        hub.ca_key_pem, hub.ca_certificate_pem, csr_der(key), hub.hub_id, TLS_NOW
    )
    return key, certificate_pem(certificate)
