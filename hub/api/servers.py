"""gRPC servers: Exchange and LinkDesk (mutual TLS), Enrolment (server TLS only).

Servicers are known as types only: who serves one loads none of the others.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import grpc.aio

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
from security.grpc_serving import RunningServer, start_server

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
    try:
        return await start_server(server, services, credentials, bind, port)
    except OSError as error:
        raise ConfigurationError(f"{error} Correct [network] in hub.toml.") from error
