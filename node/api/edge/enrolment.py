"""Servicer of EdgeEnrolment: decode, call one flow, encode; one wording for every refusal."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from node.api.edge.admission import Context, Worker, end, host_of
from node.api.edge.refusals import JOIN_REFUSED, RefusalLog, told
from node.device_enrolment import DeviceEnrolment
from protos.yixin.v1 import edge_pb2, edge_pb2_grpc

__all__ = ["EdgeEnrolmentServicer"]

RequestT = TypeVar("RequestT", edge_pb2.DeviceJoinRequest, edge_pb2.DeviceRenewRequest)


class EdgeEnrolmentServicer(edge_pb2_grpc.EdgeEnrolmentServicer):
    """Lets devices join, and renew their certificates."""

    def __init__(
        self,
        enrolment: DeviceEnrolment,
        worker: Worker,
        log: RefusalLog,
        now: Callable[[], datetime],
    ) -> None:
        """Serve both flows.

        Args:
            enrolment: Answers.
            worker: Runs the flows.
            log: Notes who was refused.
            now: The clock, UTC-aware.
        """
        self._enrolment = enrolment
        self._worker = worker
        self._log = log
        self._now = now

    async def Join(  # noqa: N802 - named by the service definition
        self, request: edge_pb2.DeviceJoinRequest, context: Context
    ) -> edge_pb2.DeviceCertificate:
        """Answer one join."""
        return await self._answer("Join", self._enrolment.join, request, context)

    async def Renew(  # noqa: N802 - named by the service definition
        self, request: edge_pb2.DeviceRenewRequest, context: Context
    ) -> edge_pb2.DeviceCertificate:
        """Answer one renewal."""
        return await self._answer("Renew", self._enrolment.renew, request, context)

    async def _answer(
        self,
        method: str,
        flow: Callable[[RequestT, datetime], edge_pb2.DeviceCertificate],
        request: RequestT,
        context: Context,
    ) -> edge_pb2.DeviceCertificate:
        now, who = self._now(), host_of(context)
        try:
            return await self._worker.run(who, lambda: flow(request, now))
        except Exception as error:  # noqa: BLE001  # any fault of ours; its text may quote a record
            self._log.note(who, method, error, now)
            await end(context, told(error, JOIN_REFUSED))
