"""A source in its own process, watched: what the terminal takes frames from.

Rules:
- The process is begun, heard, killed and begun anew here, by the watchdog's policy; nothing here
  ever waits for it without a bound.
- While nobody wants a frame, slots are given back unread.
- Unavailable and recovered are said once each.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from edge_devices.errors import SourceError
from edge_devices.face_terminals.sources.slots import FrameSlots
from edge_devices.face_terminals.watchdog import RestartPolicy, SourceState, Watchdog

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Callable
    from datetime import datetime

    from edge_devices.face_terminals.sources.port import SourceSpec
    from scoring_kernel.faces.arrays import Frame

__all__ = ["SourceDriver"]

_MODULE: Final = "edge_devices.face_terminals.sources.child"
_ROOT: Final = Path(__file__).parents[3]
_LOOK_EVERY_S: Final = 0.25
"""How often the deadline is looked at: it moves when a frame is wanted."""


class SourceDriver:
    """Gives the frames of a source (``FrameSource``)."""

    def __init__(
        self,
        spec: SourceSpec,
        *,
        steady: Callable[[], datetime],
        say: Callable[[str], None],
        policy: RestartPolicy | None = None,
    ) -> None:
        """Prepare; ``run`` begins the process.

        Args:
            spec: The source.
            steady: A clock that nobody sets, UTC-aware.
            say: Takes a line for the operator.
            policy: Of the watchdog; None for the usual.
        """
        self._spec: Final = spec
        self._steady: Final = steady
        self._say: Final = say
        self.watchdog: Final = Watchdog(policy or RestartPolicy(), steady())
        self._process: Process | None = None
        self._slots: FrameSlots | None = None
        self._turn = 0
        self._is_wanted = False
        self._frame: Frame | None = None
        self._is_over = False
        self._news: Final = asyncio.Event()

    @property
    def is_live(self) -> bool:
        """Whether it gives its newest frame and never ends."""
        return self._spec.is_live

    @property
    def process_id(self) -> int | None:
        """Of the source's process, while it runs."""
        return None if self._process is None else self._process.pid

    async def rewind(self) -> None:
        """Prepare for a verification: begin a recording anew; forget what a camera saw."""
        self._frame, self._is_over = None, False
        self._turn += 1
        self._send(b"r")

    async def take(self) -> Frame | None:
        """Give the next frame; None: the recording is over.

        Raises:
            SourceError: The source is unavailable.
        """
        self._is_wanted = True
        self._ask()
        try:
            while True:
                if self._frame is not None:
                    frame, self._frame = self._frame, None
                    return frame
                if self._is_over:
                    return None
                if self.watchdog.is_unavailable:
                    raise SourceError(self.watchdog.fault)
                self._news.clear()
                await self._news.wait()
        finally:
            self._is_wanted = False

    async def opened(self) -> None:
        """Wait until the source is open.

        Raises:
            SourceError: It is unavailable.
        """
        while self.watchdog.state is not SourceState.RUNNING:
            if self.watchdog.is_unavailable:
                raise SourceError(self.watchdog.fault)
            self._news.clear()
            await self._news.wait()

    async def run(self) -> None:
        """Keep the source going until cancelled."""
        while True:
            await asyncio.sleep(
                max(0.0, (self.watchdog.restart_at - self._steady()).total_seconds())
            )
            try:
                await self._serve()
            except SourceError as error:
                if self.watchdog.failed(str(error), self._steady()):
                    self._say(f"Source unavailable: {error}")
                self._news.set()

    async def _serve(self) -> None:
        """Run one process to its end, which is a failure whatever it was.

        Raises:
            SourceError: It ended, failed or stalled.
        """
        self.watchdog.begun(self._steady())
        try:
            slots = FrameSlots.create()
            try:
                await self._serve_with(slots)
            finally:
                slots.close()
        except OSError as error:
            raise SourceError(
                f"{self._spec.shown}: its process cannot be begun ({error.strerror}); free memory"
            ) from error

    async def _serve_with(self, slots: FrameSlots) -> None:
        process = await self._begin(slots)
        self._slots, self._process, self._turn = slots, process, 0
        try:
            await self._hear(process)
        finally:
            self._process, self._slots = None, None
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _begin(self, slots: FrameSlots) -> Process:
        # The program is found where this one was, whatever the working directory is.
        path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH", ""))))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            _MODULE,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            pass_fds=(slots.descriptor,),
            env={**os.environ, "PYTHONPATH": path},
            start_new_session=True,
        )
        head = {
            "kind": self._spec.kind,
            "target": self._spec.target,
            "pace": self._spec.pace,
            "upscale": self._spec.upscale,
            "memory": slots.descriptor,
            "parent": os.getpid(),
        }
        if process.stdin is not None:
            process.stdin.write(json.dumps(head).encode() + b"\n")
        return process

    async def _hear(self, process: Process) -> None:
        if process.stdout is None:
            raise SourceError(f"{self._spec.shown}: its process cannot be heard")
        line = asyncio.ensure_future(process.stdout.readline())
        try:
            while True:
                await asyncio.wait({line}, timeout=_LOOK_EVERY_S)
                if line.done():
                    if not line.result():
                        raise SourceError(
                            f"{self._spec.shown}: its process ended by itself; it is begun again"
                        )
                    self._take_in(json.loads(line.result()))
                    line = asyncio.ensure_future(process.stdout.readline())
                elif self._is_late():
                    raise SourceError(
                        f"{self._spec.shown} gives no frames any more; it is opened again. Look at "
                        "the camera and its line"
                    )
        except (ValueError, KeyError, TypeError) as error:
            raise SourceError(f"{self._spec.shown}: its process speaks nonsense") from error
        finally:
            line.cancel()
            with suppress(asyncio.CancelledError, ValueError):
                await line

    def _is_late(self) -> bool:
        deadline = self.watchdog.deadline
        return deadline is not None and self._steady() >= deadline

    def _take_in(self, told: dict[str, Any]) -> None:
        if "failed" in told:
            raise SourceError(str(told["failed"]))
        if "opened" in told:
            self.watchdog.opened()
            self._ask()
        elif "ended" in told:
            self._is_over = told["ended"] == self._turn
            self._came()
        else:
            self._take_frame(told["slot"], told["height"], told["width"], told["turn"])
        self._news.set()

    def _take_frame(self, slot: int, height: int, width: int, turn: int) -> None:
        if self._slots is not None and self._is_wanted and turn == self._turn:
            self._frame = self._slots.read(slot, height, width)
        self._send(str(slot).encode())
        self._came()

    def _came(self) -> None:
        if self.watchdog.frame():
            self._say(f"Source recovered: {self._spec.shown}")
        if self._spec.is_live:
            self.watchdog.wanted(self._steady())

    def _ask(self) -> None:
        """Ask for a frame: of a recording when one is wanted, of a camera always."""
        if self.watchdog.state is SourceState.RUNNING and (self._is_wanted or self._spec.is_live):
            self.watchdog.wanted(self._steady())
            self._send(b"n")

    def _send(self, letters: bytes) -> None:
        process = self._process
        if process is not None and process.stdin is not None and not process.stdin.is_closing():
            process.stdin.write(letters)
