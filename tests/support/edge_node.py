"""A real node for devices, in this process: store, register and both ports on the loopback."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import grpc.aio
import pytest

from edge_devices.client import NodeClient
from edge_devices.enrolling import DeviceIdentity, enrol
from node.config import NodeSettings
from node.device_enrolment import issue_token
from node.edge_serving import devices_served
from node.edge_settings import EdgeSettings, FaceSettings
from node.store.device_rows import DeviceKind
from protos.yixin.v1 import edge_pb2
from security.channels import device_channel
from security.devices import DeviceName, Place
from security.moments import to_ms
from tests.support.node_messages import HOSPITAL, open_store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from node.store import NodeStore

# gRPC's TLS judges certificates by the machine's clock.
START: Final = datetime.now(UTC).replace(microsecond=0)  # noqa: TID251
QUEUE: Final = bytes(range(16))
MODEL: Final = bytes(range(32))
PERSON: Final = "33030000000000000000100001"


@dataclass(slots=True)
class TurnedClock:
    """A clock that tests turn by hand."""

    at: datetime = START

    def __call__(self) -> datetime:
        return self.at

    def advance(self, **parts: float) -> None:
        self.at += timedelta(**parts)

    @property
    def ms(self) -> int:
        return to_ms(self.at)


@dataclass(slots=True)
class EdgeNode:
    """A node over its open store; `serving` may be entered again and again, on the same ports."""

    store: NodeStore
    settings: NodeSettings
    clock: TurnedClock
    said: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Both ports, as the daemon serves them."""
        async with devices_served(self.settings, self.store, self.clock, say=self.said.append):
            yield

    def token(
        self, name: str = "w3", place: Place = Place.WINDOW, institution: str = HOSPITAL
    ) -> str:
        """A one-use token, as `yixin node device token` makes it; the node has served before."""
        made = issue_token(
            self.store,
            self.settings.edge,
            DeviceName(institution=institution, place=place, name=name),
            kind=DeviceKind.FACE_TERMINAL,
            minutes=60,
            operator="li",
            now=self.clock(),
        )
        return made.encode()

    async def joined(
        self, directory: Path, name: str = "w3", place: Place = Place.WINDOW
    ) -> DeviceIdentity:
        """A device that joined; the node serves."""
        return await enrol(directory, self.token(name, place), self.clock())

    def client(self, identity: DeviceIdentity) -> NodeClient:
        """A line of a device; the caller closes it."""
        return NodeClient(identity, self.clock, call_timeout_s=10.0)


@contextmanager
def edge_node(directory: Path, **faces: Any) -> Iterator[EdgeNode]:  # noqa: ANN401
    """A node with one hospital and one pharmacy; `faces` are settings of `[faces]`."""
    settings = replace(
        NodeSettings(),
        edge=EdgeSettings(enabled=True, port=0, enrolment_port=0),
        faces=FaceSettings(**faces),
    )
    with open_store(directory) as store:
        yield EdgeNode(store, settings, TurnedClock())


def hello(*, queue: bytes = QUEUE, oldest: int = 0, newest: int = 0) -> edge_pb2.HelloRequest:
    """What a terminal says when it comes."""
    return edge_pb2.HelloRequest(
        queue=queue,
        oldest=oldest,
        newest=newest,
        model=MODEL,
        pipeline=bytes(32),
        version="0.1.0",
        memory_mib=157,
    )


def event(seq: int, at_ms: int, **parts: Any) -> edge_pb2.PresenceEvent:  # noqa: ANN401
    """A person whom nobody saw at a window; `parts` are other fields."""
    made: dict[str, Any] = {
        "format": 1,
        "queue": QUEUE,
        "seq": seq,
        "at_ms": at_ms,
        "purpose": edge_pb2.PRESENCE_PURPOSE_VISIT,
        "person": PERSON,
        "result": edge_pb2.PRESENCE_RESULT_ABSENT,
    }
    return edge_pb2.PresenceEvent(**(made | parts))


def line(
    identity: DeviceIdentity, *, key: bytes = b"", certificate: bytes = b""
) -> grpc.aio.Channel:
    """A channel of a device, or of somebody with another key and certificate."""
    return device_channel(
        identity.intake_address,
        ca_certificate_pem=identity.ca_certificate_pem,
        tls_key_pem=key or identity.keys.tls_key_pem,
        tls_certificate_pem=certificate or identity.certificate_pem,
    )


async def fails(call: grpc.aio.UnaryUnaryCall[Any, Any]) -> grpc.aio.AioRpcError:
    """The error that a call ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    return error.value
