"""Doing several things at the same time."""

import asyncio
from collections.abc import Awaitable
from typing import Any

__all__ = ["together"]


async def together(*acts: Awaitable[Any]) -> list[Any]:
    """Do several things at the same time; the first failure cancels the others.

    Args:
        acts: What to do.

    Returns:
        What each gave, in their order.
    """
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_awaited(act)) for act in acts]
    return [task.result() for task in tasks]


async def _awaited(act: Awaitable[Any]) -> Any:  # noqa: ANN401  # Hands through what it waits for.
    return await act
