"""Bodies of calls: bounded in length, in time, and in how many are in memory together."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

from node.errors import NodeError

__all__ = ["BodyError", "InflightBudget", "Receive", "read_body"]

Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
"""The channel of ASGI."""

SKIPPED_BYTES: Final = 32 * 1024 * 1024
"""So much of a body that is too long is read and dropped, so that its sender hears why."""


class BodyError(NodeError):
    """A body did not come whole; ``is_gone`` when nobody waits for an answer any more."""

    def __init__(self, message: str, *, is_gone: bool = False) -> None:
        super().__init__(message)
        self.is_gone = is_gone


class InflightBudget:
    """Bytes of bodies that may be in memory at a time."""

    def __init__(self, max_bytes: int) -> None:
        self._left = max_bytes

    @contextmanager
    def share(self) -> Iterator[Callable[[int], None]]:
        """Hand out a function that takes bytes; they come back at the end of the block.

        Yields:
            The function; it raises ``BodyError`` when the budget is used up.
        """
        taken = 0

        def take(size: int) -> None:
            nonlocal taken
            if size > self._left:
                raise BodyError("繁忙，请稍后用同一msgid重发 / busy: send it again")
            self._left -= size
            taken += size

        try:
            yield take
        finally:
            self._left += taken


async def read_body(
    receive: Receive, *, max_bytes: int, timeout_s: float, take: Callable[[int], None]
) -> bytes:
    """Read a body.

    Args:
        receive: The channel of ASGI.
        max_bytes: Longest body of interest; of a longer one, one byte more is returned.
        timeout_s: Longest time for all of it, seconds.
        take: Takes bytes from a budget.

    Raises:
        BodyError: It did not come in time, its sender went away, or the budget is used up.
    """
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise BodyError("the sender went away", is_gone=True)
                part = message.get("body", b"")
                if size <= max_bytes:
                    kept = part[: max_bytes + 1 - size]
                    take(len(kept))
                    parts.append(kept)
                size += len(part)
                if not message.get("more_body", False) or size > max_bytes + SKIPPED_BYTES:
                    return b"".join(parts)
    except TimeoutError as error:
        raise BodyError(
            f"报文未在{timeout_s:g}秒内到齐，请重发 / the message did not arrive in time"
        ) from error
