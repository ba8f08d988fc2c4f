"""A task that runs beside the body of a service, and is cancelled when the body ends."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress

__all__ = ["beside"]


@asynccontextmanager
async def beside(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Run endless work while the body runs.

    Args:
        work: May be cancelled at every moment: what it does is begun anew at the next start.
    """
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
