"""Channels between organisations: mutual TLS, keepalive, bounded messages.

Rules:
    1. The exchange demands a client certificate of the hub's own authority; enrolment has its
       own port with server TLS only, since proof of possession is inside its message.
    2. A call outlives the moment its connection was made: ``security.tls`` judges the client
       certificate again, whenever it is asked.
    3. TLS proves who talks. What is said is proved by envelopes, heads and receipts alone.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, Protocol

import grpc
import grpc.aio

from security.errors import MembershipError, UntrustedCertificateError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from security.exchange.membership import Membership

MAX_MESSAGE_BYTES: Final = 2 * 1024 * 1024
KEEPALIVE_MS: Final = 30_000
KEEPALIVE_TIMEOUT_MS: Final = 10_000
MAX_CONNECTION_AGE_MS: Final = 3_600_000
MAX_CONNECTION_GRACE_MS: Final = 60_000
MAX_STREAMS_PER_CONNECTION: Final = 16
MAX_RECONNECT_MS: Final = 5_000
OWN_FILES: Final = 384
"""Files that a hub needs for itself: databases, logs, local sockets, lines to its parent."""
MAX_OPEN_CONNECTIONS: Final = 128
"""Most lines of a port that is open to everybody."""
HANDSHAKE_MS: Final = 10_000
"""Time for TLS; who says nothing keeps a line no longer."""
IDLE_MS: Final = 60_000
"""Time after which a line is closed that nobody calls on; the next call opens another."""

_LOG: Final = logging.getLogger(__name__)
Options = tuple[tuple[str, int], ...]

_MESSAGE_OPTIONS: Final[Options] = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", KEEPALIVE_MS),
    ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
)

CHANNEL_OPTIONS: Final[Options] = (
    *_MESSAGE_OPTIONS,
    ("grpc.keepalive_permit_without_calls", 0),
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 500),
    ("grpc.use_local_subchannel_pool", 1),
)
"""Options of a member's channel."""
DEVICE_OPTIONS: Final[Options] = (
    *CHANNEL_OPTIONS,
    ("grpc.max_reconnect_backoff_ms", MAX_RECONNECT_MS),
)
"""Options of an edge device's channel: people wait at its window for the node to come back."""

