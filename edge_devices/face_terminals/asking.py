"""Where asks come from (核验请求通道): lines of standard input, a FIFO or a file.

Rules: a thread reads, so that a writer who is silent stops nothing; a line that is too long is
told as one and skipped to its end; a FIFO stays open when its writers go.
"""

from __future__ import annotations

import asyncio
import os
import stat
import threading
from itertools import chain
from typing import TYPE_CHECKING, Final

from edge_devices.errors import DeviceConfigurationError
from edge_devices.face_terminals.asks import MAX_LINE_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["AskLines"]

MAX_WAITING: Final = 64
"""Lines that wait; whoever writes more waits too."""
_STANDARD_INPUT: Final = 0
_CHUNK: Final = 4096


class AskLines:
    """Lines, one after the other; None at the end."""

    def __init__(self, path: Path | None) -> None:
        """Open.

        Args:
            path: A file or a FIFO; None: standard input.

        Raises:
            DeviceConfigurationError: It cannot be opened.
        """
        self._queue: Final[asyncio.Queue[bytes | None]] = asyncio.Queue(MAX_WAITING)
        self._descriptor: Final = _STANDARD_INPUT if path is None else _open(path)

    def start(self) -> None:
        """Begin to read."""
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._read, args=(loop,), name="asks", daemon=True).start()

    async def next(self) -> bytes | None:
        """The next line; None when there are no more."""
        return await self._queue.get()

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            for line in chain(_lines_of(self._descriptor), (None,)):
                asyncio.run_coroutine_threadsafe(self._queue.put(line), loop).result()
        except RuntimeError:
            return  # The loop has ended before the lines did.


def _lines_of(descriptor: int) -> Iterator[bytes]:
    """Lines without their ends; of one that is too long, its beginning, one byte too long."""
    held, is_skipping = b"", False
    while chunk := _chunk(descriptor):
        held += chunk
        while (end := held.find(b"\n")) >= 0 or len(held) > MAX_LINE_BYTES:
            line, held = (held[:end], held[end + 1 :]) if end >= 0 else (held, b"")
            if not is_skipping and line.strip():
                yield line[: MAX_LINE_BYTES + 1]
            is_skipping = end < 0
    if held.strip() and not is_skipping:
        yield held[: MAX_LINE_BYTES + 1]


def _chunk(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, _CHUNK)
    except OSError:
        return b""


def _open(path: Path) -> int:
    try:
        mode = path.stat().st_mode
        # Opened for writing too, a FIFO neither waits for a writer nor ends with the last one.
        how = os.O_RDWR if stat.S_ISFIFO(mode) else os.O_RDONLY
        if not (stat.S_ISFIFO(mode) or stat.S_ISREG(mode)):
            raise DeviceConfigurationError(f"{path} is neither a file nor a FIFO; make one: mkfifo")
        return os.open(path, how | os.O_CLOEXEC)
    except OSError as error:
        raise DeviceConfigurationError(
            f"{path} cannot be opened for asks ({error.strerror}); make it with mkfifo, mode 0600, "
            "or write asks into a file"
        ) from error
