"""How a hub's command runs: in the daemon, or here under the writer lock."""

from contextlib import AbstractContextManager
from pathlib import Path

from hub.cli_signing import signed
from hub.config import CONTROL_SOCKET, load_settings
from security.operator import CommandOutput, ErrorText, Result, run_command, speaking

__all__ = ["CommandOutput", "Result", "run_job", "start"]


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

    Raises:
        KeyFileError: The key to sign with does not open.
        NotInitialisedError: The directory holds no hub.
        LockHeldError: A job that writes found another writer and no daemon.
    """
    hub = load_settings(directory).hub.member_id
    arguments = signed(hub, command, arguments)

    def here() -> Result:
        from hub.app import run_here  # noqa: PLC0415 - keeps --help fast

        return run_here(directory, command, arguments, output.progress, writes=writes)

    with output.bar():
        return run_command(directory / CONTROL_SOCKET, command, arguments, output, here=here)
