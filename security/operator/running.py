"""Where a command runs: in the daemon that listens, in one that is starting, or here.

A daemon that is starting holds the writer lock some seconds before it listens: it is waited for.
"""

from collections.abc import Callable
from pathlib import Path
from time import sleep
from typing import Final, TypeVar

from security.errors import DaemonAbsentError, LockHeldError
from security.operator.output import CommandOutput, Result

__all__ = ["run_command", "when_free"]

LOOKS: Final = 25
"""Most looks for a daemon that holds the lock and does not listen yet."""
LOOK_EVERY_S: Final = 0.2
"""Time between two of them, seconds."""
_T = TypeVar("_T")


def run_command(
    socket: Path,
    command: str,
    arguments: Result,
    output: CommandOutput,
    *,
    here: Callable[[], Result],
) -> Result:
    """Run a job in the daemon; where none is, here.

    Args:
        socket: Socket of the daemon.
        command: Name of the job.
        arguments: Its arguments.
        output: Shows the daemon's progress.
        here: Runs the job in this process; takes the writer lock first, if the job writes.

    Raises:
        JobFailedError: It failed in the daemon.
        LockHeldError: A job that writes found another writer and no daemon.
        LocalChannelError: Somebody else listens, or the daemon died during the job.
    """

    def look() -> Result:
        from security.local_channel import call_daemon  # noqa: PLC0415 - keeps --help fast

        try:
            return call_daemon(socket, command, arguments, output.progress)
        except DaemonAbsentError:
            return here()

    return when_free(look)


def when_free(look: Callable[[], _T]) -> _T:
    """Look again while somebody holds the writer lock, for as long as a daemon takes to start.

    Args:
        look: Finds the daemon or takes the lock; what it does comes after.

    Raises:
        LockHeldError: Another writer held the lock all the time.
    """
    for _ in range(LOOKS):
        try:
            return look()
        except LockHeldError:
            sleep(LOOK_EVERY_S)
    return look()
