"""The gateway as a process: the proxy before the core platform, and its spool.

Rules:
- It starts without store, ledger and daemon, and opens none of them.
- Where the spool cannot be used, traffic passes all the same, and lost copies are counted.
- One gateway a directory: two would both hold the spool's files for their own.
"""

import asyncio
import contextlib
import signal
import ssl
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

import uvloop

from node.api.his.answering import Answering
from node.api.his.proxy import ProxyApp
from node.api.his.server import HttpServer
from node.config import NODE_KEY
from node.errors import ConfigurationError
from node.gateway import SPOOL_DIRECTORY, Spool, Upstream
from node.gateway.spool_files import GATEWAY_LOCK, close_left_open
from node.interface_settings import GatewaySettings
from security.at_rest import Vault
from security.operator import writer_lock

__all__ = ["run_gateway"]

TELL_INTERVAL_S: Final = 10.0
_MIB: Final = 1024 * 1024

Say = Callable[[str], None]


def run_gateway(
    directory: Path,
    settings: GatewaySettings,
    *,
    now: Callable[[], datetime],
    say: Say,
) -> None:
    """Pass calls on until SIGTERM or SIGINT; calls that run come to their end.

    Args:
        directory: The node's state directory.
        settings: Table `[gateway]`.
        now: The time, UTC-aware.
        say: Tells the operator.

    Raises:
        KeyFileError: The node's key, which seals the copies, cannot be read.
        ConfigurationError: No platform is named, or address or certificate cannot be used.
        LockHeldError: Another gateway of this directory runs.
    """
    if not settings.upstream:
        raise ConfigurationError(
            "gateway.upstream is empty: name the core platform in node.toml, for example "
            'upstream = "https://10.72.3.127:20001"'
        )
    vault = Vault.load(directory / NODE_KEY)
    with _spool(directory / SPOOL_DIRECTORY, settings, vault, now) as spool:
        uvloop.run(_serve(directory, settings, spool, now, say))


@contextlib.contextmanager
def _spool(
    directory: Path, settings: GatewaySettings, vault: Vault, now: Callable[[], datetime]
) -> Iterator[Spool]:
    directory.mkdir(mode=0o700, exist_ok=True)
    with writer_lock(directory, GATEWAY_LOCK):
        close_left_open(directory)
        spool = Spool(directory, vault, max_bytes=settings.spool_max_mib * _MIB, now=now)
        spool.start()
        try:
            yield spool
        finally:
            spool.close()


async def _serve(
    directory: Path,
    settings: GatewaySettings,
    spool: Spool,
    now: Callable[[], datetime],
    say: Say,
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    upstream = Upstream(
        settings.upstream,
        trust=_trust(directory, settings),
        connect_timeout_s=settings.connect_timeout_s,
        answer_timeout_s=settings.answer_timeout_s,
    )
    answering = Answering(now)
    app = ProxyApp(
        upstream,
        spool,
        answering,
        message_timeout_s=settings.message_timeout_s,
        answers_own=settings.answer_own,
    )
    server = HttpServer(app, settings, directory, answering.failed)
    await server.start()
    say(f"Gateway at {server.url}, passing calls on to {settings.upstream}")
    told = spool.counts.lost
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), TELL_INTERVAL_S)
        lost = spool.counts.lost
        if lost > told:
            say(
                f"{lost - told} calls passed without a copy: the spool or the disk is full. Start "
                "`yixin node serve`, free the disk, or raise gateway.spool_max_mib"
            )
            told = lost
    say("Stopping after the running calls.")
    await server.stop()
    await upstream.close()


def _trust(directory: Path, settings: GatewaySettings) -> ssl.SSLContext:
    try:
        named = directory / settings.upstream_ca if settings.upstream_ca else None
        return ssl.create_default_context(cafile=named)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"gateway.upstream_ca {settings.upstream_ca} cannot be used; expected the PEM of the "
            "platform's certificate authority"
        ) from error
