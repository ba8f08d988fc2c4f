"""The daemon's side of the interface: calls over HTTP, the gateway's calls, and its copies.

Rules:
- Calls and copies go through one thread into the one store.
- A store that fails delays copies and refuses calls; neither ends the daemon.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
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
from node.api.his.signatures import Signers, load_signers
from node.config import GATEWAY_SOCKET, NODE_KEY, NodeSettings
from node.errors import StoreError
from node.gateway import SPOOL_DIRECTORY
from node.interface_settings import InterfaceMode, InterfaceSettings
from node.live_supervision import LiveSupervision
from node.packs.holding import holding_of
from node.store import NodeStore
from scoring_kernel import Catalog
from security.at_rest import Vault

__all__ = ["interface_served"]

DRAIN_INTERVAL_S: Final = 1.0
_MIB: Final = 1024 * 1024

Say = Callable[[str], None]


@asynccontextmanager
async def interface_served(
    directory: Path,
    settings: NodeSettings,
    store: NodeStore,
    catalog: Catalog,
    now: Callable[[], datetime],
    *,
    say: Say,
) -> AsyncIterator[None]:
    """Answer the national interface and the gateway, where they ask, and drain its spool.

    Args:
        directory: The node's state directory.
        settings: The node's settings.
        store: The node's store; this process is its writer.
        catalog: The rules of the interface.
        now: The time, UTC-aware.
        say: Tells the operator.

    Yields:
        While it serves.

    Raises:
        ConfigurationError: The address, the certificate or a key cannot be used.
        LocalChannelError: The gateway's socket cannot be used.
    """
    signers = load_signers(settings.interface.signatures, directory)
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
    judges = (
        settings.judges_live
        and holding_of(directory).standing(now(), catalog.digest.hex()).is_scored
    )
    supervision = replace(settings.supervision, live=judges)
    ticks = asyncio.get_running_loop().time
    live = LiveSupervision(directory, supervision, catalog, now, ticks=ticks)
    with ThreadPoolExecutor(1, thread_name_prefix="interface") as writer, _started(live):
        draining = asyncio.create_task(_drain(drain, writer, say))
        house = _House(
            directory=directory,
            settings=settings.interface,
            paths=paths,
            signers=signers,
            intake=intake,
            writer=writer,
            answering=Answering(now),
            live=live,
        )
        try:
            async with contextlib.AsyncExitStack() as doors:
                if settings.interface.enabled:
                    url = await doors.enter_async_context(house.door())
                    say(f"National interface ({settings.interface.mode}) at {url}")
                if settings.gateway.answer_own:
                    await doors.enter_async_context(house.gateway_door())
                yield
        finally:
            draining.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await draining


@dataclass(frozen=True, slots=True, kw_only=True)
class _House:
    """What the doors of one daemon share."""

    directory: Path
    settings: InterfaceSettings
    paths: Mapping[str, frozenset[str]]
    signers: Signers
    intake: LiveIntake
    writer: ThreadPoolExecutor
    answering: Answering
    live: LiveSupervision

    def door(self) -> AbstractAsyncContextManager[str]:
        """The national interface, for whoever may reach its address."""
        is_mirror = self.settings.mode is InterfaceMode.MIRROR
        return self._opened("http", is_mirror=is_mirror, path=None)

    def gateway_door(self) -> AbstractAsyncContextManager[str]:
        """The gateway's: what it does not pass on to the platform is answered here."""
        return self._opened("gateway", is_mirror=False, path=self.directory / GATEWAY_SOCKET)

    @asynccontextmanager
    async def _opened(self, name: str, *, is_mirror: bool, path: Path | None) -> AsyncIterator[str]:
        desk = InterfaceDesk(
            self.intake,
            Screening(self.paths, self.signers, answers_own=not is_mirror),
            self.answering,
            self.writer,
            source=f"{name}/{self.answering.now():%Y%m%dT%H%M%SZ}",
            is_mirror=is_mirror,
            answer_timeout_s=self.settings.answer_timeout_s,
            find_prechecks=self.live.find_prechecks,
        )
        app = InterfaceApp(
            desk,
            self.answering,
            self.paths,
            message_timeout_s=self.settings.message_timeout_s,
            max_inflight_bytes=self.settings.max_inflight_mib * _MIB,
        )
        server = HttpServer(app, self.settings, self.directory, self.answering.failed, path=path)
        desk.start()
        await server.start()
        try:
            yield server.url
        finally:
            await server.stop()
            await desk.stop()


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
