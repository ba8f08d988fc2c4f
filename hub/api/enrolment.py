"""Servicer of Enrolment: decode, call the flow, encode."""

import asyncio
from collections.abc import Callable
from datetime import datetime

import grpc.aio

from hub.api.errors import row_of
from hub.errors import EnrolmentRefusedError, HubError
from hub.store.refusals import RefusedAttempt
from protos.yixin.v1 import enrolment_pb2, enrolment_pb2_grpc
from security.errors import SecurityError
from security.moments import to_ms

JoinFlow = Callable[[enrolment_pb2.JoinRequest, datetime], enrolment_pb2.JoinResponse]


class EnrolmentServicer(enrolment_pb2_grpc.EnrolmentServicer):
    """Lets members join."""

    def __init__(
        self,
        *,
        join: JoinFlow,
        log_refusal: Callable[[RefusedAttempt], None],
        now: Callable[[], datetime],
    ) -> None:
        """Serve a join flow.

        Args:
            join: The flow; runs in a thread.
            log_refusal: Stores a refused attempt; runs in a thread.
            now: Tells the present moment, UTC-aware.
        """
        self._join = join
        self._log_refusal = log_refusal
        self._now = now

    async def Join(  # noqa: N802 - named by the service definition
        self,
        request: enrolment_pb2.JoinRequest,
        context: grpc.aio.ServicerContext[enrolment_pb2.JoinRequest, enrolment_pb2.JoinResponse],
    ) -> enrolment_pb2.JoinResponse:
        """Answer one join request."""
        now = self._now()
        peer = context.peer()  # Asked while the call lives: it may have ended when Join answers.
        try:
            return await asyncio.to_thread(self._join, request, now)
        except (HubError, SecurityError) as error:
            row = row_of(error)
            if isinstance(error, EnrolmentRefusedError):
                attempt = RefusedAttempt(
                    at_ms=to_ms(now),
                    peer=peer,
                    method="Join",
                    code=row.code,
                    cause=error.cause,
                )
                await asyncio.to_thread(self._log_refusal, attempt)
            await context.abort(row.status, row.wording)
            raise AssertionError from error  # pragma: no cover - abort raises

    async def Renew(  # noqa: N802 - named by the service definition
        self,
        request: enrolment_pb2.RenewRequest,
        context: grpc.aio.ServicerContext[enrolment_pb2.RenewRequest, enrolment_pb2.RenewResponse],
    ) -> enrolment_pb2.RenewResponse:
        """Refuse: this hub renews nothing yet."""
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "This hub does not renew certificates.")
        raise AssertionError(request)  # pragma: no cover - abort raises