SERVER_OPTIONS: Final[Options] = (
    *_MESSAGE_OPTIONS,
    ("grpc.so_reuseport", 0),
    ("grpc.max_connection_age_ms", MAX_CONNECTION_AGE_MS),
    ("grpc.max_connection_age_grace_ms", MAX_CONNECTION_GRACE_MS),
    ("grpc.max_concurrent_streams", MAX_STREAMS_PER_CONNECTION),
    ("grpc.http2.min_ping_interval_without_data_ms", KEEPALIVE_MS // 2),
    ("grpc.max_connection_idle_ms", IDLE_MS),
    ("grpc.server_handshake_timeout_ms", HANDSHAKE_MS),
)
"""Options of every port."""
OPEN_SERVER_OPTIONS: Final[Options] = (
    *SERVER_OPTIONS,
    ("grpc.max_allowed_incoming_connections", MAX_OPEN_CONNECTIONS),
)
"""Options of a port that is open to everybody."""


def member_port_options(files: int) -> Options:
    """Options of the port for members: lines take the files that nothing else needs.

    Args:
        files: Files that the process may have open.

    >>> dict(member_port_options(65_536))["grpc.max_allowed_incoming_connections"]
    65024
    """
    lines = max(MAX_OPEN_CONNECTIONS, files - OWN_FILES - MAX_OPEN_CONNECTIONS)
    return (*SERVER_OPTIONS, ("grpc.max_allowed_incoming_connections", lines))


class _Context(Protocol):
    def auth_context(self) -> Mapping[str, Iterable[bytes]]:
        """Properties of the connection's TLS."""


def member_channel(membership: Membership, now: datetime) -> grpc.aio.Channel:
    """Open a channel to the hub that a member joined.

    Nothing is sent before the first call. Close it when done.

    Args:
        membership: Who calls whom, with which certificate.
        now: Present moment, UTC-aware.

    Raises:
        MembershipError: The member's own TLS certificate has ended. Every hub would close the
            line without a word, so it is said here.
    """
    if now > membership.tls_not_after:
        raise MembershipError(
            f"the TLS certificate of {membership.member_id} ended on "
            f"{membership.tls_not_after:%Y-%m-%d}: nothing is lost; the daemon renews it, or run: "
            "yixin node renew"
        )
    credentials = grpc.ssl_channel_credentials(
        root_certificates=membership.ca_certificate_pem,
        private_key=membership.tls_key_pem,
        certificate_chain=membership.tls_certificate_pem,
    )
    return grpc.aio.secure_channel(
        membership.exchange_address, credentials, options=CHANNEL_OPTIONS
    )


def device_channel(
    address: str, *, ca_certificate_pem: bytes, tls_key_pem: bytes, tls_certificate_pem: bytes
) -> grpc.aio.Channel:
    """Open a channel from an edge device to its node.

    Args:
        address: host:port of the node's EdgeIntake.
        ca_certificate_pem: The node's authority, as the device's token pinned it.
        tls_key_pem: Private key of the device, PEM.
        tls_certificate_pem: Its certificate, PEM.
    """
    credentials = grpc.ssl_channel_credentials(
        root_certificates=ca_certificate_pem,
        private_key=tls_key_pem,
        certificate_chain=tls_certificate_pem,
    )
    return grpc.aio.secure_channel(address, credentials, options=DEVICE_OPTIONS)


def enrolment_channel(address: str, ca_certificate_pem: bytes) -> grpc.aio.Channel:
    """Open a channel to a hub's Enrolment service.

    Args:
        address: host:port from the join token.
        ca_certificate_pem: TLS root from the join token; nothing is sent to any other server.
    """
    credentials = grpc.ssl_channel_credentials(root_certificates=ca_certificate_pem)
    return grpc.aio.secure_channel(address, credentials, options=CHANNEL_OPTIONS)


def exchange_credentials(
    tls_key_pem: bytes, tls_certificate_pem: bytes, ca_certificate_pem: bytes
) -> grpc.ServerCredentials:
    """Credentials of an Exchange server: only clients of the authority get through."""
    return grpc.ssl_server_credentials(
        [(tls_key_pem, tls_certificate_pem)],
        root_certificates=ca_certificate_pem,
        require_client_auth=True,
    )


def enrolment_credentials(tls_key_pem: bytes, tls_certificate_pem: bytes) -> grpc.ServerCredentials:
    """Credentials of an Enrolment server: the server proves itself, clients do not."""
    return grpc.ssl_server_credentials([(tls_key_pem, tls_certificate_pem)])


def peer_certificate(context: _Context) -> bytes:
    """The certificate of the member at the other end of a call.

    Must be asked while the call lives: grpcio's context of a call that has ended points into
    freed memory, and asking it ends the process.

    Args:
        context: Servicer context of the call.

    Returns:
        The one client certificate, PEM, unverified.

    Raises:
        UntrustedCertificateError: No client certificate, or more than one.
    """
    certificates = list(context.auth_context().get("x509_pem_cert", ()))
    if len(certificates) != 1:
        raise UntrustedCertificateError(
            f"the call carries {len(certificates)} client certificates, exactly one is expected"
        )
    return certificates[0]


def ignore_late_events(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Tell the faults of a loop, except events of gRPC for another loop that has ended.

    One completion queue serves all loops of a process: what a job left unfinished when its loop
    was closed arrives in the daemon's loop, and nobody waits for it any more.

    Args:
        loop: Loop whose exception handler this is.
        context: What went wrong, as asyncio describes it.
    """
    error = context.get("exception")
    is_late = isinstance(error, RuntimeError) and str(error) == "Event loop is closed"
    if is_late and "CompletionQueue" in str(context.get("message")):
        _LOG.debug("gRPC finished a call whose loop has ended")
        return
    loop.default_exception_handler(context)
