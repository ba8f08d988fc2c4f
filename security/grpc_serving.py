"""gRPC servers that listen: health and reflection beside the services, a clear word when not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection

if TYPE_CHECKING:
    import grpc
    import grpc.aio

__all__ = ["RunningServer", "start_server"]


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


async def start_server(
    server: grpc.aio.Server,
    services: tuple[str, ...],
    credentials: grpc.ServerCredentials,
    bind: str,
    port: int,
) -> RunningServer:
    """Listen with a server whose servicers are there.

    Args:
        server: The server.
        services: Full names of its services, for health and reflection.
        credentials: Its TLS.
        bind: Address of this machine.
        port: Port; 0 for any free one.

    Raises:
        OSError: The address cannot be bound.
    """
    status = HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(status, server)
    reflection.enable_server_reflection(
        (*services, health.SERVICE_NAME, reflection.SERVICE_NAME), server
    )
    host = f"[{bind}]" if ":" in bind else bind
    try:
        bound = server.add_secure_port(f"{host}:{port}", credentials)
    except RuntimeError as error:
        raise OSError(
            f"The address {host}:{port} cannot be bound; another process listens there, or it is "
            "not an address of this machine."
        ) from error
    await server.start()
    for name in ("", *services):
        await status.set(name, health_pb2.HealthCheckResponse.SERVING)
    return RunningServer(server=server, port=bound, health=status)
