"""Tells the parent hub that this one lives (心跳), while its daemon runs.

A parent that is down costs nothing: one heartbeat waits, and the next turn tries again.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from importlib import metadata
from typing import Final

from hub.errors import HubError
from hub.parts import HubParts
from hub.store import log, operator_log
from hub.store.engine import writing
from security.errors import SecurityError
from security.exchange.heartbeats import Vitals, append_heartbeat
from security.exchange.membership import is_joined, load
from security.exchange.uplink import sync_up
from security.moments import to_ms

__all__ = ["parent_told", "tell_parent"]

EVERY_S: Final = 3_600.0
"""Time between two looks, seconds; a heartbeat is due every six hours."""
FIRST_S: Final = 60.0
"""Time before the first look, seconds: a hub that starts serves its members first."""
DISTRIBUTION: Final = "yixin"


@asynccontextmanager
async def parent_told(parts: HubParts, say: Callable[[str], None]) -> AsyncIterator[None]:
    """Send heartbeats to the parent hub while the daemon runs.

    Args:
        parts: The hub.
        say: Takes a line for the operator.
    """
    ended = asyncio.Event()
    keeping = asyncio.create_task(_keep(parts, say, ended))
    try:
        yield
    finally:
        ended.set()
        await keeping


async def _keep(parts: HubParts, say: Callable[[str], None], ended: asyncio.Event) -> None:
    pause, starting = FIRST_S, True
    while not ended.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), pause)
        if ended.is_set():
            return
        pause = EVERY_S
        try:
            if await tell_parent(parts, starting=starting):
                starting = False
        except (HubError, SecurityError) as error:
            say(f"The parent hub was not told, will try again: {error}")


async def tell_parent(parts: HubParts, *, starting: bool = False) -> bool:
    """Send a heartbeat to the parent hub, where one is due, and what waits from earlier turns.

    Args:
        parts: The hub.
        starting: Whether the daemon has just started.

    Returns:
        Whether this hub has a parent.

    Raises:
        HubUnreachableError: The parent did not answer; the next turn tries again.
        SecurityError: The membership is damaged, or the parent refused.
        HubStoreError: The database failed.
    """
    if not is_joined(parts.parent_directory):
        return False
    membership = await asyncio.to_thread(load, parts.parent_directory)
    if await asyncio.to_thread(_waits, parts, membership.hub_id, starting=starting):
        await sync_up(membership, parts.engine, parts.outbox, now=parts.now)
    return True


def _waits(parts: HubParts, parent: str, *, starting: bool) -> bool:
    """Queue what is due; whether anything waits for the parent."""
    try:
        program = metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        program = "not installed"
    with writing(parts.engine) as connection:
        vitals = Vitals(
            program=program,
            ledger_size=log.size(connection),
            pack_digest=parts.catalog.digest,
            operator_log=operator_log.head(connection),
        )
        append_heartbeat(
            connection,
            parts.outbox,
            parent,
            vitals,
            {},
            now_ms=to_ms(parts.now()),
            starting=starting,
        )
        return bool(parts.outbox.pending(connection, parent).total)
