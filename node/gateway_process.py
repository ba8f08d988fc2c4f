"""The gateway as a process: the proxy before the core platform, and its spool.

Rules:
- It starts without store, ledger and daemon, and opens none of them.
- Of 3101 to 3103 it asks the daemon, where that is set, and waits no longer than its budget.
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
from node.api.his.own_calls import OwnCalls, Request, Result
from node.api.his.proxy import ProxyApp
from node.api.his.server import HttpServer
from node.config import GATEWAY_SOCKET, NODE_KEY, NodeSettings
from node.errors import ConfigurationError
from node.gateway import SPOOL_DIRECTORY, Spool
from node.gateway.spool_files import GATEWAY_LOCK, close_left_open
from node.gateway.upstream import Upstream
from node.interface_settings import GatewaySettings
from node.packs.holding import holding_of
from node.supervision_settings import SupervisionSettings
from scoring_kernel.packs import install_pack
from security.at_rest import Vault
from security.errors import PackError
from security.operator import writer_lock
from security.packs.in_force import install_current

__all__ = ["run_gateway"]

TELL_INTERVAL_S: Final = 10.0
ON_THE_WAY_S: Final = 0.3
"""Beside the judging's budget: longest time for a call of 3101 to 3103 there and back."""
_DAEMON: Final = "http://daemon"
_MIB: Final = 1024 * 1024

Say = Callable[[str], None]


def run_gateway(
    directory: Path,
    settings: NodeSettings,
    *,
    now: Callable[[], datetime],
    say: Say,
) -> None:
    """Pass calls on until SIGTERM or SIGINT; calls that run come to their end.

    Args:
        directory: The node's state directory.
        settings: The node's settings.
        now: The time, UTC-aware.
        say: Tells the operator.

    Raises:
        KeyFileError: The node's key, which seals the copies, cannot be read.
        ConfigurationError: No platform is named, or address or certificate cannot be used.
        LockHeldError: Another gateway of this directory runs.
    """
    gateway = settings.gateway
    if not gateway.upstream:
        raise ConfigurationError(
            "gateway.upstream is empty: name the core platform in node.toml, for example "
            'upstream = "https://10.72.3.127:20001"'
        )
    try:
        install_current(holding_of(directory).directory, install_pack)
    except PackError as error:
        say(f"The pack in force cannot be used, traffic passes all the same: {error}")
    vault = Vault.load(directory / NODE_KEY)
    with _spool(directory / SPOOL_DIRECTORY, gateway, vault, now) as spool:
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
    node: NodeSettings,
    spool: Spool,
    now: Callable[[], datetime],
    say: Say,
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    settings = node.gateway
    trust = _trust(directory, settings)
    upstream = Upstream(
        settings.upstream,
        trust=trust,
        connect_timeout_s=settings.connect_timeout_s,
        answer_timeout_s=settings.answer_timeout_s,
    )
    daemon = Upstream(
        _DAEMON,
        trust=trust,
        connect_timeout_s=settings.connect_timeout_s,
        answer_timeout_s=settings.answer_timeout_s,
        socket=directory / GATEWAY_SOCKET,
    )
    answering = Answering(now)
    app = ProxyApp(
        upstream,
        spool,
        answering,
        message_timeout_s=settings.message_timeout_s,
        own=_own(daemon, node.supervision) if settings.answer_own else None,
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
    await daemon.close()


def _own(daemon: Upstream, supervision: SupervisionSettings) -> OwnCalls:
    is_closed = supervision.live and supervision.identity_closed
    return OwnCalls(
        daemon,
        timeout_s=supervision.budget_ms / 1000 + ON_THE_WAY_S,
        blocking=asyncio.to_thread(_blocking) if is_closed else None,
    )


def _blocking() -> Callable[[Request], Result]:
    from node.api.his.closed_identity import ClosedIdentity  # noqa: PLC0415  # the rules are large
    from scoring_kernel import load_catalog  # noqa: PLC0415
    from scoring_kernel.rules import load_rules  # noqa: PLC0415

    catalog = load_catalog()
    return ClosedIdentity(load_rules(catalog), catalog.legal_basis).result


def _trust(directory: Path, settings: GatewaySettings) -> ssl.SSLContext:
    try:
        named = directory / settings.upstream_ca if settings.upstream_ca else None
        return ssl.create_default_context(cafile=named)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"gateway.upstream_ca {settings.upstream_ca} cannot be used; expected the PEM of the "
            "platform's certificate authority"
        ) from error
