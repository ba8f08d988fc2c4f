"""gRPC servers for devices: EdgeIntake with mutual TLS, EdgeEnrolment with server TLS."""

from typing import Final

import grpc.aio

from node.api.edge.authorisation import ENROLMENT, INTAKE
from node.api.edge.enrolment import EdgeEnrolmentServicer
from node.api.edge.intake import EdgeIntakeServicer
from node.errors import ConfigurationError
from protos.yixin.v1 import edge_pb2_grpc
from security.channels import (
    OPEN_SERVER_OPTIONS,
    Options,
    enrolment_credentials,
    exchange_credentials,
    member_port_options,
)
from security.devices import DeviceAuthority
from security.file_limit import raise_file_limit
from security.grpc_serving import RunningServer, start_server

__all__ = ["start_enrolment", "start_intake"]

MAX_INTAKE_BYTES: Final = 1_280 * 1024
"""Of one message: a delivery of 1 MiB with its signatures."""
MAX_ENROLMENT_BYTES: Final = 32 * 1024
MAX_STREAMS: Final = 4
"""Calls of one line at a time: a device makes one after the other."""


async def start_intake(
    servicer: EdgeIntakeServicer, authority: DeviceAuthority, bind: str, port: int
) -> RunningServer:
    """Listen for devices.

    Raises:
        ConfigurationError: The address cannot be bound.
    """
    options = _bounded(member_port_options(raise_file_limit()), MAX_INTAKE_BYTES)
    server = grpc.aio.server(options=options)
    edge_pb2_grpc.add_EdgeIntakeServicer_to_server(servicer, server)
    credentials = exchange_credentials(
        authority.server_key_pem, authority.server_pem, authority.certificate_pem
    )
    return await _start(server, INTAKE, credentials, bind, port)


async def start_enrolment(
    servicer: EdgeEnrolmentServicer, authority: DeviceAuthority, bind: str, port: int
) -> RunningServer:
    """Listen for those who want to become devices.

    Raises:
        ConfigurationError: The address cannot be bound.
    """
    server = grpc.aio.server(options=_bounded(OPEN_SERVER_OPTIONS, MAX_ENROLMENT_BYTES))
    edge_pb2_grpc.add_EdgeEnrolmentServicer_to_server(servicer, server)
    credentials = enrolment_credentials(authority.server_key_pem, authority.server_pem)
    return await _start(server, ENROLMENT, credentials, bind, port)


def _bounded(options: Options, max_bytes: int) -> Options:
    """The options of every port, with smaller messages and fewer calls at a time."""
    narrower = {
        "grpc.max_receive_message_length": max_bytes,
        "grpc.max_concurrent_streams": MAX_STREAMS,
    }
    return (*(one for one in options if one[0] not in narrower), *narrower.items())


async def _start(
    server: grpc.aio.Server,
    service: str,
    credentials: grpc.ServerCredentials,
    bind: str,
    port: int,
) -> RunningServer:
    try:
        return await start_server(server, (service,), credentials, bind, port)
    except OSError as error:
        raise ConfigurationError(f"{error} Correct [edge] in node.toml.") from error
