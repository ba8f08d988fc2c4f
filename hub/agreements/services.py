"""What a hub's daemon does about sharing while it runs: answers requests, announces keys."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

from hub.agreements.answering import answer_waiting
from hub.agreements.directories import announce
from hub.errors import HubError
from hub.store.engine import writing
from security.errors import SecurityError
from security.moments import to_ms

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import datetime

    from hub.agreements.room import SharingRoom

EVERY_S: Final = 1.0
"""Time between two looks at what waits, seconds."""
ANNOUNCE_EVERY: Final = 5
"""Looks between two comparisons of the directory."""
_LOG: Final = logging.getLogger(__name__)


@asynccontextmanager
async def keep_sharing(
    room: SharingRoom, now: Callable[[], datetime], *, every_s: float = EVERY_S
) -> AsyncIterator[None]:
    """Answer requests and announce keys until the block ends.

    Args:
        room: The parts of the hub that share.
        now: Tells the present moment, UTC-aware.
        every_s: Time between two looks at what waits, seconds.
    """
    stop = asyncio.Event()
    task = asyncio.create_task(_run(room, now, stop, every_s))
    try:
        yield
    finally:
        stop.set()
        await task


async def _run(
    room: SharingRoom, now: Callable[[], datetime], stop: asyncio.Event, every_s: float
) -> None:
    looks = 0
    while not stop.is_set():
        try:
            if looks % ANNOUNCE_EVERY == 0:
                await asyncio.to_thread(_announce, room, to_ms(now()))
            while await asyncio.to_thread(answer_waiting, room, to_ms(now())) and not stop.is_set():
                pass
        except (HubError, SecurityError):
            # What waits stays; the next look tries again.
            _LOG.exception("requests could not be answered")
        looks += 1
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), every_s)


def _announce(room: SharingRoom, now_ms: int) -> None:
    with writing(room.engine) as connection:
        announce(connection, room, now_ms)
