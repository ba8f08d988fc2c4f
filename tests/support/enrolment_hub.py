"""A hub's enrolment behind the real wire: server TLS on loopback, one answer per request."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio

from protos.yixin.v1 import enrolment_pb2, enrolment_pb2_grpc, identity_pb2
from security.certificates import anchor_bytes, anchor_digest
from security.channels import SERVER_OPTIONS, enrolment_credentials
from security.keys import Signature, VerifyingKey
from security.members import parse_member_id
from security.moments import to_ms
from security.tls import certificate_der
from security.tokens import JoinToken
from tests.support.exchange_enrolling import TLS_NOW
from tests.support.exchange_hub import ExchangeHub, tls_identity
from tests.support.members import NODE, NOW_MS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


class EnrolmentHub(enrolment_pb2_grpc.EnrolmentServicer):
    """Answers join requests: the same request gets the same answer."""

    def __init__(self, exchange: ExchangeHub, member: str = NODE) -> None:
        self.exchange = exchange
        self.member = member
        self.requests: list[bytes] = []
        self.answers: dict[bytes, enrolment_pb2.JoinResponse] = {}
        self.change: Callable[[enrolment_pb2.JoinResponse], None] | None = None
        self.fail: grpc.StatusCode | None = None
        self.pending: enrolment_pb2.Pending | None = None
        self.renewals: list[enrolment_pb2.RenewRequest] = []
        self.renew_at_ms = NOW_MS
        self.change_renewal: Callable[[enrolment_pb2.RenewResponse], None] | None = None
        self.token = JoinToken(
            hub=parse_member_id(exchange.hub.hub_id).member_id,
            enrolment_address="127.0.0.1:1",
            anchor_digest=bytes(32),
            ca_certificate_der=b"root",
            secret=bytes(range(32)),
            expires_at_ms=to_ms(TLS_NOW) + 600_000,
        )

    async def Join(  # noqa: N802  # named by the service definition
        self,
        request: enrolment_pb2.JoinRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> enrolment_pb2.JoinResponse:
        raw = request.SerializeToString(deterministic=True)
        self.requests.append(raw)
        body = enrolment_pb2.JoinBody.FromString(request.body)
        assert body.token_secret == self.token.secret
        signing = VerifyingKey(
            public_key=body.signing_public_key, pq_public_key=body.signing_pq_public_key
        )
        signing.verify(
            Signature(classical=request.signature, post_quantum=request.pq_signature),
            "yixin/join/v1",
            request.body,
        )
        if self.pending is not None:
            return enrolment_pb2.JoinResponse(pending=self.pending)
        if raw not in self.answers:
            self.answers[raw] = self.exchange.answer(
                self.member, signing, body.suite, body.encryption_public_key, body.tls_csr_der
            )
        if self.fail is not None:
            code, self.fail = self.fail, None
            await context.abort(code, "the hub's wording")
        response = enrolment_pb2.JoinResponse()
        response.CopyFrom(self.answers[raw])
        if self.change:
            self.change(response)
        return response

    async def Renew(  # noqa: N802  # named by the service definition
        self,
        request: enrolment_pb2.RenewRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> enrolment_pb2.RenewResponse:
        self.renewals.append(request)
        body = enrolment_pb2.RenewBody.FromString(request.body)
        assert body.member == self.member
        held = self.exchange.keyring.find(
            self.member, request.key_id, identity_pb2.KEY_USE_SIGNING, self.renew_at_ms
        )
        held.verifying.verify(
            Signature(classical=request.signature, post_quantum=request.pq_signature),
            "yixin/renew/v1",
            request.body,
        )
        new = VerifyingKey(
            public_key=body.signing_public_key, pq_public_key=body.signing_pq_public_key
        )
        new.verify(
            Signature(classical=request.new_signature, post_quantum=request.new_pq_signature),
            "yixin/renew-possession/v1",
            request.body,
        )
        if self.pending is not None:
            return enrolment_pb2.RenewResponse(pending=self.pending)
        answer = self.exchange.answer(
            self.member, new, body.suite, body.encryption_public_key, body.tls_csr_der
        )
        if self.fail is not None:
            code, self.fail = self.fail, None
            await context.abort(code, "the hub's wording")
        response = enrolment_pb2.RenewResponse(
            tls_certificate_der=answer.tls_certificate_der,
            certificates=[answer.signing_certificate, answer.encryption_certificate],
            hub_keys=answer.hub_keys,
        )
        if self.change_renewal:
            self.change_renewal(response)
        return response


@asynccontextmanager
async def enrolling(exchange: ExchangeHub, member: str = NODE) -> AsyncIterator[EnrolmentHub]:
    """Serve enrolment on a free loopback port, with server TLS only."""
    servicer = EnrolmentHub(exchange, member)
    server = grpc.aio.server(options=SERVER_OPTIONS)
    enrolment_pb2_grpc.add_EnrolmentServicer_to_server(servicer, server)
    port = server.add_secure_port("127.0.0.1:0", enrolment_credentials(*tls_identity(exchange.hub)))
    servicer.token = replace(
        servicer.token,
        enrolment_address=f"127.0.0.1:{port}",
        anchor_digest=anchor_digest(anchor_bytes(exchange.hub.anchor)),
        ca_certificate_der=certificate_der(exchange.hub.ca_certificate_pem),
    )
    await server.start()
    try:
        yield servicer
    finally:
        await server.stop(None)
