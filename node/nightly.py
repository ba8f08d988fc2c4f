"""The daemon's part in the nightly run: when it is due, its process, and what is said of it."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from node.api.errors import describe
from node.domain.nights import Night, find_due, night_time
from node.errors import NodeError
from node.supervision_settings import SupervisionSettings
from security.errors import SecurityError

__all__ = ["Nightly", "night_kept"]

LOOK_S: Final = 20.0
"""How often the clock is looked at."""
POLL_S: Final = 0.2
RETRY_S: Final = 600.0
TERM_S: Final = 10.0
"""Time that the run has to end by itself before it is killed."""
_MODULE: Final = "node.nightly_run"

Result = dict[str, Any]


class Nightly:
    """Runs rules and topics once a night, in a process of its own."""

    def __init__(
        self,
        directory: Path,
        settings: SupervisionSettings,
        run: Callable[[str, Result], Awaitable[Result]],
        last: Callable[[], Night | None],
        *,
        now: Callable[[], datetime],
        say: Callable[[str], None],
    ) -> None:
        """Take the parts.

        Args:
            directory: State directory of the node.
            settings: Table `[supervision]`.
            run: Runs a job of the daemon by its name.
            last: Finds the last night.
            now: The time, aware.
            say: Takes a line for the operator.
        """
        self._directory = directory
        self._at = night_time(settings.nightly)
        self._catch_up_s = settings.nightly_catch_up_s
        self._run_job = run
        self._last = last
        self._now = now
        self._say = say
        self._is_running = False

    @property
    def is_running(self) -> bool:
        """Whether the run is at work: it reads files that must stay."""
        return self._is_running

    async def watch(self) -> None:
        """Look at the clock until cancelled; a run that is at work ends then."""
        if self._at is None:
            return
        await asyncio.sleep(self._catch_up_s)
        is_start = True
        while True:
            try:
                last = await asyncio.to_thread(self._last)
                attempt = find_due(last, self._at, self._now(), is_start=is_start)
                if attempt is not None:
                    await self._night(attempt)
            except (NodeError, SecurityError, OSError) as error:
                self._say(f"The nightly run failed, will try again: {describe(error)[1]}")
                await asyncio.sleep(RETRY_S)
            is_start = False
            await asyncio.sleep(LOOK_S)

    async def _night(self, attempt: int) -> None:
        await self._run_job("night_begin", {"attempt": attempt})
        self._say("Nightly run of rules and topics begins.")
        self._is_running = True
        try:
            code = await self._process()
        finally:
            self._is_running = False
        night = await asyncio.to_thread(self._last)
        if night is None or night.ended_at is None:
            if code == -signal.SIGTERM:
                self._say("The nightly run was stopped; it begins again at the next start.")
                return
            await self._run_job("night_end", {"error": _ended(code)})
            night = await asyncio.to_thread(self._last)
        if night is not None:
            self._say(_words(night))

    async def _process(self) -> int:
        """Run the process to its end; returns its exit code."""
        # Not by the loop: its fork would run the handlers of gRPC's threads.
        process = subprocess.Popen(  # noqa: S603, ASYNC220  # this program; it is only started here
            [sys.executable, "-m", _MODULE, os.fspath(self._directory.absolute())],
            # It ends when this end of the pipe is closed, however we end.
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        with process:
            try:
                return await _ended_with(process)
            except asyncio.CancelledError:
                await _end(process)
                raise


async def _ended_with(process: subprocess.Popen[bytes]) -> int:
    while True:
        code = process.poll()
        if code is not None:
            return code
        await asyncio.sleep(POLL_S)


async def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        await asyncio.wait_for(_ended_with(process), TERM_S)
    except TimeoutError:
        process.kill()


def _ended(code: int) -> str:
    if code == -signal.SIGKILL:
        return (
            "its process was killed, most often because memory ran out: lower "
            "supervision.nightly_max_memory_mib, or give the machine more"
        )
    return f"its process ended with {code} before it told anything; see the daemon's log"


def _words(night: Night) -> str:
    told = (
        f"Nightly run: {night.hits} hits, {night.new} of them new, {night.gone} gone; "
        f"{night.counted} measure sets and months counted anew, {night.topics} topics."
    )
    if night.stopped:
        told += f" Stopped for their budget: {', '.join(night.stopped)}."
    if night.error:
        told += f" It failed, and is tried again the next night: {night.error}"
    return told


@asynccontextmanager
async def night_kept(nightly: Nightly) -> AsyncIterator[None]:
    """Have the clock watched while the body runs; the run at work ends with it."""
    watching = asyncio.create_task(nightly.watch())
    try:
        yield
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
