"""The daemon's side of the interface: calls over HTTP, and the gateway's copies.

Rules:
- Calls and copies go through one thread into the one store.
- A store that fails delays copies and refuses calls; neither ends the daemon.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from node.api.his.answering import Answering
from node.api.his.desk import InterfaceDesk
from node.api.his.draining import SpoolDrain
from node.api.his.live_intake import LiveIntake
from node.api.his.routes import InterfaceApp
from node.api.his.screening import Screening, paths_of
from node.api.his.server import HttpServer
from node.api.his.signatures import load_signers
from node.config import NODE_KEY
from node.errors import StoreError
from node.gateway import SPOOL_DIRECTORY
from node.interface_settings import InterfaceMode, InterfaceSettings
from node.live_supervision import LiveSupervision
from node.store import NodeStore
from node.supervision_settings import SupervisionSettings
from scoring_kernel import Catalog
from security.at_rest import Vault

__all__ = ["interface_served"]

DRAIN_INTERVAL_S: Final = 1.0
_MIB: Final = 1024 * 1024

Say = Callable[[str], None]


@asynccontextmanager
async def interface_served(
    directory: Path,
    settings: InterfaceSettings,
    store: NodeStore,
    catalog: Catalog,
    now: Callable[[], datetime],
    *,
    supervision: SupervisionSettings,
    say: Say,
) -> AsyncIterator[None]:
    """Answer the national interface, where it is enabled, and drain the gateway's spool.

    Args:
        directory: The node's state directory.
        settings: Table `[interface]`.
        store: The node's store; this process is its writer.
        catalog: The rules of the interface.
        now: The time, UTC-aware.
        supervision: Table `[supervision]`.
        say: Tells the operator.

    Yields:
        While it serves.

    Raises:
        ConfigurationError: The address, the certificate or a key cannot be used.
    """
    signers = load_signers(settings.signatures, directory)
    paths = paths_of(catalog.transactions.values())
    intake = LiveIntake(store, catalog, now)
    drain = SpoolDrain(
        directory / SPOOL_DIRECTORY,
        Vault.load(directory / NODE_KEY),
        intake,
        Screening(paths, signers, answers_own=False),
        paths=paths,
        now=now,
    )
    is_mirror = settings.mode is InterfaceMode.MIRROR
    ticks = asyncio.get_running_loop().time
    live = LiveSupervision(directory, supervision, catalog, now, ticks=ticks)
    with ThreadPoolExecutor(1, thread_name_prefix="interface") as writer, _started(live):
        draining = asyncio.create_task(_drain(drain, writer, say))
        try:
            if not settings.enabled:
                yield
                return
            answering = Answering(now)
            desk = InterfaceDesk(
                intake,
                Screening(paths, signers, answers_own=not is_mirror),
                answering,
                writer,
                source=f"http/{now():%Y%m%dT%H%M%SZ}",
                is_mirror=is_mirror,
                answer_timeout_s=settings.answer_timeout_s,
                find_prechecks=live.find_prechecks,
            )
            app = InterfaceApp(
                desk,
                answering,
                paths,
                message_timeout_s=settings.message_timeout_s,
                max_inflight_bytes=settings.max_inflight_mib * _MIB,
            )
            server = HttpServer(app, settings, directory, answering.failed)
            desk.start()
            await server.start()
            say(f"National interface ({settings.mode}) at {server.url}")
            try:
                yield
            finally:
                await server.stop()
                await desk.stop()
        finally:
            draining.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await draining


@contextlib.contextmanager
def _started(live: LiveSupervision) -> Iterator[None]:
    live.start()
    try:
        yield
    finally:
        live.stop()


async def _drain(drain: SpoolDrain, writer: ThreadPoolExecutor, say: Say) -> None:
    """Drain the spool again and again; a turn that has begun comes to its end."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            drained = await asyncio.shield(loop.run_in_executor(writer, drain.drain))
        except (StoreError, OSError) as error:
            say(f"The gateway's copies wait: {error}")
        else:
            if drained.refused or drained.damaged:
                say(
                    f"Of {drained.messages} messages of the gateway {drained.refused} are in "
                    f"quarantine; {drained.damaged} copies are damaged, their files set aside."
                )
        await asyncio.sleep(DRAIN_INTERVAL_S)
