"""How a hub's command runs: in the daemon, or here under the writer lock."""

from contextlib import AbstractContextManager
from pathlib import Path
from time import sleep
from typing import Final

from hub.cli_signing import signed
from hub.config import CONTROL_SOCKET, load_settings
from security.errors import LockHeldError
from security.operator import CommandOutput, ErrorText, Result, speaking

__all__ = ["CommandOutput", "Result", "run_job", "start"]

LOOKS: Final = 25
"""Most looks for a daemon that holds the lock and does not listen yet."""
LOOK_EVERY_S: Final = 0.2
"""Time between two of them, seconds."""


def _describe(error: Exception) -> ErrorText:
    from hub.api.errors import describe  # noqa: PLC0415 - keeps commands fast

    return describe(error)


def start(as_json: bool) -> AbstractContextManager[CommandOutput]:  # noqa: FBT001 - the flag --json
    """Run a command's body; errors become one message and their exit code."""
    return speaking(CommandOutput(as_json=as_json), _describe)


def run_job(
    directory: Path, command: str, arguments: Result, output: CommandOutput, *, writes: bool = True
) -> Result:
    """Run a job in the daemon, or here when none runs; signed where somebody's name was given.

    A daemon that is starting holds the lock some seconds before it listens: it is waited for.

    Raises:
        KeyFileError: The key to sign with does not open.
        NotInitialisedError: The directory holds no hub.
        LockHeldError: A job that writes found another writer and no daemon.
    """
    hub = load_settings(directory).hub.member_id
    arguments = signed(hub, command, arguments)
    with output.bar():
        for _ in range(LOOKS):
            try:
                return _run(directory, command, arguments, output, writes=writes)
            except LockHeldError:
                # The lock is taken before anything is done: nothing was.
                sleep(LOOK_EVERY_S)
        return _run(directory, command, arguments, output, writes=writes)


def _run(
    directory: Path, command: str, arguments: Result, output: CommandOutput, *, writes: bool
) -> Result:
    from security.local_channel import (  # noqa: PLC0415 - keeps --help fast
        DaemonAbsentError,
        call_daemon,
    )

    try:
        return call_daemon(directory / CONTROL_SOCKET, command, arguments, output.progress)
    except DaemonAbsentError:
        from hub.app import run_here  # noqa: PLC0415 - keeps --help fast

        return run_here(directory, command, arguments, output.progress, writes=writes)
