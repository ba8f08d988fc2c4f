"""Events that gRPC finishes after the loop of a job was closed are no fault of the daemon's."""

from __future__ import annotations

import asyncio
import functools
import logging
from typing import TYPE_CHECKING

import grpc
import grpc.aio
import pytest

from security.channels import ignore_late_events

if TYPE_CHECKING:
    from collections.abc import Callable


async def _abandon() -> grpc.aio.Channel:
    """Wait for a line that nobody answers; the loop ends before the wait does."""
    channel = grpc.aio.insecure_channel("127.0.0.1:1")
    waiting = asyncio.create_task(
        channel.wait_for_state_change(grpc.ChannelConnectivity.IDLE),
    )
    await asyncio.sleep(0.05)
    assert not waiting.done()
    return channel


async def test_an_event_of_a_closed_loop_is_no_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    seen: list[str] = []

    def watched(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        seen.append(str(context["exception"]))
        ignore_late_events(loop, context)

    asyncio.get_running_loop().set_exception_handler(watched)
    async with grpc.aio.insecure_channel("127.0.0.1:1"):
        left = await asyncio.to_thread(lambda: asyncio.run(_abandon()))
        del left
        while not seen:  # noqa: ASYNC110 - gRPC's own thread delivers it
            await asyncio.sleep(0.01)
    assert seen == ["Event loop is closed"]
    assert [one for one in caplog.records if one.levelno >= logging.WARNING] == []


@pytest.mark.parametrize("error", [RuntimeError("Event loop is closed"), ValueError("other")])
async def test_every_other_fault_is_told(
    caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(ignore_late_events)
    raised: Callable[[], None] = functools.partial(_raise, error)
    loop.call_soon(raised)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [one.exc_info is not None for one in caplog.records] == [True]


def _raise(error: Exception) -> None:
    raise error
