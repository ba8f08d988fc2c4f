"""The line of a device to its node: calls of ``EdgeIntake`` over mutual TLS, and the renewal.

Rules:
    1. One client belongs to one event loop. Nothing is sent before the first call; a line that
       broke comes up again with the next call.
    2. A certificate that has ended looks like a dead line: it is renewed before a call, without
       which no call is made. ``renew_if_due`` does so at half of its time.
    3. Every failure is one of two: ``NodeUnreachableError`` (try again, nothing is lost) or
       ``NodeRefusedError`` (the node said no; its ``code`` says whether to the device itself).
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from types import TracebackType
from typing import Final, Self, TypeAlias, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import Message

from edge_devices.enrolling import DeviceIdentity, renew, renewal_due
from edge_devices.errors import NodeRefusedError
from edge_devices.wire_errors import rpc_error
from protos.yixin.v1 import edge_pb2, edge_pb2_grpc
from security.channels import device_channel
from security.devices.signed_events import sign_event
from security.errors import JoinRefusedError

__all__ = ["NodeClient"]

CALL_TIMEOUT_S: Final = 20.0
CLOSE_GRACE_S: Final = 5.0

ResponseT = TypeVar("ResponseT", bound=Message)
Stub: TypeAlias = "edge_pb2_grpc.EdgeIntakeAsyncStub"


class NodeClient:
    """Calls of one device.

    Args:
        identity: Who calls whom, with which certificate.
        now: The clock, UTC-aware.
        call_timeout_s: Longest wait for an answer, seconds.
    """

    def __init__(
        self,
        identity: DeviceIdentity,
        now: Callable[[], datetime],
        *,
        call_timeout_s: float = CALL_TIMEOUT_S,
    ) -> None:
        self._identity = identity
        self._now = now
        self._timeout_s = call_timeout_s
        self._channel: grpc.aio.Channel | None = None

    @property
    def identity(self) -> DeviceIdentity:
        """Who calls; another certificate after a renewal."""
        return self._identity

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the line; calls on their way have a few seconds."""
        channel, self._channel = self._channel, None
        if channel is not None:
            await channel.close(CLOSE_GRACE_S)

    def sign(self, event: edge_pb2.PresenceEvent) -> edge_pb2.SignedEvent:
        """Serialise and sign an event; do it once, and keep what comes out."""
        body = event.SerializeToString(deterministic=True)
        signature = sign_event(self._identity.keys.signing, body)
        return edge_pb2.SignedEvent(body=body, signature=signature)

    async def renew_if_due(self) -> bool:
        """Renew the certificate when half of its time is over; whether it was.

        Raises:
            NodeUnreachableError: The node did not answer; the old certificate still counts.
            NodeRefusedError: The node refused; the device is revoked, or needs a new token.
        """
        if not renewal_due(self._identity, self._now()):
            return False
        try:
            self._identity = await renew(
                self._identity, self._now(), call_timeout_s=self._timeout_s
            )
        except JoinRefusedError as error:
            raise NodeRefusedError(str(error), "permission_denied") from error
        await self.close()
        return True

    async def hello(self, request: edge_pb2.HelloRequest) -> edge_pb2.HelloResponse:
        """Say what runs here; learn what to work with and how far the queue is held."""
        return await self._call(lambda stub: stub.Hello(request, timeout=self._timeout_s))

    async def deliver(self, events: Sequence[edge_pb2.SignedEvent]) -> edge_pb2.DeliverResponse:
        """Hand over events, in the order of ``seq``; at most 256 and 1 MiB."""
        request = edge_pb2.DeliverRequest(events=events)
        return await self._call(lambda stub: stub.Deliver(request, timeout=self._timeout_s))

    async def fetch_template(self, request: edge_pb2.FetchRequest) -> edge_pb2.FetchResponse:
        """Ask for one person's template, or why there is none."""
        return await self._call(lambda stub: stub.FetchTemplate(request, timeout=self._timeout_s))

    async def enrol(self, request: edge_pb2.EnrolRequest) -> edge_pb2.EnrolResponse:
        """Enrol a person."""
        return await self._call(lambda stub: stub.Enrol(request, timeout=self._timeout_s))

    async def identify(self, request: edge_pb2.IdentifyRequest) -> edge_pb2.IdentifyResponse:
        """Ask who this may be (1:N); refused unless the node's operator allows it."""
        return await self._call(lambda stub: stub.Identify(request, timeout=self._timeout_s))

    async def asks(self, most: int = 16) -> edge_pb2.AsksResponse:
        """What the node wants verified here."""
        request = edge_pb2.AsksRequest(max=most)
        return await self._call(lambda stub: stub.Asks(request, timeout=self._timeout_s))

    async def _call(self, call: Callable[[Stub], Awaitable[ResponseT]]) -> ResponseT:
        """Make one call.

        Raises:
            NodeUnreachableError: The node did not answer.
            NodeRefusedError: It refused.
        """
        if self._now() > self._identity.certificate_ends:
            await self.renew_if_due()
        if self._channel is None:
            self._channel = device_channel(
                self._identity.intake_address,
                ca_certificate_pem=self._identity.ca_certificate_pem,
                tls_key_pem=self._identity.keys.tls_key_pem,
                tls_certificate_pem=self._identity.certificate_pem,
            )
        try:
            return await call(edge_pb2_grpc.EdgeIntakeStub(self._channel))
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                # The next call connects at once; how long to wait says who calls.
                await self.close()
            raise rpc_error(error, self._identity.intake_address) from error
