"""The gateway's end of the spool: a thread that seals, writes and syncs behind the traffic.

0. ``put`` never waits: a copy goes into memory, or is counted as lost.
1. The thread writes what is there, syncs once, and only then takes it out of memory.
2. After a failed write the file is closed, and the same copies go into the next one: the
   daemon knows those that were written twice by their message ids.
3. A file is closed after a second, so that the daemon is never far behind.
"""

import os
import secrets
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import orjson

from node.gateway.exchanges import Exchange
from node.gateway.spool_files import (
    COUNTS_FILE,
    OPEN,
    close_file,
    gateway_counts,
    seal_frame,
    spool_bytes,
)
from security.at_rest import Vault
from security.errors import KeyFileError
from security.private_files import sync_directory, write_private

__all__ = ["GatewayCounts", "Spool"]

MAX_QUEUED_BYTES: Final = 64 * 1024 * 1024
FILE_BYTES: Final = 8 * 1024 * 1024
TURN: Final = timedelta(seconds=1)
KEPT_FREE_BYTES: Final = 64 * 1024 * 1024
"""The disk is full for copies before it is full for the node's store."""
_GROUP: Final = 256


@dataclass(slots=True, kw_only=True)
class GatewayCounts:
    """What a gateway counts, over all its runs."""

    kept: int = 0
    """Exchanges that are in the spool or were drained from it."""
    lost: int = 0
    """Exchanges that passed without a copy, for want of room."""
    too_long: int = 0
    """Exchanges that passed without a copy because they are longer than a message may be."""
    not_reached: int = 0
    """Calls that the platform never received."""
    unanswered: int = 0
    """Calls whose outcome is not known."""
    unjudged: int = 0
    """Calls of 3101 to 3103 that the daemon did not answer in time; the visits passed."""
    last_lost_at: str = ""


class Spool:
    """Keeps exchanges; one gateway a directory."""

    def __init__(
        self, directory: Path, vault: Vault, *, max_bytes: int, now: Callable[[], datetime]
    ) -> None:
        """Prepare the spool; ``start`` begins to write.

        Args:
            directory: The spool's directory; the caller holds its lock.
            vault: Seals the copies.
            max_bytes: Most bytes that may wait in the directory.
            now: The time, aware.
        """
        self._directory = directory
        self._vault = vault
        self._max_bytes = max_bytes
        self._now = now
        self._queue: deque[Exchange] = deque()
        self._queued_bytes = 0
        self._closing = False
        self._news = threading.Condition()
        self._file: Path | None = None
        self._descriptor = -1
        self._frames = 0
        self._files = 0
        self._begun = now()
        self._counts = self._earlier()
        self._told = asdict(self._counts)
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def close(self) -> None:
        """Write what is left, as far as there is room, and end."""
        with self._news:
            self._closing = True
            self._news.notify()
        self._thread.join()

    @property
    def counts(self) -> GatewayCounts:
        """What was counted so far."""
        with self._news:
            return GatewayCounts(**asdict(self._counts))

    def put(self, exchange: Exchange) -> None:
        """Keep an exchange; never waits, never raises."""
        with self._news:
            if self._queued_bytes + exchange.size > MAX_QUEUED_BYTES:
                self._lose(1)
                return
            self._queue.append(exchange)
            self._queued_bytes += exchange.size
            self._news.notify()

    def note(
        self, *, too_long: bool = False, was_sent: bool | None = None, unjudged: bool = False
    ) -> None:
        """Count a call without a copy, without an answer, or without a judgement."""
        with self._news:
            self._counts.too_long += too_long
            self._counts.not_reached += was_sent is False
            self._counts.unanswered += was_sent is True
            self._counts.unjudged += unjudged

    def _lose(self, number: int) -> None:
        if not number:
            return
        self._counts.lost += number
        self._counts.last_lost_at = self._now().isoformat(timespec="seconds")

    def _earlier(self) -> GatewayCounts:
        """Go on with the counts of the run before."""
        counts = GatewayCounts()
        for name, value in (gateway_counts(self._directory) or {}).items():
            if name in asdict(counts) and type(value) is type(getattr(counts, name)):
                setattr(counts, name, value)
        return counts

    def _run(self) -> None:
        while True:
            with self._news:
                if not self._queue and not self._closing:
                    self._news.wait(TURN.total_seconds())
                group = [self._queue[place] for place in range(min(_GROUP, len(self._queue)))]
                is_last = self._closing
            is_kept = self._keep(group) if group else True
            if is_kept:
                self._taken(group)
            if not is_kept or not group or is_last or self._now() - self._begun >= TURN:
                self._end_file()
                self._tell()
            if is_last and (not is_kept or not self._queue):
                with self._news:
                    self._lose(len(self._queue))
                self._tell()
                return
            if not is_kept:
                with self._news:
                    self._news.wait_for(lambda: self._closing, TURN.total_seconds())

    def _taken(self, group: list[Exchange]) -> None:
        with self._news:
            for exchange in group:
                self._queue.popleft()
                self._queued_bytes -= exchange.size
            self._counts.kept += len(group)

    def _keep(self, group: list[Exchange]) -> bool:
        """Write and sync a group; False when there was no room for it."""
        try:
            if not self._has_room(sum(one.size for one in group)):
                return False
            if self._file is None:
                self._begin_file()
            if self._file is None:
                return False
            for exchange in group:
                self._frames += 1
                frame = seal_frame(self._vault, self._file.stem, self._frames, exchange)
                _write_whole(self._descriptor, frame)
            os.fsync(self._descriptor)
            if os.fstat(self._descriptor).st_size >= FILE_BYTES:
                self._end_file()
        except OSError:
            return False
        return True

    def _has_room(self, size: int) -> bool:
        disk = os.statvfs(self._directory)
        is_free = disk.f_bavail * disk.f_frsize - size >= KEPT_FREE_BYTES
        return is_free and spool_bytes(self._directory) + size <= self._max_bytes

    def _begin_file(self) -> None:
        # In the order they were begun, also within one moment of the clock.
        self._files += 1
        stamp = self._now().strftime("%Y%m%d%H%M%S%f")
        path = self._directory / f"{stamp}-{self._files:09d}-{secrets.token_hex(4)}{OPEN}"
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file, self._frames, self._begun = path, 0, self._now()
        sync_directory(self._directory)

    def _end_file(self) -> None:
        """Close the file, if one is open; one without a frame goes away at the next drain."""
        if self._file is None:
            return
        path, self._file = self._file, None
        try:
            os.close(self._descriptor)
            close_file(path)
        except OSError:
            return  # It stays open by name; the next start of a gateway closes it.

    def _tell(self) -> None:
        """Write the counts where `yixin node status` finds them; a full disk is told later."""
        counts = asdict(self.counts)
        if counts == self._told:
            return
        try:
            write_private(self._directory / COUNTS_FILE, orjson.dumps(counts), replace=True)
        except KeyFileError:
            return
        self._told = counts


def _write_whole(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]
