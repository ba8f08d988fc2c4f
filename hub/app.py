"""Composition root of a hub: makes a hub, runs its daemon or one job."""

import asyncio
import inspect
import signal
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from hub.api.handshakes import HandshakeWatch
from hub.clock import utc_now
from hub.config import (
    LOCK_FILE,
    SETTINGS_FILE,
    HubSettings,
    load_settings,
    usable,
    write_settings,
)
from hub.daemon import Daemon
from hub.domain.members import HubLevel, member_id_of
from hub.errors import ConfigurationError
from hub.jobs import HubJobs, Result
from hub.packs.installing import install_used
from hub.parts import KEYS, OBJECTS, HubParts, open_parts
from hub.store.identity import create_identity
from security.operator import writer_lock
from security.progress import ProgressReporter
from security.restarting import start_again

__all__ = ["HubApp", "init_hub", "run_here", "serve_hub"]

_MODE: Final = 0o700


class HubApp:
    """One hub over its state directory."""

    def __init__(self, directory: Path, now: Callable[[], datetime] = utc_now) -> None:
        """Name the hub; nothing is opened yet.

        Args:
            directory: State directory.
            now: Tells the present moment, UTC-aware.
        """
        self.directory = directory
        self.now = now

    @contextmanager
    def opened(self, *, writer: bool = True) -> Iterator[HubParts]:
        """Open the parts over the pack in use; a writer takes the lock first.

        Raises:
            PackError: The pack in use is gone or changed, or this process works with another one.
            LockHeldError: Another process writes to the directory.
            NotInitialisedError: The directory holds no hub.
        """
        load_settings(self.directory)
        if not writer:
            install_used(self.directory)
            with open_parts(self.directory, self.now, writer=False) as parts:
                yield parts
            return
        with _locked(self.directory):
            install_used(self.directory)
            with open_parts(self.directory, self.now, writer=True) as parts:
                yield parts

    def run(
        self, command: str, arguments: Result, progress: ProgressReporter, *, writes: bool = True
    ) -> Result:
        """Run one job in this process.

        Raises:
            LockHeldError: The job writes, and another process holds the lock.
        """
        with self.opened(writer=writes) as parts:
            result = HubJobs(parts=parts).table()[command](arguments, progress)
            if inspect.isawaitable(result):
                return asyncio.run(_finish(result))
            return result

    def serve(self, say: Callable[[str], None]) -> None:
        """Run the daemon until SIGTERM or SIGINT; it starts again when another pack is in use.

        Raises:
            LockHeldError: Another process writes to the directory.
            ConfigurationError: An address cannot be bound.
        """
        with self.opened() as parts:
            restart = asyncio.run(_serve(parts, say))
        if restart:
            start_again()


def init_hub(
    directory: Path, *, level: str, division: str, name: str, now: Callable[[], datetime] = utc_now
) -> HubParts:
    """Make a hub: settings, keys, database.

    Args:
        directory: State directory; made for its owner alone, or there and empty.
        level: ``city`` or ``province``; also the code in its member id.
        division: Division code, six digits.
        name: Name for screens and documents.
        now: Tells the present moment, UTC-aware.

    Returns:
        The parts of the new hub, closed again.

    Raises:
        ConfigurationError: The directory holds something, is open to others or cannot be made, or
            an argument is malformed.
        KeyFileError: A file cannot be written.
    """
    if level not in set(HubLevel):
        raise ConfigurationError(f"The level is {level[:20]!r}, expected city or province.")
    settings = HubSettings(
        member=member_id_of(division=division, kind="hub", code=level), level=level, name=name
    )
    with usable(directory):
        _make_directory(directory)
    with _locked(directory):
        moment = now()
        with usable(directory):
            create_identity(directory / KEYS, settings.member_id, moment)
            (directory / OBJECTS).mkdir(mode=_MODE, exist_ok=True)
        write_settings(directory, settings)
        with open_parts(directory, now, writer=True) as parts:
            return parts


def run_here(
    directory: Path, command: str, arguments: Result, progress: ProgressReporter, *, writes: bool
) -> Result:
    """Run a job in this process; jobs that write take the writer lock."""
    return HubApp(directory).run(command, arguments, progress, writes=writes)


def serve_hub(directory: Path, say: Callable[[str], None]) -> None:
    """Run the daemon in this process."""
    HubApp(directory).serve(say)


def _make_directory(directory: Path) -> None:
    """Make the state directory, or accept an empty one as it is; its mode stays the owner's."""
    if not directory.exists():
        directory.mkdir(mode=_MODE, parents=True)
        return
    if (directory / SETTINGS_FILE).exists():
        raise ConfigurationError(f"{directory} already holds a hub; nothing was changed.")
    if next(directory.iterdir(), None) is not None:
        raise ConfigurationError(
            f"{directory} is not empty; nothing was changed. Name a new or an empty directory."
        )
    mode = stat.S_IMODE(directory.stat().st_mode)
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ConfigurationError(
            f"{directory} has mode {mode:04o}: other users can write to it; nothing was changed. "
            f"Run: chmod 700 {directory}"
        )


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Hold the writer lock; what the system refuses about its file is told as such."""
    with ExitStack() as held:
        with usable(directory / LOCK_FILE):
            held.enter_context(writer_lock(directory, LOCK_FILE))
        yield


async def _finish(result: object) -> Result:
    finished = await result  # type: ignore[misc]  # the caller asked whether it is awaitable
    return dict(finished)


async def _serve(parts: HubParts, say: Callable[[str], None]) -> bool:
    daemon = Daemon(parts=parts, say=say)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, daemon.stop.set)
    with HandshakeWatch(daemon.handshake_failed):
        await daemon.run()
    say("The hub starts again." if daemon.restart else "The hub has stopped.")
    return daemon.restart
