"""The HTTP server under the interface: uvicorn, with what it leaves open closed.

Rules:
- TLS 1.2 at least; the private key's file is its owner's alone.
- Connections are bounded in ``connections``, bodies where they are read.
- Nothing is logged of a call: no path with its query, no header, no body.

Source:
    RFC 9112 (HTTP/1.1), RFC 9325 (TLS: recommendations).
"""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import uvicorn

from node.api.his.connections import bounded_protocol
from node.errors import ConfigurationError
from node.interface_settings import ListenSettings
from security.local_socket import prepare_socket
from security.private_files import read_private

__all__ = ["HttpServer"]

IDLE_TIMEOUT_S: Final = 75
STOP_TIMEOUT_S: Final = 15
_BACKLOG: Final = 1024
_MAX_KEY_BYTES: Final = 64 * 1024


class HttpServer:
    """One listening server on the running event loop."""

    def __init__(
        self,
        app: Callable[..., Any],
        settings: ListenSettings,
        directory: Path,
        refusal: Callable[[str], bytes],
        *,
        path: Path | None = None,
    ) -> None:
        """Bind the address; calls are taken from ``start`` on.

        Args:
            app: The ASGI application.
            settings: Where and how to listen.
            directory: What relative paths start from.
            refusal: Makes an answer in the official envelope that says what is wrong.
            path: Unix socket to listen at, its owner's alone, instead of host and port.

        Raises:
            ConfigurationError: The address cannot be bound, or the certificate not be used.
            LocalChannelError: The Unix socket is taken, or its path too long.
        """
        context = _tls(settings, directory) if path is None else None
        self._path = path
        self._socket = _bound(settings) if path is None else _bound_at(path)
        self.url: Final = _url(settings, self._socket, is_plain=context is None)
        config = uvicorn.Config(
            app,
            http=bounded_protocol(settings.max_connections, refusal),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            backlog=_BACKLOG,
            timeout_keep_alive=IDLE_TIMEOUT_S,
            timeout_graceful_shutdown=STOP_TIMEOUT_S,
            ssl_context_factory=None if context is None else lambda _config, _default: context,
        )
        # Its own words go through our applications; a trace may quote a record.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        self._server = _Server(config)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take calls."""
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        listening = asyncio.create_task(self._server.listening.wait())
        await asyncio.wait({self._task, listening}, return_when=asyncio.FIRST_COMPLETED)
        listening.cancel()

    async def stop(self) -> None:
        """Take no more calls, and let those that run come to their answer."""
        if self._task is None:
            self._socket.close()
        else:
            self._server.should_exit = True
            await self._task
        if self._path is not None:
            self._path.unlink(missing_ok=True)


class _Server(uvicorn.Server):
    """Signals belong to the process, not to one of its servers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


def _url(settings: ListenSettings, listening: socket.socket, *, is_plain: bool) -> str:
    if listening.family == socket.AF_UNIX:
        return f"unix:{listening.getsockname()}"
    scheme = "http" if is_plain else "https"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{scheme}://{host}:{listening.getsockname()[1]}"


def _bound_at(path: Path) -> socket.socket:
    prepare_socket(path)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # The directory keeps others out between bind and chmod.
    listening.bind(str(path))
    path.chmod(0o600)
    listening.listen(_BACKLOG)
    return listening


def _bound(settings: ListenSettings) -> socket.socket:
    try:
        found = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, _, _, _, address = found[0]
        return socket.create_server(address, family=family, backlog=_BACKLOG)
    except OSError as error:
        raise ConfigurationError(
            f"{settings.host} port {settings.port} cannot be listened on ({error.strerror}); "
            "stop what listens there, or correct host and port in node.toml"
        ) from error


def _tls(settings: ListenSettings, directory: Path) -> ssl.SSLContext | None:
    if not settings.certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    key = directory / settings.key
    read_private(key, _MAX_KEY_BYTES)
    try:
        # An empty password: a key that needs one is an error, not a question to the terminal.
        context.load_cert_chain(directory / settings.certificate, key, password="")
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"certificate {settings.certificate} with key {settings.key} cannot be used: expected "
            "PEM files that belong together, the key without a passphrase"
        ) from error
    return context
