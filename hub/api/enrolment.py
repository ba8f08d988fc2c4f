"""Servicer of Enrolment: decode, call the flow, encode."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias, TypeVar

import grpc.aio

from hub.api.errors import row_of
from hub.errors import EnrolmentRefusedError, HubError
from hub.store.refusals import RefusedAttempt
from protos.yixin.v1 import enrolment_pb2, enrolment_pb2_grpc
from security.errors import SecurityError
from security.moments import to_ms

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")
JoinFlow: TypeAlias = Callable[[enrolment_pb2.JoinRequest, datetime], enrolment_pb2.JoinResponse]
RenewFlow: TypeAlias = Callable[[enrolment_pb2.RenewRequest, datetime], enrolment_pb2.RenewResponse]


class EnrolmentServicer(enrolment_pb2_grpc.EnrolmentServicer):
    """Lets members join, and renew what they got."""

    def __init__(
        self,
        *,
        join: JoinFlow,
        renew: RenewFlow,
        log_refusal: Callable[[RefusedAttempt], None],
        now: Callable[[], datetime],
    ) -> None:
        """Serve both flows; each runs in a thread.

        Args:
            join: Answers a join.
            renew: Answers a renewal.
            log_refusal: Stores a refused attempt; runs in a thread.
            now: Tells the present moment, UTC-aware.
        """
        self._join = join
        self._renew = renew
        self._log_refusal = log_refusal
        self._now = now

    async def Join(  # noqa: N802 - named by the service definition
        self,
        request: enrolment_pb2.JoinRequest,
        context: grpc.aio.ServicerContext[enrolment_pb2.JoinRequest, enrolment_pb2.JoinResponse],
    ) -> enrolment_pb2.JoinResponse:
        """Answer one join request."""
        return await self._answer("Join", self._join, request, context)

    async def Renew(  # noqa: N802 - named by the service definition
        self,
        request: enrolment_pb2.RenewRequest,
        context: grpc.aio.ServicerContext[enrolment_pb2.RenewRequest, enrolment_pb2.RenewResponse],
    ) -> enrolment_pb2.RenewResponse:
        """Answer one renewal."""
        return await self._answer("Renew", self._renew, request, context)

    async def _answer(
        self,
        method: str,
        flow: Callable[[RequestT, datetime], ResponseT],
        request: RequestT,
        context: grpc.aio.ServicerContext[RequestT, ResponseT],
    ) -> ResponseT:
        now = self._now()
        peer = context.peer()  # Asked while the call lives: it may have ended when the flow does.
        try:
            return await asyncio.to_thread(flow, request, now)
        except (HubError, SecurityError) as error:
            row = row_of(error)
            if isinstance(error, EnrolmentRefusedError | SecurityError):
                attempt = RefusedAttempt(
                    at_ms=to_ms(now),
                    peer=peer,
                    method=method,
                    code=row.code,
                    cause=str(getattr(error, "cause", error)),
                )
                await asyncio.to_thread(self._log_refusal, attempt)
            # Every wording of a refused enrolment is constant, and its own message.
            told = str(error) if isinstance(error, EnrolmentRefusedError) else row.wording
            await context.abort(row.status, told)
            raise AssertionError from error  # pragma: no cover - abort raises
