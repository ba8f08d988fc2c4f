"""gRPC servers: Exchange and LinkDesk (mutual TLS), Enrolment (server TLS only).

Servicers are known as types only: who serves one loads none of the others.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection

from hub.api.authorisation import ENROLMENT, EXCHANGE, LINK_DESK, TRANSPARENCY
from hub.errors import ConfigurationError
from protos.yixin.v1 import (
    enrolment_pb2_grpc,
    exchange_pb2_grpc,
    linking_pb2_grpc,
    transparency_pb2_grpc,
)
from security.channels import (
    OPEN_SERVER_OPTIONS,
    enrolment_credentials,
    exchange_credentials,
    member_port_options,
)
from security.file_limit import raise_file_limit

if TYPE_CHECKING:
    from hub.api.enrolment import EnrolmentServicer
    from hub.api.exchange import ExchangeServicer
    from hub.api.linking import LinkDeskServicer
    from hub.api.transparency import TransparencyServicer


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerKeys:
    """TLS material of the servers, PEM."""

    key_pem: bytes = field(repr=False)
    """Private key of the hub's TLS certificate."""
    certificate_pem: bytes
    """The hub's TLS certificate."""
    ca_certificate_pem: bytes
    """Root of the members' certificates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningServer:
    """A server that listens."""

    server: grpc.aio.Server = field(repr=False)
    """The server."""
    port: int
    """Port it listens on."""
    health: HealthServicer = field(repr=False)
    """Tells whether it serves."""

    async def stop(self, grace_s: float) -> None:
        """Say that it no longer serves, let calls end, close."""
        await self.health.enter_graceful_shutdown()
        await self.server.stop(grace_s)


async def start_exchange(
    servicer: ExchangeServicer,
    transparency: TransparencyServicer,
    keys: ServerKeys,
    bind: str,
    port: int,
) -> RunningServer:
    """Listen for members: Exchange, and Transparency beside it.

    Raises:
        ConfigurationError: The address cannot be bound.
    """
    server = grpc.aio.server(options=member_port_options(raise_file_limit()))
    exchange_pb2_grpc.add_ExchangeServicer_to_server(servicer, server)
    transparency_pb2_grpc.add_TransparencyServicer_to_server(transparency, server)
    credentials = exchange_credentials(keys.key_pem, keys.certificate_pem, keys.ca_certificate_pem)
    return await _start(server, (EXCHANGE, TRANSPARENCY), credentials, bind, port)


async def start_enrolment(
    servicer: EnrolmentServicer, keys: ServerKeys, bind: str, port: int
) -> RunningServer:
    """Listen for those who want to become members.

    Raises:
        ConfigurationError: The address cannot be bound.
    """
    server = grpc.aio.server(options=OPEN_SERVER_OPTIONS)
    enrolment_pb2_grpc.add_EnrolmentServicer_to_server(servicer, server)
    credentials = enrolment_credentials(keys.key_pem, keys.certificate_pem)
    return await _start(server, (ENROLMENT,), credentials, bind, port)


async def start_link_desk(
    servicer: LinkDeskServicer, keys: ServerKeys, bind: str, port: int
) -> RunningServer:
    """Listen for nodes that make link tokens.

    Raises:
        ConfigurationError: The address cannot be bound.
    """
    server = grpc.aio.server(options=member_port_options(raise_file_limit()))
    linking_pb2_grpc.add_LinkDeskServicer_to_server(servicer, server)
    credentials = exchange_credentials(keys.key_pem, keys.certificate_pem, keys.ca_certificate_pem)
    return await _start(server, (LINK_DESK,), credentials, bind, port)


async def _start(
    server: grpc.aio.Server,
    services: tuple[str, ...],
    credentials: grpc.ServerCredentials,
    bind: str,
    port: int,
) -> RunningServer:
    status = HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(status, server)
    reflection.enable_server_reflection(
        (*services, health.SERVICE_NAME, reflection.SERVICE_NAME), server
    )
    host = f"[{bind}]" if ":" in bind else bind
    try:
        bound = server.add_secure_port(f"{host}:{port}", credentials)
    except RuntimeError as error:
        raise ConfigurationError(
            f"The address {host}:{port} cannot be bound; another process listens there, or it is "
            "not an address of this machine. Correct [network] in hub.toml."
        ) from error
    await server.start()
    for name in ("", *services):
        await status.set(name, health_pb2.HealthCheckResponse.SERVING)
    return RunningServer(server=server, port=bound, health=status)
