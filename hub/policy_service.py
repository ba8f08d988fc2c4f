"""States the suite policy of hub.toml when the daemon starts, or as soon as the log takes it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

from hub.errors import LogReadOnlyError
from hub.parts import HubParts
from hub.store.engine import writing
from hub.store.policies import state_policy
from security.moments import to_ms

RETRY_S: Final = 30.0


@asynccontextmanager
async def suite_policy(parts: HubParts, say: Callable[[str], None]) -> AsyncIterator[None]:
    """State the policy before anybody is served; where the log is read-only, as soon as it is not.

    Args:
        parts: The hub.
        say: Takes a line for the operator.

    Raises:
        UnknownSuiteError: A suite of hub.toml does not work on this machine.
    """
    ended = asyncio.Event()
    is_stated = await asyncio.to_thread(_is_stated, parts)
    if not is_stated:
        say("The suite policy of hub.toml waits until the log takes leaves again.")
    waiting = asyncio.create_task(_keep_trying(parts, ended, is_stated=is_stated))
    try:
        yield
    finally:
        ended.set()
        await waiting


async def _keep_trying(parts: HubParts, ended: asyncio.Event, *, is_stated: bool) -> None:
    while not (is_stated or ended.is_set()):
        with suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), RETRY_S)
        is_stated = await asyncio.to_thread(_is_stated, parts)


def _is_stated(parts: HubParts) -> bool:
    try:
        with writing(parts.engine) as connection:
            allowed = parts.settings.suites.names
            state_policy(connection, parts.identity, allowed, to_ms(parts.now()))
    except LogReadOnlyError:
        return False
    return True
