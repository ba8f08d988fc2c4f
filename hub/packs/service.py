"""The daemon's turn at the packs: sign the timestamp anew, bring the copy up to date.

A failure is said and tried again at the next turn; the copy stays as it was.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final

from hub.background import beside
from hub.errors import HubError
from hub.packs.serving import refresh_packs, sign_timestamp
from hub.parts import HubParts
from security.errors import SecurityError

__all__ = ["packs_kept"]

EVERY_S: Final = 3_600.0
"""Time between two turns, seconds."""


def packs_kept(parts: HubParts, say: Callable[[str], None]) -> AbstractAsyncContextManager[None]:
    """Keep the copy up to date while the body runs."""
    return beside(_keep(parts, say))


async def _keep(parts: HubParts, say: Callable[[str], None]) -> None:
    while True:
        try:
            if await asyncio.to_thread(sign_timestamp, parts, parts.now()):
                say("Packs: the timestamp was signed anew.")
            await asyncio.to_thread(refresh_packs, parts, parts.now())
        except (SecurityError, HubError, OSError) as error:
            say(f"Packs could not be brought up to date, will try again: {error}")
        await asyncio.sleep(EVERY_S)
